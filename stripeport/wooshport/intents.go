package wooshport

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

const intentsPath = "/v1/setup_intents"

// CreateIntent implements [setupintent.Provider]; the error contract is there.
//
// What WooshPay may have a default for is sent all the same: usage is
// off_session, and payment_method_types is card, unless the request says
// otherwise. What the request has and WooshPay's document has not, such as
// Stripe's automatic_payment_methods, is refused, and so are the numbers of a
// card: with an error that wraps ErrRefused and ErrInvalidRequest, and nothing is
// sent.
//
// Without Options.IdempotencyKeys, the key is not sent. A request that is marked
// Again is not sent either, and wraps ErrKeySpent, and so does every outcome that
// is not known: asking again would not tell.
func (p *Provider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	c := &call{op: "create", method: http.MethodPost, path: intentsPath, create: true, key: req.Key, notAfter: req.NotAfter}
	if req.Again && !p.replays {
		return setupintent.Intent{}, &Error{op: c.op, means: setupintent.ErrKeySpent, Message: notAgain}
	}
	var err error
	if c.params, err = createParams(req); err != nil {
		return setupintent.Intent{}, err
	}
	var o object
	// The request's metadata, in which a Service names the row and the key,
	// tells it from an intent that the error is merely about.
	c.carries = func(int) bool {
		for k, v := range req.Metadata {
			if o.metadata[k] != v {
				return false
			}
		}
		return req.Customer == "" || o.customer == req.Customer
	}
	in, err := p.intent(ctx, c, "", &o)
	in.Replayed = err == nil && req.Again // it may be: WooshPay does not say
	return in, err
}

func createParams(req setupintent.IntentRequest) (map[string]any, error) {
	params := map[string]any{"usage": "off_session", "payment_method_types": []string{"card"}}
	maps.Copy(params, req.Extra)
	setText(params, "customer", req.Customer)
	setText(params, "description", req.Description)
	setText(params, "payment_method", req.PaymentMethod)
	setText(params, "usage", req.Usage)
	if len(req.Metadata) > 0 {
		params["metadata"] = req.Metadata
	}
	if len(req.PaymentMethodTypes) > 0 {
		params["payment_method_types"] = req.PaymentMethodTypes
	}
	return params, checkParams("create", "", params, createSchema)
}

func setText(params map[string]any, name, value string) {
	if value != "" {
		params[name] = value
	}
}

// schema is the names that the document has for the members of a hash; nil is a
// value of any sort.
type schema map[string]schema

var (
	methodOptions = schema{"card": {"request_three_d_secure": nil}}
	methodData    = schema{
		"type": nil,
		"billing_details": {
			"address": {"city": nil, "country": nil, "line1": nil, "line2": nil, "postal_code": nil, "state": nil},
			"email":   nil, "name": nil, "phone": nil,
		},
		"wechat_pay": {"payment_code": nil},
		"alipayplus": {"payment_code": nil},
	}
	createSchema = schema{
		"confirm": nil, "customer": nil, "description": nil, "metadata": nil, "payment_method": nil, "payment_method_types": nil,
		"payment_method_options": methodOptions, "payment_method_data": methodData, "usage": nil, "return_url": nil,
	}
	confirmSchema = schema{
		"customer": nil, "description": nil, "metadata": nil, "payment_method": nil,
		"payment_method_options": methodOptions, "payment_method_data": methodData, "usage": nil, "return_url": nil,
	}
)

