package setupintent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
)

// The simulation runs the real Service: Begin, Activate, Notify, Cancel, Refresh
// and Sweep, in several processes, over a store and a provider in memory, through
// schedules with every fault we know of. One seed is one schedule. The invariants
// are checked after every step, and once more after one process has swept without
// faults.
//
// It plays in two worlds. In one the provider is the port itself; in the other it
// is the real stripeport, over a network that fails, and the fake Stripe.

const (
	simRow = "42"

	// maxSkew is how far a process's clock may be from the true time. Whatever is
	// still on its way when the lifetime is over has died: the protocol waits for
	// max flight, by clocks that differ.
	maxSkew  = time.Minute
	lifetime = setupintent.MaxFlight - setupintent.Lease - 2*maxSkew

	maxPauses = 5_000 // many times what the longest schedule has
)

var errSim = errors.New("no answer")

// gateway is the provider, and how the processes reach it.
type gateway interface {
	provider(*process) (setupintent.Provider, setupintent.CustomerProvider)

	// state returns the intents, the oldest first, and how many customers there
	// are.
	state() ([]standing, int)

	// resolve takes an intent where its customer, a bank or somebody at the
	// Dashboard takes it.
	resolve(id string, to outcome)

	// news returns the events that may be delivered, and deliver has one of them
	// delivered.
	news() []*event
	deliver(context.Context, *process, *event) error

	// tick is told that the clock was moved.
	tick()
}

// standing is where an intent stands.
type standing struct {
	id     string
	status setupintent.IntentStatus
}

func (in standing) live() bool {
	return in.status != setupintent.Succeeded && in.status != setupintent.Canceled
}

// outcome is what becomes of an intent.
type outcome int

const (
	saves outcome = iota
	declines
	takesLong
	challenges
	cancels
)

// event is news of an intent.
type event struct {
	id   string // of the event, or of the intent
	told int    // how often
}

// process is one process of the application, with a clock of its own.
type process struct {
	*sim
	svc     *setupintent.Service
	release int
	skew    time.Duration
}

func (p *process) now() time.Time { return p.clock.now().Add(p.skew) }

// task is one call of a Service.
type task struct {
	*coroutine
	name    string
	in      *process
	leave   context.CancelFunc
	asleep  time.Time // since when; zero: awake
	sending *late     // the request that it has begun to send
	storing bool      // it is in a call to the store
}

// late is a request, or a commit, that takes effect after whoever made it has
// given up.
type late struct {
	what   string
	sender *task
	until  time.Time
	commit bool
	land   func()
}

type sim struct {
	*rig
	choices
	began   time.Time
	memory  *memstore.Store
	gateway gateway

	// Each seed has its own mix of what goes wrong.
	odds              [windows]int
	weights           [actCount]int
	faults, maxFaults int
	customers         bool // there is a customer before the intent
	inTx              bool // the effect is in the store's transaction
	asText            bool // the store keeps the progress as text, as a database does
	unmarked          bool // the provider at the port does not tell stored answers from new ones

	procs   []*process
	tasks   []*task
	running *task
	late    []late
	spawned int
	pauses  int

	hits      [windows]int
	made      [setupintent.MoveCount]int
	intents   []standing
	buyers    int
	shown     map[string]bool // a browser has its client secret
	keys      map[string]int  // numbered, for the log
	refusing  bool            // the provider refuses for ever
	calm      bool
	effects   int // how often the application's effect has run
	deleted   bool
	foreign   bool // the status is the application's own
	told      bool // the application knows that the row is being cancelled
	writer    int  // the release that wrote last
	newer     *setupintent.Row
	bad, more string
	verbose   bool
	log       []string
}

// ---- what is told

func (s *sim) say(who, what string) {
	if s.verbose && s.bad == "" { // what comes after the damage is no way there
		s.log = append(s.log, fmt.Sprintf("%10v  %-4s %s", s.clock.now().Sub(s.began), who, what))
	}
}

