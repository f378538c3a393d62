//nolint:paralleltest // a goroutine does not say whose it is
package leaks_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// noneLeft fails the test if there are goroutines when it has ended that were
// not there before. It is called first, so that it looks last.
func noneLeft(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		var err error
		for end := time.Now().Add(time.Minute); time.Now().Before(end); { // on a loaded machine, ending takes its time
			if err = goleak.Find(before); err == nil {
				return
			}
		}
		t.Error(err)
	})
}

func TestALeakIsFound(t *testing.T) {
	before := goleak.IgnoreCurrent()
	leaked := make(chan struct{})
	go func() { <-leaked }()
	require.Error(t, goleak.Find(before))
	close(leaked)
	require.NoError(t, goleak.Find(before))
}

// client returns a client that keeps no connection when the test has ended.
func client(t *testing.T) *http.Client {
	t.Helper()
	pool := new(http.Transport)
	t.Cleanup(pool.CloseIdleConnections)
	return &http.Client{Transport: pool}
}

func provider(t *testing.T, url string, c *http.Client) *stripeport.Provider {
	t.Helper()
	p, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{
		BaseURL: url, HTTPClient: c, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	require.NoError(t, err)
	return p
}

// create makes an intent, and fails the test if that fails.
func create(t *testing.T, p setupintent.IntentCreator, key string) setupintent.Intent {
	t.Helper()
	in, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: key})
	require.NoError(t, err)
	return in
}

// hopeless makes a call that is given up.
func hopeless(t *testing.T, p setupintent.IntentCreator) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "hopeless"})
	require.Error(t, err)
}

// A fake with a listener: calls, one that hangs, one that comes late, timers
// that have not run out, and webhooks to somebody who never answers.
func TestFake(t *testing.T) {
	called := make(chan struct{}, 1)
	deaf := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case called <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	}))
	t.Cleanup(deaf.Close) // after noneLeft has looked
	noneLeft(t)
	fake := stripetest.NewServer(t, &stripetest.Options{Webhooks: []stripetest.Webhook{{URL: deaf.URL}}})
	p := provider(t, fake.URL, client(t))
	require.NoError(t, fake.Resolve(create(t, p, "one").ID, stripetest.OutcomeSucceed))
	require.NoError(t, fake.Resolve(create(t, p, "two").ID, stripetest.OutcomeProcess))
	require.NoError(t, fake.Inject(stripetest.Fault{Kind: stripetest.FaultHang, Count: 1}))
	hopeless(t, p)
	require.NoError(t, fake.Inject(stripetest.Fault{Kind: stripetest.FaultLate, Delay: time.Hour}))
	hopeless(t, p)
	<-called
}

// The same without a listener.
func TestFakeInMemory(t *testing.T) {
	noneLeft(t)
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fake.Close()) })
	p := provider(t, "", fake.Client())
	require.NoError(t, fake.Resolve(create(t, p, "one").ID, stripetest.OutcomeProcess))
	require.NoError(t, fake.Inject(stripetest.Fault{Kind: stripetest.FaultHang, Count: 1}))
	hopeless(t, p)
	require.NoError(t, fake.SetLatency("", time.Hour))
	hopeless(t, p)
}

// The provider's own pool of connections, which nobody can close, ends with what
// it is connected to; and no answer, of whatever kind, keeps one busy.
func TestStripeport(t *testing.T) {
	noneLeft(t)
	fake := stripetest.NewServer(t, nil)
	p := provider(t, fake.URL, nil)
	in := create(t, p, "one")
	for _, f := range []stripetest.Fault{
		{Kind: stripetest.FaultError}, {Kind: stripetest.FaultHTML}, {Kind: stripetest.FaultMalformed}, {Kind: stripetest.FaultClose}, {Kind: stripetest.FaultHang},
	} {
		require.NoError(t, fake.Inject(f))
		hopeless(t, p)
		fake.ClearFaults()
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, io.LimitReader(zeros{}, 64<<20))
	}))
	t.Cleanup(endless.Close)
	hopeless(t, provider(t, endless.URL, nil))
	_, err := p.CancelIntent(context.Background(), in.ID, "abandoned")
	require.NoError(t, err)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// gate is a provider that answers when it is told to.
type gate struct {
	setupintent.Provider
	asked  chan struct{} // is told of calls
	opened chan struct{}
}

func newGate(p setupintent.Provider) gate {
	return gate{p, make(chan struct{}, 1), make(chan struct{})}
}

func (g gate) wait(ctx context.Context) error {
	select {
	case g.asked <- struct{}{}:
	default:
	}
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	if err := g.wait(ctx); err != nil {
		return setupintent.Intent{}, err
	}
	return g.Provider.CreateIntent(ctx, req)
}

func (g gate) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	if err := g.wait(ctx); err != nil {
		return setupintent.Intent{}, err
	}
	return g.Provider.GetIntent(ctx, id)
}

// Many who want the same intent, half of whom leave while it is being made.
func TestBegin(t *testing.T) {
	noneLeft(t)
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	g := newGate(new(setupintenttest.Provider))
	svc, err := setupintent.New(rows, g, nil)
	require.NoError(t, err)
	ctx, leave := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if i%2 == 0 {
				_, _ = svc.Begin(ctx, "42", nil)
				return
			}
			_, _ = svc.Begin(context.Background(), "42", nil)
		})
	}
	<-g.asked
	leave()
	close(g.opened)
	wg.Wait()
}

