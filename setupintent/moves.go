package setupintent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// The times of the protocol; docs/design.md says why each is what it is.
const (
	callTimeout  = 10 * time.Second            // of one call to the provider
	lease        = callTimeout + 5*time.Second // a sender has the row to itself: an economy, not a safety device
	maxFlight    = 10 * time.Minute            // after which no request is still on its way
	keyLife      = 20 * time.Hour              // providers keep a key for 24 h
	listMargin   = 10 * time.Minute            // clocks differ by less
	unknownDelay = 24 * time.Hour              // the provider does not know our intent
	suspectCount = 3                           // ErrKeySuspect answers that spend a key,
	suspectSpan  = time.Minute                 // the last at least so long after the first
)

// rules are the moves, and the options that they depend on.
type rules struct {
	moves       []move // by moveID
	namespace   string
	live        bool
	metadataKey string
	ttl         time.Duration
	maxAttempts int
	maxDeclines int
	recheck     []time.Duration
}

// facts are what a move goes by, besides the row.
type facts struct {
	now     time.Time
	key     string          // the key that the mover works for; of a claim, the new one
	request json.RawMessage // of a claim
	intent  Intent          // as the provider answered
	target  Status          // of a close

	customer string // id: as the provider answered
	suspect  bool   // the provider failed, and does not mark stored answers
	void     bool   // the send created nothing
	doubt    bool   // the send was not the first of its key, or may not have been
	sender   uint32 // random: of a stamp
	listed   bool   // a list was looked through, and does not show it
}

// draft is a row that a move writes into.
type draft struct {
	progress
	*rules
	status    Status
	due       time.Time
	untouched bool // the progress is zero, and stays so
}

// whose says which rows a move may be made on, by their status.
type whose int

const (
	ours    whose = iota // pending
	anybody              // pending, or taken out of pending by the application
	theirs               // taken out of pending by the application
)

// move is one conditional write: it is made on the row as loaded, and holds if
// the row still has that status and that version. It has no side effect.
type move struct {
	name string
	rows whose
	from []Phase
	make func(d *draft, f facts) bool // false: the guard does not hold
}

// moveID indexes the table of moves.
type moveID int

// The moves, by the numbers of docs/protocol.md.
const (
	moveExpire   moveID = iota // T0
	moveClaim                  // T1
	moveTakeOver               // T2
	moveRefuse                 // T2r
	moveSpend                  // T2s and T4'
	moveRecord                 // T3
	moveGiveBack               // T4
	moveSuspect                // T4'
	moveAdopt                  // T5
	moveNext                   // T6
	moveRearm                  // T7
	moveClose                  // T8
	moveRetarget               // T8'
	moveReplay                 // T9
	moveNever                  // T9
	moveFinish                 // T10
	moveActivate               // T11
	moveClean                  // T12
	moveKeep                   // T12'
	moveLeave                  // T12, untouched
	moveRestore                // T13
	moveImport
	moveDecline
	moveRecheck
	moveBackOff
	moveUnknown
	moveTurn
	moveCustomer
	moveCustomerAgain
	moveCustomerFree
	moveCustomerSpend
	moveCustomerSeen
	moveCustomerNone
)

