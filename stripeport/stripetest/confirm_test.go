package stripetest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestOutcomesOfTestCards(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id, number           string
		status               string
		code, reason, param  string
		message              string
		events               []string
		attempt, errorStatus string
	}{
		{id: "pm_card_visa", number: "4242424242424242", status: "succeeded"},
		{id: "pm_card_mastercard", number: "5555555555554444", status: "succeeded"},
		{id: "pm_card_amex", number: "378282246310005", status: "succeeded"},
		{id: "pm_card_chargeCustomerFail", number: "4000000000000341", status: "succeeded"},
		{id: "pm_card_chargeDeclined", number: "4000000000000002", code: "card_declined", reason: "generic_decline", message: "Your card was declined."},
		{id: "pm_card_visa_chargeDeclined", number: "4000000000000002", code: "card_declined", reason: "generic_decline", message: "Your card was declined."},
		{id: "pm_card_chargeDeclinedInsufficientFunds", number: "4000000000009995", code: "card_declined", reason: "insufficient_funds", message: "Your card has insufficient funds."},
		{id: "pm_card_chargeDeclinedLostCard", number: "4000000000009987", code: "card_declined", reason: "lost_card", message: "Your card was declined."},
		{id: "pm_card_chargeDeclinedStolenCard", number: "4000000000009979", code: "card_declined", reason: "stolen_card", message: "Your card was declined."},
		{id: "pm_card_chargeDeclinedExpiredCard", number: "4000000000000069", code: "expired_card", reason: "expired_card", param: "exp_month", message: "Your card has expired."},
		{id: "pm_card_chargeDeclinedIncorrectCvc", number: "4000000000000127", code: "incorrect_cvc", reason: "incorrect_cvc", param: "cvc", message: "Your card's security code is incorrect."},
		{id: "pm_card_chargeDeclinedProcessingError", number: "4000000000000119", code: "processing_error", reason: "processing_error", message: "An error occurred while processing your card. Try again in a little bit."},
		{id: "pm_card_authenticationRequiredOnSetup", number: "4000002500003155", status: "requires_action"},
		{id: "pm_card_authenticationRequired", number: "4000002760003184", status: "requires_action"},
		{id: "pm_card_riskLevelHighest", number: "4000000000004954", status: "succeeded"},
		{id: "pm_card_createDispute", number: "4000000000000259", status: "succeeded"},
		{id: "pm_card_refundFail", number: "4000000000005126", status: "succeeded"},
		{id: "pm_card_authenticationRequiredSetupForOffSession", number: "4000003800000446", status: "requires_action"},
		{id: "pm_card_threeDSecureOptionalProcessingError", number: "4000000000003097", status: "succeeded"},
		{id: "pm_card_threeDSecureRequiredProcessingError", number: "4000008400001280", code: "card_declined", reason: "generic_decline", message: "Your card was declined."},
		{id: "pm_card_threeDSecure2Required", number: "4000000000003220", status: "requires_action"},
	}
	for _, tt := range tests {
		for name, how := range map[string]string{
			"id":     "payment_method=" + tt.id,
			"number": "payment_method_data[type]=card&payment_method_data[card][exp_month]=1&payment_method_data[card][exp_year]=34&payment_method_data[card][cvc]=123&payment_method_data[card][number]=" + tt.number,
		} {
			t.Run(tt.id+" by "+name, func(t *testing.T) {
				t.Parallel()
				s := newFake(t)
				id := create(t, s, "").str("id")
				got := post(t, s, "/v1/setup_intents/"+id+"/confirm", how)
				now := get(t, s, "/v1/setup_intents/"+id+"?expand[]=latest_attempt&expand[]=payment_method")
				if tt.status != "" {
					require.Equal(t, http.StatusOK, got.status, got.raw)
					require.Equal(t, tt.status, got.str("status"))
					require.Equal(t, tt.number[len(tt.number)-4:], now.str("payment_method.card.last4"))
					require.Equal(t, tt.status, now.str("latest_attempt.status"))
					require.Nil(t, now.body["mandate"])
					return
				}
				require.Equal(t, http.StatusPaymentRequired, got.status, got.raw)
				require.Equal(t, "card_error", got.str("error.type"))
				require.Equal(t, tt.code, got.str("error.code"))
				require.Equal(t, tt.reason, got.str("error.decline_code"))
				require.Equal(t, tt.param, got.str("error.param"))
				require.Equal(t, tt.message, got.str("error.message"))
				require.Equal(t, "payment_method", got.str("error.payment_method.object"))
				require.Equal(t, now.str("client_secret"), got.str("error.setup_intent.client_secret"), "the error carries the intent")

				require.Equal(t, "requires_payment_method", now.str("status"), "the request failed, and yet the state changed")
				require.Nil(t, now.body["payment_method"])
				require.Equal(t, tt.code, now.str("last_setup_error.code"))
				require.Equal(t, tt.reason, now.str("last_setup_error.decline_code"))
				require.Equal(t, "payment_method", now.str("last_setup_error.payment_method.object"))
				require.Equal(t, "failed", now.str("latest_attempt.status"))
				require.Equal(t, []string{"setup_intent.created", "setup_intent.setup_failed"}, eventTypes(t, s))
			})
		}
	}
}

