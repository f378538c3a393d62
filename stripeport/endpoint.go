package stripeport

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/baseurl"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

// Endpoint is a webhook endpoint at Stripe.
type Endpoint struct {
	ID      string
	Created bool                     // just now
	Secret  setupintent.ClientSecret // for NewWebhook; Stripe tells it at creation, and then in the Dashboard only
}

// EndpointOptions of EnsureWebhookEndpoint. The zero EndpointOptions works.
type EndpointOptions struct {
	// Fix has the endpoint that there is enabled, and the events that are
	// missing added to those that it is sent. False: that is an error.
	Fix bool
}

const endpointsPath = "/v1/webhook_endpoints"

// EnsureWebhookEndpoint finds the webhook endpoint that has the URL, as
// WebhookEndpoint does, or creates it: with the WebhookEvents and no others, and
// with the version of the API that this package speaks. Keep the Secret of one
// that was created: it is shown once. It is for a person, or for one step of a
// deployment: two processes that call it at the same time may create two.
//
// The URL must be https; plain http is accepted for a loopback host, with a test
// key. The errors are those of WebhookEndpoint. An endpoint with another version
// can't be changed: the error says to delete it.
func (p *Provider) EnsureWebhookEndpoint(ctx context.Context, rawURL string, opts *EndpointOptions) (Endpoint, error) {
	var o EndpointOptions
	if opts != nil {
		o = *opts
	}
	found, err := p.findEndpoint(ctx, rawURL)
	switch {
	case err != nil:
		return Endpoint{}, err
	case found == nil:
		return p.createEndpoint(ctx, rawURL)
	case o.Fix && found.wrong() != "" && found.version() == stripe.APIVersion:
		if err := p.fixEndpoint(ctx, found); err != nil {
			return Endpoint{ID: found.ID}, err
		}
	}
	return found.judged()
}

// WebhookEndpoint finds the webhook endpoint that has the URL. It returns an
// error that wraps ErrNotFound if there is none; and, next to its id, one that
// says what to do if it is disabled, is not sent all of the WebhookEvents, or
// sends them in another version of the API than this package speaks. Of several
// with the URL, one that is right will do.
func (p *Provider) WebhookEndpoint(ctx context.Context, rawURL string) (Endpoint, error) {
	found, err := p.findEndpoint(ctx, rawURL)
	switch {
	case err != nil:
		return Endpoint{}, err
	case found == nil:
		return Endpoint{}, &Error{op: endpointOp, means: setupintent.ErrNotFound, Message: "no webhook endpoint has this URL"}
	}
	return found.judged()
}

const endpointOp = "webhook endpoint"

// endpoint is what a Provider reads of a WebhookEndpoint
// (docs.stripe.com/api/webhook_endpoints/object).
type endpoint struct {
	Object     string   `json:"object"`
	ID         string   `json:"id"`
	URL        string   `json:"url"`
	Status     string   `json:"status"`
	APIVersion *string  `json:"api_version"` // null: the account's
	Events     []string `json:"enabled_events"`
	Secret     string   `json:"secret"` // at creation only
}

func (o endpoint) id() string { return o.ID }

func (o endpoint) check() error {
	if o.Object != "webhook_endpoint" || !isID(o.ID) {
		return errNoResult
	}
	return nil
}

func (o endpoint) version() string {
	if o.APIVersion == nil {
		return ""
	}
	return *o.APIVersion
}

// missing returns the events that the endpoint should be sent and is not.
func (o endpoint) missing() []string {
	if slices.Contains(o.Events, "*") {
		return nil
	}
	return slices.DeleteFunc(WebhookEvents(), func(event string) bool { return slices.Contains(o.Events, event) })
}

