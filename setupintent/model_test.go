package setupintent_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// The model is the protocol around one row, explored exhaustively within a
// budget of faults: two handlers that run Begin, a sweeper that runs Refresh,
// webhooks, a browser, the application, the clock, the provider, and a network
// that loses answers and delivers requests late. Every write of the row is made
// by the core's own moves, and what to do next is decided by the core's own
// next; only what happens around them is the model's.
//
// Time is what the protocol can tell of it: whether the lease of the latest
// stamp is over, whether all that was sent under it has landed, whether the key
// is 20 h old, whether the deadline is over.

const (
	maxIntents = 3
	maxKeys    = 3
)

// mrow is a setupintent.Row, reduced to what the protocol goes by. Keys and
// intents are numbered from 1.
type mrow struct {
	status            setupintent.Status
	phase             setupintent.Phase
	target            setupintent.Status
	touched, due      bool
	attempts          uint8
	key, intent       uint8
	last              uint8 // 0: leased, 1: lease over, 2: all that was sent has landed
	old               bool  // the key is 20 h old
	free, spent, over bool  // given back, key spent, deadline over
	void, doubt       bool  // the latest send created nothing; an earlier one may have
}

const suspended setupintent.Status = "suspended" // a word of the application's own

// call is a request to the provider, on its way there or back.
type call struct {
	kind    uint8 // 0: none
	key     uint8 // of a create
	intent  uint8 // of a cancel; in the answer, what was created
	done    bool  // executed: the answer is on its way back
	answer  uint8
	stamped bool // the row says when it was sent
	noKey   bool // the provider is not told the key
}

const (
	create = 1
	cancel = 2
)

const (
	answerIntent   = iota
	answerFailed   // a 5xx
	answerReplayed // a 5xx, marked as a replay
	answerRefused
	answerThrottled
	answerCanceled
	answerSucceeded
)

// proc is one handler, or the sweeper.
type proc struct {
	at    uint8 // where it is, below
	key   uint8 // that it works for
	gen   uint8 // attempts when it began
	fresh bool  // it holds its own claim
	stamp bool  // the row says that it is about to send
	stale bool  // somebody else has written the row since
	doubt bool  // an earlier send of its key may have created something
	found uint8 // intent
	call  call
}

const (
	idle = iota
	sending
	waiting
	recording
	listed
	flipping // the application's effect has run
)

// world is everything. Its zero procs, calls and intents are not there.
type world struct {
	row     mrow
	si      [maxIntents + 1]setupintent.IntentStatus
	siKey   [maxIntents + 1]uint8
	secret  [maxIntents + 1]bool // a browser has it
	news    [maxIntents + 1]bool // an event is on its way
	keyRes  [maxKeys + 1]uint8   // what the provider keeps: an intent, or 9, a failure
	pruned  [maxKeys + 1]bool
	nextKey uint8
	p       [3]proc // two handlers and a sweeper, or one handler and two sweepers
	late    [2]call // their senders are dead

	budget budget
	told   bool // the application knows that the row is being cancelled
	effect bool // the application's effect has run
	bad    string
}

const sweeper = 2 // the last one always is

// budget is how often each thing may happen.
type budget struct {
	crash, loss, fail5, refuse, throttle, dashboard, cancel, suspend, resume, wipe, age, deadline uint8
}

// ablation takes rules away.
type ablation struct {
	noStamp, refuseByKey, byGeneration, noRetarget, forgetReported, newKeyOnTakeOver,
	abandonFirst, listNotReplay, noClaim, noRecordGuard, noKeyAge, noDoubt,
	noKey, noTakeOverStamp, listAtOnce, noNotAfter, noLease, giveBackAnyway, noClean, webhookByID bool
}

type edge struct {
	to   world
	who  string
	what string
	n    uint8
}

func (e edge) String() string {
	if e.n == 0 {
		return e.who + ": " + e.what
	}
	return fmt.Sprintf("%s: %s %d", e.who, e.what, e.n)
}

type model struct {
	ablation
	cast
	rules *setupintent.Rules
	now   time.Time
	tries map[try]mrow
	steps map[mrow]setupintent.Step
	ends  map[world]string
	out   []edge
	last  []string // the steps of the latest end
}

// cast is who takes part, and what activating takes.
type cast struct {
	twoSweepers  bool // the second handler is one
	effectBefore bool // activating is two steps: the effect, then the flip
}

func (c cast) handler(i int) bool { return i == 0 || i == 1 && !c.twoSweepers }

func (c cast) name(i int) string {
	switch {
	case c.handler(i):
		return []string{"H1", "H2"}[i]
	case c.twoSweepers:
		return []string{"", "S2", "S1"}[i]
	}
	return "S"
}

// try is one use of a move; its result is a zero mrow if the guard did not hold.
type try struct {
	id     setupintent.MoveID
	row    mrow
	key    uint8
	intent uint8
	status setupintent.IntentStatus
	siKey  uint8
	target setupintent.Status
	void   bool
}

var stampAges = [...]time.Duration{0, setupintent.Lease, setupintent.MaxFlight}

func numbered(name string, n uint8) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(name, n)
}

func number(s string) uint8 {
	if s == "" {
		return 0
	}
	return s[len(s)-1] - '0'
}

