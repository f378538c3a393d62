package stripetest

import (
	"net/http"
	"slices"
	"strings"
)

// customer is Stripe's object.
type customer struct {
	ID                  string            `json:"id"`
	Object              string            `json:"object"`
	Address             *address          `json:"address"`
	Balance             int64             `json:"balance"`
	Created             int64             `json:"created"`
	Currency            *string           `json:"currency"`
	DefaultSource       ref               `json:"default_source"`
	Delinquent          bool              `json:"delinquent"`
	Description         *string           `json:"description"`
	Discount            *struct{}         `json:"discount"`
	Email               *string           `json:"email"`
	InvoicePrefix       string            `json:"invoice_prefix"`
	InvoiceSettings     invoiceSettings   `json:"invoice_settings"`
	Livemode            bool              `json:"livemode"`
	Metadata            map[string]string `json:"metadata"`
	Name                *string           `json:"name"`
	NextInvoiceSequence int64             `json:"next_invoice_sequence"`
	Phone               *string           `json:"phone"`
	PreferredLocales    []string          `json:"preferred_locales"`
	Shipping            *shipping         `json:"shipping"`
	TaxExempt           string            `json:"tax_exempt"`
	TestClock           ref               `json:"test_clock"`

	hidden customerHidden
}

type customerHidden struct {
	Deleted bool `json:"deleted,omitempty"`
}

type invoiceSettings struct {
	CustomFields         []any          `json:"custom_fields"`
	DefaultPaymentMethod ref            `json:"default_payment_method"`
	Footer               *string        `json:"footer"`
	RenderingOptions     map[string]any `json:"rendering_options"`
}

type shipping struct {
	Address address `json:"address"`
	Name    *string `json:"name"`
	Phone   *string `json:"phone"`
}

func (cus *customer) rowID() string     { return cus.ID }
func (cus *customer) rowCreated() int64 { return cus.Created }

// shown is the customer, or what is left of it.
func (cus *customer) shown() any {
	if cus.hidden.Deleted {
		return &deleted{cus.ID, cus.Object, true}
	}
	return cus
}

func customerRoutes() []*route {
	const object = "customer"
	expand := params{"expand": listOf(word())}
	fields := expand.with(params{
		"address":          addressParams(),
		"balance":          integer(),
		"cash_balance":     anything(),
		"coupon":           word(),
		"description":      text(5000),
		"email":            text(512),
		"invoice_prefix":   word(),
		"invoice_settings": invoiceParams(),
		"metadata":         metadata(),
		"name":             text(256),

		"next_invoice_sequence": integer(),
		"phone":                 text(20),
		"preferred_locales":     listOf(word()),
		"promotion_code":        word(),
		"shipping":              hashOf(params{"address": addressParams().must(), "name": word().must(), "phone": text(5000)}),
		"source":                word(),
		"tax":                   hashOf(params{"ip_address": text(5000), "validate_location": oneOf("deferred", "immediately")}),
		"tax_exempt":            {kind: kindText, oneOf: []string{"", "exempt", "none", "reverse"}},
	})
	return []*route{
		{"POST /v1/customers", secretOnly, object, fields.with(params{
			"payment_method": word(), "tax_id_data": listOf(hashOf(params{"type": word().must(), "value": word().must()})), "test_clock": word(),
		}), createCustomer},
		{"GET /v1/customers", secretOnly, "list customer", pageParams().with(createdParam()).with(params{
			"email": word(), "test_clock": word(),
		}), listCustomers},
		{"GET /v1/customers/:id", ephemeral, object, expand, retrieveCustomer},
		{"POST /v1/customers/:id", ephemeral, object, fields.with(params{
			"bank_account": anything(), "card": anything(), "default_alipay_account": word(), "default_bank_account": word(),
			"default_card": word(), "default_source": word(),
		}), updateCustomer},
		{"DELETE /v1/customers/:id", secretOnly, object, expand, deleteCustomer},
	}
}

func invoiceParams() param {
	return hashOf(params{
		"custom_fields":          listOf(hashOf(params{"name": word().must(), "value": word().must()})),
		"default_payment_method": text(5000),
		"footer":                 text(5000),
		"rendering_options": hashOf(params{
			"amount_tax_display": {kind: kindText, oneOf: []string{"", "exclude_tax", "include_inclusive_tax"}}, "template": word(),
		}),
	})
}

// customer finds a customer that has not been deleted.
func (c *call) customer(id, param string, status int) (*customer, error) {
	cus, ok := c.srv.state.customers.get(id)
	if !ok || cus.hidden.Deleted {
		return nil, missing(status, "customer", param, id)
	}
	return cus, c.mayTouch(id)
}

func createCustomer(c *call) (any, error) {
	s := c.srv
	cus := &customer{
		ID: s.ids.id("cus_", 14), Object: "customer", Created: s.clock.now().Unix(), Metadata: map[string]string{},
		InvoicePrefix: strings.ToUpper(s.ids.id("", 8)), NextInvoiceSequence: 1, PreferredLocales: []string{}, TaxExempt: "none",
	}
	if err := c.assignCustomer(cus); err != nil {
		return nil, err
	}
	var pm *paymentMethod
	if id := c.params.str("payment_method"); id != "" {
		var err error
		if pm, err = c.paymentMethod(id, http.StatusBadRequest); err != nil {
			return nil, err
		}
		if err := pm.attachable(); err != nil { // then there is no customer either
			return nil, err
		}
	}
	if at := c.params.at("invoice_settings", "default_payment_method"); at != nil && at.text != "" {
		if pm == nil || at.text != c.params.str("payment_method") && at.text != pm.ID {
			return nil, notTheirs(at.text)
		}
		cus.InvoiceSettings.DefaultPaymentMethod = ref{id: pm.ID}
	}
	s.save(cus)
	s.emit("customer.created", cus, c.cause())
	if pm != nil {
		s.attach(pm, cus, c.cause())
	}
	return cus, nil
}