func TestReturnURL(t *testing.T) {
	t.Parallel()
	for returnURL, ok := range map[string]bool{
		"https://app.example.com/back?a=b#c": true, "http://127.0.0.1:3000": true, "myapp://x": true, "myapp://": true, "MyApp://x": true,
		"foo": false, "not a url": false, "/back": false, "//app.example.com": false, "://x": false, "https://": false, "https:///back": false,
		"https:app.example.com": false, "javascript:alert(1)": false, "JavaScript://%0aalert(1)": false, "data:text/html,x": false, "http://a b": false,
	} {
		t.Run(returnURL, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			params := "payment_method=pm_card_authenticationRequired&return_url=" + url.QueryEscape(returnURL)
			id := create(t, s, "").str("id")
			for path, body := range map[string]string{
				intentsOf: "payment_method_types[]=card&confirm=true&" + params, intentsOf + "/" + id + "/confirm": params,
			} {
				got := post(t, s, path, body)
				if ok {
					require.Equal(t, returnURL, got.str("next_action.redirect_to_url.return_url"), got.raw)
					continue
				}
				require.Equal(t, http.StatusBadRequest, got.status, got.raw)
				require.Equal(t, "url_invalid", got.str("error.code"))
				require.Equal(t, "return_url", got.str("error.param"))
				require.Equal(t, "Not a valid URL", got.str("error.message"))
			}
			require.Equal(t, ok, len(s.SetupIntents()) == 2)
		})
	}
	s := newFake(t)
	got := post(t, s, intentsOf, "payment_method_types[]=acss_debit&payment_method_options[acss_debit][mandate_options][custom_mandate_url]=x")
	require.Equal(t, "url_invalid", got.str("error.code"))
	require.Equal(t, http.StatusOK, post(t, s, intentsOf, "payment_method_types[]=acss_debit&payment_method_options[acss_debit][mandate_options][custom_mandate_url]=").status)
}

func TestConfirmAttachesToTheCustomer(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	customer := post(t, s, "/v1/customers", "").str("id")
	got := create(t, s, "&customer="+customer+"&confirm=true&payment_method=pm_card_visa")
	require.Equal(t, "succeeded", got.str("status"))
	require.Equal(t, customer, get(t, s, "/v1/payment_methods/"+got.str("payment_method")).str("customer"))
	require.Equal(t, []string{"customer.created", "setup_intent.created", "payment_method.attached", "setup_intent.succeeded"}, eventTypes(t, s))

	other := post(t, s, "/v1/customers", "").str("id")
	refused := post(t, s, "/v1/setup_intents", "payment_method_types[]=card&customer="+other+"&payment_method="+got.str("payment_method"))
	require.Equal(t, "The PaymentMethod "+got.str("payment_method")+" does not belong to the Customer you supplied "+other+
		". Please use this PaymentMethod with the Customer that it belongs to instead.", refused.str("error.message"))
	require.Equal(t, "payment_method", refused.str("error.param"))
	refused = post(t, s, "/v1/setup_intents", "payment_method_types[]=card&payment_method="+got.str("payment_method"))
	require.Equal(t, "The payment method supplied ("+got.str("payment_method")+") belongs to the Customer "+customer+
		". Please include the Customer in the `customer` parameter on the SetupIntent.", refused.str("error.message"))
}

