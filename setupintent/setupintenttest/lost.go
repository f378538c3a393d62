package setupintenttest

import (
	"context"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// LostHarness is a store under test whose connection can be cut.
type LostHarness struct {
	StoreHarness

	// Cut makes the database commit the store's next write, and cuts the
	// connection before the store is told.
	Cut func()
}

// TestLostAck checks that a store whose write was committed, but whose
// acknowledgement was lost, says that it does not know: it never says that
// nothing was written. Like [TestStore], it asks for a new harness for each case.
func TestLostAck(t *testing.T, newHarness func(testing.TB) LostHarness) {
	t.Helper()
	runChecks(t, lostChecks, func(t testing.TB) *lostCase {
		h := newHarness(t)
		c := &lostCase{storeCase: storeCase{StoreHarness: h.StoreHarness, ctx: context.Background()}, cut: h.Cut}
		c.setDefaults()
		return c
	})
}

type lostCase struct {
	storeCase
	cut func()
}

// lose swaps with the acknowledgement cut, and returns the row after it.
func (c *lostCase) lose(t *suiteT, prev, next setupintent.Row) setupintent.Row {
	t.Helper()
	c.cut()
	won, err := c.Store.Swap(c.ctx, prev, next)
	t.mustf(err != nil || won, "Swap returned false, and no error")
	next.ID, next.Version = prev.ID, prev.Version+1
	now := c.load(t, prev.ID)
	equal(t, now, next)
	t.mustf(err != nil, "the harness did not cut the acknowledgement: Swap returned true")
	return now
}

var lostChecks = []check[*lostCase]{
	{"Swap", "a swap that was committed and not acknowledged is an error, not false", func(t *suiteT, c *lostCase) {
		r := c.pending(t, deadline)
		c.lose(t, r, setupintent.Row{Status: setupintent.Pending, Due: deadline.Add(time.Hour), Progress: progress(t, claimedProgress)})
	}},
	{"SwapEnds", "so is one that changes the status, with whatever the store does in its transaction", func(t *suiteT, c *lostCase) {
		for _, status := range []setupintent.Status{setupintent.Active, setupintent.Abandoned} {
			c.lose(t, c.pending(t, deadline), setupintent.Row{Status: status})
		}
	}},
	{"GoesOn", "the store goes on after it", func(t *suiteT, c *lostCase) {
		r := c.pending(t, deadline)
		r = c.lose(t, r, r)
		for range 5 {
			t.mustf(c.swap(t, r, r), "Swap returned false")
			r.Version++
			equal(t, c.load(t, r.ID), r)
		}
	}},
	{"OneEffect", "of the same swap, cut and then tried again, one takes effect", func(t *suiteT, c *lostCase) {
		r := c.pending(t, deadline)
		c.lose(t, r, r)
		t.mustf(!c.swap(t, r, r), "the second returned true")
	}},
}
