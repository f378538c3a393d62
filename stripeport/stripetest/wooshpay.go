package stripetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// wooshPrefix is where the same account is served as WooshPay serves it: JSON
// bodies, Basic authentication, other names and times. What its documents
// (docs.wooshpay.com) leave open is as Stripe has it. [U]
const wooshPrefix = "/wooshpay"

// wooshIntent is WooshPay's object, with the fields of its document in their
// order.
type wooshIntent struct {
	ID                   string                    `json:"id"`
	Object               string                    `json:"object"`
	CancellationReason   *string                   `json:"cancellation_reason"`
	ClientSecret         string                    `json:"client_secret"`
	Created              int64                     `json:"created"` // in milliseconds, as in the samples
	Customer             ref                       `json:"customer"`
	Description          *string                   `json:"description"`
	LastSetupError       *wooshSetupError          `json:"last_setup_error"`
	LatestAttempt        ref                       `json:"latest_attempt"`
	Livemode             bool                      `json:"livemode"`
	Mandate              ref                       `json:"mandate"`
	Metadata             map[string]string         `json:"metadata"`
	NextAction           map[string]any            `json:"next_action"`
	PaymentMethod        ref                       `json:"payment_method"`
	PaymentMethodOptions map[string]map[string]any `json:"payment_method_options"`
	PaymentMethodTypes   []string                  `json:"payment_method_types"`
	SingleUseMandate     ref                       `json:"single_use_mandate"`
	Status               string                    `json:"status"`
	ReturnURL            *string                   `json:"return_url"`
}

// wooshPublicIntent is what a page sees of it: what the document marks as
// retrievable with a publishable key.
type wooshPublicIntent struct {
	ID                 string           `json:"id"`
	Object             string           `json:"object"`
	CancellationReason *string          `json:"cancellation_reason"`
	ClientSecret       string           `json:"client_secret"`
	Created            int64            `json:"created"`
	Description        *string          `json:"description"`
	LastSetupError     *wooshSetupError `json:"last_setup_error"`
	Livemode           bool             `json:"livemode"`
	NextAction         map[string]any   `json:"next_action"`
	PaymentMethod      ref              `json:"payment_method"`
	Status             string           `json:"status"`
}

// wooshSetupError is what is wrong with the latest confirmation.
type wooshSetupError struct {
	Code              *string      `json:"code"`
	DeclineCode       *string      `json:"decline_code"`
	Message           *string      `json:"message"`
	Param             *string      `json:"param"`
	PaymentMethod     *wooshMethod `json:"payment_method"`
	PaymentMethodType *string      `json:"payment_method_type"`
	Type              string       `json:"type"`
}

type wooshMethod struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	Created        int64             `json:"created"`
	Customer       ref               `json:"customer"`
	Metadata       map[string]string `json:"metadata"`
	Livemode       bool              `json:"livemode"`
	BillingDetails billingDetails    `json:"billing_details"`
	Type           string            `json:"type"`
	Card           *wooshCard        `json:"card"`
}

type wooshCard struct {
	Brand  string `json:"brand"`
	Checks struct {
		AddressLine1 *string `json:"address_line1_check"`
		AddressZip   *string `json:"address_zip_check"`
		CVC          *string `json:"cvc_check"`
	} `json:"checks"`
	Country     string            `json:"country"`
	ExpMonth    int64             `json:"exp_month"`
	ExpYear     int64             `json:"exp_year"`
	Fingerprint string            `json:"fingerprint"`
	Funding     string            `json:"funding"`
	Last4       string            `json:"last4"`
	Metadata    map[string]string `json:"metadata"`
}

// wooshFailure is WooshPay's error object.
type wooshFailure struct {
	Code        string `json:"code,omitempty"`
	DeclineCode string `json:"decline_code,omitempty"`
	Message     string `json:"message,omitempty"`
	Param       string `json:"param,omitempty"`
	Type        string `json:"type"`
}

func (e *apiError) woosh() *wooshFailure {
	return &wooshFailure{e.Code, e.DeclineCode, e.Message, e.Param, e.Type}
}

