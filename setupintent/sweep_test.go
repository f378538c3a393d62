package setupintent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

func (b *bench) insert(id string, deadline time.Duration) {
	b.t.Helper()
	at := time.Time{}
	if deadline != 0 {
		at = b.clock.now().Add(deadline)
	}
	require.NoError(b.t, b.memory.Insert(id, at))
}

func (b *bench) load(id string) setupintent.Row {
	b.t.Helper()
	r, err := b.memory.Load(ctx, id)
	require.NoError(b.t, err)
	return r
}

func (b *bench) status(id string) setupintent.Status {
	b.t.Helper()
	r, err := b.memory.Load(ctx, id)
	require.NoError(b.t, err)
	return r.Status
}

func TestSweep(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.insert("saved", 0)
	b.insert("expired", time.Hour)
	b.insert("later", 100*time.Hour)
	b.insert("dashboard", 0)
	b.insert("suspended", 0)
	for _, id := range []string{"42", "saved", "dashboard", "suspended"} {
		_, err := b.svc.Begin(ctx, id, nil)
		require.NoError(t, err)
	}
	require.NoError(t, b.backend.Confirm("seti_2", "pm_1"))
	_, err := b.backend.CancelIntent(ctx, "seti_3", "")
	require.NoError(t, err)
	require.NoError(t, b.memory.SetStatus("suspended", "suspended"))
	b.insert("lost", 0)
	b.provider.After = failing("CreateIntent", always(errors.New("answer lost")))
	_, err = b.svc.Begin(ctx, "lost", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	b.restart(nil)

	b.clock.advance(2 * time.Minute)
	dry, err := b.svc.Sweep(ctx, b.memory, &setupintent.SweepOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, setupintent.Report{Looked: 5, Lag: time.Minute, Planned: map[string]int{"fetch": 3, "clean": 1, "send": 1}}, dry)
	require.Equal(t, []int{0, 0, 0, 0}, b.count("Swap", "CreateIntent", "GetIntent", "CancelIntent"))

	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, setupintent.Report{Looked: 5, Activated: 1, Pending: 4, Lag: time.Minute}, report)
	require.Equal(t, setupintent.Active, b.status("saved"))
	lost, err := b.memory.Load(ctx, "lost")
	require.NoError(t, err)
	require.Equal(t, setupintent.Attached, lost.Progress.Phase())
	require.Equal(t, "seti_5", lost.Progress.IntentID())

	b.clock.advance(13 * time.Hour)
	report, err = b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Positive(t, report.Lag)
	report.Lag = 0
	require.Equal(t, setupintent.Report{Looked: 4, Expired: 1, Abandoned: 3}, report)
	require.Zero(t, b.live())
	require.Equal(t, setupintent.Pending, b.status("later"))
	report, err = b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Zero(t, report.Looked)
}

func TestSweepCancelsEachOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	const n = 300
	for i := range n {
		b.insert(fmt.Sprint("row", i), 0)
		_, err := b.svc.Begin(ctx, fmt.Sprint("row", i), nil)
		require.NoError(t, err)
	}
	b.clock.advance(13 * time.Hour)
	// The other sweeper comes between any two calls of the first.
	other := b.service(b.memory, b.provider, nil)
	b.rows.After = func(method, _ string) error {
		if method == "Swap" && b.rows.Calls("Swap")%7 == 0 {
			_, err := other.Sweep(ctx, b.memory, &setupintent.SweepOptions{Limit: 3})
			return err
		}
		return nil
	}
	_, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Zero(t, b.live())
	require.Equal(t, n, b.provider.Calls("CancelIntent"), "one call for each")
}

