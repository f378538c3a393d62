package conformance_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/stretchr/testify/require"
)

// effects is the application's own table, which the effect writes.
const effects = `CREATE TABLE effects (row_id VARCHAR(64) NOT NULL, version INTEGER NOT NULL, progress TEXT)`

// opened returns a table whose store has the effect.
func opened(t *testing.T, e dbtest.Engine, l layout, onActive func(*rows) func(context.Context, *sql.Tx, setupintent.Row) error) *rows {
	var r *rows
	opts := store.Options{}
	opts.OnActive = func(ctx context.Context, tx *sql.Tx, row setupintent.Row) error { return onActive(r)(ctx, tx, row) }
	r = l.open(t, e.Open(t), e, opts)
	require.NoError(t, r.exec(effects))
	return r
}

func (r *rows) pending(t testing.TB) setupintent.Row {
	id := randomID()
	if r.newID != nil {
		id = r.newID()
	}
	require.NoError(t, r.insert(id, time.Time{}))
	row, err := r.store.Load(context.Background(), id)
	require.NoError(t, err)
	return row
}

func (r *rows) count(t testing.TB, query string, args ...any) (n int) {
	require.NoError(t, r.db.QueryRowContext(context.Background(), r.sql(query), args...).Scan(&n))
	return n
}

func parse(t require.TestingT, text string) (p setupintent.Progress) {
	require.NoError(t, p.UnmarshalText([]byte(text)))
	return p
}

const (
	attached = `{"format":1,"phase":"attached","intent":{"id":"seti_1","sent":"2026-01-02T03:04:05Z","last":"2026-01-02T03:04:05Z","err_since":"0001-01-01T00:00:00Z"},"customer":{"id":"cus_1","sent":"0001-01-01T00:00:00Z","last":"0001-01-01T00:00:00Z","err_since":"0001-01-01T00:00:00Z"},"deadline":"2026-01-02T15:04:05Z","written":2}`
	done     = `{"format":1,"phase":"done","intent":{"id":"seti_1","sent":"0001-01-01T00:00:00Z","last":"0001-01-01T00:00:00Z","err_since":"0001-01-01T00:00:00Z"},"deadline":"2026-01-02T15:04:05Z","written":3}`
)