// moves is the protocol. A rule that looks superfluous has a counterexample in
// model_test.go that says what breaks without it.
var moves = [...]move{
	moveExpire: {"expire", ours, []Phase{None}, func(d *draft, f facts) bool {
		if !d.untouched || !d.deadlineOver(f.now) {
			return false
		}
		d.status, d.due = Abandoned, time.Time{}
		return true
	}},

	// The key and the request are written before they are sent, so that
	// whoever finds the row later can send the same.
	moveClaim: {"claim", ours, []Phase{None}, func(d *draft, f facts) bool {
		if d.deadlineOver(f.now) || d.Attempts >= d.maxAttempts {
			return false
		}
		d.begin(f.now)
		d.Phase = Claimed
		d.Attempts++
		d.Backoff = 0
		d.Intent = effect{Key: f.key, Request: f.request, Sent: f.now, Last: f.now}
		if f.customer != "" {
			d.Customer = &effect{ID: f.customer}
		}
		d.due = f.now.Add(lease)
		return true
	}},

	// The same key and the same request: whichever of the two sends takes
	// effect first, the other gets the same intent.
	moveTakeOver: {"take over", ours, []Phase{Claimed}, func(d *draft, f facts) bool {
		if d.Intent.leased(f.now) || !d.Intent.usable(f.now) {
			return false
		}
		d.stamp(f)
		return true
	}},

	// Only on the row as the refused send left it, for whoever has taken over since
	// may create the intent; and only if no earlier send is in doubt. Then nobody
	// else can have created one with the key.
	moveRefuse: {"refuse", ours, []Phase{Claimed}, func(d *draft, f facts) bool {
		if d.Intent.Key != f.key || f.doubt {
			return false
		}
		d.none()
		return true
	}},

	moveSpend: {"spend", anybody, []Phase{Claimed, Closing}, func(d *draft, f facts) bool {
		if d.Intent.Key != f.key || d.Intent.Spent {
			return false
		}
		d.Intent.Spent = true
		d.due = d.Intent.Last.Add(maxFlight)
		return true
	}},

	// Guarded by the key, not by the lease: two senders of one key hold the
	// same intent, and either may record it.
	moveRecord: {"record", anybody, []Phase{Claimed, Attached, Closing}, func(d *draft, f facts) bool {
		if d.Intent.Key != f.key || f.intent.ID == "" || d.Intent.ID != "" && d.Intent.ID != f.intent.ID {
			return false
		}
		d.learn(f)
		return true
	}},

	moveGiveBack: {"give back", ours, []Phase{Claimed}, func(d *draft, f facts) bool {
		if d.Intent.Key != f.key {
			return false
		}
		d.Intent.Free, d.Intent.Void = true, f.void
		d.due = d.notAfterDeadline(f.now.Add(grow(2*time.Second, d.Backoff, time.Minute)))
		d.Backoff++
		return true
	}},

	moveSuspect: {"suspect", anybody, []Phase{Claimed, Closing}, func(d *draft, f facts) bool {
		if d.Intent.Key != f.key || d.Intent.Spent {
			return false
		}
		if d.Intent.suspect(f.now); d.Intent.Spent {
			d.due = d.Intent.Last.Add(maxFlight)
			return true
		}
		d.Intent.Free = true
		d.due = f.now.Add(grow(2*time.Second, d.Backoff, time.Minute))
		d.Backoff++
		return true
	}},

	moveAdopt: {"adopt", anybody, []Phase{Claimed, Closing}, func(d *draft, f facts) bool {
		if !d.Intent.settled(f.now) || f.intent.ID == "" {
			return false
		}
		d.learn(f)
		return true
	}},

	moveNext: {"next", ours, []Phase{Claimed}, func(d *draft, f facts) bool {
		if !d.Intent.settled(f.now) {
			return false
		}
		d.none()
		return true
	}},

	moveRearm: {"re-arm", ours, []Phase{Attached}, func(d *draft, f facts) bool {
		if f.intent.ID != d.Intent.ID || f.intent.Status != Canceled {
			return false
		}
		d.none()
		return true
	}},

	moveClose: {"close", ours, []Phase{None, Claimed, Attached}, func(d *draft, f facts) bool {
		switch f.target {
		case Cancelled:
		case Abandoned:
			if !d.deadlineOver(f.now) && len(d.Failed) < d.maxDeclines {
				return false
			}
		default:
			return false
		}
		if d.Phase == None || d.Phase == Claimed && d.Intent.unused() {
			d.end(f.target)
			return true
		}
		d.close(f.target, f.now)
		return true
	}},

	moveRetarget: {"retarget", ours, []Phase{Closing}, func(d *draft, f facts) bool {
		if f.target != Cancelled || d.Target == Cancelled {
			return false
		}
		d.Target = Cancelled
		return true
	}},

	// Sending the create again is the one way to learn the intent that leaves
	// nothing for a late copy of it to do: the key is used up by it. It is
	// stamped first, so that whoever lists later waits for this send, too.
	moveReplay: {"replay", anybody, []Phase{Attached, Closing}, func(d *draft, f facts) bool {
		if d.Phase == Closing && (d.Intent.ID != "" || d.Intent.leased(f.now)) || !d.Intent.usable(f.now) {
			return false
		}
		d.stamp(f)
		return true
	}},

	moveNever: {"never made", anybody, []Phase{Closing}, func(d *draft, f facts) bool {
		if d.Intent.ID != "" || !d.Intent.settled(f.now) {
			return false
		}
		d.finish()
		return true
	}},

	moveFinish: {"finish", anybody, []Phase{Closing}, func(d *draft, f facts) bool {
		if d.Intent.ID == "" || f.intent.ID != d.Intent.ID || f.intent.Status != Canceled {
			return false
		}
		d.finish()
		return true
	}},

	moveActivate: {"activate", ours, []Phase{Claimed, Attached, Closing}, func(d *draft, f facts) bool {
		if f.intent.Status != Succeeded || !d.isOurs(f.intent) {
			return false
		}
		d.status, d.Phase, d.Target, d.Backoff, d.due = Active, Done, "", 0, time.Time{}
		d.Intent = effect{ID: f.intent.ID}
		d.Method = f.intent.PaymentMethod
		if f.intent.Customer != "" {
			d.Customer = &effect{ID: f.intent.Customer}
		}
		return true
	}},

	moveClean: {"clean", theirs, []Phase{Claimed, Attached, Closing}, func(d *draft, f facts) bool {
		if d.due.IsZero() || d.Phase == Closing && d.Target == "" {
			return false
		}
		if d.Phase == Closing {
			d.Target = ""
			return true
		}
		d.close("", f.now)
		return true
	}},

	// It keeps the intent: should the application write pending again, the row
	// is activated by it.
	moveKeep: {"keep", theirs, []Phase{Closing}, func(d *draft, f facts) bool {
		if f.intent.ID != d.Intent.ID || f.intent.Status != Succeeded {
			return false
		}
		d.Phase, d.Target, d.Backoff, d.due = Attached, "", 0, time.Time{}
		return true
	}},

	// There is no intent to clean up, and the row is no business of ours: else it
	// would be due for ever. Its deadline is kept, should it come back.
	moveLeave: {"leave", theirs, []Phase{None, Done}, func(d *draft, f facts) bool {
		if !d.isDue(f.now) {
			return false
		}
		d.due = time.Time{}
		return true
	}},

	moveRestore: {"restore", ours, []Phase{Done}, func(d *draft, f facts) bool {
		d.status, d.due = Active, time.Time{}
		return true
	}},

	moveImport: {"import", ours, []Phase{None}, func(d *draft, f facts) bool {
		if f.intent.ID == "" || d.Attempts >= d.maxAttempts {
			return false
		}
		d.begin(f.now)
		d.Attempts++
		d.Phase, d.Intent = Claimed, effect{}
		d.learn(f)
		return true
	}},

	moveDecline: {"decline", ours, []Phase{Attached}, func(d *draft, f facts) bool {
		in := f.intent
		if in.ID != d.Intent.ID || in.ErrorCode == "" || in.LatestAttempt == "" ||
			slices.Contains(d.Failed, in.LatestAttempt) || len(d.Failed) >= d.maxDeclines {
			return false
		}
		d.Failed = append(d.Failed, in.LatestAttempt)
		if d.Intent.atHand(d.due, f.now) {
			d.Backoff++
			d.due = d.recheckAt(f.now)
		}
		return true
	}},

	moveRecheck: {"recheck", ours, []Phase{Attached}, func(d *draft, f facts) bool {
		if !d.Intent.atHand(d.due, f.now) {
			return false
		}
		d.Backoff++
		d.due = d.recheckAt(f.now)
		return true
	}},

	moveBackOff: {"back off", anybody, []Phase{Claimed, Attached, Closing}, func(d *draft, f facts) bool {
		d.due = f.now.Add(grow(30*time.Second, d.Backoff, time.Hour))
		d.Backoff++
		return true
	}},

	moveUnknown: {"unknown", anybody, []Phase{Attached, Closing}, func(d *draft, f facts) bool {
		if d.Intent.ID == "" {
			return false
		}
		d.due = f.now.Add(unknownDelay)
		return true
	}},

	// Of two sweepers that found the row due, one gets it.
	moveTurn: {"turn", anybody, []Phase{Claimed, Attached, Closing}, func(d *draft, f facts) bool {
		if !d.isDue(f.now) {
			return false
		}
		d.due = f.now.Add(d.Intent.turn(f.now))
		return true
	}},

	// The customer, where one is made before the intent, follows the same protocol.
	// It can't be undone, so later rows of the subject carry on with it. Its id is
	// taken down by the claim of the intent.
	moveCustomer: {"customer", ours, []Phase{None}, func(d *draft, f facts) bool {
		if d.customerOf(d.progress) != nil || d.deadlineOver(f.now) || d.Attempts >= d.maxAttempts {
			return false
		}
		d.begin(f.now)
		d.Customer = &effect{Key: f.key, Request: f.request, Sent: f.now, Last: f.now}
		d.due = d.Deadline
		return true
	}},

	moveCustomerAgain: {"customer again", ours, []Phase{None}, func(d *draft, f facts) bool {
		c := d.customer()
		if c == nil || c.leased(f.now) || !c.usable(f.now) || d.deadlineOver(f.now) {
			return false
		}
		c.Last, c.Free = f.now, false
		return true
	}},

	moveCustomerFree: {"customer unknown", ours, []Phase{None}, func(d *draft, f facts) bool {
		c := d.customer()
		if c == nil || c.Key != f.key {
			return false
		}
		c.Free = true
		if f.suspect {
			c.suspect(f.now)
		}
		return true
	}},

	moveCustomerSpend: {"customer spent", ours, []Phase{None}, func(d *draft, f facts) bool {
		c := d.customer()
		if c == nil || c.Key != f.key || c.Spent {
			return false
		}
		c.Spent = true
		return true
	}},

	// The list is long, and was looked through up to here. It is so only once
	// nothing can be added to what was seen.
	moveCustomerSeen: {"customer not yet", ours, []Phase{None}, func(d *draft, f facts) bool {
		c := d.customer()
		if c == nil || c.Key != f.key || !c.settled(f.now) {
			return false
		}
		c.After = f.customer
		return true
	}},

	// Refused on the row as the claimer wrote it; or looked for, and not there.
	moveCustomerNone: {"no customer", ours, []Phase{None}, func(d *draft, f facts) bool {
		c := d.customer()
		if c == nil || c.Key != f.key || f.listed && !c.settled(f.now) {
			return false
		}
		d.Customer = nil
		return true
	}},
}

