package stripeport

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

const intentsPath = "/v1/setup_intents"

// CreateIntent implements [setupintent.Provider]; the error contract is there.
//
// What Stripe has defaults for is sent all the same, so that no change of them
// changes what is asked for: usage is off_session, and the payment methods are
// those of the account that need no redirect, unless the request says
// otherwise, by PaymentMethodTypes or by automatic_payment_methods in Extra.
// Extra is sent as it is: whether it should be is for IntentRequest.Validate to
// say, which a Service asks. An empty Key is replaced by a random one, and one
// that would not reach Stripe as it is wraps ErrInvalidRequest. If it is later
// than NotAfter, nothing is sent, and the error leaves the effect open: somebody
// else may have sent the same before.
func (p *Provider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	var o object
	c := &call{op: "create", create: true, key: req.Key, notAfter: req.NotAfter, params: createParams(req)}
	// The request's metadata, in which a Service names the row and the key,
	// tells it from an intent that the error is merely about.
	c.carries = func(int) bool {
		for k, v := range req.Metadata {
			if o.Metadata[k] != v {
				return false
			}
		}
		return req.Customer == "" || string(o.Customer) == req.Customer
	}
	return p.post(ctx, c, "", "", &o)
}

func createParams(req setupintent.IntentRequest) map[string]any {
	params := make(map[string]any, len(req.Extra)+8)
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
	if params["usage"] == nil {
		params["usage"] = string(stripe.SetupIntentUsageOffSession)
	}
	automatic, isMap := params["automatic_payment_methods"].(map[string]any)
	unsaid := params["automatic_payment_methods"] == nil || isMap && len(automatic) == 0 // an empty map can't be written
	if params["payment_method_types"] == nil && unsaid {
		params["automatic_payment_methods"] = map[string]any{
			"enabled":         true,
			"allow_redirects": string(stripe.SetupIntentAutomaticPaymentMethodsAllowRedirectsNever),
		}
	}
	return params
}

func setText(params map[string]any, name, value string) {
	if value != "" {
		params[name] = value
	}
}

// GetIntent implements [setupintent.Provider]. It returns an error that wraps
// ErrNotFound if the account has no such intent in the key's mode, and, without
// a request, if the id can't be one.
func (p *Provider) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	path, err := intentPath("get", id, "")
	if err != nil {
		return setupintent.Intent{}, err
	}
	var o object
	// Never by client secret: it would be in the URL, and in what logs URLs.
	return p.intent(ctx, &call{op: "get", method: http.MethodGet, path: path}, id, &o)
}

// CancelIntent implements [setupintent.Provider]. An empty reason is left out.
func (p *Provider) CancelIntent(ctx context.Context, id, reason string) (setupintent.Intent, error) {
	c := &call{op: "cancel", params: map[string]any{}}
	setText(c.params, "cancellation_reason", reason)
	in, err := p.post(ctx, c, id, "/cancel", new(object))
	var e *Error
	if !errors.As(err, &e) || e.HTTPStatus/100 != 4 || e.means != nil {
		return in, err
	}
	// It can't be canceled, and what it has become says why.
	in, getErr := p.GetIntent(ctx, id)
	if getErr != nil {
		return setupintent.Intent{}, getErr
	}
	switch in.Status {
	case setupintent.Canceled, setupintent.Succeeded, setupintent.Processing:
		return in, nil
	}
	return setupintent.Intent{}, err
}

// ListIntents implements [setupintent.Provider]. A page has at most 100
// intents, and a zero time is no bound.
func (p *Provider) ListIntents(ctx context.Context, from, to time.Time, after string) ([]setupintent.Intent, error) {
	if after != "" && !isID(after) {
		return nil, &Error{op: "list", Message: malformedID}
	}
	c := &call{op: "list", method: http.MethodGet, path: intentsPath, limit: maxPage, params: listParams(from, to)}
	setText(c.params, "starting_after", after)
	var objects []object
	c.decode = func(body []byte) (err error) {
		objects, err = decodePage(body)
		return err
	}
	if _, err := p.send(ctx, c); err != nil {
		return nil, ofList(err)
	}
	page := make([]setupintent.Intent, len(objects))
	for i := range objects {
		page[i] = objects[i].intent()
	}
	return page, nil
}

// UpdateRequest is what UpdateIntent changes; what is empty stays as it is.
type UpdateRequest struct {
	Customer      string
	Description   string
	PaymentMethod string
	Metadata      map[string]string // the keys named; an empty value removes its key
	Extra         map[string]any    // any other parameter, as in setupintent.IntentRequest; nil unsets it
}

