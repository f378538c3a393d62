package stripetest_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/event"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const whsec = "whsec_0123456789abcdef"

// receiver is an application's endpoint, with no socket.
type receiver struct {
	mu     sync.Mutex
	status int // zero: 200
	got    []received
}

type received struct {
	payload []byte
	header  http.Header
}

func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	payload, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, received{payload, request.Header})
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: request}, nil
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// types verifies what came and returns the types of the events.
func (r *receiver) types(t *testing.T, s *stripetest.Server) []string {
	t.Helper()
	wait(t, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	types := []string{}
	for _, g := range r.got {
		e, err := webhook.ConstructEventWithOptions(g.payload, g.header.Get("Stripe-Signature"), whsec, webhook.ConstructEventOptions{IgnoreTolerance: true})
		require.NoError(t, err)
		types = append(types, string(e.Type))
	}
	return types
}

func wait(t *testing.T, s *stripetest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, s.WaitWebhooks(ctx))
}

// newHooked returns a fake that sends its events to a receiver.
func newHooked(t *testing.T, events ...string) (*stripetest.Server, *receiver) {
	t.Helper()
	r := &receiver{}
	return newFakeWith(t, &stripetest.Options{
		WebhookTransport: r, Webhooks: []stripetest.Webhook{{URL: "http://app.test/webhook", Secret: whsec, Events: events}},
	}), r
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	s, r := newHooked(t)
	intent := post(t, s, intentsOf, card+"&confirm=true&payment_method=pm_card_visa", keyHeader, "k")
	require.Equal(t, []string{"setup_intent.created", "setup_intent.succeeded"}, r.types(t, s))

	first := r.got[0]
	require.Equal(t, "application/json; charset=utf-8", first.header.Get("Content-Type"))
	require.Equal(t, "Stripe/1.0 (+https://stripe.com/docs/webhooks)", first.header.Get("User-Agent"))
	require.Regexp(t, `^t=1718884800,v1=[0-9a-f]{64}$`, first.header.Get("Stripe-Signature"))
	e, err := webhook.ConstructEventWithOptions(first.payload, first.header.Get("Stripe-Signature"), whsec, webhook.ConstructEventOptions{IgnoreTolerance: true})
	require.NoError(t, err)
	require.Equal(t, "2024-06-20", e.APIVersion)
	require.Equal(t, intent.header.Get("Request-Id"), e.Request.ID)
	require.Equal(t, "k", e.Request.IdempotencyKey)
	require.EqualValues(t, 1, e.PendingWebhooks)
	require.Equal(t, intent.str("client_secret"), e.Data.Object["client_secret"], "as Stripe does")
	require.Equal(t, "requires_confirmation", e.Data.Object["status"], "as it was then")

	require.Equal(t, []stripetest.Delivery{
		{Time: noon(), Event: e.ID, Type: "setup_intent.created", Endpoint: s.Deliveries()[0].Endpoint, Attempt: 1, Status: 200},
	}, s.Deliveries()[:1])
	require.EqualValues(t, 0, get(t, s, "/v1/events/"+e.ID).body["pending_webhooks"])
}

func TestRetries(t *testing.T) {
	t.Parallel()
	s, r := newHooked(t)
	r.answer(http.StatusInternalServerError)
	create(t, s, "")
	require.Len(t, r.types(t, s), 1)
	require.Len(t, data(get(t, s, "/v1/events?delivery_success=false")), 1)
	require.Empty(t, data(get(t, s, "/v1/events?delivery_success=true")))
	for i, after := range []time.Duration{5 * time.Minute, 30 * time.Minute, 2 * time.Hour} {
		s.Advance(after - time.Second)
		require.Len(t, r.types(t, s), i+1)
		s.Advance(time.Second)
		require.Len(t, r.types(t, s), i+2)
	}
	require.NotEqual(t, r.got[0].header.Get("Stripe-Signature"), r.got[1].header.Get("Stripe-Signature"), "each is signed anew")
	s.Advance(1000 * time.Hour)
	require.Len(t, r.types(t, s), 4, "and that was all")
	require.Equal(t, 4, s.Deliveries()[3].Attempt)

	r.answer(http.StatusFound)
	create(t, s, "")
	wait(t, s)
	r.answer(http.StatusNoContent)
	s.Advance(5 * time.Minute)
	wait(t, s)
	require.Len(t, data(get(t, s, "/v1/events?delivery_success=true")), 1)
	require.NoError(t, s.Resend(data(get(t, s, "/v1/events?limit=1"))[0]["id"].(string)))
	require.Len(t, r.types(t, s), 7)
}