func (s *sim) fail(what, more string) {
	if s.bad == "" {
		s.say("", "BROKEN: "+what+" "+more)
		s.bad, s.more = what, more
	}
}

// key returns the number of the key.
func (s *sim) key(key string) string {
	if key == "" {
		return "no key"
	}
	n, known := s.keys[key]
	if !known {
		n = len(s.keys) + 1
		s.keys[key] = n
	}
	return fmt.Sprintf("key %d", n)
}

// describe returns what a row says.
func (s *sim) describe(r setupintent.Row) string {
	a := setupintent.Read(r.Progress)
	words := []string{string(r.Status)}
	switch {
	case r.Progress.IsZero():
		words = append(words, "untouched")
	case r.Progress.Phase() == "":
		words = append(words, "of a newer release")
	default:
		words = append(words, string(a.Phase))
	}
	if a.Target != "" {
		words = append(words, "to be "+string(a.Target))
	}
	if a.Intent.Key != "" {
		words = append(words, s.key(a.Intent.Key))
	}
	if a.Intent.Spent {
		words = append(words, "spent")
	}
	if a.Intent.Free {
		words = append(words, "given back")
	}
	if a.Intent.ID != "" {
		words = append(words, a.Intent.ID)
	}
	if c := a.Customer; c != nil && c.ID == "" {
		words = append(words, "customer's "+s.key(c.Key))
	} else if c != nil {
		words = append(words, c.ID)
	}
	if !r.Due.IsZero() {
		words = append(words, fmt.Sprintf("due at %v", r.Due.Sub(s.began)))
	}
	return strings.Join(words, ", ")
}

// fault decides whether something goes wrong here.
func (s *sim) fault(kind int) bool {
	if s.calm {
		return false
	}
	permille := windowsOf[kind].permille * s.odds[kind]
	if s.faults >= s.maxFaults {
		permille = 0
	}
	if !s.chance(permille) {
		return false
	}
	s.faults++
	s.hits[kind]++
	s.say("", "FAULT: "+windowsOf[kind].name)
	return true
}

// pause is at every call to a port, and wherever the core waits.
func (s *sim) pause(what string) {
	t := s.running
	s.say(t.name, what)
	if !t.in.svc.Unlocked() {
		s.fail("I8 a lock is held in a call to a port", what)
	}
	if s.pauses++; s.pauses > maxPauses {
		s.fail("it goes on for ever", t.name)
		t.dead = true
	}
	if s.calm && !t.dead {
		return
	}
	t.pause()
}

// ---- the store

type simStore struct{ *process }

func (s simStore) Load(ctx context.Context, id string) (setupintent.Row, error) {
	defer s.storing()()
	s.pause("loads the row")
	if s.fault(storeDown) {
		return setupintent.Row{}, errSim
	}
	return s.memory.Load(ctx, id)
}

func (s simStore) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	defer s.storing()()
	move, sender := *s.last, s.running
	commit := late{what: "the write: " + setupintent.MoveName(move), sender: sender, commit: true, land: func() {
		_, _ = s.commit(context.Background(), prev, next, move)
	}}
	sender.sending = &commit
	s.pause(commit.what)
	sender.sending = nil
	if s.fault(storeDown) {
		return false, errSim
	}
	if s.fault(commitLate) {
		s.late = append(s.late, commit)
		return false, errSim
	}
	ok, err := s.commit(ctx, prev, next, move)
	if err == nil && s.fault(ackLost) {
		return false, errSim
	}
	s.pause("knows that it is written")
	return ok, err
}

