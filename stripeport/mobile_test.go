package stripeport_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

const (
	ephemeralSecret = "ek_test_CANARY7hJ2"
	sessionSecret   = "cuss_secret_CANARY7hJ2"
)

func ephemeralJSON(fields ...string) string {
	return `{"id":"ephkey_1","object":"ephemeral_key","associated_objects":[{"id":"cus_1","type":"customer"}],"created":1700000000,` +
		`"expires":1700003600,"livemode":false,"secret":"` + ephemeralSecret + `"` + strings.Join(append([]string{""}, fields...), ",") + `}`
}

func sessionJSON(fields ...string) string {
	return `{"object":"customer_session","client_secret":"` + sessionSecret + `","components":{"payment_element":{"enabled":true,"features":null}},` +
		`"created":1700000000,"customer":"cus_1","expires_at":1700001800,"livemode":false` + strings.Join(append([]string{""}, fields...), ",") + `}`
}

func TestEphemeralKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, answer(200, ephemeralJSON()))
	p := s.provider(t)
	key, err := p.EphemeralKey(ctx, "cus_1", "2020-08-27")
	require.NoError(t, err)
	require.Equal(t, "ephkey_1", key.ID)
	require.Equal(t, ephemeralSecret, key.Secret.Reveal())
	require.Equal(t, time.Unix(1700003600, 0).UTC(), key.Expires)
	require.JSONEq(t, strings.Replace(ephemeralJSON(), `,"secret":"`+ephemeralSecret+`"`, "", 1), string(key.Raw))
	requireNoSecret(t, key, "ephemeral key")
	requireNoSecret(t, string(key.Raw), "ephemeral key")
	require.Equal(t, "POST /v1/ephemeral_keys customer=cus_1", s.seen()[0].method+" "+s.seen()[0].uri+" "+s.seen()[0].body)
	require.Equal(t, []string{"2020-08-27"}, s.seen()[0].header["Stripe-Version"])
	require.NotEmpty(t, s.seen()[0].header.Get("Idempotency-Key"))

	for _, version := range []string{"2024-06-20", "2025-03-31.basil", "2026-08-26.preview", "2020-08-27; customer_session_beta=v1", "2020-08-27;a=v1;b=v2"} {
		_, err := p.EphemeralKey(ctx, "cus_1", version)
		require.NoError(t, err)
		require.Equal(t, version, s.seen()[len(s.seen())-1].header.Get("Stripe-Version"))
	}
	n := len(s.seen())
	for _, version := range []string{
		"", " ", "latest", "2024-06", "2024-6-20", "2024-06-20 ", " 2024-06-20", "2024-06-20\n", "2024-06-20\r\nX: y", "2024-06-20.", "2024-06-20.Basil",
		"v1", "null", "undefined", "2024-06-20,2025-01-01", "2024-06-20;" + strings.Repeat("a", 300) + "=v1",
	} {
		_, err := p.EphemeralKey(ctx, "cus_1", version)
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, "%q", version)
	}
	for _, id := range []string{"", "cus 1", "../x", canary} {
		_, err := p.EphemeralKey(ctx, id, "2024-06-20")
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, "%q", id)
		requireNoSecret(t, err.Error(), id)
	}
	require.Len(t, s.seen(), n, "before any request")
}

func TestCustomerSession(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, answer(200, sessionJSON()))
	p := s.provider(t)
	session, err := p.CustomerSession(ctx, "cus_1", map[string]any{"payment_element": map[string]any{
		"enabled": true, "features": map[string]any{"payment_method_redisplay": "enabled", "payment_method_allow_redisplay_filters": []string{"always"}},
	}})
	require.NoError(t, err)
	require.Equal(t, sessionSecret, session.Secret.Reveal())
	require.Equal(t, time.Unix(1700001800, 0).UTC(), session.Expires)
	require.JSONEq(t, strings.Replace(sessionJSON(), `"client_secret":"`+sessionSecret+`",`, "", 1), string(session.Raw))
	requireNoSecret(t, session, "customer session")
	require.Equal(t, "/v1/customer_sessions", s.seen()[0].uri)
	require.Equal(t, "components[payment_element][enabled]=true&components[payment_element][features][payment_method_allow_redisplay_filters][0]=always&"+
		"components[payment_element][features][payment_method_redisplay]=enabled&customer=cus_1", s.seen()[0].body)
	require.Equal(t, "2024-06-20", s.seen()[0].header.Get("Stripe-Version"))

	n := len(s.seen())
	_, err = p.CustomerSession(ctx, "cus_1", nil)
	require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
	_, err = p.CustomerSession(ctx, canary, paymentElement())
	require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
	requireNoSecret(t, err.Error(), "id")
	require.Len(t, s.seen(), n)
}

