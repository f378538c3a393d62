package contract

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// TestObjects drives every operation of the fake through every state, and holds
// each answer and each event against Stripe's schemas.
func TestObjects(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	for _, drive := range []func(*account){
		driveCustomers, driveCards, driveDeclines, driveAuthentication, driveTypes, driveDeposits, driveMandates, driveOptions,
		driveEnds, drivePages, driveMethods, driveKeys, driveEndpoints, driveLists, driveErrors,
	} {
		a := newAccount(t, c)
		drive(a)
		a.events()
	}

	for operation := range c.operations {
		require.Positive(t, c.answers[operation], "%s was never answered", operation)
	}
	for kind, statuses := range map[string][]string{
		"setup_intent":  {"requires_payment_method", "requires_confirmation", "requires_action", "processing", "succeeded", "canceled"},
		"setup_attempt": {"requires_action", "processing", "succeeded", "failed", "abandoned"},
		"mandate":       {"pending", "active"},
	} {
		for _, status := range statuses {
			require.Positive(t, c.objects[kind+" "+status], "no %s was %s", kind, status)
		}
	}
	answers, objects := 0, 0
	for _, n := range c.answers {
		answers += n
	}
	for _, kind := range slices.Sorted(maps.Keys(c.objects)) {
		objects += c.objects[kind]
		t.Logf("%5d %s", c.objects[kind], kind)
	}
	t.Logf("%d answers of %d operations and %d errors: %d objects, all as Stripe's schemas have them",
		answers, len(c.operations), c.refusals, objects)
}

// An account is one of the fake's, whose every answer is checked.
type account struct {
	t      *testing.T
	c      *checker
	fake   *stripetest.Server
	key    string
	header map[string]string
}

func newAccount(t *testing.T, c *checker) *account {
	t.Helper()
	a := &account{t: t, c: c, key: stripetest.DefaultSecretKey}
	var err error
	a.fake, err = stripetest.New(&stripetest.Options{
		Now:              func() time.Time { return time.Date(2024, time.June, 20, 12, 0, 0, 0, time.UTC) },
		Webhooks:         []stripetest.Webhook{{URL: "https://app.test/webhooks"}},
		WebhookTransport: endpoint{},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.fake.Close()) })
	return a
}

// endpoint takes every event. Those are checked as they are listed.
type endpoint struct{}

func (endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, err
}

// as is the account with another key.
func (a *account) as(key string) *account {
	other := *a
	other.key = key
	return &other
}

// with is the account with one header more.
func (a *account) with(name, value string) *account {
	other := *a
	other.header = map[string]string{name: value}
	return &other
}

// events lists all of them.
func (a *account) events() {
	a.t.Helper()
	path := "/v1/events?limit=100"
	for {
		page := a.get(path)
		events, _ := page["data"].([]any)
		if page["has_more"] != true {
			return
		}
		path = "/v1/events?limit=100&starting_after=" + text(events[len(events)-1], "id")
	}
}

func (a *account) get(path string) map[string]any { return a.call(http.StatusOK, "GET", path) }
func (a *account) post(path string, form ...string) map[string]any {
	return a.call(http.StatusOK, "POST", path, form...)
}
func (a *account) del(path string) map[string]any { return a.call(http.StatusOK, "DELETE", path) }

// call makes a call that is to be answered with a status.
func (a *account) call(status int, method, path string, form ...string) map[string]any {
	a.t.Helper()
	what := fmt.Sprintf("%s %s %s", method, path, form)
	r, err := http.NewRequest(method, "http://stripe.test"+path, strings.NewReader(strings.Join(form, "&")))
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+a.key)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range a.header {
		r.Header.Set(name, value)
	}
	response, err := a.fake.Client().Do(r)
	require.NoError(a.t, err)
	var body map[string]any
	decodeBody(a.t, response, &body)
	require.Equal(a.t, status, response.StatusCode, "%s: %v", what, body)
	require.NoError(a.t, a.c.answer(method+" "+template(r.URL.Path), status, body, a.key == stripetest.DefaultPublishableKey), what)
	return body
}

