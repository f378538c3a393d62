package stripeport

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

// EphemeralKey is what a mobile SDK acts with for one customer.
type EphemeralKey struct {
	ID      string
	Secret  setupintent.ClientSecret
	Expires time.Time       // by Stripe's clock
	Raw     json.RawMessage // Stripe's object, without its secret
}

// EphemeralKey creates a key for the customer. The version of the API is the one
// that the caller's SDK speaks, as the SDK itself says it, such as 2024-06-20 or
// 2025-03-31.basil: the object is made for it, and no other will do.
//
// It returns an error that wraps ErrInvalidRequest, without a request, if the
// version does not look like one, or the id can't be a customer's; and one that
// wraps ErrRefused if there is no such customer.
func (p *Provider) EphemeralKey(ctx context.Context, customerID, stripeVersion string) (EphemeralKey, error) {
	const op = "ephemeral key"
	switch {
	case !isID(customerID):
		return EphemeralKey{}, invalid(op, malformedCustomer)
	case len(stripeVersion) > 255 || !versionPattern.MatchString(stripeVersion):
		return EphemeralKey{}, invalid(op, "the version of the API that the SDK speaks is needed, such as 2024-06-20")
	}
	var o struct {
		Object     string `json:"object"`
		ID         string `json:"id"`
		Secret     string `json:"secret"`
		Expires    int64  `json:"expires"`
		Associated []ref  `json:"associated_objects"`
	}
	c := &call{op: op, path: "/v1/ephemeral_keys", params: map[string]any{"customer": customerID}, version: stripeVersion}
	raw, err := p.issue(ctx, c, &o, func() (secret string, ok bool) {
		return o.Secret, o.Object == "ephemeral_key" && isID(o.ID) && slices.Contains(o.Associated, ref(customerID))
	})
	if err != nil {
		return EphemeralKey{}, err
	}
	return EphemeralKey{o.ID, setupintent.NewClientSecret(o.Secret), time.Unix(o.Expires, 0).UTC(), raw}, nil
}

// versionPattern is what the versions of the API look like: a date, the name of
// a release since 2024, and the previews that are turned on.
var versionPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]+)?(; ?[a-z0-9_]+=v\d+)*$`)

// CustomerSession is what the elements of a page act with for one customer.
type CustomerSession struct {
	Secret  setupintent.ClientSecret
	Expires time.Time       // by Stripe's clock
	Raw     json.RawMessage // Stripe's object, without its secret
}

// CustomerSession creates a session for the customer, with the components that
// it is for, by Stripe's names:
//
//	map[string]any{"payment_element": map[string]any{"enabled": true}}
//
// Its errors are those of EphemeralKey.
func (p *Provider) CustomerSession(ctx context.Context, customerID string, components map[string]any) (CustomerSession, error) {
	const op = "customer session"
	switch {
	case !isID(customerID):
		return CustomerSession{}, invalid(op, malformedCustomer)
	case len(components) == 0:
		return CustomerSession{}, invalid(op, "it needs a component")
	}
	var o struct {
		Object   string `json:"object"`
		Secret   string `json:"client_secret"`
		Expires  int64  `json:"expires_at"`
		Customer ref    `json:"customer"`
	}
	c := &call{op: op, path: "/v1/customer_sessions", params: map[string]any{"customer": customerID, "components": components}}
	raw, err := p.issue(ctx, c, &o, func() (secret string, ok bool) {
		return o.Secret, o.Object == "customer_session" && string(o.Customer) == customerID
	})
	if err != nil {
		return CustomerSession{}, err
	}
	return CustomerSession{setupintent.NewClientSecret(o.Secret), time.Unix(o.Expires, 0).UTC(), raw}, nil
}

const malformedCustomer = "this is no id of a customer"

// issue creates an object that has a secret, and returns it without. Check says
// whether o, decoded, is the object, and which secret it has.
func (p *Provider) issue(ctx context.Context, c *call, o any, check func() (secret string, ok bool)) (json.RawMessage, error) {
	c.method, c.create, c.key = http.MethodPost, true, newKey()
	var raw json.RawMessage
	c.decode = func(body []byte) error {
		if err := json.Unmarshal(body, o); err != nil {
			return err
		}
		secret, ok := check()
		if !ok || secret == "" {
			return errNoResult
		}
		raw = redact.JSON(body, secret)
		return nil
	}
	_, err := p.send(ctx, c)
	return raw, err
}