// An answer that is not about the customer is not handed on, and neither is one
// without a secret.
func TestMobileErrors(t *testing.T) {
	t.Parallel()
	replies := map[string]struct {
		reply reply
		want  error
	}{
		"no such customer":     {answer(400, failWith(invalidRequest, "resource_missing")), setupintent.ErrRefused},
		"no rights":            {answer(403, failWith(invalidRequest, "", `"secret":"`+ephemeralSecret+`"`)), setupintent.ErrCredentials},
		"throttled":            {answer(429, failWith(invalidRequest, "rate_limit")), setupintent.ErrThrottled},
		"key, another's":       {answer(200, ephemeralJSON(`"associated_objects":[{"id":"cus_2"}]`)), nil},
		"key, nobody's":        {answer(200, ephemeralJSON(`"associated_objects":[]`)), nil},
		"key, without secret":  {answer(200, ephemeralJSON(`"secret":""`)), nil},
		"key, without id":      {answer(200, ephemeralJSON(`"id":""`)), nil},
		"session, another's":   {answer(200, sessionJSON(`"customer":"cus_2"`)), nil},
		"session, no secret":   {answer(200, sessionJSON(`"client_secret":""`)), nil},
		"another object":       {answer(200, sessionJSON(`"object":"x"`)), nil},
		"another object again": {answer(200, ephemeralJSON(`"object":"x"`)), nil},
		"cut":                  {answer(200, ephemeralJSON()[:150]), nil},
		"outage":               {answer(500, ephemeralSecret+sessionSecret), nil},
	}
	for name, tc := range replies {
		p := serve(t, tc.reply).provider(t)
		key, keyErr := p.EphemeralKey(context.Background(), "cus_1", "2024-06-20")
		session, sessionErr := p.CustomerSession(context.Background(), "cus_1", paymentElement())
		require.Equal(t, stripeport.EphemeralKey{}, key, name)
		require.Equal(t, stripeport.CustomerSession{}, session, name)
		for _, err := range []error{keyErr, sessionErr} {
			require.Error(t, err, name)
			var e *stripeport.Error
			require.ErrorAs(t, err, &e, name)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want, name)
			}
			for _, e := range tree(err) {
				requireNoSecret(t, e, name)
				requireNoSecret(t, e.Error(), name)
			}
		}
	}
}

func TestMobileAgainstFake(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)
	id, err := p.CreateCustomer(ctx, setupintent.CustomerRequest{Email: "jo@example.com"})
	require.NoError(t, err)

	key, err := p.EphemeralKey(ctx, id, "2024-06-20")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(key.Secret.Reveal(), "ek_test_"))
	require.WithinDuration(t, fake.Now().Add(time.Hour), key.Expires, time.Minute)
	require.True(t, json.Valid(key.Raw))
	require.NotContains(t, string(key.Raw), key.Secret.Reveal())

	session, err := p.CustomerSession(ctx, id, paymentElement())
	require.NoError(t, err)
	require.NotEmpty(t, session.Secret.Reveal())
	require.NotContains(t, string(session.Raw), session.Secret.Reveal())

	_, err = p.EphemeralKey(ctx, "cus_none", "2024-06-20")
	require.ErrorIs(t, err, setupintent.ErrRefused)
	_, err = p.CustomerSession(ctx, "cus_none", paymentElement())
	require.ErrorIs(t, err, setupintent.ErrRefused)
	_, err = p.CustomerSession(ctx, id, map[string]any{"payment_elephant": true})
	require.ErrorIs(t, err, setupintent.ErrRefused)
}