func decodeBody(t *testing.T, response *http.Response, v any) {
	t.Helper()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	decode(t, content, v)
}

// template makes /v1/setup_intents/:id of a path.
func template(path string) string {
	segments := strings.Split(path, "/")
	for i := 3; i < len(segments); i += 2 {
		segments[i] = ":id"
	}
	return strings.Join(segments, "/")
}

func text(v any, names ...string) string {
	s, _ := at(v, names...).(string)
	return s
}

// create makes an intent for cards, customer and all.
func (a *account) create(form ...string) string {
	a.t.Helper()
	return text(a.post("/v1/setup_intents", append(form, "payment_method_types[]=card")...), "id")
}

// settled retrieves an intent with all that hangs on it, and its attempts.
func (a *account) settled(id, status string) map[string]any {
	a.t.Helper()
	intent := a.get("/v1/setup_intents/" + id +
		"?expand[]=customer&expand[]=latest_attempt.payment_method&expand[]=payment_method&expand[]=mandate&expand[]=single_use_mandate")
	require.Equal(a.t, status, intent["status"])
	a.get("/v1/setup_attempts?setup_intent=" + id + "&expand[]=data.setup_intent&expand[]=data.customer")
	return intent
}

const wholeCustomer = "email=a@example.com&name=A&phone=1&description=d&balance=-5&metadata[a]=b&preferred_locales[]=de&tax_exempt=reverse" +
	"&address[line1]=1&address[city]=B&address[country]=DE&address[postal_code]=1&shipping[name]=A&shipping[address][line1]=1" +
	"&invoice_settings[footer]=f&invoice_settings[custom_fields][0][name]=n&invoice_settings[custom_fields][0][value]=v" +
	"&invoice_settings[rendering_options][amount_tax_display]=exclude_tax&invoice_prefix=ABC123&next_invoice_sequence=7"

func driveCustomers(a *account) {
	a.post("/v1/customers")
	id := text(a.post("/v1/customers", wholeCustomer, "payment_method=pm_card_visa", "invoice_settings[default_payment_method]=pm_card_visa"), "id")
	a.get("/v1/customers/" + id + "?expand[]=invoice_settings.default_payment_method")
	a.post("/v1/customers/"+id, "metadata[a]=", "email=", "name=B", "address=")
	a.get("/v1/customers/" + id + "/payment_methods")
	method := text(a.get("/v1/payment_methods?customer=" + id)["data"].([]any)[0], "id")
	a.get("/v1/customers/" + id + "/payment_methods/" + method + "?expand[]=customer")
	a.get("/v1/customers?email=a@example.com&expand[]=data.invoice_settings.default_payment_method")
	a.post("/v1/customer_sessions", "customer="+id, "components[pricing_table][enabled]=true")
	a.post("/v1/customer_sessions", "customer="+id, "components[payment_element][enabled]=true",
		"components[payment_element][features][payment_method_save]=enabled", "expand[]=customer")
	a.del("/v1/customers/" + id)
	a.get("/v1/customers/" + id)
}

func driveCards(a *account) {
	customer := text(a.post("/v1/customers"), "id")
	for _, method := range []string{
		"pm_card_visa", "pm_card_visa_debit", "pm_card_mastercard", "pm_card_mastercard_debit", "pm_card_mastercard_prepaid",
		"pm_card_amex", "pm_card_discover", "pm_card_diners", "pm_card_jcb", "pm_card_unionpay", "pm_card_us",
		"pm_card_chargeCustomerFail", "pm_card_threeDSecureOptional", "pm_card_amex_threeDSecureNotSupported",
	} {
		a.settled(a.create("confirm=true", "customer="+customer, "payment_method="+method), "succeeded")
		a.settled(a.create("confirm=true", "payment_method="+method, "description=d", "usage=on_session"), "succeeded")
	}
	id := text(a.post("/v1/setup_intents"), "id") // automatic methods
	a.post("/v1/setup_intents/"+id, "metadata[a]=b", "description=d", "customer="+customer)
	a.post("/v1/setup_intents/"+id, "payment_method=pm_card_visa", "metadata=")
	a.post("/v1/setup_intents/"+id+"/confirm", "return_url=https://app.test/")
	a.settled(id, "succeeded")
	a.post("/v1/setup_intents/"+id, "metadata[late]=yes")
	a.post("/v1/setup_intents", "automatic_payment_methods[enabled]=true", "automatic_payment_methods[allow_redirects]=never",
		"confirm=true", "payment_method_data[type]=card", "payment_method_data[card][number]=4242424242424242",
		"payment_method_data[card][exp_month]=12", "payment_method_data[card][exp_year]=2030", "payment_method_data[card][cvc]=123",
		"payment_method_data[billing_details][address][postal_code]=1", "payment_method_data[billing_details][address][line1]=1")
}

