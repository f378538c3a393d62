package stripeport

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/signature"
)

// Webhook reads what Stripe sends to a webhook endpoint. It is safe for
// concurrent use.
type Webhook struct {
	signatures *signature.Verifier
	account    string
}

// WebhookOptions of a Webhook. The zero WebhookOptions works; every field says
// what zero means.
type WebhookOptions struct {
	// Account is the id of the connected account (Stripe Connect) whose events
	// are meant, at an endpoint that hears of several. Empty: those of no
	// connected account, but of the one that the endpoint belongs to. The events
	// of all others are nothing to act on.
	Account string

	// Tolerance is how far the time of a signature may be from now, in either
	// direction. 0: 5 minutes.
	Tolerance time.Duration

	// Now is the clock that signatures are compared to. Nil: time.Now.
	Now func() time.Time
}

// NewWebhook returns a Webhook that accepts what is signed with any of the
// endpoint's secrets, each as the Dashboard shows it: whsec_…. More than one are
// for the time after one was rolled. A nil opts is the zero WebhookOptions. The
// error says what can't be used, and never shows a secret: an empty one, for
// instance, as of a variable that is not set, would let everybody sign.
func NewWebhook(secrets []string, opts *WebhookOptions) (*Webhook, error) {
	var o WebhookOptions
	if opts != nil {
		o = *opts
	}
	if o.Account != "" && !isAccount(o.Account) {
		return nil, fmt.Errorf("stripeport: the account %q is no id of a Stripe account (acct_…)", o.Account)
	}
	signatures, err := signature.New("Stripe-Signature", secrets, o.Tolerance, o.Now)
	if err != nil {
		return nil, fmt.Errorf("stripeport: %w", err)
	}
	return &Webhook{signatures: signatures, account: o.Account}, nil
}

// WebhookEvents returns the types of event that a Service acts on; others make
// no difference to it.
func WebhookEvents() []string {
	return []string{"setup_intent.succeeded", "setup_intent.setup_failed", "setup_intent.canceled"}
}

// Parse returns the intent that an event is about, to be passed to
// setupintent.Service.Notify. The header is that of the request, and the body
// exactly what came with it, for it is the bytes that are signed.
//
// It reads events of every version of the API, snapshot and thin. Of a snapshot
// it returns the intent as it was when the event came about, without a client
// secret; of a thin event, or of a snapshot that can't be read in full or has no
// customer (null is one) or no livemode, the id alone. An event about anything but
// a SetupIntent, or of another account, is a zero Intent, and no error.
//
// The error wraps ErrUnverified if there is no signature that is right and of
// about now, and then nothing was read from the body; or ErrInvalidRequest if it
// is signed and no event.
func (w *Webhook) Parse(header http.Header, body []byte) (setupintent.Intent, error) {
	if err := w.signatures.Verify(header, body); err != nil {
		return setupintent.Intent{}, &Error{op: "webhook", means: setupintent.ErrUnverified, Message: err.Error()}
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(body, &head); err != nil || head.Type == "" {
		return setupintent.Intent{}, invalid("webhook", "the body is not an event")
	}
	if !strings.HasPrefix(strings.TrimPrefix(head.Type, "v1."), "setup_intent.") { // a thin event's type begins with v1.
		return setupintent.Intent{}, nil
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return setupintent.Intent{}, invalid("webhook", "the event has members of other types than it should")
	}
	if cmp.Or(e.Account, e.Context) != w.account {
		return setupintent.Intent{}, nil
	}
	return e.intent()
}

// event is what a Webhook reads of an event: a snapshot
// (docs.stripe.com/api/events/object) or a thin one
// (docs.stripe.com/api/v2/core/events).
type event struct {
	Account string `json:"account"`
	Context string `json:"context"` // a thin event's word for the account
	Data    struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
	Related related `json:"related_object"`
}

type related struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func (e *event) intent() (setupintent.Intent, error) {
	if len(e.Data.Object) == 0 || string(e.Data.Object) == "null" {
		if e.Related.Type != "setup_intent" || !isID(e.Related.ID) {
			return setupintent.Intent{}, invalid("webhook", "the event names no SetupIntent")
		}
		return setupintent.Intent{ID: e.Related.ID}, nil
	}
	var head struct {
		ID     string `json:"id"`
		Object string `json:"object"`

		// What whoever trusts a snapshot decides by.
		Livemode *bool           `json:"livemode"`
		Customer json.RawMessage `json:"customer"` // nil: not there; it may well be null
	}
	if err := json.Unmarshal(e.Data.Object, &head); err != nil || head.Object != "setup_intent" || !isID(head.ID) {
		return setupintent.Intent{}, invalid("webhook", "the event's object is no SetupIntent")
	}
	o, err := decodeIntent(e.Data.Object, head.ID)
	if err != nil || head.Livemode == nil || head.Customer == nil {
		return setupintent.Intent{ID: head.ID}, nil //nolint:nilerr // of another version; fetched, it is of ours
	}
	return o.snapshot(), nil
}