func TestAMethodWithoutCustomerCanBeAttachedLater(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	method := create(t, s, "&confirm=true&payment_method=pm_card_visa").str("payment_method")
	customer := post(t, s, "/v1/customers", "").str("id")
	got := post(t, s, "/v1/payment_methods/"+method+"/attach", "customer="+customer)
	require.Equal(t, customer, got.str("customer"))
}

func TestConfirmNeedsTheType(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := post(t, s, "/v1/setup_intents/"+create(t, s, "").str("id")+"/confirm", "payment_method=pm_usBankAccount_success")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Contains(t, got.str("error.message"), "(us_bank_account) is not allowed for this SetupIntent.")
}

// A method that suited the intent need not suit it any more when it is confirmed.
func TestConfirmChecksTheStoredMethod(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		attached   bool
		path, body string // what happens in between
		message    string
	}{
		{"attached to another", false, "METHOD/attach", "customer=OTHER", "does not belong to the Customer you supplied"},
		{"intent of another", true, "INTENT", "customer=OTHER", "does not belong to the Customer you supplied"},
		{"detached", true, "METHOD/detach", "", "was detached from a Customer. It may not be used again."},
		{"other types", true, "INTENT", "payment_method_types[]=us_bank_account", "The PaymentMethod provided (card) is not allowed for this SetupIntent."},
	}
	for _, tt := range tests {
		for flavor, confirm := range map[string]func(*testing.T, *stripetest.Server, string) reply{
			"Stripe": func(t *testing.T, s *stripetest.Server, id string) reply {
				return post(t, s, intentsOf+"/"+id+"/confirm", "")
			},
			"WooshPay": func(t *testing.T, s *stripetest.Server, id string) reply {
				return woosh(t, s, http.MethodPost, wooshIntents+"/"+id+"/confirm", secret, `{"return_url":"https://example.com"}`)
			},
		} {
			t.Run(tt.name+", "+flavor, func(t *testing.T) {
				t.Parallel()
				s := newFake(t)
				owner, other := post(t, s, "/v1/customers", "").str("id"), post(t, s, "/v1/customers", "").str("id")
				method := post(t, s, "/v1/payment_methods", "type=card&card[token]=tok_visa").str("id")
				if tt.attached {
					post(t, s, "/v1/payment_methods/"+method+"/attach", "customer="+owner)
				}
				id := create(t, s, "&customer="+owner+"&payment_method="+method).str("id")
				fill := strings.NewReplacer("METHOD", "/v1/payment_methods/"+method, "INTENT", intentsOf+"/"+id, "OTHER", other)
				between := post(t, s, fill.Replace(tt.path), fill.Replace(tt.body))
				require.Equal(t, http.StatusOK, between.status, between.raw)

				got := confirm(t, s, id)
				require.Equal(t, http.StatusBadRequest, got.status, got.raw)
				require.Contains(t, got.str("error.message"), tt.message)
				now := get(t, s, intentsOf+"/"+id)
				require.Equal(t, "requires_confirmation", now.str("status"))
				require.Nil(t, now.body["latest_attempt"])
			})
		}
	}
}

func TestOnePaymentMethodIsGiven(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := create(t, s, "").str("id")
	for _, path := range []string{intentsOf, intentsOf + "/" + id, intentsOf + "/" + id + "/confirm"} {
		got := post(t, s, path, "payment_method=pm_card_visa&payment_method_data[type]=card&payment_method_data[card][token]=tok_visa")
		require.Equal(t, http.StatusBadRequest, got.status, path)
		require.Equal(t, "parameters_exclusive", got.str("error.code"))
		require.Equal(t, "You may only specify one of these parameters: payment_method, payment_method_data.", got.str("error.message"))
	}
	require.Empty(t, data(get(t, s, "/v1/payment_methods")), "nothing was made")
	require.Equal(t, "requires_payment_method", get(t, s, intentsOf+"/"+id).str("status"))
}

