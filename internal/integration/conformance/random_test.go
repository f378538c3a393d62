package conformance_test

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// machine is a store, what it must hold, and rows as they were at some time.
type machine struct {
	*rows
	want map[string]setupintent.Row
	seen []setupintent.Row // to swap from: some are out of date
	now  time.Time
}

func (m *machine) at(t *rapid.T, label string) time.Time {
	n := rapid.IntRange(-3, 6).Draw(t, label)
	if n == -3 {
		return time.Time{}
	}
	return m.now.Add(time.Duration(n) * time.Microsecond)
}

func (m *machine) insert(t *rapid.T) {
	if len(m.want) > 6 {
		return
	}
	id := randomID()
	if m.newID != nil {
		id = m.newID()
	}
	due := m.at(t, "deadline")
	require.NoError(t, m.rows.insert(id, due))
	row, err := m.store.Load(context.Background(), id)
	require.NoError(t, err)
	m.want[id] = setupintent.Row{ID: id, Status: setupintent.Pending, Version: row.Version, Due: due}
	m.seen = append(m.seen, row)
}

// some returns a row that was seen. Where there is none yet, rapid draws another
// action instead: its Skip skips no test.
func (m *machine) some(t *rapid.T) setupintent.Row {
	if len(m.seen) == 0 {
		t.Skip("no row yet")
	}
	return m.seen[len(m.seen)-1-rapid.IntRange(0, min(5, len(m.seen)-1)).Draw(t, "row")]
}

func (m *machine) load(t *rapid.T) {
	id := m.some(t).ID
	row, err := m.store.Load(context.Background(), id)
	want, ok := m.want[id]
	if !ok {
		require.ErrorIs(t, err, setupintent.ErrNotFound)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, row)
	m.seen = append(m.seen, row)
}

func (m *machine) swap(t *rapid.T) {
	prev := m.some(t)
	foreign := cmp.Or(m.foreign, "suspended")
	next := setupintent.Row{
		Status:   rapid.SampledFrom([]setupintent.Status{setupintent.Pending, prev.Status, prev.Status, setupintent.Active, setupintent.Abandoned, foreign}).Draw(t, "status"),
		Due:      m.at(t, "due"),
		Progress: parse(t, rapid.SampledFrom([]string{"", attached, done, `{"format":99, "x":"ü\\"}`}).Draw(t, "progress")),
	}
	won, err := m.store.Swap(context.Background(), prev, next)
	require.NoError(t, err)
	now, there := m.want[prev.ID]
	holds := there && now.Status == prev.Status && now.Version == prev.Version && (next.Status == prev.Status || prev.Status == setupintent.Pending)
	require.Equal(t, holds, won)
	if won {
		next.ID, next.Version = prev.ID, prev.Version+1
		m.want[prev.ID] = next
		m.seen = append(m.seen, next)
	}
}

func (m *machine) overwrite(t *rapid.T) {
	id := m.some(t).ID
	status := rapid.SampledFrom([]setupintent.Status{setupintent.Pending, setupintent.Active, cmp.Or(m.foreign, "suspended")}).Draw(t, "status")
	require.NoError(t, m.setStatus(id, status))
	if row, ok := m.want[id]; ok {
		row.Status = status
		row.Version++
		m.want[id] = row
	}
}

func (m *machine) remove(t *rapid.T) {
	id := m.some(t).ID
	m.delete(id)
	delete(m.want, id)
}

func (m *machine) expire(t *rapid.T) {
	limit := rapid.IntRange(0, 4).Draw(t, "limit")
	m.now = m.now.Add(time.Microsecond) // begins with the oldest
	n, err := m.store.Expire(context.Background(), m.now, limit)
	require.NoError(t, err)
	var due []setupintent.Row
	for _, row := range m.want {
		if row.Status == setupintent.Pending && row.Progress.IsZero() && !row.Due.IsZero() && !row.Due.After(m.now) {
			due = append(due, row)
		}
	}
	require.Equal(t, min(limit, len(due)), n)
	slices.SortFunc(due, func(a, b setupintent.Row) int { return a.Due.Compare(b.Due) })
	if n == 0 {
		return
	}
	last := due[n-1].Due
	for _, row := range due { // of equal dues, any may have been first
		now, err := m.store.Load(context.Background(), row.ID)
		require.NoError(t, err)
		if now.Status == setupintent.Abandoned {
			require.Equal(t, setupintent.Row{ID: row.ID, Status: setupintent.Abandoned, Version: row.Version + 1}, now)
			require.False(t, row.Due.After(last), "a row was expired before an older one")
			m.want[row.ID] = now
			n--
		}
	}
	require.Zero(t, n)
}

func (m *machine) due(t *rapid.T) {
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	got := map[string]setupintent.Row{}
	for after := (setupintent.Row{}); ; {
		page, err := m.store.Due(context.Background(), m.now, after, limit)
		require.NoError(t, err)
		for _, row := range page {
			require.False(t, row.Due.Before(after.Due))
			after = row
			require.NotContains(t, got, row.ID)
			got[row.ID] = row
		}
		if len(page) < limit {
			break
		}
	}
	want := map[string]setupintent.Row{}
	for id, row := range m.want {
		if !row.Due.IsZero() && !row.Due.After(m.now) {
			want[id] = row
		}
	}
	require.Equal(t, want, got)
}

// Whatever the application and the service do in turn, the store holds what a
// map would.
func TestStateMachine(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		r := l.open(t, e.Open(t), e, store.Options{})
		now := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
		rapid.Check(t, func(t *rapid.T) {
			require.NoError(t, r.exec(`DELETE FROM {t}`))
			now = now.Add(time.Second) // the store is the same, and has a bookmark
			m := &machine{rows: r, want: map[string]setupintent.Row{}, now: now}
			for range 3 {
				m.insert(t)
			}
			t.Repeat(map[string]func(*rapid.T){
				"insert": m.insert, "load": m.load, "swap": m.swap, "swap again": m.swap, "swap more": m.swap,
				"overwrite": m.overwrite, "remove": m.remove, "expire": m.expire, "due": m.due,
			})
		})
	})
}