// full returns the row as the core sees it.
func (m *model) full(r mrow) setupintent.Row {
	deadline := m.now.Add(48 * time.Hour)
	if r.over {
		deadline = m.now
	}
	out := setupintent.Row{ID: "row", Status: r.status}
	if r.due {
		out.Due = m.now
	}
	if !r.touched {
		out.Due = deadline
		return out
	}
	a := setupintent.Account{
		Format: 1, Phase: r.phase, Attempts: int(r.attempts), Target: r.target, Deadline: deadline,
		Intent: setupintent.Effect{ID: numbered("seti_", r.intent), Key: numbered("key_", r.key), Free: r.free, Spent: r.spent, Void: r.void, Doubt: r.doubt},
	}
	if r.key != 0 {
		a.Intent.Last = m.now.Add(-stampAges[r.last])
		a.Intent.Sent = a.Intent.Last
		if r.old && !m.noKeyAge {
			a.Intent.Sent = m.now.Add(-setupintent.KeyLife)
		}
		switch {
		case m.noLease && r.last == 0:
			a.Intent.Last = m.now.Add(-setupintent.Lease)
		case m.listAtOnce && (r.spent || r.old):
			a.Intent.Last = m.now.Add(-setupintent.MaxFlight)
		}
	}
	out.Progress = setupintent.NewProgress(a)
	return out
}

// reduce is the way back; old and over are not the row's to tell once it has
// moved on.
func (m *model) reduce(in setupintent.Row, before mrow) mrow {
	a := setupintent.Read(in.Progress)
	r := mrow{
		status: in.Status, phase: a.Phase, target: a.Target, touched: !in.Progress.IsZero(), due: !in.Due.IsZero(),
		attempts: uint8(a.Attempts), key: number(a.Intent.Key), intent: number(a.Intent.ID),
		free: a.Intent.Free, spent: a.Intent.Spent, void: a.Intent.Void, doubt: a.Intent.Doubt && !m.noDoubt, over: before.over,
	}
	if len(a.Intent.Key) > len("key_1") { // a move has drawn one of its own
		r.key = min(before.key+1, maxKeys)
	}
	if r.key != 0 {
		r.old = before.old && r.key == before.key
		for i, age := range stampAges {
			if m.now.Sub(a.Intent.Last) >= age {
				r.last = uint8(i)
			}
		}
		if m.noLease && r.last == 1 && before.last == 0 {
			r.last = 0 // it only looked as if it were over
		}
	}
	return r
}

// move makes a move of the core, and reports whether its guard holds.
func (m *model) move(w *world, id setupintent.MoveID, key, intent uint8, target setupintent.Status) (mrow, bool) {
	return m.moveVoid(w, id, key, intent, target, false)
}

func (m *model) moveVoid(w *world, id setupintent.MoveID, key, intent uint8, target setupintent.Status, void bool) (mrow, bool) {
	t := try{id, w.row, key, intent, w.si[intent], w.siKey[intent], target, void}
	r, known := m.tries[t]
	if !known {
		in := setupintent.Intent{ID: numbered("seti_", intent), Status: t.status, Metadata: map[string]string{
			"cardonfile_key": setupintent.KeyHash(numbered("key_", t.siKey)),
		}}
		if next, ok := setupintent.Try(m.rules, id, m.full(w.row), m.now, numbered("key_", key), in, target, void); ok {
			r = m.reduce(next, w.row)
		}
		m.tries[t] = r
	}
	return r, r.status != ""
}

func (m *model) next(r mrow) setupintent.Step {
	s, known := m.steps[r]
	if !known {
		s = setupintent.Next(m.rules, m.full(r), m.now)
		m.steps[r] = s
	}
	return s
}

// write is the swap: everybody else's copy of the row is stale by it.
func write(w *world, who int, r mrow) {
	if w.row.status != setupintent.Pending && r.status != w.row.status {
		w.bad = "I4 the status of a row that is not pending was written"
	}
	w.row = r
	for i := range w.p {
		if i != who {
			w.p[i].stale = w.p[i].at != idle
		}
	}
}

// key returns the key by which a guard compares.
func (m *model) key(w *world, p proc) uint8 {
	if m.byGeneration && p.gen == w.row.attempts {
		return w.row.key
	}
	return p.key
}

