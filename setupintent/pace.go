package setupintent

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Limiter holds back background calls to the provider, over several processes
// or several services. A *rate.Limiter of golang.org/x/time is one.
type Limiter interface {
	// Wait returns when one more call may be made, or an error if ctx is done
	// first.
	Wait(ctx context.Context) error
}

// pacer spaces the background calls of one process. What people wait for does
// not pass through it.
type pacer struct {
	limiter Limiter // nil: none besides
	full    float64 // calls per second

	mu   sync.Mutex
	rate float64 // at present: the provider may have asked for less
	next time.Time
}

func newPacer(rate float64, l Limiter) *pacer { return &pacer{limiter: l, full: rate, rate: rate} }

// wait returns when the next call may be made.
func (p *pacer) wait(ctx context.Context, s *Service) error {
	p.mu.Lock()
	now := s.opts.Now()
	interval := time.Duration(float64(time.Second) / p.rate)
	at := now
	if ahead := p.next.Sub(now); ahead > 0 && ahead < 100*interval { // more: the clock was set back
		at = p.next
	}
	p.next = at.Add(interval)
	p.mu.Unlock()
	if d := at.Sub(now); d > 0 {
		if err := s.sleep(ctx, d); err != nil {
			return err
		}
	}
	if p.limiter != nil {
		return p.limiter.Wait(ctx)
	}
	return ctx.Err()
}

// heard adapts the rate to how the provider answered: half of it after a 429,
// and slowly back.
func (p *pacer) heard(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(err, ErrThrottled) {
		p.rate = max(p.rate/2, p.full/64)
		return
	}
	p.rate = min(p.rate*1.02, p.full)
}

// background is a Service for one piece of work that nobody waits for. Before
// every call to the provider its user asks for a turn; and what the calls are
// answered sets the pace.
type background struct {
	*Service
	turn bool // a call may be made
}

func (s *Service) background() *background {
	b := new(background)
	b.Service = &Service{
		rows: s.rows, provider: paced{s.provider, b}, opts: s.opts, rules: s.rules, now: s.now, sleep: s.sleep, pace: s.pace,
		flights: map[string]*flight{},
	}
	b.nextPage = b.takeTurn
	return b
}

// takeTurn returns when a call may be made, or ctx's error if that is first. A turn
// that no call was made in, as when somebody else was first at the row, is kept
// for the next one.
func (b *background) takeTurn(ctx context.Context) error {
	if b.turn {
		return nil
	}
	err := b.pace.wait(ctx, b.Service)
	b.turn = err == nil
	return err
}

type paced struct {
	Provider
	b *background
}

// alone returns the context of a call that nobody waits for.
func alone(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

func (p paced) heard(err error) {
	p.b.turn = false
	p.b.pace.heard(err)
}

func (p paced) CreateIntent(ctx context.Context, req IntentRequest) (Intent, error) {
	in, err := p.Provider.CreateIntent(alone(ctx), req)
	p.heard(err)
	return in, err
}

func (p paced) GetIntent(ctx context.Context, id string) (Intent, error) {
	in, err := p.Provider.GetIntent(alone(ctx), id)
	p.heard(err)
	return in, err
}

func (p paced) CancelIntent(ctx context.Context, id, reason string) (Intent, error) {
	in, err := p.Provider.CancelIntent(alone(ctx), id, reason)
	p.heard(err)
	return in, err
}

func (p paced) ListIntents(ctx context.Context, from, to time.Time, after string) ([]Intent, error) {
	page, err := p.Provider.ListIntents(alone(ctx), from, to, after)
	p.heard(err)
	return page, err
}