// page sees what a page may: with the publishable key and the client secret.
func page(t *testing.T, s *stripetest.Server, intent reply, method, path, body string) reply {
	t.Helper()
	proof := "client_secret=" + url.QueryEscape(intent.str("client_secret"))
	target := "/v1/setup_intents/" + intent.str("id") + path
	if method == http.MethodGet {
		return send(t, s, method, target+"?"+proof+"&"+body, publishable, "")
	}
	return send(t, s, method, target, publishable, proof+"&"+body)
}

func TestThePublishableKeySeesThirteenFields(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "&metadata[secret]=x&description=card")
	fields := []string{
		"id", "object", "cancellation_reason", "client_secret", "created", "description", "last_setup_error", "livemode",
		"next_action", "payment_method", "payment_method_types", "status", "usage",
	}
	check := func(object any) {
		t.Helper()
		names := []string{}
		for name := range object.(map[string]any) {
			names = append(names, name)
		}
		require.ElementsMatch(t, fields, names)
	}
	check(any(page(t, s, intent, http.MethodGet, "", "").body))
	declined := page(t, s, intent, http.MethodPost, "/confirm", "payment_method=pm_card_chargeDeclined")
	require.Equal(t, http.StatusPaymentRequired, declined.status)
	check(declined.at("error.setup_intent"))
	saved := page(t, s, intent, http.MethodPost, "/confirm", "expand[]=payment_method&payment_method_data[type]=card"+
		"&payment_method_data[card][number]=4242424242424242&payment_method_data[card][exp_month]=1&payment_method_data[card][exp_year]=34"+
		"&payment_method_data[card][cvc]=123&payment_method_data[billing_details][address][postal_code]=94107&payment_method_data[guid]=x")
	require.Equal(t, http.StatusOK, saved.status, saved.raw)
	check(any(saved.body))
	require.Equal(t, "pass", saved.str("payment_method.card.checks.cvc_check"))
	require.Equal(t, "pass", saved.str("payment_method.card.checks.address_postal_code_check"))
}

// Whose a payment method is, and the account's notes on it, are not shown to a
// page: neither expanded nor in errors.
func TestThePublishableKeySeesNothingOfTheCustomer(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	customer := post(t, s, "/v1/customers", "email=canary@example.com&metadata[note]=canary").str("id")
	method := func(key, number string) reply {
		return send(t, s, http.MethodPost, "/v1/payment_methods", key, "type=card&metadata[note]=canary&card[exp_month]=1&card[exp_year]=34&card[number]="+number)
	}
	shown := func(got reply, status int, at, id string) {
		t.Helper()
		require.Equal(t, status, got.status, got.raw)
		require.Equal(t, id, got.str(at+"id"))
		require.Nil(t, got.at(at+"customer"))
		require.Equal(t, map[string]any{}, got.at(at+"metadata"))
		require.NotContains(t, got.raw, "canary")
		require.NotContains(t, got.raw, customer)
	}

	challenged := method(secret, "4000002760003184").str("id")
	post(t, s, "/v1/payment_methods/"+challenged+"/attach", "customer="+customer)
	intent := create(t, s, "&customer="+customer+"&payment_method="+challenged)
	got := page(t, s, intent, http.MethodPost, "/confirm", "expand[]=payment_method")
	shown(got, http.StatusOK, "payment_method.", challenged)
	challenge(t, s, got, "fail")
	shown(page(t, s, intent, http.MethodGet, "", ""), http.StatusOK, "last_setup_error.payment_method.", challenged)
	wooshPage := wooshIntents + "/" + intent.str("id") + "?client_secret=" + intent.str("client_secret")
	shown(woosh(t, s, http.MethodGet, wooshPage, publishable, ""), http.StatusOK, "last_setup_error.payment_method.", challenged)
	own := get(t, s, intentsOf+"/"+intent.str("id"))
	require.Equal(t, customer, own.str("last_setup_error.payment_method.customer"))
	require.Equal(t, "canary", own.str("last_setup_error.payment_method.metadata.note"))

	declined := method(secret, "4000000000000002").str("id")
	got = page(t, s, intent, http.MethodPost, "/confirm", "payment_method="+declined)
	shown(got, http.StatusPaymentRequired, "error.payment_method.", declined)
	shown(got, http.StatusPaymentRequired, "error.setup_intent.last_setup_error.payment_method.", declined)
	require.Equal(t, "0002", got.str("error.payment_method.card.last4"))

	made := method(publishable, "4242424242424242")
	shown(made, http.StatusOK, "", made.str("id"))
	require.Equal(t, "canary", get(t, s, "/v1/payment_methods/"+made.str("id")).str("metadata.note"))

	bank := post(t, s, intentsOf, "payment_method_types[]=us_bank_account&payment_method_data[type]=us_bank_account"+
		"&payment_method_data[us_bank_account][account_number]=000123456789&payment_method_data[us_bank_account][routing_number]=110000000"+
		"&payment_method_data[billing_details][name]=Jenny&mandate_data[customer_acceptance][type]=offline&confirm=true&payment_method_data[metadata][note]=canary")
	got = page(t, s, bank, http.MethodPost, "/verify_microdeposits", "descriptor_code=SM44DD")
	shown(got, http.StatusBadRequest, "error.payment_method.", bank.str("payment_method"))
	require.Equal(t, "6789", got.str("error.payment_method.us_bank_account.last4"), "but what it is")
	require.Contains(t, got.raw, `"payment_method":{"id":`, "in Stripe's order")
}