// proceed adds what the proc may do next.
func (m *model) proceed(w world, i int) {
	p := w.p[i]
	add := func(n world, what string, k uint8) { m.out = append(m.out, edge{n, m.name(i), what, k}) }
	switch p.at {
	case idle:
		m.decide(w, i, add)
	case sending:
		n := w
		n.p[i].at = waiting
		n.p[i].call = call{kind: create, key: p.key, stamped: p.stamp, noKey: m.noKey}
		add(n, "sends create with key", p.key)
	case waiting:
		if p.call.done {
			m.answered(w, i, add)
		}
		if w.budget.loss > 0 {
			n := w
			n.budget.loss--
			if bury(&n, p.call) {
				n.p[i] = proc{}
				m.giveBack(&n, i, p, false)
				add(n, "answer lost", 0)
			}
		}
	case recording:
		n := w
		n.p[i] = proc{}
		m.record(&n, i, p)
		add(n, "records intent", p.found)
	case listed:
		n := w
		n.p[i] = proc{}
		if !p.stale {
			m.looked(&n, i, p.found)
		}
		what := "finds in the list, and adopts, intent"
		switch {
		case p.found != 0:
		case p.stale:
			what = "finds nothing of its key in the list, and that somebody has written since"
		case n.row.status != setupintent.Pending || n.row.phase == setupintent.None:
			what = "finds nothing of its key in the list: it was never made, " + outcomeOf(n.row)
		}
		add(n, what, p.found)
	}
	if p.at == flipping {
		n := w
		n.p[i] = proc{}
		if to, ok := m.move(&n, setupintent.MoveActivate, 0, p.found, ""); ok {
			write(&n, i, to)
		}
		add(n, "activates by intent", p.found)
	}
	if p.at != idle && w.budget.crash > 0 {
		n := w
		n.budget.crash--
		if bury(&n, p.call) {
			n.p[i] = proc{}
			add(n, "crashes", 0)
		}
	}
}

// decide is what Begin and Refresh do with the row as they find it.
func (m *model) decide(w world, i int, add func(world, string, uint8)) {
	r := w.row
	n := w
	handler := m.handler(i)
	if handler && (r.status != setupintent.Pending || r.phase == setupintent.Closing) {
		return
	}
	switch m.next(r) {
	case setupintent.Rest:
		if !handler || w.nextKey > maxKeys || r.phase != setupintent.None {
			return
		}
		to, ok := m.move(&w, setupintent.MoveClaim, w.nextKey, 0, "")
		if !ok {
			return
		}
		n.nextKey++
		n.p[i] = proc{at: sending, key: w.nextKey, gen: to.attempts, fresh: true, stamp: true}
		if m.noClaim {
			add(n, "reads the row, draws key", w.nextKey)
			return
		}
		write(&n, i, to)
		add(n, "claims with key", w.nextKey)
	case setupintent.End:
		if m.abandonFirst && r.phase != setupintent.None {
			r.status, r.due = setupintent.Abandoned, false
			write(&n, i, r)
			add(n, "abandons the row", 0)
			return
		}
		id := setupintent.MoveClose
		if !r.touched {
			id = setupintent.MoveExpire
		}
		to, _ := m.move(&w, id, 0, 0, setupintent.Abandoned)
		write(&n, i, to)
		add(n, "finds the deadline over: "+outcomeOf(to), 0)
	case setupintent.Send:
		if m.listNotReplay && r.phase == setupintent.Closing {
			n.p[i] = proc{at: listed, found: list(&w)}
			add(n, "lists", 0)
			return
		}
		id := setupintent.MoveTakeOver
		if r.phase == setupintent.Closing {
			id = setupintent.MoveReplay
		}
		to, ok := m.move(&w, id, 0, 0, "")
		if !ok {
			return
		}
		n.p[i] = proc{at: sending, key: to.key, gen: to.attempts, stamp: true, doubt: to.doubt}
		if m.newKeyOnTakeOver && r.phase == setupintent.Claimed {
			if w.nextKey > maxKeys {
				return
			}
			to.key, n.p[i].key = w.nextKey, w.nextKey
			n.nextKey++
		}
		if m.noStamp && r.phase == setupintent.Closing || m.noTakeOverStamp && r.phase == setupintent.Claimed {
			n.p[i].stamp = false
			add(n, "will send create again, unstamped", 0)
			return
		}
		write(&n, i, to)
		add(n, "stamps the row, to send key", n.p[i].key)
	case setupintent.List:
		n.p[i] = proc{at: listed, found: list(&w)}
		add(n, "lists", 0)
	case setupintent.Fetch:
		switch w.si[r.intent] {
		case setupintent.Succeeded:
			m.activate(&n, i, r.intent)
			add(n, "fetches: succeeded; activates", 0)
		case setupintent.Canceled:
			to, _ := m.move(&w, setupintent.MoveRearm, 0, r.intent, "")
			write(&n, i, to)
			add(n, "fetches: canceled; re-arms", 0)
		default:
			if handler && !w.secret[r.intent] {
				n.secret[r.intent] = true
				add(n, "fetches, answers the secret of", r.intent)
			}
		}
	case setupintent.CancelIt:
		n.p[i] = proc{at: waiting, call: call{kind: cancel, intent: r.intent}}
		add(n, "sends cancel of", r.intent)
	case setupintent.Clean:
		if m.noClean {
			return
		}
		if to, ok := m.move(&w, setupintent.MoveClean, 0, 0, ""); ok {
			write(&n, i, to)
			add(n, "finds the row taken out of pending: cleans", 0)
		}
	case setupintent.Restore:
		to, _ := m.move(&w, setupintent.MoveRestore, 0, 0, "")
		write(&n, i, to)
		add(n, "restores the row", 0)
	}
}

// outcomeOf says what a row has come to.
func outcomeOf(r mrow) string {
	if r.status == setupintent.Pending {
		return "the row is " + string(r.phase)
	}
	return "the row is " + string(r.status)
}

// list returns the intent that the list shows for the row's key.
func list(w *world) uint8 {
	for i := 1; i <= maxIntents; i++ {
		if w.si[i] != "" && w.siKey[i] == w.row.key {
			return uint8(i)
		}
	}
	return 0
}

