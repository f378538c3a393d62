package stripetest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/setupintent"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestFaultAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  stripetest.Fault
		status int
		check  func(*testing.T, reply)
	}{
		{"500", stripetest.Fault{}, 500, func(t *testing.T, r reply) {
			require.Equal(t, "An unknown error occurred", r.str("error.message"))
			require.Equal(t, "api_error", r.str("error.type"))
		}},
		{"rate limit", stripetest.Fault{Status: 429}, 429, func(t *testing.T, r reply) {
			require.Equal(t, "rate_limit", r.str("error.code"))
			require.Equal(t, "invalid_request_error", r.str("error.type"))
			require.Equal(t, "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.", r.str("error.message"))
		}},
		{"lock timeout", stripetest.Fault{Status: 429, Code: "lock_timeout"}, 429, func(t *testing.T, r reply) {
			require.Equal(t, "lock_timeout", r.str("error.code"))
			require.Contains(t, r.str("error.message"), "This object cannot be accessed right now")
		}},
		{"declined", stripetest.Fault{Status: 402, Code: "card_declined"}, 402, func(t *testing.T, r reply) {
			require.Equal(t, "card_error", r.str("error.type"))
			require.Equal(t, "card_declined", r.str("error.code"))
			require.Equal(t, "generic_decline", r.str("error.decline_code"))
			require.Equal(t, "Your card was declined.", r.str("error.message"))
		}},
		{"declined with a reason", stripetest.Fault{Status: 402, Code: "insufficient_funds"}, 402, func(t *testing.T, r reply) {
			require.Equal(t, "card_declined", r.str("error.code"))
			require.Equal(t, "insufficient_funds", r.str("error.decline_code"))
			require.Equal(t, "Your card has insufficient funds.", r.str("error.message"))
		}},
		{"402", stripetest.Fault{Status: 402, Message: "No."}, 402, func(t *testing.T, r reply) {
			require.Equal(t, "card_error", r.str("error.type"))
			require.Equal(t, "card_declined", r.str("error.code"))
			require.Equal(t, "No.", r.str("error.message"))
		}},
		{"key in use", stripetest.Fault{Status: 409, Code: "idempotency_key_in_use"}, 409, func(t *testing.T, r reply) {
			require.Equal(t, "invalid_request_error", r.str("error.type"))
			require.Equal(t, "idempotency_key_in_use", r.str("error.code"))
			require.Equal(t, "There is currently another in-progress request using this Idempotent Key"+
				" (that probably means you submitted twice, and the other request is still going through): k. Please try again later.", r.str("error.message"))
		}},
		{"own words", stripetest.Fault{Status: 400, Code: "x_y", Message: "No."}, 400, func(t *testing.T, r reply) {
			require.Equal(t, "No.", r.str("error.message"))
			require.Equal(t, "https://stripe.com/docs/error-codes/x-y", r.str("error.doc_url"))
		}},
		{"html", stripetest.Fault{Kind: stripetest.FaultHTML}, 502, func(t *testing.T, r reply) {
			require.Contains(t, r.raw, "<h1>502 Bad Gateway</h1>")
			require.Contains(t, r.header.Get("Content-Type"), "text/html")
		}},
		{"malformed before", stripetest.Fault{Kind: stripetest.FaultMalformed}, 200, func(t *testing.T, r reply) {
			require.Nil(t, r.body)
			require.Contains(t, r.raw, "seti_")
		}},
		{"malformed after", stripetest.Fault{Kind: stripetest.FaultMalformed, After: true}, 200, func(t *testing.T, r reply) {
			require.Nil(t, r.body)
			require.Contains(t, r.raw, `"object":"setup_intent"`)
		}},
		{"own body", stripetest.Fault{Status: 503, Body: "down"}, 503, func(t *testing.T, r reply) { require.Equal(t, "down", r.raw) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			require.NoError(t, s.Inject(tt.fault))
			got := post(t, s, intentsOf, card, keyHeader, "k")
			require.Equal(t, tt.status, got.status)
			tt.check(t, got)
			require.NotEmpty(t, got.header.Get("Request-Id"))
			wantMade := 0
			if tt.fault.After {
				wantMade = 1
			}
			require.Len(t, s.SetupIntents(), wantMade)
		})
	}
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		s := stripetest.NewServer(t, nil)
		require.NoError(t, s.Inject(stripetest.Fault{Route: "POST " + intentsOf, Kind: stripetest.FaultClose, After: after, Count: 1}))
		client := setupintent.Client{Key: secret, B: stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
			URL: &s.URL, MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{},
			HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		})}
		params := &stripe.SetupIntentParams{}
		params.SetIdempotencyKey("k")
		_, err := client.New(params)
		require.ErrorContains(t, err, "EOF")
		made := len(s.SetupIntents())
		require.Equal(t, after, made == 1)
		si, err := client.New(params)
		require.NoError(t, err)
		require.Equal(t, after, si.LastResponse.Header.Get("Idempotent-Replayed") == "true")
		require.Len(t, s.SetupIntents(), 1)
	}
}