func TestAPageExpandsThePaymentMethodAlone(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "&customer="+post(t, s, "/v1/customers", "").str("id")+"&payment_method=pm_card_visa")
	for _, name := range []string{"customer", "payment_method.customer", "latest_attempt", "latest_attempt.payment_method.customer", "mandate", "single_use_mandate"} {
		for _, call := range [][2]string{{http.MethodGet, ""}, {http.MethodPost, "/confirm"}, {http.MethodPost, "/verify_microdeposits"}} {
			got := page(t, s, intent, call[0], call[1], "expand[]="+name)
			require.Equal(t, http.StatusBadRequest, got.status, got.raw)
			require.Equal(t, "This property cannot be expanded ("+name+").", got.str("error.message"))
		}
		require.Equal(t, http.StatusOK, get(t, s, intentsOf+"/"+intent.str("id")+"?expand[]="+name).status)
	}
	got := send(t, s, http.MethodPost, "/v1/payment_methods", publishable, "type=card&card[token]=tok_visa&expand[]=customer")
	require.Equal(t, http.StatusBadRequest, got.status, got.raw)
	require.Equal(t, "4242", page(t, s, intent, http.MethodGet, "", "expand[]=payment_method").str("payment_method.card.last4"))
}

func TestTheClientSecretIsAsked(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "")
	path := "/v1/setup_intents/" + intent.str("id")
	got := send(t, s, http.MethodGet, path, publishable, "")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "client_secret", got.str("error.param"))
	for _, key := range []string{publishable, secret} {
		got = send(t, s, http.MethodPost, path+"/confirm", key, "client_secret=wrong&payment_method=pm_card_visa")
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Equal(t, "The client_secret provided does not match the client_secret associated with the SetupIntent.", got.str("error.message"))
		require.Equal(t, "client_secret", got.str("error.param"))
	}
	got = send(t, s, http.MethodPost, path+"/cancel", publishable, "client_secret="+intent.str("client_secret"))
	require.Equal(t, "secret_key_required", got.str("error.code"), "a browser cannot cancel")
}

func TestReturnURLIsNotAskedOfStripeJS(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := post(t, s, "/v1/setup_intents", "")
	got := page(t, s, intent, http.MethodPost, "/confirm", "payment_method=pm_card_visa")
	require.Contains(t, got.str("error.message"), "you must provide a `return_url`")
	got = page(t, s, intent, http.MethodPost, "/confirm", "payment_method=pm_card_visa&use_stripe_sdk=true")
	require.Equal(t, "succeeded", got.str("status"))
}

// challenge answers the bank's page for the customer.
func challenge(t *testing.T, s *stripetest.Server, intent reply, outcome string, headers ...string) reply {
	t.Helper()
	page := intent.str("next_action.redirect_to_url.url")
	if page == "" {
		page = intent.str("next_action.use_stripe_sdk.stripe_js")
	}
	u, err := url.Parse(page)
	require.NoError(t, err)
	r, err := http.NewRequest(http.MethodPost, u.String(), strings.NewReader("outcome="+outcome))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.Client().Transport.RoundTrip(r)
	require.NoError(t, err)
	defer response.Body.Close()
	return reply{status: response.StatusCode, header: response.Header}
}