func TestWebhookModes(t *testing.T) {
	t.Parallel()
	inOrder := []string{"setup_intent.created", "setup_intent.canceled"}
	tests := []struct {
		mode   string
		at     []string // right away
		later  []string // a minute later
		listed int
	}{
		{`{"mode":"deliver"}`, inOrder, inOrder, 2},
		{`{"mode":"drop"}`, []string{}, []string{}, 2},
		{`{"mode":"duplicate"}`, []string{inOrder[0], inOrder[0], inOrder[1], inOrder[1]}, []string{inOrder[0], inOrder[0], inOrder[1], inOrder[1]}, 2},
		{`{"mode":"reorder"}`, []string{}, []string{inOrder[1], inOrder[0]}, 2},
		{`{"mode":"delay","delay_ms":60000}`, []string{}, inOrder, 2},
		{`{"lose":["setup_intent.created"]}`, inOrder[1:], inOrder[1:], 1},
		{`{"lose":["setup_intent.*"]}`, []string{}, []string{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			s, r := newHooked(t)
			require.Equal(t, http.StatusOK, control(t, s, http.MethodPost, "webhooks", tt.mode).status)
			post(t, s, intentsOf+"/"+create(t, s, "").str("id")+"/cancel", "")
			require.Equal(t, tt.at, r.types(t, s))
			s.Advance(time.Minute)
			require.Equal(t, tt.later, r.types(t, s))
			require.Len(t, eventTypes(t, s), tt.listed)
		})
	}
}

func TestControlWebhooks(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	s := newFakeWith(t, &stripetest.Options{WebhookTransport: r})
	got := control(t, s, http.MethodPost, "webhooks", `{"endpoint":{"url":"http://app.test/hook","secret":"`+whsec+`","enabled_events":["setup_intent.canceled"]}}`)
	require.Equal(t, whsec, got.str("endpoint.secret"), got.raw)
	id := create(t, s, "").str("id")
	post(t, s, intentsOf+"/"+id+"/cancel", "")
	got = control(t, s, http.MethodPost, "webhooks/wait", "")
	require.Equal(t, "deliver", got.str("mode"))
	require.Len(t, got.body["deliveries"], 1)
	require.Len(t, got.body["endpoints"], 1)
	require.NotContains(t, got.raw, whsec)
	last := data(get(t, s, "/v1/events?limit=1"))[0]["id"].(string)
	control(t, s, http.MethodPost, "webhooks", `{"resend":"`+last+`"}`)
	require.Equal(t, []string{"setup_intent.canceled", "setup_intent.canceled"}, r.types(t, s))
}

