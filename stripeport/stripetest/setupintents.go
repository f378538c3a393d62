package stripetest

import (
	"crypto/subtle"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// The statuses of a SetupIntent.
const (
	statusNeedsMethod       = "requires_payment_method"
	statusNeedsConfirmation = "requires_confirmation"
	statusNeedsAction       = "requires_action"
	statusProcessing        = "processing"
	statusSucceeded         = "succeeded"
	statusCanceled          = "canceled"
)

// setupIntent is Stripe's object, with the fields of version 2024-06-20 in
// their order.
type setupIntent struct {
	ID                      string                    `json:"id"`
	Object                  string                    `json:"object"`
	Application             ref                       `json:"application"`
	AttachToSelf            *bool                     `json:"attach_to_self,omitempty"`
	AutomaticPaymentMethods *automaticMethods         `json:"automatic_payment_methods"`
	CancellationReason      *string                   `json:"cancellation_reason"`
	ClientSecret            string                    `json:"client_secret"`
	Created                 int64                     `json:"created"`
	Customer                ref                       `json:"customer"`
	Description             *string                   `json:"description"`
	FlowDirections          []string                  `json:"flow_directions"`
	LastSetupError          *apiError                 `json:"last_setup_error"`
	LatestAttempt           ref                       `json:"latest_attempt"`
	Livemode                bool                      `json:"livemode"`
	Mandate                 ref                       `json:"mandate"`
	Metadata                map[string]string         `json:"metadata"`
	NextAction              *nextAction               `json:"next_action"`
	OnBehalfOf              ref                       `json:"on_behalf_of"`
	PaymentMethod           ref                       `json:"payment_method"`
	ConfigurationDetails    *configuration            `json:"payment_method_configuration_details"`
	PaymentMethodOptions    map[string]map[string]any `json:"payment_method_options"`
	PaymentMethodTypes      []string                  `json:"payment_method_types"`
	SingleUseMandate        ref                       `json:"single_use_mandate"`
	Status                  string                    `json:"status"`
	Usage                   string                    `json:"usage"`

	hidden intentHidden
}

// intentHidden is what is not shown of an intent.
type intentHidden struct {
	ReturnURL string         `json:"return_url,omitempty"`
	InPage    bool           `json:"in_page,omitempty"` // Stripe.js sees to the next action
	SingleUse map[string]any `json:"single_use,omitempty"`
	Tries     int            `json:"tries,omitempty"`  // at verifying micro-deposits
	Action    string         `json:"action,omitempty"` // WooshPay's word for the next one
}

type automaticMethods struct {
	AllowRedirects string `json:"allow_redirects"`
	Enabled        bool   `json:"enabled"`
}

type configuration struct {
	ID     string  `json:"id"`
	Parent *string `json:"parent"`
}

type nextAction struct {
	RedirectToURL           *redirectToURL `json:"redirect_to_url,omitempty"`
	Type                    string         `json:"type"`
	UseStripeSDK            map[string]any `json:"use_stripe_sdk,omitempty"`
	VerifyWithMicrodeposits *microdeposits `json:"verify_with_microdeposits,omitempty"`
}

type microdeposits struct {
	ArrivalDate   int64  `json:"arrival_date"`
	HostedURL     string `json:"hosted_verification_url"`
	Microdeposits string `json:"microdeposit_type"`
}

type redirectToURL struct {
	ReturnURL *string `json:"return_url"`
	URL       *string `json:"url"`
}

// publicIntent is what a page sees of a SetupIntent: thirteen fields, and
// neither the metadata nor the customer, nor those of its payment method.
type publicIntent struct {
	ID                 string      `json:"id"`
	Object             string      `json:"object"`
	CancellationReason *string     `json:"cancellation_reason"`
	ClientSecret       string      `json:"client_secret"`
	Created            int64       `json:"created"`
	Description        *string     `json:"description"`
	LastSetupError     *apiError   `json:"last_setup_error"`
	Livemode           bool        `json:"livemode"`
	NextAction         *nextAction `json:"next_action"`
	PaymentMethod      ref         `json:"payment_method"`
	PaymentMethodTypes []string    `json:"payment_method_types"`
	Status             string      `json:"status"`
	Usage              string      `json:"usage"`
}

func (si *setupIntent) rowID() string     { return si.ID }
func (si *setupIntent) rowCreated() int64 { return si.Created }

func (si *setupIntent) public() *publicIntent {
	method := si.PaymentMethod
	if pm, ok := method.object.(*paymentMethod); ok {
		method.object = pm.public()
	}
	return &publicIntent{
		ID: si.ID, Object: si.Object, CancellationReason: si.CancellationReason, ClientSecret: si.ClientSecret,
		Created: si.Created, Description: si.Description, LastSetupError: si.LastSetupError.public(), Livemode: si.Livemode,
		NextAction: si.NextAction, PaymentMethod: method, PaymentMethodTypes: si.PaymentMethodTypes,
		Status: si.Status, Usage: si.Usage,
	}
}

// Texts of the states that forbid something. [2nd], where nothing else is said.
const (
	unexpectedState = "setup_intent_unexpected_state"

	confirmWithoutMethod = "You cannot confirm this SetupIntent because it's missing a payment method." +
		" You can either update the SetupIntent with a payment method and then confirm it again," +
		" or confirm it again directly with a payment method or ConfirmationToken."
	confirmSucceeded  = "You cannot confirm this SetupIntent because it has already succeeded."
	confirmCanceled   = "You cannot confirm this SetupIntent because it has been canceled."
	confirmProcessing = "You cannot confirm this SetupIntent because it has a status of processing." +
		" Only a SetupIntent with one of the following statuses may be confirmed:" +
		" requires_payment_method, requires_confirmation, requires_action." // [U]
	cancelOther = "You cannot cancel this SetupIntent because it has a status of %s." +
		" Only a SetupIntent with one of the following statuses may be canceled:" +
		" `requires_payment_method`, `requires_confirmation`, or `requires_action`."
	cancelCanceled  = "You cannot cancel this SetupIntent because it is already canceled."
	updateSucceeded = "You cannot update this SetupIntent because it has already succeeded."
	updateCanceled  = "You cannot update this SetupIntent because it has been canceled." // [U]
	wrongState      = "This SetupIntent cannot be actioned on because it has a status of %s." +
		` Only a SetupIntent with one of the following statuses may be actioned on: ["requires_action"].`
	otherCustomer = "The PaymentMethod %s does not belong to the Customer you supplied %s." +
		" Please use this PaymentMethod with the Customer that it belongs to instead."
	someCustomer = "The payment method supplied (%s) belongs to the Customer %s." +
		" Please include the Customer in the `customer` parameter on the SetupIntent."
	secretMismatch = "The client_secret provided does not match the client_secret associated with the SetupIntent."
	needsReturnURL = "This SetupIntent is configured to accept payment methods enabled in your Dashboard." +
		" Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`." +
		" If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true`" +
		" and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
	onlyWithConfirm = "The parameter `%s` cannot be passed when creating a SetupIntent unless `confirm` is set to true."
	onlyOne         = "You may only specify one of these parameters: %s." // the full stop is not everywhere
	typeNotAllowed  = "The PaymentMethod provided (%s) is not allowed for this SetupIntent." +
		" Please attach a PaymentMethod of one of the following types: %s" // [U]
)

// echoesUsage says that an intent has the usage that was asked for. A recording
// of 2026 shows on_session ignored; what 2024-06-20 does is not known. [U]
const echoesUsage = true

// automaticSince is the API version from which on an intent defaults to
// automatic payment methods, where it had defaulted to cards.
const automaticSince = "2023-08-16"

func setupIntentRoutes() []*route {
	const object = "setup_intent"
	expand := params{"expand": listOf(word())}
	common := params{
		"attach_to_self":               boolean(),
		"customer":                     word(),
		"description":                  text(1000),
		"flow_directions":              listOf(oneOf("inbound", "outbound")),
		"metadata":                     metadata(),
		"payment_method":               word(),
		"payment_method_configuration": text(100),
		"payment_method_data":          methodData(),
		"payment_method_options":       methodOptions(),
		"payment_method_types":         listOf(word()),
	}.with(expand)
	confirming := params{
		"confirmation_token": word(),
		"mandate_data":       mandateData(true),
		"return_url":         link(word()),
		"use_stripe_sdk":     boolean(),
	}
	return []*route{
		{"POST /v1/setup_intents", secretOnly, object, common.with(confirming).with(params{
			"automatic_payment_methods": hashOf(params{"enabled": boolean().must(), "allow_redirects": oneOf("always", "never")}),
			"confirm":                   boolean(),
			"mandate_data":              mandateData(false),
			"on_behalf_of":              word(),
			"single_use":                hashOf(params{"amount": integer().must(), "currency": word().must()}),
			"usage":                     oneOf("off_session", "on_session"),
		}), createSetupIntent},
		{"GET /v1/setup_intents", secretOnly, "list setup_intent", pageParams().with(createdParam()).with(params{
			"attach_to_self": boolean(), "customer": word(), "payment_method": word(),
		}), listSetupIntents},
		{"GET /v1/setup_intents/:id", publishable, object, expand.with(params{"client_secret": word()}), retrieveSetupIntent},
		{"POST /v1/setup_intents/:id", secretOnly, object, common, updateSetupIntent},
		{"POST /v1/setup_intents/:id/confirm", publishable, object, expand.with(confirming).with(params{
			"client_secret":          word(),
			"payment_method":         word(),
			"payment_method_data":    methodData(),
			"payment_method_options": methodOptions(),
		}), confirmSetupIntent},
		{"POST /v1/setup_intents/:id/cancel", secretOnly, object, expand.with(params{
			"cancellation_reason": oneOf("abandoned", "duplicate", "requested_by_customer"),
		}), cancelSetupIntent},
		{"POST /v1/setup_intents/:id/verify_microdeposits", publishable, object, expand.with(params{
			"amounts": listOf(integer()), "client_secret": word(), "descriptor_code": word(),
		}), verifyMicrodeposits},
	}
}

func createSetupIntent(c *call) (any, error) {
	s, p := c.srv, c.params
	if err := c.createConflicts(); err != nil {
		return nil, err
	}
	meta, err := mergeMetadata(nil, p.at("metadata"))
	if err != nil {
		return nil, err
	}
	si := &setupIntent{
		ID: s.ids.object("seti"), Object: "setup_intent", Created: s.clock.now().Unix(), Metadata: meta,
		OnBehalfOf: ref{id: p.str("on_behalf_of")}, Status: statusNeedsMethod, Usage: "off_session",
	}
	si.ClientSecret = s.ids.id(si.ID+"_secret_", 31)
	if p.has("usage") && echoesUsage {
		si.Usage = p.str("usage")
	}
	if err := c.chooseTypes(si); err != nil {
		return nil, err
	}
	si.hidden.SingleUse, _ = p.at("single_use").plainHash()
	if err := c.assign(si); err != nil {
		return nil, err
	}
	created := func() {
		s.save(si)
		s.emit("setup_intent.created", si, c.cause())
	}
	if !p.yes("confirm") {
		created()
		return si, nil
	}
	if err := c.confirmable(si); err != nil {
		return nil, err
	}
	pm, err := c.paymentMethod(si.PaymentMethod.id, http.StatusBadRequest)
	if err != nil {
		return nil, err
	}
	if err := c.mandated(si, pm); err != nil {
		return nil, err
	}
	created()
	return c.confirm(si, pm)
}

// createConflicts finds parameters that do not go together.
func (c *call) createConflicts() error {
	p := c.params
	if p.yes("automatic_payment_methods", "enabled") && p.has("payment_method_types") {
		return invalidParam("parameters_exclusive", "", onlyOne, "automatic_payment_methods, payment_method_types")
	}
	if !p.yes("confirm") {
		for _, name := range []string{"confirmation_token", "mandate_data", "return_url"} {
			if p.has(name) {
				return invalidParam("setup_intent_invalid_parameter", name, onlyWithConfirm, name)
			}
		}
	}
	return nil
}

// chooseTypes decides which types of payment method the intent accepts.
func (c *call) chooseTypes(si *setupIntent) error {
	p := c.params
	switch {
	case p.has("payment_method_types"):
		si.PaymentMethodTypes = p.strs("payment_method_types")
	case p.yes("automatic_payment_methods", "enabled") ||
		!p.has("automatic_payment_methods") && c.version >= automaticSince:
		redirects := p.str("automatic_payment_methods", "allow_redirects")
		if redirects == "" {
			redirects = "always"
		}
		si.AutomaticPaymentMethods = &automaticMethods{AllowRedirects: redirects, Enabled: true}
		si.PaymentMethodTypes = slices.Clone(c.srv.opts.PaymentMethodTypes)
		si.ConfigurationDetails = &configuration{ID: c.srv.configuration}
	default:
		si.PaymentMethodTypes = []string{"card"}
	}
	return checkTypes(si.PaymentMethodTypes)
}

func checkTypes(types []string) error {
	for _, name := range types {
		if !slices.Contains(methodTypes(), name) {
			return invalidParam("setup_intent_invalid_parameter", "payment_method_types", "The payment method type provided: %s is invalid."+
				" Please ensure the provided type is activated in your dashboard (https://dashboard.stripe.com/account/payments/settings)"+
				" and your account is enabled for any preview features that you are trying to use.", elide(name)) // [2nd]
		}
	}
	return nil
}

// assign sets what both create and update may set.
func (c *call) assign(si *setupIntent) error {
	p := c.params
	if p.has("customer") {
		cus, err := c.customer(p.str("customer"), "customer", http.StatusBadRequest)
		if err != nil {
			return err
		}
		si.Customer = ref{id: cus.ID}
	}
	if p.has("attach_to_self") {
		yes := p.yes("attach_to_self")
		si.AttachToSelf = &yes
	}
	if p.has("flow_directions") {
		si.FlowDirections = p.strs("flow_directions")
	}
	if id := p.str("payment_method_configuration"); id != "" && si.ConfigurationDetails != nil {
		si.ConfigurationDetails = &configuration{ID: id}
	}
	p.setText(&si.Description, "description")
	si.setOptions(p.at("payment_method_options"))
	if !c.givesMethod() {
		return nil
	}
	pm, err := c.givenMethod(si)
	if err != nil {
		return err
	}
	si.PaymentMethod = ref{id: pm.ID}
	if si.Status == statusNeedsMethod || si.Status == statusNeedsAction { // [U] for an update
		si.Status, si.NextAction = statusNeedsConfirmation, nil
	}
	return nil
}

// setOptions fills in the defaults of the intent's types, and then what was given.
func (si *setupIntent) setOptions(given *value) {
	options := make(map[string]map[string]any)
	for _, name := range si.PaymentMethodTypes {
		chosen, ok := given.at(name).plainHash()
		option := defaultOptions(name)
		if option == nil {
			if !ok && si.PaymentMethodOptions[name] == nil {
				continue
			}
			option = make(map[string]any)
		}
		maps.Copy(option, si.PaymentMethodOptions[name])
		maps.Copy(option, chosen)
		completeOptions(name, option)
		options[name] = option
	}
	si.PaymentMethodOptions = options
}

// givesMethod reports whether the request names or describes a payment method.
func (c *call) givesMethod() bool {
	return c.params.has("payment_method") || c.params.has("payment_method_data")
}

// givenMethod returns that payment method, held against the intent.
func (c *call) givenMethod(si *setupIntent) (*paymentMethod, error) {
	var pm *paymentMethod
	var err error
	switch p := c.params; {
	case p.has("payment_method") && p.has("payment_method_data"):
		return nil, invalidParam("parameters_exclusive", "", onlyOne, "payment_method, payment_method_data")
	case p.has("payment_method"):
		pm, err = c.paymentMethod(p.str("payment_method"), http.StatusBadRequest)
	default:
		pm, err = c.newPaymentMethod(p.at("payment_method_data"), "payment_method_data")
	}
	if err != nil {
		return nil, err
	}
	return pm, c.suits(si, pm)
}

// storedMethod returns the intent's payment method, held against the intent once
// more: both may have changed since.
func (c *call) storedMethod(si *setupIntent) (*paymentMethod, error) {
	pm, err := c.paymentMethod(si.PaymentMethod.id, http.StatusBadRequest)
	if err != nil {
		return nil, err
	}
	return pm, c.suits(si, pm)
}

// suits reports why an intent can't be set up with pm, and saves pm, if it is
// new, if it can.
func (c *call) suits(si *setupIntent, pm *paymentMethod) error {
	if owner := pm.Customer.id; owner != "" && owner != si.Customer.id {
		e := refused("", "payment_method", someCustomer, pm.ID, owner)
		if si.Customer.id != "" {
			e = refused("", "payment_method", otherCustomer, pm.ID, si.Customer.id)
		}
		return si.blame(c, e)
	}
	if pm.hidden.Spent || pm.hidden.Used && pm.Customer.id == "" {
		return si.blame(c, refused("", "", spentMethod))
	}
	if !slices.Contains(si.PaymentMethodTypes, pm.Type) {
		return si.blame(c, refused("", "", typeNotAllowed, pm.Type, strings.Join(si.PaymentMethodTypes, ", ")))
	}
	if _, saved := c.srv.state.methods.get(pm.ID); !saved {
		c.srv.save(pm)
	}
	return nil
}

// blame puts the intent on an error, unless it is only being made.
func (si *setupIntent) blame(c *call, e *apiError) *apiError {
	if _, exists := c.srv.state.intents.get(si.ID); exists {
		e.SetupIntent = si
	}
	return e
}

// setupIntent finds the intent of the path, and checks the client secret if
// there is one; a page must give it.
func (c *call) setupIntent() (*setupIntent, error) {
	id := c.path[0]
	si, ok := c.srv.state.intents.get(id)
	if !ok {
		return nil, missing(http.StatusNotFound, "setupintent", "intent", id)
	}
	secret := c.params.str("client_secret")
	switch {
	case secret == "" && c.public:
		return nil, missingParam("client_secret") // [U]
	case secret != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(si.ClientSecret)) == 0:
		return nil, refused(codeSecretMismatch, "client_secret", secretMismatch)
	}
	return si, nil
}

