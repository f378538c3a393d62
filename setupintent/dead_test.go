package setupintent_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/stretchr/testify/require"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock {
	c := new(clock)
	c.reset()
	return c
}

func (c *clock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
}

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

// bench is a service over a store and a provider that can be made to fail, with
// the row "42".
type bench struct {
	t        *testing.T
	clock    *clock
	memory   *memstore.Store
	backend  *setupintenttest.Provider
	rows     *setupintenttest.FaultyStore
	provider *setupintenttest.FaultyProvider
	svc      *setupintent.Service
}

func newBench(t *testing.T, opts *setupintent.Options) *bench {
	t.Helper()
	b := &bench{t: t, clock: newClock(), memory: memstore.New()}
	b.backend = &setupintenttest.Provider{Now: b.clock.now}
	require.NoError(t, b.memory.Insert("42", time.Time{}))
	b.restart(opts)
	return b
}

// restart is a new process: new wrappers, a new service, the same database and
// the same provider.
func (b *bench) restart(opts *setupintent.Options) {
	b.t.Helper()
	b.rows = &setupintenttest.FaultyStore{Store: b.memory}
	b.provider = &setupintenttest.FaultyProvider{Provider: b.backend}
	b.svc = b.service(b.rows, b.provider, opts)
}

func (b *bench) service(rows setupintent.PendingStore, p setupintent.Provider, opts *setupintent.Options) *setupintent.Service {
	b.t.Helper()
	var o setupintent.Options
	if opts != nil {
		o = *opts
	}
	o.Now = b.clock.now
	svc, err := setupintent.New(rows, p, &o)
	require.NoError(b.t, err)
	svc.SetSleep(func(ctx context.Context, d time.Duration) error {
		b.clock.advance(d)
		return ctx.Err()
	})
	return svc
}

func (b *bench) row() setupintent.Row {
	b.t.Helper()
	r, err := b.memory.Load(context.Background(), "42")
	require.NoError(b.t, err)
	return r
}

func (b *bench) live() int {
	n := 0
	for _, in := range b.backend.Intents() {
		if in.Status != setupintent.Succeeded && in.Status != setupintent.Canceled {
			n++
		}
	}
	return n
}

// sweep refreshes the row at each of its due times, until it is not due any
// more or has nothing to do before its deadline.
func (b *bench) sweep(svc *setupintent.Service) setupintent.Row {
	b.t.Helper()
	for range 50 {
		r := b.row()
		if r.Due.IsZero() {
			return r
		}
		if wait := r.Due.Sub(b.clock.now()); wait > 0 {
			b.clock.advance(wait)
		}
		_, _ = svc.Refresh(context.Background(), r.ID)
	}
	require.Fail(b.t, "the row is due for ever", "%+v", b.row())
	return setupintent.Row{}
}

// deadFlight is what a process may be doing when it dies.
type deadFlight struct {
	name  string
	setUp func(*bench)
	do    func(context.Context, *setupintent.Service)
}

var deadFlights = []deadFlight{
	{"first begin", func(*bench) {}, func(ctx context.Context, svc *setupintent.Service) {
		_, _ = svc.Begin(ctx, "42", nil)
	}},
	{"take over", func(b *bench) {
		b.provider.Before = func(method, _ string) error {
			if method == "CreateIntent" {
				return context.DeadlineExceeded
			}
			return nil
		}
		_, err := b.svc.Begin(context.Background(), "42", nil)
		require.ErrorIs(b.t, err, setupintent.ErrUnresolved)
		b.clock.advance(time.Minute)
	}, func(ctx context.Context, svc *setupintent.Service) {
		_, _ = svc.Begin(ctx, "42", nil)
	}},
	{"repeated begin", begun, func(ctx context.Context, svc *setupintent.Service) {
		_, _ = svc.Begin(ctx, "42", nil)
	}},
	{"re-arm", func(b *bench) {
		begun(b)
		_, err := b.backend.CancelIntent(context.Background(), "seti_1", "")
		require.NoError(b.t, err)
	}, func(ctx context.Context, svc *setupintent.Service) {
		_, _ = svc.Begin(ctx, "42", nil)
	}},
	{"spent key", func(b *bench) {
		b.provider.Before = func(method, _ string) error {
			if method == "CreateIntent" {
				return setupintent.ErrKeySpent
			}
			return nil
		}
		_, err := b.svc.Begin(context.Background(), "42", nil)
		require.ErrorIs(b.t, err, setupintent.ErrUnresolved)
		b.clock.advance(setupintent.MaxFlight)
	}, func(ctx context.Context, svc *setupintent.Service) {
		_, _ = svc.Begin(ctx, "42", nil)
	}},
	{"refresh of a claim", func(b *bench) {
		b.rows.After = func(method, _ string) error {
			if method == "Swap" {
				panic("dead")
			}
			return nil
		}
		require.PanicsWithValue(b.t, "dead", func() { _, _ = b.svc.Begin(context.Background(), "42", nil) })
		b.clock.advance(setupintent.Lease)
	}, func(ctx context.Context, svc *setupintent.Service) {
		_, _ = svc.Refresh(ctx, "42")
	}},
}

