package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

type parse = func(http.Header, []byte) (setupintent.Intent, error)

// news is a webhook about the intent, or one that parse fails on.
func (b *bench) news(id string, err error) *httptest.ResponseRecorder {
	return b.webhook(func(http.Header, []byte) (setupintent.Intent, error) { return setupintent.Intent{ID: id}, err })
}

func (b *bench) webhook(p parse) *httptest.ResponseRecorder {
	b.Helper()
	b.routes = b.start().hook(p)
	return b.serve(httptest.NewRequest(http.MethodPost, "/hooks/stripe", strings.NewReader(`{"id":"evt_1"}`)))
}

// hook is the endpoint for webhooks that p reads.
func (b *bench) hook(p parse) http.Handler {
	return recorded(b.opts.Dialect, "webhook", b.h.Webhook(p))
}

func (b *bench) status() setupintent.Status {
	row, err := b.rows.Load(context.Background(), rowID)
	require.NoError(b, err)
	return row.Status
}

// saved is a row whose card was saved, and whose intent is returned.
func (b *bench) saved() string {
	id := b.begun()
	require.NoError(b, b.provider.Confirm(id, "pm_1"))
	return id
}

// lostSwaps is a store in which somebody else is always first.
type lostSwaps struct{ *memstore.Store }

func (s lostSwaps) Swap(ctx context.Context, prev, _ setupintent.Row) (bool, error) {
	return false, s.SetStatus(prev.ID, setupintent.Pending)
}