// checkParams refuses names that the document has not, at any depth, and the
// data of a card, which it has.
func checkParams(op, name string, params map[string]any, names schema) error {
	for _, k := range slices.Sorted(maps.Keys(params)) {
		path := k
		if name != "" {
			path = name + "[" + k + "]"
		}
		if path == "payment_method_data[card]" {
			return refused(op, "card numbers must not pass through this server; let WooshPay's SDK collect them", path)
		}
		inner, known := names[k]
		if !known {
			return refused(op, "WooshPay's document has no such parameter", path)
		}
		hash, isHash := params[k].(map[string]any)
		switch {
		case inner == nil:
		case !isHash:
			return refused(op, "the parameter holds others; give it a map[string]any", path)
		default:
			if err := checkParams(op, path, hash, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

func refused(op, message, param string) error {
	return &Error{op: op, means: setupintent.ErrRefused, cause: setupintent.ErrInvalidRequest, Message: message, Param: redact.Param(param)}
}

// GetIntent implements [setupintent.Provider]. It returns an error that wraps
// ErrNotFound if the account has no such intent in the key's mode, and, without
// a request, if the id can't be one.
func (p *Provider) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	path, err := intentPath("get", id, "")
	if err != nil {
		return setupintent.Intent{}, err
	}
	// Never by client secret: it would be in the URL, and in what logs URLs.
	return p.intent(ctx, &call{op: "get", method: http.MethodGet, path: path}, id, new(object))
}

// CancelIntent implements [setupintent.Provider], as far as WooshPay lets it: it
// returns an intent that has succeeded, was canceled or is processing. Of any
// other the error wraps errors.ErrUnsupported. The reason is not used.
func (p *Provider) CancelIntent(ctx context.Context, id, _ string) (setupintent.Intent, error) {
	in, err := p.GetIntent(ctx, id)
	if err != nil {
		return setupintent.Intent{}, err
	}
	switch in.Status {
	case setupintent.Succeeded, setupintent.Canceled, setupintent.Processing:
		return in, nil
	}
	return setupintent.Intent{}, unsupported("cancel")
}

// ListIntents implements [setupintent.Provider]. It returns an error that wraps
// errors.ErrUnsupported.
func (p *Provider) ListIntents(context.Context, time.Time, time.Time, string) ([]setupintent.Intent, error) {
	return nil, unsupported("list")
}

func unsupported(op string) error {
	return &Error{op: op, means: errors.ErrUnsupported, Message: "WooshPay's documents have no such call"}
}

// ConfirmRequest is one confirmation; what is empty is left out.
type ConfirmRequest struct {
	ReturnURL     string         // where the customer comes back to; required
	Key           string         // idempotency key, if they are used; empty: a random one
	PaymentMethod string         // id; empty: the intent's own
	Extra         map[string]any // any other documented parameter
}

// ConfirmIntent confirms the intent from the server, which is otherwise left to
// the browser, and returns it as it is then. A declined card is an answer: the
// intent with its ErrorCode, and a nil error. It returns an error that wraps
// ErrNotFound if there is no such intent, and one that wraps ErrInvalidRequest if
// there is no return URL, or if Extra holds what WooshPay's document has not, or
// the numbers of a card. It is never sent twice, unless with a key. A Service
// never calls it.
func (p *Provider) ConfirmIntent(ctx context.Context, id string, req ConfirmRequest) (setupintent.Intent, error) {
	const op = "confirm"
	path, err := intentPath(op, id, "/confirm")
	if err != nil {
		return setupintent.Intent{}, err
	}
	if req.ReturnURL == "" {
		return setupintent.Intent{}, refused(op, "WooshPay needs it to confirm", "return_url")
	}
	c := &call{op: op, method: http.MethodPost, path: path, key: req.Key, params: make(map[string]any, len(req.Extra)+2)}
	maps.Copy(c.params, req.Extra)
	setText(c.params, "return_url", req.ReturnURL)
	setText(c.params, "payment_method", req.PaymentMethod)
	if err := checkParams(op, "", c.params, confirmSchema); err != nil {
		return setupintent.Intent{}, err
	}
	c.carries = func(status int) bool { return status == http.StatusPaymentRequired }
	in, err := p.intent(ctx, c, id, new(object))
	var e *Error
	if !errors.As(err, &e) || e.HTTPStatus != http.StatusPaymentRequired {
		return in, err
	}
	declined, getErr := p.GetIntent(ctx, id)
	if getErr != nil {
		return setupintent.Intent{}, err // the decline says more
	}
	declined.ErrorCode = cmp.Or(declined.ErrorCode, e.Code, e.Type)
	return declined, nil
}

// intent makes a call that is answered with an intent: the one with the id, or a
// new one if it is empty.
func (p *Provider) intent(ctx context.Context, c *call, id string, o *object) (setupintent.Intent, error) {
	c.decode = func(body []byte) (err error) {
		*o, err = decodeIntent(body, id)
		return err
	}
	if c.params != nil {
		var err error
		if c.body, err = json.Marshal(c.params); err != nil {
			return setupintent.Intent{}, refused(c.op, "the parameters can't be written as JSON", "")
		}
	}
	switch {
	case c.method != http.MethodPost || !p.replays:
		c.key = ""
	case c.key == "":
		c.key = newKey()
	case len(c.key) > 255 || !redact.IsVisible(c.key):
		return setupintent.Intent{}, refused(c.op, "an idempotency key has at most 255 visible ASCII characters", "")
	}
	if err := p.send(ctx, c); err != nil {
		return setupintent.Intent{}, err
	}
	return o.intent(), nil
}

func intentPath(op, id, action string) (string, error) {
	if redact.Word(id) == "" { // a client secret looks like an id, and must not get into a URL
		return "", &Error{op: op, means: setupintent.ErrNotFound, Message: "this is no id of an intent"}
	}
	return intentsPath + "/" + id + action, nil
}

func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}
