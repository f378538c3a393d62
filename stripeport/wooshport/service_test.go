package wooshport_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a service over a row "42" and a fake WooshPay.
type bench struct {
	clock *clock
	rows  *memstore.Store
	fake  *stripetest.Server
	port  *wooshport.Provider
	news  []error // what the service reported

	leave  func() // the caller goes away
	failed error  // of the latest create
}

func newBench(t *testing.T, keys bool) *bench {
	t.Helper()
	b := &bench{clock: newClock(), rows: memstore.New()}
	fake, err := stripetest.New(&stripetest.Options{Now: b.clock.now, WooshPayIdempotencyKeys: keys})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fake.Close()) })
	b.fake = fake
	b.port, err = wooshport.New(stripetest.DefaultSecretKey, &wooshport.Options{
		BaseURL: "http://127.0.0.1/wooshpay", HTTPClient: fake.Client(), IdempotencyKeys: keys, Now: b.clock.now, Sleep: noSleep,
	})
	require.NoError(t, err)
	require.NoError(t, b.rows.Insert("42", time.Time{}))
	return b
}

// service is another process.
func (b *bench) service(t *testing.T, rows setupintent.PendingStore, p setupintent.Provider) *setupintent.Service {
	t.Helper()
	svc, err := setupintent.New(rows, p, &setupintent.Options{
		Namespace: "test", Now: b.clock.now, Wait: -1, TTL: 48 * time.Hour,
		Observe: func(_ context.Context, e setupintent.Event) {
			if e.Move == "" && e.Call == "" {
				b.news = append(b.news, e.Err)
			}
			if e.Call == "create" {
				b.failed = e.Err
			}
			if e.Err != nil && b.leave != nil {
				b.leave()
			}
		},
	})
	require.NoError(t, err)
	return svc
}

// begin is a Begin whose caller leaves when something has failed, so that nobody
// waits for another try. The error is that of the create, if it failed.
func (b *bench) begin(svc *setupintent.Service) (setupintent.Intent, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.leave, b.failed = cancel, nil
	in, err := svc.Begin(ctx, "42", nil)
	b.leave = nil
	if b.failed != nil {
		err = b.failed
	}
	return in, err
}

func (b *bench) phase(t *testing.T) setupintent.Phase {
	t.Helper()
	r, err := b.rows.Load(context.Background(), "42")
	require.NoError(t, err)
	return r.Progress.Phase()
}

func (b *bench) live() (live int) {
	for _, in := range b.fake.SetupIntents() {
		if in.Status != "succeeded" && in.Status != "canceled" {
			live++
		}
	}
	return live
}

func TestService(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newBench(t, false)
	svc := b.service(t, b.rows, b.port)
	in, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	again, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, in.ID, again.ID)
	require.Equal(t, in.ClientSecret.Reveal(), again.ClientSecret.Reveal(), "it can be retrieved")
	require.Equal(t, 1, b.fake.Count(createRoute))

	// A row that is cancelled can't let go of its intent.
	r, err := svc.Cancel(ctx, "42")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.Equal(t, setupintent.Pending, r.Status)
	require.Equal(t, setupintent.Closing, b.phase(t))
	_, err = svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrClosing, "and it is handed out no more")

	// It is looked at all the same, and turns active if the card is saved.
	for range 20 {
		r, err := b.rows.Load(ctx, "42")
		require.NoError(t, err)
		b.clock.advance(r.Due.Sub(b.clock.now()))
		_, err = svc.Sweep(ctx, b.rows, nil)
		require.NoError(t, err)
	}
	r, err = b.rows.Load(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, time.Hour, r.Due.Sub(b.clock.now()), "at last every hour")
	require.NoError(t, b.fake.Resolve(in.ID, stripetest.OutcomeSucceed)) //nolint:contextcheck // the fake's webhooks outlive the call
	r, err = svc.Refresh(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, r.Status)

	_, err = svc.Audit(ctx, time.Time{}, b.clock.now(), false)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	check := func(key string, live bool) error {
		t.Helper()
		p, err := wooshport.New(key, &wooshport.Options{BaseURL: "https://gate.example/wooshpay", HTTPClient: fake.Client(), Sleep: noSleep})
		require.NoError(t, err)
		svc, err := setupintent.New(memstore.New(), p, &setupintent.Options{Live: live})
		require.NoError(t, err)
		return svc.Check(ctx, p.CheckKey(live))
	}
	require.NoError(t, check(stripetest.DefaultSecretKey, false))
	require.ErrorContains(t, check(stripetest.DefaultSecretKey, true), "the key has live mode false, and setupintent.Options.Live is true")
	err = check("sk_test_another", false)
	require.ErrorIs(t, err, setupintent.ErrCredentials)
	require.NotContains(t, err.Error(), "sk_test_another")
	require.NoError(t, fake.Inject(stripetest.Fault{Status: 500}))
	require.ErrorContains(t, check(stripetest.DefaultSecretKey, false), "HTTP 500")
}

