package wooshport_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

const (
	webhookSecret = "whsec_CANARYvT3kZr9QmB2xLw8YpN5sHd7J"
	oldSecret     = "c2tfdGVzdF9DQU5BUlk6Q0FOQVJZQ0FOQVJZ" // the sample of the document has no whsec_
)

func newWebhook(t testing.TB, opts *wooshport.WebhookOptions) *wooshport.Webhook {
	t.Helper()
	if opts == nil {
		opts = &wooshport.WebhookOptions{Now: time1700}
	}
	w, err := wooshport.NewWebhook([]string{oldSecret, webhookSecret}, opts)
	require.NoError(t, err)
	return w
}

// mac signs as WooshPay does.
func mac(secret, at, body string) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, at+"."+body)
	return hex.EncodeToString(h.Sum(nil))
}

func signature(line string) http.Header { return http.Header{"Wooshpay-Signature": {line}} }

// signed is the header of a body that was signed at time1700.
func signed(body string) http.Header {
	return signature("t=1700000000,v1=" + mac(webhookSecret, "1700000000", body))
}

// event is an event as WooshPay sends it; fields come last, so that they replace.
func event(typ, object string, fields ...string) string {
	return `{"id":"evt_1953045921369423872","object":"event","created":1754477408000,"livemode":false,"data":{"object":` + object + `},"type":"` + typ + `"` +
		strings.Join(append([]string{""}, fields...), ",") + `}`
}

func TestNewWebhook(t *testing.T) {
	t.Parallel()
	for name, secrets := range map[string][]string{
		"none":         {},
		"empty":        {""},
		"second empty": {webhookSecret, ""},
		"short":        {"whsec_CANARY123"},
		"newline":      {webhookSecret + "\n"},
		"not ASCII":    {webhookSecret + "é"},
		"API key":      {"sk_test_CANARYCANARY"},
	} {
		w, err := wooshport.NewWebhook(secrets, nil)
		require.ErrorContains(t, err, "wooshport: ", name)
		require.Nil(t, w, name)
		require.NotContains(t, err.Error(), "CANARY", name)
	}
	for _, tolerance := range []time.Duration{-1, time.Millisecond} {
		_, err := wooshport.NewWebhook([]string{webhookSecret}, &wooshport.WebhookOptions{Tolerance: tolerance})
		require.Error(t, err)
	}
	for _, v := range []any{newWebhook(t, nil), *newWebhook(t, nil)} {
		for _, text := range every(v) {
			require.NotContains(t, text, "CANARY")
			require.NotContains(t, text, oldSecret)
		}
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	body := event("setup_intent.succeeded", intentJSON())
	const now = 1_700_000_000
	at := func(seconds int64) string { // signed then
		s := strconv.FormatInt(seconds, 10)
		return "t=" + s + ",v1=" + mac(webhookSecret, s, body)
	}
	right := mac(webhookSecret, "1700000000", body)
	w := newWebhook(t, nil)
	for name, tc := range map[string]struct {
		header http.Header
		ok     bool
	}{
		"right":                 {signature(at(now)), true},
		"by the other secret":   {signature("t=1700000000,v1=" + mac(oldSecret, "1700000000", body)), true},
		"two, the second right": {signature("t=1700000000,v1=00,v1=" + right), true},
		"another scheme beside": {signature("t=1700000000,v0=x,v1=" + right), true},
		"almost too old":        {signature(at(now - 300)), true},
		"almost too new":        {signature(at(now + 300)), true},
		"too old":               {signature(at(now - 301)), false},
		"too new":               {signature(at(now + 301)), false},
		"milliseconds":          {signature(at(now * 1000)), false},
		"none":                  {http.Header{}, false},
		"empty":                 {signature(""), false},
		"garbage":               {signature("garbage"), false},
		"no time":               {signature("v1=" + right), false},
		"two times":             {signature("t=1700000000,t=1700000000,v1=" + right), false},
		"no v1":                 {signature("t=1700000000,v0=" + right), false},
		"upper case":            {signature("t=1700000000,v1=" + strings.ToUpper(right)), false},
		"white space":           {signature("t=1700000000, v1=" + right), false},
		"two headers":           {http.Header{"Wooshpay-Signature": {at(now), at(now)}}, false},
		"Stripe's header":       {http.Header{"Stripe-Signature": {at(now)}}, false},
		"another secret":        {signature("t=1700000000,v1=" + mac("whsec_somebody_elses", "1700000000", body)), false},
		"of the body alone":     {signature("t=1700000000,v1=" + mac(webhookSecret, "", body)), false},
	} {
		in, err := w.Parse(tc.header, []byte(body))
		if tc.ok {
			require.NoError(t, err, name)
			require.Equal(t, intent, in.ID, name)
			continue
		}
		require.ErrorIs(t, err, setupintent.ErrUnverified, name)
		require.Equal(t, setupintent.Intent{}, in, name)
	}
	_, err := w.Parse(signed(body), []byte(body+" "))
	require.ErrorIs(t, err, setupintent.ErrUnverified, "another body")
}

func TestParse(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, nil)
	parse := func(body string) (setupintent.Intent, error) { return w.Parse(signed(body), []byte(body)) }

	in, err := parse(event("setup_intent.succeeded", intentJSON(
		`"status":"succeeded"`, `"customer":"cus_1"`, `"payment_method":"pm_1"`, `"latest_attempt":"setatt_1"`, `"livemode":true`, `"metadata":{"a":"1"}`)))
	require.NoError(t, err)
	require.Equal(t, setupintent.Intent{
		ID: intent, Status: setupintent.Succeeded, Customer: "cus_1", PaymentMethod: "pm_1", LatestAttempt: "setatt_1",
		Live: true, Metadata: map[string]string{"a": "1"}, Created: time.UnixMilli(1754650104000).UTC(),
	}, in, "no secret, and no Raw")

	id := setupintent.Intent{ID: intent}
	for name, tc := range map[string]struct {
		body string
		want setupintent.Intent
	}{
		"status to come":     {event("setup_intent.succeeded", intentJSON(`"status":""`)), id},
		"without a customer": {event("setup_intent.succeeded", strings.Replace(intentJSON(), `"customer":null,`, "", 1)), id},
		"without a mode":     {event("setup_intent.succeeded", strings.Replace(intentJSON(), `"livemode":false,`, "", 1)), id},
		"a type to come":     {event("setup_intent.reviewed", `{"id":"`+intent+`","object":"setup_intent"}`), id},
		"another object":     {event("payment_intent.succeeded", `{"id":"pi_1","object":"payment_intent"}`), setupintent.Intent{}},
		"nothing but a type": {`{"type":"ping"}`, setupintent.Intent{}},
		"almost ours":        {event("setup_intents.succeeded", intentJSON()), setupintent.Intent{}},
		"another shape":      {`{"type":"x.y","data":[1]}`, setupintent.Intent{}},
	} {
		in, err := parse(tc.body)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, in, name)
	}
	for name, body := range map[string]string{
		"empty":          "",
		"null":           "null",
		"array":          "[]",
		"no JSON":        "t=1",
		"cut":            event("setup_intent.succeeded", intentJSON())[:200],
		"no type":        `{"id":"evt_1"}`,
		"number as type": `{"type":5}`,
		"no data":        `{"type":"setup_intent.succeeded"}`,
		"text as data":   `{"type":"setup_intent.succeeded","data":"x"}`,
		"null object":    `{"type":"setup_intent.succeeded","data":{"object":null}}`,
		"wrong object":   event("setup_intent.succeeded", `{"id":"pi_1","object":"payment_intent"}`),
		"no id":          event("setup_intent.succeeded", `{"object":"setup_intent"}`),
		"secret as id":   event("setup_intent.succeeded", intentJSON(`"id":"`+canary+`"`)),
		"deep":           strings.Repeat(`{"type":`, 20000),
	} {
		in, err := parse(body)
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, name)
		require.NotContains(t, err.Error(), "CANARY", name)
		require.Equal(t, setupintent.Intent{}, in, name)
	}
}

