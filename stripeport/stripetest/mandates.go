package stripetest

import (
	"net/http"
	"strings"
)

// mandate is Stripe's object: a permission to debit a bank account.
type mandate struct {
	ID            string         `json:"id"`
	Object        string         `json:"object"`
	Acceptance    map[string]any `json:"customer_acceptance"`
	Livemode      bool           `json:"livemode"`
	MultiUse      *struct{}      `json:"multi_use,omitempty"`
	PaymentMethod ref            `json:"payment_method"`
	Details       map[string]any `json:"payment_method_details"`
	SingleUse     map[string]any `json:"single_use,omitempty"`
	Status        string         `json:"status"`
	Type          string         `json:"type"`

	hidden mandateHidden
}

type mandateHidden struct {
	Created int64 `json:"created"`
}

func (m *mandate) rowID() string     { return m.ID }
func (m *mandate) rowCreated() int64 { return m.hidden.Created }

// mandate makes the mandate that the request accepts for pm; a page accepts
// one by being there.
func (c *call) mandate(si *setupIntent, pm *paymentMethod) {
	s, now := c.srv, c.srv.clock.now().Unix()
	acceptance, ok := c.params.at("mandate_data", "customer_acceptance").plainHash()
	if !ok {
		acceptance = map[string]any{"type": "online", "online": map[string]any{"ip_address": "127.0.0.1", "user_agent": c.r.UserAgent()}}
	}
	if acceptance["accepted_at"] == nil {
		acceptance["accepted_at"] = now
	}
	m := &mandate{
		ID: s.ids.object("mandate"), Object: "mandate", Acceptance: acceptance, PaymentMethod: ref{id: pm.ID},
		Details: map[string]any{"type": pm.Type, pm.Type: s.mandateDetails(si, pm.Type)}, Status: "pending", Type: "multi_use", MultiUse: &struct{}{},
		hidden: mandateHidden{now},
	}
	if si.hidden.SingleUse != nil {
		m.Type, m.MultiUse, m.SingleUse = "single_use", nil, si.hidden.SingleUse
		si.SingleUseMandate = ref{id: m.ID}
	} else {
		si.Mandate = ref{id: m.ID}
	}
	s.save(m)
}

// mandateDetails is what a mandate shows of its type; the URLs lead nowhere.
func (s *Server) mandateDetails(si *setupIntent, methodType string) map[string]any {
	reference := strings.ToUpper(s.ids.id("", 16))
	url := "https://example.com/mandates/" + reference
	switch methodType {
	case "acss_debit":
		details := map[string]any{"interval_description": nil, "payment_schedule": "sporadic", "transaction_type": "personal"}
		given, _ := si.PaymentMethodOptions[methodType]["mandate_options"].(map[string]any)
		for name := range details {
			if given[name] != nil {
				details[name] = given[name]
			}
		}
		return details
	case "au_becs_debit":
		return map[string]any{"url": url}
	case "bacs_debit":
		return map[string]any{"network_status": "accepted", "reference": reference, "revocation_reason": nil, "url": url}
	case "sepa_debit":
		return map[string]any{"reference": reference, "url": url}
	}
	return map[string]any{}
}

// activateMandate makes the mandate of si, if there is one, good for debits.
func (s *Server) activateMandate(si *setupIntent) {
	for _, id := range []string{si.Mandate.id, si.SingleUseMandate.id} {
		if m, ok := s.state.mandates.get(id); ok {
			m.Status = "active"
			s.save(m)
		}
	}
}

func mandateRoutes() []*route {
	return []*route{
		{"GET /v1/mandates/:id", secretOnly, "mandate", params{"expand": listOf(word())}, func(c *call) (any, error) {
			m, ok := c.srv.state.mandates.get(c.path[0])
			if !ok {
				return nil, missing(http.StatusNotFound, "mandate", "mandate", c.path[0])
			}
			return m, nil
		}},
	}
}