// Sweepers that are stopped, one of them in the middle of a call.
func TestRun(t *testing.T) {
	noneLeft(t)
	rows, backend, now := memstore.New(), new(setupintenttest.Provider), time.Now()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := setupintent.New(rows, backend, nil)
	require.NoError(t, err)
	_, err = svc.Begin(context.Background(), "42", nil)
	require.NoError(t, err)

	g := newGate(backend)
	sweeper, err := setupintent.New(rows, g, &setupintent.Options{Now: func() time.Time { return now.Add(5 * time.Minute) }})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { _ = sweeper.Run(ctx, rows, time.Hour, nil) })
	}
	<-g.asked
	stop()
	close(g.opened)
	wg.Wait()
}

// A server with requests that are answered, one that sends its body too slowly,
// one that leaves, and webhooks.
func TestHandler(t *testing.T) {
	noneLeft(t)
	fake := stripetest.NewServer(t, nil)
	rows := memstore.New()
	for _, id := range []string{"42", "43"} {
		require.NoError(t, rows.Insert(id, time.Time{}))
	}
	svc, err := setupintent.New(rows, provider(t, fake.URL, client(t)), nil)
	require.NoError(t, err)
	h, err := httpadapter.New(svc, &httpadapter.Options{ReadTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	const secret = "whsec_0123456789abcdefghijklmnop"
	hook, err := stripeport.NewWebhook([]string{secret}, nil)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rows/{id}", func(w http.ResponseWriter, r *http.Request) { h.SetupIntent(w, r, r.PathValue("id")) })
	mux.Handle("POST /webhooks", h.Webhook(hook.Parse))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	_, err = fake.AddWebhook(stripetest.Webhook{URL: srv.URL + "/webhooks", Secret: secret})
	require.NoError(t, err)

	c := client(t)
	post := func(ctx context.Context, path string, body io.Reader) (int, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+path, body)
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		res, err := c.Do(r)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}
	status, err := post(context.Background(), "/rows/42", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, fake.Resolve(fake.SetupIntents()[0].ID, stripetest.OutcomeSucceed))
	require.NoError(t, fake.WaitWebhooks(context.Background()))
	r, err := rows.Load(context.Background(), "42")
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, r.Status)

	slow, end := io.Pipe()
	t.Cleanup(func() { _ = end.Close() })
	go func() { _, _ = end.Write([]byte("{")) }()
	if status, err = post(context.Background(), "/rows/43", slow); err == nil {
		require.Equal(t, http.StatusRequestTimeout, status)
	}

	require.NoError(t, fake.SetLatency("POST /v1/setup_intents", time.Second))
	ctx, leave := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer leave()
	_, err = post(ctx, "/rows/43", nil)
	require.Error(t, err)
	require.NoError(t, srv.Config.Shutdown(context.Background()), "it waits for what was begun")
}

// A store over database/sql: an effect that fails, panics and takes too long in
// the row's transaction leaves no connection in use.
func TestStore(t *testing.T) {
	noneLeft(t)
	db := dbtest.SQLite.Open(t)
	effects := []func(context.Context) error{
		func(context.Context) error { return errors.New("no") },
		func(context.Context) error { panic("no") },
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		func(context.Context) error { return nil },
	}
	rows, err := store.New(db, store.SQLite, &store.Options{
		OnActiveTimeout: 2 * time.Second, // to be overrun, and enough for the transaction around it
		OnActive: func(ctx context.Context, _ *sql.Tx, _ setupintent.Row) error {
			effect := effects[0]
			effects = effects[1:]
			return effect(ctx)
		},
	})
	require.NoError(t, err)
	ctx := context.Background()
	require.NoError(t, rows.Migrate(ctx))
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	row, err := rows.Open(ctx, tx, "subject")
	require.NoError(t, err)
	require.NoError(t, tx.Commit())

	backend := new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, backend, nil)
	require.NoError(t, err)
	in, err := svc.Begin(ctx, row.ID, nil)
	require.NoError(t, err)
	require.NoError(t, backend.Confirm(in.ID, "pm_1"))
	for range 3 {
		_, err = svc.Activate(ctx, row.ID, in.ID)
		require.Error(t, err)
		idle(t, db)
	}
	active, err := svc.Activate(ctx, row.ID, in.ID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, active.Status)
	_, err = svc.Sweep(ctx, rows, nil)
	require.NoError(t, err)
	idle(t, db)
}

// idle waits until no connection is in use: a transaction whose context is over
// is rolled back in a goroutine of its own.
func idle(t *testing.T, db *sql.DB) {
	t.Helper()
	for end := time.Now().Add(time.Minute); db.Stats().InUse > 0; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "%d connections are in use", db.Stats().InUse)
	}
}

// The suite of a store, whose cases swap side by side.
func TestSuite(t *testing.T) {
	noneLeft(t)
	t.Run("memstore", func(t *testing.T) {
		setupintenttest.TestStore(t, func(testing.TB) setupintenttest.StoreHarness {
			s := memstore.New()
			return setupintenttest.StoreHarness{Store: s, Insert: s.Insert, SetStatus: s.SetStatus, Delete: s.Delete}
		})
	})
}
