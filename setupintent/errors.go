package setupintent

import (
	"errors"
	"fmt"
	"time"
)

// Errors of a Service, for errors.Is. Every method for one row returns an [*Error] that
// wraps one of them, the provider's or the store's own error, or the caller's
// context error.
var (
	// ErrNotFound means that there is no such row, or, from a Provider, no such
	// intent.
	ErrNotFound = errors.New("not found")

	// ErrNotPending means that the row has ended; Error.Status says how.
	ErrNotPending = errors.New("the row is not pending")

	// ErrClosing means that the row is being ended: no intent is handed out for
	// it, and it ends as soon as its intent is canceled.
	ErrClosing = errors.New("the row is being closed")

	// ErrBusy means that another request holds the row and did not finish
	// while this one waited. Try again.
	ErrBusy = errors.New("another request holds the row; try again")

	// ErrUnresolved means that the provider did not answer, or not clearly. The
	// row keeps what is needed to find out. Try again.
	ErrUnresolved = errors.New("the outcome is not known yet; try again")

	// ErrNotSucceeded means that the row can't be activated yet, because its
	// intent has not succeeded.
	ErrNotSucceeded = errors.New("the intent has not succeeded")

	// ErrMismatch means that an intent and a row do not belong together: by id,
	// metadata, namespace, customer or mode.
	ErrMismatch = errors.New("the intent does not belong to the row")

	// ErrFrozen means that the row's intent was asked for with other
	// parameters. They are frozen until the intent is canceled.
	ErrFrozen = errors.New("the row's intent was asked for with other parameters")

	// ErrExhausted means that the row has used up its attempts.
	ErrExhausted = errors.New("the row has no attempts left; open another row")

	// ErrLimited means that Options.Guard or Options.CreateRate refused the claim,
	// before anything was written.
	ErrLimited = errors.New("the claim was refused")

	// ErrHook means that a hook of the application's failed: the effect of an
	// activation, of the service or of the store, Options.Request or
	// Options.Customer. Its own error, which is wrapped too, says nothing about
	// the row, whatever it is. Try again.
	ErrHook = errors.New("a hook of the application failed")

	// ErrUnverified is what a parser of webhooks returns: the signature is missing,
	// wrong or too old. Nothing in the body was believed, and nobody was asked.
	ErrUnverified = errors.New("the news could not be verified")

	// ErrInvalidRequest means that an IntentRequest can't be sent; the text
	// says why. Nothing was written.
	ErrInvalidRequest = errors.New("invalid intent request")
)

// Errors by which a [Provider] says what is known about the effect of a call.
// An adapter wraps them, and the safety of the service rests on them; the
// contract is at [IntentCreator].
var (
	// ErrRefused means that the provider answered every attempt made for this
	// call, and that the answers mean that nothing was created.
	ErrRefused = errors.New("refused by the provider")

	// ErrThrottled means that nothing was created, and that the same request
	// may be sent again later.
	ErrThrottled = errors.New("the provider asks to wait")

	// ErrKeySpent means that the provider will never answer this key with an
	// intent: it stored a failure, or other parameters, under it.
	ErrKeySpent = errors.New("the idempotency key is spent")

	// ErrKeySuspect means that the provider failed (a 5xx) and does not say
	// whether that answer is now stored under the key. The third such answer
	// to one key, at least a minute after the first, spends it. A provider that
	// marks its stored answers, as Stripe does, never needs it.
	ErrKeySuspect = errors.New("the idempotency key may be spent")

	// ErrCredentials means that the provider does not accept our credentials
	// (401, 403). Nothing was created, and it says nothing about the row.
	ErrCredentials = errors.New("the provider does not accept our credentials")
)

// Error is what every method of a Service returns for one row. It never holds
// a client secret.
type Error struct {
	RowID      string
	Status     Status        // of the row as last loaded; empty if it was not
	IntentID   string        // if known
	RetryAfter time.Duration // when to try again; 0: trying again does not help
	Err        error
}

// Error returns the row's id and what e.Err says.
func (e *Error) Error() string { return fmt.Sprintf("setupintent: row %q: %v", e.RowID, e.Err) }

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// cause returns what an error of this package wraps, to be wrapped in another.
func cause(err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // what it wraps may be about another row
		return e.Err
	}
	return err
}

// fail returns err as an *Error about r.
func fail(r Row, err error, retryAfter time.Duration) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // an error of the application's may wrap one about another row
		return e
	}
	return &Error{RowID: r.ID, Status: r.Status, IntentID: r.Progress.IntentID(), RetryAfter: retryAfter, Err: err}
}

// asError is fail for an error that may be nil, and is worth another try unless
// the row is gone.
func asError(r Row, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound) && !errors.Is(err, ErrHook):
		return fail(r, err, 0)
	}
	return fail(r, err, 2*time.Second)
}
