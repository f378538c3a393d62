package setupintenttest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// DueHarness is a store under test that can also tell which rows are due.
type DueHarness struct {
	StoreHarness

	// Due is the store's method: at most limit rows, whatever their status, with
	// Due set and not after now, that follow after in the order of (Due, ID).
	Due func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error)
}

// TestDue checks that a store finds the rows that are due, each once, in pages.
// Like [TestStore], it asks for a new harness for each case, and all may share a
// database.
func TestDue(t *testing.T, newHarness func(testing.TB) DueHarness) {
	t.Helper()
	runChecks(t, dueChecks, func(t testing.TB) *dueCase {
		h := newHarness(t)
		c := &dueCase{storeCase: storeCase{StoreHarness: h.StoreHarness, ctx: context.Background()}, due: h.Due}
		c.setDefaults()
		c.draw()
		return c
	})
}

// draw takes an hour of long ago, after a row that is gone. The rows of a case
// stay, so it looks for an hour that has none, as far as Due can be believed.
// Another process may take the same hour before either has rows in it: of two
// cases that begin at once, one time in 200,000.
func (c *dueCase) draw() {
	for range 10 {
		c.start = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rand.Int64N(200_000)) * time.Hour) //nolint:gosec // a place in a shared table, no secret
		c.before = setupintent.Row{ID: c.NewID(), Due: c.start.Add(-time.Microsecond)}
		if taken, err := c.due(c.ctx, c.start.Add(time.Hour-time.Microsecond), c.before, 1); err != nil || len(taken) == 0 {
			return // what is wrong with Due is for the case to say
		}
	}
}

func (c *storeCase) setDefaults() {
	if c.NewID == nil {
		c.NewID = randomID
	}
	if c.Foreign == "" {
		c.Foreign = "suspended"
	}
}

type dueCase struct {
	storeCase
	due    func(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error)
	start  time.Time
	before setupintent.Row
}

// at is a time of the case.
func (c *dueCase) at(n int) time.Time { return c.start.Add(time.Duration(n) * time.Microsecond) }

// insert inserts pending rows that are due at the given times.
func (c *dueCase) insert(t *suiteT, at ...int) []setupintent.Row {
	t.Helper()
	var rows []setupintent.Row
	for _, n := range at {
		rows = append(rows, c.pending(t, c.at(n)))
	}
	return rows
}

// pages reads all that is due at now, in pages of limit rows.
func (c *dueCase) pages(t *suiteT, now time.Time, limit int) []setupintent.Row {
	t.Helper()
	var all []setupintent.Row
	for after := c.before; ; {
		page, err := c.due(c.ctx, now, after, limit)
		t.mustf(err == nil, "Due failed: %v", err)
		t.mustf(len(page) <= limit, "a page of %d rows has %d", limit, len(page))
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		t.mustf(len(all) <= 100, "the pages do not end")
		after = page[len(page)-1]
	}
}

// exactly fails the case unless got are the rows of want, each once, in the
// order of Due.
func exactly(t *suiteT, got, want []setupintent.Row) {
	t.Helper()
	byID := map[string]setupintent.Row{}
	for _, r := range want {
		byID[r.ID] = r
	}
	for i, r := range got {
		w, ok := byID[r.ID]
		t.mustf(ok, "row %q came twice, or should not have come", r.ID)
		delete(byID, r.ID)
		equal(t, r, w)
		last := got[max(i-1, 0)]
		t.mustf(!r.Due.Before(last.Due), "row %q, due %v, came after one due %v", r.ID, r.Due, last.Due)
	}
	for id := range byID {
		t.mustf(false, "row %q did not come", id)
	}
}

var dueChecks = []check[*dueCase]{
	{"Order", "rows come in the order of Due, each once, however small the pages are", func(t *suiteT, c *dueCase) {
		rows := c.insert(t, 3, 1, 2, 5, 4)
		for limit := 1; limit <= 6; limit++ {
			exactly(t, c.pages(t, c.at(9), limit), rows)
		}
	}},
	{"EqualDues", "of rows that are due at the same time, each comes once, though a page ends between them", func(t *suiteT, c *dueCase) {
		rows := c.insert(t, 1, 1, 1, 1, 1, 1, 1, 2, 2)
		for limit := 1; limit <= 10; limit++ {
			exactly(t, c.pages(t, c.at(9), limit), rows)
		}
	}},
	{"Now", "a row is due at its very microsecond, and not before", func(t *suiteT, c *dueCase) {
		rows := c.insert(t, 4, 5, 6)
		exactly(t, c.pages(t, c.at(5), 10), rows[:2])
		exactly(t, c.pages(t, c.at(5).In(time.FixedZone("", -7*3600)), 10), rows[:2])
	}},
	{"Never", "a row with a zero Due never comes", func(t *suiteT, c *dueCase) {
		r := c.insert(t, 1)[0]
		c.pending(t, time.Time{})
		t.mustf(c.swap(t, r, setupintent.Row{Status: setupintent.Pending}), "Swap returned false")
		exactly(t, c.pages(t, c.at(9), 10), nil)
	}},
	{"AnyStatus", "a row comes whatever its status, for its intent may have to be canceled", func(t *suiteT, c *dueCase) {
		rows := c.insert(t, 1, 2, 3)
		for i, status := range []setupintent.Status{c.Foreign, setupintent.Active} {
			t.ok(c.SetStatus(rows[i].ID, status))
			rows[i] = c.load(t, rows[i].ID)
		}
		exactly(t, c.pages(t, c.at(9), 2), rows)
	}},
	{"AsLoaded", "a row comes as Load returns it", func(t *suiteT, c *dueCase) {
		r := c.insert(t, 1)[0]
		for _, p := range []string{claimedProgress, newerProgress} {
			next := r
			next.Progress = progress(t, p)
			t.mustf(c.swap(t, r, next), "Swap returned false")
			r = c.load(t, r.ID)
			exactly(t, c.pages(t, c.at(9), 10), []setupintent.Row{r})
		}
	}},
	{"CursorMoves", "a page goes on where the last one ended, though its last row is gone by now", func(t *suiteT, c *dueCase) {
		rows := c.insert(t, 1, 1, 1, 2)
		first, err := c.due(c.ctx, c.at(9), c.before, 2)
		t.ok(err)
		t.mustf(len(first) == 2, "the page has %d rows, not 2", len(first))
		c.Delete(first[1].ID)
		rest, err := c.due(c.ctx, c.at(9), first[1], 10)
		t.ok(err)
		var want []setupintent.Row
		for _, r := range rows {
			if r.ID != first[0].ID && r.ID != first[1].ID {
				want = append(want, r)
			}
		}
		exactly(t, rest, want)
	}},
	{"FirstPage", "the zero row begins at the beginning", func(t *suiteT, c *dueCase) {
		r := c.pending(t, time.Date(1970, 1, 1, 0, 0, 0, 1000, time.UTC))
		page, err := c.due(c.ctx, c.start, setupintent.Row{}, 1000)
		t.ok(err)
		found := false
		for _, p := range page {
			found = found || p.ID == r.ID
		}
		c.Delete(r.ID)
		t.mustf(found, "the first page does not have the row that is due first")
	}},
	{"Canceled", "a call whose context is over returns an error", func(t *suiteT, c *dueCase) {
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		_, err := c.due(ctx, c.at(9), setupintent.Row{}, 10)
		t.mustf(errors.Is(err, context.Canceled), "the error is %v", err)
	}},
}