// A create that was not answered is never sent again. The event tells what came of
// it, or a person who has the intent's id.
func TestLostCreate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newBench(t, false)
	require.NoError(t, b.fake.Inject(stripetest.Fault{Route: createRoute, Kind: stripetest.FaultClose, After: true, Count: 1}))
	svc := b.service(t, b.rows, b.port)
	_, err := svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	for range 5 {
		b.clock.advance(time.Hour)
		_, err = svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.NotContains(t, err.Error(), "_secret_")
	}
	require.Equal(t, 1, b.fake.Count(createRoute))
	require.NotEmpty(t, b.news)
	require.ErrorContains(t, b.news[0], "pass its id to Notify")

	made := b.fake.SetupIntents()[0]
	require.NoError(t, svc.Notify(ctx, setupintent.Intent{ID: made.ID}))
	in, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, made.ID, in.ID)
	require.NotEmpty(t, in.ClientSecret.Reveal())
	require.Equal(t, 1, b.fake.Count(createRoute))
}

// The same, by the event itself.
func TestLostCreateByEvent(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newBench(t, false)
	svc := b.service(t, b.rows, b.port)
	webhook, err := wooshport.NewWebhook([]string{webhookSecret}, &wooshport.WebhookOptions{Now: b.clock.now})
	require.NoError(t, err)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in, err := webhook.Parse(r.Header, body)
		if err != nil || svc.Notify(r.Context(), in) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(app.Close)
	_, err = b.fake.AddWebhook(stripetest.Webhook{URL: app.URL, Secret: webhookSecret, Events: wooshport.WebhookEvents(), WooshPay: true}) //nolint:contextcheck // the fake's webhooks outlive the call
	require.NoError(t, err)
	require.NoError(t, b.fake.Inject(stripetest.Fault{Route: createRoute, Kind: stripetest.FaultHTML, After: true, Count: 1}))
	_, err = svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	require.NoError(t, b.fake.WaitWebhooks(ctx))
	require.Equal(t, setupintent.Attached, b.phase(t))
	in, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, b.fake.SetupIntents()[0].ID, in.ID)
}

// What surely created nothing does not use the claim up: an outage of the network,
// a wrong key, too many requests.
func TestNothingCreated(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, fault := range map[string]stripetest.Fault{
		"wrong key": {Status: 401},
		"forbidden": {Status: 403},
		"throttled": {Status: 429},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, false)
			fault.Route = createRoute
			require.NoError(t, b.fake.Inject(fault))
			svc := b.service(t, b.rows, b.port)
			for range 3 {
				_, err := b.begin(svc)
				require.Error(t, err)
				b.clock.advance(time.Hour)
			}
			b.fake.ClearFaults()
			_, err := svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.Len(t, b.fake.SetupIntents(), 1)
		})
	}
	t.Run("no connection", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, false)
		s := serve(t, ok())
		s.Close()
		down, err := wooshport.New(stripetest.DefaultSecretKey, &wooshport.Options{BaseURL: s.URL, Now: b.clock.now, Sleep: noSleep})
		require.NoError(t, err)
		_, err = b.begin(b.service(t, b.rows, down))
		require.ErrorIs(t, err, setupintent.ErrThrottled)
		b.clock.advance(time.Minute)
		_, err = b.service(t, b.rows, b.port).Begin(ctx, "42", nil)
		require.NoError(t, err)
	})
	t.Run("cancelled meanwhile", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, false)
		require.NoError(t, b.fake.Inject(stripetest.Fault{Route: createRoute, Status: 401}))
		svc := b.service(t, b.rows, b.port)
		_, err := svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrCredentials)
		r, err := svc.Cancel(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Cancelled, r.Status)
		require.Empty(t, b.fake.SetupIntents())
	})
}

