package setupintent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Import makes an intent that was created before, without this service, the
// row's own. The row must have no intent, and the intent's metadata must
// already name the row; otherwise the error is ErrMismatch. Again with the same
// intent, it returns the row. Of a row whose deadline is over the intent is
// canceled, if its card was not saved, and the row abandoned. A row that has ended
// before is ErrNotPending, one with MaxAttempts behind it ErrExhausted, and ErrBusy
// says that somebody else wrote the row meanwhile: try again.
func (s *Service) Import(ctx context.Context, id, intentID string) (Row, error) {
	r, err := s.load(ctx, id)
	if err != nil {
		return r, asError(Row{ID: id}, err)
	}
	if err := s.ended(r); err != nil {
		return r, err
	}
	if r.Progress.IntentID() == intentID && intentID != "" {
		return r, nil
	}
	mismatch := func(why string) (Row, error) {
		return r, fail(r, fmt.Errorf("%w: %s", ErrMismatch, why), 0)
	}
	switch {
	case intentID == "":
		return mismatch("no intent is named")
	case r.Progress.Phase() != None:
		return mismatch("the row has another, or is making one")
	}
	in, err := s.get(ctx, r, intentID)
	switch {
	case errors.Is(err, ErrNotFound):
		return mismatch("the provider does not know it")
	case err != nil:
		return r, s.unresolved(ctx, r, err)
	case in.Live != s.opts.Live:
		return mismatch("it is of the other mode, test or live")
	case in.Status == Canceled:
		return mismatch("it is canceled")
	case in.Metadata[s.opts.MetadataKey] != r.ID, in.Metadata[namespaceMetadata] != s.opts.Namespace:
		return mismatch("its metadata does not name the row and the namespace; set it first")
	}
	if r.Progress.read().Attempts >= s.opts.MaxAttempts {
		return r, fail(r, ErrExhausted, 0)
	}
	work := context.WithoutCancel(ctx)
	next, won, err := s.write(work, moveImport, r, facts{intent: in})
	switch {
	case err != nil:
		return r, asError(r, err)
	case !won:
		return r, fail(r, ErrBusy, time.Second)
	}
	return s.refresh(work, next)
}
