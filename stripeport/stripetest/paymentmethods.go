package stripetest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
)

// paymentMethod is Stripe's object, and what the fake knows of it besides.
type paymentMethod struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	AllowRedisplay string            `json:"allow_redisplay"`
	BillingDetails billingDetails    `json:"billing_details"`
	Card           *card             `json:"card,omitempty"`
	Created        int64             `json:"created"`
	Customer       ref               `json:"customer"`
	Livemode       bool              `json:"livemode"`
	Metadata       map[string]string `json:"metadata"`
	Type           string            `json:"type"`

	hidden methodHidden
}

// What the pointers of a payment method point to is never changed, but
// replaced: errors and attempts show the method as it was.

// methodHidden is what is not shown of a payment method, or not in its place.
type methodHidden struct {
	Outcome outcome        `json:"outcome"`
	Reason  string         `json:"reason,omitempty"`
	Details map[string]any `json:"details,omitempty"` // the hash named like the type, if that is not card
	Spent   bool           `json:"spent,omitempty"`   // detached from its customer: never again
	Used    bool           `json:"used,omitempty"`    // set up without a customer: again only once it has one
	Checks  *cardChecks    `json:"checks,omitempty"`  // of a card: what comes of those that are no pass
}

type billingDetails struct {
	Address address `json:"address"`
	Email   *string `json:"email"`
	Name    *string `json:"name"`
	Phone   *string `json:"phone"`
}

type address struct {
	City       *string `json:"city"`
	Country    *string `json:"country"`
	Line1      *string `json:"line1"`
	Line2      *string `json:"line2"`
	PostalCode *string `json:"postal_code"`
	State      *string `json:"state"`
}

func (pm *paymentMethod) rowID() string     { return pm.ID }
func (pm *paymentMethod) rowCreated() int64 { return pm.Created }

// MarshalJSON adds the hash that is named like the type.
func (pm *paymentMethod) MarshalJSON() ([]byte, error) {
	type plain paymentMethod
	b := bytes.TrimSuffix(encode((*plain)(pm)), []byte("\n"))
	if pm.Card != nil {
		return b, nil
	}
	details := pm.hidden.Details
	if details == nil {
		details = map[string]any{}
	}
	tail, err := json.Marshal(map[string]any{pm.Type: details})
	if err != nil {
		return nil, err
	}
	return append(append(b[:len(b)-1], ','), tail[1:]...), nil
}

// decodeMethod reads back what MarshalJSON wrote.
func decodeMethod(b []byte) (*paymentMethod, error) {
	pm := new(paymentMethod)
	if err := json.Unmarshal(b, pm); err != nil || pm.Card != nil {
		return pm, err
	}
	var all map[string]any
	err := json.Unmarshal(b, &all)
	pm.hidden.Details, _ = all[pm.Type].(map[string]any)
	return pm, err
}

// public is the payment method as a page may see it: whose it is, and the
// account's notes on it, are no business of a page's. [U]
func (pm *paymentMethod) public() *paymentMethod {
	shown := *pm
	shown.Customer, shown.Metadata = ref{}, map[string]string{}
	return &shown
}

// attemptDetails is what an attempt shows of its method.
func (pm *paymentMethod) attemptDetails() map[string]any {
	details := map[string]any{"type": pm.Type}
	switch pm.Type { // that of any other is not shown
	case "acss_debit", "amazon_pay", "au_becs_debit", "bacs_debit", "boleto", "cashapp", "klarna", "link", "paypal",
		"revolut_pay", "sepa_debit", "us_bank_account":
		details[pm.Type] = map[string]any{}
	case "bancontact", "ideal", "sofort":
		shown := map[string]any{}
		addNulls(shown, "bic", "generated_sepa_debit", "generated_sepa_debit_mandate", "iban_last4", "verified_name")
		if pm.Type == "ideal" {
			shown["bank"] = pm.hidden.Details["bank"]
		} else {
			addNulls(shown, "bank_code", "bank_name", "preferred_language")
		}
		details[pm.Type] = shown
	}
	if c := pm.Card; c != nil {
		details["card"] = map[string]any{
			"brand": c.Brand, "checks": c.Checks, "country": c.Country, "exp_month": c.ExpMonth, "exp_year": c.ExpYear,
			"fingerprint": c.Fingerprint, "funding": c.Funding, "last4": c.Last4, "network": c.Brand,
			"three_d_secure": nil, "wallet": nil,
		}
	}
	return details
}

