package setupintenttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// StoreHarness is a store under test, with what the port lacks. Each case gets
// a new one and uses ids of its own, so that all may share a database.
type StoreHarness struct {
	Store setupintent.PendingStore

	// Insert adds a pending row with the deadline, as the application does; a
	// zero deadline means none.
	Insert func(id string, deadline time.Time) error

	// SetStatus writes a status past the service, as the application does, and
	// adds 1 to the version.
	SetStatus func(id string, status setupintent.Status) error

	// Delete removes the row.
	Delete func(id string)

	// NewID returns an id that was not used before. Nil: 24 random hexadecimal
	// digits.
	NewID func() string

	// Foreign is a status word of the application's own. Empty: "suspended".
	Foreign setupintent.Status

	// FoldsCase says that ids that differ in case only are one id, as in a
	// column of type uuid.
	FoldsCase bool
}

// TestStore checks that a store keeps the contract of
// [setupintent.PendingStore]. It asks for a new harness for each case; a failure
// prints the rule that was broken. It must pass for a store before rows are
// entrusted to it.
func TestStore(t *testing.T, newHarness func(testing.TB) StoreHarness) {
	t.Helper()
	runChecks(t, storeChecks, func(t testing.TB) *storeCase {
		h := newHarness(t)
		if h.NewID == nil {
			h.NewID = randomID
		}
		if h.Foreign == "" {
			h.Foreign = "suspended"
		}
		return &storeCase{StoreHarness: h, ctx: context.Background()}
	})
}

type storeCase struct {
	StoreHarness
	ctx context.Context
}

// pending inserts a row and returns it as loaded.
func (c *storeCase) pending(t *suiteT, deadline time.Time) setupintent.Row {
	t.Helper()
	id := c.NewID()
	if err := c.Insert(id, deadline); err != nil {
		t.Fatalf("the harness could not insert a row: %v", err)
	}
	return c.load(t, id)
}

func (c *storeCase) load(t *suiteT, id string) setupintent.Row {
	t.Helper()
	r, err := c.Store.Load(c.ctx, id)
	t.mustf(err == nil, "Load failed: %v", err)
	return r
}

func (c *storeCase) swap(t *suiteT, prev, next setupintent.Row) bool {
	t.Helper()
	ok, err := c.Store.Swap(c.ctx, prev, next)
	t.mustf(err == nil, "Swap failed: %v", err)
	return ok
}

func progress(t *suiteT, text string) setupintent.Progress {
	t.Helper()
	var p setupintent.Progress
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatalf("setupintenttest: %v", err)
	}
	return p
}

func text(t *suiteT, p setupintent.Progress) string {
	t.Helper()
	b, err := p.MarshalText()
	t.ok(err)
	return string(b)
}

// equal compares all that a store keeps.
func equal(t *suiteT, got, want setupintent.Row) {
	t.Helper()
	t.mustf(got.ID == want.ID, "the id is %q, not %q", got.ID, want.ID)
	t.mustf(got.Status == want.Status, "the status is %q, not %q", got.Status, want.Status)
	t.mustf(got.Version == want.Version, "the version is %d, not %d", got.Version, want.Version)
	t.mustf(got.Due.Equal(want.Due), "Due is %v, not %v", got.Due, want.Due)
	t.mustf(text(t, got.Progress) == text(t, want.Progress), "the progress is %s, not %s", text(t, got.Progress), text(t, want.Progress))
}

const (
	claimedProgress = `{"format":1,"ns":"äöü \"quoted\" \\","phase":"claimed","attempts":1,"intent":{"key":"k","request":{"metadata":{"a":"<&>"}},"sent":"2026-01-02T03:04:05.678901Z","last":"2026-01-02T03:04:05.678901Z","err_since":"0001-01-01T00:00:00Z"},"deadline":"2026-01-02T15:04:05Z","written":2}`
	newerProgress   = `{"format":999, "phase":"entangled",  "later":[1,2,3]}`
	emojiProgress   = `{"format":1,"ns":"💳","phase":"claimed","attempts":1,"intent":{"key":"k","request":{"metadata":{"😀":"𝄞�"}},"sent":"2026-01-02T03:04:05Z","last":"2026-01-02T03:04:05Z","err_since":"0001-01-01T00:00:00Z"},"deadline":"2026-01-02T15:04:05Z","written":2}`
)

