package stripeport_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

func time1700() time.Time { return time.Unix(1700000000, 0).UTC() }

// How often each answer is asked for again; the rows are those measured of
// stripe-go, which asks again for a 400 that is no error object.
func TestRetryCounts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		reply    reply
		attempts int
	}{
		{"400", answer(400, failWith(invalidRequest, "")), 1},
		{"401", answer(401, failWith(invalidRequest, "")), 1},
		{"402", answer(402, failWith(cardError, "card_declined")), 1},
		{"404", answer(404, failWith(invalidRequest, "resource_missing")), 1},
		{"409 in use", answer(409, failWith(invalidRequest, "idempotency_key_in_use")), 3},
		{"409, told not to", answer(409, failWith(invalidRequest, ""), "Stripe-Should-Retry", "false"), 1},
		{"429 rate limit", answer(429, failWith(invalidRequest, "rate_limit")), 1},
		{"429 rate limit, told to", answer(429, failWith(invalidRequest, "rate_limit"), "Stripe-Should-Retry", "true"), 3},
		{"429 lock timeout", answer(429, failWith(invalidRequest, "lock_timeout")), 3},
		{"500", answer(500, failWith(apiError, "")), 3},
		{"500, told not to", answer(500, failWith(apiError, ""), "Stripe-Should-Retry", "false"), 1},
		{"500 stored", answer(500, failWith(apiError, ""), "Idempotent-Replayed", "true"), 1},
		{"502 HTML", answer(502, "<html>", "Content-Type", "text/html"), 3},
		{"400 HTML", answer(400, "<html>", "Content-Type", "text/html"), 1},
		{"400 without an error", answer(400, `{"message":"x"}`), 1},
		{"200 empty", answer(200, ""), 1},
		{"200 HTML", answer(200, "<html>"), 1},
		{"302", answer(302, "", "Location", "/v1/setup_intents"), 1},
		{"307", answer(307, "", "Location", "/v1/setup_intents"), 1},
		{"dropped", hangUp, 3},
		{"cut", answer(200, intentJSON(), "Content-Length", "5000"), 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tc.reply)
			_, err := s.provider(t).CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
			require.Error(t, err)
			require.Len(t, s.seen(), tc.attempts)
		})
	}
}

// A sweeper counts its calls and makes them again itself: of each, one request is
// sent.
func TestNoRetriesInBackground(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(200, intentJSON()), answer(500, failWith(apiError, "")))
	now := time.Now()
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := setupintent.New(rows, s.provider(t), &setupintent.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	_, err = svc.Begin(context.Background(), "42", nil)
	require.NoError(t, err)
	now = now.Add(time.Hour)
	report, err := svc.Sweep(context.Background(), rows, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Failed)
	require.Len(t, s.seen(), 2)
	_, err = svc.Activate(context.Background(), "42", "seti_1Abc")
	require.Error(t, err)
	require.Len(t, s.seen(), 2+3, "somebody waits for this one")
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	// Nobody listens there; a free port could be another test's by now.
	p, err := stripeport.New(testKey, &stripeport.Options{BaseURL: "http://127.0.0.1:1"})
	require.NoError(t, err)
	sleeps := 0
	p.SetSleep(func(context.Context, time.Duration) error { sleeps++; return nil })
	_, err = p.GetIntent(context.Background(), "seti_1Abc")
	var e *stripeport.Error
	require.ErrorAs(t, err, &e)
	require.Zero(t, e.HTTPStatus)
	require.Equal(t, "dial: connection refused", e.Message)
	require.Equal(t, 2, sleeps)
}

// All attempts of one call carry one key, and two calls never the same.
func TestOneKeyPerCall(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(500, failWith(apiError, "")))
	p := s.provider(t)
	keys := map[string]int{}
	for _, call := range allCalls(p, "seti_1Abc") {
		n := len(s.seen())
		_, err := call(context.Background())
		require.Error(t, err)
		for _, r := range s.seen()[n:] {
			key := r.header.Get("Idempotency-Key")
			require.Equal(t, r.method == http.MethodPost, key != "", "%s %s", r.method, r.uri)
			if key != "" {
				keys[key]++
			}
		}
	}
	require.Len(t, keys, 8)
	for key, n := range keys {
		require.Equal(t, 3, n)
		require.True(t, key == "k" || key == "customer" || len(key) == 32, key)
	}

	n := len(s.seen())
	_, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{})
	require.Error(t, err)
	require.Len(t, s.seen()[n].header.Get("Idempotency-Key"), 32, "an empty key is drawn")
}

// A key that would not arrive as it is is not sent.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := serve(t, ok())
	p := s.provider(t)
	long := make([]byte, 256)
	for i := range long {
		long[i] = 'k'
	}
	for _, key := range []string{" k", "k ", "a b", "k\n", "k\r\nX: y", "\x00", "é", string(long)} {
		_, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: key})
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, "%q", key)
		_, err = p.ConfirmIntent(context.Background(), "seti_1Abc", stripeport.ConfirmRequest{Key: key})
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, "%q", key)
	}
	require.Empty(t, s.seen())
	_, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: string(long[:255])})
	require.NoError(t, err)
	require.Equal(t, string(long[:255]), s.seen()[0].header.Get("Idempotency-Key"))
}

func TestDelays(t *testing.T) {
	t.Parallel()
	for range 1000 {
		first, second := stripeport.Delay(0), stripeport.Delay(1)
		require.True(t, 250*time.Millisecond <= first && first < 500*time.Millisecond, first)
		require.True(t, 500*time.Millisecond <= second && second < time.Second, second)
	}
}

