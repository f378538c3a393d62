package setupintent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// The model of the step before the intent: two handlers make the customer of
// one subject, whose row may end and be followed by another. I6: there is at
// most one customer, for a customer can't be undone. The moves, the successor
// and what to wait for are the core's.

type cworld struct {
	made, ended bool // the row has a customer step; the row has ended
	key         uint8
	id          uint8
	free, spent bool
	last        uint8 // as in mrow
	old         bool
	seen        uint8 // the list was looked through down to this customer; 0: not yet
	claimed     uint8 // the customer of the claimed intent

	nextKey uint8
	count   uint8 // customers at the provider
	keyOf   [4]uint8
	keyRes  [4]uint8 // customer, or 9
	pruned  [4]bool
	h       [2]chandler
	late    [2]uint8 // keys of the calls of dead senders

	crash, loss, fail, refuse, age, next, others uint8
}

type chandler struct {
	at, key, answer, got uint8
	fresh, stale, done   bool
}

const (
	cidle = iota
	csending
	cwaiting
	cclaiming
	cfinding
	cpaging
)

type cablation struct{ noAge, newKey, wipe, refuseByKey, noFlight, pageEarly bool }

type cmodel struct {
	cablation
	rules *setupintent.Rules
	now   time.Time
}

func (m *cmodel) row(w *cworld) setupintent.Row {
	r := setupintent.Row{ID: "row", Status: setupintent.Pending, Due: m.now.Add(48 * time.Hour)}
	if w.ended {
		r.Status, r.Due = setupintent.Abandoned, time.Time{}
	}
	if !w.made {
		return r
	}
	e := &setupintent.Effect{ID: numbered("cus_", w.id), Key: numbered("key_", w.key), Free: w.free, Spent: w.spent}
	e.After = numbered("cus_", w.seen)
	if w.key != 0 {
		e.Last = m.now.Add(-stampAges[w.last])
		e.Sent = e.Last
		if w.old && !m.noAge {
			e.Sent = m.now.Add(-setupintent.KeyLife)
		}
	}
	a := setupintent.Account{Format: 1, Phase: setupintent.None, Deadline: m.now.Add(48 * time.Hour), Customer: e}
	if w.claimed != 0 {
		a.Phase, a.Attempts, a.Intent = setupintent.Claimed, 1, setupintent.Effect{Key: "k", Sent: m.now, Last: m.now}
	}
	r.Progress = setupintent.NewProgress(a)
	return r
}

// move makes the core's move and takes its result into w.
func (m *cmodel) move(w *cworld, who int, id setupintent.MoveID, key uint8, customer uint8) bool {
	next, ok := setupintent.TryCustomer(m.rules, id, m.row(w), m.now, numbered("key_", key), numbered("cus_", customer))
	if !ok {
		return false
	}
	m.read(w, next.Progress)
	if setupintent.Read(next.Progress).Phase == setupintent.Claimed {
		w.claimed = w.id
	}
	m.written(w, who)
	return true
}

func (m *cmodel) read(w *cworld, p setupintent.Progress) {
	c := setupintent.Read(p).Customer
	if c == nil {
		w.made, w.key, w.id, w.free, w.spent, w.last, w.old, w.seen = false, 0, 0, false, false, 0, false, 0
		return
	}
	key := number(c.Key)
	if len(c.Key) > len("key_1") { // a move has drawn one of its own
		key = min(w.key+1, 3)
	}
	if key != w.key {
		w.old = false
	}
	w.made, w.key, w.id, w.free, w.spent, w.seen = true, key, number(c.ID), c.Free, c.Spent, number(c.After)
	w.last = 0
	for i, age := range stampAges {
		if w.key != 0 && m.now.Sub(c.Last) >= age {
			w.last = uint8(i)
		}
	}
}

func (m *cmodel) written(w *cworld, who int) {
	for i := range w.h {
		if i != who && w.h[i].at != cidle {
			w.h[i].stale = true
		}
	}
}