// commit is the statement, and in the same transaction, where the store has it,
// the application's effect.
func (s simStore) commit(ctx context.Context, prev, next setupintent.Row, move setupintent.MoveID) (bool, error) {
	if s.asText {
		text, err := next.Progress.MarshalText()
		if err != nil || strings.Contains(string(text), "_secret_") {
			s.fail("I7 a client secret in the row", "")
		}
		next.Progress = setupintent.Progress{}
		if err := next.Progress.UnmarshalText(text); err != nil {
			s.fail("what was written can't be read", err.Error())
		}
	}
	activates := next.Status == setupintent.Active && prev.Status != setupintent.Active && prev.Progress.Phase() != setupintent.Done
	if s.inTx && activates && s.fault(effectFailed) {
		return false, errSim // rolled back
	}
	ok, err := s.memory.Swap(ctx, prev, next)
	if !ok {
		s.say("", "the row was another by then: nothing is written")
		return ok, err
	}
	if s.verbose {
		s.say("", "the row: "+s.describe(next))
	}
	s.made[move]++
	switch {
	case s.newer != nil:
		s.fail("the row of a newer release was written", "")
	case prev.Status != setupintent.Pending && next.Status != prev.Status:
		s.fail("I4 the status of a row that is not pending was written", "")
	}
	if next.Status != prev.Status {
		s.foreign = false
	}
	if s.inTx && activates {
		if s.effects++; s.effects > 1 {
			s.fail("the effect in the row's transaction ran twice", "")
		}
	}
	if s.writer != 0 && s.writer != s.release+1 {
		s.hits[twoReleases]++
	}
	s.writer = s.release + 1
	p := setupintent.Read(next.Progress)
	if move == setupintent.MoveClose && p.Target == setupintent.Abandoned && p.Deadline.After(s.now()) {
		s.hits[closedByDeclines]++
	}
	s.check()
	return true, err
}

func (s simStore) Due(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
	defer s.storing()()
	s.pause("asks for due rows")
	if s.fault(storeDown) {
		return nil, errSim
	}
	return s.memory.Due(ctx, now, after, limit)
}

func (s simStore) storing() func() {
	t := s.running
	t.storing = true
	return func() { t.storing = false }
}

// ---- the network

// request is one request to the provider, on its way there and back.
type request[T any] struct {
	what    string
	reads   bool
	creates bool
	named   bool                      // it is about one intent
	execute func() (T, error)         // what the provider does, and its answer
	answer  func(kind int) (T, error) // what is answered instead
}

// carry takes the request there and the answer back, with what may happen on the
// way.
func carry[T any](ctx context.Context, s *sim, r request[T]) (T, error) {
	t := s.running
	if setupintent.InTransaction(ctx) || t.storing {
		s.fail("I8 the provider is called in a database transaction", r.what)
	}
	l := late{what: r.what, sender: t, until: s.clock.now().Add(lifetime), land: func() { _, _ = r.execute() }}
	if !r.reads {
		t.sending = &l
	}
	s.pause("sends " + r.what)
	t.sending = nil
	if !r.reads && !s.clock.now().Before(l.until) {
		s.say("", "the request has died on its way")
		return r.answer(requestLost)
	}
	for _, kind := range []int{requestLost, throttled429, credentials401, unstored5xx} {
		if s.fault(kind) {
			return r.answer(kind)
		}
	}
	if !r.reads && s.fault(requestLate) {
		s.late = append(s.late, l)
		return r.answer(requestLate)
	}
	if r.named && s.fault(otherAccount) {
		return r.answer(otherAccount)
	}
	if r.creates {
		for _, kind := range []int{inUse409, refusedOnce, refusedForEver} {
			if s.fault(kind) {
				s.refusing = s.refusing || kind == refusedForEver
				return r.answer(kind)
			}
		}
		if s.refusing {
			s.say("", "the provider refuses")
			return r.answer(refusedForEver)
		}
	}
	v, err := r.execute()
	if !r.reads && s.fault(unstored5xxMade) {
		return r.answer(unstored5xxMade)
	}
	s.pause("is answered")
	for _, kind := range []int{answerLost, answerCut} {
		if windowsOf[kind].in(s.on) && s.fault(kind) {
			return r.answer(kind)
		}
	}
	return v, err
}

// ---- the invariants

func (s *sim) row() (setupintent.Row, bool) {
	r, err := s.memory.Load(context.Background(), simRow)
	return r, err == nil
}

// changed is called whenever something was done at the provider.
func (s *sim) changed() {
	s.intents, s.buyers = s.gateway.state()
	s.check()
}