func (m *model) looked(n *world, i int, found uint8) {
	id := setupintent.MoveAdopt
	switch {
	case found != 0:
	case n.row.phase == setupintent.Closing:
		id = setupintent.MoveNever
	default:
		id = setupintent.MoveNext
	}
	if m.listNotReplay {
		n.row.spent, n.row.last = true, 2 // as if the list were as good as the key
	}
	if to, ok := m.move(n, id, 0, found, ""); ok {
		write(n, i, to)
	}
}

func (m *model) giveBack(n *world, i int, p proc, void bool) {
	if p.stale && !m.giveBackAnyway || p.call.kind != create {
		return
	}
	if to, ok := m.moveVoid(n, setupintent.MoveGiveBack, m.key(n, p), 0, "", void); ok {
		write(n, i, to)
	}
}

// answered is what a proc does with the answer to its call.
func (m *model) answered(w world, i int, add func(world, string, uint8)) {
	p, n := w.p[i], w
	n.p[i] = proc{}
	c := p.call
	switch c.answer {
	case answerIntent:
		n.p[i] = proc{at: recording, key: p.key, gen: p.gen, found: c.intent, stale: p.stale}
		add(n, "is answered intent", c.intent)
	case answerFailed:
		m.giveBack(&n, i, p, false)
		add(n, "is answered 500", 0)
	case answerReplayed:
		m.spend(&n, i, p)
		add(n, "is answered a stored 500", 0)
	case answerThrottled:
		m.giveBack(&n, i, p, true)
		add(n, "is answered 429", 0)
	case answerRefused:
		if !p.stale || m.refuseByKey {
			as := n
			as.row.doubt = p.doubt // what the sender knows
			if to, ok := m.move(&as, setupintent.MoveRefuse, m.key(&n, p), 0, ""); ok {
				write(&n, i, to)
				add(n, "is refused, clears the claim", 0)
				return
			}
		}
		m.spend(&n, i, p)
		add(n, "is refused, spends the key", 0)
	case answerCanceled:
		if to, ok := m.move(&n, setupintent.MoveFinish, 0, c.intent, ""); ok && !p.stale {
			write(&n, i, to)
		}
		add(n, "is told canceled, finishes", 0)
	case answerSucceeded:
		id := setupintent.MoveActivate
		if w.row.status != setupintent.Pending {
			id = setupintent.MoveKeep
		}
		if id == setupintent.MoveActivate {
			m.activate(&n, i, c.intent)
		} else if to, ok := m.move(&n, id, 0, c.intent, ""); ok && !p.stale {
			if m.forgetReported {
				to.phase, to.intent, to.key = setupintent.None, 0, 0
			}
			write(&n, i, to)
		}
		add(n, "is told succeeded", 0)
	}
}

// activate runs the effect, and flips the row in the same step or in the next.
func (m *model) activate(n *world, i int, intent uint8) {
	to, ok := m.move(n, setupintent.MoveActivate, 0, intent, "")
	if !ok {
		return
	}
	n.effect = true
	if m.effectBefore && i >= 0 {
		n.p[i] = proc{at: flipping, found: intent}
		return
	}
	write(n, i, to)
}

func (m *model) spend(n *world, i int, p proc) {
	if to, ok := m.move(n, setupintent.MoveSpend, m.key(n, p), 0, ""); ok {
		write(n, i, to)
	}
}

func (m *model) record(n *world, i int, p proc) {
	r := n.row
	switch {
	case m.noRecordGuard:
		if r.status != setupintent.Pending {
			n.bad = "I4 a row that is not pending was written"
		}
		r.phase, r.intent = setupintent.Attached, p.found
		write(n, i, r)
	case m.noClaim:
		if r.status != setupintent.Pending || r.intent != 0 && r.intent != p.found {
			return
		}
		r.touched, r.due, r.phase, r.intent, r.key, r.last, r.attempts = true, true, setupintent.Attached, p.found, p.key, 2, 1
		write(n, i, r)
	default:
		to, ok := m.move(n, setupintent.MoveRecord, m.key(n, p), p.found, "")
		if !ok {
			return
		}
		if to != r {
			write(n, i, to)
		}
	}
	if n.row.phase == setupintent.Attached {
		n.secret[p.found] = true
	}
}

// bury leaves a call on its way whose sender does not wait for it any more.
func bury(n *world, c call) bool {
	if c.kind == 0 || c.done {
		return true
	}
	for i := range n.late {
		if n.late[i].kind == 0 {
			n.late[i] = c
			return true
		}
	}
	return false
}

// how a create is executed.
const (
	well        = iota
	failEmpty   // a 5xx, nothing made, stored under the key
	failMade    // a 5xx, made all the same, stored under the key
	failOutside // a 5xx in front of it all, nothing stored
	refuse
	throttle
)

