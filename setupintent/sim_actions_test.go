package setupintent_test

import (
	"context"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// What can go wrong, and the windows that must be hit for a run to say anything.
const (
	storeDown = iota
	ackLost
	commitLate
	lateCommitLanded
	requestLost
	requestLate
	lateLanded
	landedAfterDeath
	landedInCalm
	answerLost
	answerCut
	stored5xx
	stored5xxMade
	unstored5xx
	unstored5xxMade
	unmarked
	inUse409
	throttled429
	credentials401
	otherAccount
	refusedOnce
	refusedForEver
	tooLateToSend
	replayed
	keyPruned
	listMade
	callerGone
	processKilled
	callPanicked
	processPaused
	pausedInCalm
	clockJump
	clockSet
	twoReleases
	newerRelease
	dashboardCancel
	statusWritten
	statusWrittenBack
	activeOverwritten
	progressErased
	rowDeleted
	orphanAudited
	cancelledNone
	cancelledClaimed
	cancelledAttached
	cancelledClosing
	cardSaved
	savedWhileClosing
	cardDeclined
	closedByDeclines
	takesDays
	challenged
	webhookDropped
	webhookTwice
	webhookOvertaken
	effectFailed
	effectPanicked
	customerMade
	endedActive
	endedAbandoned
	endedCancelled
	secondAttempt
	windows
)

type window struct {
	name     string
	permille int
	only     string // the world that it is in; empty: every one
}

func (w window) in(on string) bool { return w.only == "" || w.only == on }

// windowsOf says what the windows are called, and of the faults, how many
// chances in a thousand they have.
var windowsOf = [windows]window{
	storeDown:         {name: "the store does not answer", permille: 12},
	ackLost:           {name: "a commit whose acknowledgement is lost", permille: 18},
	commitLate:        {name: "a commit that comes after its error", permille: 12},
	lateCommitLanded:  {name: "  and takes effect"},
	requestLost:       {name: "a request is lost", permille: 20},
	requestLate:       {name: "a request is late", permille: 30},
	lateLanded:        {name: "  and takes effect"},
	landedAfterDeath:  {name: "  and takes effect after its sender's end"},
	landedInCalm:      {name: "  and takes effect in the calm"},
	answerLost:        {name: "an answer is lost", permille: 30},
	answerCut:         {name: "an answer is cut off", permille: 20, only: "stripe"},
	stored5xx:         {name: "a 5xx, stored, nothing made", permille: 20},
	stored5xxMade:     {name: "a 5xx, stored, made all the same", permille: 20},
	unstored5xx:       {name: "a 5xx, not stored, nothing done", permille: 16},
	unstored5xxMade:   {name: "a 5xx, not stored, done all the same", permille: 16},
	unmarked:          {name: "a 5xx that may be a stored one, for all one can tell", only: "ports"},
	inUse409:          {name: "409, the key is in use", permille: 12},
	throttled429:      {name: "429", permille: 10},
	credentials401:    {name: "401", permille: 6},
	otherAccount:      {name: "404, as by another account", permille: 8},
	refusedOnce:       {name: "a 400, once", permille: 20},
	refusedForEver:    {name: "a 400, for ever", permille: 6},
	tooLateToSend:     {name: "too late to send", only: "ports"},
	replayed:          {name: "an answer that was stored"},
	keyPruned:         {name: "a key that the provider has forgotten"},
	listMade:          {name: "a list"},
	callerGone:        {name: "the caller is gone"},
	processKilled:     {name: "a process is killed"},
	callPanicked:      {name: "one call of a process dies"},
	processPaused:     {name: "a process stops for longer than its lease"},
	pausedInCalm:      {name: "  and goes on in the calm"},
	clockJump:         {name: "the clock jumps"},
	clockSet:          {name: "a process's clock is set"},
	twoReleases:       {name: "another release writes the row"},
	newerRelease:      {name: "a newer release takes the row, and gives it back"},
	dashboardCancel:   {name: "canceled in the Dashboard", permille: 150},
	statusWritten:     {name: "the application writes a status itself", permille: 100},
	statusWrittenBack: {name: "  and pending again"},
	activeOverwritten: {name: "a stale save overwrites an active row", permille: 200},
	progressErased:    {name: "the application begins an ended row anew, and erases its progress", permille: 1000, only: "ports"},
	rowDeleted:        {name: "the row is deleted", permille: 30},
	orphanAudited:     {name: "  and the audit finds its intent"},
	cancelledNone:     {name: "the application cancels a row that is none"},
	cancelledClaimed:  {name: "the application cancels a row that is claimed"},
	cancelledAttached: {name: "the application cancels a row that is attached"},
	cancelledClosing:  {name: "the application cancels a row that is closing"},
	cardSaved:         {name: "a card is saved"},
	savedWhileClosing: {name: "  while the row is closing"},
	cardDeclined:      {name: "a card is declined"},
	closedByDeclines:  {name: "  so often that the row is closed"},
	takesDays:         {name: "a bank takes its time"},
	challenged:        {name: "a customer is challenged"},
	webhookDropped:    {name: "a webhook is dropped"},
	webhookTwice:      {name: "a webhook comes again"},
	webhookOvertaken:  {name: "a webhook is overtaken"},
	effectFailed:      {name: "the effect fails", permille: 60},
	effectPanicked:    {name: "the effect panics", permille: 30},
	customerMade:      {name: "a customer is made first"},
	endedActive:       {name: "ended active"},
	endedAbandoned:    {name: "ended abandoned"},
	endedCancelled:    {name: "ended cancelled"},
	secondAttempt:     {name: "ended with a second attempt"},
}

// actions are what may happen next. The first is that a task goes on.
const (
	actResume = iota
	actBegin
	actSweep
	actRefresh
	actClock
	actLand
	actBrowser
	actWebhook
	actDashboard
	actCancel
	actStatus
	actDelete
	actNewer
	actKill
	actPanic
	actStart
	actActivate
	actSleep
	actWake
	actLeave
	actSetClock
	actCount
)

var actions = [actCount]struct {
	weight int
	do     func(*sim)
}{
	actResume: {1, func(s *sim) {
		if awake := s.awake(); len(awake) > 0 {
			s.resume(awake[s.pick(len(awake))])
		}
	}},
	actBegin:    {3, func(s *sim) { s.spawn("H", begin) }},
	actSweep:    {2, func(s *sim) { s.spawn("S", sweepOnce) }},
	actRefresh:  {2, func(s *sim) { s.spawn("R", refresh) }},
	actClock:    {2, (*sim).jump},
	actLand:     {3, (*sim).landOne},
	actBrowser:  {4, (*sim).browse},
	actWebhook:  {3, (*sim).webhook},
	actCancel:   {2, (*sim).cancel},
	actStatus:   {1, (*sim).writeStatus},
	actDelete:   {1, (*sim).deleteRow},
	actNewer:    {1, (*sim).takeRow},
	actKill:     {1, (*sim).killProcess},
	actStart:    {1, func(s *sim) { s.procs[s.pick(len(s.procs))] = s.process() }}, // the old one still serves what it has begun
	actActivate: {2, (*sim).activate},
	actDashboard: {1, func(s *sim) {
		if len(s.intents) > 0 && s.fault(dashboardCancel) {
			s.gateway.resolve(s.intents[s.pick(len(s.intents))].id, cancels)
		}
	}},
	actPanic: {1, func(s *sim) {
		if t := s.one(); t != nil {
			s.hits[callPanicked]++
			s.say(t.name, "panics")
			s.die(t)
		}
	}},
	actSleep: {1, func(s *sim) {
		if t := s.one(); t != nil {
			t.asleep = s.clock.now()
			s.say(t.name, "is stopped")
		}
	}},
	actWake: {2, func(s *sim) {
		if len(s.tasks) > 0 {
			s.wake(s.tasks[s.pick(len(s.tasks))])
		}
	}},
	actLeave: {1, func(s *sim) {
		if t := s.one(); t != nil {
			s.hits[callerGone]++
			s.say(t.name, "its caller is gone")
			t.leave()
		}
	}},
	actSetClock: {1, func(s *sim) {
		p := s.procs[s.pick(len(s.procs))]
		p.skew = []time.Duration{0, maxSkew, -maxSkew}[s.pick(3)]
		s.hits[clockSet]++
	}},
}

// one returns one of the tasks that are awake; nil if there is none.
func (s *sim) one() *task {
	awake := s.awake()
	if len(awake) == 0 {
		return nil
	}
	return awake[s.pick(len(awake))]
}

// wake lets a task go on that was stopped.
func (s *sim) wake(t *task) {
	if t.asleep.IsZero() {
		return
	}
	if s.clock.now().Sub(t.asleep) >= setupintent.Lease {
		s.hits[processPaused]++
	}
	if s.calm {
		s.hits[pausedInCalm]++
	}
	t.asleep = time.Time{}
	s.say(t.name, "goes on")
	s.resume(t)
}

var jumps = []time.Duration{
	time.Second, 5 * time.Second, 16 * time.Second, 16 * time.Second, 3 * time.Minute, 3 * time.Minute,
	11 * time.Minute, 11 * time.Minute, 5 * time.Hour, 21 * time.Hour,
}

func (s *sim) jump() {
	d := jumps[s.pick(len(jumps))]
	s.hits[clockJump]++
	s.advance(d)
	s.say("", "the clock jumps by "+d.String())
}

func (s *sim) landOne() {
	if len(s.late) == 0 {
		return
	}
	i := s.pick(len(s.late))
	if s.late[i].commit {
		s.land(i, lateCommitLanded)
		return
	}
	s.land(i, lateLanded)
}

// browse is what somebody does who has a client secret, and then the bank.
func (s *sim) browse() {
	for _, in := range s.intents {
		if !s.shown[in.id] || !in.live() {
			continue
		}
		to := []outcome{saves, declines, takesLong, challenges, saves, saves}[s.pick(6)]
		switch to {
		case declines:
			s.hits[cardDeclined]++
		case takesLong:
			s.hits[takesDays]++
		case challenges:
			s.hits[challenged]++
		default:
			s.hits[cardSaved]++
			if r, ok := s.row(); ok && r.Progress.Phase() == setupintent.Closing {
				s.hits[savedWhileClosing]++
			}
		}
		s.gateway.resolve(in.id, to)
	}
}

// webhook delivers an event, or drops it.
func (s *sim) webhook() {
	news := s.gateway.news()
	if len(news) == 0 {
		return
	}
	i := s.pick(len(news))
	if s.chance(250) {
		s.hits[webhookDropped]++
		return
	}
	e := news[i]
	if e.told++; e.told > 1 {
		s.hits[webhookTwice]++
	}
	if i < len(news)-1 && news[len(news)-1].told > 0 {
		s.hits[webhookOvertaken]++
	}
	s.spawn("W", func(ctx context.Context, p *process) error { return s.gateway.deliver(ctx, p, e) })
}

func begin(ctx context.Context, p *process) error {
	in, err := p.svc.Begin(ctx, simRow, nil)
	if err == nil {
		p.shown[in.ID] = true
	}
	return err
}

func sweepOnce(ctx context.Context, p *process) error {
	_, err := p.svc.Sweep(ctx, simStore{p}, nil)
	return err
}

func refresh(ctx context.Context, p *process) error {
	_, err := p.svc.Refresh(ctx, simRow)
	return err
}

func (s *sim) activate() {
	if len(s.intents) == 0 {
		return
	}
	id := s.intents[s.pick(len(s.intents))].id
	s.spawn("A", func(ctx context.Context, p *process) error {
		_, err := p.svc.Activate(ctx, simRow, id)
		return err
	})
}

func (s *sim) cancel() {
	if r, there := s.row(); there && r.Status == setupintent.Pending {
		switch r.Progress.Phase() {
		case setupintent.None:
			s.hits[cancelledNone]++
		case setupintent.Claimed:
			s.hits[cancelledClaimed]++
		case setupintent.Attached:
			s.hits[cancelledAttached]++
		case setupintent.Closing:
			s.hits[cancelledClosing]++
		}
	}
	erased := s.hits[progressErased]
	s.spawn("C", func(ctx context.Context, p *process) error {
		r, err := p.svc.Cancel(ctx, simRow)
		anew := s.hits[progressErased] > erased // and it is not the row of this call any more
		if !anew && (err == nil && r.Status == setupintent.Pending || r.Progress.Closing() == setupintent.Cancelled) {
			s.told = true
		}
		return err
	})
}

// writeStatus is the application that writes the status itself: a word of its
// own, or one of ours, and pending again; or a stale copy over an active row; or
// an ended row begun anew without its progress, which the customer would be
// forgotten by.
func (s *sim) writeStatus() {
	r, there := s.row()
	write := func(status setupintent.Status) {
		_ = s.memory.SetStatus(simRow, status)
		s.say("app", "writes the status "+string(status))
	}
	switch {
	case !there:
	case s.foreign:
		s.hits[statusWrittenBack]++
		s.foreign = false
		write(setupintent.Pending)
	case r.Status == setupintent.Pending && s.fault(statusWritten):
		s.foreign = true
		write([]setupintent.Status{suspended, suspended, setupintent.Cancelled, setupintent.Abandoned}[s.pick(4)])
	case r.Status == setupintent.Active && s.fault(activeOverwritten):
		write(setupintent.Pending)
	case r.Status == setupintent.Abandoned || r.Status == setupintent.Cancelled:
		if s.newer == nil && !s.customers && windowsOf[progressErased].in(s.on) && s.fault(progressErased) {
			s.told = false
			write(setupintent.Pending)
			r, _ = s.row()
			_, _ = s.memory.Swap(context.Background(), r, setupintent.Row{ID: simRow, Status: setupintent.Pending, Version: r.Version + 1})
			s.say("app", "erases the progress")
		}
	}
}

func (s *sim) deleteRow() {
	if r, there := s.row(); there && r.Status == setupintent.Pending && s.fault(rowDeleted) {
		s.deleted = true
		s.memory.Delete(simRow)
		s.say("app", "deletes the row")
	}
}

// takeRow is a newer release, whose progress nobody here can read, and which is
// rolled back later.
func (s *sim) takeRow() {
	if s.newer != nil {
		s.giveBack()
		return
	}
	r, there := s.row()
	if !there || !r.Progress.IsZero() && r.Progress.Phase() == "" {
		return
	}
	next := r
	next.Progress = setupintent.Progress{}
	_ = next.Progress.UnmarshalText([]byte(`{"format":99}`))
	if ok, _ := s.memory.Swap(context.Background(), r, next); ok {
		s.newer = &r
		s.say("app", "a newer release writes the row")
	}
}

func (s *sim) giveBack() {
	if s.newer == nil {
		return
	}
	before := *s.newer
	s.newer = nil
	r, there := s.row()
	if !there {
		return
	}
	next := r
	next.Progress = before.Progress
	if ok, _ := s.memory.Swap(context.Background(), r, next); ok {
		s.hits[newerRelease]++
		s.say("app", "the newer release writes the row as it was")
	}
}

// killProcess kills one process with all that it does, and starts another.
func (s *sim) killProcess() {
	i := s.pick(len(s.procs))
	for _, t := range s.awake() {
		if t.in == s.procs[i] {
			s.hits[processKilled]++
			s.say(t.name, "dies with its process")
			s.die(t)
		}
	}
	s.procs[i] = s.process()
}
