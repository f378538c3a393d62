package setupintent

import (
	"context"
	"time"
)

// Cancel ends the row because the application wants it to end. The status of
// the row it returns tells how far that came: Cancelled (or Abandoned, if it
// had ended before), Pending (the intent is still being canceled; a Refresh
// later finishes it), or Active, because the card was saved first. An error
// next to a Pending row means that the close has begun and could not be
// finished yet; ErrBusy, that others wrote the row all the time, and it has not
// begun. A row with a status word of the application's own is ErrNotPending.
func (s *Service) Cancel(ctx context.Context, id string) (Row, error) {
	r, err := s.load(ctx, id)
	if err != nil {
		return r, asError(Row{ID: id}, err)
	}
	work := context.WithoutCancel(ctx)
	for range 10 {
		move := moveClose
		switch {
		case r.Status == Active, r.Status == Abandoned, r.Status == Cancelled:
			return r, nil
		case r.Status != Pending:
			return r, s.ended(r)
		case r.Progress.Phase() == Done:
			return s.refresh(work, r)
		case r.Progress.Closing() == Cancelled:
			return s.refresh(work, r)
		case r.Progress.Phase() == Closing && s.rules.sees(r):
			move = moveRetarget
		default:
			if err := s.ended(r); err != nil {
				return r, err
			}
		}
		next, won, err := s.write(work, move, r, facts{target: Cancelled})
		if err != nil {
			return r, asError(r, err)
		}
		if won {
			return s.refresh(work, next)
		}
		r = next
	}
	return r, fail(r, ErrBusy, time.Second)
}