// With keys, a lost answer is no trouble.
func TestLostCreateWithKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newBench(t, true)
	require.NoError(t, b.fake.Inject(stripetest.Fault{Route: createRoute, Kind: stripetest.FaultClose, After: true, Count: 3}))
	svc := b.service(t, b.rows, b.port)
	_, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Len(t, b.fake.SetupIntents(), 1)
}

// A team's own list, from the events that it has seen, resolves what is open.
type recorded struct {
	*wooshport.Provider
	intents []setupintent.Intent // newest first
}

func (r *recorded) ListIntents(_ context.Context, from, to time.Time, after string) ([]setupintent.Intent, error) {
	var page []setupintent.Intent
	for _, in := range r.intents {
		if after == "" && !in.Created.Before(from) && !in.Created.After(to) {
			page = append(page, in)
		}
	}
	return page, nil
}

func TestOwnList(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, made := range map[string]bool{"made": true, "not made": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, false)
			require.NoError(t, b.fake.Inject(stripetest.Fault{Route: createRoute, Kind: stripetest.FaultClose, After: made, Count: 1}))
			p := &recorded{Provider: b.port}
			svc := b.service(t, b.rows, p)
			_, err := svc.Begin(ctx, "42", nil)
			require.ErrorIs(t, err, setupintent.ErrUnresolved)
			for _, in := range b.fake.SetupIntents() {
				p.intents = append(p.intents, setupintent.Intent{ID: in.ID, Metadata: in.Metadata, Created: in.Created})
			}
			b.clock.advance(15 * time.Minute)
			in, err := svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.NotEmpty(t, in.ClientSecret.Reveal())
			require.Len(t, b.fake.SetupIntents(), 1)
		})
	}
}

var errFault = errors.New("a fault")

// However processes die, answers are lost and the store fails: never two live
// intents for the row, and never a second create for a claim.
func TestAtMostOnce(t *testing.T) {
	t.Parallel()
	const seeds = 300
	lost, reached := 0, 0
	for seed := range uint64(seeds) {
		b := newBench(t, false)
		rng := rand.New(rand.NewPCG(seed, 1))
		for range 12 {
			rows := &setupintenttest.FaultyStore{Store: b.rows}
			fails := func(percent int) func(string, string) error {
				return func(string, string) error {
					if rng.IntN(100) < percent {
						return errFault
					}
					return nil
				}
			}
			rows.Before, rows.After = fails(10), fails(10)
			svc := b.service(t, rows, b.port)
			faults := []stripetest.Fault{
				{Kind: stripetest.FaultClose},
				{Kind: stripetest.FaultClose, After: true},
				{Status: 500},
				{Status: 500, After: true},
				{Status: 429},
				{Status: 401},
				{Status: 400},
				{Kind: stripetest.FaultHTML, After: true},
				{Kind: stripetest.FaultMalformed, After: true},
				{Kind: stripetest.FaultLate, Delay: 3 * time.Minute},
			}
			if rng.IntN(2) == 0 {
				fault := faults[rng.IntN(len(faults))]
				fault.Count = 1
				require.NoError(t, b.fake.Inject(fault))
			}
			switch rng.IntN(6) {
			case 0:
				_, _ = svc.Refresh(context.Background(), "42")
			case 1:
				for _, in := range b.fake.SetupIntents() {
					_ = svc.Notify(context.Background(), setupintent.Intent{ID: in.ID})
				}
			case 2:
				if live := b.fake.SetupIntents(); len(live) > 0 && rng.IntN(3) == 0 {
					_ = b.fake.Resolve(live[len(live)-1].ID, stripetest.OutcomeCancel)
				}
			default:
				if _, err := b.begin(svc); err == nil {
					reached++
				}
			}
			b.fake.ClearFaults()
			d := []time.Duration{time.Second, 16 * time.Second, 11 * time.Minute, 5 * time.Hour}[rng.IntN(4)]
			b.clock.advance(d)
			b.fake.Advance(0)
			require.LessOrEqual(t, b.live(), 1, "seed %d", seed)
			byKey := map[string]int{}
			for _, in := range b.fake.SetupIntents() {
				byKey[in.Metadata["cardonfile_key"]]++
			}
			for key, n := range byKey {
				require.Equal(t, 1, n, "seed %d: key %s", seed, key)
			}
		}
		if b.phase(t) == setupintent.Claimed {
			lost++
		}
	}
	require.Positive(t, reached)
	t.Logf("%d seeds: %d begins, %d rows are left to an event or to a person", seeds, reached, lost)
}