func pointer[T any](v T) *T { return &v }

// Texts about payment methods. [2nd]
const (
	spentMethod = "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment," +
		" shared with a connected account without Customer attachment, or was detached from a Customer." +
		" It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first."
	spentAttach    = "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used again."
	attachedBefore = "The payment method you provided has already been attached to a customer."
	notAttached    = "The payment method you provided is not attached to a customer so detachment is impossible."
	notUpdatable   = "You must save this PaymentMethod to a customer before you can update it."
)

func paymentMethodRoutes() []*route {
	const object, many = "payment_method", "list payment_method"
	expand := params{"expand": listOf(word())}
	kind := oneOf(methodTypes()...)
	return []*route{
		{"POST /v1/payment_methods", publishable, object, describeMethod().with(expand).with(params{
			"customer": word(), "payment_method": word(), "type": kind, // the last is not needed to copy one
		}), createPaymentMethod},
		{"GET /v1/payment_methods", ephemeral, many, pageParams().with(params{"customer": word(), "type": kind}), listPaymentMethods},
		{"GET /v1/payment_methods/:id", ephemeral, object, expand, retrievePaymentMethod},
		{"POST /v1/payment_methods/:id", ephemeral, object, expand.with(params{
			"allow_redisplay": oneOf("always", "limited", "unspecified"),
			"billing_details": billingParams(),
			"card": hashOf(params{
				"exp_month": integer(), "exp_year": integer(),
				"networks": hashOf(params{"preferred": {kind: kindText, oneOf: []string{"", "cartes_bancaires", "mastercard", "visa"}}}),
			}),
			"link": hashOf(params{}), "metadata": metadata(),
			"us_bank_account": hashOf(params{"account_holder_type": oneOf("company", "individual"), "account_type": oneOf("checking", "savings")}),
		}), updatePaymentMethod},
		{"POST /v1/payment_methods/:id/attach", ephemeral, object, expand.with(params{"customer": word().must()}), attachPaymentMethod},
		{"POST /v1/payment_methods/:id/detach", ephemeral, object, expand, detachPaymentMethod},
		{"GET /v1/customers/:id/payment_methods", ephemeral, many, pageParams().with(params{
			"allow_redisplay": oneOf("always", "limited", "unspecified"), "type": kind,
		}), listCustomerMethods},
		{"GET /v1/customers/:id/payment_methods/:id", ephemeral, object, expand, retrieveCustomerMethod},
	}
}

// paymentMethod finds a payment method. The ids of Stripe's test methods stand
// for a new one each time.
func (c *call) paymentMethod(id string, status int) (*paymentMethod, error) {
	s := c.srv
	if pm, ok := s.state.methods.get(id); ok {
		if err := c.mayTouch(pm.Customer.id); err != nil {
			return nil, err
		}
		return pm, nil
	}
	if test, ok := s.deck.byID[id]; ok {
		pm := s.knownCard(test)
		s.save(pm)
		return pm, nil
	}
	if bank, ok := testBank(id); ok {
		pm := s.newMethod(bank.methodType)
		pm.hidden.Outcome, pm.hidden.Details = bank.outcome, bankDetails(bank.methodType, bank.number, nil)
		s.save(pm)
		return pm, nil
	}
	return nil, missing(status, "PaymentMethod", "payment_method", id)
}

func (s *Server) newMethod(methodType string) *paymentMethod {
	return &paymentMethod{
		ID: s.ids.object("pm"), Object: "payment_method", AllowRedisplay: "unspecified", Created: s.clock.now().Unix(),
		Metadata: map[string]string{}, Type: methodType, hidden: methodHidden{Outcome: succeeds},
	}
}