// begin is the first write for a row, or a later one for another attempt.
func (d *draft) begin(now time.Time) {
	d.Customer = d.customerOf(d.progress)
	if d.Deadline.IsZero() {
		d.Deadline = now.Add(d.ttl)
	}
	d.Namespace, d.Live = d.namespace, d.live
}

// customer returns the customer that is being made, to be changed; nil if none
// is.
func (d *draft) customer() *effect {
	if !d.Customer.underWay() {
		return nil
	}
	c := *d.Customer
	d.Customer = &c
	return &c
}

// try makes the move on r. It returns the row to write, or false if the move's
// guard does not hold.
func (ru *rules) try(id moveID, r Row, f facts) (Row, bool) {
	m := ru.moves[id]
	if r.Progress.newer != nil {
		return Row{}, false
	}
	pending := r.Status == Pending
	if m.rows == ours && !pending || m.rows == theirs && pending {
		return Row{}, false
	}
	d := draft{progress: r.Progress.read(), rules: ru, status: r.Status, due: r.Due, untouched: r.Progress.IsZero()}
	if !slices.Contains(m.from, d.Phase) || !ru.speaks(d.progress) {
		return Row{}, false
	}
	d.Deadline = deadline(r)
	if !m.make(&d, f) {
		return Row{}, false
	}
	next := Row{ID: r.ID, Status: d.status, Version: r.Version + 1, Due: d.due}
	if id != moveExpire {
		p := d.progress
		p.Format, p.Written = formatVersion, next.Version
		next.Progress = Progress{p: &p}
	}
	return next, true
}