func TestSweepIsPaced(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{Rate: 10})
	for i := range 100 {
		b.insert(fmt.Sprint("row", i), 0)
		_, err := b.svc.Begin(ctx, fmt.Sprint("row", i), nil)
		require.NoError(t, err)
	}
	b.clock.advance(13 * time.Hour)
	var calls []time.Time
	b.provider.Before = func(string, string) error { calls = append(calls, b.clock.now()); return nil }
	_, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Len(t, calls, 100)
	for i := range calls {
		n := 0
		for _, c := range calls[i:] {
			if c.Sub(calls[i]) < time.Second {
				n++
			}
		}
		require.LessOrEqual(t, n, 11, "in the second after call %d", i)
	}
	require.InDelta(t, 10, calls[99].Sub(calls[0]).Seconds(), 1)

	began := b.clock.now()
	for range 50 {
		_, _ = b.svc.Begin(ctx, "row1", nil)
	}
	require.Equal(t, began, b.clock.now(), "people do not wait for it")
}

func TestSweepSlowsDown(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{Rate: 10})
	for i := range 20 {
		b.insert(fmt.Sprint("row", i), 0)
		_, err := b.svc.Begin(ctx, fmt.Sprint("row", i), nil)
		require.NoError(t, err)
	}
	b.clock.advance(13 * time.Hour)
	var calls []time.Time
	b.provider.Before = failing("CancelIntent", func() error {
		calls = append(calls, b.clock.now())
		if len(calls) <= 3 {
			return setupintent.ErrThrottled
		}
		return nil
	})
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, 3, report.Failed, "they are put off, and in nobody's way")
	require.Equal(t, 17, report.Abandoned)
	require.GreaterOrEqual(t, calls[4].Sub(calls[3]), 700*time.Millisecond, "an eighth of the rate after three 429")
}

func TestSweepLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range 250 {
		b.insert(fmt.Sprint("row", i), time.Hour)
	}
	b.clock.advance(2 * time.Hour)
	report, err := b.svc.Sweep(ctx, b.memory, &setupintent.SweepOptions{Limit: 120})
	require.NoError(t, err)
	require.Equal(t, setupintent.Report{Looked: 120, Expired: 120, Left: true, Lag: time.Hour}, report)

	expired := 0
	report, err = b.svc.Sweep(ctx, b.memory, &setupintent.SweepOptions{Limit: 20, Expire: func(_ context.Context, now time.Time, limit int) (int, error) {
		require.Equal(t, b.clock.now(), now)
		expired += limit
		return limit, nil
	}})
	require.NoError(t, err)
	require.Equal(t, 10, expired, "half of it: untouched rows keep nobody waiting")
	require.Equal(t, setupintent.Report{Looked: 20, Expired: 20, Left: true, Lag: time.Hour}, report)

	ctx, cancel := context.WithCancel(ctx)
	b.rows.After = func(string, string) error { cancel(); return nil }
	report, err = b.svc.Sweep(ctx, b.memory, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, report.Expired, "the row that it is at is finished")
	require.True(t, report.Left)
}

// What can't be ended in bulk is in nobody's way either: a row that the database
// refuses to end fails by itself.
func TestSweepWhenExpireFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.expired(3)
	b.insert("held", time.Minute)
	b.clock.advance(time.Hour)
	held := errors.New("violates check constraint")
	b.rows.Before = func(method, id string) error {
		if method == "Swap" && id == "held" {
			return held
		}
		return nil
	}
	expire := func(context.Context, time.Time, int) (int, error) { return 0, held }
	report, err := b.svc.Sweep(ctx, b.memory, &setupintent.SweepOptions{Expire: expire})
	require.ErrorIs(t, err, held, "somebody has to look at it")
	require.Equal(t, 3, report.Abandoned)
	require.Equal(t, 1, report.Failed)
}

// A row that can't be written does not use up the limit of a sweep.
func TestSweepWhenARowCantBeWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.insert("stuck", time.Minute)
	b.clock.advance(time.Hour)
	b.expired(1)
	b.rows.Before = func(method, id string) error {
		if method == "Swap" && id == "stuck" {
			return errors.New("the trigger says no")
		}
		return nil
	}
	report, err := b.svc.Sweep(ctx, b.memory, &setupintent.SweepOptions{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, 1, report.Failed)
	require.Equal(t, setupintent.Abandoned, b.status("row0"))
}

