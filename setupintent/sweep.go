package setupintent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DueStore finds the rows of a PendingStore's table that have to be looked at.
type DueStore interface {
	// Due returns at most limit rows, whatever their status, with Due set and
	// not after now, that follow after in the order of (Due, ID); the zero after
	// starts at the beginning. It reserves nothing: callers race by Swap.
	Due(ctx context.Context, now time.Time, after Row, limit int) ([]Row, error)
}

// SweepOptions of a sweep. The zero SweepOptions works.
type SweepOptions struct {
	// Expire abandons at most limit rows that are pending, untouched and due, in
	// one statement, and returns how many. Nil: they are abandoned one by one.
	Expire func(ctx context.Context, now time.Time, limit int) (int, error)

	// Limit is how many rows the sweep takes up, at most; 0: all that are due. Expire
	// has half of them.
	// Those that it may not touch, of a newer release or of another namespace, are
	// passed over, and so are those whose version went back.
	Limit int

	// DryRun counts in Report.Planned what the rows need. Nothing is written,
	// and the provider is not called.
	DryRun bool

	// OnReport is told by Run of every sweep: what Sweep returned. It must not
	// block. Nil: nobody.
	OnReport func(Report, error)
}

// Report says what a sweep did.
type Report struct {
	Looked    int // rows looked at
	Expired   int // of them, abandoned without ever having been claimed
	Activated int
	Abandoned int // after their intent was canceled, or when there was none left to cancel
	Cancelled int
	Pending   int            // looked at, and neither ended nor failed
	Lost      int            // somebody else was at them
	Failed    int            // a call, or the effect, failed; they are due again later
	Left      bool           // more rows are due
	Lag       time.Duration  // for how long the oldest row had been due, of those that Expire has left
	Planned   map[string]int // of a dry run: rows, by what they need
}

const (
	sweepPage   = 100
	expireBatch = 1000
)

// Sweep looks at every row that is due and makes the moves that it can make: it
// resolves a create whose answer was lost, closes a row whose deadline is over,
// finds that a card was saved although nobody has told us. It takes a row by
// moving its due time on, so that of two sweepers only one calls the provider
// for it; and a row that fails is put off by growing steps, so that it is in
// nobody's way.
//
// The provider is called at Options.Rate at most. Sweep returns when no row is
// due any more, when the limit is reached or when ctx is done; a row that it is
// at is finished first. The error is the store's, the Limiter's or ctx's; what
// fails for one row is counted, and told to Options.Observe.
func (s *Service) Sweep(ctx context.Context, due DueStore, opts *SweepOptions) (Report, error) {
	w := &sweep{background: s.background()}
	if opts != nil {
		w.SweepOptions = *opts
	}
	if w.DryRun {
		w.report.Planned = map[string]int{}
	}
	if w.Limit < 0 {
		return w.report, errors.New("setupintent: SweepOptions.Limit must not be negative")
	}
	err := w.run(ctx, due)
	return w.report, err
}

// sweep is one Sweep.
type sweep struct {
	*background
	SweepOptions
	report Report
	used   int   // of the limit
	unsure []Row // rows that only a list can help: one pass serves many
}

func (w *sweep) run(ctx context.Context, due DueStore) error {
	now := w.now()
	var notExpired error // the rows below are not to blame, and those that can't be ended fail there
	if w.Expire != nil && !w.DryRun {
		if notExpired = w.expire(ctx, now); ctx.Err() != nil {
			return notExpired
		}
	}
	return errors.Join(notExpired, w.pages(ctx, due, now))
}

func (w *sweep) pages(ctx context.Context, due DueStore, now time.Time) error {
	lagging := false
	for after := (Row{}); ; {
		page, err := due.Due(ctx, now, after, sweepPage)
		if err != nil {
			return errors.Join(err, w.look(ctx)) // the rows before are not to blame
		}
		for _, r := range page {
			switch {
			case ctx.Err() != nil:
				w.report.Left = true
				return ctx.Err()
			case !w.rules.sees(r): // nor does it use up the limit
				continue
			case w.Limit > 0 && w.used == w.Limit:
				w.report.Left = true
				return w.look(ctx)
			case !lagging:
				lagging, w.report.Lag = true, now.Sub(r.Due)
			}
			w.report.Looked++
			if err := rolledBack(r); err != nil { // nor does what can't be moved on
				w.report.Failed++
				w.Service.report(ctx, r, "conflict", err)
				continue
			}
			w.used++
			if err := w.row(ctx, r, r, false); err != nil {
				return err
			}
		}
		if len(page) < sweepPage {
			return w.look(ctx)
		}
		after = page[len(page)-1]
	}
}

// expire leaves half of a limit to the rows that have an intent: however many are
// untouched, they are not kept waiting.
func (w *sweep) expire(ctx context.Context, now time.Time) error {
	for {
		limit := expireBatch
		if w.Limit > 0 {
			limit = min(limit, w.Limit/2-w.used)
		}
		if limit == 0 {
			return nil
		}
		n, err := w.Expire(ctx, now, limit)
		w.used += n
		w.report.Looked += n
		w.report.Expired += n
		if err != nil || n < limit {
			return err
		}
	}
}