func (m *cmodel) steps(w cworld) []cedge {
	var out []cedge
	add := func(n cworld, what string) { out = append(out, cedge{n, what}) }
	for i, h := range w.h {
		n := w
		who := fmt.Sprintf("H%d: ", i+1)
		switch h.at {
		case cidle:
			if w.ended || w.claimed != 0 {
				break
			}
			step := setupintent.Next(m.rules, m.row(&w), m.now)
			c := setupintent.Read(m.row(&w).Progress).Customer
			switch {
			case step == setupintent.Wait && m.pageEarly && (w.spent || w.old):
				m.page(w, i, add)
			case step == setupintent.Wait && !(m.noFlight && (w.spent || w.old)):
			case c == nil:
				if w.nextKey <= 3 && m.move(&n, i, setupintent.MoveCustomer, w.nextKey, 0) {
					n.h[i] = chandler{at: csending, key: w.nextKey, fresh: true}
					n.nextKey++
					add(n, who+fmt.Sprint("claims the customer with key ", w.nextKey))
				}
			case c.ID != "":
				if m.move(&n, i, setupintent.MoveClaim, 3, w.id) {
					add(n, who+"claims the intent")
				}
			case m.move(&n, i, setupintent.MoveCustomerAgain, 0, 0):
				if m.newKey {
					if w.nextKey > 3 {
						break
					}
					n.key = w.nextKey
					n.nextKey++
				}
				n.h[i] = chandler{at: csending, key: n.key}
				add(n, who+fmt.Sprint("stamps the customer, to send key ", n.key))
			default:
				n.h[i] = chandler{at: cfinding, key: w.key, got: m.find(&w)}
				add(n, who+"looks for the customer")
				m.page(w, i, add)
			}
		case csending:
			n.h[i].at = cwaiting
			add(n, who+fmt.Sprint("sends key ", h.key))
		case cwaiting:
			m.answers(w, i, add)
			if w.loss > 0 {
				n.loss--
				if h.done || buryKey(&n, h.key) {
					n.h[i] = chandler{}
					if !h.stale {
						m.move(&n, i, setupintent.MoveCustomerFree, h.key, 0)
					}
					add(n, who+"answer lost")
				}
			}
		case cclaiming:
			n.h[i] = chandler{}
			if !h.stale {
				m.move(&n, i, setupintent.MoveClaim, 3, h.got)
			}
			add(n, who+fmt.Sprint("claims the intent with customer ", h.got))
		case cfinding:
			n.h[i] = chandler{}
			switch {
			case h.stale:
			case h.got != 0:
				m.move(&n, i, setupintent.MoveClaim, 3, h.got)
			default:
				m.move(&n, i, setupintent.MoveCustomerNone, h.key, 0)
			}
			add(n, who+"acts on what it found")
		}
		if h.at == cpaging {
			n.h[i] = chandler{}
			if !h.stale {
				m.move(&n, i, setupintent.MoveCustomerSeen, h.key, h.got)
			}
			add(n, who+fmt.Sprint("notes that it has seen the customers from ", h.got, " on"))
		}
		if h.at != cidle && w.crash > 0 {
			n := w
			n.crash--
			if h.at != cwaiting || h.done || buryKey(&n, h.key) {
				n.h[i] = chandler{}
				add(n, who+"crashes")
			}
		}
	}
	m.around(w, add)
	return out
}

func buryKey(n *cworld, key uint8) bool {
	for i := range n.late {
		if n.late[i] == 0 {
			n.late[i] = key
			return true
		}
	}
	return false
}

// unseen is the newest customer that was not looked at yet; 0: none is left.
func (m *cmodel) unseen(w *cworld) uint8 {
	if w.seen != 0 {
		return w.seen - 1
	}
	return w.count
}

func (m *cmodel) find(w *cworld) uint8 {
	for c := m.unseen(w); c > 0; c-- {
		if w.keyOf[c] == w.key {
			return c
		}
	}
	return 0
}

// page looks at one more customer of a long list.
func (m *cmodel) page(w cworld, i int, add func(cworld, string)) {
	c := m.unseen(&w)
	if c == 0 {
		return
	}
	n := w
	n.h[i] = chandler{at: cpaging, key: w.key, got: c}
	if w.keyOf[c] == w.key {
		n.h[i].at = cfinding
	}
	add(n, fmt.Sprintf("H%d: looks at customer %d of a long list", i+1, c))
}