// What the fake sends is read, and says the same as the intent that is fetched.
func TestWebhooksOfFake(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := newFake(t, false, nil)
	w, err := wooshport.NewWebhook([]string{webhookSecret}, nil)
	require.NoError(t, err)
	var mu sync.Mutex
	var got []setupintent.Intent
	var types []string
	var created []int64
	var errs []error
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		news, err := w.Parse(r.Header, body)
		var e struct {
			Type    string `json:"type"`
			Created int64  `json:"created"`
		}
		err = errors.Join(err, json.Unmarshal(body, &e))
		mu.Lock()
		defer mu.Unlock()
		got, types, created, errs = append(got, news), append(types, e.Type), append(created, e.Created), append(errs, err)
	}))
	t.Cleanup(app.Close)
	_, err = fake.AddWebhook(stripetest.Webhook{URL: app.URL, Secret: webhookSecret, WooshPay: true}) //nolint:contextcheck // the fake's webhooks outlive the call
	require.NoError(t, err)

	made, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k", Metadata: map[string]string{"row": "1"}})
	require.NoError(t, err)
	for _, outcome := range []stripetest.Outcome{"insufficient_funds", stripetest.OutcomeChallenge, stripetest.OutcomeSucceed} {
		require.NoError(t, fake.Resolve(made.ID, outcome)) //nolint:contextcheck // the fake's webhooks outlive the call
	}
	require.NoError(t, fake.WaitWebhooks(ctx))
	mu.Lock()
	defer mu.Unlock()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, wooshport.WebhookEvents(), types, "no others are documented")
	require.WithinDuration(t, fake.Now(), time.UnixMilli(created[0]), time.Minute)
	require.Equal(t, made.ID, got[0].ID)
	require.Equal(t, map[string]string{"row": "1"}, got[0].Metadata)
	now, err := p.GetIntent(ctx, made.ID)
	require.NoError(t, err)
	now.ClientSecret, now.Raw = setupintent.ClientSecret{}, nil
	require.Equal(t, now, got[1])
}