// webhooks is the table of what webhooks are answered with.
var webhooks = []struct {
	name    string
	do      func(b *bench) *httptest.ResponseRecorder
	status  int    // of both dialects
	code    string // of a problem
	dogBody string
	retry   string // Retry-After
	calls   int64  // of the provider, by the last request
	level   string // of the log; empty: nothing is logged
	row     setupintent.Status
}{
	// 200: done, or nothing to do.
	{
		name: "succeeded", status: 200, calls: 1, row: setupintent.Active,
		do: func(b *bench) *httptest.ResponseRecorder { return b.news(b.saved(), nil) },
	},
	{
		name: "succeeded, again", status: 200, calls: 1, row: setupintent.Active,
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.saved()
			require.Equal(b, 200, b.news(id, nil).Code)
			return b.news(id, nil)
		},
	},
	{
		name: "about nothing of ours", status: 200, row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { b.begun(); return b.news("", nil) },
	},
	{
		name: "not confirmed yet", status: 200, calls: 1, row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { return b.news(b.begun(), nil) },
	},
	{
		name: "unknown intent", status: 200, calls: 1, row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { return b.news("seti_9", nil) },
	},
	{
		name: "unknown row", status: 200, calls: 1, row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			in, err := b.provider.Provider.CreateIntent(context.Background(), setupintent.IntentRequest{Metadata: map[string]string{"pending_user_id": "nobody"}})
			require.NoError(b, err)
			return b.news(in.ID, nil)
		},
	},
	{
		name: "foreign intent", status: 200, calls: 1, row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			in, err := b.provider.Provider.CreateIntent(context.Background(), setupintent.IntentRequest{
				Metadata: map[string]string{"pending_user_id": rowID, "cardonfile_namespace": "staging"},
			})
			require.NoError(b, err)
			require.NoError(b, b.provider.Confirm(in.ID, "pm_1"))
			return b.news(in.ID, nil)
		},
	},
	{
		name: "row that has ended", status: 200, calls: 1, row: setupintent.Abandoned,
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.saved()
			require.NoError(b, b.rows.SetStatus(rowID, setupintent.Abandoned))
			return b.news(id, nil)
		},
	},
	{
		name: "fifth decline", status: 200, calls: 2, row: setupintent.Abandoned,
		do: func(b *bench) (w *httptest.ResponseRecorder) {
			id := b.begun()
			for range 5 {
				require.NoError(b, b.provider.Decline(id, "card_declined"))
				w = b.news(id, nil)
			}
			return w
		},
	},
	{
		name: "canceled", status: 200, calls: 1, row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.begun()
			_, err := b.provider.Provider.CancelIntent(context.Background(), id, "")
			require.NoError(b, err)
			w := b.news(id, nil)
			row, err := b.rows.Load(context.Background(), rowID)
			require.NoError(b, err)
			require.Equal(b, setupintent.None, row.Progress.Phase())
			return w
		},
	},

	// 200: failed for good.
	{
		name: "intent that has gone", status: 200, calls: 2, level: "WARN", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.MaxDeclines = 1
			b.port = forgetful{b.provider}
			id := b.begun()
			require.NoError(b, b.provider.Decline(id, "card_declined"))
			return b.news(id, nil)
		},
	},
	{
		name: "provider that can't say", status: 200, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			b.port = setupintent.CreateOnly(b.provider)
			return b.news(b.saved(), nil)
		},
	},

	// 400 and others: what the sender does wrong.
	{
		name: "not signed", status: 400, code: "unverified", dogBody: `{"detail":"Bad Request"}`, level: "WARN", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.news(b.saved(), fmt.Errorf("%w: %w", errInternal, setupintent.ErrUnverified))
		},
	},
	{
		name: "no event", status: 400, code: "invalid_event", dogBody: `{"detail":"Bad Request"}`, level: "DEBUG", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.news(b.saved(), fmt.Errorf("%w: %w", errInternal, setupintent.ErrInvalidRequest))
		},
	},
	{
		name: "forbidden by parse", status: 403, code: "forbidden", dogBody: `{"detail":"forbidden"}`, level: "DEBUG", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { return b.news(b.saved(), httpadapter.ErrForbidden) },
	},
	{
		name: "no parse", status: 403, code: "forbidden", dogBody: `{"detail":"forbidden"}`, level: "DEBUG", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { b.saved(); return b.webhook(nil) },
	},

	// 503: to be sent again.
	{
		name: "parse fails", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "2", level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { return b.news(b.saved(), errInternal) },
	},
	{
		name: "provider down", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { return b.newsWithout(errInternal) },
	},
	{
		name: "throttled", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { return b.newsWithout(setupintent.ErrThrottled) },
	},
	{
		name: "credentials", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "60", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder { return b.newsWithout(setupintent.ErrCredentials) },
	},
	{
		name: "store down", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.saved()
			b.svc, b.store = nil, brokenStore{b.rows}
			return b.news(id, nil)
		},
	},
	{
		name: "others are at it", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.saved()
			b.svc, b.store = nil, lostSwaps{b.rows}
			return b.news(id, nil)
		},
	},
	{
		name: "effect fails", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "5", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.OnActive = func(context.Context, setupintent.Row, setupintent.Intent) error { return errInternal }
			return b.news(b.saved(), nil)
		},
	},
	{
		name: "effect fails, as if it were ours", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "5", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.OnActive = func(context.Context, setupintent.Row, setupintent.Intent) error {
				return errors.Join(setupintent.ErrUnverified, setupintent.ErrMismatch, setupintent.ErrInvalidRequest, httpadapter.ErrForbidden)
			}
			return b.news(b.saved(), nil)
		},
	},
	{
		name: "effect panics", status: 503, code: "unavailable", dogBody: `{"detail":"unavailable"}`, retry: "5", calls: 1, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.OnActive = func(context.Context, setupintent.Row, setupintent.Intent) error { panic("x") }
			return b.news(b.saved(), nil)
		},
	},
	{
		name: "effect fails once", status: 200, calls: 1, row: setupintent.Active,
		do: func(b *bench) *httptest.ResponseRecorder {
			runs := 0
			b.core.OnActive = func(context.Context, setupintent.Row, setupintent.Intent) error {
				if runs++; runs == 1 {
					return errInternal
				}
				return nil
			}
			id := b.saved()
			require.Equal(b, 503, b.news(id, nil).Code)
			b.log.Reset()
			return b.news(id, nil)
		},
	},
	{
		name: "parse panics", status: 500, code: "internal", dogBody: `{"detail":"Internal Server Error"}`, level: "ERROR", row: setupintent.Pending,
		do: func(b *bench) *httptest.ResponseRecorder {
			b.saved()
			return b.webhook(func(http.Header, []byte) (setupintent.Intent, error) { panic(canary) })
		},
	},
}

// newsWithout is a webhook while the intent can't be fetched.
func (b *bench) newsWithout(err error) *httptest.ResponseRecorder {
	id := b.saved()
	b.provider.get = func() error { return err }
	return b.news(id, nil)
}

// forgetful is a provider that does not find what is to be canceled.
type forgetful struct{ *provider }