func driveDeclines(a *account) {
	for _, method := range []string{
		"pm_card_chargeDeclined", "pm_card_visa_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedLostCard",
		"pm_card_chargeDeclinedStolenCard", "pm_card_chargeDeclinedExpiredCard", "pm_card_chargeDeclinedIncorrectCvc",
		"pm_card_chargeDeclinedProcessingError", "pm_card_chargeDeclinedVelocityLimitExceeded", "pm_card_radarBlock",
	} {
		id := a.create()
		a.call(http.StatusPaymentRequired, "POST", "/v1/setup_intents/"+id+"/confirm", "payment_method="+method, "expand[]=customer")
		a.settled(id, "requires_payment_method")
		a.call(http.StatusPaymentRequired, "POST", "/v1/setup_intents", "payment_method_types[]=card", "confirm=true", "payment_method="+method)
	}
	for _, outcome := range []stripetest.Outcome{"do_not_honor", "fraudulent", "insufficient_funds", stripetest.OutcomeFailAuthentication} {
		id := a.create()
		require.NoError(a.t, a.fake.Resolve(id, outcome))
		a.settled(id, "requires_payment_method")
	}
}

func driveAuthentication(a *account) {
	methods := []string{
		"pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup", "pm_card_threeDSecure2Required",
		"pm_card_threeDSecureRequired", "pm_card_threeDSecureRequiredChargeDeclined",
	}
	for i, method := range methods {
		for _, where := range []string{"return_url=https://app.test/", "use_stripe_sdk=true"} {
			id := a.create("payment_method=" + method)
			a.settled(id, "requires_confirmation")
			a.post("/v1/setup_intents/"+id+"/confirm", where)
			a.settled(id, "requires_action")
			outcome := stripetest.OutcomeSucceed
			if i%2 == 1 {
				outcome = stripetest.OutcomeFailAuthentication
			}
			require.NoError(a.t, a.fake.Resolve(id, outcome))
			a.settled(id, map[stripetest.Outcome]string{
				stripetest.OutcomeSucceed: "succeeded", stripetest.OutcomeFailAuthentication: "requires_payment_method",
			}[outcome])
		}
	}
	id := a.create("confirm=true", "payment_method="+methods[0])
	a.post("/v1/setup_intents/"+id, "payment_method=pm_card_visa") // gives the attempt up
	a.post("/v1/setup_intents/" + id + "/confirm")
	a.settled(id, "succeeded")
}

// types are the payment methods, as payment_method_data describes them.
var types = map[string]string{
	"acss_debit":        "[account_number]=000123456789&[institution_number]=000&[transit_number]=11000",
	"affirm":            "",
	"afterpay_clearpay": "",
	"alipay":            "",
	"amazon_pay":        "",
	"au_becs_debit":     "[account_number]=000123456&[bsb_number]=000000",
	"bacs_debit":        "[account_number]=00012345&[sort_code]=108800",
	"bancontact":        "",
	"blik":              "",
	"boleto":            "[tax_id]=000.000.000-00",
	"cashapp":           "",
	"customer_balance":  "",
	"eps":               "[bank]=bank_austria",
	"fpx":               "[bank]=maybank2u&[account_holder_type]=individual",
	"giropay":           "",
	"grabpay":           "",
	"ideal":             "[bank]=ing",
	"klarna":            "[dob][day]=1&[dob][month]=2&[dob][year]=1990",
	"konbini":           "",
	"link":              "",
	"mobilepay":         "",
	"multibanco":        "",
	"oxxo":              "",
	"p24":               "[bank]=blik",
	"paynow":            "",
	"paypal":            "",
	"pix":               "",
	"promptpay":         "",
	"revolut_pay":       "",
	"sepa_debit":        "[iban]=DE89370400440532013000",
	"sofort":            "[country]=DE",
	"swish":             "",
	"twint":             "",
	"us_bank_account":   "[account_number]=000123456789&[routing_number]=110000000&[account_holder_type]=individual",
	"wechat_pay":        "",
	"zip":               "",
}

