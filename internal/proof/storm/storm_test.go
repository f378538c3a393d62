package storm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

var (
	permutations = flag.Int("permutations", 2_000, "how many histories TestStorm plays")
	seed         = flag.Uint64("seed", 1, "of the first; the others follow")
)

// TestStorm plays histories: what one person does to one row, and what Stripe
// makes of the webhooks about it. They come late, twice, in any order or never,
// while the sweeper, the provider and the application's effect fail now and
// then. In each, at every step and in the end, what must hold holds.
func TestStorm(t *testing.T) {
	t.Parallel()
	started := time.Now()
	var (
		total figures
		mu    sync.Mutex
		next  atomic.Uint64
		wg    sync.WaitGroup
		bad   error
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var mine figures
			for i := next.Add(1) - 1; i < uint64(*permutations); i = next.Add(1) - 1 {
				if err := play(*seed+i, &mine); err != nil {
					mu.Lock()
					bad = errors.Join(bad, err)
					mu.Unlock()
					return
				}
			}
			mu.Lock()
			total.add(mine)
			mu.Unlock()
		}()
	}
	wg.Wait()
	require.NoError(t, bad)
	t.Logf("%s in %s", total, time.Since(started).Round(10*time.Millisecond))
	total.reach(t)
}

// play plays the history of a seed, and tells it if it went wrong.
func play(seed uint64, f *figures) error {
	w := newWorld(seed, f)
	err := w.run()
	if err == nil {
		return nil
	}
	again := newWorld(seed, new(figures))
	again.tell = true
	_ = again.run()
	return fmt.Errorf("seed %d: %w\n%s", seed, err, strings.Join(again.told, "\n"))
}

const (
	row         = "42"
	ttl         = 12 * time.Hour
	maxDeclines = 5                // they close a row
	sweepLag    = 45 * time.Second // of the sweeper behind a due time, at most
)

var (
	ctx       = context.Background()
	errOutage = errors.New("outage")
)

// world is one history.
type world struct {
	*rand.Rand
	plan
	now, began time.Time
	rows       *memstore.Store
	provider   *provider
	svc        *setupintent.Service
	queue      []event // the next one last
	depth      int     // of what happens in the middle of something else

	last    setupintent.Row // as last looked at
	failed  map[string]bool // confirmations that failed
	effects int             // runs of the application's effect
	intents int             // that there may be: one, and one more for each that was canceled past us
	saved   time.Time       // when the card was
	asked   time.Time       // for the intent that it was saved with
	dueThen time.Time       // when the row was due as the card was saved
	calm    bool            // nothing fails any more

	f    *figures
	tell bool
	told []string
}

// plan is what a history is like.
type plan struct {
	drop     float64 // of webhooks that never come
	copies   int     // of each one that does, at most
	delay    time.Duration
	declines int
	ending   ending
	think    time.Duration // between two things that the person does, at most
	returns  bool          // the page reports the confirmation
	trust    bool          // Options.TrustNews
	trouble  bool          // if not, the rest is nothing
	faults   float64       // of calls that fail
	nested   float64       // of calls in the middle of which something else happens
	lost     int           // creates whose answer is lost, yet
	broken   int           // runs of the effect that fail, yet
	swept    time.Duration // before which the sweeper does not run
}

type ending int

const (
	saves     ending = iota // a card
	debits                  // a bank account, which takes its time
	bounces                 // the same, and it fails
	leaves                  // nothing
	dashboard               // the intent is canceled past us, and the person begins again, and saves
	cancels                 // the application cancels the row, at some time
	endings
)

// event is something that happens at a time.
type event struct {
	at time.Time
	do func()
}