// newPaymentMethod makes, but does not save, the payment method that v
// describes; v is at name in the parameters.
func (c *call) newPaymentMethod(v *value, name string) (*paymentMethod, error) {
	in := func(key string) string {
		if name == "" {
			return key
		}
		return nested(name, key)
	}
	meta, err := mergeMetadata(nil, v.at("metadata"))
	if err != nil {
		return nil, err
	}
	var pm *paymentMethod
	switch methodType := v.str("type"); methodType {
	case "card":
		pm, err = c.describedCard(v.at("card"), in("card"))
	default:
		pm, err = c.describedMethod(methodType, v.at(methodType), in(methodType))
	}
	if err != nil {
		return nil, err
	}
	pm.Metadata = meta
	if redisplay := v.str("allow_redisplay"); redisplay != "" {
		pm.AllowRedisplay = redisplay
	}
	pm.setBilling(v.at("billing_details"))
	return pm, nil
}

func (pm *paymentMethod) setBilling(v *value) {
	billing := &pm.BillingDetails
	v.setText(&billing.Email, "email")
	v.setText(&billing.Name, "name")
	v.setText(&billing.Phone, "phone")
	if at := v.at("address"); at != nil {
		billing.Address.set(at)
	}
	if pm.Card == nil || v == nil {
		return
	}
	unchecked := *pm.Card
	if billing.Address.Line1 != nil {
		unchecked.Checks.AddressLine1 = pointer("unchecked")
	}
	if billing.Address.PostalCode != nil {
		unchecked.Checks.AddressZip = pointer("unchecked")
	}
	pm.Card = &unchecked
}

// set takes over what v gives; an empty text in its place unsets all.
func (a *address) set(v *value) {
	if v.kind == kindText {
		*a = address{}
		return
	}
	v.setText(&a.City, "city")
	v.setText(&a.Country, "country")
	v.setText(&a.Line1, "line1")
	v.setText(&a.Line2, "line2")
	v.setText(&a.PostalCode, "postal_code")
	v.setText(&a.State, "state")
}

func createPaymentMethod(c *call) (any, error) {
	p, s := c.params, c.srv
	if p.has("payment_method") || p.has("customer") { // a copy; on Stripe for a connected account
		return c.copyPaymentMethod()
	}
	if !p.has("type") {
		return nil, missingParam("type")
	}
	pm, err := c.newPaymentMethod(p, "")
	if err != nil {
		return nil, err
	}
	s.save(pm)
	return pm, nil
}

func (c *call) copyPaymentMethod() (any, error) {
	p, s := c.params, c.srv
	if !p.has("payment_method") {
		return nil, missingParam("payment_method")
	}
	original, err := c.paymentMethod(p.str("payment_method"), http.StatusBadRequest)
	if err != nil {
		return nil, err
	}
	if p.has("customer") && p.str("customer") != original.Customer.id {
		return nil, refused("", "payment_method", otherCustomer, original.ID, p.str("customer"))
	}
	pm := *original
	pm.ID, pm.Created, pm.Customer = s.ids.object("pm"), s.clock.now().Unix(), ref{}
	pm.hidden.Spent, pm.hidden.Used = false, false
	s.save(&pm)
	return &pm, nil
}

func retrievePaymentMethod(c *call) (any, error) {
	return c.paymentMethod(c.path[0], http.StatusNotFound)
}

func listPaymentMethods(c *call) (any, error) {
	p := c.params
	if p.has("customer") {
		if _, err := c.customer(p.str("customer"), "customer", http.StatusBadRequest); err != nil {
			return nil, err
		}
	} else if c.actor != "" {
		return nil, forbidden(notForKey)
	}
	return page(c, &c.srv.state.methods, "PaymentMethod", func(pm *paymentMethod) bool {
		return (!p.has("customer") || pm.Customer.id == p.str("customer")) && (!p.has("type") || pm.Type == p.str("type"))
	})
}