// execute is the provider at work; false if it can't do that, or the model has
// no room for it.
func execute(n *world, c *call, how int) bool {
	c.done = true
	if c.kind == cancel {
		switch n.si[c.intent] {
		case setupintent.Succeeded:
			c.answer = answerSucceeded
		default:
			n.si[c.intent], c.answer = setupintent.Canceled, answerCanceled
		}
		return how == well
	}
	if how == failOutside {
		c.answer = answerFailed
		return true
	}
	if how == throttle {
		c.answer = answerThrottled
		return true
	}
	if kept := n.keyRes[c.key]; kept != 0 && !n.pruned[c.key] && !c.noKey {
		c.intent, c.answer = kept, answerIntent
		if kept == 9 {
			c.intent, c.answer = 0, answerReplayed
		}
		return how == well
	}
	if how == refuse {
		c.answer = answerRefused
		return true
	}
	n.pruned[c.key] = false
	if how == failEmpty {
		n.keyRes[c.key], c.answer = 9, answerFailed
		return true
	}
	free := slices.Index(n.si[1:], "") + 1
	if free == 0 {
		return false
	}
	n.si[free], n.siKey[free] = setupintent.RequiresPaymentMethod, c.key
	n.keyRes[c.key], c.intent, c.answer = uint8(free), uint8(free), answerIntent
	if how == failMade {
		n.keyRes[c.key], c.intent, c.answer = 9, 0, answerFailed
	}
	return true
}

// environment adds what everybody else may do.
func (m *model) environment(w world) {
	add := func(n world, who, what string, k uint8) { m.out = append(m.out, edge{n, who, what, k}) }

	for i := range w.p {
		if c := w.p[i].call; c.kind != 0 && !c.done {
			for how, what := range []string{"executes the call", "answers 500, made nothing, stores the 500", "answers 500, but made it, stores the 500", "answers 500 at the door", "refuses the call", "answers 429"} {
				n := w
				switch how {
				case failEmpty, failMade, failOutside:
					if w.budget.fail5 == 0 || c.kind != create {
						continue
					}
					n.budget.fail5--
				case refuse:
					if w.budget.refuse == 0 || c.kind != create {
						continue
					}
					n.budget.refuse--
				case throttle:
					if w.budget.throttle == 0 || c.kind != create {
						continue
					}
					n.budget.throttle--
				}
				if execute(&n, &n.p[i].call, how) {
					add(n, "Stripe, to "+m.name(i), what, 0)
				}
			}
		}
	}
	for i, c := range w.late {
		if c.kind == 0 {
			continue
		}
		n := w
		n.late[i] = call{}
		add(n, "net", "drops a late call", 0)
		if execute(&n, &c, well) {
			add(n, "Stripe", "executes a LATE call of a dead sender", 0)
		}
	}

	if r := w.row; r.key != 0 && r.last == 0 {
		n := w
		n.row.last = 1
		for i := range n.p {
			if n.p[i].at == sending && n.p[i].stamp && !m.noNotAfter {
				n.p[i] = proc{} // later than NotAfter: it does not send any more
			}
		}
		add(n, "clock", "lease over", 0)
	}
	if r := w.row; r.key != 0 && r.last == 1 && !onItsWay(&w, func(c call) bool { return c.stamped }) {
		n := w
		n.row.last = 2
		add(n, "clock", "max flight over since the stamp", 0)
	}
	if r := w.row; w.budget.age > 0 && r.key != 0 && !r.old {
		n := w
		n.budget.age--
		n.row.old = true
		add(n, "clock", "key is 20 h old", 0)
	}
	if k := w.row.key; k != 0 && w.row.old && w.keyRes[k] != 0 && !w.pruned[k] &&
		!onItsWay(&w, func(c call) bool { return c.key == k }) &&
		!slices.ContainsFunc(w.p[:], func(p proc) bool { return p.at == sending && p.key == k }) {
		n := w
		n.pruned[k] = true
		add(n, "Stripe", "prunes, after 24 h, key", k)
	}
	if w.budget.deadline > 0 && !w.row.over {
		n := w
		n.budget.deadline--
		n.row.over = true
		add(n, "clock", "deadline over", 0)
	}

	for i := uint8(1); i <= maxIntents; i++ {
		if w.si[i] == setupintent.RequiresPaymentMethod && w.secret[i] {
			n := w
			n.si[i], n.news[i] = setupintent.Succeeded, true
			add(n, "browser", "saves the card with intent", i)
		}
		if w.si[i] == setupintent.RequiresPaymentMethod && w.budget.dashboard > 0 {
			n := w
			n.budget.dashboard--
			n.si[i] = setupintent.Canceled
			add(n, "dashboard", "cancels intent", i)
		}
		if w.news[i] && !(m.webhookByID && w.row.intent == 0) {
			n := w
			n.news[i] = false
			m.activate(&n, -1, i)
			add(n, "webhook", "succeeded: activates by intent", i)
		}
		if w.row.status == setupintent.Pending && w.row.intent == 0 && w.siKey[i] == w.row.key {
			n := w
			if to, ok := m.move(&n, setupintent.MoveRecord, w.row.key, i, ""); ok && w.si[i] != "" && w.si[i] != setupintent.Succeeded {
				write(&n, -1, to)
				add(n, "webhook", "created: records intent", i)
			}
		}
	}

	r := w.row
	if w.budget.cancel > 0 && r.status == setupintent.Pending {
		n := w
		n.budget.cancel--
		n.told = true
		id := setupintent.MoveClose
		if r.phase == setupintent.Closing {
			id = setupintent.MoveRetarget
		}
		to, ok := m.move(&w, id, 0, 0, setupintent.Cancelled)
		if ok && !(m.noRetarget && id == setupintent.MoveRetarget) {
			write(&n, -1, to)
		}
		add(n, "application", "cancels the row", 0)
	}
	if w.budget.suspend > 0 && r.status == setupintent.Pending {
		n := w
		n.budget.suspend--
		r := r
		r.status = suspended
		write(&n, -1, r)
		add(n, "application", "writes a status of its own", 0)
	}
	if w.budget.resume > 0 && r.status == suspended {
		n := w
		n.budget.resume--
		r := r
		r.status = setupintent.Pending
		n.row = mrow{status: suspended} // the application may do what we may not
		n.row = r
		for i := range n.p {
			n.p[i].stale = n.p[i].at != idle
		}
		add(n, "application", "writes pending again", 0)
	}
	if w.budget.wipe > 0 && r.status == setupintent.Abandoned {
		n := w
		n.budget.wipe--
		n.row = mrow{status: setupintent.Pending, phase: setupintent.None, due: true}
		for i := range n.p {
			n.p[i].stale = n.p[i].at != idle
		}
		add(n, "application", "writes pending again and erases the progress", 0)
	}
}