func newWorld(seed uint64, f *figures) *world {
	r := rand.New(rand.NewPCG(seed, 0))
	chance := func(p float64) bool { return r.Float64() < p }
	w := &world{Rand: r, rows: memstore.New(), failed: map[string]bool{}, intents: 1, f: f}
	w.now = time.Date(2024, 6, 20, 12, 0, 0, 0, time.UTC)
	w.began = w.now
	w.plan = plan{
		drop:     []float64{0, 0, 0.3, 0.8, 1}[r.IntN(5)],
		copies:   1 + r.IntN(5),
		delay:    []time.Duration{0, time.Second, time.Minute, time.Hour, 10 * time.Hour, 72 * time.Hour}[r.IntN(6)],
		declines: []int{0, 0, 0, 1, 2, 4, 5, 7}[r.IntN(8)],
		ending:   ending(r.IntN(int(endings))),
		think:    []time.Duration{5 * time.Second, time.Minute, 20 * time.Minute, 5 * time.Hour}[r.IntN(4)],
		returns:  chance(0.4),
		trust:    chance(0.3),
		trouble:  chance(0.6),
	}
	if w.trouble {
		w.faults, w.nested = 0.15*r.Float64(), 0.3*r.Float64()
		w.lost, w.broken = r.IntN(3), r.IntN(4)
		w.swept = []time.Duration{0, 0, time.Hour, 30 * time.Hour}[r.IntN(4)]
	}
	w.provider = &provider{world: w}
	w.provider.Now = w.clock
	svc, err := setupintent.New(w.rows, w.provider, &setupintent.Options{
		Namespace: "storm", TTL: ttl, MaxDeclines: maxDeclines, TrustNews: w.trust, OnActive: w.effect, Now: w.clock,
		Wait: -1,   // nobody waits for real
		Rate: 1e12, // and neither does the sweeper
	})
	if err != nil {
		panic(err)
	}
	w.svc = svc
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) chance(p float64) bool { return w.Float64() < p }

func (w *world) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(w.Int64N(int64(d)))
}

func (w *world) sayf(format string, args ...any) {
	if w.tell {
		w.told = append(w.told, fmt.Sprintf("  %12s %*s%s", w.now.Sub(w.began).Round(time.Millisecond), 2*w.depth, "", fmt.Sprintf(format, args...)))
	}
}

// later has something happen after d.
func (w *world) later(d time.Duration, do func()) {
	e := event{w.now.Add(d), do}
	i := sort.Search(len(w.queue), func(i int) bool { return !w.queue[i].at.After(e.at) })
	w.queue = slices.Insert(w.queue, i, e)
}

// soon is later, when the person has thought about it.
func (w *world) soon(do func()) { w.later(time.Second+w.upTo(w.think), do) }