// customerOf returns the customer of p. One of another namespace or mode, which the
// row has from its subject's row before it, is none here.
func (ru *rules) customerOf(p progress) *effect {
	if p.Namespace != ru.namespace || p.Live != ru.live {
		return nil
	}
	return p.Customer
}

// speaks reports whether an intent of p is one that this service's provider
// account and mode can know.
func (ru *rules) speaks(p progress) bool {
	return p.Phase == None || p.Phase == Done || p.Namespace == ru.namespace && p.Live == ru.live
}

// sees reports whether r is a row that this service may move.
func (ru *rules) sees(r Row) bool {
	return r.Progress.newer == nil && ru.speaks(r.Progress.read())
}

func (d *draft) isDue(now time.Time) bool { return !d.due.IsZero() && !d.due.After(now) }

func (d *draft) deadlineOver(now time.Time) bool {
	return !d.Deadline.IsZero() && !now.Before(d.Deadline)
}

func (d *draft) notAfterDeadline(t time.Time) time.Time {
	if !d.Deadline.IsZero() && d.Deadline.Before(t) {
		return d.Deadline
	}
	return t
}

func (d *draft) recheckAt(now time.Time) time.Time {
	if len(d.recheck) == 0 {
		return d.Deadline
	}
	step := min(d.Backoff, len(d.recheck)-1)
	return d.notAfterDeadline(now.Add(d.recheck[step]))
}