// create is the provider; how is 0: well, 1: a stored 5xx, nothing made, 2: a
// stored 5xx, but made, 3: refused.
func (m *cmodel) create(n *cworld, key uint8, how int) (customer uint8, ok bool) {
	if kept := n.keyRes[key]; kept != 0 && !n.pruned[key] {
		return kept, how == 0
	}
	n.pruned[key] = false
	switch how {
	case 1:
		n.keyRes[key] = 9
		return 8, true
	case 3:
		return 7, true
	}
	if n.count == 3 {
		return 0, false
	}
	n.count++
	n.keyOf[n.count] = key
	n.keyRes[key] = n.count
	if how == 2 {
		n.keyRes[key] = 9
		return 8, true
	}
	return n.count, true
}

func (m *cmodel) answers(w cworld, i int, add func(cworld, string)) {
	h := w.h[i]
	who := fmt.Sprintf("H%d: ", i+1)
	if !h.done {
		for how, what := range []string{"executes the call", "500, made nothing, stored", "500, but made it, stored", "refuses"} {
			n := w
			if how == 1 || how == 2 {
				if w.fail == 0 {
					continue
				}
				n.fail--
			}
			if how == 3 {
				if w.refuse == 0 {
					continue
				}
				n.refuse--
			}
			if c, ok := m.create(&n, h.key, how); ok {
				n.h[i].done, n.h[i].answer = true, c
				add(n, "Stripe, to "+who+what)
			}
		}
		return
	}
	n := w
	n.h[i] = chandler{}
	switch h.answer {
	case 9:
		m.move(&n, i, setupintent.MoveCustomerSpend, h.key, 0)
		add(n, who+"is answered a stored 500")
	case 8:
		if !h.stale {
			m.move(&n, i, setupintent.MoveCustomerFree, h.key, 0)
		}
		add(n, who+"is answered 500")
	case 7:
		if h.fresh && !h.stale || m.refuseByKey {
			m.move(&n, i, setupintent.MoveCustomerNone, h.key, 0)
		} else {
			m.move(&n, i, setupintent.MoveCustomerSpend, h.key, 0)
		}
		add(n, who+"is refused")
	default:
		n.h[i] = chandler{at: cclaiming, key: h.key, got: h.answer, stale: h.stale}
		add(n, who+fmt.Sprint("is answered customer ", h.answer))
	}
}

func (m *cmodel) around(w cworld, add func(cworld, string)) {
	for i, key := range w.late {
		if key == 0 {
			continue
		}
		n := w
		n.late[i] = 0
		add(n, "net: drops a late call")
		if _, ok := m.create(&n, key, 0); ok {
			add(n, "Stripe: executes a LATE call")
		}
	}
	onItsWay := w.late != [2]uint8{} || slices.ContainsFunc(w.h[:], func(h chandler) bool { return h.at == cwaiting && !h.done })
	if w.key != 0 && w.last == 0 {
		n := w
		n.last = 1
		for i := range n.h {
			if n.h[i].at == csending {
				n.h[i] = chandler{}
			}
		}
		add(n, "clock: lease over")
	}
	if w.key != 0 && w.last == 1 && !onItsWay {
		n := w
		n.last = 2
		add(n, "clock: max flight over")
	}
	if w.key != 0 && !w.old && w.age > 0 {
		n := w
		n.age--
		n.old = true
		add(n, "clock: key is 20 h old")
	}
	if k := w.key; k != 0 && w.old && w.keyRes[k] != 0 && !w.pruned[k] && !onItsWay &&
		!slices.ContainsFunc(w.h[:], func(h chandler) bool { return h.at == csending && h.key == k }) {
		n := w
		n.pruned[k] = true
		add(n, "Stripe: prunes the key")
	}
	if w.others > 0 && w.count < 3 {
		n := w
		n.others--
		n.count++
		add(n, "Stripe: somebody else makes a customer")
	}
	if !w.ended && w.next > 0 && w.made && w.claimed == 0 {
		n := w
		n.next--
		successor := m.row(&w).Progress.Successor(m.now.Add(48 * time.Hour))
		old := w.old
		if m.wipe {
			successor = setupintent.Progress{}
		}
		m.read(&n, successor)
		n.old = old && n.key == w.key
		m.written(&n, -1)
		add(n, "application: the row ends, and the subject's next one begins")
	}
}