// Where the database takes no such status, the provider is asked ever more seldom.
func TestSweepWhenTheEndIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.expired(1)
	rows := endless{b.memory}
	svc := b.service(rows, b.provider, nil)
	for range 240 {
		_, err := svc.Sweep(ctx, b.memory, nil)
		require.NoError(t, err)
		b.clock.advance(15 * time.Second)
	}
	require.Less(t, b.provider.Calls("CancelIntent"), 20, "in an hour")
}

type endless struct{ setupintent.PendingStore }

func (e endless) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	if next.Status == setupintent.Abandoned {
		return false, errors.New("violates check constraint")
	}
	return e.PendingStore.Swap(ctx, prev, next)
}

// An application that takes a closing row out of pending has the last word on where
// it ends, also if it puts it back; its intent is canceled all the same.
func TestSweepLeavesTheApplicationsStatus(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{false, true} {
		b := newBench(t, nil)
		begun(b)
		b.provider.Before = failing("CancelIntent", always(errors.New("no answer")))
		_, err := b.svc.Cancel(ctx, "42")
		require.Error(t, err)
		require.Equal(t, setupintent.Cancelled, b.row().Progress.Closing())
		require.NoError(t, b.memory.SetStatus("42", "suspended"))
		b.clock.advance(time.Hour)
		_, err = b.svc.Sweep(ctx, b.memory, nil)
		require.NoError(t, err)
		want := setupintent.Status("suspended")
		if back {
			want = setupintent.Pending
			require.NoError(t, b.memory.SetStatus("42", want))
		}
		b.provider.Before = nil
		b.clock.advance(time.Hour)
		_, err = b.svc.Sweep(ctx, b.memory, nil)
		require.NoError(t, err)
		require.Equal(t, want, b.row().Status)
		require.Zero(t, b.live())
	}
}

// What the sweeper can do nothing about is in nobody's way, however often it finds
// it due: rows of a newer release, of another namespace, and those whose version
// went back. What the application itself has ended, untouched, is let go of.
func TestSweepPassesOver(t *testing.T) {
	t.Parallel()
	newer := func(b *bench, id string) {
		var p setupintent.Progress
		require.NoError(t, p.UnmarshalText([]byte(`{"format":99}`)))
		r := b.load(id)
		next := r
		next.Progress = p
		won, err := b.memory.Swap(ctx, r, next)
		require.NoError(t, err)
		require.True(t, won)
	}
	for name, c := range map[string]struct {
		make func(b *bench, id string)
		want setupintent.Report
		left bool // still due
	}{
		"newer": {newer, setupintent.Report{Looked: 1, Abandoned: 1}, true},
		"another namespace": {func(b *bench, id string) {
			_, err := b.service(b.memory, b.backend, &setupintent.Options{Namespace: "other", TTL: time.Minute}).Begin(ctx, id, nil)
			require.NoError(t, err)
		}, setupintent.Report{Looked: 1, Abandoned: 1}, true},
		"taken back": {func(b *bench, id string) {
			_, err := b.svc.Begin(ctx, id, nil)
			require.NoError(t, err)
			r := b.load(id)
			b.memory.Delete(id)
			b.insert(id, time.Hour)
			_, err = b.memory.Swap(ctx, setupintent.Row{ID: id, Status: setupintent.Pending, Version: 1}, setupintent.Row{Status: setupintent.Pending, Due: r.Due, Progress: r.Progress})
			require.NoError(t, err)
		}, setupintent.Report{Looked: 6, Abandoned: 1, Failed: 5}, true},
		"ended by the application": {func(b *bench, id string) {
			require.NoError(t, b.memory.SetStatus(id, "deleted"))
		}, setupintent.Report{Looked: 2, Pending: 2, Left: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			for i := range 5 {
				id := fmt.Sprint("a", i)
				b.insert(id, time.Minute)
				c.make(b, id)
			}
			b.insert("z", 2*time.Hour)
			_, err := b.svc.Begin(ctx, "z", nil)
			require.NoError(t, err)
			b.clock.advance(24 * time.Hour)
			report, err := b.svc.Sweep(ctx, b.memory, &setupintent.SweepOptions{Limit: 2})
			require.NoError(t, err)
			report.Lag = 0
			require.Equal(t, c.want, report)
			for range 3 {
				_, err := b.svc.Sweep(ctx, b.memory, &setupintent.SweepOptions{Limit: 2})
				require.NoError(t, err)
			}
			require.Equal(t, setupintent.Abandoned, b.status("z"))
			due, err := b.memory.Due(ctx, b.clock.now(), setupintent.Row{}, 10)
			require.NoError(t, err)
			require.Equal(t, c.left, len(due) > 0)
		})
	}

	_, err := newBench(t, nil).svc.Sweep(ctx, nil, &setupintent.SweepOptions{Limit: -1})
	require.ErrorContains(t, err, "must not be negative")
}

