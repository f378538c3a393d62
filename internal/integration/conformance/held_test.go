package conformance_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// idle is a provider that fails the test when it is called while a connection of
// the pool is out.
func idle(t *testing.T, db *sql.DB, backend *setupintenttest.Provider) *setupintenttest.FaultyProvider {
	p := &setupintenttest.FaultyProvider{Provider: backend}
	look := func(method, _ string) error {
		if n := db.Stats().InUse; n > 0 {
			t.Errorf("%d connections are out during %s", n, method)
		}
		return nil
	}
	p.Before, p.After = look, look
	return p
}

// No connection and no transaction is held while the provider is called, by any
// method of the service; and each takes the round trips that it says.
func TestNoConnectionHeld(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range []dbtest.Engine{
		dbtest.SQLite, dbtest.Postgres, dbtest.LibPQ,
		dbtest.MariaDB.With("interpolateParams=true"), // without it each statement is prepared first
	} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			w := &dbtest.Wrapped{}
			db := e.OpenWrapped(t, e.DSN(t), w)
			db.SetMaxOpenConns(1) // to hold one and need another is to stand still
			r := layouts[0].open(t, db, e, store.Options{OnActive: func(ctx context.Context, tx *sql.Tx, row setupintent.Row) error {
				_, err := tx.ExecContext(ctx, `DELETE FROM effects`)
				return err
			}})
			require.NoError(t, r.exec(effects))
			backend := new(setupintenttest.Provider)
			provider := idle(t, db, backend)
			now := time.Now()
			svc, err := setupintent.New(r.store, provider, &setupintent.Options{Now: func() time.Time { return now }, Rate: 1000})
			require.NoError(t, err)
			trips := func(name string, most int64, f func()) {
				t.Helper()
				before := w.Statements.Load()
				f()
				if n := w.Statements.Load() - before; n > most {
					t.Errorf("%s took %d statements, and may take %d", name, n, most)
				}
			}
			row := r.pending(t)
			var in setupintent.Intent
			trips("the first request", 3, func() {
				in, err = svc.Begin(ctx, row.ID, nil)
				require.NoError(t, err)
			})
			trips("a repeated request", 1, func() {
				again, err := svc.Begin(ctx, row.ID, nil)
				require.NoError(t, err)
				require.Equal(t, in.ID, again.ID)
			})
			require.NoError(t, backend.Confirm(in.ID, "pm_1"))
			trips("the activation", 5, func() { // a read; BEGIN, a write, the effect, COMMIT
				active, err := svc.Activate(ctx, row.ID, in.ID)
				require.NoError(t, err)
				require.Equal(t, setupintent.Active, active.Status)
			})
			trips("one that has ended", 1, func() {
				_, err := svc.Begin(ctx, row.ID, nil)
				require.ErrorIs(t, err, setupintent.ErrNotPending)
			})

			for range 3 {
				row := r.pending(t)
				_, err := svc.Begin(ctx, row.ID, nil)
				require.NoError(t, err)
			}
			row = r.pending(t)
			_, err = svc.Begin(ctx, row.ID, nil)
			require.NoError(t, err)
			cancelled, err := svc.Cancel(ctx, row.ID)
			require.NoError(t, err)
			require.Equal(t, setupintent.Cancelled, cancelled.Status)
			now = now.Add(13 * time.Hour)
			report, err := svc.Sweep(ctx, r.store, &setupintent.SweepOptions{Expire: r.store.Expire})
			require.NoError(t, err)
			require.Equal(t, 3, report.Abandoned)
			for _, method := range []string{"CreateIntent", "GetIntent", "CancelIntent"} {
				require.NotZero(t, provider.Calls(method), method)
			}
			require.Zero(t, db.Stats().InUse)
		})
	}
}

// With a pool of two, 64 rows are at the provider at the same time: nobody keeps
// a connection meanwhile.
func TestPoolOfTwo(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const rows = 64
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			db.SetMaxOpenConns(2)
			r := layouts[0].open(t, db, e, store.Options{})
			p := &setupintenttest.FaultyProvider{Provider: new(setupintenttest.Provider)}
			var arrived atomic.Int64
			all := make(chan struct{})
			p.Before = func(string, string) error {
				if arrived.Add(1) == rows {
					close(all)
				}
				select {
				case <-all:
					return nil
				case <-time.After(time.Minute):
					return errors.New("the others do not come")
				}
			}
			svc, err := setupintent.New(r.store, p, nil)
			require.NoError(t, err)
			errs := make(chan error, rows)
			for range rows {
				id := r.pending(t).ID
				go func() {
					_, err := svc.Begin(ctx, id, nil)
					errs <- err
				}()
			}
			for range rows {
				require.NoError(t, <-errs)
			}
		})
	}
}
