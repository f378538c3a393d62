package setupintent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// IntentCreator creates intents. Its method is safe for concurrent use, and
// equal keys have one effect. A provider that can't promise the latter does not
// send what is marked IntentRequest.Again, and calls every key spent whose
// outcome it does not know.
//
// The error says what is known about the effect, and the service's safety rests
// on it:
//
//   - ErrRefused: the provider answered every attempt made for this call, and
//     the answers mean that nothing was created. A timeout followed by a 400 is
//     not refused: the first attempt may yet take effect.
//   - ErrThrottled: nothing was created, and the same request may be sent again.
//   - ErrKeySpent: the provider will never again answer this key with an intent
//     (a stored failure, or the key was used with other parameters).
//   - ErrKeySuspect: the provider failed and does not tell stored answers from
//     new ones.
//   - ErrCredentials: our credentials were not accepted; nothing was created.
//   - Any other error: unknown. An intent may exist, or may come to exist until
//     the request has died.
//
// An answer that is an error but carries an intent (a declined confirmation) is
// an intent: return it with a nil error. An error never holds a secret.
type IntentCreator interface {
	CreateIntent(ctx context.Context, req IntentRequest) (Intent, error)
}

// Provider is what a Service needs of a payment provider. Its methods are safe
// for concurrent use. Where [InTransaction] says so, they call nobody and return
// an error; where [InBackground] does, they do not try again by themselves.
// [CreateOnly] makes one of an IntentCreator, and
// setupintenttest.TestProvider checks an implementation.
type Provider interface {
	IntentCreator

	// GetIntent returns the intent as it is now, or an error that wraps
	// ErrNotFound.
	GetIntent(ctx context.Context, id string) (Intent, error)

	// CancelIntent cancels the intent if it can still be canceled and returns
	// it as it is afterwards: canceled already, succeeded and processing are
	// answers, not errors. It returns an error that wraps ErrNotFound if there
	// is none. The reason is one of Stripe's words: abandoned,
	// requested_by_customer or duplicate.
	CancelIntent(ctx context.Context, id, reason string) (Intent, error)

	// ListIntents returns one page of the intents created in [from, to], newest
	// first, that follow the intent with the id after; an empty after begins at
	// the newest, and an empty page ends the list. Client secrets may be left
	// out. No error wraps ErrNotFound: that after is unknown says nothing of the
	// rest.
	ListIntents(ctx context.Context, from, to time.Time, after string) ([]Intent, error)
}

// IntentRequest is one create. The application says what it wants; the service
// adds Key, NotAfter and its own metadata, and freezes the whole in the row, so
// that every replay sends the same. What its maps and slices hold, nobody changes
// before the call that they were given to has returned.
//
// Extra carries every other documented create parameter under the provider's
// own name, nested as maps and slices. Names that no document has are refused,
// and so are raw card data and whatever confirms the intent: a create is
// replayed after a crash, when the person whose card it was may have left.
type IntentRequest struct {
	Key      string    `json:"-"` // idempotency key; set by the service
	NotAfter time.Time `json:"-"` // an adapter compares it, by wall clock, right before every send; set by the service

	// Again says that the key may have been sent before, with an outcome that is
	// not known. To an adapter whose provider gives equal keys one effect it is
	// nothing new. Any other must not send: it returns ErrKeySpent. Set by the
	// service.
	Again bool `json:"-"`

	Customer           string            `json:"customer,omitempty"`
	Description        string            `json:"description,omitempty"`
	Usage              string            `json:"usage,omitempty"` // off_session or on_session; empty: the adapter's default
	PaymentMethod      string            `json:"payment_method,omitempty"`
	PaymentMethodTypes []string          `json:"payment_method_types,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	Extra              map[string]any    `json:"extra,omitempty"`
}

// Intent is a provider's intent. It is a value: nobody changes what its maps
// and slices hold.
type Intent struct {
	ID            string
	Status        IntentStatus
	ClientSecret  ClientSecret
	Customer      string // id
	PaymentMethod string // id
	Metadata      map[string]string
	Live          bool
	Created       time.Time       // to the second, by the provider's clock; zero: it did not say
	LatestAttempt string          // id of the latest confirmation
	ErrorCode     string          // of the latest confirmation, if it failed
	Replayed      bool            // the answer was stored earlier: the rest may be out of date
	Raw           json.RawMessage // the provider's object, without its secrets
}

// IntentStatus is the provider's word for the state of an intent, as Stripe
// spells it.
type IntentStatus string

// The statuses of an intent. All but the last two are live: the intent can
// still succeed.
const (
	RequiresPaymentMethod IntentStatus = "requires_payment_method"
	RequiresConfirmation  IntentStatus = "requires_confirmation"
	RequiresAction        IntentStatus = "requires_action"
	Processing            IntentStatus = "processing" // can't be canceled
	Succeeded             IntentStatus = "succeeded"
	Canceled              IntentStatus = "canceled"
)

// CreateOnly returns a Provider that can only create. Its other methods return
// errors that wrap errors.ErrUnsupported, and so do the methods of a Service
// that need them. A repeated Begin replays the create under its key instead of
// fetching the intent, for as long as the key lives.
func CreateOnly(c IntentCreator) Provider { return createOnly{c} }

type createOnly struct{ IntentCreator }

func (createOnly) GetIntent(context.Context, string) (Intent, error) {
	return Intent{}, unsupported("get")
}

func (createOnly) CancelIntent(context.Context, string, string) (Intent, error) {
	return Intent{}, unsupported("cancel")
}

func (createOnly) ListIntents(context.Context, time.Time, time.Time, string) ([]Intent, error) {
	return nil, unsupported("list")
}

func unsupported(verb string) error {
	return fmt.Errorf("setupintent: the provider can't %s intents: %w", verb, errors.ErrUnsupported)
}