func retrieveSetupIntent(c *call) (any, error) { return c.setupIntent() }

func listSetupIntents(c *call) (any, error) {
	p := c.params
	return page(c, &c.srv.state.intents, "setupintent", func(si *setupIntent) bool {
		return (!p.has("customer") || si.Customer.id == p.str("customer")) &&
			(!p.has("payment_method") || si.PaymentMethod.id == p.str("payment_method")) &&
			(!p.has("attach_to_self") || p.yes("attach_to_self") == (si.AttachToSelf != nil && *si.AttachToSelf))
	})
}

// updateSetupIntent changes an intent. There is no setup_intent.updated event.
func updateSetupIntent(c *call) (any, error) {
	si, err := c.setupIntent()
	if err != nil {
		return nil, err
	}
	p := c.params
	meta, err := mergeMetadata(si.Metadata, p.at("metadata"))
	if err != nil {
		return nil, err
	}
	if c.givesMethod() {
		switch si.Status { // nothing but the payment method is refused [2nd]
		case statusSucceeded:
			return nil, si.blame(c, refused(unexpectedState, "", updateSucceeded))
		case statusCanceled:
			return nil, si.blame(c, refused(unexpectedState, "", updateCanceled))
		}
	}
	changed := *si
	changed.Metadata = meta
	if p.has("payment_method_types") {
		if err := checkTypes(p.strs("payment_method_types")); err != nil {
			return nil, err
		}
		changed.PaymentMethodTypes = p.strs("payment_method_types")
		changed.AutomaticPaymentMethods, changed.ConfigurationDetails = nil, nil
	}
	if err := c.assign(&changed); err != nil {
		return nil, err
	}
	if si.Status == statusNeedsAction && changed.Status != statusNeedsAction {
		c.srv.settleAttempt(si, attemptAbandoned, nil) // nobody waits for its customer any more
	}
	*si = changed
	c.srv.save(si)
	return si, nil
}

func cancelSetupIntent(c *call) (any, error) {
	si, err := c.setupIntent()
	if err != nil {
		return nil, err
	}
	switch si.Status {
	case statusCanceled:
		return nil, si.blame(c, refused(unexpectedState, "", cancelCanceled))
	case statusSucceeded, statusProcessing:
		return nil, si.blame(c, refused(unexpectedState, "", cancelOther, si.Status))
	}
	c.srv.cancel(si, c.params.optional("cancellation_reason"), c.cause())
	return si, nil
}

// cancel ends an intent; its payment method and client secret stay.
func (s *Server) cancel(si *setupIntent, reason *string, why cause) {
	s.settleAttempt(si, attemptAbandoned, nil)
	si.Status, si.CancellationReason, si.NextAction = statusCanceled, reason, nil
	s.save(si)
	s.emit("setup_intent.canceled", si, why)
}