// Untouched, and ended by the application, a row is not due any more; if it is
// taken back, its deadline is what it was.
func TestSweepLetsGo(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.insert("a", time.Hour)
	require.NoError(t, b.memory.SetStatus("a", "suspended"))
	_, err := b.svc.Refresh(ctx, "a")
	require.NoError(t, err)
	require.False(t, b.load("a").Due.IsZero(), "not yet")
	b.clock.advance(2 * time.Hour)
	_, err = b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, setupintent.Status("suspended"), b.status("a"))
	require.True(t, b.load("a").Due.IsZero())
	require.NoError(t, b.memory.SetStatus("a", setupintent.Pending))
	_, err = b.svc.Begin(ctx, "a", nil)
	require.ErrorIs(t, err, setupintent.ErrNotPending)
	require.Equal(t, setupintent.Abandoned, b.status("a"))
}

// badDue is a store whose second page can't be read.
type badDue struct {
	setupintent.DueStore
	err error
}

func (s badDue) Due(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
	if after.ID != "" {
		return nil, s.err
	}
	return s.DueStore.Due(ctx, now, after, limit)
}

// What a sweep has found by the time that a page can't be read, it sees to.
func TestSweepWithAPageThatCantBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.After = failing("CreateIntent", always(setupintent.ErrKeySpent))
	for i := range 100 {
		id := fmt.Sprint("row", i)
		b.insert(id, 0)
		_, err := b.svc.Begin(ctx, id, nil)
		require.Error(t, err)
	}
	b.restart(nil)
	b.clock.advance(setupintent.MaxFlight)
	bad := errors.New("row x can't be read")
	report, err := b.svc.Sweep(ctx, badDue{b.memory, bad}, nil)
	require.ErrorIs(t, err, bad)
	require.Equal(t, 100, report.Pending)
	require.Equal(t, setupintent.Attached, b.load("row7").Progress.Phase())
}

// calledIn tells of the context of every call.
type calledIn struct {
	setupintent.Provider
	tell func(context.Context)
}

func (p calledIn) CancelIntent(ctx context.Context, id, reason string) (setupintent.Intent, error) {
	p.tell(ctx)
	return p.Provider.CancelIntent(ctx, id, reason)
}

// An adapter is told that nobody waits, and that the sweeper counts its calls.
func TestInBackground(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.insert("43", 0)
	b.expired(1)
	var told []bool
	svc := b.service(b.memory, calledIn{b.backend, func(ctx context.Context) { told = append(told, setupintent.InBackground(ctx)) }}, nil)
	_, err := svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	_, err = svc.Begin(ctx, "43", nil)
	require.NoError(t, err)
	_, err = svc.Cancel(ctx, "43")
	require.NoError(t, err)
	require.Equal(t, []bool{true, false}, told)
}