func TestThreeDSecureByRedirect(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]struct{ redirect, status, event string }{
		"complete": {"succeeded", "succeeded", "setup_intent.succeeded"},
		"fail":     {"failed", "requires_payment_method", "setup_intent.setup_failed"},
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			intent := create(t, s, "&confirm=true&payment_method=pm_card_authenticationRequired&return_url="+url.QueryEscape("https://example.com/back?a=b"))
			require.Equal(t, "requires_action", intent.str("status"))
			require.Equal(t, "redirect_to_url", intent.str("next_action.type"))
			require.Equal(t, "https://example.com/back?a=b", intent.str("next_action.redirect_to_url.return_url"))

			shown := send(t, s, http.MethodGet, strings.TrimPrefix(intent.str("next_action.redirect_to_url.url"), "http://stripe.test"), "", "")
			require.Equal(t, http.StatusOK, shown.status)
			require.Contains(t, shown.raw, "Complete")

			got := challenge(t, s, intent, outcome)
			require.Equal(t, http.StatusSeeOther, got.status)
			back, err := url.Parse(got.header.Get("Location"))
			require.NoError(t, err)
			require.Equal(t, "example.com/back", back.Host+back.Path)
			require.Equal(t, url.Values{
				"a": {"b"}, "setup_intent": {intent.str("id")}, "setup_intent_client_secret": {intent.str("client_secret")},
				"redirect_status": {want.redirect},
			}, back.Query())

			now := get(t, s, "/v1/setup_intents/"+intent.str("id"))
			require.Equal(t, want.status, now.str("status"))
			require.Nil(t, now.body["next_action"])
			require.Equal(t, []string{"setup_intent.created", "setup_intent.requires_action", want.event}, eventTypes(t, s))
			if outcome == "fail" {
				require.Equal(t, "setup_intent_authentication_failure", now.str("last_setup_error.code"))
				require.Equal(t, "invalid_request_error", now.str("last_setup_error.type"))
				require.Equal(t, "The latest attempt to set up the payment method has failed because authentication failed.", now.str("last_setup_error.message"))
			}
			require.Equal(t, http.StatusConflict, challenge(t, s, intent, outcome).status, "it is over")
		})
	}
}

func TestThreeDSecureInPage(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "")
	got := page(t, s, intent, http.MethodPost, "/confirm", "payment_method=pm_card_threeDSecure2Required&use_stripe_sdk=true&return_url=https://example.com")
	require.Equal(t, "use_stripe_sdk", got.str("next_action.type"))
	require.Equal(t, http.StatusOK, challenge(t, s, got, "complete", "Accept", "application/json").status)
	require.Equal(t, "succeeded", page(t, s, intent, http.MethodGet, "", "").str("status"))
}

func TestThreeDSecureThenDeclined(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "&confirm=true&payment_method=pm_card_threeDSecureRequiredChargeDeclined")
	challenge(t, s, intent, "complete")
	require.Equal(t, "generic_decline", get(t, s, "/v1/setup_intents/"+intent.str("id")).str("last_setup_error.decline_code"))
}

func TestConfirmingAgainAbandonsTheAttempt(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "&confirm=true&payment_method=pm_card_authenticationRequired")
	again := post(t, s, "/v1/setup_intents/"+intent.str("id")+"/confirm", "payment_method=pm_card_visa")
	require.Equal(t, "succeeded", again.str("status"))
	attempts := data(get(t, s, "/v1/setup_attempts?setup_intent="+intent.str("id")))
	require.Len(t, attempts, 2)
	require.Equal(t, "succeeded", attempts[0]["status"])
	require.Equal(t, "abandoned", attempts[1]["status"])
	require.Equal(t, http.StatusConflict, challenge(t, s, intent, "complete").status)
	require.Equal(t, "parameter_missing", get(t, s, "/v1/setup_attempts").str("error.code"))
	require.Equal(t, "No such setupintent: 'seti_x'", get(t, s, "/v1/setup_attempts?setup_intent=seti_x").str("error.message"))
}

