package setupintent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Orphan is a live intent of ours that no row points to.
type Orphan struct {
	IntentID string
	RowID    string       // that its metadata names
	Why      string       // there is no such row, or what the row says
	Status   IntentStatus // as listed, and after it was canceled
	Err      error        // why it could not be canceled
}

// maxUnread is how many rows an audit may fail to load; more, and it is the store.
const maxUnread = 20

// Audit reads the provider's intents created in [from, to] and returns the live
// ones of our namespace that no row points to, as there are after rows were
// deleted by hand, or the database was restored from a backup; with fix it
// cancels them. An intent whose row is working with the key that made it is
// none. Each row is loaded after its intent was listed.
//
// It needs Options.Namespace: without one, an intent of another environment at
// the same account looks like an orphan. The provider is called at Options.Rate
// at most. The error is the provider's, the store's or ctx's; the orphans that were
// found come with it. A few rows that can't be loaded do not end the audit.
func (s *Service) Audit(ctx context.Context, from, to time.Time, fix bool) ([]Orphan, error) {
	if s.opts.Namespace == "" {
		return nil, errors.New("setupintent: Audit needs Options.Namespace, to tell our intents from those of other environments")
	}
	b := s.background()
	var orphans []Orphan
	var unread []error // of rows: some do not hide the others
	err := b.each(ctx, from, to, func(in Intent) error {
		rowID := in.Metadata[s.opts.MetadataKey]
		if rowID == "" || in.Metadata[namespaceMetadata] != s.opts.Namespace || in.Live != s.opts.Live || in.Status == Succeeded || in.Status == Canceled {
			return nil
		}
		r, err := b.rows.Load(ctx, rowID)
		var why string
		switch {
		case errors.Is(err, ErrNotFound):
			why = "there is no such row"
		case err != nil && (ctx.Err() != nil || len(unread) == maxUnread):
			return err
		case err != nil:
			unread = append(unread, asError(Row{ID: rowID}, err))
			return nil
		default:
			why = b.abandons(r, in)
		}
		if why == "" {
			return nil
		}
		o := Orphan{IntentID: in.ID, RowID: rowID, Why: why, Status: in.Status}
		if fix {
			o.Status, o.Err = b.cancelOrphan(ctx, in)
		}
		orphans = append(orphans, o)
		return nil
	})
	return orphans, errors.Join(append(unread, err)...)
}

// abandons returns why r has nothing to do with the live intent, or "".
func (s *Service) abandons(r Row, in Intent) string {
	p := r.Progress.read()
	switch {
	case !s.rules.sees(r):
		return "" // not ours to judge
	case p.Intent.Key != "" && in.Metadata[keyHashMetadata] == keyHash(p.Intent.Key):
		return ""
	case p.Intent.ID == in.ID && (r.Status == Pending || r.Status == Active || !r.Due.IsZero()):
		return "" // active: its card was saved after it was listed
	case p.Intent.ID == in.ID:
		return fmt.Sprintf("the row is %s", r.Status)
	case p.Intent.ID != "":
		return fmt.Sprintf("the row is %s, with intent %s", r.Status, p.Intent.ID)
	}
	return fmt.Sprintf("the row is %s, without an intent", r.Status)
}

func (b *background) cancelOrphan(ctx context.Context, in Intent) (IntentStatus, error) {
	if err := b.takeTurn(ctx); err != nil {
		return in.Status, err
	}
	after, err := b.cancelIntent(ctx, Row{ID: in.Metadata[b.opts.MetadataKey]}, in.ID, "abandoned")
	if err != nil {
		return in.Status, err
	}
	return after.Status, nil
}