func onItsWay(w *world, which func(call) bool) bool {
	for _, p := range w.p {
		if p.call.kind == create && !p.call.done && which(p.call) {
			return true
		}
	}
	for _, c := range w.late {
		if c.kind == create && which(c) {
			return true
		}
	}
	return false
}

// check looks for a broken invariant.
func check(w *world) {
	live, saved := 0, false
	for _, s := range w.si {
		switch s {
		case setupintent.RequiresPaymentMethod:
			live++
		case setupintent.Succeeded:
			saved = true
		}
	}
	switch {
	case w.bad != "":
	case live > 1:
		w.bad = "I1 two live intents"
	case w.row.status == setupintent.Active && w.si[w.row.intent] != setupintent.Succeeded:
		w.bad = "I2 active, and its intent has not succeeded"
	case w.row.status == setupintent.Active && !w.effect:
		w.bad = "active, and the application's effect never ran"
	case (w.row.status == setupintent.Abandoned || w.row.status == setupintent.Cancelled) && saved:
		w.bad = "I3 ended as " + string(w.row.status) + ", and its card was saved"
	}
}

// end lets every process die, and one sweeper without faults run past every due
// time. It returns what is wrong then. Late calls land first, or as late as
// they can.
func (m *model) end(w world, landFirst bool) string {
	m.last = []string{"-- every process dies; then one sweeper, without faults:"}
	var air []call
	for i := range w.p {
		if c := w.p[i].call; c.kind != 0 && !c.done {
			air = append(air, c)
		}
		w.p[i] = proc{}
	}
	for i, c := range w.late {
		if c.kind != 0 {
			air = append(air, c)
		}
		w.late[i] = call{}
	}
	w.budget = budget{}
	land := func(which func(call) bool) {
		for i := range air {
			if which(air[i]) && !air[i].done {
				m.last = append(m.last, "Stripe: executes a LATE call of a dead sender")
				execute(&w, &air[i], well)
			}
		}
	}
	all := func(call) bool { return true }
	if landFirst {
		land(all)
	}
	w.row.over = true
	for range 60 {
		if check(&w); w.bad != "" {
			return w.bad
		}
		m.out = m.out[:0]
		if p := &w.p[sweeper]; p.call.kind != 0 && !p.call.done {
			if !execute(&w, &p.call, well) {
				return "" // the model has no room
			}
			m.last = append(m.last, "Stripe: executes the call of S")
			continue
		}
		m.proceed(w, sweeper)
		if len(m.out) > 0 {
			m.last = append(m.last, m.out[0].String())
			w = m.out[0].to
			continue
		}
		switch w.row.last {
		case 0:
			w.row.last = 1
			continue
		case 1:
			land(func(c call) bool { return c.stamped })
			w.row.last = 2
			continue
		}
		break
	}
	land(all)
	check(&w)
	saved := slices.Contains(w.si[:], setupintent.Succeeded)
	switch {
	case w.bad != "":
		return w.bad
	case slices.Contains(w.si[:], setupintent.RequiresPaymentMethod):
		return "I5 a live intent is left after the sweep"
	case w.row.status == setupintent.Pending:
		return "I5 the row is pending for ever"
	case saved && w.row.status != setupintent.Active && w.row.status != suspended:
		return "I5 the card was saved, and the row is " + string(w.row.status)
	case w.effect && w.row.status != setupintent.Active && w.row.status != suspended:
		return "the application's effect ran, and the row is " + string(w.row.status)
	case w.told && w.row.status == setupintent.Abandoned:
		return "the application's cancellation ended as abandoned"
	}
	return ""
}