func TestLateExecution(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	require.NoError(t, s.Inject(stripetest.Fault{Kind: stripetest.FaultLate, Delay: 5 * time.Minute, Count: 1}))
	_, err := try(s, http.MethodPost, intentsOf, secret, card, keyHeader, "k")
	require.Error(t, err)
	s.Advance(5*time.Minute - 1)
	require.Empty(t, s.SetupIntents())
	s.Advance(1)
	require.Len(t, s.SetupIntents(), 1)
	require.True(t, replayed(post(t, s, intentsOf, card, keyHeader, "k")))

	// If a second try comes first, the late one has no effect of its own.
	require.NoError(t, s.Inject(stripetest.Fault{Kind: stripetest.FaultLate, Delay: time.Minute, Count: 1}))
	_, err = try(s, http.MethodPost, intentsOf, secret, card, keyHeader, "k2")
	require.Error(t, err)
	require.False(t, replayed(post(t, s, intentsOf, card, keyHeader, "k2")))
	s.Advance(time.Minute)
	require.Len(t, s.SetupIntents(), 2)
}

func TestHanging(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	require.NoError(t, s.Inject(stripetest.Fault{Kind: stripetest.FaultHang, After: true, Count: 1}))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	r := httptest.NewRequest(http.MethodPost, "http://stripe.test"+intentsOf, http.NoBody).WithContext(ctx)
	r.RequestURI = ""
	r.Header.Set("Authorization", "Bearer "+secret)
	_, err := s.Client().Do(r) //nolint:bodyclose // there is no response
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Eventually(t, func() bool { return len(s.SetupIntents()) == 1 }, 30*time.Second, time.Millisecond)
}

func TestWhichCallsAFaultHits(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	require.NoError(t, s.Inject(
		stripetest.Fault{Route: "POST " + intentsOf, Skip: 1, Count: 2, Status: 503},
		stripetest.Fault{Route: "GET /v1/setup_intents/:id", Duration: time.Minute},
	))
	statuses := []int{}
	for range 5 {
		statuses = append(statuses, post(t, s, intentsOf, card).status)
	}
	require.Equal(t, []int{200, 503, 503, 200, 200}, statuses)

	id := create(t, s, "").str("id")
	require.Equal(t, 500, get(t, s, intentsOf+"/"+id).status)
	require.Equal(t, 200, get(t, s, intentsOf).status, "another route")
	s.Advance(59 * time.Second)
	require.Equal(t, 500, get(t, s, intentsOf+"/"+id).status)
	s.Advance(time.Second)
	require.Equal(t, 200, get(t, s, intentsOf+"/"+id).status)

	require.NoError(t, s.Inject(stripetest.Fault{}))
	require.Equal(t, 401, send(t, s, http.MethodGet, intentsOf, "sk_test_wrong", "").status, "who may not call gets no further")
	s.ClearFaults()
	require.Equal(t, 200, get(t, s, intentsOf).status)
}

func TestRoutesOfFaults(t *testing.T) {
	t.Parallel()
	for route, want := range map[string][3]int{
		"":                                   {500, 500, 500},
		"POST":                               {500, 200, 200},
		"get":                                {200, 500, 500},
		"/v1/setup_intents":                  {500, 500, 200},
		"GET /v1/setup_intents":              {200, 500, 200},
		"GET /v1/setup_intents/:id":          {200, 200, 500},
		"GET /v1/setup_intents/seti_whoever": {200, 200, 500},
	} {
		s := newFake(t)
		id := create(t, s, "").str("id")
		require.NoError(t, s.Inject(stripetest.Fault{Route: route}))
		require.Equal(t, want, [3]int{post(t, s, intentsOf, card).status, get(t, s, intentsOf).status, get(t, s, intentsOf+"/"+id).status}, route)
	}
	s := newFake(t)
	require.Error(t, s.SetLatency("POST /v1/foo", time.Hour))
	require.NoError(t, s.SetLatency("POST", time.Hour))
	require.NoError(t, s.SetLatency("POST /v1/setup_intents", 0))
	create(t, s, "")
}

// A replay does not run, so a stored fault waits for a call that does.
func TestAStoredFaultIsNotSpentOnReplays(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	post(t, s, intentsOf, card, keyHeader, "k")
	require.NoError(t, s.Inject(stripetest.Fault{Stored: true, Count: 1}))
	require.Equal(t, 200, post(t, s, intentsOf, card, keyHeader, "k").status)
	require.Equal(t, 500, post(t, s, intentsOf, card, keyHeader, "k2").status)
	require.Equal(t, 200, post(t, s, intentsOf, card, keyHeader, "k3").status)
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for _, f := range []stripetest.Fault{
		{Kind: "gold"}, {Route: "POST /v1/setup_intent"}, {Route: "PUT"}, {Status: 99}, {Status: 600}, {Count: -1}, {Kind: stripetest.FaultClose, Stored: true},
	} {
		require.Error(t, s.Inject(f))
	}
}

func TestLatencyIsOverWhenTheServerCloses(t *testing.T) {
	t.Parallel()
	s, err := stripetest.New(nil)
	require.NoError(t, err)
	require.NoError(t, s.SetLatency("", time.Hour))
	done := make(chan error, 1)
	go func() {
		_, err := try(s, http.MethodPost, intentsOf, secret, card)
		done <- err
	}()
	require.NoError(t, s.Close())
	require.NoError(t, <-done)
}