func (p forgetful) CancelIntent(context.Context, string, string) (setupintent.Intent, error) {
	p.calls.Add(1)
	return setupintent.Intent{}, setupintent.ErrNotFound
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	for _, c := range webhooks {
		for name, dialect := range map[string]httpadapter.Dialect{"default": nil, "LoyaltyDog": httpadapter.LoyaltyDog{}} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, dialect)
				w := c.do(b)
				status := c.status
				if dialect != nil && status == http.StatusForbidden {
					status = http.StatusBadRequest // as everywhere in this dialect
				}
				require.Equal(t, status, w.Code, w.Body.String())
				require.Equal(t, c.retry, w.Header().Get("Retry-After"))
				require.Equal(t, c.calls, b.asked)
				require.Equal(t, c.row, b.status())
				if c.level == "" {
					require.NotContains(t, b.log.String(), "request failed")
				} else {
					require.Equal(t, 1, strings.Count(b.log.String(), "request failed"), b.log.String())
					require.Contains(t, b.log.String(), "level="+c.level)
				}
				switch {
				case c.status == http.StatusOK:
					require.Equal(t, `{"received":true}`+"\n", w.Body.String())
				case dialect != nil:
					require.Equal(t, c.dogBody+"\n", w.Body.String())
				default:
					require.Equal(t, c.code, member(t, w, "code"))
				}
			})
		}
	}
}

// What is not a signed webhook gets no further than parse, and what can't be one
// not even there.
func TestWebhookRequests(t *testing.T) {
	t.Parallel()
	text := func(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }
	for _, c := range []struct {
		name   string
		method string // empty: POST
		body   func() io.Reader
		header http.Header
		opts   httpadapter.Options
		want   int
		parsed int // bytes; -1: not asked
	}{
		{name: "as Stripe sends it", body: text(`{}`), header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, want: 200, parsed: 2},
		{name: "any type", body: text("\x00\xff"), header: http.Header{"Content-Type": {";;;"}}, want: 200, parsed: 2},
		{name: "no type", body: text(`{}`), want: 200, parsed: 2},
		{name: "compressed", body: text("\x1f\x8b"), header: http.Header{"Content-Encoding": {"gzip"}}, want: 200, parsed: 2},
		{name: "no body", want: 200, parsed: 0},
		{name: "64 KiB", body: func() io.Reader { return io.LimitReader(zeros{}, 64<<10) }, want: 200, parsed: 64 << 10},
		{name: "more", body: text(strings.Repeat("x", 64<<10+1)), want: 413, parsed: -1},
		{name: "more, chunked", body: func() io.Reader { return io.LimitReader(zeros{}, 64<<10+1) }, want: 413, parsed: -1},
		{name: "endless", body: func() io.Reader { return zeros{} }, want: 413, parsed: -1},
		{name: "declared, and not sent", body: text(""), header: http.Header{"Content-Length": {"100000"}}, want: 413, parsed: -1},
		{name: "own limit", body: text("xxx"), opts: httpadapter.Options{MaxWebhookBytes: 2}, want: 413, parsed: -1},
		{name: "the other limit does not matter", body: text("xxx"), opts: httpadapter.Options{MaxBodyBytes: 1}, want: 200, parsed: 3},
		{name: "broken off", body: func() io.Reader { return io.MultiReader(strings.NewReader("{"), broken{}) }, want: 400, parsed: -1},
		{name: "GET", method: "GET", want: 405, parsed: -1},
		{name: "HEAD", method: "HEAD", want: 405, parsed: -1},
		{name: "PUT", method: "PUT", body: text(`{}`), want: 405, parsed: -1},
		{name: "lower case", method: "post", want: 405, parsed: -1},
		{name: "OPTIONS", method: "OPTIONS", want: 204, parsed: -1},
	} {
		for name, dialect := range map[string]httpadapter.Dialect{"default": nil, "LoyaltyDog": httpadapter.LoyaltyDog{}} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, dialect)
				opts := c.opts
				opts.Dialect, opts.Logger = dialect, b.opts.Logger
				b.opts = opts
				b.start()
				parsed := -1
				b.routes = b.hook(func(_ http.Header, body []byte) (setupintent.Intent, error) {
					parsed = len(body)
					return setupintent.Intent{}, nil
				})
				var sent io.Reader
				if c.body != nil {
					sent = c.body()
				}
				r := httptest.NewRequest(http.MethodPost, "/", sent)
				if c.method != "" {
					r.Method = c.method
				}
				maps.Copy(r.Header, c.header)
				if c.header.Get("Content-Length") != "" {
					r.ContentLength = 100_000
				}
				w := b.serve(r)
				want := c.want
				if dialect != nil && want == http.StatusBadRequest {
					want = http.StatusUnprocessableEntity // LoyaltyDog's word for a body that can't be read
				}
				require.Equal(t, want, w.Code, w.Body.String())
				require.Equal(t, c.parsed, parsed)
				require.Zero(t, b.asked)
			})
		}
	}
}

