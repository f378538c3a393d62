package setupintent

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// Activate turns the row active if the intent, fetched, is the row's own and
// has succeeded. On an active row it returns it again, without a provider call,
// if the intent is the one that activated it. Another row's intent is
// ErrMismatch; one that has not succeeded is ErrNotSucceeded, with a RetryAfter
// if it is still processing.
func (s *Service) Activate(ctx context.Context, id, intentID string) (Row, error) {
	r, err := s.load(ctx, id)
	if err != nil {
		return r, asError(Row{ID: id}, err)
	}
	work := context.WithoutCancel(ctx)
	if r.Status == Pending && r.Progress.Phase() == Done {
		if r, _, err = s.advance(work, r); err != nil {
			return r, asError(r, err)
		}
	}
	p := r.Progress.read()
	switch {
	case r.Status == Active && p.Phase == Done && p.Intent.ID == intentID:
		return r, nil
	case r.Status == Active && p.Phase == Done:
		return r, fail(r, ErrMismatch, 0)
	case p.Phase != Closing || r.Status != Pending:
		if err := s.ended(r); err != nil {
			return r, err
		}
	}
	if intentID == "" || p.Phase == None || p.Intent.ID != "" && p.Intent.ID != intentID {
		return r, fail(r, ErrMismatch, 0)
	}
	in, err := s.get(ctx, r, intentID)
	if errors.Is(err, ErrNotFound) {
		return r, fail(r, unknownIntent(r), 0)
	}
	if err != nil {
		return r, s.unresolved(ctx, r, err)
	}
	if err := s.belongs(r, in); err != nil {
		return r, fail(r, err, 0)
	}
	switch in.Status {
	case Succeeded:
		r, err = s.activate(work, r, in)
		return r, asError(r, err)
	case Processing:
		return r, fail(r, ErrNotSucceeded, 30*time.Second)
	}
	if p.Phase == Attached {
		if r, _, err = s.news(work, r, in); err != nil {
			return r, asError(r, err)
		}
	}
	return r, fail(r, ErrNotSucceeded, 0)
}

// activate is the one function that flips a row, whoever calls it: the intent
// was fetched, belongs to the row, and has succeeded.
func (s *Service) activate(ctx context.Context, r Row, in Intent) (Row, error) {
	f := facts{intent: in}
	f.now = s.now()
	if _, ok := s.rules.try(moveActivate, r, f); !ok {
		return r, s.notActivated(r, in)
	}
	if err := s.onActive(ctx, r, in); err != nil {
		return s.noEffect(ctx, r, fmt.Errorf("%w: OnActive: %w", ErrHook, err))
	}
	now, ok, err := s.settle(ctx, moveActivate, r, f)
	switch {
	case errors.Is(err, ErrHook):
		return s.noEffect(ctx, now, err)
	case err != nil:
		now, _, _ = s.write(ctx, moveBackOff, now, facts{}) // the effect of a store may fail as the commit
		return now, asError(now, err)
	case !ok:
		return now, s.notActivated(now, in)
	}
	return now, nil
}

// noEffect is what it means for the row that the effect failed, the service's or
// the store's.
func (s *Service) noEffect(ctx context.Context, r Row, err error) (Row, error) {
	err = fmt.Errorf("the row stays pending, because its effect failed: %w", err)
	s.report(ctx, r, "hook", err)
	r, _, _ = s.write(ctx, moveBackOff, r, facts{})
	return r, fail(r, err, 5*time.Second)
}

// notActivated returns nil if somebody else has activated the row by the same
// intent.
func (s *Service) notActivated(r Row, in Intent) error {
	p := r.Progress.read()
	switch {
	case r.Status == Active && p.Phase == Done && p.Intent.ID == in.ID:
		return nil
	case r.Status != Pending:
		return fail(r, ErrNotPending, 0)
	}
	return fail(r, ErrMismatch, 0)
}

// onActive runs the application's effect. A panic in it is an error.
func (s *Service) onActive(ctx context.Context, r Row, in Intent) (err error) {
	if s.opts.OnActive == nil {
		return nil
	}
	began := s.opts.Now()
	outer, _ := ctx.Value(effectKey{}).(*effectOf)
	limited, cancel := context.WithTimeout(context.WithValue(ctx, effectKey{}, &effectOf{s, r.ID, outer}), s.opts.OnActiveTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
		s.called(ctx, r, "effect", began, "hook", err)
	}()
	in.ClientSecret = ClientSecret{}
	if err := s.opts.OnActive(limited, r, in); err != nil {
		return err
	}
	return limited.Err() // an effect that overran its time may have been cut off in the middle
}

// panicked is the error that a panic is. Its text has the value's type, but not
// the value, which may be anything, a credential too; what the runtime itself
// panics with is harmless.
func panicked(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("it panicked: %w\n%s", err, debug.Stack())
	}
	return fmt.Errorf("it panicked with a %T\n%s", value, debug.Stack())
}