func TestEffect(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		var fail func(ctx context.Context) error
		var got setupintent.Row
		r := opened(t, e, l, func(r *rows) func(context.Context, *sql.Tx, setupintent.Row) error {
			return func(ctx context.Context, tx *sql.Tx, row setupintent.Row) error {
				got = row
				if !setupintent.InTransaction(ctx) {
					return errors.New("the context is not marked")
				}
				progress, err := row.Progress.Value()
				if err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, r.sql(`INSERT INTO effects (row_id, version, progress) VALUES (?, ?, ?)`), row.ID, row.Version, progress); err != nil {
					return err
				}
				if fail != nil {
					return fail(ctx)
				}
				return nil
			}
		})
		effects := func(row setupintent.Row) int {
			return r.count(t, `SELECT COUNT(*) FROM effects WHERE row_id = ?`, row.ID)
		}
		swap := func(prev, next setupintent.Row) (bool, error) { return r.store.Swap(ctx, prev, next) }

		inTurn(t, "it runs with the row as it will be", func(t *testing.T) {
			row := r.pending(t)
			won, err := swap(row, setupintent.Row{Status: setupintent.Active, Progress: parse(t, done)})
			require.NoError(t, err)
			require.True(t, won)
			require.Equal(t, 1, effects(row))
			now, err := r.store.Load(ctx, row.ID)
			require.NoError(t, err)
			require.Equal(t, now, got)
		})
		inTurn(t, "it does not run when the swap is lost", func(t *testing.T) {
			row := r.pending(t)
			_, err := swap(row, row)
			require.NoError(t, err)
			won, err := swap(row, setupintent.Row{Status: setupintent.Active})
			require.NoError(t, err)
			require.False(t, won)
			require.Zero(t, effects(row))
		})
		inTurn(t, "it does not run for another status", func(t *testing.T) {
			row := r.pending(t)
			won, err := swap(row, setupintent.Row{Status: setupintent.Cancelled})
			require.NoError(t, err)
			require.True(t, won)
			require.Zero(t, effects(row))
		})
		inTurn(t, "it does not run again for a row that was activated before", func(t *testing.T) {
			row := r.pending(t)
			next := row
			next.Progress = parse(t, done) // a stale save has written pending over active
			_, err := swap(row, next)
			require.NoError(t, err)
			next.Version++
			won, err := swap(next, setupintent.Row{Status: setupintent.Active, Progress: next.Progress})
			require.NoError(t, err)
			require.True(t, won)
			require.Zero(t, effects(row))
		})
		stripe := nobody(t)
		failures := map[string]func(context.Context) error{
			"an error":            func(context.Context) error { return errors.New("no room") },
			"a panic":             func(context.Context) error { panic("sk_live_1") },
			"a call of the store": func(ctx context.Context) error { _, err := r.store.Load(ctx, got.ID); return err },
			"a swap":              func(ctx context.Context) error { _, err := r.store.Swap(ctx, got, got); return err },
			"a sweep":             func(ctx context.Context) error { _, err := r.store.Expire(ctx, time.Now(), 10); return err },
			"a call of Stripe":    func(ctx context.Context) error { _, err := stripe.GetIntent(ctx, "seti_1"); return err },
		}
		for name, f := range failures {
			inTurn(t, "nothing is written after "+name, func(t *testing.T) {
				row := r.pending(t)
				fail = f
				won, err := swap(row, setupintent.Row{Status: setupintent.Active})
				fail = nil
				require.ErrorIs(t, err, setupintent.ErrHook)
				require.NotContains(t, err.Error(), "sk_live_", "what it panicked with may be a secret")
				require.False(t, won)
				require.Zero(t, effects(row))
				now, err := r.store.Load(ctx, row.ID)
				require.NoError(t, err)
				require.Equal(t, row, now)
				won, err = swap(row, setupintent.Row{Status: setupintent.Active})
				require.NoError(t, err)
				require.True(t, won)
				require.Equal(t, 1, effects(row))
			})
		}
		inTurn(t, "of many at once it runs once", func(t *testing.T) {
			row := r.pending(t)
			var won atomic.Int32
			var racers sync.WaitGroup
			for range 16 {
				racers.Go(func() {
					for {
						ok, err := swap(row, setupintent.Row{Status: setupintent.Active})
						if ok {
							won.Add(1)
						}
						if err == nil {
							return
						}
					}
				})
			}
			racers.Wait()
			require.EqualValues(t, 1, won.Load())
			require.Equal(t, 1, effects(row))
		})
		require.Zero(t, r.db.Stats().InUse, "a connection is still out")
	})
}

// nobody is a Stripe that must not be called.
func nobody(t *testing.T) *stripeport.Provider {
	p, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: &http.Client{Transport: refusing{t}}})
	require.NoError(t, err)
	return p
}

type refusing struct{ t *testing.T }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("%s %s was sent", req.Method, req.URL.Path)
	return nil, errors.New("no network")
}