func (s *sim) find(id string) (standing, bool) {
	i := slices.IndexFunc(s.intents, func(in standing) bool { return in.id == id })
	if i < 0 {
		return standing{}, false
	}
	return s.intents[i], true
}

func (s *sim) check() {
	live, saved := 0, false
	for _, in := range s.intents {
		if in.live() {
			live++
		}
		saved = saved || in.status == setupintent.Succeeded
	}
	if live > 1 {
		s.fail("I1 two live intents", "")
	}
	if s.buyers > 1 {
		s.fail("I6 two customers", "")
	}
	r, there := s.row()
	if !there || s.foreign || s.newer != nil {
		return
	}
	switch r.Status {
	case setupintent.Active:
		if in, _ := s.find(r.Progress.IntentID()); in.status != setupintent.Succeeded {
			s.fail("I2 active, and its intent has not succeeded", in.id)
		}
		if s.effects == 0 {
			s.fail("active, and the application's effect has not run", "")
		}
	case setupintent.Abandoned, setupintent.Cancelled:
		if saved {
			s.fail("I3 ended as "+string(r.Status)+", and its card was saved", "")
		}
	}
}

// ---- the schedule

// play plays the schedule of a seed, or of a script.
func (s *sim) play() {
	s.step()
	s.setUp()
	for n := 0; n < 250 && s.bad == ""; n++ {
		if s.rng == nil && s.at >= len(s.script)-1 {
			break
		}
		weights := s.weights
		if len(s.tasks) == 0 {
			weights[actResume] = 0
			if s.rng != nil && (s.rng.IntN(10) == 0 || weights == [actCount]int{}) {
				break
			}
		}
		s.step()
		actions[s.weighted(weights[:])].do(s)
		s.check()
	}
	s.step()
	if s.bad == "" {
		s.settle()
	}
	for len(s.tasks) > 0 {
		s.end(s.tasks[0])
	}
}

func (s *sim) setUp() {
	if s.rng != nil {
		for i := range s.odds {
			s.odds[i] = []int{0, 1, 2, 4}[s.rng.IntN(4)]
		}
		s.maxFaults = s.rng.IntN(12)
		for i := range s.weights {
			if s.weights[i] = 0; s.rng.IntN(2) == 0 {
				s.weights[i] = actions[i].weight * (1 + s.rng.IntN(3))
			}
		}
		s.weights[actResume] = 40 + s.rng.IntN(80)
		if s.rng.IntN(3) > 0 { // most are not cancelled, and more are confirmed
			s.weights[actCancel], s.weights[actBrowser] = 0, s.weights[actBrowser]+6
		}
	}
	deadline := time.Time{}
	switch s.pick(3) {
	case 1:
		deadline = s.clock.now().Add(time.Duration(1+s.pick(40)) * time.Hour)
	case 2:
		deadline = s.clock.now().Add(time.Duration(1+s.pick(60)) * time.Minute)
	}
	_ = s.memory.Insert(simRow, deadline)
	s.customers, s.inTx, s.asText, s.unmarked = s.on != "keyless" && s.chance(400), s.chance(500), s.chance(100), s.chance(300)
	s.procs = []*process{s.process(), s.process()}
	for range 1 + s.pick(3) {
		s.spawn("H", begin)
	}
	for range s.pick(3) {
		s.spawn("S", sweepOnce)
	}
}

// process starts a process. Some are of another release, and some clocks go
// wrong.
func (s *sim) process() *process {
	p := &process{sim: s, release: s.pick(2), skew: []time.Duration{0, maxSkew, -maxSkew}[s.pick(3)]}
	provider, customers := s.gateway.provider(p)
	opts := setupintent.Options{Namespace: "sim", Now: p.now, Rate: 1000, CreateRate: 1000, CreateBurst: 1000, MaxDeclines: 2}
	if s.customers {
		opts.Customers = customers
		opts.Customer = func(context.Context, setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{Name: fmt.Sprint("by release ", p.release)}, nil
		}
	}
	if !s.inTx {
		opts.OnActive = s.onActive
	}
	if p.release == 1 {
		opts.TTL, opts.Recheck = 6*time.Hour, []time.Duration{5 * time.Minute, 6 * time.Hour}
		opts.Request = func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
			return setupintent.IntentRequest{Description: "by another release"}, nil
		}
	}
	var err error
	if p.svc, err = setupintent.New(simStore{p}, provider, &opts); err != nil {
		panic(err)
	}
	p.svc.SetSleep(p.sleep)
	p.svc.SetMoves(s.moves)
	return p
}

