package setupintent

import (
	"context"
	"errors"
	"fmt"
)

// Notify acts on news of an intent, from a webhook that the application has
// verified: it fetches the intent with in.ID and makes the move that its row
// can make. What the news says of the intent is not trusted, only its id is
// read; but see Options.TrustNews. An intent or a row that is not ours is
// nothing to act on, and no error.
func (s *Service) Notify(ctx context.Context, in Intent) error {
	none := Row{}
	if in.ID == "" {
		return fail(none, fmt.Errorf("%w: news without an intent id", ErrInvalidRequest), 0)
	}
	var r Row
	if id := in.Metadata[s.opts.MetadataKey]; id != "" {
		var err error
		if r, err = s.toldOf(ctx, id); err != nil || r.Status != Pending {
			return err // whatever has happened to the intent, there is nothing to do
		}
	}
	got := in
	if !s.opts.TrustNews || in.Status != Succeeded || in.PaymentMethod == "" || len(in.Metadata) == 0 {
		var err error
		got, err = s.get(ctx, Row{ID: in.Metadata[s.opts.MetadataKey]}, in.ID)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return s.unresolved(ctx, none, err)
		}
	}
	id := got.Metadata[s.opts.MetadataKey]
	if id == "" || got.Metadata[namespaceMetadata] != s.opts.Namespace {
		return nil
	}
	var err error
	ours := r.ID == id && s.belongs(r, got) == nil
	if !ours { // what was loaded before the fetch will not do
		if r, err = s.toldOf(ctx, id); err != nil || r.Status != Pending {
			return err
		}
		ours = s.belongs(r, got) == nil
	}
	work := context.WithoutCancel(ctx)
	switch {
	case r.Progress.Phase() == Done: // it was active, and written pending again
		r, err = s.refresh(work, r)
	case !ours: // news of another intent is none for this row
	case got.Status == Succeeded:
		r, err = s.activate(work, r, got)
		if r.Status != Pending && errors.Is(err, ErrNotPending) {
			return nil
		}
	case r.Progress.Phase() == Attached:
		var moved bool
		if r, moved, err = s.news(work, r, got); moved && err == nil {
			r, err = s.refresh(work, r)
		}
	case r.Progress.IntentID() == "": // whoever created it was not answered, or not yet
		if r, _, err = s.settle(work, moveRecord, r, facts{key: r.Progress.read().Intent.Key, intent: got}); err == nil && r.Progress.Phase() == Closing {
			r, err = s.refresh(work, r)
		}
	}
	return asError(r, err)
}

// toldOf loads the row that news is about. One that is gone is a zero Row.
func (s *Service) toldOf(ctx context.Context, id string) (Row, error) {
	r, err := s.load(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Row{}, nil
	}
	return r, asError(Row{ID: id}, err)
}