func TestWebhookEndpoints(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	s := newFakeWith(t, &stripetest.Options{WebhookTransport: r})
	const endpoints = "/v1/webhook_endpoints"
	made := post(t, s, endpoints, "url=https://app.test/hook&enabled_events[]=setup_intent.created&enabled_events[]=setup_intent.canceled&description=d&metadata[a]=b&api_version=2023-10-16")
	require.Equal(t, http.StatusOK, made.status, made.raw)
	require.Regexp(t, `^whsec_[0-9A-Za-z]{32}$`, made.str("secret"))
	require.Equal(t, "enabled", made.str("status"))
	path := endpoints + "/" + made.str("id")
	require.Nil(t, get(t, s, path).body["secret"], "the secret is shown once")
	require.Equal(t, []string{made.str("id")}, ids(get(t, s, endpoints)))

	create(t, s, "")
	wait(t, s)
	require.Contains(t, string(r.got[0].payload), `"api_version":"2023-10-16"`)

	got := post(t, s, path, "enabled_events[]=customer.created&url=https://app.test/other&metadata[a]=&description=")
	require.Equal(t, []any{"customer.created"}, got.body["enabled_events"])
	require.Equal(t, "https://app.test/other", got.str("url"))
	require.Nil(t, got.body["description"])
	require.Equal(t, "disabled", post(t, s, path, "disabled=true").str("status"))
	post(t, s, "/v1/customers", "")
	require.Equal(t, "enabled", post(t, s, path, "disabled=false").str("status"))
	post(t, s, "/v1/customers", "")
	wait(t, s)
	require.Len(t, s.Deliveries(), 2)

	r.answer(http.StatusInternalServerError)
	post(t, s, "/v1/customers", "")
	wait(t, s)
	gone := send(t, s, http.MethodDelete, path, secret, "")
	require.Equal(t, map[string]any{"id": made.str("id"), "object": "webhook_endpoint", "deleted": true}, gone.body)
	s.Advance(time.Hour)
	wait(t, s)
	require.Len(t, s.Deliveries(), 3, "nobody is left to retry for")
	require.Equal(t, http.StatusNotFound, get(t, s, path).status)
	require.Empty(t, ids(get(t, s, endpoints)))

	for body, message := range map[string]string{
		"url=https://x":                            "Missing required param: enabled_events.",
		"enabled_events[]=*":                       "Missing required param: url.",
		"enabled_events[]=*&url=app.test":          "Invalid URL: An explicit scheme (such as https) must be provided.",
		"enabled_events[]=foo&url=https://x":       "Invalid enabled_events[0]: foo is not a type of event.",
		"enabled_events[]=*&url=x&api_version=now": "Invalid URL: An explicit scheme (such as https) must be provided.",
	} {
		require.Equal(t, message, post(t, s, endpoints, body).str("error.message"), body)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	create(t, s, "")
	s.Advance(time.Hour)
	intent := create(t, s, "&confirm=true&payment_method=pm_card_visa")
	list := func(query string) []string {
		types := []string{}
		for _, e := range data(get(t, s, "/v1/events?"+query)) {
			types = append(types, e["type"].(string))
		}
		return types
	}
	require.Equal(t, []string{"setup_intent.succeeded", "setup_intent.created", "setup_intent.created"}, list(""))
	require.Equal(t, []string{"setup_intent.succeeded"}, list("type=setup_intent.succeeded"))
	require.Len(t, list("type=setup_intent.*"), 3)
	require.Len(t, list("types[]=setup_intent.succeeded&types[]=setup_intent.created"), 3)
	require.Len(t, list("created[gt]=1718884800"), 2)
	require.Len(t, list("delivery_success=true"), 3)
	require.Equal(t, "parameters_exclusive", get(t, s, "/v1/events?type=a.b&types[]=c.d").str("error.code"))
	require.Equal(t, "No such event: 'evt_x'", get(t, s, "/v1/events/evt_x").str("error.message"))
	s.Advance(30 * 24 * time.Hour)
	require.Len(t, list(""), 2, "for thirty days")

	events := event.Client{B: backend(s), Key: secret}
	it := events.List(&stripe.EventListParams{Type: stripe.String("setup_intent.succeeded")})
	require.True(t, it.Next())
	require.Equal(t, intent.str("id"), it.Event().Data.Object["id"])
	got, err := events.Get(it.Event().ID, nil)
	require.NoError(t, err)
	require.Equal(t, it.Event().ID, got.ID)
}

func TestWaitWebhooksGivesUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newFakeWith(t, &stripetest.Options{
		Webhooks:         []stripetest.Webhook{{URL: "http://app.test"}},
		WebhookTransport: roundTrip(func(r *http.Request) (*http.Response, error) { <-release; return nil, io.ErrUnexpectedEOF }),
		RetrySchedule:    []time.Duration{},
	})
	create(t, s, "")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.WaitWebhooks(ctx), context.DeadlineExceeded)
	close(release)
	wait(t, s)
	require.Equal(t, 0, s.Deliveries()[0].Status)
	require.Equal(t, "unexpected EOF", s.Deliveries()[0].Error)
	s.Advance(1000 * time.Hour)
	wait(t, s)
	require.Len(t, s.Deliveries(), 1, "the schedule has no retries")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestEndpointsOfTheOptionsOutliveReset(t *testing.T) {
	t.Parallel()
	s, r := newHooked(t)
	s.Reset()
	create(t, s, "")
	require.Equal(t, []string{"setup_intent.created"}, r.types(t, s))
	for _, bad := range []stripetest.Webhook{{URL: "x"}, {URL: "http://app.test", Events: []string{"setup_intent.*", "foo"}}} {
		_, err := s.AddWebhook(bad)
		require.Error(t, err)
	}
}