func begun(b *bench) {
	_, err := b.svc.Begin(context.Background(), "42", nil)
	require.NoError(b.t, err)
}

// TestDead stops a flight dead inside each call to a port, before and after its
// effect: the call never returns. A new process over the same store and
// provider must end up with one live intent, by Begin and by Refresh, and with
// none once the row's deadline is over.
func TestDead(t *testing.T) {
	t.Parallel()
	recoveries := map[string]func(*bench){
		"begin": func(b *bench) {
			b.clock.advance(setupintent.Lease)
			first, err := b.svc.Begin(context.Background(), "42", nil)
			if err != nil { // a spent key has to be waited out
				require.ErrorIs(b.t, err, setupintent.ErrUnresolved)
				b.clock.advance(setupintent.MaxFlight)
				first, err = b.svc.Begin(context.Background(), "42", nil)
			}
			require.NoError(b.t, err)
			again, err := b.svc.Begin(context.Background(), "42", nil)
			require.NoError(b.t, err)
			require.Equal(b.t, first.ID, again.ID)
			require.Equal(b.t, 1, b.live())
		},
		"refresh": func(b *bench) {
			for range 3 {
				if wait := b.row().Due.Sub(b.clock.now()); wait > 0 && wait <= setupintent.MaxFlight {
					b.clock.advance(wait)
				}
				_, err := b.svc.Refresh(context.Background(), "42")
				require.NoError(b.t, err)
			}
			switch b.row().Progress.Phase() {
			case setupintent.None:
				require.Zero(b.t, b.live())
			case setupintent.Attached:
				require.Equal(b.t, 1, b.live())
			default:
				require.Fail(b.t, "unresolved", "%v", b.row())
			}
		},
	}
	var moments atomic.Int64
	t.Cleanup(func() {
		found(t, layerDead, fmt.Sprintf("%d flights, dead at %d moments, 0 violations", len(deadFlights), moments.Load()))
	})
	for _, flight := range deadFlights {
		t.Run(flight.name, func(t *testing.T) {
			t.Parallel()
			point := 0
			for ; flight.dead(t, point) != nil; point++ {
				point := point
				for name, recovered := range recoveries {
					t.Run(fmt.Sprintf("%d/%s", point, name), func(t *testing.T) {
						t.Parallel()
						b := flight.dead(t, point)
						b.restart(nil)
						recovered(b)
						for _, in := range b.backend.Intents() {
							require.Equal(t, "42", in.Metadata["pending_user_id"])
						}
						r := b.sweep(b.svc)
						if r.Status == setupintent.Pending {
							require.True(t, r.Progress.IsZero(), "only an untouched row without a deadline stays pending: %+v", r)
						}
						require.Zero(t, b.live(), "a live intent is left past the deadline")
					})
				}
			}
			require.Greater(t, point, 3, "it hardly calls anything")
			moments.Add(int64(point))
		})
	}
}

// dead returns the bench after the flight has died at the point'th moment; nil
// if the flight was over before.
func (f deadFlight) dead(t *testing.T, point int) *bench {
	t.Helper()
	b := newBench(t, nil)
	f.setUp(b)
	if !b.dieAt(point, f.do) {
		return nil
	}
	return b
}

// dieAt runs do in a process that dies at the point'th moment before or after a
// call to a port. It reports whether there was such a moment.
func (b *bench) dieAt(point int, do func(context.Context, *setupintent.Service)) bool {
	n := 0
	died := false
	dead, over := make(chan struct{}), make(chan struct{})
	b.t.Cleanup(func() { close(over) })
	moment := func(string, string) error {
		if n++; n-1 == point {
			died = true
			close(dead)
			<-over
			runtime.Goexit()
		}
		return nil
	}
	rows := &setupintenttest.FaultyStore{Store: b.memory, Hooks: setupintenttest.Hooks{Before: moment, After: moment}}
	provider := &setupintenttest.FaultyProvider{Provider: b.backend, Hooks: setupintenttest.Hooks{Before: moment, After: moment}}
	svc := b.service(rows, provider, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(context.Background(), svc)
	}()
	select {
	case <-dead:
	case <-done:
	}
	return died
}