// UpdateIntent changes the intent and returns it as it is then. A Service never
// calls it. It returns an error that wraps ErrNotFound if there is no such
// intent, ErrRefused if Stripe says no, and nothing was changed, or
// ErrInvalidRequest if Extra holds what must not pass through a server: card
// data, a client secret.
func (p *Provider) UpdateIntent(ctx context.Context, id string, req UpdateRequest) (setupintent.Intent, error) {
	params, err := extraParams("update", req.Extra)
	if err != nil {
		return setupintent.Intent{}, err
	}
	setText(params, "customer", req.Customer)
	setText(params, "description", req.Description)
	setText(params, "payment_method", req.PaymentMethod)
	if len(req.Metadata) > 0 {
		params["metadata"] = req.Metadata
	}
	return p.post(ctx, &call{op: "update", change: true, params: params}, id, "", new(object))
}

// ConfirmRequest is one confirmation; what is empty is left out.
type ConfirmRequest struct {
	Key           string // idempotency key; empty: a random one
	PaymentMethod string // id; empty: the intent's own
	ReturnURL     string
	Extra         map[string]any // any other parameter, as in setupintent.IntentRequest
}

// ConfirmIntent confirms the intent from the server, which is otherwise left to
// the browser, and returns it as it is then. A declined card is an answer: the
// intent with its ErrorCode, and a nil error. Other errors are as for
// UpdateIntent. A Service never calls it.
func (p *Provider) ConfirmIntent(ctx context.Context, id string, req ConfirmRequest) (setupintent.Intent, error) {
	params, err := extraParams("confirm", req.Extra)
	if err != nil {
		return setupintent.Intent{}, err
	}
	setText(params, "payment_method", req.PaymentMethod)
	setText(params, "return_url", req.ReturnURL)
	c := &call{op: "confirm", key: req.Key, params: params}
	c.carries = func(status int) bool { return status == http.StatusPaymentRequired }
	return p.post(ctx, c, id, "/confirm", new(object))
}

// extraParams returns a copy of extra, checked.
func extraParams(op string, extra map[string]any) (map[string]any, error) {
	params := make(map[string]any, len(extra)+4)
	maps.Copy(params, extra)
	if _, ok := params["client_secret"]; ok {
		return nil, invalid(op, "client_secret is for publishable keys")
	}
	data, _ := params["payment_method_data"].(map[string]any)
	if _, ok := data["card"]; ok {
		return nil, invalid(op, "card numbers must not pass through this server; let the browser collect them")
	}
	return params, nil
}

// post makes a POST that is answered with an intent: the one with the id, or a
// new one if it is empty.
func (p *Provider) post(ctx context.Context, c *call, id, action string, o *object) (setupintent.Intent, error) {
	c.method, c.path = http.MethodPost, intentsPath
	if !c.create {
		var err error
		if c.path, err = intentPath(c.op, id, action); err != nil {
			return setupintent.Intent{}, err
		}
	}
	if err := c.drawKey(); err != nil {
		return setupintent.Intent{}, err
	}
	return p.intent(ctx, c, id, o)
}

// drawKey gives the call a key, if it has none, or checks it.
func (c *call) drawKey() error {
	switch {
	case c.key == "":
		c.key = newKey()
	case !isKey(c.key):
		return invalid(c.op, "an idempotency key has at most 255 visible ASCII characters")
	}
	return nil
}

// intent makes a call that is answered with an intent.
func (p *Provider) intent(ctx context.Context, c *call, id string, o *object) (setupintent.Intent, error) {
	c.decode = func(body []byte) (err error) {
		*o, err = decodeIntent(body, id)
		return err
	}
	a, err := p.send(ctx, c)
	if err != nil {
		return setupintent.Intent{}, err
	}
	in := o.intent()
	in.Replayed = a.replayed()
	return in, nil
}

const malformedID = "this is no id of an intent"

// isID reports whether s can be the id of an object. A client secret looks like
// one, and must not get into a URL.
func isID(s string) bool { return redact.Word(s) != "" }

func intentPath(op, id, action string) (string, error) {
	if !isID(id) {
		return "", &Error{op: op, means: setupintent.ErrNotFound, Message: malformedID}
	}
	return stripe.FormatURLPath(intentsPath+"/%s", id) + action, nil
}

// isKey reports whether key reaches Stripe as it is: stripe-go trims it, and
// net/http refuses what no header may hold.
func isKey(key string) bool { return redact.IsVisible(key) && len(key) <= 255 }

func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}
