package setupintent

import (
	"encoding/json"
	"time"
)

// effect is one object being made at the provider: which request, under which
// key, since when.
type effect struct {
	ID       string          `json:"id,omitempty"`
	Key      string          `json:"key,omitempty"`
	Request  json.RawMessage `json:"request,omitempty"` // frozen: the same on every replay
	Sent     time.Time       `json:"sent"`              // before the first send of Key
	Last     time.Time       `json:"last"`              // before the latest send of Key, by anybody
	Free     bool            `json:"free,omitempty"`    // the latest sender has given up its lease
	Void     bool            `json:"void,omitempty"`    // it has, and knows that it created nothing
	Doubt    bool            `json:"doubt,omitempty"`   // of a sender before the latest, that is not known
	Spent    bool            `json:"spent,omitempty"`   // Key will never be answered with an object
	Sender   uint32          `json:"sender,omitempty"`  // random, of a later stamp: two of them are never the same
	Errors   int             `json:"errors,omitempty"`  // ErrKeySuspect answers to Key
	ErrSince time.Time       `json:"err_since"`         // the first of them
	After    string          `json:"after,omitempty"`   // how far the list was looked through for it
}

// unused reports whether every send of the key was answered, and created nothing.
func (e effect) unused() bool { return e.Void && !e.Doubt }

// forget drops what was needed to make the object and keeps which one it is.
func (e effect) forget() effect { return effect{ID: e.ID} }

// turn is for how long a sweeper takes a row: for one call, or for a list, which
// may be long.
func (e effect) turn(now time.Time) time.Duration {
	if e.ID == "" && e.settled(now) {
		return maxFlight
	}
	return lease
}

// atHand reports whether a row is due, or was until whoever has taken it just now
// moved its due time on.
func (e effect) atHand(due, now time.Time) bool { return !due.After(now.Add(e.turn(now))) }

// underWay reports whether the object may or may not have been made.
func (e *effect) underWay() bool { return e != nil && e.ID == "" && e.Key != "" }

// wait returns wait, and until when, if a sender may be at it, or, with a key
// that tells no more, if a request may still be on its way; else rest.
func (e effect) wait(now time.Time) (step, time.Time) {
	switch {
	case e.usable(now) && e.leased(now):
		return wait, e.Last.Add(lease)
	case !e.usable(now) && now.Before(e.Last.Add(maxFlight)):
		return wait, e.Last.Add(maxFlight)
	}
	return rest, time.Time{}
}

// suspect counts an answer that may be a stored one; enough of them spend the
// key.
func (e *effect) suspect(now time.Time) {
	if e.Errors++; e.Errors == 1 {
		e.ErrSince = now
	}
	e.Spent = e.Spent || e.Errors >= suspectCount && now.Sub(e.ErrSince) >= suspectSpan
}

// leased reports whether the latest sender may still be at it.
func (e effect) leased(now time.Time) bool { return !e.Free && now.Before(e.Last.Add(lease)) }

// usable reports whether the provider still answers the key with the object.
func (e effect) usable(now time.Time) bool {
	return e.Key != "" && !e.Spent && now.Before(e.Sent.Add(keyLife))
}

// settled reports whether a list made now shows the object if there is one or
// ever will be: no more sends, and none still on its way.
func (e effect) settled(now time.Time) bool {
	return !e.usable(now) && !now.Before(e.Last.Add(maxFlight))
}