// described is one of the types as parameters within a hash, or none.
func described(name, in string) string {
	form := "payment_method_data[type]=" + name + "&payment_method_data[billing_details][email]=a@example.com"
	prefix := "payment_method_data[" + name + "]"
	if in == "" {
		form, prefix = "type="+name, name
	}
	for field := range strings.SplitSeq(types[name], "&") {
		if field != "" {
			form += "&" + prefix + field
		}
	}
	return form
}

const accepted = "mandate_data[customer_acceptance][type]=online&mandate_data[customer_acceptance][online][ip_address]=127.0.0.1" +
	"&mandate_data[customer_acceptance][online][user_agent]=x"

func driveTypes(a *account) {
	customer := text(a.post("/v1/customers"), "id")
	for _, name := range slices.Sorted(maps.Keys(types)) {
		id := text(a.post("/v1/setup_intents", "confirm=true", "customer="+customer, "return_url=https://app.test/",
			"payment_method_types[]="+name, described(name, "payment_method_data"), accepted), "id")
		if name != "us_bank_account" && name != "acss_debit" {
			a.fake.Advance(time.Hour)
		}
		if intent, _ := a.fake.SetupIntent(id); intent.Status != "succeeded" {
			a.get("/v1/setup_intents/" + id + "?expand[]=latest_attempt&expand[]=payment_method&expand[]=mandate")
			require.NoError(a.t, a.fake.Resolve(id, stripetest.OutcomeSucceed))
		}
		a.settled(id, "succeeded")
	}
	for _, method := range []string{"pm_usBankAccount_success", "pm_usBankAccount_processing"} {
		a.post("/v1/setup_intents", "confirm=true", "payment_method_types[]=us_bank_account", "payment_method="+method, accepted)
	}
	a.post("/v1/setup_intents", "confirm=true", "payment_method_types[]=bacs_debit", "payment_method=pm_bacsDebit_success", accepted)
	id := a.create()
	require.NoError(a.t, a.fake.Resolve(id, stripetest.OutcomeProcess))
	a.settled(id, "processing")
}

func driveDeposits(a *account) {
	wait := func(name string) string {
		a.t.Helper()
		id := text(a.post("/v1/setup_intents", "confirm=true", "payment_method_types[]="+name, described(name, "payment_method_data"), accepted), "id")
		a.settled(id, "requires_action")
		return id
	}
	for proof, name := range map[string]string{"amounts[]=32&amounts[]=45": "acss_debit", "descriptor_code=SM11AA": "us_bank_account"} {
		id := wait(name)
		a.post("/v1/setup_intents/"+id+"/verify_microdeposits", proof)
		a.settled(id, "succeeded")
	}
	for _, proof := range []string{"amounts[]=1&amounts[]=2", "amounts[]=10&amounts[]=11", "amounts[]=40&amounts[]=41"} {
		a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+wait("acss_debit")+"/verify_microdeposits", proof)
	}
	for _, proof := range []string{"descriptor_code=SM00XX", "descriptor_code=SM33CC", "descriptor_code=SM44DD"} {
		id := wait("us_bank_account")
		a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id+"/verify_microdeposits", proof)
		a.get("/v1/setup_intents/" + id + "?expand[]=latest_attempt")
	}
}