const milliseconds = 1000

// woosh is the intent as WooshPay shows it. The caller holds Server.mu.
func (s *Server) woosh(si *setupIntent) *wooshIntent {
	shown := &wooshIntent{
		ID: si.ID, Object: si.Object, CancellationReason: si.CancellationReason, ClientSecret: si.ClientSecret,
		Created: si.Created * milliseconds, Customer: si.Customer, Description: si.Description, LatestAttempt: si.LatestAttempt,
		Livemode: si.Livemode, Mandate: si.Mandate, Metadata: si.Metadata, NextAction: si.wooshAction(), PaymentMethod: si.PaymentMethod,
		PaymentMethodOptions: map[string]map[string]any{}, PaymentMethodTypes: si.PaymentMethodTypes,
		SingleUseMandate: si.SingleUseMandate, Status: si.Status,
	}
	if back := si.hidden.ReturnURL; back != "" {
		shown.ReturnURL = &back
	}
	if options, ok := si.PaymentMethodOptions["card"]; ok {
		shown.PaymentMethodOptions["card"] = map[string]any{"request_three_d_secure": options["request_three_d_secure"]}
	}
	if e := si.LastSetupError; e != nil {
		shown.LastSetupError = s.wooshSetupError(e)
	}
	return shown
}

func (s *Server) wooshPublic(si *setupIntent) *wooshPublicIntent {
	all := s.woosh(si)
	if e := all.LastSetupError; e != nil && e.PaymentMethod != nil {
		e.PaymentMethod.Customer, e.PaymentMethod.Metadata = ref{}, map[string]string{}
	}
	return &wooshPublicIntent{
		ID: all.ID, Object: all.Object, CancellationReason: all.CancellationReason, ClientSecret: all.ClientSecret, Created: all.Created,
		Description: all.Description, LastSetupError: all.LastSetupError, Livemode: all.Livemode, NextAction: all.NextAction,
		PaymentMethod: all.PaymentMethod, Status: all.Status,
	}
}

func (s *Server) wooshSetupError(e *apiError) *wooshSetupError {
	shown := &wooshSetupError{
		Code: nonEmpty(e.Code), DeclineCode: nonEmpty(e.DeclineCode), Message: nonEmpty(e.Message), Param: nonEmpty(e.Param), Type: e.Type,
	}
	var failed struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(e.PaymentMethod, &failed) // an error need not be a method's
	if pm, ok := s.state.methods.get(failed.ID); ok {
		shown.PaymentMethod, shown.PaymentMethodType = pm.woosh(), &pm.Type
	}
	return shown
}

