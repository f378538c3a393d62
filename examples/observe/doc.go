// Package observe tells monitoring what a setupintent.Service does, by Prometheus
// or by OpenTelemetry: what has moved, how long every call took and what kind of
// error it was, what a sweep and an audit have found, and, read from the rows
// when it is asked for, what has been stuck for too long. Both give the same
// names; docs/runbook.md says what to do about each.
//
// No label holds the id of a row or of an intent: there would be a series for
// each, and in many an application whoever knows the id may go on. Spans do hold
// them, as logs do. No secret comes here at all.
package observe

import (
	"context"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Observer is told what happens. Its methods are what the options of a Service,
// and of its sweeper, ask for.
type Observer interface {
	Observe(ctx context.Context, e setupintent.Event) // setupintent.Options.Observe
	Swept(report setupintent.Report, err error)       // setupintent.SweepOptions.OnReport
	Audited(orphans []setupintent.Orphan, err error)  // what Service.Audit has returned
}

// buckets are of seconds: a store takes milliseconds, a provider up to ten
// seconds.
var buckets = []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// What is counted before it has happened for the first time: an alert on a
// counter misses the first, otherwise.
var (
	classes = []string{"config", "conflict", "hook", "mismatch", "refused", "unsupported"}
	refusal = [2]string{"budget", "limited"}
)

// at is the call that an event is about: to the provider or the application by
// its name, or to the store.
func at(e setupintent.Event) string {
	if e.Move != "" {
		return "store"
	}
	return e.Call
}

// outcomes of the rows of a sweep.
func outcomes(r setupintent.Report) map[string]int {
	return map[string]int{
		"expired": r.Expired, "activated": r.Activated, "abandoned": r.Abandoned, "cancelled": r.Cancelled,
		"pending": r.Pending, "lost": r.Lost, "failed": r.Failed,
	}
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