// An effect that breaks its transaction, though it says nothing, is a hook that
// failed: the row stays pending, and the service backs off and tells.
func TestEffectBreaksTheTransaction(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := []struct {
		name    string
		engines []store.Dialect
		timeout time.Duration // to be overrun, and enough for what comes before the effect; 0: enough for all
		effect  func(context.Context, *sql.Tx) error
	}{
		{"it does not end", everywhere, 2 * time.Second, func(ctx context.Context, _ *sql.Tx) error { <-ctx.Done(); return ctx.Err() }},
		{"it overruns its time", everywhere, 2 * time.Second, func(ctx context.Context, _ *sql.Tx) error { <-ctx.Done(); return nil }},
		{"it rolls back", everywhere, 0, func(_ context.Context, tx *sql.Tx) error { return tx.Rollback() }},
		{"a deferred constraint", []store.Dialect{store.PostgreSQL, store.SQLite}, 0, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO cards (account) VALUES (1)`)
			return err
		}},
		{"a deferred trigger", []store.Dialect{store.PostgreSQL}, 0, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO accounts (id) VALUES (0)`)
			return err
		}},
		{"a failed statement", []store.Dialect{store.PostgreSQL}, 0, func(ctx context.Context, tx *sql.Tx) error {
			_, _ = tx.ExecContext(ctx, `INSERT INTO nowhere VALUES (1)`)
			return nil
		}},
	}
	for _, e := range []dbtest.Engine{dbtest.SQLite.With("_pragma=foreign_keys(1)"), dbtest.Postgres, dbtest.LibPQ, dbtest.MariaDB} {
		for _, test := range tests {
			if !slices.Contains(test.engines, e.Dialect) {
				continue
			}
			t.Run(e.Driver+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				r := layouts[0].open(t, e.Open(t), e, store.Options{
					OnActiveTimeout: cmp.Or(test.timeout, time.Minute),
					OnActive:        func(ctx context.Context, tx *sql.Tx, _ setupintent.Row) error { return test.effect(ctx, tx) },
				})
				require.NoError(t, r.exec(`CREATE TABLE accounts (id INTEGER PRIMARY KEY)`))
				if e.Dialect != store.MySQL { // which has no such constraint
					require.NoError(t, r.exec(`CREATE TABLE cards (account INTEGER REFERENCES accounts DEFERRABLE INITIALLY DEFERRED)`))
				}
				if e.Dialect == store.PostgreSQL {
					require.NoError(t, r.exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$`))
					require.NoError(t, r.exec(`CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`))
				}
				row := r.pending(t)
				won, err := r.store.Swap(ctx, row, setupintent.Row{Status: setupintent.Active})
				require.ErrorIs(t, err, setupintent.ErrHook)
				require.False(t, won)
				now, err := r.store.Load(ctx, row.ID)
				require.NoError(t, err)
				require.Equal(t, row, now)
			})
		}
	}
}

// A COMMIT whose answer is lost is not the effect's fault, and its outcome is
// unknown.
func TestLostCommitIsNoHook(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			b := layouts[0].breakable(t, e, store.Options{OnActive: func(context.Context, *sql.Tx, setupintent.Row) error { return nil }})
			row := b.pending(t)
			b.harness(t).Cut()
			_, err := b.store.Swap(ctx, row, setupintent.Row{Status: setupintent.Active})
			require.Error(t, err)
			require.NotErrorIs(t, err, setupintent.ErrHook)
			now, err := b.store.Load(ctx, row.ID)
			require.NoError(t, err)
			require.Equal(t, setupintent.Active, now.Status)
		})
	}
}

// A serialization failure in the effect's own statements rolls back, and the
// whole is done again: the effect is there once.
func TestEffectIsRolledBackByOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range []dbtest.Engine{
		dbtest.Postgres.With("default_transaction_isolation=serializable"),
		dbtest.LibPQ.With("default_transaction_isolation=serializable"),
		dbtest.MariaDB, // by a deadlock
	} {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			interfere := make(chan struct{})
			interfered := make(chan error, 1)
			runs := 0
			r := opened(t, e, layouts[0], func(r *rows) func(context.Context, *sql.Tx, setupintent.Row) error {
				return func(ctx context.Context, tx *sql.Tx, row setupintent.Row) error {
					runs++
					var n int
					if err := tx.QueryRowContext(ctx, `SELECT version FROM effects WHERE row_id = 'shared'`).Scan(&n); err != nil {
						return err
					}
					once.Do(func() {
						close(interfere)
						if err := <-interfered; err != nil {
							t.Error(err)
						}
					})
					_, err := tx.ExecContext(ctx, `UPDATE effects SET version = version + 1 WHERE row_id = 'shared'`)
					return err
				}
			})
			require.NoError(t, r.exec(`INSERT INTO effects (row_id, version) VALUES ('shared', 0)`))
			row := r.pending(t)
			go func() {
				<-interfere
				if e.Dialect == store.PostgreSQL {
					interfered <- r.exec(`UPDATE effects SET version = version + 1 WHERE row_id = 'shared'`)
					return
				}
				tx, err := r.db.BeginTx(ctx, nil)
				if err == nil {
					_, err = tx.ExecContext(ctx, `UPDATE effects SET version = version + 1`)
				}
				interfered <- err
				if err == nil { // waits for the row; one of the two is chosen
					for range 100 { // the more it has written, the less likely is it this one
						_, _ = tx.ExecContext(ctx, `INSERT INTO effects (row_id, version) VALUES ('mine', 0)`)
					}
					_, _ = tx.ExecContext(ctx, r.sql(`UPDATE {t} SET created_at = created_at WHERE {id} = ?`), row.ID)
					_ = tx.Commit()
				}
			}()
			won, err := r.store.Swap(ctx, row, setupintent.Row{Status: setupintent.Active})
			require.NoError(t, err)
			require.True(t, won)
			require.Equal(t, 2, runs, "nobody interfered")
			require.Equal(t, 2, r.count(t, `SELECT version FROM effects WHERE row_id = 'shared'`))
		})
	}
}
