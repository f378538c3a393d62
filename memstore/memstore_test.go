package memstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/stretchr/testify/require"
)

func TestStore(t *testing.T) {
	t.Parallel()
	setupintenttest.TestStore(t, func(testing.TB) setupintenttest.StoreHarness {
		s := memstore.New()
		return setupintenttest.StoreHarness{Store: s, Insert: s.Insert, SetStatus: s.SetStatus, Delete: s.Delete}
	})
}

func TestInsert(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	require.NoError(t, s.Insert("a", time.Time{}))
	require.ErrorContains(t, s.Insert("a", time.Time{}), `there is a row "a" already`)
	require.ErrorContains(t, s.Insert("", time.Time{}), "needs an id")
	require.ErrorIs(t, s.SetStatus("b", setupintent.Active), setupintent.ErrNotFound)
}

func TestDue(t *testing.T) {
	t.Parallel()
	s, now := memstore.New(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for id, due := range map[string]time.Time{
		"never": {}, "later": now.Add(1), "now": now, "b": now.Add(-time.Hour), "a": now.Add(-time.Hour), "c": now.Add(-time.Hour),
	} {
		require.NoError(t, s.Insert(id, due))
	}
	require.NoError(t, s.SetStatus("a", "suspended"))

	var ids []string
	for after := (setupintent.Row{}); ; {
		page, err := s.Due(context.Background(), now, after, 2)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			ids = append(ids, r.ID)
		}
		after = page[len(page)-1]
	}
	require.Equal(t, []string{"a", "b", "c", "later", "now"}, ids, "nanoseconds are not kept, so that later is now")
}