func (p *process) sleep(ctx context.Context, d time.Duration) error {
	p.pause("waits")
	p.advance(d)
	return ctx.Err()
}

func (s *sim) advance(d time.Duration) {
	s.clock.advance(d)
	s.gateway.tick()
}

// onActive is the application's effect outside the row's transaction.
func (s *sim) onActive(context.Context, setupintent.Row, setupintent.Intent) error {
	s.pause("runs the effect")
	switch {
	case s.fault(effectFailed):
		return errSim
	case s.fault(effectPanicked):
		panic("of the application's")
	}
	s.effects++
	return nil
}

// spawn begins a call in one of the processes.
func (s *sim) spawn(name string, do func(context.Context, *process) error) {
	p := s.procs[s.pick(len(s.procs))]
	ctx, leave := context.WithCancel(context.Background())
	s.spawned++
	t := &task{coroutine: s.coroutine(), name: fmt.Sprint(name, s.spawned), in: p, leave: leave}
	t.start(func() {
		defer leave()
		err := do(ctx, p)
		s.say(t.name, fmt.Sprintf("returns: %v", err))
		if err != nil && strings.Contains(err.Error(), "_secret_") {
			s.fail("I7 a client secret in an error", "")
		}
	})
	s.tasks = append(s.tasks, t)
}

// resume lets t run to its next pause.
func (s *sim) resume(t *task) {
	s.running = t
	t.resume()
	if t.panicked != nil {
		s.fail("the service panics", fmt.Sprint(t.panicked))
	}
	if !t.busy {
		s.end(t)
	}
}

// end ends t where it is.
func (s *sim) end(t *task) {
	s.running = t
	t.kill()
	t.leave()
	s.idle = append(s.idle, t.coroutine)
	s.tasks = slices.DeleteFunc(s.tasks, func(o *task) bool { return o == t })
}

// die is end, without having been asked: what it was sending may be on its way.
func (s *sim) die(t *task) {
	if t.sending != nil && s.chance(500) {
		s.late = append(s.late, *t.sending)
	}
	s.end(t)
}

// awake returns the tasks that are not asleep.
func (s *sim) awake() []*task {
	return slices.DeleteFunc(slices.Clone(s.tasks), func(t *task) bool { return !t.asleep.IsZero() })
}

// land lets the i'th late request arrive, if it has not died.
func (s *sim) land(i int, window int) {
	l := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	if !l.commit && !s.clock.now().Before(l.until) {
		return
	}
	s.hits[window]++
	if !l.sender.busy {
		s.hits[landedAfterDeath]++
	}
	s.say("net", "LATE: "+l.what)
	l.land()
}

