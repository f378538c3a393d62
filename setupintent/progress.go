package setupintent

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Phase is how far the intent of a row has come.
type Phase string

// The phases of a row. A row that has never been claimed has a zero Progress,
// whose phase is None.
const (
	None     Phase = "none"     // no intent that could be live
	Claimed  Phase = "claimed"  // an intent is being created; it may or may not exist
	Attached Phase = "attached" // the intent is known
	Closing  Phase = "closing"  // the row is ending; the intent is being canceled
	Done     Phase = "done"     // the row was activated
)

// Progress is the service's account of a row: its phase, the idempotency key,
// the frozen request, the intent. A store keeps it in one nullable text column
// and never looks inside: it is its own sql.Scanner and driver.Valuer, and NULL
// is the zero Progress. It is a value that nobody changes, and it never holds a
// client secret.
//
// A Progress written by a newer release is kept to the byte and left alone: the
// service answers ErrUnresolved for its row, so that rolling back a release
// loses nothing.
type Progress struct {
	p     *progress // nil: zero, or newer
	newer []byte    // the text of a format that this release does not know
}

// formatVersion is the format this release writes. It grows with every change
// that an older release could not carry on.
const formatVersion = 1

// progress is the persisted form. Every field is written from the first release
// on, so that a later one finds rows it can carry on.
type progress struct {
	Format    int       `json:"format"`
	Namespace string    `json:"ns,omitempty"`
	Live      bool      `json:"live,omitempty"`
	Phase     Phase     `json:"phase"`
	Attempts  int       `json:"attempts,omitempty"` // claims so far
	Intent    effect    `json:"intent"`
	Customer  *effect   `json:"customer,omitempty"` // nil: none is made for the row
	Method    string    `json:"method,omitempty"`   // the payment method, once active
	Target    Status    `json:"target,omitempty"`   // where a close leads; empty: only cleaning up
	Deadline  time.Time `json:"deadline"`
	Failed    []string  `json:"failed,omitempty"`  // distinct failed confirmations, at most MaxDeclines
	Backoff   int       `json:"backoff,omitempty"` // steps without news since the last one with
	Written   int64     `json:"written"`           // the row's version by our last write
}

// IsZero reports whether nothing was ever written: the row was never claimed, and
// has no customer of its subject's row before it.
func (p Progress) IsZero() bool { return p.p == nil && p.newer == nil }

// Phase returns how far the row's intent has come; "" if a newer release wrote
// the row.
func (p Progress) Phase() Phase {
	if p.newer != nil {
		return ""
	}
	return p.read().Phase
}

// Closing returns the status that a close is heading for; "" if the row is not
// closing, or keeps its status.
func (p Progress) Closing() Status { return p.read().Target }

// IntentID returns the id of the row's intent; "" while it is not known.
func (p Progress) IntentID() string { return p.read().Intent.ID }

// PaymentMethodID returns the id of the saved payment method; "" before the row
// is active.
func (p Progress) PaymentMethodID() string { return p.read().Method }

// CustomerID returns the id of the provider's customer, if there is one.
func (p Progress) CustomerID() string {
	if c := p.read().Customer; c != nil {
		return c.ID
	}
	return ""
}

// Sent returns when the create that the row waits for, or that has made its
// intent, was first sent; zero if there is none. It may be that of the customer.
func (p Progress) Sent() time.Time { return p.read().sending().Sent }

// KeySpent reports whether the create that the row waits for (see Sent) has to be
// looked up in the provider's list, because its key will never be answered with
// what it has made.
func (p Progress) KeySpent() bool { return p.read().sending().Spent }

// Deadline returns when the row is closed if no card was saved; zero before the
// first claim, unless Successor has set it.
func (p Progress) Deadline() time.Time { return p.read().Deadline }

// String describes the progress for a log: no key, no parameters.
func (p Progress) String() string {
	if p.newer != nil {
		return "written by a newer release"
	}
	q := p.read()
	return fmt.Sprintf("%s attempts=%d intent=%q", q.Phase, q.Attempts, q.Intent.ID)
}

// GoString is String: %#v must not print keys.
func (p Progress) GoString() string { return p.String() }

// read returns the account as a value; of a zero Progress, that of an untouched
// row.
func (p Progress) read() progress {
	if p.p == nil {
		return progress{Format: formatVersion, Phase: None}
	}
	q := *p.p
	q.Failed = slices.Clip(q.Failed)
	return q
}

// sending is the effect that the row is about.
func (p progress) sending() effect {
	if p.Customer.underWay() {
		return *p.Customer
	}
	return p.Intent
}

// MarshalText implements [encoding.TextMarshaler]; the zero Progress is empty.
func (p Progress) MarshalText() ([]byte, error) {
	switch {
	case p.newer != nil:
		return bytes.Clone(p.newer), nil
	case p.p == nil:
		return nil, nil
	}
	return json.Marshal(p.p)
}

// UnmarshalText implements [encoding.TextUnmarshaler]. The error says what is
// wrong, without the text.
func (p *Progress) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Progress{}
		return nil
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("setupintent: the progress column holds no progress of ours: offset %d", offset(err))
	}
	if head.Format > formatVersion {
		*p = Progress{newer: bytes.Clone(text)}
		return nil
	}
	q := new(progress)
	if err := json.Unmarshal(text, q); err != nil {
		return fmt.Errorf("setupintent: the progress column holds no progress of ours: offset %d", offset(err))
	}
	switch q.Phase {
	case None, Claimed, Attached, Closing, Done:
	default:
		return errors.New("setupintent: the progress column holds no progress of ours: unknown phase")
	}
	if q.Attempts < 0 || q.Backoff < 0 || q.Intent.Errors < 0 || q.Customer != nil && q.Customer.Errors < 0 {
		return errors.New("setupintent: the progress column holds no progress of ours: a negative count")
	}
	if !q.Intent.readable() || q.Customer != nil && (!q.Customer.readable() || q.Customer.ID == "" && q.Customer.Key == "") {
		return errors.New("setupintent: the progress column holds no progress of ours: a request without its key, or that is no object")
	}
	*p = Progress{p: q}
	return nil
}

// readable reports whether what is left of the effect can be sent again.
func (e effect) readable() bool {
	return len(e.Request) == 0 || e.Key != "" && e.Request[0] == '{'
}

func offset(err error) int64 {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return syntax.Offset
	case errors.As(err, &kind):
		return kind.Offset
	}
	return 0
}

// Value implements [driver.Valuer]: text, or NULL for the zero Progress.
func (p Progress) Value() (driver.Value, error) {
	text, err := p.MarshalText()
	if err != nil || text == nil {
		return nil, err
	}
	return string(text), nil
}

// Scan implements sql.Scanner.
func (p *Progress) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		return p.UnmarshalText(nil)
	case string:
		return p.UnmarshalText([]byte(src))
	case []byte:
		return p.UnmarshalText(src)
	}
	return fmt.Errorf("setupintent: the progress column must be text or NULL, not %T", src)
}
