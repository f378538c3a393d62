package setupintent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Refresh looks at the row's intent and makes every move that the row can make
// now: it resolves a create whose answer was lost, activates, re-arms, closes a
// row whose deadline is over, finishes a close. It returns the row as it is
// then, also next to an error. An application may call it whenever it has
// reason to believe that something has happened.
func (s *Service) Refresh(ctx context.Context, id string) (Row, error) {
	work := context.WithoutCancel(ctx)
	r, err := s.load(ctx, id)
	if err != nil {
		return r, asError(Row{ID: id}, err)
	}
	return s.refresh(work, r)
}

// maxSteps is more than any row has to make in a row.
const maxSteps = 12

func (s *Service) refresh(ctx context.Context, r Row) (Row, error) {
	if !s.rules.sees(r) {
		return r, s.ended(r)
	}
	for range maxSteps {
		next, moved, err := s.advance(ctx, r)
		if err != nil {
			return next, asError(next, err)
		}
		if r = next; !moved {
			break
		}
	}
	return r, nil
}

// advance makes the next move of the row, with the call to the provider that it
// takes. Moved means that there may be more to do at once; a row that somebody
// else has moved is theirs.
func (s *Service) advance(ctx context.Context, r Row) (Row, bool, error) {
	step, _ := s.rules.next(r, s.now())
	switch step {
	case end:
		if r.Progress.IsZero() {
			return s.write(ctx, moveExpire, r, facts{})
		}
		return s.write(ctx, moveClose, r, facts{target: Abandoned})
	case send:
		move := moveTakeOver
		if r.Progress.Phase() == Closing {
			move = moveReplay
		}
		r, won, err := s.write(ctx, move, r, facts{})
		if err != nil || !won {
			return r, false, err
		}
		r, _, err = s.send(ctx, r, nil)
		return r, err == nil, err
	case list:
		return s.look(ctx, r)
	case fetch:
		in, err := s.get(ctx, r, r.Progress.IntentID())
		if err != nil {
			r, err = s.noIntent(ctx, r, err)
			return r, false, err
		}
		if err := s.belongs(r, in); err != nil {
			return s.setAside(ctx, r, err)
		}
		next, moved, err := s.news(ctx, r, in)
		if err != nil || moved || next.Version != r.Version {
			return next, moved, err
		}
		next, _, err = s.write(ctx, moveRecheck, r, facts{})
		return next, false, err
	case cancel:
		return s.cancel(ctx, r)
	case clean:
		return s.write(ctx, moveClean, r, facts{})
	case leave:
		return s.write(ctx, moveLeave, r, facts{})
	case restore:
		next, won, err := s.write(ctx, moveRestore, r, facts{})
		if won {
			s.report(ctx, next, "conflict", errors.New("an activated row had been written pending again; it is active, and its effect did not run again"))
		}
		return next, won, err
	}
	return r, false, nil
}

// news makes the move that the fetched intent of an attached row calls for, if
// any.
func (s *Service) news(ctx context.Context, r Row, in Intent) (Row, bool, error) {
	switch in.Status {
	case Succeeded:
		next, err := s.activate(ctx, r, in)
		return next, err == nil, err
	case Canceled:
		next, _, err := s.write(ctx, moveRearm, r, facts{intent: in})
		return next, err == nil, err
	case Processing:
		if !s.atHand(r) {
			return r, false, nil
		}
		next, _, err := s.write(ctx, moveBackOff, r, facts{})
		return next, false, err
	}
	next, won, err := s.write(ctx, moveDecline, r, facts{intent: in})
	if !won || err != nil {
		return next, false, err
	}
	return next, len(next.Progress.read().Failed) >= s.opts.MaxDeclines, nil
}

// cancel ends the intent of a closing row, and decides by what it has become.
func (s *Service) cancel(ctx context.Context, r Row) (Row, bool, error) {
	reason := "abandoned"
	if r.Progress.Closing() == Cancelled {
		reason = "requested_by_customer"
	}
	in, err := s.cancelIntent(ctx, r, r.Progress.IntentID(), reason)
	if err != nil {
		r, err = s.noIntent(ctx, r, err)
		return r, false, err
	}
	switch {
	case in.Status == Canceled:
		next, won, err := s.write(ctx, moveFinish, r, facts{intent: in})
		if err != nil {
			next, _, _ = s.write(ctx, moveBackOff, next, facts{}) // it may be the status that the store refuses
		}
		return next, won, err
	case in.Status == Succeeded && r.Status != Pending:
		next, won, err := s.write(ctx, moveKeep, r, facts{intent: in})
		if won {
			s.report(ctx, next, "conflict", fmt.Errorf("the application ended the row as %q, and its intent succeeded", r.Status))
		}
		return next, false, err
	case in.Status == Succeeded:
		if err := s.belongs(r, in); err != nil {
			return s.setAside(ctx, r, err)
		}
		next, err := s.activate(ctx, r, in)
		return next, err == nil, err
	}
	next, _, err := s.write(ctx, moveBackOff, r, facts{})
	return next, false, err
}

