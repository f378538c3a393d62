package setupintent

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Event is one thing that the service did for a row: a Move, which is a write to
// the store, or a Call, to the provider or to the application. One that is
// neither needs a person: its Err says why, and its Class what kind of trouble
// it is. It is a value, and holds no secret.
type Event struct {
	RowID    string // empty: of several rows, or of none that is known
	IntentID string // if known
	Move     string // as docs/protocol.md names it
	Call     string // create, get, cancel, list, create customer, list customers, issue, effect, guard, budget, request, customer
	From, To string // phase, and status once the row is not pending; To is From where nothing moved
	Attempts int    // claims so far

	// Duration is how long the store, the provider or the application took to
	// answer.
	Duration time.Duration

	// Class is what kind of error Err is, in a few words that make a label of a
	// metric; empty without one:
	//
	//	config       the provider does not accept our credentials (401, 403), or Check
	//	             found something
	//	refused      the provider refused what it was asked for
	//	throttled    the provider asks to wait (429)
	//	spent        the key tells no more, or is about to
	//	not_found    the provider does not know the intent or the customer
	//	unknown      the provider did not answer, or not clearly
	//	unsupported  the provider can't do this
	//	mismatch     an intent and a row do not belong together
	//	conflict     the application wrote or deleted a row behind the service
	//	hook         the effect of an activation failed, of the service or of the
	//	             store; or Options.Request or Options.Customer did
	//	limited      Options.Guard or the create budget refused a claim
	//	store        the store failed
	//	canceled     whoever asked has left
	Class string
	Err   error
}

// class is for an error of the provider's.
func class(err error) string {
	for _, c := range [...]struct {
		err  error
		word string
	}{
		{ErrCredentials, "config"},
		{ErrRefused, "refused"},
		{ErrThrottled, "throttled"},
		{ErrKeySpent, "spent"},
		{ErrKeySuspect, "spent"},
		{ErrNotFound, "not_found"},
		{errors.ErrUnsupported, "unsupported"},
		{context.Canceled, "canceled"},
	} {
		if errors.Is(err, c.err) {
			return c.word
		}
	}
	return "unknown"
}

// call runs one call to the provider with its own time limit, and tells of it.
func call[T any](ctx context.Context, s *Service, r Row, name string, f func(context.Context) (T, error)) (T, error) {
	began := s.opts.Now()
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := f(limited)
	s.called(ctx, r, name, began, class(err), err)
	return answer, err
}

// called tells of a call that was answered with err, of the class, or with nil.
func (s *Service) called(ctx context.Context, r Row, name string, began time.Time, class string, err error) {
	if err == nil {
		class = ""
	}
	s.tell(ctx, r, r, Event{Call: name, Duration: s.opts.Now().Sub(began), Class: class, Err: err})
}

func (s *Service) moved(ctx context.Context, id moveID, began time.Time, from, to Row) {
	s.tell(ctx, from, to, Event{Move: moves[id].name, Duration: s.opts.Now().Sub(began)})
}

func (s *Service) notMoved(ctx context.Context, id moveID, began time.Time, r Row, err error) {
	class := "store"
	if errors.Is(err, ErrHook) {
		class = "hook"
	}
	s.tell(ctx, r, r, Event{Move: moves[id].name, Duration: s.opts.Now().Sub(began), Class: class, Err: err})
}

// report tells of what needs a person.
func (s *Service) report(ctx context.Context, r Row, class string, err error) {
	s.tell(ctx, r, r, Event{Class: class, Err: err})
}

func (s *Service) tell(ctx context.Context, from, to Row, e Event) {
	if s.opts.Observe == nil && s.opts.Logger == nil {
		return
	}
	p := to.Progress.read()
	e.RowID, e.IntentID, e.Attempts = to.ID, p.Intent.ID, p.Attempts
	e.From, e.To = where(from), where(to)
	if s.opts.Observe != nil {
		s.opts.Observe(ctx, e)
	}
	if s.opts.Logger != nil {
		s.opts.Logger.LogAttrs(ctx, e.level(), e.message(), e.attrs()...)
	}
}

func where(r Row) string {
	if r.Status != Pending {
		return string(r.Status)
	}
	return string(r.Progress.Phase())
}

func (e Event) message() string {
	switch {
	case e.Move != "":
		return "setupintent: move"
	case e.Call != "":
		return "setupintent: call"
	}
	return "setupintent: needs a person"
}

// level is warn for what failed and is tried again by itself.
func (e Event) level() slog.Level {
	switch {
	case e.Move == "" && e.Call == "":
		return slog.LevelError
	case e.Class == "", e.Class == "canceled", e.Class == "limited", e.Class == "unsupported":
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

func (e Event) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 10)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("row", e.RowID)
	text("intent", e.IntentID)
	text("move", e.Move)
	text("call", e.Call)
	text("from", e.From)
	text("to", e.To)
	attrs = append(attrs, slog.Int("attempts", e.Attempts), slog.Duration("duration", e.Duration))
	text("class", e.Class)
	if e.Err != nil {
		attrs = append(attrs, slog.String("err", e.Err.Error()))
	}
	return attrs
}