// explore walks through every world from the first, and returns the shortest
// way to a broken promise, if there is one.
func (m *model) explore(first world) (worlds, edges int, broken string, trace []string) {
	m.rules = setupintent.NewRules()
	m.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.tries, m.steps, m.ends = map[try]mrow{}, map[mrow]setupintent.Step{}, map[world]string{}

	type arrival struct {
		from    int32
		by      edge
		swapped bool // the twins changed places
	}
	seen := map[world]int32{first: 0}
	queue := []world{first}
	came := []arrival{{from: -1}}
	way := func(i int32) []string {
		var steps []arrival
		for ; i > 0; i = came[i].from {
			steps = append(steps, came[i])
		}
		slices.Reverse(steps)
		var way []string
		swapped := false
		for _, a := range steps {
			if swapped {
				one, other := m.name(m.twins()[0]), m.name(m.twins()[1])
				a.by.who = strings.NewReplacer(one, other, other, one).Replace(a.by.who)
			}
			way = append(way, a.by.String())
			swapped = swapped != a.swapped
		}
		return way
	}
	for q := 0; q < len(queue); q++ {
		w := queue[q]
		if w.bad != "" {
			return len(queue), edges, w.bad, way(int32(q))
		}
		if bad := m.calm(w); bad != "" {
			return len(queue), edges, bad, append(way(int32(q)), m.last...)
		}
		m.out = m.out[:0]
		for i := range w.p {
			m.proceed(w, i)
		}
		m.environment(w)
		for _, e := range m.out {
			edges++
			swapped := m.canonical(&e.to)
			check(&e.to)
			if _, ok := seen[e.to]; !ok {
				seen[e.to] = int32(len(queue))
				queue = append(queue, e.to)
				e.to = world{}
				came = append(came, arrival{int32(q), e, swapped})
			}
		}
	}
	return len(queue), edges, "", nil
}

// calm is end, both ways, remembered by all that it depends on.
func (m *model) calm(w world) string {
	out := m.out
	defer func() { m.out = out }()
	key := w
	key.budget, key.nextKey = budget{}, 0
	for i := range key.p {
		key.p[i] = proc{call: key.p[i].call}
		if key.p[i].call.done {
			key.p[i].call = call{}
		}
	}
	key.news, key.secret = [maxIntents + 1]bool{}, [maxIntents + 1]bool{}
	bad, known := m.ends[key]
	if !known {
		m.out = nil
		if bad = m.end(key, true); bad == "" {
			bad = m.end(key, false)
		}
		m.ends[key] = bad
	}
	return bad
}

// twins are the two procs that do the same.
func (c cast) twins() [2]int {
	if c.twoSweepers {
		return [2]int{1, 2}
	}
	return [2]int{0, 1}
}

// canonical orders what has no order, and reports whether the twins have changed
// places by it.
func (m *model) canonical(w *world) (swapped bool) {
	a, b := &w.p[m.twins()[0]], &w.p[m.twins()[1]]
	if b.less(*a) {
		*a, *b = *b, *a
		swapped = true
	}
	if w.late[1].number() > w.late[0].number() {
		w.late[0], w.late[1] = w.late[1], w.late[0]
	}
	return swapped
}

func (p proc) less(q proc) bool {
	number := func(p proc) int {
		n := int(p.at)*8 + int(p.key)
		n = n*8 + int(p.gen)
		n = n*8 + int(p.found)
		for _, b := range []bool{p.fresh, p.stamp, p.stale, p.doubt} {
			n *= 2
			if b {
				n++
			}
		}
		return n*4096 + p.call.number()
	}
	return number(p) < number(q)
}

func (c call) number() int {
	n := ((int(c.kind)*8+int(c.key))*8+int(c.intent))*8 + int(c.answer)
	if c.done {
		n += 1 << 10
	}
	if c.stamped {
		n += 1 << 11
	}
	return n // noKey is the same of all
}

func start(b budget) world {
	return world{row: mrow{status: setupintent.Pending, phase: setupintent.None, due: true}, nextKey: 1, budget: b}
}

// features are small worlds, each with what one part of the protocol is for.
var features = []struct {
	name   string
	budget budget
	cast   cast
}{
	{"base", budget{crash: 1, loss: 1, fail5: 1, deadline: 1}, cast{}},
	{"cancel", budget{crash: 1, loss: 1, cancel: 2, deadline: 1}, cast{}},
	{"key age", budget{crash: 1, loss: 1, age: 1, deadline: 1}, cast{}},
	{"refusal", budget{crash: 1, loss: 1, refuse: 1, deadline: 1}, cast{}},
	{"throttled", budget{crash: 1, refuse: 1, throttle: 2, cancel: 1, deadline: 1}, cast{}},
	{"foreign status", budget{crash: 1, suspend: 1, resume: 1, deadline: 1}, cast{}},
	{"re-arm", budget{crash: 1, dashboard: 1, deadline: 1}, cast{}},
	{"erased progress", budget{crash: 1, wipe: 1, deadline: 1}, cast{}},
	{"two sweepers", budget{crash: 1, loss: 1, fail5: 1, cancel: 1, deadline: 1}, cast{twoSweepers: true}},
	{"effect before the flip", budget{crash: 1, loss: 1, cancel: 1, deadline: 1}, cast{effectBefore: true}},
}