func TestUpdatingTheMethodAbandonsTheAttempt(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "&confirm=true&payment_method=pm_card_authenticationRequired")
	path := intentsOf + "/" + intent.str("id")
	status := func() string { return get(t, s, path+"?expand[]=latest_attempt").str("latest_attempt.status") }
	post(t, s, path, "description=x")
	post(t, s, path, "payment_method=pm_x")
	require.Equal(t, "requires_action", status(), "nothing was given up")
	require.Equal(t, "requires_confirmation", post(t, s, path, "payment_method=pm_card_visa").str("status"))
	require.Equal(t, "abandoned", status())
	require.Equal(t, http.StatusConflict, challenge(t, s, intent, "complete").status)
	require.Equal(t, "succeeded", post(t, s, path+"/confirm", "").str("status"))
	require.Equal(t, "succeeded", status())
}

func TestChallengePageRefusals(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "&confirm=true&payment_method=pm_card_authenticationRequired")
	require.Equal(t, http.StatusBadRequest, challenge(t, s, intent, "maybe").status)
	require.Equal(t, http.StatusNotFound, send(t, s, http.MethodGet, "/redirect/authenticate/setatt_x", "", "").status)
	require.Equal(t, http.StatusMethodNotAllowed, send(t, s, http.MethodPut, "/redirect/authenticate/setatt_x", "", "").status)
	require.Equal(t, "requires_action", get(t, s, "/v1/setup_intents/"+intent.str("id")).str("status"))
}

func TestProcessingSettlesOnTheClock(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := post(t, s, "/v1/setup_intents", "payment_method_types[]=bacs_debit&confirm=true&payment_method=pm_bacsDebit_success&mandate_data[customer_acceptance][type]=offline")
	require.Equal(t, "processing", got.str("status"), got.raw)
	path := "/v1/setup_intents/" + got.str("id")
	require.Contains(t, post(t, s, path+"/cancel", "").str("error.message"), "it has a status of processing.")
	require.Contains(t, post(t, s, path+"/confirm", "").str("error.message"), "it has a status of processing.")
	s.Advance(2 * time.Minute)
	require.Equal(t, "processing", get(t, s, path).str("status"))
	s.Advance(time.Minute)
	now := get(t, s, path+"?expand[]=mandate")
	require.Equal(t, "succeeded", now.str("status"))
	require.Equal(t, "active", now.str("mandate.status"))
	require.Equal(t, "offline", now.str("mandate.customer_acceptance.type"))
	require.Equal(t, now.str("mandate.id"), get(t, s, "/v1/mandates/"+now.str("mandate.id")).str("id"))
}

func TestMandatesMustBeAccepted(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := post(t, s, "/v1/setup_intents", "payment_method_types[]=bacs_debit&confirm=true&payment_method=pm_bacsDebit_success")
	require.Contains(t, got.str("error.message"), "requires a mandate")
	require.Empty(t, s.SetupIntents())
	got = post(t, s, "/v1/setup_intents", "payment_method_types[]=sepa_debit&confirm=true&single_use[amount]=100&single_use[currency]=eur"+
		"&payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=AT611904300234573201&mandate_data[customer_acceptance][type]=offline&expand[]=single_use_mandate")
	require.Equal(t, "succeeded", got.str("status"), got.raw)
	require.Equal(t, "single_use", got.str("single_use_mandate.type"))
}