// settle lets one process without faults sweep past every due time. Late
// requests may still land while it does, and processes that had been stopped may
// go on.
func (s *sim) settle() {
	for _, t := range s.awake() {
		s.end(t)
	}
	s.calm = true
	s.refusing = s.refusing && s.chance(500)
	for i, v := range slices.Backward(s.late) {
		if v.commit {
			if s.chance(500) {
				s.land(i, lateCommitLanded)
				continue
			}
			s.late = slices.Delete(s.late, i, i+1) // the connection is gone
		}
	}
	s.giveBack()
	p := s.process()
	p.skew = 0
	s.say("", "CALM: every process dies; one sweeper, without faults")
	for range 60 {
		if len(s.late) > 0 && s.chance(500) {
			s.land(s.pick(len(s.late)), landedInCalm)
		}
		if len(s.tasks) > 0 && s.chance(300) {
			s.wake(s.tasks[s.pick(len(s.tasks))])
		}
		r, there := s.row()
		if !there {
			break
		}
		if r.Due.IsZero() {
			if r.Status != setupintent.Pending || r.Progress.IsZero() {
				break
			}
			r.Due = s.clock.now() // taken back by the application, without a due time: it would ask
		}
		if d := r.Due.Sub(s.clock.now()); d > 0 {
			s.advance(d)
		}
		for _, in := range s.intents {
			if in.status == setupintent.Processing {
				s.gateway.resolve(in.id, saves) // the bank has made up its mind
			}
		}
		s.calmly(p, func(ctx context.Context) {
			_, _ = p.svc.Sweep(ctx, simStore{p}, nil)
			if r.Due.Equal(s.clock.now()) {
				_, _ = p.svc.Refresh(ctx, simRow)
			}
		})
		if s.check(); s.bad != "" {
			return
		}
		if after, ok := s.row(); ok && after.Version == r.Version {
			s.advance(setupintent.Lease) // by the clock of whoever sent last, the lease is not over yet
		}
	}
	for len(s.late) > 0 {
		s.land(0, landedInCalm)
	}
	if s.on == "keyless" {
		s.check()
		if r, ok := s.row(); ok && setupintent.Read(r.Progress).Attempts > 1 {
			s.hits[secondAttempt]++
		}
		return // what it can't cancel, or list, it leaves
	}
	if s.deleted {
		s.calmly(p, func(ctx context.Context) {
			orphans, err := p.svc.Audit(ctx, time.Time{}, s.clock.now().Add(time.Hour), true)
			if err != nil {
				s.fail("the audit failed", err.Error())
			}
			for _, o := range orphans {
				s.hits[orphanAudited]++
				s.say("S", fmt.Sprintf("the audit cancels %s: %s", o.IntentID, o.Why))
			}
		})
	}
	s.final()
}

// calmly does something without a pause.
func (s *sim) calmly(p *process, do func(context.Context)) {
	t := &task{coroutine: s.coroutine(), name: "S", in: p, leave: func() {}}
	t.start(func() { do(context.Background()) })
	s.resume(t)
}

// final is what must hold in the end: I5, and I7 of what is stored.
func (s *sim) final() {
	s.check()
	r, there := s.row()
	ours := there && !s.foreign
	for _, in := range s.intents {
		switch {
		case in.status == setupintent.Processing && !ours: // it can't be canceled
		case in.live():
			s.fail("I5 a live intent is left", in.id)
		case in.status == setupintent.Succeeded && ours && r.Status != setupintent.Active:
			s.fail("I5 the card was saved, and the row is "+string(r.Status), in.id)
		}
	}
	if !there {
		return
	}
	if text, err := r.Progress.MarshalText(); err != nil || strings.Contains(string(text), "_secret_") {
		s.fail("I7 a client secret in the row", "")
	}
	rewritten := s.hits[statusWritten] > 0
	takenBack := r.Progress.Phase() == setupintent.None && s.hits[statusWrittenBack] > 0 // without a due time
	switch {
	case s.effects > 0 && ours && r.Status != setupintent.Active && !rewritten:
		s.fail("the effect ran, and the row is "+string(r.Status), "")
	case r.Status == setupintent.Pending && !r.Progress.IsZero() && !takenBack:
		s.fail("the row is pending for ever", "")
	case s.told && r.Status == setupintent.Abandoned && !rewritten:
		s.fail("the application's cancellation ended as abandoned", "")
	}
	switch {
	case s.foreign:
	case r.Status == setupintent.Active:
		s.hits[endedActive]++
	case r.Status == setupintent.Abandoned:
		s.hits[endedAbandoned]++
	case r.Status == setupintent.Cancelled:
		s.hits[endedCancelled]++
	}
	if setupintent.Read(r.Progress).Attempts > 1 {
		s.hits[secondAttempt]++
	}
}