func TestModel(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var all findings
	var states, transitions atomic.Int64
	t.Cleanup(func() {
		found(t, layerModel, fmt.Sprintf("%s states, %s transitions, %d features, 0 violations, %v",
			thousands(int(states.Load())), thousands(int(transitions.Load())), len(features), time.Since(began).Round(time.Second/10)), all.all()...)
	})
	for i, f := range features {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			worlds, edges, broken, trace := (&model{cast: f.cast}).explore(start(f.budget))
			if broken != "" {
				broke(t, layerModel, fmt.Sprintf("%s, after %d steps (%s):", broken, steps(trace), f.name), folded(trace)...)
			}
			states.Add(int64(worlds))
			transitions.Add(int64(edges))
			all.add(i, fmt.Sprintf("%12s states %12s transitions  %s", thousands(worlds), thousands(edges), f.name))
		})
	}
}

// ablations take the rules of the protocol away, one by one.
var ablations = []struct {
	name    string
	without ablation
	budget  budget
	braces  bool // belt and braces, or an economy: nothing breaks without it
}{
	{"no durable claim", ablation{noClaim: true}, budget{crash: 1, deadline: 1}, false},
	{"no idempotency key", ablation{noKey: true}, budget{crash: 1, loss: 1, deadline: 1}, false},
	{"new key on takeover", ablation{newKeyOnTakeOver: true}, budget{crash: 1, loss: 1, deadline: 1}, false},
	{"key age ignored", ablation{noKeyAge: true}, budget{crash: 1, age: 1, deadline: 1}, false},
	{"no stamp before a takeover's send", ablation{noTakeOverStamp: true}, budget{crash: 1, loss: 1, age: 1, deadline: 1}, false},
	{"no stamp before a replay", ablation{noStamp: true}, budget{crash: 1, age: 1, deadline: 1}, false},
	{"sent however late", ablation{noNotAfter: true}, budget{crash: 1, age: 1, deadline: 1}, false},
	{"refusal clears the claim by key, not by version", ablation{refuseByKey: true}, budget{refuse: 1, deadline: 1}, false},
	{"one answer that nothing was created speaks for every send", ablation{noDoubt: true}, budget{crash: 1, throttle: 1, cancel: 1, deadline: 1}, false},
	{"guard by generation number, not by key", ablation{byGeneration: true}, budget{crash: 1, loss: 1, wipe: 1, deadline: 1}, false},
	{"no record guard", ablation{noRecordGuard: true}, budget{crash: 1, deadline: 1}, false},
	{"abandon before cancel", ablation{abandonFirst: true}, budget{deadline: 1}, false},
	{"list instead of replay", ablation{listNotReplay: true}, budget{crash: 1, deadline: 1}, false},
	{"list without waiting for max flight", ablation{listAtOnce: true}, budget{crash: 1, age: 1, deadline: 1}, false},
	{"cancel does not retarget a close", ablation{noRetarget: true}, budget{cancel: 1, deadline: 1}, false},
	{"rows taken out of pending are left alone", ablation{noClean: true}, budget{suspend: 1, deadline: 1}, false},
	{"reported row forgets its intent", ablation{forgetReported: true}, budget{suspend: 1, resume: 1, deadline: 1}, false},
	{"take over before the lease is over", ablation{noLease: true}, budget{crash: 1, loss: 1, fail5: 1, deadline: 1}, true},
	{"give back whoever has written since", ablation{giveBackAnyway: true}, budget{crash: 1, loss: 1, throttle: 1, deadline: 1}, true},
	{"a webhook waits until the intent is recorded", ablation{webhookByID: true}, budget{crash: 1, loss: 1, fail5: 1, deadline: 1}, true},
}

// TestAblations takes each rule away in turn: it must be missed. The shortest
// trace to the damage is printed; "make model" shows them all.
func TestAblations(t *testing.T) {
	t.Parallel()
	var all findings
	missed := 0
	for _, a := range ablations {
		if !a.braces {
			missed++
		}
	}
	t.Cleanup(func() {
		found(t, layerAblations, fmt.Sprintf("%d rules taken out, each is missed; %d more are belt and braces", missed, len(ablations)-missed), all.all()...)
	})
	for i, a := range ablations {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			worlds, _, broken, trace := (&model{ablation: a.without}).explore(start(a.budget))
			if _, _, whole, _ := new(model).explore(start(a.budget)); whole != "" {
				broke(t, layerAblations, a.name+": the whole protocol breaks in this world already")
			}
			switch {
			case a.braces && broken == "":
				all.add(i, fmt.Sprintf("  %s: belt and braces, nothing breaks in %s states", a.name, thousands(worlds)))
				return
			case a.braces:
				broke(t, layerAblations, a.name+": it is no belt and braces: "+broken, folded(trace)...)
			case broken == "":
				broke(t, layerAblations, fmt.Sprintf("%s: nothing breaks without the rule in %s states: is it needed?", a.name, thousands(worlds)))
			}
			all.add(i, append([]string{fmt.Sprintf("  %s: %s, after %d steps:", a.name, broken, steps(trace))}, folded(trace)...)...)
		})
	}
}

// steps is how many there are to the damage, or to the calm that shows it.
func steps(trace []string) int {
	if i := slices.IndexFunc(trace, func(s string) bool { return strings.HasPrefix(s, "--") }); i >= 0 {
		return i
	}
	return len(trace)
}
