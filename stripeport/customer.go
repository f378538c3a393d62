package stripeport

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/setupintent"
)

var _ setupintent.CustomerProvider = (*Provider)(nil)

const customersPath = "/v1/customers"

// customer is what a Provider reads of a Customer
// (docs.stripe.com/api/customers/object).
type customer struct {
	Object   string            `json:"object"`
	ID       string            `json:"id"`
	Metadata map[string]string `json:"metadata"`
}

func (o customer) id() string { return o.ID }

func (o customer) check() error {
	if o.Object != "customer" || !isID(o.ID) {
		return errNoResult
	}
	return nil
}

// CreateCustomer implements [setupintent.CustomerProvider]; the error contract
// is that of CreateIntent, and so is what becomes of Key and NotAfter. It
// returns an error that wraps ErrInvalidRequest if Extra holds the data of a
// card or of a bank account, which must not pass through a server.
func (p *Provider) CreateCustomer(ctx context.Context, req setupintent.CustomerRequest) (string, error) {
	c := &call{
		op: "create customer", method: http.MethodPost, path: customersPath, create: true,
		key: req.Key, notAfter: req.NotAfter, params: make(map[string]any, len(req.Extra)+3),
	}
	for _, name := range []string{"source", "card", "bank_account"} {
		if _, ok := req.Extra[name].(map[string]any); ok {
			return "", invalid(c.op, "card and account numbers must not pass through this server; let the browser collect them")
		}
	}
	maps.Copy(c.params, req.Extra)
	setText(c.params, "email", req.Email)
	setText(c.params, "name", req.Name)
	if len(req.Metadata) > 0 {
		c.params["metadata"] = req.Metadata
	}
	if err := c.drawKey(); err != nil {
		return "", err
	}
	var o customer
	c.decode = func(body []byte) error {
		if err := json.Unmarshal(body, &o); err != nil {
			return err
		}
		return o.check()
	}
	if _, err := p.send(ctx, c); err != nil {
		return "", err
	}
	return o.ID, nil
}

// ListCustomers implements [setupintent.CustomerProvider]. A page has at most 100
// customers, and a zero time is no bound. Its errors do not wrap ErrNotFound.
func (p *Provider) ListCustomers(ctx context.Context, from, to time.Time, after string) ([]setupintent.Customer, error) {
	const op = "list customers"
	if after != "" && !isID(after) {
		return nil, &Error{op: op, Message: malformedID}
	}
	params := listParams(from, to)
	setText(params, "starting_after", after)
	objects, _, err := list[customer](ctx, p, op, customersPath, params)
	page := make([]setupintent.Customer, len(objects))
	for i, o := range objects {
		page[i] = setupintent.Customer{ID: o.ID, Metadata: o.Metadata}
	}
	return page, err
}

// AttachPaymentMethod makes the payment method the customer's, so that it can
// be used again; to that of an intent with a customer, Stripe does so by itself.
// It can be repeated: a payment method that is the customer's already is no
// error.
//
// It returns an error that wraps ErrRefused if trying again does not help: the
// issuer says no, there is no such payment method or customer, or somebody else
// has it, or had it.
func (p *Provider) AttachPaymentMethod(ctx context.Context, id, customerID string) error {
	const op = "attach"
	if !isID(id) || !isID(customerID) {
		return &Error{op: op, means: setupintent.ErrRefused, Message: "these are no ids of a payment method and a customer"}
	}
	var owner string
	decode := func(body []byte) (err error) {
		owner, err = decodeOwner(body)
		return err
	}
	path := stripe.FormatURLPath("/v1/payment_methods/%s", id)
	attach := &call{
		op: op, method: http.MethodPost, path: path + "/attach", create: true,
		key: newKey(), params: map[string]any{"customer": customerID}, decode: decode,
	}
	_, err := p.send(ctx, attach)
	if e := new(Error); errors.As(err, &e) && e.HTTPStatus == http.StatusBadRequest {
		// It may be because it is attached already. Whose it is tells more surely
		// than the text of the error.
		_, getErr := p.send(ctx, &call{op: op, method: http.MethodGet, path: path, decode: decode})
		if getErr == nil && owner == customerID {
			return nil
		}
	}
	if err == nil && owner != customerID {
		return &Error{op: op, Message: "the answer is about another customer"}
	}
	return err
}

// decodeOwner returns the id of the customer whose a payment method is; empty
// if it is nobody's.
func decodeOwner(body []byte) (string, error) {
	var o struct {
		Object   string `json:"object"`
		Customer ref    `json:"customer"`
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return "", err
	}
	if o.Object != "payment_method" {
		return "", errNoResult
	}
	return string(o.Customer), nil
}