// stamp is written before every send but that of a claim.
func (d *draft) stamp(f facts) {
	d.Intent.Doubt = d.Intent.Doubt || !d.Intent.Void
	d.Intent.Last, d.Intent.Free, d.Intent.Void, d.Intent.Sender = f.now, false, false, f.sender
	d.due = f.now.Add(lease)
}

// learn takes down which intent is the row's.
func (d *draft) learn(f facts) {
	d.Intent.ID, d.Intent.Free, d.Backoff = f.intent.ID, false, 0
	if d.Phase == Closing {
		d.due = f.now.Add(lease)
		return
	}
	d.Phase = Attached
	d.due = d.recheckAt(f.now)
}

// none is the way back to where an intent can be asked for; what counts against
// the row is kept.
func (d *draft) none() {
	d.Phase, d.Target, d.Backoff, d.Intent = None, "", 0, effect{}
	d.due = d.Deadline
}

// close begins to end the row. Whoever does so goes on at once.
func (d *draft) close(target Status, now time.Time) {
	d.due = now.Add(lease)
	if step, until := d.Intent.wait(now); d.Phase == Claimed && step == wait {
		d.due = until
	}
	d.Phase, d.Target, d.Backoff = Closing, target, 0
}

func (d *draft) end(status Status) {
	d.status, d.Phase, d.Target, d.Backoff = status, None, "", 0
	d.Intent = d.Intent.forget()
	d.due = time.Time{}
}

// finish ends a close whose intent is known to be gone.
func (d *draft) finish() {
	switch {
	case d.status != Pending: // the application's word stays
		d.end(d.status)
	case d.Target == "": // the application has taken the row back
		d.none()
	default:
		d.end(d.Target)
	}
}

// isOurs reports whether the fetched intent is the row's: by its id, or, while
// that is not known, by the hash of the key that made it.
func (d *draft) isOurs(in Intent) bool {
	if d.Intent.ID != "" {
		return in.ID == d.Intent.ID
	}
	return in.ID != "" && d.Intent.Key != "" && in.Metadata[keyHashMetadata] == keyHash(d.Intent.Key)
}

// grow returns base·2ⁿ, at most limit.
func grow(base time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}

// The metadata by which an intent names its maker, next to the row's id.
const (
	namespaceMetadata = "cardonfile_namespace"
	keyHashMetadata   = "cardonfile_key"
)

// keyHash names a key without telling it.
func keyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}
