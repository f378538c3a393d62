package setupintent

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// What the external tests see of the protocol: the moves themselves, so that
// the model can't drift from what the service runs.
type (
	Account = progress
	Effect  = effect
	Rules   = rules
	MoveID  = moveID
	Step    = step
)

const (
	MoveExpire   = moveExpire
	MoveClaim    = moveClaim
	MoveTakeOver = moveTakeOver
	MoveRefuse   = moveRefuse
	MoveSpend    = moveSpend
	MoveRecord   = moveRecord
	MoveGiveBack = moveGiveBack
	MoveSuspect  = moveSuspect
	MoveAdopt    = moveAdopt
	MoveNext     = moveNext
	MoveRearm    = moveRearm
	MoveClose    = moveClose
	MoveRetarget = moveRetarget
	MoveReplay   = moveReplay
	MoveNever    = moveNever
	MoveFinish   = moveFinish
	MoveActivate = moveActivate
	MoveClean    = moveClean
	MoveKeep     = moveKeep
	MoveLeave    = moveLeave
	MoveRestore  = moveRestore
	MoveImport   = moveImport
	MoveDecline  = moveDecline
	MoveRecheck  = moveRecheck
	MoveBackOff  = moveBackOff
	MoveUnknown  = moveUnknown
	MoveTurn     = moveTurn

	MoveCustomer      = moveCustomer
	MoveCustomerAgain = moveCustomerAgain
	MoveCustomerFree  = moveCustomerFree
	MoveCustomerSpend = moveCustomerSpend
	MoveCustomerSeen  = moveCustomerSeen
	MoveCustomerNone  = moveCustomerNone

	MoveCount = len(moves)

	Rest, Wait, End, Send, List, Fetch, CancelIt, Clean, Leave, Restore = rest, wait, end, send, list, fetch, cancel, clean, leave, restore

	Lease, MaxFlight, KeyLife, CallTimeout = lease, maxFlight, keyLife, callTimeout
)

func NewRules() *Rules {
	return &rules{moves: moves[:], metadataKey: "pending_user_id", ttl: 12 * time.Hour, maxAttempts: 3, maxDeclines: 5, recheck: []time.Duration{2 * time.Minute}}
}

func Try(ru *Rules, id MoveID, r Row, now time.Time, key string, in Intent, target Status, void bool) (Row, bool) {
	return ru.try(id, r, facts{now: now, key: key, request: json.RawMessage(`{}`), intent: in, target: target, void: void, doubt: r.Progress.read().Intent.Doubt})
}

func TryCustomer(ru *Rules, id MoveID, r Row, now time.Time, key, customer string) (Row, bool) {
	return ru.try(id, r, facts{now: now, key: key, request: json.RawMessage(`{}`), customer: customer})
}

func Next(ru *Rules, r Row, now time.Time) Step {
	s, _ := ru.next(r, now)
	return s
}

func NewProgress(a Account) Progress { return Progress{p: &a} }

func Read(p Progress) Account { return p.read() }

func KeyHash(key string) string { return keyHash(key) }

func MoveName(id MoveID) string { return moves[id].name }

func MoveFrom(id MoveID) []Phase { return moves[id].from }

// SetSleep replaces the second place where the core may block.
func (s *Service) SetSleep(f func(context.Context, time.Duration) error) { s.sleep = f }

// SetMoves makes s run a protocol with other moves.
func (s *Service) SetMoves(m Moves) { s.rules.moves = m }

// SetMoves makes another protocol of ru.
func (ru *rules) SetMoves(m Moves) { ru.moves = m }

// Moves is a protocol, to be broken one rule at a time.
type Moves []move

// Watched returns the protocol, and writes down in last which move was made
// last.
func Watched(m Moves, last *MoveID) Moves {
	if m == nil {
		m = moves[:]
	}
	watched := append(Moves(nil), m...)
	for id := range watched {
		as := watched[id].make
		watched[id].make = func(d *draft, f facts) bool {
			ok := as(d, f)
			if ok {
				*last = MoveID(id)
			}
			return ok
		}
	}
	return watched
}

// Unlocked reports whether s holds no lock.
func (s *Service) Unlocked() bool {
	free := func(mu *sync.Mutex) bool {
		if !mu.TryLock() {
			return false
		}
		mu.Unlock()
		return true
	}
	return free(&s.mu) && free(&s.pace.mu) && (s.budget == nil || free(&s.budget.mu))
}

// Draft is the row that a move writes into.
type Draft = draft

// Broken returns the protocol with one move made by f instead. F gets the move
// as it was.
func Broken(id MoveID, f func(as func(*Draft, Facts) bool, d *Draft, facts Facts) bool) Moves {
	return Moves(moves[:]).Broken(id, f)
}

// Broken returns m with one more move made by f.
func (m Moves) Broken(id MoveID, f func(as func(*Draft, Facts) bool, d *Draft, facts Facts) bool) Moves {
	broken := slices.Clone(m)
	as := broken[id].make
	broken[id].make = func(d *draft, facts facts) bool { return f(as, d, facts) }
	return broken
}

// Facts are what a move goes by.
type Facts = facts

func (f facts) Now() time.Time      { return f.now }
func (f facts) Key() string         { return f.key }
func (f facts) Intent() Intent      { return f.intent }
func (f facts) Target() Status      { return f.target }
func (f facts) Customer() string    { return f.customer }
func (d *draft) None()              { d.none() }
func (d *draft) EndAs(s Status)     { d.end(s) }
func (d *draft) Finish()            { d.finish() }
func (d *draft) Learn(f Facts)      { d.learn(f) }
func (d *draft) SetDue(t time.Time) { d.due = t }

// DrawKey is how keys are drawn.
func DrawKey() string { return newKey() }