// One pass through the list serves every row whose key tells no more.
func TestSweepListsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	spent := failing("CreateIntent", always(setupintent.ErrKeySpent))
	const n = 25
	for i := range n {
		b.provider.Before, b.provider.After = nil, spent
		if i%2 == 0 {
			b.provider.Before, b.provider.After = spent, nil
		}
		b.insert(fmt.Sprint("row", i), 0)
		_, err := b.svc.Begin(ctx, fmt.Sprint("row", i), nil)
		require.Error(t, err)
	}
	b.restart(nil)
	b.clock.advance(setupintent.MaxFlight)
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, setupintent.Report{Looked: n, Pending: n}, report)
	require.LessOrEqual(t, b.provider.Calls("ListIntents"), 3, "12 intents are two pages, and an empty one")
	for i := range n {
		r, err := b.memory.Load(ctx, fmt.Sprint("row", i))
		require.NoError(t, err)
		want := setupintent.Attached
		if i%2 == 0 {
			want = setupintent.None
		}
		require.Equal(t, want, r.Progress.Phase(), "row %d", i)
	}
}

// A row that always fails is put off by growing steps.
func TestSweepBacksOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	b.clock.advance(13 * time.Hour)
	b.provider.Before = failing("CancelIntent", always(errors.New("500")))
	var waits []time.Duration
	for range 10 {
		_, err := b.svc.Sweep(ctx, b.memory, nil)
		require.NoError(t, err)
		waits = append(waits, b.row().Due.Sub(b.clock.now()))
		b.clock.advance(waits[len(waits)-1])
	}
	require.Equal(t, []time.Duration{
		30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour, time.Hour,
	}, waits)
}

func TestRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	ctx, stop := context.WithCancel(ctx)
	sweeps := 0
	b.svc.SetSleep(func(ctx context.Context, d time.Duration) error {
		require.Equal(t, time.Minute, d)
		b.clock.advance(d)
		if sweeps++; sweeps == 3 {
			stop()
		}
		return ctx.Err()
	})
	require.ErrorIs(t, b.svc.Run(ctx, b.memory, time.Minute, nil), context.Canceled)
	require.Equal(t, setupintent.Active, b.row().Status, "within one recheck, and no webhook")
	require.Error(t, b.svc.Run(ctx, b.memory, 0, nil))
}

func TestAudit(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{Namespace: "prod"})
	from, to := b.clock.now().Add(-time.Hour), b.clock.now().Add(time.Hour)
	begin := func(id string) {
		t.Helper()
		_, err := b.svc.Begin(ctx, id, nil)
		require.NoError(t, err)
	}
	for _, id := range []string{"fine", "deleted", "restored", "claimed", "saved", "foreign"} {
		b.insert(id, 0)
	}
	begin("fine")     // seti_1
	begin("deleted")  // seti_2
	begin("restored") // seti_3
	begin("saved")    // seti_4
	begin("foreign")  // seti_5
	b.memory.Delete("deleted")
	b.memory.Delete("saved")
	require.NoError(t, b.backend.Confirm("seti_4", "pm_1"))
	b.memory.Delete("restored") // from a backup of before its Begin
	b.insert("restored", 0)
	require.NoError(t, b.memory.SetStatus("foreign", "suspended"))
	b.provider.After = failing("CreateIntent", always(errors.New("answer lost")))
	_, err := b.svc.Begin(ctx, "claimed", nil) // seti_6
	require.Error(t, err)
	for _, metadata := range []map[string]string{{"pending_user_id": "x"}, {"pending_user_id": "x", "cardonfile_namespace": "staging"}, {"cardonfile_namespace": "prod"}} {
		_, err := b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: fmt.Sprint(metadata), Metadata: metadata})
		require.NoError(t, err)
	}

	want := []setupintent.Orphan{
		{IntentID: "seti_3", RowID: "restored", Why: "the row is pending, without an intent", Status: setupintent.RequiresPaymentMethod},
		{IntentID: "seti_2", RowID: "deleted", Why: "there is no such row", Status: setupintent.RequiresPaymentMethod},
	}
	orphans, err := b.svc.Audit(ctx, from, to, false)
	require.NoError(t, err)
	require.Equal(t, want, orphans)
	require.Zero(t, b.provider.Calls("CancelIntent"))
	orphans, err = b.svc.Audit(ctx, from, to, true)
	require.NoError(t, err)
	for i := range want {
		want[i].Status = setupintent.Canceled
	}
	require.Equal(t, want, orphans)
	orphans, err = b.svc.Audit(ctx, from, to, true)
	require.NoError(t, err)
	require.Empty(t, orphans)

	// A row that can't be read does not hide the others, nor does one whose version
	// went back.
	b.provider.After = nil
	b.insert("older", 0)
	b.insert("newer", 0)
	begin("older") // seti_10
	begin("fine")
	begin("newer") // seti_11
	b.memory.Delete("older")
	b.memory.Delete("newer")
	bad := errors.New("it is NULL")
	b.rows.Before = func(method, id string) error {
		if id == "fine" {
			return bad
		}
		return nil
	}
	orphans, err = b.svc.Audit(ctx, from, to, false)
	require.ErrorIs(t, err, bad)
	require.Len(t, orphans, 2)

	// The store itself is down: that is no matter of one row.
	for i := range 30 {
		id := fmt.Sprint("more", i)
		b.insert(id, 0)
		b.rows.Before = nil
		begin(id)
	}
	b.restart(&setupintent.Options{Namespace: "prod"})
	b.rows.Before = failing("Load", always(bad))
	_, err = b.svc.Audit(ctx, from, to, false)
	require.ErrorIs(t, err, bad)
	require.Equal(t, 21, b.rows.Calls("Load"))

	_, err = newBench(t, nil).svc.Audit(ctx, from, to, true)
	require.ErrorContains(t, err, "Namespace")
}

