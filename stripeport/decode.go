package stripeport

import (
	"cmp"
	"encoding/json"
	"errors"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

// object is what a Provider reads of a SetupIntent
// (docs.stripe.com/api/setup_intents/object).
type object struct {
	Object         string                   `json:"object"`
	ID             string                   `json:"id"`
	Status         setupintent.IntentStatus `json:"status"`
	ClientSecret   string                   `json:"client_secret"`
	Customer       ref                      `json:"customer"`
	PaymentMethod  ref                      `json:"payment_method"`
	Metadata       map[string]string        `json:"metadata"`
	Livemode       bool                     `json:"livemode"`
	Created        int64                    `json:"created"`
	LatestAttempt  ref                      `json:"latest_attempt"`
	LastSetupError struct {
		Type string `json:"type"`
		Code string `json:"code"`
	} `json:"last_setup_error"`

	raw []byte
}

// ref is the id of another object, which Stripe gives as a string, as null or,
// expanded, as the object itself.
type ref string

// UnmarshalJSON implements [json.Unmarshaler].
func (r *ref) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		return nil
	case b[0] != '{':
		return json.Unmarshal(b, (*string)(r))
	}
	var expanded struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(b, &expanded)
	*r = ref(expanded.ID)
	return err
}

var errNoResult = errors.New("not the result of the call")

// decodeIntent decodes a SetupIntent, which must have the id unless it is empty.
func decodeIntent(body []byte, id string) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return o, err
	}
	o.raw = body
	return o, o.check(id)
}

func (o *object) check(id string) error {
	if o.Object != "setup_intent" || !isID(o.ID) || o.Status == "" || id != "" && o.ID != id {
		return errNoResult
	}
	return nil
}

// decodeList decodes one page of a list, and whether there is another one. What
// is no list must not pass for an empty one, which would prove that there is
// nothing.
func decodeList(body []byte) (data []json.RawMessage, more bool, err error) {
	var list struct {
		Object  string            `json:"object"`
		Data    []json.RawMessage `json:"data"`
		HasMore bool              `json:"has_more"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, false, err
	}
	if list.Object != "list" || list.Data == nil || list.HasMore && len(list.Data) == 0 {
		return nil, false, errNoResult
	}
	return list.Data, list.HasMore, nil
}

func decodePage(body []byte) ([]object, error) {
	data, _, err := decodeList(body)
	if err != nil {
		return nil, err
	}
	page := make([]object, len(data))
	for i, raw := range data {
		if page[i], err = decodeIntent(raw, ""); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// intent returns o as an Intent.
func (o *object) intent() setupintent.Intent {
	in := o.snapshot()
	in.Raw = redact.JSON(o.raw, o.ClientSecret)
	if o.ClientSecret != "" {
		in.ClientSecret = setupintent.NewClientSecret(o.ClientSecret)
	}
	return in
}

// snapshot returns o as an Intent without its secret, and without Raw.
func (o *object) snapshot() setupintent.Intent {
	in := setupintent.Intent{
		ID:            o.ID,
		Status:        o.Status,
		Customer:      string(o.Customer),
		PaymentMethod: string(o.PaymentMethod),
		Metadata:      o.Metadata,
		Live:          o.Livemode,
		LatestAttempt: string(o.LatestAttempt),
	}
	if o.Created != 0 {
		in.Created = time.Unix(o.Created, 0).UTC()
	}
	switch o.Status {
	case setupintent.RequiresAction, setupintent.Processing, setupintent.Succeeded:
		// The error, if there is one, is of an earlier confirmation.
	default:
		in.ErrorCode = redact.Word(cmp.Or(o.LastSetupError.Code, o.LastSetupError.Type))
	}
	return in
}