// The log tells a webhook that was refused from a request that failed, and by
// which method it came, whether the mux knows or not.
func TestRefusedWebhookIsLogged(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/hooks/stripe", "POST /hooks/stripe"} {
		for refused, says := range map[error]string{setupintent.ErrUnverified: "webhook not verified: ", setupintent.ErrInvalidRequest: "webhook is no event: "} {
			b := newBench(t, nil)
			b.start()
			mux := http.NewServeMux()
			mux.Handle(pattern, b.hook(func(http.Header, []byte) (setupintent.Intent, error) { return setupintent.Intent{}, refused }))
			b.routes = mux
			require.Equal(t, http.StatusBadRequest, b.serve(httptest.NewRequest(http.MethodPost, "/hooks/stripe", strings.NewReader(`{}`))).Code)
			require.Contains(t, b.log.String(), `route="POST /hooks/stripe"`)
			require.Contains(t, b.log.String(), `err="`+says+refused.Error())
		}
	}
}

// Parse gets the header and the very bytes, and the client's words are nowhere
// in the log.
func TestWebhookParse(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start()
	sent := `{"a" : 1,` + "\n" + `"client_secret":"` + canary + `"}`
	b.routes = b.hook(func(header http.Header, body []byte) (setupintent.Intent, error) {
		require.Equal(t, "t=1,v1=2", header.Get("Stripe-Signature"))
		require.Equal(t, sent, string(body))
		return setupintent.Intent{}, setupintent.ErrInvalidRequest
	})
	r := httptest.NewRequest(http.MethodPost, "/hooks/"+canary+"?token="+canary, strings.NewReader(sent))
	r.Header.Set("Stripe-Signature", "t=1,v1=2")
	require.Equal(t, http.StatusBadRequest, b.serve(r).Code)
	require.NotContains(t, b.log.String(), canary)
}

func TestSlowWebhook(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.opts.ReadTimeout = 50 * time.Millisecond
	server := httptest.NewServer(b.start().hook(nil))
	t.Cleanup(server.Close)
	never, stop := io.Pipe()
	t.Cleanup(func() { _ = stop.Close() })
	resp, err := server.Client().Post(server.URL, "application/json", never)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
}

// stripeBench is a whole application on a fake Stripe that sends it webhooks.
type stripeBench struct {
	fake *stripetest.Server
	svc  *setupintent.Service
	rows *memstore.Store
	down atomic.Bool // the application's effect fails
	runs atomic.Int64
}

func newStripeBench(t *testing.T) *stripeBench {
	t.Helper()
	b := &stripeBench{fake: stripetest.NewServer(t, nil), rows: memstore.New()}
	p, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: b.fake.URL})
	require.NoError(t, err)
	b.svc, err = setupintent.New(b.rows, p, &setupintent.Options{
		Namespace: "test",
		Now:       b.fake.Now,
		OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error {
			b.runs.Add(1)
			if b.down.Load() {
				return errInternal
			}
			return nil
		},
	})
	require.NoError(t, err)
	h, err := httpadapter.New(b.svc, nil)
	require.NoError(t, err)
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	endpoint, err := p.EnsureWebhookEndpoint(context.Background(), app.URL+"/hooks/stripe", nil)
	require.NoError(t, err)
	w, err := stripeport.NewWebhook([]string{endpoint.Secret.Reveal()}, &stripeport.WebhookOptions{Now: b.fake.Now})
	require.NoError(t, err)
	mux.Handle("POST /hooks/stripe", recorded(nil, "webhook", h.Webhook(w.Parse)))
	return b
}

func (b *stripeBench) begin(t *testing.T, id string) string {
	t.Helper()
	require.NoError(t, b.rows.Insert(id, time.Time{}))
	in, err := b.svc.Begin(context.Background(), id, nil)
	require.NoError(t, err)
	return in.ID
}