func TestMicroDeposits(t *testing.T) {
	t.Parallel()
	const account = "payment_method_types[]=us_bank_account&payment_method_data[type]=us_bank_account&payment_method_data[us_bank_account][account_number]=000123456789" +
		"&payment_method_data[us_bank_account][routing_number]=110000000&payment_method_data[billing_details][name]=Jenny" +
		"&mandate_data[customer_acceptance][type]=offline&confirm=true"
	tests := []struct {
		name, proof, status, code string
	}{
		{"amounts", "amounts[]=45&amounts[]=32", "succeeded", ""},
		{"code", "descriptor_code=SM11AA", "succeeded", ""},
		{"wrong amounts", "amounts[]=1&amounts[]=2", "requires_action", "payment_method_microdeposit_verification_amounts_mismatch"},
		{"wrong code", "descriptor_code=SM00AA", "requires_action", "payment_method_microdeposit_verification_descriptor_code_mismatch"},
		{"too often", "amounts[]=10&amounts[]=11", "requires_payment_method", "payment_method_microdeposit_verification_attempts_exceeded"},
		{"too late", "descriptor_code=SM44DD", "requires_payment_method", "payment_method_microdeposit_verification_timeout"},
		{"neither", "", "requires_action", ""},
		{"both", "descriptor_code=SM11AA&amounts[]=45&amounts[]=32", "requires_action", ""},
		{"one amount", "amounts[]=45", "requires_action", ""},
		{"not a number", "amounts[]=x", "requires_action", "parameter_invalid_integer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			intent := post(t, s, "/v1/setup_intents", account)
			require.Equal(t, "verify_with_microdeposits", intent.str("next_action.type"), intent.raw)
			require.Equal(t, "descriptor_code", intent.str("next_action.verify_with_microdeposits.microdeposit_type"))
			path := "/v1/setup_intents/" + intent.str("id")
			got := page(t, s, intent, http.MethodPost, "/verify_microdeposits", tt.proof)
			require.Equal(t, tt.code, got.str("error.code"), got.raw)
			require.Equal(t, tt.status == "succeeded", got.status == http.StatusOK)
			require.Equal(t, tt.status, get(t, s, path).str("status"))
		})
	}
	t.Run("ten tries", func(t *testing.T) {
		t.Parallel()
		s := newFake(t)
		path := "/v1/setup_intents/" + post(t, s, "/v1/setup_intents", account).str("id")
		for range 9 {
			require.Contains(t, post(t, s, path+"/verify_microdeposits", "amounts[]=1&amounts[]=2").str("error.code"), "mismatch")
		}
		require.Contains(t, post(t, s, path+"/verify_microdeposits", "amounts[]=1&amounts[]=2").str("error.code"), "attempts_exceeded")
		got := post(t, s, path+"/verify_microdeposits", "amounts[]=32&amounts[]=45")
		require.Equal(t, "intent_invalid_state", got.str("error.code"))
		require.Equal(t, "This SetupIntent cannot be actioned on because it has a status of requires_payment_method."+
			` Only a SetupIntent with one of the following statuses may be actioned on: ["requires_action"].`, got.str("error.message"))
	})
}

func TestResolve(t *testing.T) {
	t.Parallel()
	tests := []struct {
		outcome   stripetest.Outcome
		status    string
		lastError string
	}{
		{stripetest.OutcomeSucceed, "succeeded", ""},
		{stripetest.OutcomeDecline, "requires_payment_method", "generic_decline"},
		{"insufficient_funds", "requires_payment_method", "insufficient_funds"},
		{"expired_card", "requires_payment_method", "expired_card"},
		{stripetest.OutcomeChallenge, "requires_action", ""},
		{stripetest.OutcomeFailAuthentication, "requires_payment_method", "setup_intent_authentication_failure"},
		{stripetest.OutcomeProcess, "processing", ""},
		{stripetest.OutcomeMicroDeposits, "requires_action", ""},
		{stripetest.OutcomeCancel, "canceled", ""},
	}
	before := map[string]string{
		"new": "", "to be confirmed": "&payment_method=pm_card_visa", "in action": "&confirm=true&payment_method=pm_card_authenticationRequired",
	}
	for _, tt := range tests {
		for name, more := range before {
			t.Run(string(tt.outcome)+" of one "+name, func(t *testing.T) {
				t.Parallel()
				s := newFake(t)
				id := create(t, s, more).str("id")
				require.NoError(t, s.Resolve(id, tt.outcome))
				got, ok := s.SetupIntent(id)
				require.True(t, ok)
				require.Equal(t, tt.status, got.Status)
				require.Equal(t, tt.lastError, got.LastError)
			})
		}
	}
	t.Run("refusals", func(t *testing.T) {
		t.Parallel()
		s := newFake(t)
		id := create(t, s, "").str("id")
		require.Error(t, s.Resolve("seti_x", stripetest.OutcomeSucceed))
		require.Error(t, s.Resolve(id, "gold"))
		require.NoError(t, s.Resolve(id, stripetest.OutcomeCancel))
		require.Error(t, s.Resolve(id, stripetest.OutcomeSucceed))
		last := data(get(t, s, "/v1/events"))[0]
		require.Equal(t, map[string]any{"id": nil, "idempotency_key": nil}, last["request"], "nobody asked for it")
	})
}
