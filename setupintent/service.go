package setupintent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Service runs the state machine of docs/protocol.md over a store and a provider.
// It is safe for concurrent use, by many processes on one table. It starts no
// goroutine, and it holds no lock and no connection while the provider is
// called.
type Service struct {
	rows     PendingStore
	provider Provider
	opts     Options
	rules    *rules
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error

	mu      sync.Mutex
	flights map[string]*flight // by row, while this process creates its intent

	pace     *pacer
	budget   *budget
	nextPage func(context.Context) error // waits before a page of a list; nil: nothing to wait for
}

// New returns a Service over rows and p. A nil opts is the zero Options.
func New(rows PendingStore, p Provider, opts *Options) (*Service, error) {
	if rows == nil || p == nil {
		return nil, errors.New("setupintent: New needs a store and a provider")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.TTL < 0 || o.MaxAttempts < 0 || o.MaxDeclines < 0 || o.OnActiveTimeout < 0 || o.CreateBurst < 0 {
		return nil, errors.New("setupintent: TTL, MaxAttempts, MaxDeclines, OnActiveTimeout and CreateBurst must not be negative")
	}
	if !(o.Rate >= 0) || !(o.CreateRate >= 0) { // nor NaN
		return nil, errors.New("setupintent: Rate and CreateRate must be numbers, and not negative")
	}
	for _, d := range o.Recheck {
		if d <= 0 {
			return nil, errors.New("setupintent: Recheck must hold positive durations")
		}
	}
	setDefault(&o.MetadataKey, "pending_user_id")
	setDefault(&o.OnActiveTimeout, callTimeout)
	setDefault(&o.TTL, 12*time.Hour)
	setDefault(&o.Wait, 3*time.Second)
	setDefault(&o.MaxAttempts, 3)
	setDefault(&o.MaxDeclines, 5)
	setDefault(&o.Rate, 5)
	setDefault(&o.CreateBurst, 20)
	if o.Recheck = slices.Clone(o.Recheck); o.Recheck == nil {
		o.Recheck = []time.Duration{2 * time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}
	}
	if err := checkMetadata(map[string]string{o.MetadataKey: o.Namespace}); err != nil {
		return nil, fmt.Errorf("setupintent: MetadataKey or Namespace: %w", err)
	}
	if o.MetadataKey == namespaceMetadata || o.MetadataKey == keyHashMetadata {
		return nil, fmt.Errorf("setupintent: MetadataKey %q is the service's own", o.MetadataKey)
	}
	if o.Customer != nil && o.Customers == nil {
		return nil, errors.New("setupintent: Options.Customer needs Options.Customers, which creates them")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{
		rows:     rows,
		provider: p,
		opts:     o,
		rules: &rules{
			moves:       moves[:],
			namespace:   o.Namespace,
			live:        o.Live,
			metadataKey: o.MetadataKey,
			ttl:         o.TTL,
			maxAttempts: o.MaxAttempts,
			maxDeclines: o.MaxDeclines,
			recheck:     o.Recheck,
		},
		// Wall clock, for a suspended machine's monotonic clock stands still;
		// microseconds, as databases keep them.
		now:     func() time.Time { return o.Now().UTC().Round(0).Truncate(time.Microsecond) },
		sleep:   sleep,
		flights: map[string]*flight{},
		pace:    newPacer(o.Rate, o.Limiter),
		budget:  newBudget(o.CreateRate, o.CreateBurst),
	}, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ended returns why nothing begins on r, or nil.
func (s *Service) ended(r Row) error {
	p := r.Progress.read()
	switch {
	case r.Progress.newer != nil:
		return fail(r, fmt.Errorf("%w: a newer release wrote the row", ErrUnresolved), time.Minute)
	case r.Status != Pending:
		return fail(r, ErrNotPending, 0)
	case !s.rules.speaks(p):
		return fail(r, fmt.Errorf("%w: the row was claimed in namespace %q, live %t", ErrMismatch, p.Namespace, p.Live), 0)
	case p.Phase == Closing:
		return fail(r, ErrClosing, 0)
	}
	return nil
}

// belongs returns why the fetched intent is not one that r may turn active by.
func (s *Service) belongs(r Row, in Intent) error {
	p := r.Progress.read()
	var req IntentRequest
	if p.Intent.Request != nil {
		req = thaw(p.Intent.Request)
	}
	switch {
	case in.Live != s.opts.Live:
		return fmt.Errorf("%w: it has live mode %t, and Options.Live is %t", ErrMismatch, in.Live, s.opts.Live)
	case in.Metadata[s.opts.MetadataKey] != r.ID:
		return fmt.Errorf("%w: its metadata %q names another row, or none", ErrMismatch, s.opts.MetadataKey)
	case in.Metadata[namespaceMetadata] != s.opts.Namespace:
		return fmt.Errorf("%w: its metadata names another namespace", ErrMismatch)
	case req.Customer != "" && in.Customer != req.Customer:
		return fmt.Errorf("%w: it belongs to another customer", ErrMismatch)
	}
	d := draft{progress: p}
	if !d.isOurs(in) {
		return fmt.Errorf("%w: the row's intent is another one", ErrMismatch)
	}
	return nil
}

func (s *Service) get(ctx context.Context, r Row, id string) (Intent, error) {
	return s.ask(ctx, r, "get", id, func(ctx context.Context) (Intent, error) { return s.provider.GetIntent(ctx, id) })
}

func (s *Service) cancelIntent(ctx context.Context, r Row, id, reason string) (Intent, error) {
	return s.ask(ctx, r, "cancel", id, func(ctx context.Context) (Intent, error) { return s.provider.CancelIntent(ctx, id, reason) })
}

func (s *Service) list(ctx context.Context, from, to time.Time, after string) ([]Intent, error) {
	return call(ctx, s, Row{}, "list", func(ctx context.Context) ([]Intent, error) { return s.provider.ListIntents(ctx, from, to, after) })
}

// ask is a call that must be answered with the intent that it is about.
func (s *Service) ask(ctx context.Context, r Row, name, id string, f func(context.Context) (Intent, error)) (Intent, error) {
	return call(ctx, s, r, name, func(ctx context.Context) (Intent, error) {
		in, err := f(ctx)
		if err == nil && in.ID != id {
			return Intent{}, errors.New("the provider answered with another intent")
		}
		return in, err
	})
}

// unresolved is what a person is told after a provider error that leaves the
// outcome open.
func (s *Service) unresolved(ctx context.Context, r Row, err error) error {
	switch {
	case errors.Is(err, ErrCredentials):
		s.report(ctx, r, "config", err)
		return fail(r, err, 0)
	case errors.Is(err, errors.ErrUnsupported):
		return fail(r, err, 0)
	}
	return fail(r, fmt.Errorf("%w: %w", ErrUnresolved, err), 2*time.Second)
}
