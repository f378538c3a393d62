package stripetest

import (
	"maps"
	"net/http"
	"time"
)

const sessionLifetime = 30 * time.Minute // [2nd]

// customerSession is Stripe's object. It is shown once and not kept: there
// is no call that would look at it again.
type customerSession struct {
	Object       string            `json:"object"`
	ClientSecret string            `json:"client_secret"`
	Components   sessionComponents `json:"components"`
	Created      int64             `json:"created"`
	Customer     ref               `json:"customer"`
	ExpiresAt    int64             `json:"expires_at"`
	Livemode     bool              `json:"livemode"`
}

type sessionComponents struct {
	BuyButton      sessionComponent `json:"buy_button"`
	PaymentElement sessionElement   `json:"payment_element"`
	PricingTable   sessionComponent `json:"pricing_table"`
}

type sessionComponent struct {
	Enabled bool `json:"enabled"`
}

type sessionElement struct {
	Enabled  bool           `json:"enabled"`
	Features map[string]any `json:"features"`
}

func customerSessionRoutes() []*route {
	switched := oneOf("disabled", "enabled")
	component := hashOf(params{"enabled": boolean().must()})
	return []*route{
		{"POST /v1/customer_sessions", secretOnly, "customer_session", params{
			"components": hashOf(params{
				"buy_button": component,
				"payment_element": hashOf(params{"enabled": boolean().must(), "features": hashOf(params{
					"payment_method_allow_redisplay_filters": listOf(oneOf("always", "limited", "unspecified")),
					"payment_method_redisplay":               switched, "payment_method_redisplay_limit": integer(),
					"payment_method_remove": switched, "payment_method_save": switched,
					"payment_method_save_usage": oneOf("off_session", "on_session"),
				})}),
				"pricing_table": component,
			}).must(),
			"customer": word().must(), "expand": listOf(word()),
		}, createCustomerSession},
	}
}

func createCustomerSession(c *call) (any, error) {
	p, s := c.params, c.srv
	cus, err := c.customer(p.str("customer"), "customer", http.StatusBadRequest)
	if err != nil {
		return nil, err
	}
	now := s.clock.now()
	session := &customerSession{
		Object: "customer_session", ClientSecret: s.ids.id("cuss_secret_", 51), Created: now.Unix(),
		Customer: ref{id: cus.ID}, ExpiresAt: now.Add(sessionLifetime).Unix(),
	}
	components := &session.Components
	components.BuyButton.Enabled = p.yes("components", "buy_button", "enabled")
	components.PricingTable.Enabled = p.yes("components", "pricing_table", "enabled")
	components.PaymentElement.Enabled = p.yes("components", "payment_element", "enabled")
	if !components.BuyButton.Enabled && !components.PricingTable.Enabled && !components.PaymentElement.Enabled {
		return nil, invalidParam("", "components", "At least one component must be enabled.") // [U]
	}
	if components.PaymentElement.Enabled {
		features := map[string]any{
			"payment_method_allow_redisplay_filters": []string{"always"}, "payment_method_redisplay": "disabled",
			"payment_method_redisplay_limit": 3, "payment_method_remove": "disabled",
			"payment_method_save": "disabled", "payment_method_save_usage": nil,
		} // the defaults are [2nd]
		given, _ := p.at("components", "payment_element", "features").plainHash()
		maps.Copy(features, given)
		components.PaymentElement.Features = features
	}
	return session, nil
}