func (w *world) run() error {
	if err := w.rows.Insert(row, time.Time{}); err != nil {
		return err
	}
	w.sayf("%+v", w.plan)
	w.later(0, w.begin)
	if w.ending == cancels {
		w.later(w.upTo(ttl+time.Hour), func() {
			_, err := w.svc.Cancel(ctx, row)
			w.sayf("the application cancels: %v", err)
		})
	}
	for range 10_000 {
		r, err := w.look()
		if err != nil {
			return err
		}
		sweep := w.sweepAt(r)
		switch {
		case len(w.queue) == 0 && sweep.IsZero():
			return w.end(r)
		case sweep.IsZero() || len(w.queue) > 0 && !w.queue[len(w.queue)-1].at.After(sweep):
			w.step()
		default:
			w.now = later(w.now, sweep)
			w.calm = w.calm || len(w.queue) == 0
			w.sweep()
		}
	}
	return errors.New("it does not come to rest")
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// step has the next thing happen.
func (w *world) step() {
	e := w.queue[len(w.queue)-1]
	w.queue = w.queue[:len(w.queue)-1]
	w.now = later(w.now, e.at)
	e.do()
}

// sweepAt is when the sweeper comes to the row; zero: never.
func (w *world) sweepAt(r setupintent.Row) time.Time {
	if r.Due.IsZero() {
		return time.Time{}
	}
	return later(r.Due, w.began.Add(w.swept)).Add(w.upTo(sweepLag))
}

func (w *world) sweep() {
	report, err := w.svc.Sweep(ctx, w.rows, nil)
	w.sayf("sweep: %+v %v", report, err)
}

// nest has something else happen now, in the middle of a call.
func (w *world) nest() {
	if w.depth > 1 || w.calm || !w.chance(w.nested) {
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	if len(w.queue) > 0 && w.chance(0.7) {
		w.f.nested++
		w.step()
		return
	}
	w.sweep()
}

// fault is what goes wrong with a call, if anything does.
func (w *world) fault() error {
	if !w.calm && w.chance(w.faults) {
		w.f.faults++
		return errOutage
	}
	return nil
}

// begin is the page asking for the intent.
func (w *world) begin() {
	in, err := w.svc.Begin(ctx, row, nil)
	w.sayf("begin: %s %v", in.ID, err)
	var e *setupintent.Error
	switch {
	case err == nil:
		w.soon(func() { w.confirm(in.ID, w.declines) })
	case errors.As(err, &e) && e.RetryAfter > 0:
		w.soon(w.begin)
	}
}

// confirm is the person trying a card, which is declined so many times.
func (w *world) confirm(id string, left int) {
	if left > 0 {
		if !w.change(w.provider.Decline(id, "card_declined"), id, "declined") {
			return
		}
		w.failed[w.intent(id).LatestAttempt] = true
		if w.chance(0.2) { // the page is loaded again
			w.declines = left - 1
			w.soon(w.begin)
			return
		}
		w.soon(func() { w.confirm(id, left-1) })
		return
	}
	switch w.ending {
	case leaves:
	case debits, bounces:
		if w.change(w.provider.Process(id, "pm_bank"), id, "processing") {
			w.later(w.upTo(20*time.Hour), func() {
				if w.ending == debits {
					w.save(id)
				} else if w.change(w.provider.Decline(id, "debit_not_authorized"), id, "bounced") {
					w.failed[w.intent(id).LatestAttempt] = true
				}
			})
		}
	case dashboard:
		w.ending = saves
		w.intents++
		_, err := w.provider.Provider.CancelIntent(ctx, id, "")
		if w.change(err, id, "canceled in the Dashboard") {
			w.declines = 0
			w.soon(w.begin)
		}
	default:
		w.save(id)
	}
}

// save is the intent succeeding.
func (w *world) save(id string) {
	r, _ := w.rows.Load(ctx, row)
	if !w.change(w.provider.Confirm(id, "pm_1"), id, "saved") {
		return
	}
	w.saved, w.asked, w.dueThen = w.now, w.intent(id).Created, r.Due
	if w.returns && w.drop < 1 {
		w.later(w.upTo(time.Minute), func() {
			_, err := w.svc.Activate(ctx, row, id)
			w.sayf("the page reports it: %v", err)
		})
	}
}

// change has Stripe send news of what became of an intent. False means that it
// could not become that.
func (w *world) change(err error, id, what string) bool {
	w.sayf("%s: %s %v", id, what, err)
	if err == nil {
		w.emit(w.intent(id))
	}
	return err == nil
}

func (w *world) intent(id string) setupintent.Intent {
	in, err := w.provider.Provider.GetIntent(ctx, id)
	if err != nil {
		panic(err)
	}
	in.ClientSecret = setupintent.ClientSecret{}
	return in
}

// emit sends the event that in is the snapshot of, or not, or several times.
func (w *world) emit(in setupintent.Intent) {
	w.f.events++
	if w.chance(w.drop) {
		w.f.dropped++
		return
	}
	for range 1 + w.IntN(w.copies) {
		w.later(w.upTo(w.delay), func() { w.deliver(in, 0) })
	}
}

func (w *world) deliver(in setupintent.Intent, tries int) {
	w.f.deliveries++
	err := w.svc.Notify(ctx, in)
	w.sayf("news: %s %s: %v", in.ID, in.Status, err)
	if err == nil {
		return
	}
	w.f.repeated++
	if schedule := []time.Duration{5 * time.Minute, 30 * time.Minute, 2 * time.Hour}; tries < len(schedule) {
		w.later(schedule[tries], func() { w.deliver(in, tries+1) })
	}
}

// effect is the application's.
func (w *world) effect(_ context.Context, r setupintent.Row, in setupintent.Intent) error {
	w.nest()
	if r.ID != row || in.Status != setupintent.Succeeded || in.ClientSecret != (setupintent.ClientSecret{}) {
		return fmt.Errorf("a wrong effect: %+v %+v", r, in)
	}
	if w.broken > 0 && !w.calm {
		w.broken--
		if w.chance(0.2) {
			panic(errOutage)
		}
		return errOutage
	}
	w.effects++
	return nil
}

// provider is the provider in memory. Its calls fail now and then, something
// else happens in the middle of them, and what they change is news.
type provider struct {
	setupintenttest.Provider
	world *world
}

func (p *provider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	w := p.world
	w.nest()
	in, err := p.Provider.CreateIntent(ctx, req)
	if err == nil && !in.Replayed {
		w.emit(w.intent(in.ID))
	}
	if err == nil && w.lost > 0 && !w.calm {
		w.lost--
		w.now = w.now.Add(11 * time.Second) // nobody tries again in the same call
		return setupintent.Intent{}, errOutage
	}
	return in, err
}

func (p *provider) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	p.world.nest()
	if err := p.world.fault(); err != nil {
		return setupintent.Intent{}, err
	}
	in, err := p.Provider.GetIntent(ctx, id)
	p.world.nest() // what was fetched is out of date
	return in, err
}

func (p *provider) CancelIntent(ctx context.Context, id, reason string) (setupintent.Intent, error) {
	w := p.world
	w.nest()
	if err := w.fault(); err != nil {
		return setupintent.Intent{}, err
	}
	before := w.intent(id).Status
	in, err := p.Provider.CancelIntent(ctx, id, reason)
	if err == nil && in.Status != before {
		w.sayf("%s: canceled", id)
		w.emit(w.intent(id))
	}
	if fault := w.fault(); fault != nil { // the answer is lost
		return setupintent.Intent{}, fault
	}
	return in, err
}

// look checks what must hold at every step.
func (w *world) look() (setupintent.Row, error) {
	r, err := w.rows.Load(ctx, row)
	if err != nil {
		return r, err
	}
	open, succeeded := 0, 0
	intents := w.provider.Intents()
	for _, in := range intents {
		switch in.Status {
		case setupintent.Canceled:
		case setupintent.Succeeded:
			succeeded++
		default:
			open++
		}
	}
	switch {
	case open+succeeded > 1:
		return r, fmt.Errorf("%d intents are open and %d succeeded", open, succeeded)
	case len(intents) > w.intents:
		return r, fmt.Errorf("%d intents", len(intents))
	case r.Status == setupintent.Active && succeeded == 0:
		return r, errors.New("active, and no intent succeeded")
	case r.Status == setupintent.Active && w.effects == 0:
		return r, errors.New("active, without the effect")
	case r.Status != setupintent.Pending && r.Status != setupintent.Active && open+succeeded > 0:
		return r, fmt.Errorf("%s, with an intent that is open or succeeded", r.Status)
	case w.last.Status != "" && w.last.Status != setupintent.Pending && r.Status != w.last.Status:
		return r, fmt.Errorf("%s after %s", r.Status, w.last.Status)
	}
	if r.Version == w.last.Version {
		return r, nil
	}
	if r.Status == setupintent.Active && w.last.Status != setupintent.Active {
		if err := w.activated(); err != nil {
			return r, err
		}
	}
	w.last = r
	return r, w.counted(r)
}

// counted checks which failures the row has counted.
func (w *world) counted(r setupintent.Row) error {
	var p struct {
		Failed []string `json:"failed"`
	}
	text, err := r.Progress.MarshalText()
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte(`"failed"`)) {
		if err := json.Unmarshal(text, &p); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, id := range p.Failed {
		if seen[id] || !w.failed[id] {
			return fmt.Errorf("%q is counted among the failures %v, and those were %v", id, p.Failed, w.failed)
		}
		seen[id] = true
	}
	closing := r.Progress.Closing() == setupintent.Abandoned || r.Status == setupintent.Abandoned
	if closing && w.now.Sub(w.began) < ttl && len(w.failed) < maxDeclines {
		return fmt.Errorf("closed after %d failures", len(w.failed))
	}
	return nil
}

// activated takes down how the row turned active. If nobody was told of the
// card, that is by the first sweep after the row was due; and it was due within
// an interval of Options.Recheck.
func (w *world) activated() error {
	w.f.active++
	if w.now.Sub(w.began) > ttl {
		w.f.late++
	}
	if w.drop < 1 || w.trouble {
		return nil
	}
	var interval time.Duration
	switch since := w.saved.Sub(w.asked); {
	case since < 2*time.Minute:
		interval = 2 * time.Minute
	case since < 12*time.Minute:
		interval = 10 * time.Minute
	case since < 72*time.Minute:
		interval = time.Hour
	case since < 252*time.Minute:
		interval = 3 * time.Hour
	default:
		interval = 6 * time.Hour
	}
	waited := w.now.Sub(w.saved)
	w.f.unheard = append(w.f.unheard, waited)
	if due := later(w.dueThen, w.saved); w.now.After(due.Add(sweepLag)) || waited > interval+sweepLag {
		return fmt.Errorf("asked for at %s, saved at %s, due at %s, active at %s", w.asked.Sub(w.began), w.saved.Sub(w.began), due.Sub(w.began), w.now.Sub(w.began))
	}
	return nil
}

// end checks what must hold when everything has come to rest.
func (w *world) end(r setupintent.Row) error {
	succeeded := slices.ContainsFunc(w.provider.Intents(), func(in setupintent.Intent) bool { return in.Status == setupintent.Succeeded })
	w.f.permutations++
	w.f.effects += w.effects
	w.f.declines += len(w.failed)
	switch {
	case r.Status == setupintent.Pending:
		return fmt.Errorf("at rest, and still pending: %s", r.Progress)
	case succeeded != (r.Status == setupintent.Active):
		return fmt.Errorf("%s, and succeeded is %t", r.Status, succeeded)
	case succeeded != (w.effects > 0):
		return fmt.Errorf("%s, and the effect ran %d times", r.Status, w.effects)
	case r.Status == setupintent.Abandoned:
		w.f.abandoned++
	case r.Status == setupintent.Cancelled:
		w.f.cancelled++
	}
	return nil
}

// figures are what the histories came to.
type figures struct {
	permutations, active, late, abandoned, cancelled int
	events, dropped, deliveries, repeated            int
	nested, faults, effects, declines                int
	unheard                                          []time.Duration // from the card to active, with every webhook dropped
}

func (f *figures) add(g figures) {
	f.permutations += g.permutations
	f.active += g.active
	f.late += g.late
	f.abandoned += g.abandoned
	f.cancelled += g.cancelled
	f.events += g.events
	f.dropped += g.dropped
	f.deliveries += g.deliveries
	f.repeated += g.repeated
	f.nested += g.nested
	f.faults += g.faults
	f.effects += g.effects
	f.declines += g.declines
	f.unheard = append(f.unheard, g.unheard...)
}

func (f figures) String() string {
	slices.Sort(f.unheard)
	quantile := func(q float64) time.Duration {
		if len(f.unheard) == 0 {
			return 0
		}
		return f.unheard[int(q*float64(len(f.unheard)-1))].Round(time.Second)
	}
	return fmt.Sprintf(`%d histories, each as it must be:
  rows        %d active (%d of them after their deadline), %d abandoned, %d cancelled; active exactly if the intent succeeded, one open intent at most
  webhooks    %d events, %d dropped, %d deliveries, %d answered with an error and sent again, %d in the middle of something else
  trouble     %d calls failed, %d confirmations declined
  effect      %d runs for %d rows
  all dropped %d rows active within one interval of Options.Recheck, each by the first sweep after it was due: after a median of %s, 90%% within %s, all within %s
 `, f.permutations, f.active, f.late, f.abandoned, f.cancelled, f.events, f.dropped, f.deliveries, f.repeated, f.nested,
		f.faults, f.declines, f.effects, f.active, len(f.unheard), quantile(0.5), quantile(0.9), quantile(1))
}

// reach checks that the histories were what they are meant to be.
func (f *figures) reach(t *testing.T) {
	t.Helper()
	n := *permutations
	require.Equal(t, n, f.permutations)
	if n < 1000 {
		return
	}
	for name, figure := range map[string]int{
		"active": f.active * 5, "late": f.late * 200, "abandoned": f.abandoned * 10, "cancelled": f.cancelled * 100, "dropped": f.dropped * 2,
		"deliveries": f.deliveries, "repeated": f.repeated * 10, "nested": f.nested * 2, "faults": f.faults * 5, "unheard": len(f.unheard) * 100,
	} {
		require.Greater(t, figure, n, name)
	}
}