func (b *stripeBench) status(t *testing.T, id string) setupintent.Status {
	t.Helper()
	require.NoError(t, b.fake.WaitWebhooks(context.Background()))
	row, err := b.rows.Load(context.Background(), id)
	require.NoError(t, err)
	return row.Status
}

func (b *stripeBench) statuses() (all []int) {
	for _, d := range b.fake.Deliveries() {
		all = append(all, d.Status)
	}
	return all
}

func TestWebhooksOfStripe(t *testing.T) {
	t.Parallel()
	t.Run("delivered", func(t *testing.T) {
		t.Parallel()
		b := newStripeBench(t)
		id := b.begin(t, "42")
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeDecline))
		require.Equal(t, setupintent.Pending, b.status(t, "42"))
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeSucceed))
		require.Equal(t, setupintent.Active, b.status(t, "42"))
		require.Equal(t, []int{200, 200}, b.statuses())
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		b := newStripeBench(t)
		id := b.begin(t, "42")
		require.NoError(t, b.fake.SetWebhookMode(stripetest.WebhooksDuplicate, 0))
		for range 4 {
			require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeDecline))
			require.Equal(t, setupintent.Pending, b.status(t, "42"))
		}
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeDecline))
		require.Equal(t, setupintent.Abandoned, b.status(t, "42"))
		made, _ := b.fake.SetupIntent(id)
		require.Equal(t, "canceled", made.Status)
	})
	t.Run("repeated until the effect works", func(t *testing.T) {
		t.Parallel()
		b := newStripeBench(t)
		id := b.begin(t, "42")
		b.down.Store(true)
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeSucceed))
		require.Equal(t, setupintent.Pending, b.status(t, "42"))
		b.down.Store(false)
		b.fake.Advance(10 * time.Minute)
		require.Equal(t, setupintent.Active, b.status(t, "42"))
		require.Equal(t, []int{503, 200}, b.statuses())
		require.EqualValues(t, 2, b.runs.Load())
	})
	t.Run("the newest first", func(t *testing.T) {
		t.Parallel()
		b := newStripeBench(t)
		id := b.begin(t, "42")
		require.NoError(t, b.fake.SetWebhookMode(stripetest.WebhooksReorder, time.Minute))
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeDecline))
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeSucceed))
		b.fake.Advance(time.Minute)
		require.Equal(t, setupintent.Active, b.status(t, "42"))
		require.EqualValues(t, 1, b.runs.Load())
	})
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		b := newStripeBench(t)
		id := b.begin(t, "42")
		b.fake.LoseEvents("setup_intent.*")
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeSucceed))
		require.Equal(t, setupintent.Pending, b.status(t, "42"))
		b.fake.Advance(2 * time.Minute)
		_, err := b.svc.Sweep(context.Background(), b.rows, nil)
		require.NoError(t, err)
		require.Equal(t, setupintent.Active, b.status(t, "42"))
		require.Empty(t, b.statuses())
	})
	t.Run("canceled in the Dashboard", func(t *testing.T) {
		t.Parallel()
		b := newStripeBench(t)
		id := b.begin(t, "42")
		require.NoError(t, b.fake.Resolve(id, stripetest.OutcomeCancel))
		require.Equal(t, setupintent.Pending, b.status(t, "42"))
		in, err := b.svc.Begin(context.Background(), "42", nil)
		require.NoError(t, err)
		require.NotEqual(t, id, in.ID)
	})
}

// Of what is not verified, nobody hears.
func TestUnverifiedIsReadByNobody(t *testing.T) {
	t.Parallel()
	store := &setupintenttest.FaultyStore{Store: memstore.New()}
	provider := &setupintenttest.FaultyProvider{Provider: new(setupintenttest.Provider)}
	svc, err := setupintent.New(store, provider, nil)
	require.NoError(t, err)
	h, err := httpadapter.New(svc, nil)
	require.NoError(t, err)
	hook := recorded(nil, "webhook", h.Webhook(func(http.Header, []byte) (setupintent.Intent, error) {
		return setupintent.Intent{ID: "seti_1"}, setupintent.ErrUnverified
	}))
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{}`)))
	require.Equal(t, http.StatusBadRequest, w.Code)
	for _, method := range []string{"Load", "Swap"} {
		require.Zero(t, store.Calls(method))
	}
	for _, method := range []string{"CreateIntent", "GetIntent", "CancelIntent", "ListIntents"} {
		require.Zero(t, provider.Calls(method))
	}
}