// Stripe-go's own pause ignores the context.
func TestContextEndsThePause(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reply reply
		want  error
	}{
		"unknown":   {answer(500, failWith(apiError, "")), nil},
		"throttled": {answer(429, failWith(invalidRequest, "lock_timeout")), setupintent.ErrThrottled},
	} {
		s := serve(t, tc.reply)
		p, err := stripeport.New(testKey, &stripeport.Options{BaseURL: s.URL}) // with the real pause
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		p.SetSleep(func(ctx context.Context, d time.Duration) error {
			cancel()
			return stripeport.Sleep(ctx, time.Hour)
		})
		_, err = p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
		require.ErrorIs(t, err, context.Canceled, name)
		if tc.want != nil {
			require.ErrorIs(t, err, tc.want, name)
		}
		require.Len(t, s.seen(), 1)
		var e *stripeport.Error
		require.ErrorAs(t, err, &e)
		require.NotZero(t, e.HTTPStatus, "what Stripe answered is still told")
	}
	require.NoError(t, stripeport.Sleep(context.Background(), 0))
}

// A deadline that passes while an answer is awaited is the context's error, and
// an attempt that hangs is given up for the next.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	sends := 0
	var hang int // attempts that hang
	p, err := stripeport.New(testKey, &stripeport.Options{HTTPClient: &http.Client{
		Timeout: time.Millisecond,
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if sends++; sends <= hang {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return &http.Response{StatusCode: http.StatusBadRequest, Body: io.NopCloser(strings.NewReader(failWith(invalidRequest, "")))}, nil
		}),
	}})
	require.NoError(t, err)
	p.SetSleep(func(context.Context, time.Duration) error { return nil })

	hang = 1
	_, err = p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
	require.EqualError(t, err, "stripeport: create: HTTP 400 invalid_request_error", "a timeout, then a 400, is not refused")
	require.Equal(t, 2, sends)

	hang, sends = 9, 0
	_, err = p.GetIntent(context.Background(), "seti_1Abc")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 3, sends)

	sends = 0
	ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond)
	defer cancel()
	_, err = p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.LessOrEqual(t, sends, 1)
}

// NotAfter is compared before every send, on wall clocks.
func TestNotAfter(t *testing.T) {
	t.Parallel()
	now := new(atomic.Pointer[time.Time])
	set := func(at time.Time) { now.Store(&at) }
	clock := func(o *stripeport.Options) { o.Now = func() time.Time { return *now.Load() } }
	req := setupintent.IntentRequest{Key: "k", NotAfter: time1700()}

	s := serve(t, ok())
	p := s.provider(t, clock)
	set(time1700().Add(time.Nanosecond))
	_, err := p.CreateIntent(context.Background(), req)
	var e *stripeport.Error
	require.ErrorAs(t, err, &e)
	require.Empty(t, e.Unwrap(), "it leaves the effect open")
	require.Equal(t, "stripeport: create: not sent: it is later than NotAfter", err.Error())
	require.Empty(t, s.seen())

	set(time1700())
	_, err = p.CreateIntent(context.Background(), req)
	require.NoError(t, err)
	_, err = p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
	require.NoError(t, err, "zero is no bound")

	for name, tc := range map[string]struct {
		reply reply
		want  error
	}{
		"unknown":   {answer(500, failWith(apiError, "")), nil},
		"throttled": {answer(429, failWith(invalidRequest, "lock_timeout")), setupintent.ErrThrottled},
	} {
		s := serve(t, tc.reply)
		p := s.provider(t, clock)
		set(time1700())
		p.SetSleep(func(_ context.Context, d time.Duration) error { set(time1700().Add(d)); return nil })
		_, err := p.CreateIntent(context.Background(), req)
		require.ErrorAs(t, err, &e, name)
		require.Len(t, s.seen(), 1, name)
		require.NotZero(t, e.HTTPStatus, "%s: the last answer is told", name)
		if tc.want != nil {
			require.ErrorIs(t, err, tc.want, name)
		} else {
			require.Empty(t, e.Unwrap(), name)
		}
	}
}

// Net/http sends a POST with an Idempotency-Key twice by itself, if it finds a
// reused connection dead. It must not: nobody would count the first.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, ok(), hangUp, answer(400, failWith(invalidRequest, "")))
	p := s.provider(t)
	_, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "first"})
	require.NoError(t, err)
	_, err = p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "second"})
	require.Error(t, err)
	require.NotErrorIs(t, err, setupintent.ErrRefused)
	require.Len(t, s.seen(), 3)
	require.Equal(t, "second", s.seen()[1].header.Get("Idempotency-Key"))
	require.Equal(t, "second", s.seen()[2].header.Get("Idempotency-Key"))

	// The control: what net/http does if it is left to.
	s = serve(t, ok(), hangUp, ok())
	post := func() {
		req, err := http.NewRequest(http.MethodPost, s.URL, nil)
		require.NoError(t, err)
		req.Header.Set("Idempotency-Key", "k")
		res, err := s.Client().Do(req)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	post()
	post()
	require.Len(t, s.seen(), 3)
}

// The same over HTTP/2, which Stripe speaks.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	var protocol atomic.Value
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		ok()(w, r)
	}))
	ts.EnableHTTP2 = true
	ts.StartTLS()
	t.Cleanup(ts.Close)
	p, err := stripeport.New(testKey, &stripeport.Options{BaseURL: ts.URL, HTTPClient: ts.Client()})
	require.NoError(t, err)
	for name, call := range calls(p, "seti_1Abc") {
		_, err := call(context.Background())
		require.Equal(t, name == "list", err != nil, name)
		require.Equal(t, "HTTP/2.0", protocol.Load())
	}
}