func driveMandates(a *account) {
	offline := "mandate_data[customer_acceptance][type]=offline&mandate_data[customer_acceptance][accepted_at]=1700000000"
	for _, name := range []string{"acss_debit", "au_becs_debit", "bacs_debit", "sepa_debit", "us_bank_account"} {
		for i, more := range []string{accepted, offline, accepted + "&single_use[amount]=100&single_use[currency]=eur"} {
			intent := a.post("/v1/setup_intents", "confirm=true", "payment_method_types[]="+name, described(name, "payment_method_data"), more)
			mandate := "mandate"
			if i == 2 {
				mandate = "single_use_mandate"
			}
			a.get("/v1/mandates/" + text(intent, mandate) + "?expand[]=payment_method")
		}
	}
}

// driveOptions gives every option there is to the intent that shows it.
func driveOptions(a *account) {
	for name, options := range map[string]string{
		"card": "[network]=visa&[moto]=true&[request_three_d_secure]=any&[mandate_options][amount]=1&[mandate_options][amount_type]=fixed" +
			"&[mandate_options][currency]=eur&[mandate_options][interval]=month&[mandate_options][reference]=r&[mandate_options][start_date]=1700000000",
		"acss_debit": "[currency]=cad&[verification_method]=microdeposits&[mandate_options][payment_schedule]=interval" +
			"&[mandate_options][interval_description]=x&[mandate_options][transaction_type]=business&[mandate_options][custom_mandate_url]=https://x.test" +
			"&[mandate_options][default_for][]=invoice",
		"us_bank_account": "[verification_method]=instant&[financial_connections][permissions][]=balances&[financial_connections][prefetch][]=balances" +
			"&[financial_connections][return_url]=https://x.test&[financial_connections][filters][account_subcategories][]=checking" +
			"&[mandate_options][collection_method]=paper&[networks][requested][]=ach",
		"paypal":     "[billing_agreement_id]=x",
		"link":       "[persistent_token]=x",
		"amazon_pay": "",
	} {
		form := []string{"payment_method_types[]=" + name, "flow_directions[]=inbound", "on_behalf_of=acct_1", "attach_to_self=true"}
		for option := range strings.SplitSeq(options, "&") {
			if option != "" {
				form = append(form, "payment_method_options["+name+"]"+option)
			}
		}
		id := text(a.post("/v1/setup_intents", form...), "id")
		a.post("/v1/setup_intents/"+id, form[4:]...)
	}
	a.create("payment_method_options[card][three_d_secure][version]=2.2.0", "payment_method_options[card][three_d_secure][cryptogram]=x")
	a.post("/v1/setup_intents", "payment_method_configuration=pmc_1", "single_use[amount]=1", "single_use[currency]=eur")
}

func driveEnds(a *account) {
	for _, reason := range []string{"", "cancellation_reason=abandoned", "cancellation_reason=duplicate", "cancellation_reason=requested_by_customer"} {
		for _, more := range []string{"", "payment_method=pm_card_visa", "confirm=true&payment_method=pm_card_authenticationRequired"} {
			id := a.create(more)
			a.post("/v1/setup_intents/"+id+"/cancel", reason)
			a.settled(id, "canceled")
			a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id+"/cancel")
			a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id+"/confirm", "payment_method=pm_card_visa")
			a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id, "payment_method=pm_card_visa")
		}
	}
	id := a.create()
	require.NoError(a.t, a.fake.Resolve(id, stripetest.OutcomeCancel))
	a.settled(id, "canceled")
	id = a.create("confirm=true", "payment_method=pm_card_visa")
	a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id+"/cancel")
	a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id+"/confirm")
	a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id, "payment_method=pm_card_visa")
	a.call(http.StatusBadRequest, "POST", "/v1/setup_intents/"+id+"/verify_microdeposits", "amounts[]=32", "amounts[]=45")
}

