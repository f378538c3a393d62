package stripeport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const hookURL = "https://app.example/hooks/stripe"

// endpointJSON is a WebhookEndpoint as Stripe sends it.
func endpointJSON(id string, fields ...string) string {
	events, _ := json.Marshal(stripeport.WebhookEvents())
	return `{"id":"` + id + `","object":"webhook_endpoint","api_version":"2024-06-20","application":null,"created":1700000000,` +
		`"enabled_events":` + string(events) + `,"livemode":false,"metadata":{},"status":"enabled","url":"` + hookURL + `"` +
		strings.Join(append([]string{""}, fields...), ",") + `}`
}

func TestEnsureWebhookEndpoint(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, answer(200, list(false, endpointJSON("we_0", `"url":"`+hookURL+`/"`))), answer(200, endpointJSON("we_1", `"secret":"`+webhookSecret+`"`)))
	e, err := s.provider(t).EnsureWebhookEndpoint(ctx, hookURL, nil)
	require.NoError(t, err)
	require.Equal(t, "we_1", e.ID)
	require.True(t, e.Created)
	require.Equal(t, webhookSecret, e.Secret.Reveal())
	require.NotContains(t, fmt.Sprintf("%+v %#v", e, e), "CANARY")
	require.Equal(t, "/v1/webhook_endpoints?limit=100", s.seen()[0].uri)
	require.Equal(t, "api_version=2024-06-20&description=cardonfile&enabled_events[0]=setup_intent.succeeded&enabled_events[1]=setup_intent.setup_failed&"+
		"enabled_events[2]=setup_intent.canceled&url=https%3A%2F%2Fapp.example%2Fhooks%2Fstripe", s.seen()[1].body)

	// It is on the second page, and is left alone.
	s = serve(t, answer(200, list(true, endpointJSON("we_0", `"url":"https://app.example"`))), answer(200, list(false, endpointJSON("we_1"))))
	e, err = s.provider(t).EnsureWebhookEndpoint(ctx, hookURL, &stripeport.EndpointOptions{Fix: true})
	require.NoError(t, err)
	require.Equal(t, stripeport.Endpoint{ID: "we_1"}, e)
	require.Len(t, s.seen(), 2)

	for name, right := range map[string]string{
		"more events": endpointJSON("we_1", `"enabled_events":["invoice.paid","setup_intent.canceled","setup_intent.succeeded","setup_intent.setup_failed"]`),
		"all events":  endpointJSON("we_1", `"enabled_events":["*"]`),
	} {
		s = serve(t, answer(200, list(false, right)))
		e, err = s.provider(t).EnsureWebhookEndpoint(ctx, hookURL, nil)
		require.NoError(t, err, name)
		require.Equal(t, stripeport.Endpoint{ID: "we_1"}, e, name)
	}

	// One that is wrong does not stand in the way of one that is right.
	s = serve(t, answer(200, list(false, endpointJSON("we_1", `"status":"disabled"`), endpointJSON("we_2"), endpointJSON("we_3", `"api_version":null`))))
	e, err = s.provider(t).EnsureWebhookEndpoint(ctx, hookURL, nil)
	require.NoError(t, err)
	require.Equal(t, "we_2", e.ID)
}

