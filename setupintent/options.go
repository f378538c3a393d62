package setupintent

import (
	"context"
	"log/slog"
	"time"
)

// Options of a Service. The zero Options works; every field says what zero
// means.
type Options struct {
	// Namespace names this environment at this provider account. It is stamped
	// into metadata and frozen in every claim: rows and intents of another
	// namespace are refused. Do not change it while rows are pending. Empty: no
	// namespace.
	Namespace string

	// Live makes the service accept live-mode intents, and no others. False:
	// test mode only.
	Live bool

	// MetadataKey is the metadata key that holds the row's id. It must not be
	// changed while rows are pending: their intents would belong to nobody. Empty:
	// pending_user_id.
	MetadataKey string

	// Request says what to ask the provider for when Begin is not told. It is
	// asked once per attempt, and the answer is frozen in the row. Nil: nothing
	// special.
	Request func(context.Context, Row) (IntentRequest, error)

	// Customer says with what to create a customer at the provider before the
	// row's first intent, which then belongs to it. It is asked once per create,
	// and the answer is frozen. There is at most one customer per subject: a
	// store whose rows have a subject inserts each next one with the
	// Progress.Successor of the last. Nil: none is made; an intent has the
	// customer that Request names, or none until the application attaches the
	// payment method to one.
	Customer  func(context.Context, Row) (CustomerRequest, error)
	Customers CustomerProvider // creates them; required with Customer

	// Guard runs before a claim, once for every Begin that would make or wait for
	// one, at the same time too; its error refuses that Begin, with ErrLimited. It
	// is the place for what must happen before money or reputation is at stake: a
	// rate limit, a challenge. Nil: no guard.
	Guard func(context.Context, Row) error

	// CreateRate is how many rows per second this process may claim, against
	// bots that test cards on many rows; a claim beyond it is refused with
	// ErrLimited, before anything is written. CreateBurst may come at once. 0: no
	// limit; a burst of 0: 20. What Guard refuses is not counted.
	CreateRate  float64
	CreateBurst int

	// TrustNews makes Notify act on a succeeded intent without fetching it, if
	// the news has its metadata and payment method in it; a parser returns the id
	// alone where it has no mode. It saves a call in a burst, and lets whoever
	// knows the webhook secret activate rows. False: every intent is fetched.
	TrustNews bool

	// OnActive runs before the row turns active, outside any transaction, with
	// the intent as fetched, its client secret cut out. It may call the
	// provider, but not the service for this row. It runs at least once, and maybe twice at the same time, until
	// it returns nil: key what it does by Row.ID. While it fails, the row stays
	// pending. Row.Progress.Closing tells whether the row was being ended when
	// the card was saved. Nil: nothing runs. An effect in the row's own
	// transaction is an option of the store.
	OnActive        func(context.Context, Row, Intent) error
	OnActiveTimeout time.Duration // 0: 10s

	// Observe is told of every move, every call and what needs a person, where it
	// happens: it must not block, must not panic, and may be called by several
	// goroutines at once. Nil: nobody.
	Observe func(context.Context, Event)

	// Logger gets the same events: failures at warn, what needs a person at error,
	// the rest at debug. Nil: silent.
	Logger *slog.Logger

	// Now is the clock. It must move on, and adapters must be given the same. Nil:
	// time.Now.
	Now func() time.Time

	TTL         time.Duration // from the first claim, for rows without a deadline; 0: 12h
	Wait        time.Duration // of Begin, for another request that holds the row; 0: 3s; negative: not at all
	MaxAttempts int           // intents per row, one after the other; 0: 3
	MaxDeclines int           // distinct failed confirmations after which a row is closed; 0: 5

	// Recheck holds the delays between looks at an attached row; the last one
	// repeats until the deadline, which is looked at, too. Nil: 2m, 10m, 1h, 3h, 6h.
	// Empty and not nil: at the deadline only.
	Recheck []time.Duration

	// Rate is how many calls per second this process makes to the provider in the
	// background, at most; a sweep makes one after the other. 0: 5. Limiter holds
	// them back besides, over several processes; nil: none.
	Rate    float64
	Limiter Limiter
}