// drivePages is what a page does.
func drivePages(a *account) {
	page := a.as(stripetest.DefaultPublishableKey)
	intent := a.post("/v1/setup_intents", "payment_method_types[]=card", "payment_method_types[]=us_bank_account", "metadata[hidden]=yes")
	path, secret := "/v1/setup_intents/"+text(intent, "id"), "client_secret="+text(intent, "client_secret")
	page.get(path + "?" + secret)
	method := text(page.post("/v1/payment_methods", "type=card", "card[number]=4000000000000002", "card[exp_month]=1", "card[exp_year]=2030"), "id")
	page.call(http.StatusPaymentRequired, "POST", path+"/confirm", secret, "payment_method="+method)
	page.get(path + "?" + secret)
	page.post(path+"/confirm", secret, "payment_method=pm_card_authenticationRequired", "use_stripe_sdk=true")
	page.call(http.StatusBadRequest, "GET", path)
	page.call(http.StatusBadRequest, "GET", path+"?client_secret=wrong")
	page.call(http.StatusUnauthorized, "POST", path+"/cancel", secret)
	page.post(path+"/confirm", secret, "expand[]=payment_method", described("us_bank_account", "payment_method_data"))
	page.post(path+"/verify_microdeposits", secret, "descriptor_code=SM11AA")
	page.get(path + "?expand[]=payment_method&" + secret)
	page.call(http.StatusBadRequest, "POST", path+"/confirm", secret, "payment_method=pm_card_visa")
}

func driveMethods(a *account) {
	customer := text(a.post("/v1/customers"), "id")
	for _, name := range slices.Sorted(maps.Keys(types)) {
		a.post("/v1/payment_methods", described(name, ""))
	}
	method := text(a.post("/v1/payment_methods", "type=card", "card[token]=tok_mastercard", "metadata[a]=b", "allow_redisplay=always",
		"billing_details[name]=A", "billing_details[address][line1]=1", "card[networks][preferred]=visa"), "id")
	a.call(http.StatusBadRequest, "POST", "/v1/payment_methods/"+method, "metadata[a]=c")
	a.call(http.StatusBadRequest, "POST", "/v1/payment_methods/"+method+"/detach")
	a.post("/v1/payment_methods/"+method+"/attach", "customer="+customer, "expand[]=customer")
	a.post("/v1/payment_methods/"+method, "metadata[a]=c", "card[exp_month]=1", "card[exp_year]=2031", "billing_details[phone]=1")
	a.get("/v1/payment_methods/" + method)
	a.get("/v1/payment_methods?type=card&limit=100")
	a.post("/v1/payment_methods", "customer="+customer, "payment_method="+method)
	a.post("/v1/payment_methods/" + method + "/detach")
	a.call(http.StatusBadRequest, "POST", "/v1/payment_methods/"+method+"/attach", "customer="+customer)
	a.call(http.StatusPaymentRequired, "POST", "/v1/payment_methods/pm_card_chargeDeclined/attach", "customer="+customer)
	a.get("/v1/events?types[]=payment_method.attached&types[]=payment_method.detached&types[]=payment_method.updated")
	for _, card := range []string{
		"card[number]=4242424242424241&card[exp_month]=1&card[exp_year]=2030", "card[number]=4242424242424242&card[exp_month]=13&card[exp_year]=2030",
		"card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2020", "card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2030&card[cvc]=1",
		"card[number]=4929000000006&card[exp_month]=1&card[exp_year]=2030",
	} {
		a.call(http.StatusPaymentRequired, "POST", "/v1/payment_methods", "type=card", card)
	}
}

func driveKeys(a *account) {
	customer := text(a.post("/v1/customers", "payment_method=pm_card_visa"), "id")
	key := a.with("Stripe-Version", stripetest.DefaultAPIVersion).post("/v1/ephemeral_keys", "customer="+customer)
	app := a.as(text(key, "secret"))
	app.get("/v1/customers/" + customer)
	app.get("/v1/customers/" + customer + "/payment_methods")
	app.call(http.StatusForbidden, "POST", "/v1/setup_intents")
	a.call(http.StatusBadRequest, "POST", "/v1/ephemeral_keys", "customer="+customer)
	a.del("/v1/ephemeral_keys/" + text(key, "id"))
	app.call(http.StatusUnauthorized, "GET", "/v1/customers/"+customer)
}