func (pm *paymentMethod) woosh() *wooshMethod {
	shown := &wooshMethod{
		ID: pm.ID, Object: pm.Object, Created: pm.Created * milliseconds, Customer: pm.Customer, Metadata: pm.Metadata,
		Livemode: pm.Livemode, BillingDetails: pm.BillingDetails, Type: pm.Type,
	}
	if c := pm.Card; c != nil {
		shown.Card = &wooshCard{
			Brand: c.Brand, Country: c.Country, ExpMonth: c.ExpMonth, ExpYear: c.ExpYear, Fingerprint: c.Fingerprint,
			Funding: c.Funding, Last4: c.Last4, Metadata: map[string]string{},
		}
		shown.Card.Checks.AddressLine1, shown.Card.Checks.AddressZip, shown.Card.Checks.CVC = c.Checks.AddressLine1, c.Checks.AddressZip, c.Checks.CVC
	}
	return shown
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

const defaultAction = "redirect_to_url"

// wooshActions are the next actions of the document, each with its members.
func wooshActions() map[string][]string {
	url := []string{"url"}
	redirect := []string{"return_url", "url"}
	return map[string][]string{
		defaultAction:                        redirect,
		"ddc_redirect":                       redirect,
		"challenge_redirect":                 redirect,
		"alipayplus_handle_redirect":         {"return_url", "schemeUrl", "applinkUrl", "normalUrl"},
		"alipay_handle_redirect":             {"native_data", "native_url", "return_url", "url"},
		"wechat_pay_display_qr_code":         {"data", "data_ur", "image_url_png", "image_url_svg"},
		"wechat_pay_redirect_to_android_app": {"native_url"},
		"wechat_pay_redirect_to_ios_app":     {"native_url"},
		"wechat_pay_redirect_to_web":         url,
		"wechat_pay_official_account_params": {"appId", "timeStamp", "nonceStr", "signType", "paySign", "package"},
		"truemoney_handle_redirect":          url,
		"akulaku_handle_redirect":            url,
		"bank_transfer_id_handle_redirect":   url,
		"promptpay_handle_redirect":          url,
		"dana_handle_redirect":               url,
		"shopeepay_handle_redirect":          url,
		"gcash_handle_redirect":              url,
		"rabbit_line_pay_handle_redirect":    url,
		"alipay_hk_handle_redirect":          url,
		"bpi_handle_redirect":                url,
	}
}

// wooshActionOf is the next action of a type of payment method. Which it is for
// a card is [U].
func wooshActionOf(methodType string) string {
	if methodType == "wechat_pay" {
		return "wechat_pay_display_qr_code"
	}
	if name := methodType + "_handle_redirect"; wooshActions()[name] != nil {
		return name
	}
	return defaultAction
}

// wooshAction is the next action as WooshPay shows it: whatever it is called, it
// leads to the fake's page.
func (si *setupIntent) wooshAction() map[string]any {
	next := si.NextAction
	if next == nil {
		return nil
	}
	page := ""
	if next.RedirectToURL != nil && next.RedirectToURL.URL != nil {
		page = *next.RedirectToURL.URL
	} else if url, ok := next.UseStripeSDK["stripe_js"].(string); ok {
		page = url
	}
	name := si.hidden.Action
	members := wooshActions()[name]
	if members == nil {
		name, members = defaultAction, wooshActions()[defaultAction]
	}
	details := make(map[string]any, len(members))
	for _, member := range members {
		switch member {
		case "return_url":
			details[member] = nonEmpty(si.hidden.ReturnURL)
		case "appId", "timeStamp", "nonceStr", "signType", "paySign", "package":
			details[member] = "test"
		default:
			details[member] = page
		}
	}
	return map[string]any{"type": name, name: details}
}

// wooshTypes are the types of payment method of WooshPay's document, and akulaku,
// which has a next action.
func wooshTypes() []string {
	return []string{
		"9pay", "akulaku", "alipay", "alipay_hk", "alipayplus", "bancontact", "bank_transfer_id", "boleto", "boost", "bpi", "card", "dana",
		"eps", "fpx", "gcash", "giropay", "grabpay", "ideal", "kakaopay", "klarna", "mcash", "ovo", "p24", "paynow", "pix", "promptpay",
		"qris", "rabbit_line_pay", "sepa_debit", "shopeepay", "sofort", "stitch", "touchngo", "truemoney", "trustly", "unionpay", "upi",
		"wechat_pay",
	}
}

func wooshRoutes() []*route {
	code := hashOf(params{"payment_code": text(5000)})
	common := params{
		"customer":               word(),
		"description":            text(1000),
		"metadata":               metadata(),
		"payment_method":         word(),
		"payment_method_options": hashOf(params{"card": hashOf(params{"request_three_d_secure": text(100)})}),
		"payment_method_data": hashOf(params{
			"type":            oneOf(wooshTypes()...).must(),
			"billing_details": billingParams(),
			"card": hashOf(params{
				"exp_month": integer(), "exp_year": integer(), "number": word(), "cvc": word(), "name": text(5000),
			}),
			"wechat_pay": code,
			"alipayplus": code,
		}),
		"usage":      oneOf("off_session", "on_session"),
		"return_url": link(word()),
	}
	return []*route{
		{"POST " + wooshPrefix + "/v1/setup_intents", secretOnly, "", common.with(params{
			"confirm": boolean(), "payment_method_types": listOf(word()),
		}), createWooshIntent},
		{"GET " + wooshPrefix + "/v1/setup_intents/:id", publishable, "", params{"client_secret": word()}, retrieveSetupIntent},
		{"POST " + wooshPrefix + "/v1/setup_intents/:id/confirm", publishable, "", common.with(params{
			"client_secret": word(), "return_url": link(word()).must(),
		}), confirmWooshIntent},
	}
}

// Texts of the fake's own. [U]
const (
	wooshRawCard = "Card numbers must not pass through a server: raw card data in payment_method_data[card] is refused with a secret key." +
		" Let WooshPay's SDK collect them in the browser, and name the payment method by its id; for tests, pm_card_visa." +
		" A payment_method_data of type card without a card stands for it, too."
	wooshReturnURL = "This parameter can only be used with confirm=true."
	wooshNoKey     = "You did not provide an API key. Use HTTP Basic authentication, with the key as the user name and no password."
)

func createWooshIntent(c *call) (any, error) {
	s, p := c.srv, c.params
	if err := c.noRawCard(); err != nil {
		return nil, err
	}
	if p.has("return_url") && !p.yes("confirm") {
		return nil, invalidParam("", "return_url", wooshReturnURL)
	}
	meta, err := mergeMetadata(nil, p.at("metadata"))
	if err != nil {
		return nil, err
	}
	si := &setupIntent{
		ID: s.ids.digits("seti_", 19), Object: "setup_intent", Created: s.clock.now().Unix(), Metadata: meta,
		PaymentMethodTypes: p.strs("payment_method_types"), Status: statusNeedsMethod, Usage: "off_session",
	}
	si.ClientSecret = s.ids.id(s.ids.digits("pi_", 19)+"_secret_", 24)
	if len(si.PaymentMethodTypes) == 0 {
		si.PaymentMethodTypes = []string{"card"}
	}
	for i, name := range si.PaymentMethodTypes {
		if !slices.Contains(wooshTypes(), name) {
			return nil, invalidParam("", nested("payment_method_types", strconv.Itoa(i)), "There is no payment method type %s.", elide(name))
		}
	}
	if err := c.assignWoosh(si); err != nil {
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
	pm, err := c.confirmableWoosh(si)
	if err != nil {
		return nil, err
	}
	created()
	return c.confirmWoosh(si, pm)
}

func confirmWooshIntent(c *call) (any, error) {
	si, err := c.setupIntent()
	if err != nil {
		return nil, err
	}
	if err := c.noRawCard(); err != nil {
		return nil, err
	}
	for _, name := range []string{"customer", "description", "metadata", "usage"} {
		if c.public && c.params.has(name) {
			return nil, invalidParam("", name, "This parameter cannot be set with a publishable API key.")
		}
	}
	meta, err := mergeMetadata(si.Metadata, c.params.at("metadata"))
	if err != nil {
		return nil, err
	}
	changed := *si
	changed.Metadata = meta
	if err := c.assignWoosh(&changed); err != nil {
		return nil, err
	}
	pm, err := c.confirmableWoosh(&changed)
	if err != nil {
		return nil, err
	}
	*si = changed
	return c.confirmWoosh(si, pm)
}

// noRawCard refuses the data of a card from a server. A page may send it, as
// WooshPay's SDK does.
func (c *call) noRawCard() error {
	if c.params.has("payment_method_data", "card") && !c.public {
		return invalidParam("", "payment_method_data[card]", wooshRawCard)
	}
	return nil
}

// assignWoosh sets what both create and confirm may set.
func (c *call) assignWoosh(si *setupIntent) error {
	p := c.params
	if p.has("customer") {
		cus, err := c.customer(p.str("customer"), "customer", http.StatusBadRequest)
		if err != nil {
			return err
		}
		si.Customer = ref{id: cus.ID}
	}
	if p.has("usage") {
		si.Usage = p.str("usage")
	}
	p.setText(&si.Description, "description")
	si.setOptions(p.at("payment_method_options"))
	if !c.givesMethod() {
		return nil
	}
	var pm *paymentMethod
	var err error
	if p.has("payment_method") {
		pm, err = c.paymentMethod(p.str("payment_method"), http.StatusBadRequest)
	} else {
		pm, err = c.describeWoosh(p.at("payment_method_data"))
	}
	if err != nil {
		return err
	}
	if err := c.suits(si, pm); err != nil {
		return err
	}
	si.PaymentMethod = ref{id: pm.ID}
	if si.Status == statusNeedsMethod || si.Status == statusNeedsAction {
		si.Status, si.NextAction = statusNeedsConfirmation, nil
	}
	return nil
}

// describeWoosh makes the payment method that the request describes. A card
// without its data is the Visa card for tests.
func (c *call) describeWoosh(v *value) (pm *paymentMethod, err error) {
	switch methodType := v.str("type"); {
	case methodType != "card":
		pm = c.srv.newMethod(methodType)
		pm.hidden.Details, _ = v.at(methodType).plainHash()
		pm.hidden.Outcome = challenges
	case v.has("card"):
		if pm, err = c.describedCard(v.at("card"), "payment_method_data[card]"); err != nil {
			return nil, err
		}
	default:
		pm = c.srv.knownCard(c.srv.deck.byID["pm_card_visa"])
	}
	pm.setBilling(v.at("billing_details"))
	return pm, nil
}

func (c *call) confirmableWoosh(si *setupIntent) (*paymentMethod, error) {
	if si.PaymentMethod.id == "" {
		return nil, refused(unexpectedState, "", confirmWithoutMethod)
	}
	switch si.Status {
	case statusSucceeded:
		return nil, refused(unexpectedState, "", confirmSucceeded)
	case statusCanceled:
		return nil, refused(unexpectedState, "", confirmCanceled)
	case statusProcessing:
		return nil, refused(unexpectedState, "", confirmProcessing)
	}
	return c.storedMethod(si)
}

func (c *call) confirmWoosh(si *setupIntent, pm *paymentMethod) (any, error) {
	si.hidden.Action = wooshActionOf(pm.Type)
	return c.confirm(si, pm)
}

// authenticateBasic finds who makes a call to WooshPay: the key is the user name.
func (c *call) authenticateBasic() error {
	key, _, _ := c.r.BasicAuth()
	switch key {
	case "":
		return unauthorized("", wooshNoKey)
	case c.srv.opts.SecretKey:
		return nil
	case c.srv.opts.PublishableKey:
		if c.route.access != publishable {
			return unauthorized("", "This call cannot be made with a publishable API key.")
		}
		c.public = true
		return nil
	}
	return unauthorized("", "Invalid API key: "+mask(key))
}

// wooshEvent is an event as WooshPay sends it.
type wooshEvent struct {
	ID         string         `json:"id"`
	Object     string         `json:"object"`
	APIVersion string         `json:"api_version"`
	Created    int64          `json:"created"` // in milliseconds
	Data       map[string]any `json:"data"`
	Livemode   bool           `json:"livemode"`
	Pending    int            `json:"pending_webhooks"`
	Type       string         `json:"type"`
}

const wooshVersion = "1.0.1" // of events

// wooshKnows reports whether WooshPay has events of the type.
func wooshKnows(event string) bool {
	return event == "setup_intent.created" || event == "setup_intent.succeeded"
}

// woosh is the event as WooshPay sends it. The caller holds Server.mu.
func (e *event) woosh(s *Server) *wooshEvent {
	object := any(e.hidden.Woosh)
	if e.hidden.Woosh == nil { // no endpoint of WooshPay's was there at the time
		var head struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(e.Data.Object, &head) // the fake wrote it
		if si, ok := s.state.intents.get(head.ID); ok {
			object = s.woosh(si)
		}
	}
	return &wooshEvent{
		ID: e.ID, Object: e.Object, APIVersion: wooshVersion, Created: e.Created * milliseconds,
		Data: map[string]any{"object": object}, Livemode: e.Livemode, Pending: e.PendingWebhooks, Type: e.Type,
	}
}

// isWoosh reports whether a path is of WooshPay's flavour.
func isWoosh(path string) bool { return strings.HasPrefix(path, wooshPrefix+"/") }