// expired inserts n rows, with an intent each, and lets their deadline pass.
// While one sweeper is at a row, the others don't see it: whatever it is at, the
// row is due later.
func TestSweepTakesTheRow(t *testing.T) {
	t.Parallel()
	failed := errors.New("connection reset")
	for name, test := range map[string]struct {
		call  string
		after time.Duration
		lasts time.Duration // the call, at most
		setUp func(*bench)
	}{
		"fetch": {"GetIntent", 2 * time.Minute, setupintent.CallTimeout, begun},
		"close": {"CancelIntent", 13 * time.Hour, setupintent.CallTimeout, begun},
		"cancel": {"CancelIntent", time.Hour, setupintent.CallTimeout, func(b *bench) {
			begun(b)
			b.provider.Before = failing("CancelIntent", always(failed))
			_, err := b.svc.Cancel(ctx, "42")
			require.Error(b.t, err)
		}},
		"list": {"ListIntents", setupintent.MaxFlight, setupintent.MaxFlight - 1, func(b *bench) {
			b.provider.After = failing("CreateIntent", always(setupintent.ErrKeySpent))
			_, err := b.svc.Begin(ctx, "42", nil)
			require.Error(b.t, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			test.setUp(b)
			b.clock.advance(test.after)
			b.restart(nil)
			other := b.service(b.memory, b.backend, nil)
			look := func() {
				report, err := other.Sweep(ctx, b.memory, nil)
				require.NoError(t, err)
				require.Zero(t, report.Looked)
			}
			b.provider.Before = failing(test.call, first1(func() {
				look()
				b.clock.advance(test.lasts)
				look()
			}))
			report, err := b.svc.Sweep(ctx, b.memory, nil)
			require.NoError(t, err)
			require.Equal(t, 1, report.Looked)
			require.Positive(t, b.provider.Calls(test.call))
		})
	}
}

func (b *bench) expired(n int) {
	b.t.Helper()
	for i := range n {
		b.insert(fmt.Sprint("row", i), 0)
		_, err := b.svc.Begin(ctx, fmt.Sprint("row", i), nil)
		require.NoError(b.t, err)
	}
	b.clock.advance(13 * time.Hour)
}

// dueStore calls after once a page of rows was found.
type dueStore struct {
	setupintent.DueStore
	after func()
}

func (d dueStore) Due(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
	rows, err := d.DueStore.Due(ctx, now, after, limit)
	d.after()
	return rows, err
}

// Of the rows that a sweeper has found, others may have been first at many. It
// does not wait for its turn at those.
func TestSweepersShareTheirWork(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{Rate: 10})
	b.expired(100)
	other := b.service(b.memory, b.backend, nil)
	var began time.Time
	report, err := b.svc.Sweep(ctx, dueStore{b.memory, func() {
		if !began.IsZero() {
			return
		}
		for i := 0; i < 100; i += 2 {
			_, err := other.Refresh(ctx, fmt.Sprint("row", i))
			require.NoError(t, err)
		}
		began = b.clock.now()
	}}, nil)
	require.NoError(t, err)
	require.Equal(t, []int{50, 50}, []int{report.Abandoned, report.Lost})
	require.InDelta(t, 5, b.clock.now().Sub(began).Seconds(), 0.2, "50 calls at 10 per second")
}