// longestProgress is one of a claim with all the metadata that Stripe takes,
// for the intent and for its customer, in characters that JSON escapes.
func longestProgress(t *suiteT) setupintent.Progress {
	t.Helper()
	metadata := map[string]string{}
	for i := range 50 {
		metadata[fmt.Sprintf("%040d", i)] = strings.Repeat("<", 500)
	}
	request, err := json.Marshal(map[string]any{"metadata": metadata})
	t.ok(err)
	const e = `{"key":"k","request":%s,"sent":"2026-01-02T03:04:05.678901Z","last":"2026-01-02T03:04:05.678901Z","err_since":"0001-01-01T00:00:00Z"}`
	effect := fmt.Sprintf(e, request)
	return progress(t, `{"format":1,"phase":"claimed","attempts":1,"intent":`+effect+`,"customer":`+effect+`,"deadline":"2026-01-02T15:04:05Z","written":2}`)
}

// deadline is a time that no coarser column keeps.
var deadline = time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)

var storeChecks = []check[*storeCase]{
	{"LoadMissing", "Load returns an error that wraps ErrNotFound if there is no such row", func(t *suiteT, c *storeCase) {
		_, err := c.Store.Load(c.ctx, c.NewID())
		t.mustf(errors.Is(err, setupintent.ErrNotFound), "the error is %v", err)
	}},
	{"LoadOddID", "an id that the table can't hold is ErrNotFound, not an error of the database", func(t *suiteT, c *storeCase) {
		for _, id := range []string{"'", "%", "0x", strings.Repeat("9", 300), "é\x00", "\xff", "-1", " "} {
			_, err := c.Store.Load(c.ctx, id)
			t.mustf(errors.Is(err, setupintent.ErrNotFound), "for %.20q the error is %v", id, err)
		}
	}},
	{"LoadInserted", "an inserted row is pending, has its deadline in Due, and a zero Progress", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		t.mustf(r.Status == setupintent.Pending, "the status is %q", r.Status)
		t.mustf(r.Due.Equal(deadline), "Due is %v, not %v", r.Due, deadline)
		t.mustf(r.Progress.IsZero(), "the progress is %v", r.Progress)
	}},
	{"LoadNoDeadline", "a row without a deadline has a zero Due", func(t *suiteT, c *storeCase) {
		r := c.pending(t, time.Time{})
		t.mustf(r.Due.IsZero(), "Due is %v", r.Due)
	}},
	{"LoadAnyStatus", "Load returns a row whatever its status", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		t.ok(c.SetStatus(r.ID, c.Foreign))
		got := c.load(t, r.ID)
		r.Status, r.Version = c.Foreign, r.Version+1
		equal(t, got, r)
	}},
	{"Swap", "Swap writes status, due and progress, and adds 1 to the version", func(t *suiteT, c *storeCase) {
		prev := c.pending(t, deadline)
		next := setupintent.Row{Status: setupintent.Pending, Due: deadline.Add(time.Microsecond), Progress: progress(t, claimedProgress)}
		t.mustf(c.swap(t, prev, next), "Swap returned false")
		next.ID, next.Version = prev.ID, prev.Version+1
		equal(t, c.load(t, prev.ID), next)
	}},
	{"SwapSameValues", "Swap adds 1 to the version even if nothing else changes", func(t *suiteT, c *storeCase) {
		prev := c.pending(t, deadline)
		t.mustf(c.swap(t, prev, prev), "Swap returned false")
		prev.Version++
		equal(t, c.load(t, prev.ID), prev)
	}},
	{"SwapIgnoresNextID", "Swap goes by prev.ID and prev.Version only", func(t *suiteT, c *storeCase) {
		prev, other := c.pending(t, deadline), c.pending(t, deadline)
		next := prev
		next.ID, next.Version = other.ID, 1000
		t.mustf(c.swap(t, prev, next), "Swap returned false")
		prev.Version++
		equal(t, c.load(t, prev.ID), prev)
		equal(t, c.load(t, other.ID), other)
	}},
	{"SwapEnds", "a status may change from pending, and Due is then what it was told to be, too", func(t *suiteT, c *storeCase) {
		for _, status := range []setupintent.Status{setupintent.Active, setupintent.Abandoned, setupintent.Cancelled} {
			for _, due := range []time.Time{{}, deadline.Add(time.Hour)} {
				prev := c.pending(t, deadline)
				next := setupintent.Row{ID: prev.ID, Status: status, Version: prev.Version + 1, Due: due, Progress: progress(t, claimedProgress)}
				t.mustf(c.swap(t, prev, next), "Swap to %s returned false", status)
				equal(t, c.load(t, prev.ID), next)
			}
		}
	}},
	{"SwapStaleVersion", "Swap writes nothing if the version has moved on", func(t *suiteT, c *storeCase) {
		prev := c.pending(t, deadline)
		t.mustf(c.swap(t, prev, prev), "the first Swap returned false")
		now := c.load(t, prev.ID)
		next := setupintent.Row{Status: setupintent.Abandoned}
		t.mustf(!c.swap(t, prev, next), "Swap with the old version returned true")
		prev.Version += 2
		t.mustf(!c.swap(t, prev, next), "Swap with a version to come returned true")
		equal(t, c.load(t, prev.ID), now)
	}},
	{"SwapStaleStatus", "Swap writes nothing if the status is another", func(t *suiteT, c *storeCase) {
		prev := c.pending(t, deadline)
		t.ok(c.SetStatus(prev.ID, c.Foreign))
		now := c.load(t, prev.ID)
		prev.Version = now.Version
		for _, next := range []setupintent.Status{setupintent.Pending, c.Foreign} {
			t.mustf(!c.swap(t, prev, setupintent.Row{Status: next}), "Swap from %s to %s returned true, and the status was %s", prev.Status, next, now.Status)
			equal(t, c.load(t, prev.ID), now)
		}
		now = c.pending(t, deadline)
		prev = now
		prev.Status = c.Foreign
		t.mustf(!c.swap(t, prev, prev), "Swap from %s to the same returned true, and the status was %s", prev.Status, now.Status)
		equal(t, c.load(t, prev.ID), now)
	}},
	{"SwapStatusBytes", "statuses are compared byte by byte: one that differs in case, or by a space, is another", func(t *suiteT, c *storeCase) {
		now := c.pending(t, deadline)
		for _, status := range []setupintent.Status{"PENDING", "Pending", "pending "} {
			prev := now
			prev.Status = status
			won, err := c.Store.Swap(c.ctx, prev, prev) // a column may refuse the word
			t.mustf(!won || err != nil, "Swap from %q to the same returned true, and the status was %q", status, now.Status)
			equal(t, c.load(t, now.ID), now)
		}
	}},
	{"SwapNotPending", "a status changes only from pending", func(t *suiteT, c *storeCase) {
		for _, status := range []setupintent.Status{setupintent.Active, setupintent.Abandoned, setupintent.Cancelled, c.Foreign} {
			r := c.pending(t, deadline)
			t.ok(c.SetStatus(r.ID, status))
			prev := c.load(t, r.ID)
			t.mustf(!c.swap(t, prev, setupintent.Row{Status: setupintent.Pending}), "Swap from %s to pending returned true", status)
			equal(t, c.load(t, r.ID), prev)
		}
	}},
	{"SwapKeepsForeignStatus", "Swap writes a row that is not pending if the status stays", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		t.ok(c.SetStatus(r.ID, c.Foreign))
		prev := c.load(t, r.ID)
		next := setupintent.Row{ID: r.ID, Status: c.Foreign, Version: prev.Version + 1, Progress: progress(t, claimedProgress)}
		t.mustf(c.swap(t, prev, next), "Swap returned false")
		equal(t, c.load(t, r.ID), next)
	}},
	{"SwapMissing", "Swap of a row that is gone is false, not an error", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		c.Delete(r.ID)
		t.mustf(!c.swap(t, r, r), "Swap returned true")
		_, err := c.Store.Load(c.ctx, r.ID)
		t.mustf(errors.Is(err, setupintent.ErrNotFound), "Load then returned %v", err)
	}},
	{"ProgressBytes", "a progress comes back as it was written, whatever its format", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		for _, want := range []string{claimedProgress, newerProgress, ""} {
			next := r
			next.Progress = progress(t, want)
			t.mustf(c.swap(t, r, next), "Swap returned false")
			r = c.load(t, r.ID)
			t.mustf(text(t, r.Progress) == text(t, next.Progress), "%s came back as %s", text(t, next.Progress), text(t, r.Progress))
		}
		t.mustf(r.Progress.IsZero(), "a zero progress came back as %v", r.Progress)
	}},
	{"ProgressLength", "a progress comes back whole, however much metadata its requests have", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		next := r
		next.Progress = longestProgress(t)
		want := text(t, next.Progress)
		t.mustf(c.swap(t, r, next), "Swap returned false")
		got := text(t, c.load(t, r.ID).Progress)
		t.mustf(got == want, "one of %d bytes came back as another, of %d", len(want), len(got))
	}},
	{"ProgressCharacters", "a progress may have any character, those of four bytes in UTF-8 among them", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		next := r
		next.Progress = progress(t, emojiProgress)
		t.mustf(c.swap(t, r, next), "Swap returned false")
		got := text(t, c.load(t, r.ID).Progress)
		t.mustf(got == text(t, next.Progress), "%s came back as %s", text(t, next.Progress), got)
	}},
	{"DueMicroseconds", "Due is kept to the microsecond, in any zone, and as zero", func(t *suiteT, c *storeCase) {
		r := c.pending(t, time.Time{})
		zone := time.FixedZone("", -5*3600-30*60)
		for _, due := range []time.Time{deadline, deadline.In(zone), deadline.Add(time.Microsecond), {}, time.Date(2099, 12, 31, 23, 59, 59, 999999000, time.UTC)} {
			next := r
			next.Due = due
			t.mustf(c.swap(t, r, next), "Swap returned false")
			r = c.load(t, r.ID)
			t.mustf(r.Due.Equal(due) && r.Due.IsZero() == due.IsZero(), "%v came back as %v", due, r.Due)
		}
	}},
	{"CaseSensitive", "ids that differ in case are different ids", func(t *suiteT, c *storeCase) {
		if c.FoldsCase {
			t.Log("the harness says that its ids fold case")
			return
		}
		r := c.pending(t, deadline)
		for r.ID == strings.ToUpper(r.ID) && strings.ContainsAny(r.ID, "abcdefABCDEF") {
			r = c.pending(t, deadline)
		}
		if upper := strings.ToUpper(r.ID); upper != r.ID {
			_, err := c.Store.Load(c.ctx, upper)
			t.mustf(errors.Is(err, setupintent.ErrNotFound), "Load(%q) found %q", upper, r.ID)
		}
	}},
	{"TrailingSpace", "an id with a space behind it is another id", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		_, err := c.Store.Load(c.ctx, r.ID+" ")
		t.mustf(errors.Is(err, setupintent.ErrNotFound), "the error is %v", err)
	}},
	{"TrailingNUL", "an id with a NUL and more behind it is another id", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		for _, behind := range []string{"\x00", "\x00x"} {
			_, err := c.Store.Load(c.ctx, r.ID+behind)
			t.mustf(errors.Is(err, setupintent.ErrNotFound), "for the id and %q the error is %v", behind, err)
		}
	}},
	{"Canceled", "a call whose context is over returns an error and writes nothing", func(t *suiteT, c *storeCase) {
		r := c.pending(t, deadline)
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		_, err := c.Store.Load(ctx, r.ID)
		t.mustf(err != nil && !errors.Is(err, setupintent.ErrNotFound), "Load returned %v", err)
		_, err = c.Store.Swap(ctx, r, setupintent.Row{Status: setupintent.Abandoned})
		t.mustf(err != nil, "Swap returned no error")
		equal(t, c.load(t, r.ID), r)
	}},
	{"OneWinner", "of many swaps of one row at once, exactly one is true, and its values stay", func(t *suiteT, c *storeCase) {
		const racers = 32
		r := c.pending(t, deadline)
		var (
			start = make(chan struct{})
			wg    sync.WaitGroup
			won   [racers]bool
			errs  [racers]error
		)
		for i := range racers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				next := r
				next.Due = deadline.Add(time.Duration(i) * time.Second)
				<-start
				won[i], errs[i] = c.Store.Swap(c.ctx, r, next)
			}()
		}
		close(start)
		wg.Wait()
		winner, winners := 0, 0
		for i := range racers {
			t.mustf(errs[i] == nil, "a Swap failed: %v", errs[i])
			if won[i] {
				winner, winners = i, winners+1
			}
		}
		t.mustf(winners == 1, "%d of %d swaps were true", winners, racers)
		r.Version++
		r.Due = deadline.Add(time.Duration(winner) * time.Second)
		equal(t, c.load(t, r.ID), r)
	}},
	{"NoLostUpdate", "swaps that are tried again until they are true all count", func(t *suiteT, c *storeCase) {
		const writers, each = 8, 10
		first := c.pending(t, deadline)
		errs := make(chan error, writers)
		for range writers {
			go func() {
				for done, lost := 0, 0; done < each; {
					if lost > writers*each { // each is lost to another's that was true since the Load
						errs <- errors.New("a Swap is false though nobody else has written")
						return
					}
					r, err := c.Store.Load(c.ctx, first.ID)
					if err != nil {
						errs <- err
						return
					}
					ok, err := c.Store.Swap(c.ctx, r, r)
					if err != nil {
						errs <- err
						return
					}
					if ok {
						done++
					} else {
						lost++
					}
				}
				errs <- nil
			}()
		}
		for range writers {
			t.ok(<-errs)
		}
		got := c.load(t, first.ID).Version - first.Version
		t.mustf(got == writers*each, "%d swaps were true, and the version grew by %d", writers*each, got)
	}},
}
