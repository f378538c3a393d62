package conformance_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

func TestExpire(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	now := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		r := l.open(t, e.Open(t), e, store.Options{})
		insert := func(due time.Time) setupintent.Row {
			row := r.pending(t)
			require.NoError(t, r.exec(`UPDATE {t} SET {due} = ? WHERE {id} = ?`, r.time(due), row.ID))
			row.Due = due
			return row
		}
		load := func(row setupintent.Row) setupintent.Row {
			row, err := r.store.Load(ctx, row.ID)
			require.NoError(t, err)
			return row
		}
		newest, oldest, middle := insert(now), insert(now.Add(-2*time.Hour)), insert(now.Add(-time.Hour))
		stay := []setupintent.Row{insert(time.Time{}), insert(now.Add(time.Microsecond)), insert(now), insert(now)}
		_, err := r.store.Swap(ctx, stay[2], setupintent.Row{Status: setupintent.Pending, Due: now, Progress: parse(t, attached)})
		require.NoError(t, err)
		status := r.foreign
		if status == "" {
			status = "suspended"
		}
		require.NoError(t, r.setStatus(stay[3].ID, status))
		for i := range stay {
			stay[i] = load(stay[i])
		}

		n, err := r.store.Expire(ctx, now, 2)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		for _, row := range []setupintent.Row{oldest, middle} {
			require.Equal(t, setupintent.Row{ID: row.ID, Status: setupintent.Abandoned, Version: row.Version + 1}, load(row))
		}
		require.Equal(t, newest, load(newest))
		late := insert(now.Add(-3 * time.Hour)) // before the place that was reached
		for _, want := range []int{2, 0, 0} {
			n, err := r.store.Expire(ctx, now, 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		require.Equal(t, setupintent.Abandoned, load(newest).Status)
		require.Equal(t, setupintent.Abandoned, load(late).Status)
		for _, row := range stay {
			require.Equal(t, row, load(row))
		}
		won, err := r.store.Swap(ctx, newest, newest)
		require.NoError(t, err)
		require.False(t, won, "a row that was expired must not go on")
		n, err = r.store.Expire(ctx, now, 0)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// Sweepers at the same time share the work.
func TestExpireAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	now := time.Now()
	onOwnTable(t, store.Options{}, func(t *testing.T, r *rows) {
		const all = 200
		for i := range all {
			require.NoError(t, r.insert("row "+strconv.Itoa(i), now.Add(-time.Duration(i)*time.Second)))
		}
		var mu sync.Mutex
		var sweepers sync.WaitGroup
		total := 0
		for range 4 {
			sweepers.Go(func() {
				for {
					n, err := r.store.Expire(ctx, now, 7)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					total += n
					over := total >= all
					mu.Unlock()
					if over {
						return
					}
				}
			})
		}
		sweepers.Wait()
		require.Equal(t, all, total)
		require.Equal(t, all, r.count(t, `SELECT COUNT(*) FROM {t} WHERE {status} = 'abandoned' AND {version} = 2`))
	})
}

// In PostgreSQL, neither does a session's isolation turn them against each other.
func TestExpireAtOnceIsolated(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for i, e := range []dbtest.Engine{
		dbtest.Postgres.With("default_transaction_isolation=serializable"),
		dbtest.Postgres.With("default_transaction_isolation=repeatable%20read"),
		dbtest.LibPQ.With("default_transaction_isolation=serializable"),
	} {
		t.Run(fmt.Sprint(i, " ", e.Driver), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			r := layouts[0].open(t, e.Open(t), e, store.Options{})
			const all = 10000
			r.fill(t, all, setupintent.Pending, now)
			var sweepers sync.WaitGroup
			var total atomic.Int64
			for range 4 {
				sweepers.Go(func() {
					for total.Load() < all {
						n, err := r.store.Expire(ctx, now, 200)
						total.Add(int64(n))
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			sweepers.Wait()
			require.EqualValues(t, all, total.Load())
			require.Equal(t, all, r.count(t, `SELECT COUNT(*) FROM {t} WHERE {status} = 'abandoned' AND {version} = 2`))
		})
	}
}

// What is rolled back is not counted: not at the commit, where a deferred trigger
// refuses it, and not by the second statement, of the rows before the bookmark.
func TestExpireCountsCommitted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	now := time.Now()
	for _, e := range []dbtest.Engine{dbtest.Postgres, dbtest.LibPQ} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			r := layouts[0].open(t, e.Open(t), e, store.Options{})
			insert := func(id string, ago time.Duration) { require.NoError(t, r.insert(id, now.Add(-ago))) }
			abandoned := func() int { return r.count(t, `SELECT COUNT(*) FROM {t} WHERE {status} = 'abandoned'`) }
			require.NoError(t, r.exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the row % is to stay', NEW.id; END $$`))
			require.NoError(t, r.exec(`CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON {t} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id LIKE 'stays%') EXECUTE FUNCTION refuse()`))

			insert("stays, too", time.Minute)
			n, err := r.store.Expire(ctx, now, 10)
			require.ErrorContains(t, err, "is to stay")
			require.Zero(t, n)
			require.Zero(t, abandoned())
			r.delete("stays, too")

			insert("a", time.Hour)
			insert("b", time.Minute)
			n, err = r.store.Expire(ctx, now, 1)
			require.NoError(t, err)
			require.Equal(t, 1, n) // and there is the bookmark
			insert("stays", 2*time.Hour)
			n, err = r.store.Expire(ctx, now, 2)
			require.ErrorContains(t, err, "is to stay")
			require.Equal(t, 1, n)
			require.Equal(t, 2, abandoned())
		})
	}
}
