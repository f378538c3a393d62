package stripetest

import (
	"slices"
	"strings"
)

// maxExpansion is how deep expand may go.
const maxExpansion = 4

// expandable names the attributes of an object that can be expanded, and the
// object that each then shows; empty for what is null or absent in this fake.
func expandable(object string) map[string]string {
	switch object {
	case "setup_intent":
		return map[string]string{
			"application": "", "customer": "customer", "latest_attempt": "setup_attempt", "mandate": "mandate",
			"on_behalf_of": "", "payment_method": "payment_method", "single_use_mandate": "mandate",
		}
	case "setup_attempt":
		return map[string]string{
			"application": "", "customer": "customer", "on_behalf_of": "", "payment_method": "payment_method",
			"setup_intent": "setup_intent",
		}
	case "payment_method", "customer_session":
		return map[string]string{"customer": "customer"}
	case "mandate":
		return map[string]string{"payment_method": "payment_method"}
	case "customer":
		return map[string]string{
			"cash_balance": "", "default_source": "", "discount": "", "invoice_settings": "invoice_settings",
			"sources": "", "subscriptions": "", "tax": "", "tax_ids": "", "test_clock": "",
		}
	case "invoice_settings":
		return map[string]string{"default_payment_method": "payment_method"}
	}
	return nil
}

// expansions returns the paths that the request wants expanded, once all of
// them are known to exist.
func (c *call) expansions() ([][]string, error) {
	var paths [][]string
	for _, name := range c.params.strs("expand") {
		path := strings.Split(name, ".")
		rest := path
		object, many := strings.CutPrefix(c.route.object, "list ")
		if many {
			if path[0] != "data" {
				return nil, invalidParam("", "expand", "This property cannot be expanded (%s)."+
					" You may want to try expanding 'data.%[1]s' instead.", elide(name)) // [2nd]
			}
			rest = path[1:]
		}
		if len(path) > maxExpansion {
			return nil, invalidParam("property_expansion_max_depth", "",
				"You cannot expand more than %d levels of a property. Property: %s", maxExpansion, name) // [2nd]
		}
		for _, step := range rest {
			next, ok := expandable(object)[step]
			if !ok || c.public && name != "payment_method" { // a page has no business with the rest [U]
				return nil, invalidParam("", "expand", "This property cannot be expanded (%s).", elide(name)) // [2nd]
			}
			object = next
		}
		paths = append(paths, rest)
	}
	return paths, nil
}

// expand returns obj with path expanded. It copies what it changes.
func (s *Server) expand(obj any, path []string) any {
	if len(path) == 0 {
		return obj
	}
	switch obj := obj.(type) {
	case *listObject:
		page := *obj
		page.Data = slices.Clone(obj.Data)
		for i, element := range page.Data {
			page.Data[i] = s.expand(element, path)
		}
		return &page
	case *setupIntent:
		si := *obj
		s.expandRef(map[string]*ref{
			"customer": &si.Customer, "latest_attempt": &si.LatestAttempt, "mandate": &si.Mandate,
			"payment_method": &si.PaymentMethod, "single_use_mandate": &si.SingleUseMandate,
		}[path[0]], path[1:])
		return &si
	case *setupAttempt:
		attempt := *obj
		s.expandRef(map[string]*ref{
			"customer": &attempt.Customer, "payment_method": &attempt.PaymentMethod, "setup_intent": &attempt.SetupIntent,
		}[path[0]], path[1:])
		return &attempt
	case *paymentMethod:
		pm := *obj
		s.expandRef(&pm.Customer, path[1:])
		return &pm
	case *customerSession:
		session := *obj
		s.expandRef(&session.Customer, path[1:])
		return &session
	case *mandate:
		m := *obj
		s.expandRef(&m.PaymentMethod, path[1:])
		return &m
	case *customer:
		cus := *obj
		if path[0] == "invoice_settings" && len(path) > 1 {
			s.expandRef(&cus.InvoiceSettings.DefaultPaymentMethod, path[2:])
		}
		return &cus
	}
	return obj
}

func (s *Server) expandRef(r *ref, rest []string) {
	if r == nil || r.id == "" {
		return
	}
	if r.object == nil {
		r.object = s.find(r.id)
	}
	r.object = s.expand(r.object, rest)
}

// find returns the object of an id of any kind that a ref may hold, nil if
// there is none.
func (s *Server) find(id string) any {
	if cus, ok := s.state.customers.get(id); ok {
		return cus.shown()
	}
	if pm, ok := s.state.methods.get(id); ok {
		return pm
	}
	if attempt, ok := s.state.attempts.get(id); ok {
		return attempt
	}
	if si, ok := s.state.intents.get(id); ok {
		return si
	}
	if m, ok := s.state.mandates.get(id); ok {
		return m
	}
	return nil
}