// wrong says what is wrong with the endpoint and what to do, or "".
func (o endpoint) wrong() string {
	switch {
	case o.APIVersion == nil:
		return fmt.Sprintf("endpoint %s has the API version of the account, not %s: delete it, and have it created", o.ID, stripe.APIVersion)
	case o.version() != stripe.APIVersion:
		return fmt.Sprintf("endpoint %s has API version %s, not %s: delete it, and have it created", o.ID, redact.Text(o.version()), stripe.APIVersion)
	case o.Status != "enabled":
		return fmt.Sprintf("endpoint %s is disabled: enable it, in the Dashboard or by EndpointOptions.Fix", o.ID)
	case len(o.missing()) > 0:
		return fmt.Sprintf("endpoint %s is not sent %s: add the events, in the Dashboard or by EndpointOptions.Fix", o.ID, strings.Join(o.missing(), ", "))
	}
	return ""
}

func (o endpoint) judged() (Endpoint, error) {
	if why := o.wrong(); why != "" {
		return Endpoint{ID: o.ID}, &Error{op: endpointOp, Message: why}
	}
	return Endpoint{ID: o.ID}, nil
}

// findEndpoint returns an endpoint that has the URL, one that is right if there
// is any, or nil.
func (p *Provider) findEndpoint(ctx context.Context, rawURL string) (*endpoint, error) {
	if p.account != nil {
		return nil, invalid(endpointOp, "a connected account's events go to an endpoint of the platform; create it in the Dashboard")
	}
	if err := checkEndpointURL(rawURL, p.live); err != nil {
		return nil, err
	}
	var found *endpoint
	err := each(ctx, p, endpointOp, endpointsPath, map[string]any{"limit": 100}, func(o endpoint) bool {
		if o.URL == rawURL && (found == nil || o.wrong() == "") {
			found = &o
		}
		return found == nil || found.wrong() != ""
	})
	return found, err
}

func checkEndpointURL(rawURL string, live bool) error {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return invalid(endpointOp, "the URL is none") // err may show a password
	case u.Hostname() == "", u.User != nil, u.Fragment != "":
		return invalid(endpointOp, "the URL must have a host, and neither a user nor a fragment")
	case u.Scheme == "https", u.Scheme == "http" && baseurl.IsLoopback(u.Hostname()) && !live:
		return nil
	}
	return invalid(endpointOp, "the URL must be https")
}

func (p *Provider) createEndpoint(ctx context.Context, rawURL string) (Endpoint, error) {
	o, err := p.postEndpoint(ctx, &call{create: true, path: endpointsPath, params: map[string]any{
		"url":            rawURL,
		"api_version":    stripe.APIVersion,
		"enabled_events": WebhookEvents(),
		"description":    "cardonfile",
	}})
	switch {
	case err != nil:
		return Endpoint{}, err
	case o.Secret == "":
		return Endpoint{ID: o.ID, Created: true}, &Error{op: endpointOp, Message: "endpoint " + o.ID + " was created, and its secret is not in the answer: look it up in the Dashboard"}
	}
	return Endpoint{o.ID, true, setupintent.NewClientSecret(o.Secret)}, nil
}

// fixEndpoint enables the endpoint and adds to its events, and reads what it is
// then.
func (p *Provider) fixEndpoint(ctx context.Context, o *endpoint) error {
	params := map[string]any{"disabled": false}
	if missing := o.missing(); len(missing) > 0 {
		params["enabled_events"] = append(slices.Clone(o.Events), missing...)
	}
	fixed, err := p.postEndpoint(ctx, &call{path: stripe.FormatURLPath(endpointsPath+"/%s", o.ID), params: params})
	if err == nil {
		*o = fixed
	}
	return err
}

func (p *Provider) postEndpoint(ctx context.Context, c *call) (o endpoint, err error) {
	c.op, c.method, c.key = endpointOp, http.MethodPost, newKey()
	c.decode = func(body []byte) error {
		o = endpoint{}
		if err := json.Unmarshal(body, &o); err != nil {
			return err
		}
		return o.check()
	}
	_, err = p.send(ctx, c)
	return o, err
}