// row makes the moves of a row that was first when the sweep found it. It is ours
// if the sweep itself has written it last, with a due time that keeps others away.
// An error means that no further call may be made.
func (w *sweep) row(ctx context.Context, first, r Row, ours bool) error {
	work := context.WithoutCancel(ctx)
	for range maxSteps {
		step, _ := w.rules.next(r, w.now())
		if r.Due.After(w.now()) && (!ours || r.Progress.Phase() != Closing) {
			step = rest // it has just been moved on
		}
		if w.DryRun {
			w.report.Planned[step.String()]++
			return nil
		}
		if step == rest || step == wait {
			break
		}
		if step == list {
			w.unsure = append(w.unsure, r)
			return nil
		}
		if err := w.await(ctx, r, step); err != nil {
			w.report.Left = true
			return err
		}
		var err error
		taken, moved := true, false
		if !ours && (step == fetch || step == cancel) {
			r, taken, err = w.write(work, moveTurn, r, facts{})
		}
		if err == nil && taken {
			r, moved, err = w.advance(work, r)
		}
		switch {
		case err == nil && moved:
			ours = true
		case err == nil && (!taken || step != fetch && step != cancel): // the write was lost
			w.report.Lost++
			return nil
		default:
			if err != nil && r.Version == first.Version { // it can't even be put off: a limit is for the others
				w.used--
			}
			w.count(first, r, err)
			return nil
		}
	}
	w.count(first, r, nil)
	return nil
}

// await returns when the provider may be called, if that is what the step, or the
// one after it, needs.
func (w *sweep) await(ctx context.Context, r Row, step step) error {
	if step == restore || step == leave || step == end && r.Progress.Phase() == None {
		return nil
	}
	return w.takeTurn(ctx)
}

func (w *sweep) count(first, r Row, err error) {
	switch {
	case err != nil:
		w.report.Failed++
	case r.Status == first.Status:
		w.report.Pending++
	case r.Status == Active:
		w.report.Activated++
	case r.Status == Cancelled:
		w.report.Cancelled++
	case first.Progress.IsZero():
		w.report.Expired++
	default:
		w.report.Abandoned++
	}
}

// look finds out about the rows that only a list can help, in as few passes as
// their times allow.
func (w *sweep) look(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	for _, rows := range together(w.unsure) {
		rows = w.take(work, rows)
		if len(rows) == 0 {
			continue
		}
		found, err := w.find(ctx, rows)
		if ctx.Err() != nil {
			w.report.Left = true
			return ctx.Err()
		}
		var stopped error // what the list has told is written down all the same
		for _, first := range rows {
			r, moved, err := w.looked(work, first, found, err)
			if err != nil || !moved {
				w.count(first, r, err)
				continue
			}
			if err := w.row(ctx, first, r, true); err != nil {
				stopped = err
			}
		}
		if stopped != nil {
			return stopped
		}
	}
	return ctx.Err()
}

// take returns those of the rows that nobody else is at.
func (w *sweep) take(work context.Context, rows []Row) []Row {
	var taken []Row
	for _, first := range rows {
		switch r, won, err := w.write(work, moveTurn, first, facts{}); {
		case err != nil:
			w.count(first, r, err)
		case !won:
			w.report.Lost++
		default:
			taken = append(taken, r)
		}
	}
	return taken
}

// together groups the rows whose creates were sent at about the same time.
func together(rows []Row) [][]Row {
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Compare(a.Progress.read().Intent.Sent.UnixNano(), b.Progress.read().Intent.Sent.UnixNano())
	})
	var groups [][]Row
	var until time.Time
	for _, r := range rows {
		from, to := window(r)
		if len(groups) == 0 || from.After(until) {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], r)
		if to.After(until) {
			until = to
		}
	}
	return groups
}

// Run sweeps until ctx is done, and then returns ctx's error. Every is how long it
// rests between two sweeps; with a SweepOptions.Limit, the rows that are left
// over wait for the next. A sweep that fails is logged, and the next one comes at
// its time.
//
// When ctx is done it begins nothing new, and finishes the row that it is at: at
// most one call to the provider, the application's effect, and the writes around
// them. A process that shuts down waits for Run to return; one that is killed
// leaves a row that is due again after 15 s.
func (s *Service) Run(ctx context.Context, due DueStore, every time.Duration, opts *SweepOptions) error {
	if every <= 0 {
		return errors.New("setupintent: Run needs a positive interval")
	}
	for {
		report, err := s.Sweep(ctx, due, opts)
		if opts != nil && opts.OnReport != nil {
			opts.OnReport(report, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.opts.Logger != nil && (err != nil || report.Failed > 0) {
			s.opts.Logger.WarnContext(ctx, "setupintent: sweep", "report", fmt.Sprintf("%+v", report), "err", err)
		}
		if err := s.sleep(ctx, every); err != nil {
			return err
		}
	}
}
