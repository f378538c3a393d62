package setupintent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// send makes the create call that r was just stamped for, and writes down what
// came of it. A claimed request is the frozen one, as it was before it was
// written.
func (s *Service) send(ctx context.Context, r Row, claimed *IntentRequest) (Row, Intent, error) {
	e := r.Progress.read().Intent
	var req IntentRequest
	if claimed != nil {
		req = *claimed
	} else {
		req = thaw(e.Request)
	}
	req.Key, req.NotAfter, req.Again = e.Key, e.Last.Add(lease), e.Doubt
	in, err := call(ctx, s, r, "create", func(ctx context.Context) (Intent, error) {
		in, err := s.provider.CreateIntent(ctx, req)
		if err == nil && in.ID == "" {
			err = errors.New("the provider answered without an intent id")
		}
		return in, err
	})
	if err != nil {
		r, err = s.notCreated(ctx, r, e.Key, err)
		return r, Intent{}, err
	}
	r, err = s.record(ctx, r, e.Key, in)
	return r, in, err
}

// record writes down the intent that a send was answered with.
func (s *Service) record(ctx context.Context, r Row, key string, in Intent) (Row, error) {
	if e := r.Progress.read().Intent; e.Key == key && e.ID == in.ID {
		return r, nil
	}
	now, ok, err := s.settle(ctx, moveRecord, r, facts{key: key, intent: in})
	switch {
	case errors.Is(err, ErrNotFound):
		// The row is gone, and with it whoever would cancel the intent.
		_, cancelErr := s.cancelIntent(ctx, r, in.ID, "abandoned")
		if cancelErr != nil {
			s.report(ctx, r, "conflict", fmt.Errorf("the row is gone, and its intent %s could not be canceled: %w", in.ID, cancelErr))
		}
		return now, fail(r, ErrNotFound, 0)
	case err != nil:
		return now, fail(now, fmt.Errorf("%w: the intent could not be recorded: %w", ErrUnresolved, err), 2*time.Second)
	case !ok && now.Progress.IntentID() != in.ID:
		// The row has moved on without us; whoever moved it owns the key.
		return now, s.movedOn(now)
	}
	return now, nil
}

func (s *Service) movedOn(r Row) error {
	if err := s.ended(r); err != nil {
		return err
	}
	return fail(r, ErrUnresolved, time.Second)
}

// notCreated writes down what an error of a create means for the row.
func (s *Service) notCreated(ctx context.Context, r Row, key string, err error) (Row, error) {
	f := facts{key: key, void: errors.Is(err, ErrThrottled) || errors.Is(err, ErrCredentials), doubt: r.Progress.read().Intent.Doubt}
	switch {
	case errors.Is(err, ErrRefused):
		// At the version that this send was stamped with, and never on the row as
		// it is by now.
		var ok bool
		var writeErr error
		if r, ok, writeErr = s.write(ctx, moveRefuse, r, f); writeErr != nil {
			return r, fail(r, errors.Join(err, writeErr), 0)
		}
		if !ok {
			r, _, _ = s.settle(ctx, moveSpend, r, f)
		}
		s.report(ctx, r, "refused", err)
		return r, fail(r, err, 0)

	case errors.Is(err, ErrKeySpent):
		r, _, _ = s.settle(ctx, moveSpend, r, f)
		return r, fail(r, fmt.Errorf("%w: %w", ErrUnresolved, err), maxFlight)

	case errors.Is(err, ErrKeySuspect):
		r, _, _ = s.settle(ctx, moveSuspect, r, f)
		if r.Progress.read().Intent.Spent {
			return r, fail(r, fmt.Errorf("%w: %w", ErrUnresolved, err), maxFlight)
		}
		return r, s.unresolved(ctx, r, err)
	}

	// The row goes back only as this send left it. If somebody has written
	// since, it is theirs.
	giveBack := moveGiveBack
	if r.Progress.Phase() != Claimed {
		giveBack = moveBackOff
	}
	r, _, _ = s.write(ctx, giveBack, r, f)
	return r, s.unresolved(ctx, r, err)
}
