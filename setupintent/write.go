package setupintent

import (
	"context"
	"errors"
	"fmt"
)

// effectOf marks the context of a row's effect.
type effectOf struct {
	service *Service
	id      string
	outer   *effectOf // whose effect has called this service
}

type effectKey struct{}

// inEffect reports whether ctx is that of the row's effect.
func (s *Service) inEffect(ctx context.Context, id string) bool {
	e, _ := ctx.Value(effectKey{}).(*effectOf)
	for e != nil && (e.service != s || e.id != id) {
		e = e.outer
	}
	return e != nil
}

var errInEffect = errors.New("OnActive has called the service for its own row, which would call OnActive again: it has the row and the intent as they are")

// load returns the row, ready to be moved.
func (s *Service) load(ctx context.Context, id string) (Row, error) {
	switch {
	case id == "":
		return Row{}, ErrNotFound
	case s.inEffect(ctx, id):
		return Row{}, errInEffect
	}
	r, err := s.rows.Load(ctx, id)
	if err == nil {
		err = rolledBack(r)
	}
	return r, err
}

// rolledBack returns an error if somebody has saved an older copy of the row over
// it, but not its progress: versions then come a second time, and a swap by one of
// them says nothing. An activated row is restored all the same.
func rolledBack(r Row) error {
	p := r.Progress.read()
	if r.Status != Pending || p.Phase == Done || r.Version >= p.Written {
		return nil
	}
	return fail(r, fmt.Errorf("its version is %d, and its progress was written with version %d: an older copy of the row was saved over it; set the version to %d, and see that every writer adds 1 to it",
		r.Version, p.Written, p.Written+1), 0)
}

// write makes the move on the row as loaded, and returns the row as it is then.
// False means that the guard does not hold, and the row is r, or that somebody
// else wrote first, and the row is theirs. If the store does not know what came
// of the write, the row itself tells.
func (s *Service) write(ctx context.Context, id moveID, r Row, f facts) (Row, bool, error) {
	f.now = s.now()
	if id == moveTakeOver || id == moveReplay {
		f.sender = newSender()
	}
	next, ok := s.rules.try(id, r, f)
	if !ok {
		return r, false, nil
	}
	began := s.opts.Now()
	won, err := s.rows.Swap(ctx, r, next)
	if err == nil && won {
		s.moved(ctx, id, began, r, next)
		return next, true, nil
	}
	now, loadErr := s.load(ctx, r.ID)
	switch {
	case err == nil && loadErr != nil:
		return r, false, loadErr
	case err == nil && now.Version == r.Version && now.Status == r.Status:
		err = fmt.Errorf("the store refuses a write at version %d, and still shows that version: does it read from a replica?", r.Version)
		s.notMoved(ctx, id, began, r, err)
		return r, false, err
	case err == nil:
		return now, false, nil
	case loadErr != nil || now.Version == r.Version:
		s.notMoved(ctx, id, began, r, err)
		return r, false, noNews(err) // it may yet take effect; the next swap finds out
	case sameWrite(now, next):
		s.moved(ctx, id, began, r, next)
		return next, true, nil
	}
	return now, false, nil
}

// noNews keeps an error of Swap from saying anything about the row: that the row
// is gone is a false, and no error.
func noNews(err error) error {
	if errors.Is(err, ErrNotFound) && !errors.Is(err, ErrHook) {
		return fmt.Errorf("the store: %v", err) //nolint:errorlint // what it wraps is what must not be seen
	}
	return err
}

// settle makes the move on the row as it is by now, however often somebody else
// is first. False means that its guard does not hold any more.
func (s *Service) settle(ctx context.Context, id moveID, r Row, f facts) (Row, bool, error) {
	for range 10 {
		next, won, err := s.write(ctx, id, r, f)
		if won || err != nil || next.Version == r.Version {
			return next, won, err
		}
		r = next
	}
	return r, false, ErrBusy
}

// sameWrite reports whether the row now is what this process wrote. Somebody else
// may have written the same, but not where one of the two must know that it was the
// other: a claim has its own key, a stamp its own sender.
func sameWrite(now, wrote Row) bool {
	a, errA := now.Progress.MarshalText()
	b, errB := wrote.Progress.MarshalText()
	return now.Version == wrote.Version && now.Status == wrote.Status && errA == nil && errB == nil && string(a) == string(b)
}
