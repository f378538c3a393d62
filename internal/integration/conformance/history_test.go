package conformance_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// The history of a row is linearizable: every operation takes effect at once, at
// some time between its call and its return; one whose outcome is unknown, at
// some time after its call, or never.
var history = porcupine.NondeterministicModel{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		rows := map[string][]porcupine.Operation{}
		for _, op := range all {
			id := op.Input.(operation).prev.ID
			rows[id] = append(rows[id], op)
		}
		var parts [][]porcupine.Operation
		for _, ops := range rows {
			parts = append(parts, ops)
		}
		return parts
	},
	Init: func() []any { return []any{setupintent.Row{Status: setupintent.Pending, Version: 1}} },
	Step: func(state, input, output any) []any {
		now, op, out := state.(setupintent.Row), input.(operation), output.(outcome)
		holds := now.Status == op.prev.Status && now.Version == op.prev.Version
		switch {
		case !op.swap:
			if same(now, out.row) {
				return []any{now}
			}
			return nil
		case out.unknown && holds:
			return []any{now, after(op)}
		case out.unknown:
			return []any{now}
		case out.won && holds:
			return []any{after(op)}
		case !out.won && !holds:
			return []any{now}
		}
		return nil
	},
	Equal: func(a, b any) bool { return same(a.(setupintent.Row), b.(setupintent.Row)) },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
}

type operation struct {
	swap       bool // else a load, of prev.ID
	prev, next setupintent.Row
}

type outcome struct {
	row     setupintent.Row
	won     bool
	unknown bool
}

func after(op operation) setupintent.Row {
	next := op.next
	next.Version = op.prev.Version + 1
	return next
}

func same(a, b setupintent.Row) bool {
	return a.Status == b.Status && a.Version == b.Version && a.Due.Equal(b.Due)
}

func TestHistories(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.All() {
		for _, cuts := range []bool{false, true} {
			if cuts && e.Driver == dbtest.SQLite.Driver {
				continue
			}
			name := strings.ReplaceAll(e.Name, "/", "")
			if cuts {
				name += ", cut"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dsn := e.DSN(t)
				r := layouts[0].open(t, dbtest.OpenDSN(t, e.Driver, dsn), e, store.Options{})
				s := r.store
				if cuts {
					proxy, proxied := e.Proxy(t, dsn)
					db := dbtest.OpenDSN(t, e.Driver, proxied)
					db.SetMaxOpenConns(16)
					var err error
					s, err = store.New(db, e.Dialect, nil)
					require.NoError(t, err)
					proxy.CutWhen(func() bool { return rand.IntN(50) == 0 })
				}
				ops, unknown := record(t, r, s)
				if cuts {
					require.NotZero(t, unknown, "no connection was cut in the middle")
				}
				model := history.ToModel()
				// Unknown is a verdict on the machine, so there is ample time.
				result := porcupine.CheckOperationsTimeout(model, ops, 10*time.Minute)
				require.NotEqual(t, porcupine.Illegal, result, "it is not linearizable")
				require.Equal(t, porcupine.Ok, result, "the machine was too slow to tell")
				t.Logf("%d operations, %d of them unknown", len(ops), unknown)
			})
		}
	}
}

var operations = flag.Int("operations", 2400, "how many operations a history has")

// record has 16 clients load and swap a few rows.
func record(t *testing.T, r *rows, s *store.Store) ([]porcupine.Operation, int64) {
	const clients, rowCount = 16, 8
	var ids []string
	for i := range rowCount {
		id := fmt.Sprintf("row %d", i)
		require.NoError(t, r.insert(id, time.Time{}))
		ids = append(ids, id)
	}
	var (
		mu      sync.Mutex
		all     []porcupine.Operation
		running sync.WaitGroup
		unknown atomic.Int64
	)
	start := time.Now()
	for client := range clients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			known := map[string]setupintent.Row{}
			for n := range *operations / clients {
				id := ids[random.IntN(len(ids))]
				prev, ok := known[id]
				op := operation{swap: ok && random.IntN(3) > 0, prev: prev}
				op.prev.ID = id
				op.next = setupintent.Row{Status: setupintent.Pending, Due: time.Unix(int64(client), int64(n)*1000).UTC()}
				if op.swap && random.IntN(200) == 0 {
					op.next.Status = setupintent.Active
				}
				if prev.Status != "" && prev.Status != setupintent.Pending {
					op.next.Status = prev.Status
				}
				called := time.Since(start)
				out := outcome{}
				var err error
				if op.swap {
					out.won, err = s.Swap(context.Background(), op.prev, op.next)
				} else {
					out.row, err = s.Load(context.Background(), id)
				}
				returned := time.Since(start)
				if err != nil {
					if !op.swap {
						continue
					}
					out.unknown, returned = true, time.Hour
					unknown.Add(1)
				}
				switch {
				case !op.swap:
					known[id] = out.row
				case out.won:
					known[id] = after(op)
				default:
					delete(known, id)
				}
				mu.Lock()
				all = append(all, porcupine.Operation{ClientId: client, Input: op, Call: called.Nanoseconds(), Output: out, Return: returned.Nanoseconds()})
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return all, unknown.Load()
}
