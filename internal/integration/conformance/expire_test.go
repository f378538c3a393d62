package conformance_test

import (
	"context"
	"strconv"
	"sync"
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
