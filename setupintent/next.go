package setupintent

import "time"

// step is what a row needs next.
type step int

const (
	rest    step = iota // nothing, unless somebody asks for an intent
	wait                // somebody is at it, or a request may still be on its way
	end                 // its deadline is over, or its declines are too many
	send                // stamp it, then create with its key
	list                // its key can't tell any more: look for the intent
	fetch               // look at the intent
	cancel              // cancel the intent
	clean               // not pending any more, but its intent may be live
	leave               // not pending any more, and there is no intent
	restore             // activated, and then overwritten
)

var stepNames = [...]string{"rest", "wait", "end", "send", "list", "fetch", "cancel", "clean", "leave", "restore"}

func (s step) String() string { return stepNames[s] }

// next returns what the row needs next, and for wait, until when.
func (ru *rules) next(r Row, now time.Time) (step, time.Time) {
	p := r.Progress.read()
	switch {
	case !ru.sees(r):
		return rest, time.Time{}
	case r.Status != Pending && r.Due.IsZero():
		return rest, time.Time{}
	case r.Status != Pending && (p.Phase == None || p.Phase == Done):
		return leave, time.Time{}
	case r.Status != Pending && (p.Phase != Closing || p.Target != ""):
		return clean, time.Time{}
	case p.Phase == Done:
		return restore, time.Time{}
	case p.Phase == Closing && p.Intent.ID != "":
		return cancel, time.Time{}
	}
	p.Deadline = deadline(r)
	d := draft{progress: p, rules: ru}
	switch {
	case p.Phase != Closing && (d.deadlineOver(now) || len(p.Failed) >= ru.maxDeclines):
		return end, time.Time{}
	case p.Phase == None && ru.customerOf(p).underWay():
		return p.Customer.wait(now)
	case p.Phase == None:
		return rest, time.Time{}
	case p.Phase == Attached:
		return fetch, time.Time{}
	}
	if step, until := p.Intent.wait(now); step == wait {
		return wait, until
	}
	if p.Intent.usable(now) {
		return send, time.Time{}
	}
	return list, time.Time{}
}

// deadline is the application's, until the row's first claim takes it down.
func deadline(r Row) time.Time {
	p := r.Progress.read()
	if p.Deadline.IsZero() && p.Phase == None {
		return r.Due
	}
	return p.Deadline
}