type cedge struct {
	to   cworld
	what string
}

func (m *cmodel) explore(first cworld) (worlds int, trace []string) {
	m.rules, m.now = setupintent.NewRules(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if m.pageEarly {
		m.rules.SetMoves(setupintent.Broken(setupintent.MoveCustomerSeen, func(_ func(*setupintent.Draft, setupintent.Facts) bool, d *setupintent.Draft, f setupintent.Facts) bool {
			if d.Customer == nil || d.Customer.Key != f.Key() {
				return false
			}
			c := *d.Customer
			c.After = f.Customer()
			d.Customer = &c
			return true
		}))
	}
	type arrival struct {
		from    int
		what    string
		swapped bool // the handlers changed places
	}
	seen, queue, came := map[cworld]int{first: 0}, []cworld{first}, []arrival{{}}
	for q := 0; q < len(queue); q++ {
		if queue[q].ours() > 1 {
			var way []arrival
			for i := q; i > 0; i = came[i].from {
				way = append(way, came[i])
			}
			slices.Reverse(way)
			swapped := false
			for _, a := range way {
				if swapped {
					a.what = strings.NewReplacer("H1", "H2", "H2", "H1").Replace(a.what)
				}
				trace = append(trace, a.what)
				swapped = swapped != a.swapped
			}
			return len(queue), trace
		}
		for _, e := range m.steps(queue[q]) {
			swapped := lessHandler(e.to.h[1], e.to.h[0])
			if swapped { // the handlers have no order
				e.to.h[0], e.to.h[1] = e.to.h[1], e.to.h[0]
			}
			if _, ok := seen[e.to]; !ok {
				seen[e.to] = len(queue)
				queue = append(queue, e.to)
				came = append(came, arrival{q, e.what, swapped})
			}
		}
	}
	return len(queue), nil
}

// ours is how many customers the subject has.
func (w cworld) ours() int {
	n := 0
	for _, key := range w.keyOf {
		if key != 0 {
			n++
		}
	}
	return n
}

func lessHandler(a, b chandler) bool {
	number := func(h chandler) int {
		n := int(h.at)<<12 | int(h.key)<<9 | int(h.answer)<<5 | int(h.got)<<3
		for bit, b := range []bool{h.fresh, h.stale, h.done} {
			if b {
				n |= 1 << bit
			}
		}
		return n
	}
	return number(a) < number(b)
}

func TestCustomerModel(t *testing.T) {
	t.Parallel()
	first := cworld{nextKey: 1, crash: 1, loss: 1, fail: 1, refuse: 1, age: 1, next: 1, others: 1}
	worlds, trace := new(cmodel).explore(first)
	if len(trace) > 0 {
		broke(t, layerCustomers, fmt.Sprintf("I6 two customers, after %d steps:", len(trace)), folded(trace)...)
	}

	var all findings
	ablations := []struct {
		name    string
		without cablation
	}{
		{"key age ignored", cablation{noAge: true}},
		{"new key on takeover", cablation{newKey: true}},
		{"progress erased with the row", cablation{wipe: true}},
		{"refusal clears the claim by key", cablation{refuseByKey: true}},
		{"looked for at once", cablation{noFlight: true}},
		{"a long list begun at once", cablation{pageEarly: true}},
	}
	t.Cleanup(func() {
		found(t, layerCustomers, fmt.Sprintf("%s states, 0 violations; %d rules taken out, each is missed", thousands(worlds), len(ablations)), all.all()...)
	})
	for i, a := range ablations {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			worlds, trace := (&cmodel{cablation: a.without}).explore(first)
			if len(trace) == 0 {
				broke(t, layerCustomers, fmt.Sprintf("%s: nothing breaks without the rule in %s states: is it needed?", a.name, thousands(worlds)))
			}
			all.add(i, append([]string{fmt.Sprintf("  %s: I6 two customers, after %d steps:", a.name, len(trace))}, folded(trace)...)...)
		})
	}
}
