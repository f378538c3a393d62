package setupintenttest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/stretchr/testify/require"
)

type dueFunc = func(context.Context, time.Time, setupintent.Row, int) ([]setupintent.Row, error)

func dueHarness(due func(*memstore.Store) dueFunc) func(testing.TB) setupintenttest.DueHarness {
	return func(testing.TB) setupintenttest.DueHarness {
		s := memstore.New()
		return setupintenttest.DueHarness{
			StoreHarness: setupintenttest.StoreHarness{Store: s, Insert: s.Insert, SetStatus: s.SetStatus, Delete: s.Delete},
			Due:          due(s),
		}
	}
}

func TestDueInMemory(t *testing.T) {
	t.Parallel()
	setupintenttest.TestDue(t, dueHarness(func(s *memstore.Store) dueFunc { return s.Due }))
}

// Stores that break one rule of Due each.
var brokenDue = map[string]func(*memstore.Store) dueFunc{
	"goes by the time alone": func(s *memstore.Store) dueFunc {
		return func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
			after.ID = "\U0010ffff"
			return s.Due(ctx, now, after, limit)
		}
	},
	"repeats the last row": func(s *memstore.Store) dueFunc {
		return func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
			after.ID = ""
			return s.Due(ctx, now, after, limit)
		}
	},
	"shows pending rows only": func(s *memstore.Store) dueFunc {
		return func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
			rows, err := s.Due(ctx, now, after, limit)
			var pending []setupintent.Row
			for _, r := range rows {
				if r.Status == setupintent.Pending {
					pending = append(pending, r)
				}
			}
			return pending, err
		}
	},
	"is late by a microsecond": func(s *memstore.Store) dueFunc {
		return func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
			return s.Due(ctx, now.Add(-time.Microsecond), after, limit)
		}
	},
	"leaves out the progress": func(s *memstore.Store) dueFunc {
		return func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
			rows, err := s.Due(ctx, now, after, limit)
			for i := range rows {
				rows[i].Progress = setupintent.Progress{}
			}
			return rows, err
		}
	},
	"ignores the limit": func(s *memstore.Store) dueFunc {
		return func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
			return s.Due(ctx, now, after, limit+1)
		}
	},
}

// losing is a store in memory that loses acknowledgements; say is what it then
// answers.
type losing struct {
	*memstore.Store
	cut bool
	say func() (bool, error)
}

func (s *losing) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	won, err := s.Store.Swap(ctx, prev, next)
	if s.cut {
		s.cut = false
		return s.say()
	}
	return won, err
}

func lostHarness(say func() (bool, error)) func(testing.TB) setupintenttest.LostHarness {
	return func(testing.TB) setupintenttest.LostHarness {
		s := &losing{Store: memstore.New(), say: say}
		return setupintenttest.LostHarness{
			StoreHarness: setupintenttest.StoreHarness{Store: s, Insert: s.Insert, SetStatus: s.SetStatus, Delete: s.Delete},
			Cut:          func() { s.cut = true },
		}
	}
}

func TestLostAckInMemory(t *testing.T) {
	t.Parallel()
	setupintenttest.TestLostAck(t, lostHarness(func() (bool, error) { return false, errors.New("the connection is cut") }))
}

const brokenDueEnv = "SETUPINTENTTEST_BROKEN_DUE"

// TestDueOnBroken is what TestSuitesFindBrokenDue runs in a process of its own,
// for it is to fail.
func TestDueOnBroken(t *testing.T) {
	t.Parallel()
	name := os.Getenv(brokenDueEnv)
	switch due := brokenDue[name]; {
	case due != nil:
		setupintenttest.TestDue(t, dueHarness(due))
	case name != "":
		setupintenttest.TestLostAck(t, lostHarness(func() (bool, error) { return false, nil }))
	}
}

func TestSuitesFindBrokenDue(t *testing.T) {
	t.Parallel()
	names := []string{"says lost when it does not know"}
	for name := range brokenDue {
		names = append(names, name)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestDueOnBroken$")
			cmd.Env = append(os.Environ(), brokenDueEnv+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the suite passed something that %s:\n%s", name, out)
			require.Contains(t, string(out), "rule: ", "the failure does not print the rule")
		})
	}
}