// noIntent is what an error of get or cancel means for the row.
func (s *Service) noIntent(ctx context.Context, r Row, err error) (Row, error) {
	if errors.Is(err, ErrNotFound) {
		next, _, err := s.setAside(ctx, r, unknownIntent(r))
		return next, err
	}
	wrapped := s.unresolved(ctx, r, err)
	if !s.atHand(r) {
		return r, wrapped
	}
	if errors.Is(err, errors.ErrUnsupported) && r.Progress.IntentID() == "" {
		s.report(ctx, r, "unsupported", fmt.Errorf("an intent may have been created: find it at the provider by its metadata, and pass its id to Notify: %w", err))
	}
	r, _, _ = s.write(ctx, moveBackOff, r, facts{})
	return r, wrapped
}

// unknownIntent names the row's own intent, and not the one that was asked for,
// which may be anything, a client secret too.
func unknownIntent(r Row) error {
	return fmt.Errorf("%w: the provider does not know it (the row's is %q); is the key of another account or mode? If the intent is gone for good, end the row by hand: docs/runbook.md",
		ErrMismatch, r.Progress.IntentID())
}

func (s *Service) atHand(r Row) bool { return r.Progress.read().Intent.atHand(r.Due, s.now()) }

// setAside puts the row off for a day if it is due: a person has to look.
func (s *Service) setAside(ctx context.Context, r Row, why error) (Row, bool, error) {
	s.report(ctx, r, "mismatch", why)
	if !s.atHand(r) {
		return r, false, fail(r, why, 0)
	}
	next, _, err := s.write(ctx, moveUnknown, r, facts{})
	if err != nil {
		return r, false, err
	}
	return next, false, fail(next, why, 0)
}

// look finds out by a list what became of a create whose key tells no more, for as
// long as somebody waits. In a longer list the sweeper finds it.
func (s *Service) look(ctx context.Context, r Row) (Row, bool, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.find(limited, []Row{r})
	if err != nil && limited.Err() != nil {
		return r, false, fail(r, fmt.Errorf("%w: the intent is still being looked for", ErrUnresolved), time.Minute)
	}
	return s.looked(ctx, r, found, err)
}

// looked makes the move that a list calls for.
func (s *Service) looked(ctx context.Context, r Row, found map[string]Intent, err error) (Row, bool, error) {
	if err != nil {
		r, err = s.noIntent(ctx, r, err)
		return r, false, err
	}
	if in, ok := found[r.ID]; ok {
		return s.write(ctx, moveAdopt, r, facts{intent: in})
	}
	if r.Progress.Phase() == Closing {
		return s.write(ctx, moveNever, r, facts{})
	}
	return s.write(ctx, moveNext, r, facts{})
}

// window is when the intent of r was created, if it was.
func window(r Row) (from, to time.Time) {
	e := r.Progress.read().Intent
	return e.Sent.Add(-listMargin), e.Last.Add(maxFlight + listMargin)
}

var errAllFound = errors.New("all found")

// find returns the intents of the rows' keys, by row id, in one pass through
// the provider's list.
func (s *Service) find(ctx context.Context, rows []Row) (map[string]Intent, error) {
	ids := make(map[string]string, len(rows)) // by the hash of the key, which says more than a name that may have changed
	var from, to time.Time
	for _, r := range rows {
		ids[keyHash(r.Progress.read().Intent.Key)] = r.ID
		f, t := window(r)
		if from.IsZero() || f.Before(from) {
			from = f
		}
		if t.After(to) {
			to = t
		}
	}
	found := map[string]Intent{}
	err := s.each(ctx, from, to, func(in Intent) error {
		if id, ok := ids[in.Metadata[keyHashMetadata]]; ok && in.Metadata[namespaceMetadata] == s.opts.Namespace {
			if found[id] = in; len(found) == len(rows) {
				return errAllFound
			}
		}
		return nil
	})
	if errors.Is(err, errAllFound) {
		err = nil
	}
	return found, err
}

// each calls f with every intent created in [from, to], newest first.
func (s *Service) each(ctx context.Context, from, to time.Time, f func(Intent) error) error {
	for after := ""; ; {
		if s.nextPage != nil {
			if err := s.nextPage(ctx); err != nil {
				return err
			}
		}
		page, err := s.list(ctx, from, to, after)
		if err != nil {
			return err
		}
		for _, in := range page {
			if err := f(in); err != nil {
				return err
			}
		}
		if len(page) == 0 {
			return nil
		}
		last := page[len(page)-1].ID
		if last == after {
			return errors.New("the provider's list does not move on")
		}
		after = last
	}
}
