package setupintent

import (
	"context"
	"errors"
)

// Retrieve returns the row's intent as the provider has it now, and the row,
// whatever has become of either. It never creates an intent, but it makes the
// move that the fetched one calls for, as Begin does: an attached row whose
// intent has succeeded comes back active; one that is being closed is left to
// the sweeper. Another intent than the row's is ErrMismatch, and
// the provider is not asked.
func (s *Service) Retrieve(ctx context.Context, id, intentID string) (Row, Intent, error) {
	r, err := s.load(ctx, id)
	if err != nil {
		return r, Intent{}, asError(Row{ID: id}, err)
	}
	if r.Progress.newer != nil {
		return r, Intent{}, s.ended(r)
	}
	if intentID == "" || r.Progress.IntentID() != intentID {
		return r, Intent{}, fail(r, ErrMismatch, 0)
	}
	in, err := s.get(ctx, r, intentID)
	switch {
	case errors.Is(err, ErrNotFound):
		return r, Intent{}, fail(r, unknownIntent(r), 0)
	case err != nil:
		return r, Intent{}, s.unresolved(ctx, r, err)
	}
	if err := s.belongs(r, in); err != nil {
		return r, Intent{}, fail(r, err, 0)
	}
	work := context.WithoutCancel(ctx)
	switch phase := r.Progress.Phase(); {
	case r.Status != Pending:
	case phase == Attached:
		r, _, err = s.news(work, r, in)
	case phase == Done: // it was active, and written pending again
		r, err = s.refresh(work, r)
	}
	if err != nil {
		return r, Intent{}, asError(r, err)
	}
	return r, in, nil
}

// OwnsMetadata reports whether the metadata key is the service's own: what it
// holds says whose an intent is, and nobody else sets it or unsets it.
func (s *Service) OwnsMetadata(key string) bool {
	return key == s.opts.MetadataKey || key == namespaceMetadata || key == keyHashMetadata
}