// A row whose card was saved at the last moment is activated, by whoever comes
// to cancel its intent.
func TestSweepFindsTheCardSavedLate(t *testing.T) {
	t.Parallel()
	var closing setupintent.Status
	b := newBench(t, &setupintent.Options{OnActive: func(_ context.Context, r setupintent.Row, _ setupintent.Intent) error {
		closing = r.Progress.Closing()
		return nil
	}})
	begun(b)
	b.clock.advance(13 * time.Hour)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Activated)
	require.Equal(t, setupintent.Active, b.row().Status)
	require.Equal(t, setupintent.Abandoned, closing, "the effect is told that the time was over")
}

// An effect that fails, panics or takes too long is repeated at growing
// intervals, and does not stop the others.
func TestSweepWithBadEffects(t *testing.T) {
	t.Parallel()
	effects := map[string]func(context.Context) error{
		"row0": func(context.Context) error { return errors.New("the mail server is down") },
		"row1": func(context.Context) error { panic("boom") },
		"row2": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"row3": func(context.Context) error { return nil },
	}
	runs := map[string]int{}
	b := newBench(t, &setupintent.Options{
		TTL:             240 * time.Hour,
		OnActiveTimeout: time.Millisecond,
		OnActive: func(ctx context.Context, r setupintent.Row, _ setupintent.Intent) error {
			runs[r.ID]++
			return effects[r.ID](ctx)
		},
	})
	for i := range effects {
		b.insert(i, 0)
		in, err := b.svc.Begin(ctx, i, nil)
		require.NoError(t, err)
		require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
	}
	b.clock.advance(2 * time.Minute)
	var waits []time.Duration
	for range 8 {
		report, err := b.svc.Sweep(ctx, b.memory, nil)
		require.NoError(t, err)
		require.Equal(t, 3, report.Failed)
		require.Equal(t, setupintent.Active, b.status("row3"))
		r, err := b.memory.Load(ctx, "row2")
		require.NoError(t, err)
		waits = append(waits, r.Due.Sub(b.clock.now()))
		b.clock.advance(time.Hour)
	}
	require.InDelta(t, 30, waits[0].Seconds(), 1)
	require.InDelta(t, 3600, waits[7].Seconds(), 1)
	require.Equal(t, map[string]int{"row0": 8, "row1": 8, "row2": 8, "row3": 1}, runs)

	for i := range effects {
		effects[i] = func(context.Context) error { return nil }
	}
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, 3, report.Activated)
}

// An effect that does not heed its context holds up the sweeper that runs it, and
// nobody else: the row is another one's after its lease.
func TestSweepWithAnEffectThatTakesAMinute(t *testing.T) {
	t.Parallel()
	runs := 0
	var b *bench
	opts := &setupintent.Options{OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error {
		if runs++; runs == 1 {
			b.clock.advance(time.Minute)
			report, err := b.service(b.memory, b.backend, nil).Sweep(ctx, b.memory, nil)
			require.NoError(t, err)
			require.Equal(t, 1, report.Activated)
		}
		return nil
	}}
	b = newBench(t, opts)
	begun(b)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	b.clock.advance(2 * time.Minute)
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Activated, "which it is by the same intent")
	require.Equal(t, setupintent.Active, b.row().Status)
}