func listCustomerMethods(c *call) (any, error) {
	p := c.params
	cus, err := c.customer(c.path[0], "customer", http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	return page(c, &c.srv.state.methods, "PaymentMethod", func(pm *paymentMethod) bool {
		return pm.Customer.id == cus.ID && (!p.has("type") || pm.Type == p.str("type")) &&
			(!p.has("allow_redisplay") || pm.AllowRedisplay == p.str("allow_redisplay"))
	})
}

func retrieveCustomerMethod(c *call) (any, error) {
	cus, err := c.customer(c.path[0], "customer", http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	pm, ok := c.srv.state.methods.get(c.path[1])
	if !ok || pm.Customer.id != cus.ID {
		return nil, missing(http.StatusNotFound, "PaymentMethod", "payment_method", c.path[1])
	}
	return pm, nil
}

func updatePaymentMethod(c *call) (any, error) {
	pm, err := c.paymentMethod(c.path[0], http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	p := c.params
	meta, err := mergeMetadata(pm.Metadata, p.at("metadata"))
	if err != nil {
		return nil, err
	}
	if pm.Customer.id == "" {
		return nil, refused("", "", notUpdatable)
	}
	before := *pm
	if pm.Card != nil && p.has("card") {
		changed, now := *pm.Card, c.srv.clock.now()
		if at := p.at("card", "exp_month"); at != nil {
			changed.ExpMonth = at.integer
		}
		if at := p.at("card", "exp_year"); at != nil {
			changed.ExpYear = at.integer
		}
		switch {
		case changed.ExpMonth < 1 || changed.ExpMonth > 12:
			return nil, cardError("invalid_expiry_month", "exp_month", "Your card's expiration month is invalid.")
		case expired(changed.ExpMonth, changed.ExpYear, now):
			return nil, cardError("invalid_expiry_year", "exp_year", "Your card's expiration year is invalid.")
		}
		p.setText(&changed.Networks.Preferred, "card", "networks", "preferred")
		pm.Card = &changed
	}
	if chosen, ok := p.at("us_bank_account").plainHash(); ok && pm.Type == "us_bank_account" {
		pm.hidden.Details = maps.Clone(pm.hidden.Details)
		maps.Copy(pm.hidden.Details, chosen)
	}
	pm.Metadata = meta
	if redisplay := p.str("allow_redisplay"); redisplay != "" {
		pm.AllowRedisplay = redisplay
	}
	pm.setBilling(p.at("billing_details"))
	c.srv.save(pm)
	c.srv.emitChange("payment_method.updated", pm, changes(&before, pm), c.cause())
	return pm, nil
}

func attachPaymentMethod(c *call) (any, error) {
	pm, err := c.paymentMethod(c.path[0], http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	cus, err := c.customer(c.params.str("customer"), "customer", http.StatusBadRequest)
	if err != nil {
		return nil, err
	}
	if pm.Customer.id == cus.ID { // [U]
		return pm, nil
	}
	if err := pm.attachable(); err != nil {
		return nil, err
	}
	c.srv.attach(pm, cus, c.cause())
	return pm, nil
}

// attachable reports why pm cannot be given to a customer; the issuer is asked
// too, and may decline.
func (pm *paymentMethod) attachable() error {
	switch {
	case pm.Customer.id != "":
		return refused("", "", attachedBefore)
	case pm.hidden.Spent:
		return refused("", "", spentAttach)
	case pm.hidden.Outcome == declines:
		return declineError(pm.hidden.Reason)
	}
	return nil
}

func (s *Server) attach(pm *paymentMethod, cus *customer, why cause) {
	pm.verified()
	pm.Customer = ref{id: cus.ID}
	s.save(pm)
	s.emit("payment_method.attached", pm, why)
}

func detachPaymentMethod(c *call) (any, error) {
	pm, err := c.paymentMethod(c.path[0], http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	if pm.Customer.id == "" {
		return nil, refused("", "", notAttached)
	}
	c.srv.detach(pm, c.cause())
	return pm, nil
}

func (s *Server) detach(pm *paymentMethod, why cause) {
	previous := map[string]any{"customer": pm.Customer.id}
	if cus, ok := s.state.customers.get(pm.Customer.id); ok && cus.InvoiceSettings.DefaultPaymentMethod.id == pm.ID {
		cus.InvoiceSettings.DefaultPaymentMethod = ref{}
		s.save(cus)
	}
	pm.Customer, pm.hidden.Spent = ref{}, true
	s.save(pm)
	s.emitChange("payment_method.detached", pm, previous, why)
}
