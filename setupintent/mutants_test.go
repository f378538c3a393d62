package setupintent_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

// asWas is a move without change.
type asWas = func(*setupintent.Draft, setupintent.Facts) bool

// mutants are protocols with one rule broken. The simulation must catch each.
var mutants = []struct {
	name  string
	moves setupintent.Moves
}{
	{"new key on takeover", setupintent.Broken(setupintent.MoveTakeOver, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		d.Intent.Key = setupintent.DrawKey()
		return ok
	})},
	{"takeover of a spent or old key", setupintent.Broken(setupintent.MoveGiveBack, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		d.Intent.Sent = f.Now() // as if it were young
		return ok
	})},
	{"takeover as if it were the first send", setupintent.Broken(setupintent.MoveTakeOver, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		d.Intent.Doubt = false
		return ok
	})},
	{"takeover dates its stamp back", setupintent.Broken(setupintent.MoveTakeOver, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		last := d.Intent.Last
		ok := as(d, f)
		d.Intent.Last = last.Add(-setupintent.MaxFlight + setupintent.Lease)
		return ok
	})},
	{"refusal clears the claim, whoever else may have sent", setupintent.Broken(setupintent.MoveSpend, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if ok && d.Phase == setupintent.Claimed {
			d.None()
		}
		return ok
	})},
	{"record whatever the key", setupintent.Broken(setupintent.MoveRecord, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		if f.Intent().ID == "" {
			return false
		}
		d.Learn(f)
		return true
	})},
	{"record reopens a closing row", setupintent.Broken(setupintent.MoveRecord, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if ok && d.Phase == setupintent.Closing {
			d.Phase, d.Target = setupintent.Attached, ""
		}
		return ok
	})},
	{"abandon before cancel", setupintent.Broken(setupintent.MoveClose, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if ok && d.Phase == setupintent.Closing {
			d.EndAs(d.Target)
		}
		return ok
	})},
	{"close lists at once", setupintent.Broken(setupintent.MoveClose, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if d.Phase == setupintent.Closing && d.Intent.ID == "" {
			d.Intent.Spent, d.Intent.Last = true, f.Now().Add(-setupintent.MaxFlight)
		}
		return ok
	})},
	{"list without waiting", setupintent.Broken(setupintent.MoveSpend, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		d.Intent.Last = f.Now().Add(-setupintent.MaxFlight)
		d.SetDue(f.Now())
		return ok
	})},
	{"replay dates its stamp back", setupintent.Broken(setupintent.MoveReplay, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		last := d.Intent.Last
		ok := as(d, f)
		d.Intent.Last = last.Add(-setupintent.MaxFlight)
		return ok
	})},
	{"re-arm without asking what the intent is", setupintent.Broken(setupintent.MoveDecline, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if ok {
			d.None()
		}
		return ok
	})},
	{"an active row that was overwritten is not restored", setupintent.Broken(setupintent.MoveRestore, func(asWas, *setupintent.Draft, setupintent.Facts) bool {
		return false
	})},
	{"finish without knowing that it is canceled", setupintent.Broken(setupintent.MoveBackOff, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		if d.Phase == setupintent.Closing {
			d.Finish()
			return true
		}
		return as(d, f)
	})},
	{"reported row forgets its intent", setupintent.Broken(setupintent.MoveKeep, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if ok {
			d.None()
		}
		return ok
	})},
	{"cancel does not retarget", setupintent.Broken(setupintent.MoveRetarget, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		target := d.Target
		ok := as(d, f)
		d.Target = target
		return ok
	})},
	{"next attempt although the list was too early", setupintent.Broken(setupintent.MoveGiveBack, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if ok {
			d.None()
		}
		return ok
	})},
	{"attached rows are never looked at", setupintent.Broken(setupintent.MoveRecord, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		if ok && d.Phase == setupintent.Attached {
			d.SetDue(time.Time{})
		}
		return ok
	})},
	{"rows taken out of pending are left alone", setupintent.Broken(setupintent.MoveClean, func(asWas, *setupintent.Draft, setupintent.Facts) bool {
		return false
	})},
	{"record by the number of the attempt, not by its key", byAttempt()},
}

// byAttempt takes an answer for the row's if it is of as many attempts as the row
// has had.
func byAttempt() setupintent.Moves {
	var attempts sync.Map // by key
	return setupintent.Broken(setupintent.MoveClaim, func(as asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		ok := as(d, f)
		attempts.Store(f.Key(), d.Attempts)
		return ok
	}).Broken(setupintent.MoveRecord, func(_ asWas, d *setupintent.Draft, f setupintent.Facts) bool {
		if n, _ := attempts.Load(f.Key()); n != d.Attempts || f.Intent().ID == "" || d.Intent.ID != "" && d.Intent.ID != f.Intent().ID {
			return false
		}
		d.Learn(f)
		return true
	})
}

// mutantSchedules is within how many each mutant must be caught.
const mutantSchedules = 300_000

func TestMutants(t *testing.T) {
	t.Parallel()
	var caught findings
	t.Cleanup(func() {
		lines := caught.all()
		found(t, layerMutants, fmt.Sprintf("%d of %d caught within %s schedules", len(lines), len(mutants), thousands(mutantSchedules)), lines...)
	})
	for i, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			o := simulate("ports", mutantSchedules, m.moves)
			if o.broken < 0 {
				broke(t, layerMutants, fmt.Sprintf("%q was not caught in %s schedules", m.name, thousands(mutantSchedules)))
			}
			bad := newRig("ports", m.moves).play(seeded(o.broken), false).bad
			caught.add(i, fmt.Sprintf("%12s  %s: %s", thousands(int(o.broken)+1), m.name, bad))
		})
	}
}

// What breaks is told as a schedule that a person can follow.
func TestExplain(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"ports", "stripe"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			moves := mutants[0].moves
			o := simulate(on, 1000, moves)
			require.GreaterOrEqual(t, o.broken, int64(0))
			short, lines := explain(on, o.broken, moves)
			require.Equal(t, "I1 two live intents", short)
			require.Contains(t, strings.Join(lines, "\n"), "take over")
			require.Less(t, len(lines), 60, "%s", strings.Join(lines, "\n"))
			require.Contains(t, lines[len(lines)-1], "BROKEN")
			short, _ = explain(on, o.broken, nil)
			require.Contains(t, short, "not reproducible")
		})
	}
}

func TestFolded(t *testing.T) {
	t.Parallel()
	lines := strings.Split("begins,0s  S  lists,1s  S  due at 2s,15s  S  lists,16s  S  due at 17s,1m0.5s  S  lists,1m1s  S  due at 2m0s,ends,ends", ",")
	require.Equal(t, []string{"      begins", "      0s  S  lists", "      1s  S  due at 2s", "      … 2 more alike", "      ends", "      ends"}, folded(lines))
}