// However the process is told to stop, the row that Run is at is finished, and
// nothing new is begun.
func TestRunShutsDown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		at   func(b *bench, stop func()) // has stop called at some time
		done int                         // rows
	}{
		{"while it waits for its turn", func(b *bench, stop func()) {
			b.svc.SetSleep(func(ctx context.Context, _ time.Duration) error { stop(); return ctx.Err() })
		}, 1},
		{"in the call", func(b *bench, stop func()) {
			b.provider.Before = failing("CancelIntent", func() error { stop(); return nil })
		}, 1},
		{"after the row began to close", func(b *bench, stop func()) {
			b.rows.After = failing("Swap", func() error { stop(); return nil })
		}, 1},
		{"before it began", func(_ *bench, stop func()) { stop() }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.expired(5)
			b.restart(nil)
			ctx, stop := context.WithCancel(ctx)
			test.at(b, stop)
			var report setupintent.Report
			err := b.svc.Run(ctx, b.memory, time.Minute, &setupintent.SweepOptions{OnReport: func(r setupintent.Report, _ error) { report = r }})
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, test.done, report.Abandoned)
			require.Equal(t, test.done, b.provider.Calls("CancelIntent"))
			require.Equal(t, 5-test.done, b.live())
			for i := range 5 {
				r, err := b.memory.Load(context.Background(), fmt.Sprint("row", i))
				require.NoError(t, err)
				require.NotEqual(t, setupintent.Closing, r.Progress.Phase(), "a row was left half way")
			}
		})
	}
}

// With a limit, Run does so many rows, and rests.
func TestRunWithALimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.expired(25)
	ctx, stop := context.WithCancel(ctx)
	var done []int
	_ = b.svc.Run(ctx, b.memory, time.Minute, &setupintent.SweepOptions{Limit: 10, OnReport: func(r setupintent.Report, _ error) {
		require.Equal(t, len(done) < 2, r.Left)
		if done = append(done, r.Abandoned); len(done) == 3 {
			stop()
		}
	}})
	require.Equal(t, []int{10, 10, 5}, done)
}

// A clock that is set back by an hour does not hold up the sweeper for an hour,
// and one that is set forward does not make it hurry.
func TestSweepWithAJumpingClock(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{-time.Hour, time.Hour} {
		b := newBench(t, &setupintent.Options{Rate: 10})
		b.expired(20)
		b.clock.advance(2 * time.Hour)
		var calls []time.Duration
		began, jumped := b.clock.now(), time.Duration(0)
		b.provider.Before = failing("CancelIntent", func() error {
			calls = append(calls, b.clock.now().Sub(began)-jumped)
			if len(calls) == 10 {
				b.clock.advance(jump)
				jumped = jump
			}
			return nil
		})
		report, err := b.svc.Sweep(ctx, b.memory, nil)
		require.NoError(t, err)
		require.Equal(t, 20, report.Abandoned)
		for i := range calls[1:] {
			gap := calls[i+1] - calls[i]
			require.LessOrEqual(t, gap, 200*time.Millisecond)
			require.True(t, gap >= 100*time.Millisecond || i == 9, "call %d came %s after the one before", i+1, gap)
		}
	}
}

// limiter is a bucket that several processes share.
type limiter struct {
	waits int
	err   error
}

func (l *limiter) Wait(context.Context) error { l.waits++; return l.err }

// A shared limiter is asked before every call of a sweep, and for nobody who
// waits; if it fails, the sweep ends, and no row is the worse for it.
func TestSweepWithALimiter(t *testing.T) {
	t.Parallel()
	l := new(limiter)
	b := newBench(t, &setupintent.Options{Limiter: l})
	b.expired(10)
	require.Zero(t, l.waits)
	l.err = errors.New("redis is down")
	before := b.rows.Calls("Swap")
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.ErrorIs(t, err, l.err)
	require.Equal(t, setupintent.Report{Looked: 1, Left: true, Lag: report.Lag}, report)
	require.Equal(t, before, b.rows.Calls("Swap"))
	require.Zero(t, b.provider.Calls("CancelIntent"))

	*l = limiter{}
	report, err = b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, 10, report.Abandoned)
	require.Equal(t, 10, l.waits)
}