func TestWebhookEndpointMismatch(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, tc := range map[string]struct {
		field string // of the endpoint
		want  string // of the error
		fix   string // of the request that fixes it; empty: it can't be
	}{
		"disabled":       {`"status":"disabled"`, "endpoint we_1 is disabled: enable it", "disabled=false"},
		"missing events": {`"enabled_events":["invoice.paid","setup_intent.canceled"]`, "endpoint we_1 is not sent setup_intent.succeeded, setup_intent.setup_failed: add the events", "disabled=false&enabled_events[0]=invoice.paid&enabled_events[1]=setup_intent.canceled&enabled_events[2]=setup_intent.succeeded&enabled_events[3]=setup_intent.setup_failed"},
		"no events":      {`"enabled_events":null`, "is not sent setup_intent.succeeded", "disabled=false&enabled_events[0]=setup_intent.succeeded&enabled_events[1]=setup_intent.setup_failed&enabled_events[2]=setup_intent.canceled"},
		"version":        {`"api_version":"2025-03-31.basil"`, "endpoint we_1 has API version 2025-03-31.basil, not 2024-06-20: delete it", ""},
		"no version":     {`"api_version":null`, "endpoint we_1 has the API version of the account, not 2024-06-20: delete it", ""},
		"old, disabled":  {`"api_version":"2020-08-27","status":"disabled"`, "delete it", ""},
	} {
		s := serve(t, answer(200, list(false, endpointJSON("we_1", tc.field))))
		p := s.provider(t)
		e, err := p.EnsureWebhookEndpoint(ctx, hookURL, nil)
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, stripeport.Endpoint{ID: "we_1"}, e, name)
		e, err = p.WebhookEndpoint(ctx, hookURL)
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, stripeport.Endpoint{ID: "we_1"}, e, name)
		for _, r := range s.seen() {
			require.Equal(t, http.MethodGet, r.method, name)
		}

		s = serve(t, answer(200, list(false, endpointJSON("we_1", tc.field))), answer(200, endpointJSON("we_1")))
		e, err = s.provider(t).EnsureWebhookEndpoint(ctx, hookURL, &stripeport.EndpointOptions{Fix: true})
		require.Equal(t, stripeport.Endpoint{ID: "we_1"}, e, name)
		if tc.fix == "" {
			require.ErrorContains(t, err, tc.want, name)
			require.Len(t, s.seen(), 1, name)
			continue
		}
		require.NoError(t, err, name)
		require.Len(t, s.seen(), 2, name)
		require.Equal(t, "/v1/webhook_endpoints/we_1", s.seen()[1].uri)
		require.Equal(t, tc.fix, s.seen()[1].body)
	}

	// An endpoint that stays wrong is still reported.
	disabled := endpointJSON("we_1", `"status":"disabled"`)
	s := serve(t, answer(200, list(false, disabled)), answer(200, disabled))
	_, err := s.provider(t).EnsureWebhookEndpoint(ctx, hookURL, &stripeport.EndpointOptions{Fix: true})
	require.ErrorContains(t, err, "is disabled")
}

func TestWebhookEndpointErrors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	fix := &stripeport.EndpointOptions{Fix: true}
	wrong := answer(200, list(false, endpointJSON("we_1", `"status":"disabled"`)))
	for name, script := range map[string][]reply{
		"no rights":           {answer(403, failWith(invalidRequest, ""))},
		"no list":             {answer(200, `{}`)},
		"another list":        {answer(200, list(false, intentJSON()))},
		"refused":             {answer(200, list(false)), answer(400, failWith(invalidRequest, "url_invalid", `"secret":"`+webhookSecret+`"`))},
		"another object":      {answer(200, list(false)), answer(200, intentJSON())},
		"without its secret":  {answer(200, list(false)), answer(200, endpointJSON("we_1"))},
		"garbage":             {answer(200, list(false)), answer(200, endpointJSON("we_1", `"secret":"`+webhookSecret))},
		"code with a secret":  {answer(200, list(false)), answer(400, failWith(invalidRequest, webhookSecret))},
		"not fixed":           {wrong, answer(500, failWith(apiError, ""))},
		"version of any kind": {answer(200, list(false, endpointJSON("we_1", `"api_version":"`+webhookSecret+`"`)))},
	} {
		p := serve(t, script...).provider(t)
		_, err := p.EnsureWebhookEndpoint(ctx, hookURL, fix)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, setupintent.ErrNotFound, name)
		for _, e := range tree(err) {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), "CANARY", name)
		}
		var e *stripeport.Error
		require.ErrorAs(t, err, &e, name)
	}

	s := serve(t, answer(200, list(false)))
	_, err := s.provider(t).WebhookEndpoint(ctx, hookURL)
	require.ErrorIs(t, err, setupintent.ErrNotFound)
	require.Len(t, s.seen(), 1, "it creates nothing")

	p := s.provider(t, func(o *stripeport.Options) { o.Account = "acct_1" })
	_, err = p.EnsureWebhookEndpoint(ctx, hookURL, nil)
	require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
	require.Len(t, s.seen(), 1)
}

