package wooshport

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
	"github.com/cardonfile/cardonfile/stripeport/internal/signature"
)

// Webhook reads what WooshPay sends to a webhook endpoint. It is safe for
// concurrent use.
type Webhook struct {
	signatures *signature.Verifier
}

// WebhookOptions of a Webhook. The zero WebhookOptions works; every field says
// what zero means.
type WebhookOptions struct {
	// Tolerance is how far the time of a signature may be from now, in either
	// direction. 0: 5 minutes.
	Tolerance time.Duration

	// Now is the clock that signatures are compared to. Nil: time.Now.
	Now func() time.Time
}

// NewWebhook returns a Webhook that accepts what is signed with any of the
// secrets, each as the webhook object has it in its member secret. More than one
// are for the time after one was replaced. A nil opts is the zero WebhookOptions.
// The error says what can't be used, and never shows a secret: an empty one, for
// instance, as of a variable that is not set, would let everybody sign.
func NewWebhook(secrets []string, opts *WebhookOptions) (*Webhook, error) {
	var o WebhookOptions
	if opts != nil {
		o = *opts
	}
	signatures, err := signature.New("Wooshpay-Signature", secrets, o.Tolerance, o.Now)
	if err != nil {
		return nil, fmt.Errorf("wooshport: %w", err)
	}
	return &Webhook{signatures}, nil
}

// WebhookEvents returns the types of event that a Service acts on; others make
// no difference to it. The first is how it hears of an intent whose create was
// not answered.
func WebhookEvents() []string {
	return []string{"setup_intent.created", "setup_intent.succeeded"}
}

// Parse returns the intent that an event is about, to be passed to
// setupintent.Service.Notify: as it was when the event came about, without a
// client secret; or, of an object that can't be read in full, the id alone. The
// header is that of the request, and the body exactly what
// came with it, for it is the bytes that are signed. An event about anything but
// a SetupIntent is a zero Intent, and no error.
//
// The error wraps ErrUnverified if there is no signature that is right and of
// about now, and then nothing was read from the body; or ErrInvalidRequest if it
// is signed and no event.
func (w *Webhook) Parse(header http.Header, body []byte) (setupintent.Intent, error) {
	if err := w.signatures.Verify(header, body); err != nil {
		return setupintent.Intent{}, &Error{op: "webhook", means: setupintent.ErrUnverified, Message: err.Error()}
	}
	var event struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Type == "" {
		return setupintent.Intent{}, badEvent("the body is not an event")
	}
	if !strings.HasPrefix(event.Type, "setup_intent.") {
		return setupintent.Intent{}, nil
	}
	object := readAs[struct {
		Object json.RawMessage `json:"object"`
	}](event.Data).Object
	members := readAs[map[string]json.RawMessage](object)
	o, err := decodeIntent(object, "")
	if err != nil || members["livemode"] == nil || members["customer"] == nil { // by which, too, whoever trusts it decides
		head := readAs[struct {
			ID     string `json:"id"`
			Object string `json:"object"`
		}](object)
		if head.Object != "setup_intent" || redact.Word(head.ID) == "" {
			return setupintent.Intent{}, badEvent("the event's object is no SetupIntent")
		}
		return setupintent.Intent{ID: head.ID}, nil // fetched, it tells the rest
	}
	return o.snapshot(), nil
}

func badEvent(message string) error {
	return &Error{op: "webhook", means: setupintent.ErrInvalidRequest, Message: message}
}