func driveEndpoints(a *account) {
	path := "/v1/webhook_endpoints"
	a.post(path, "url=https://b.test", "enabled_events[]=*")
	endpoint := a.post(path, "url=https://c.test", "enabled_events[]=setup_intent.succeeded", "api_version=2024-06-20", "description=d", "metadata[a]=b")
	require.NotEmpty(a.t, endpoint["secret"])
	path += "/" + text(endpoint, "id")
	a.post(path, "disabled=true", "description=", "metadata[a]=")
	require.NotContains(a.t, a.get(path), "secret")
	a.get("/v1/webhook_endpoints")
	a.call(http.StatusBadRequest, "POST", path, "url=c.test")
	a.del(path)
	a.call(http.StatusNotFound, "GET", path)
}

func driveLists(a *account) {
	for range 12 {
		a.create("payment_method=pm_card_visa", "metadata[a]=b")
	}
	for _, name := range []string{"setup_intents", "customers", "events", "webhook_endpoints", "payment_methods"} {
		first := a.get("/v1/" + name + "?limit=3")
		if data, _ := first["data"].([]any); len(data) > 0 {
			cursor := text(data[len(data)-1], "id")
			a.get("/v1/" + name + "?starting_after=" + cursor)
			a.get("/v1/" + name + "?ending_before=" + cursor)
		}
		a.call(http.StatusBadRequest, "GET", "/v1/"+name+"?limit=101")
		a.call(http.StatusBadRequest, "GET", "/v1/"+name+"?starting_after=x_1")
	}
	a.get("/v1/setup_intents?limit=100&created[gte]=1&expand[]=data.payment_method&expand[]=data.latest_attempt")
	for _, event := range a.get("/v1/events?limit=100")["data"].([]any) {
		a.get("/v1/events/" + text(event, "id"))
	}
}

func driveErrors(a *account) {
	const path = "/v1/setup_intents"
	id := a.create()
	for _, key := range []string{"", "sk_test_wrong1234", "sk_live_1234", "rk_test_1"} {
		a.as(key).call(http.StatusUnauthorized, "POST", path)
	}
	for _, form := range []string{
		"foo=1", "foo=1&bar=2", "customer=cus_1", "payment_method=pm_1", "customer[a]=b", "usage=sometimes", "confirm=perhaps", "confirm=true", "customer=",
		"payment_method_types[]=cheque", "automatic_payment_methods[enabled]=true&payment_method_types[]=card", "return_url=https://app.test",
		"single_use[amount]=1", "expand[]=nothing", "metadata[" + strings.Repeat("k", 41) + "]=v", "metadata[k]=" + strings.Repeat("v", 501),
		"payment_method=pm_card_visa&confirm=true", "confirmation_token=ctoken_1&confirm=true", "payment_method_options[card][moto]=perhaps",
	} {
		a.call(http.StatusBadRequest, "POST", path, form)
	}
	a.call(http.StatusNotFound, "GET", path+"/seti_1")
	a.call(http.StatusNotFound, "GET", "/v1/customers/cus_1")
	a.call(http.StatusNotFound, "GET", "/v1/mandates/mandate_1")
	a.call(http.StatusBadRequest, "POST", path+"/"+id+"/confirm")
	a.call(http.StatusBadRequest, "GET", "/v1/setup_attempts")

	keyed := a.with("Idempotency-Key", "k")
	keyed.post(path, "metadata[a]=b")
	keyed.post(path, "metadata[a]=b")
	keyed.call(http.StatusBadRequest, "POST", path, "metadata[a]=c")
	keyed.call(http.StatusBadRequest, "POST", "/v1/customers")
	for _, fault := range []stripetest.Fault{
		{Status: http.StatusInternalServerError},
		{Status: http.StatusTooManyRequests},
		{Status: http.StatusTooManyRequests, Code: "lock_timeout"},
		{Status: http.StatusConflict, Code: "idempotency_key_in_use"},
	} {
		fault.Count = 1
		require.NoError(a.t, a.fake.Inject(fault))
		a.call(fault.Status, "POST", path)
	}
}