func TestWebhookEndpointURL(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(200, list(false)))
	test := s.provider(t)
	live, err := stripeport.New("sk_live_1", &stripeport.Options{HTTPClient: &http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.EOF }),
	}})
	require.NoError(t, err)
	live.SetSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	for _, tc := range []struct {
		url        string
		test, live bool
	}{
		{hookURL, true, true},
		{"https://app.example:8443/a?b=c", true, true},
		{"http://127.0.0.1:8080/hook", true, false},
		{"http://localhost/hook", true, false},
		{"http://app.example/hook", false, false},
		{"ftp://app.example/hook", false, false},
		{"//app.example/hook", false, false},
		{"/hook", false, false},
		{"", false, false},
		{"https://", false, false},
		{"https://jo:PASSWORD@app.example", false, false},
		{"https://jo:PASSWORD@app.example:x", false, false},
		{hookURL + "#x", false, false},
	} {
		for p, ok := range map[*stripeport.Provider]bool{test: tc.test, live: tc.live} {
			_, err := p.WebhookEndpoint(context.Background(), tc.url)
			require.Equal(t, !ok, errorIs(err, setupintent.ErrInvalidRequest), "%s: %v", tc.url, err)
			require.NotContains(t, err.Error(), "PASSWORD")
		}
	}
}

// From nothing to a webhook that is delivered and read.
func TestWebhookEndpointAgainstFake(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)
	var hook atomic.Pointer[stripeport.Webhook]
	var news atomic.Pointer[setupintent.Intent]
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in, err := hook.Load().Parse(r.Header, body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		news.Store(&in)
	}))
	t.Cleanup(app.Close)

	made, err := p.EnsureWebhookEndpoint(ctx, app.URL, nil)
	require.NoError(t, err)
	require.True(t, made.Created)
	w, err := stripeport.NewWebhook([]string{made.Secret.Reveal()}, nil)
	require.NoError(t, err)
	hook.Store(w)
	again, err := p.EnsureWebhookEndpoint(ctx, app.URL, nil)
	require.NoError(t, err)
	require.Equal(t, stripeport.Endpoint{ID: made.ID}, again)
	found, err := p.WebhookEndpoint(ctx, app.URL)
	require.NoError(t, err)
	require.Equal(t, made.ID, found.ID)

	in, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
	require.NoError(t, err)
	require.NoError(t, fake.Resolve(in.ID, stripetest.OutcomeSucceed)) //nolint:contextcheck // the fake's webhooks outlive the call
	require.NoError(t, fake.WaitWebhooks(ctx))
	require.Equal(t, in.ID, news.Load().ID)
	require.Equal(t, setupintent.Succeeded, news.Load().Status)
	for _, d := range fake.Deliveries() {
		require.Equal(t, http.StatusOK, d.Status)
		require.Contains(t, stripeport.WebhookEvents(), d.Type, "no event that nobody needs")
	}

	other, err := fake.AddWebhook(stripetest.Webhook{URL: app.URL + "/other", Events: []string{"invoice.paid"}, APIVersion: "2024-06-20"}) //nolint:contextcheck // the fake's webhooks outlive the call
	require.NoError(t, err)
	_, err = p.EnsureWebhookEndpoint(ctx, app.URL+"/other", nil)
	require.ErrorContains(t, err, "add the events")
	e, err := p.EnsureWebhookEndpoint(ctx, app.URL+"/other", &stripeport.EndpointOptions{Fix: true})
	require.NoError(t, err)
	require.Equal(t, stripeport.Endpoint{ID: other.ID}, e)
	_, err = p.EnsureWebhookEndpoint(ctx, app.URL+"/other", nil)
	require.NoError(t, err)
}