func notTheirs(method string) error {
	return refused("resource_missing", "invoice_settings[default_payment_method]", "The customer does not have a payment method"+
		" with the ID %s. The payment method must be attached to the customer.", method) // [2nd]
}

// assignCustomer sets what both create and update may set. What would need
// objects that this fake has not is refused, not ignored.
func (c *call) assignCustomer(cus *customer) error {
	p := c.params
	for name, kind := range map[string]string{
		"coupon": "coupon", "promotion_code": "promotion code", "source": "token", "test_clock": "test clock",
		"default_source": "source", "default_card": "card", "default_bank_account": "bank account", "default_alipay_account": "source",
	} {
		if p.has(name) {
			return missing(http.StatusBadRequest, kind, name, p.str(name))
		}
	}
	if email := p.str("email"); email != "" && (!strings.Contains(email, "@") || strings.ContainsAny(email, " \t\r\n")) {
		return invalidParam("email_invalid", "email", "Invalid email address: %s", elide(email)) // [2nd]
	}
	meta, err := mergeMetadata(cus.Metadata, p.at("metadata"))
	if err != nil {
		return err
	}
	cus.Metadata = meta
	if at := p.at("address"); at != nil {
		if cus.Address = nil; at.kind == kindHash {
			cus.Address = new(address)
			cus.Address.set(at)
		}
	}
	if at := p.at("shipping"); at != nil {
		if cus.Shipping = nil; at.kind == kindHash {
			cus.Shipping = &shipping{Name: at.optional("name"), Phone: at.optional("phone")}
			cus.Shipping.Address.set(at.at("address"))
		}
	}
	if at := p.at("balance"); at != nil {
		cus.Balance = at.integer
	}
	if at := p.at("next_invoice_sequence"); at != nil {
		cus.NextInvoiceSequence = at.integer
	}
	if p.has("invoice_prefix") {
		cus.InvoicePrefix = p.str("invoice_prefix")
	}
	if p.has("preferred_locales") {
		cus.PreferredLocales = p.strs("preferred_locales")
	}
	if p.has("tax_exempt") {
		cus.TaxExempt = p.str("tax_exempt")
		fill(&cus.TaxExempt, "none")
	}
	p.setText(&cus.Description, "description")
	p.setText(&cus.Email, "email")
	p.setText(&cus.Name, "name")
	p.setText(&cus.Phone, "phone")
	p.setText(&cus.InvoiceSettings.Footer, "invoice_settings", "footer")
	if at := p.at("invoice_settings", "custom_fields"); at != nil {
		cus.InvoiceSettings.CustomFields, _ = at.plain().([]any)
	}
	if at := p.at("invoice_settings", "rendering_options"); at != nil {
		cus.InvoiceSettings.RenderingOptions, _ = at.plainHash()
	}
	return nil
}

// setDefaultMethod sets the method that invoices are paid with.
func (c *call) setDefaultMethod(cus *customer) error {
	at := c.params.at("invoice_settings", "default_payment_method")
	if at == nil {
		return nil
	}
	if pm, ok := c.srv.state.methods.get(at.text); at.text != "" && (!ok || pm.Customer.id != cus.ID) {
		return notTheirs(at.text)
	}
	cus.InvoiceSettings.DefaultPaymentMethod = ref{id: at.text}
	return nil
}

func listCustomers(c *call) (any, error) {
	p := c.params
	return page(c, &c.srv.state.customers, "customer", func(cus *customer) bool {
		return !cus.hidden.Deleted && !p.has("test_clock") &&
			(!p.has("email") || cus.Email != nil && *cus.Email == p.str("email"))
	})
}

func retrieveCustomer(c *call) (any, error) {
	cus, ok := c.srv.state.customers.get(c.path[0])
	if !ok {
		return nil, missing(http.StatusNotFound, "customer", "id", c.path[0])
	}
	if err := c.mayTouch(cus.ID); err != nil {
		return nil, err
	}
	return cus.shown(), nil
}

func updateCustomer(c *call) (any, error) {
	cus, err := c.customer(c.path[0], "id", http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	changed := *cus
	if err := c.assignCustomer(&changed); err != nil {
		return nil, err
	}
	if err := c.setDefaultMethod(&changed); err != nil {
		return nil, err
	}
	before := *cus
	*cus = changed
	c.srv.save(cus)
	if previous := changes(&before, cus); len(previous) > 0 {
		c.srv.emitChange("customer.updated", cus, previous, c.cause())
	}
	return cus, nil
}

// deleteCustomer leaves the id behind, which can still be retrieved.
func deleteCustomer(c *call) (any, error) {
	cus, err := c.customer(c.path[0], "id", http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	s := c.srv
	for _, pm := range slices.Clone(s.state.methods.rows) {
		if pm.Customer.id == cus.ID {
			s.detach(pm, c.cause())
		}
	}
	s.emit("customer.deleted", cus, c.cause())
	cus.hidden.Deleted = true
	s.save(cus)
	return cus.shown(), nil
}
