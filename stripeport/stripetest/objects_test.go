package stripetest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/customersession"
	"github.com/stripe/stripe-go/v79/ephemeralkey"
	"github.com/stripe/stripe-go/v79/paymentmethod"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestCustomers(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	made := post(t, s, "/v1/customers", "email=a@example.com&name=Jenny&description=d&phone=1&metadata[a]=b&address[city]=Rome&shipping[name]=J"+
		"&shipping[address][line1]=x&preferred_locales[]=it&tax_exempt=exempt&balance=5&payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa")
	require.Equal(t, http.StatusOK, made.status, made.raw)
	require.Regexp(t, `^cus_[0-9A-Za-z]{14}$`, made.str("id"))
	require.Equal(t, "Rome", made.str("address.city"))
	method := made.str("invoice_settings.default_payment_method")
	require.Regexp(t, "^pm_", method)
	require.Equal(t, made.str("id"), get(t, s, "/v1/payment_methods/"+method).str("customer"))
	path := "/v1/customers/" + made.str("id")
	require.JSONEq(t, made.raw, get(t, s, path).raw)
	require.Equal(t, method, get(t, s, path+"?expand[]=invoice_settings.default_payment_method").str("invoice_settings.default_payment_method.id"))

	got := post(t, s, path, "name=&email=b@example.com&address=&metadata=&shipping=&tax_exempt=")
	require.Nil(t, got.body["name"])
	require.Nil(t, got.body["address"])
	require.Nil(t, got.body["shipping"])
	require.Empty(t, got.body["metadata"])
	require.Equal(t, "none", got.str("tax_exempt"))
	updated := data(get(t, s, "/v1/events?type=customer.updated"))
	require.Len(t, updated, 1)
	previous := updated[0]["data"].(map[string]any)["previous_attributes"].(map[string]any)
	require.Equal(t, "a@example.com", previous["email"])
	require.NotContains(t, previous, "balance")
	post(t, s, path, "email=b@example.com")
	require.Len(t, data(get(t, s, "/v1/events?type=customer.updated")), 1, "nothing changed")

	other := post(t, s, "/v1/customers", "email=b@example.com").str("id")
	require.Equal(t, []string{other, made.str("id")}, ids(get(t, s, "/v1/customers?email=b@example.com")))
	require.Empty(t, ids(get(t, s, "/v1/customers?email=a@example.com")))

	gone := send(t, s, http.MethodDelete, path, secret, "")
	require.Equal(t, map[string]any{"id": made.str("id"), "object": "customer", "deleted": true}, gone.body)
	require.Equal(t, gone.body, get(t, s, path).body)
	require.Equal(t, []string{other}, ids(get(t, s, "/v1/customers")))
	require.Nil(t, get(t, s, "/v1/payment_methods/"+method).body["customer"])
	require.Equal(t, "No such customer: '"+made.str("id")+"'", post(t, s, path, "name=x").str("error.message"))
	require.Equal(t, "resource_missing", post(t, s, intentsOf, card+"&customer="+made.str("id")).str("error.code"))
	require.Equal(t, []string{
		"customer.created", "payment_method.attached", "customer.updated", "customer.created", "payment_method.detached", "customer.deleted",
	}, eventTypes(t, s))
}

func TestCustomerRefusals(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for body, want := range map[string]string{
		"email=nobody":    "Invalid email address: nobody",
		"coupon=x":        "No such coupon: 'x'",
		"test_clock=x":    "No such test clock: 'x'",
		"source=tok_visa": "No such token: 'tok_visa'",
		"invoice_settings[default_payment_method]=pm_card_visa": "The customer does not have a payment method with the ID pm_card_visa." +
			" The payment method must be attached to the customer.",
		"payment_method=pm_card_chargeDeclined": "Your card was declined.",
		"tax_exempt=maybe":                      "Invalid tax_exempt: must be one of , exempt, none, or reverse",
	} {
		require.Equal(t, want, post(t, s, "/v1/customers", body).str("error.message"), body)
	}
	require.Empty(t, ids(get(t, s, "/v1/customers")))
	require.Empty(t, eventTypes(t, s))
}

func TestPaymentMethods(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	const number = "type=card&card[number]=4242%204242%204242%204242&card[exp_month]=12&card[exp_year]=34&card[cvc]=123"
	made := post(t, s, "/v1/payment_methods", number+"&billing_details[address][postal_code]=94107&billing_details[name]=Jenny&metadata[a]=b&allow_redisplay=always")
	require.Equal(t, http.StatusOK, made.status, made.raw)
	require.Equal(t, "unchecked", made.str("card.checks.cvc_check"))
	require.Equal(t, "unchecked", made.str("card.checks.address_postal_code_check"))
	require.EqualValues(t, 2034, made.at("card.exp_year"))
	require.Equal(t, "Jenny", made.str("billing_details.name"))
	require.Equal(t, made.str("card.fingerprint"), send(t, s, http.MethodPost, "/v1/payment_methods", publishable, number).str("card.fingerprint"))
	path := "/v1/payment_methods/" + made.str("id")
	require.Equal(t, "You must save this PaymentMethod to a customer before you can update it.", post(t, s, path, "metadata[a]=c").str("error.message"))
	require.Contains(t, post(t, s, path+"/detach", "").str("error.message"), "detachment is impossible")

	customer := post(t, s, "/v1/customers", "").str("id")
	got := post(t, s, path+"/attach", "customer="+customer+"&expand[]=customer")
	require.Equal(t, customer, got.str("customer.id"))
	require.Equal(t, "pass", got.str("card.checks.cvc_check"))
	require.Equal(t, http.StatusOK, post(t, s, path+"/attach", "customer="+customer).status)
	other := post(t, s, "/v1/customers", "").str("id")
	require.Equal(t, "The payment method you provided has already been attached to a customer.", post(t, s, path+"/attach", "customer="+other).str("error.message"))
	require.Equal(t, "No such customer: 'cus_x'", post(t, s, path+"/attach", "customer=cus_x").str("error.message"))
	declined := post(t, s, "/v1/payment_methods/pm_card_chargeDeclined/attach", "customer="+customer)
	require.Equal(t, http.StatusPaymentRequired, declined.status)
	require.Equal(t, http.StatusOK, post(t, s, "/v1/payment_methods/pm_card_chargeCustomerFail/attach", "customer="+customer).status)

	got = post(t, s, path, "card[exp_month]=1&card[exp_year]=2040&billing_details[email]=a@example.com&allow_redisplay=limited")
	require.EqualValues(t, 2040, got.at("card.exp_year"))
	require.Equal(t, "payment_method.updated", eventTypes(t, s)[len(eventTypes(t, s))-1])
	require.Equal(t, "invalid_expiry_year", post(t, s, path, "card[exp_year]=2020").str("error.code"))

	require.Len(t, ids(get(t, s, "/v1/payment_methods?type=card&customer="+customer)), 2)
	require.Empty(t, ids(get(t, s, "/v1/payment_methods?type=sepa_debit&customer="+customer)))
	require.Equal(t, []string{made.str("id")}, ids(get(t, s, "/v1/customers/"+customer+"/payment_methods?allow_redisplay=limited")))
	require.Equal(t, made.str("id"), get(t, s, "/v1/customers/"+customer+"/payment_methods/"+made.str("id")).str("id"))
	require.Equal(t, http.StatusNotFound, get(t, s, "/v1/customers/"+other+"/payment_methods/"+made.str("id")).status)

	require.Nil(t, post(t, s, path+"/detach", "").body["customer"])
	require.Contains(t, post(t, s, path+"/attach", "customer="+customer).str("error.message"), "may not be used again")
	require.Equal(t, "No such PaymentMethod: 'pm_x'", get(t, s, "/v1/payment_methods/pm_x").str("error.message"))
}

func TestPaymentMethodKinds(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for body, last4 := range map[string]string{
		"us_bank_account&us_bank_account[account_number]=000123456789&us_bank_account[routing_number]=110000000":                 "6789",
		"sepa_debit&sepa_debit[iban]=AT611904300234573201":                                                                       "3201",
		"bacs_debit&bacs_debit[account_number]=00012345&bacs_debit[sort_code]=108800":                                            "2345",
		"au_becs_debit&au_becs_debit[account_number]=000123456&au_becs_debit[bsb_number]=000000":                                 "3456",
		"acss_debit&acss_debit[account_number]=000123456789&acss_debit[institution_number]=000&acss_debit[transit_number]=11000": "6789",
	} {
		kind, _, _ := strings.Cut(body, "&")
		got := post(t, s, "/v1/payment_methods", "type="+body)
		require.Equal(t, last4, got.str(kind+".last4"), got.raw)
		require.Nil(t, got.body["card"])
	}
	require.Equal(t, map[string]any{"dob": nil}, post(t, s, "/v1/payment_methods", "type=klarna").body["klarna"])
	require.Equal(t, "visa", post(t, s, "/v1/payment_methods", "type=card&card[token]=tok_visa").str("card.brand"))
	require.Equal(t, "american_express", get(t, s, "/v1/payment_methods/pm_card_amex").str("card.display_brand"))
}

// Every number is one, and every id stands for it.
func TestTestCards(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	seen := map[string]string{}
	for number, ids := range stripetest.Deck() {
		made := post(t, s, "/v1/payment_methods", "type=card&card[exp_month]=12&card[exp_year]=2034&card[number]="+number)
		require.Equal(t, http.StatusOK, made.status, "%s: %s", number, made.raw)
		for _, id := range ids {
			require.Empty(t, seen[id], id)
			seen[id] = number
			require.Equal(t, made.str("card.fingerprint"), get(t, s, "/v1/payment_methods/"+id).str("card.fingerprint"), id)
			token := post(t, s, "/v1/payment_methods", "type=card&card[token]=tok_"+strings.TrimPrefix(id, "pm_card_"))
			require.Equal(t, made.str("card.fingerprint"), token.str("card.fingerprint"), id)
		}
	}
	require.Greater(t, len(seen), 100)
}

func TestCardsOfTheWorld(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for _, tt := range []struct {
		id, number, brand, display, funding, country string
		networks                                     []any
	}{
		{"pm_card_visa", "4242424242424242", "visa", "visa", "credit", "US", []any{"visa"}},
		{"pm_card_br", "4000000760000002", "visa", "visa", "credit", "BR", []any{"visa"}},
		{"pm_card_mx", "4000004840008001", "visa", "visa", "credit", "MX", []any{"visa"}},
		{"pm_card_jp", "4000003920000003", "visa", "visa", "credit", "JP", []any{"visa"}},
		{"pm_card_de", "4000002760000016", "visa", "visa", "credit", "DE", []any{"visa"}},
		{"pm_card_gb_debit", "4000058260000005", "visa", "visa", "debit", "GB", []any{"visa"}},
		{"pm_card_ae_mastercard", "5200007840000022", "mastercard", "mastercard", "credit", "AE", []any{"mastercard"}},
		{"pm_card_visa_cartesBancaires", "4000002500001001", "visa", "visa", "credit", "FR", []any{"cartes_bancaires", "visa"}},
		{"pm_card_mastercard_debit_eftposAuCoBranded", "5555050360000080", "mastercard", "mastercard", "debit", "AU", []any{"eftpos_au", "mastercard"}},
		{"pm_card_diners", "3056930009020004", "diners", "diners_club", "credit", "US", []any{"diners"}},
		{"pm_card_unionpay", "6200000000000005", "unionpay", "union_pay", "credit", "US", []any{"unionpay"}},
		{"", "6205500000000000004", "unionpay", "union_pay", "credit", "US", []any{"unionpay"}},
		{"", "6011981111111113", "discover", "discover", "debit", "US", []any{"discover"}},
	} {
		made := post(t, s, "/v1/payment_methods", "type=card&card[exp_month]=12&card[exp_year]=2034&card[number]="+tt.number)
		for _, got := range []reply{made, get(t, s, "/v1/payment_methods/"+tt.id)} {
			if got.status == http.StatusNotFound && tt.id == "" {
				continue
			}
			require.Equal(t, tt.number[len(tt.number)-4:], got.str("card.last4"))
			require.Equal(t, tt.brand, got.str("card.brand"), tt.number)
			require.Equal(t, tt.display, got.str("card.display_brand"), tt.number)
			require.Equal(t, tt.funding, got.str("card.funding"), tt.number)
			require.Equal(t, tt.country, got.str("card.country"), tt.number)
			require.Equal(t, tt.networks, got.at("card.networks.available"), tt.number)
		}
	}
}

// A check fails only of what was given, and the card is saved all the same.
func TestChecksThatFail(t *testing.T) {
	t.Parallel()
	const billing = "&payment_method_data[billing_details][address][line1]=1&payment_method_data[billing_details][address][postal_code]=94107"
	for _, tt := range []struct {
		id, number            string
		line1, zip, cvc       string // by the number, with all of them given
		line1ID, zipID, cvcID any    // by the id
	}{
		{id: "pm_card_cvcCheckFail", number: "4000000000000101", line1: "pass", zip: "pass", cvc: "fail", cvcID: "fail"},
		{id: "pm_card_avsZipFail", number: "4000000000000036", line1: "pass", zip: "fail", cvc: "pass", zipID: "fail"},
		{id: "pm_card_avsLine1Fail", number: "4000000000000028", line1: "fail", zip: "pass", cvc: "pass", line1ID: "fail"},
		{id: "pm_card_avsFail", number: "4000000000000010", line1: "fail", zip: "fail", cvc: "pass", line1ID: "fail", zipID: "fail"},
		{id: "pm_card_avsUnchecked", number: "4000000000000044", line1: "unavailable", zip: "unavailable", cvc: "pass", line1ID: "unavailable", zipID: "unavailable"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			checks := func(method string) any {
				t.Helper()
				id := create(t, s, "").str("id")
				got := post(t, s, intentsOf+"/"+id+"/confirm", "expand[]=payment_method&expand[]=latest_attempt&"+method)
				require.Equal(t, "succeeded", got.str("status"), got.raw)
				return got.at("payment_method.card.checks")
			}
			number := "payment_method_data[type]=card&payment_method_data[card][exp_month]=12&payment_method_data[card][exp_year]=34&payment_method_data[card][number]=" + tt.number
			require.Equal(t, map[string]any{"address_line1_check": tt.line1, "address_postal_code_check": tt.zip, "cvc_check": tt.cvc},
				checks(number+"&payment_method_data[card][cvc]=123"+billing))
			require.Equal(t, map[string]any{"address_line1_check": nil, "address_postal_code_check": nil, "cvc_check": nil}, checks(number))
			require.Equal(t, map[string]any{"address_line1_check": tt.line1ID, "address_postal_code_check": tt.zipID, "cvc_check": tt.cvcID},
				checks("payment_method="+tt.id))
		})
	}
}

func TestCardRefusals(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	const (
		visa = "type=card&card[number]=4242424242424242"
		date = "&card[exp_month]=12&card[exp_year]=2034"
	)
	tests := []struct {
		body, code, reason, message string
	}{
		{"type=card&card[number]=4242424242424241" + date, "incorrect_number", "", "Your card number is incorrect."},
		{"type=card&card[number]=42" + date, "incorrect_number", "", "Your card number is incorrect."},
		{"type=card&card[number]=4111111111111111" + date, "card_declined", "test_mode_live_card", "Your card was declined." +
			" Your request was in test mode, but used a non test (live) card. For a list of valid test cards, visit: https://stripe.com/docs/testing."},
		{visa + "&card[exp_month]=13&card[exp_year]=2034", "invalid_expiry_month", "", "Your card's expiration month is invalid."},
		{visa + "&card[exp_month]=5&card[exp_year]=2024", "invalid_expiry_month", "", "Your card's expiration month is invalid."},
		{visa + "&card[exp_month]=5&card[exp_year]=2023", "invalid_expiry_year", "", "Your card's expiration year is invalid."},
		{visa + "&card[cvc]=1" + date, "invalid_cvc", "", "Your card's security code is invalid."},
		{visa + "&card[exp_month]=1", "parameter_missing", "", "Missing required param: card[exp_year]."},
		{"type=card", "parameter_missing", "", "Missing required param: card."},
		{"type=sepa_debit", "parameter_missing", "", "Missing required param: sepa_debit."},
		{"type=us_bank_account", "parameter_missing", "", "Missing required param: us_bank_account."},
		{"type=us_bank_account&us_bank_account[account_type]=checking", "parameter_missing", "", "Missing required param: us_bank_account[account_number]."},
		{"", "parameter_missing", "", "Missing required param: type."},
		{"type=card&card[token]=x", "resource_missing", "", "No such token: 'x'"},
		{"type=sepa_debit&sepa_debit=", "parameter_missing", "", "Missing required param: sepa_debit[iban]."},
		{"customer=cus_x", "parameter_missing", "", "Missing required param: payment_method."},
	}
	for _, tt := range tests {
		got := post(t, s, "/v1/payment_methods", tt.body)
		require.Equal(t, tt.code, got.str("error.code"), tt.body)
		require.Equal(t, tt.reason, got.str("error.decline_code"), tt.body)
		require.Equal(t, tt.message, got.str("error.message"), tt.body)
	}
	got := post(t, s, intentsOf, card+"&confirm=true&payment_method_data[type]=card&payment_method_data[card][number]=4242424242424241"+
		"&payment_method_data[card][exp_month]=1&payment_method_data[card][exp_year]=34")
	require.Equal(t, http.StatusPaymentRequired, got.status)
	require.Empty(t, s.SetupIntents(), "no method, no intent")
}

func TestEphemeralKeys(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	mine := post(t, s, "/v1/customers", "payment_method=pm_card_visa").str("id")
	other := post(t, s, "/v1/customers", "payment_method=pm_card_visa").str("id")
	require.Contains(t, post(t, s, "/v1/ephemeral_keys", "customer="+mine).str("error.message"), "Stripe-Version")
	key := post(t, s, "/v1/ephemeral_keys", "customer="+mine, "Stripe-Version", "2024-06-20")
	require.Regexp(t, `^ek_test_`, key.str("secret"))
	require.Regexp(t, `^ephkey_`, key.str("id"))
	require.Equal(t, []any{map[string]any{"id": mine, "type": "customer"}}, key.body["associated_objects"])
	app := func(method, path, body string) reply { return send(t, s, method, path, key.str("secret"), body) }

	require.Equal(t, http.StatusOK, app(http.MethodGet, "/v1/customers/"+mine, "").status)
	require.Equal(t, http.StatusForbidden, app(http.MethodGet, "/v1/customers/"+other, "").status)
	require.Len(t, ids(app(http.MethodGet, "/v1/payment_methods?customer="+mine, "")), 1)
	require.Equal(t, http.StatusForbidden, app(http.MethodGet, "/v1/payment_methods?customer="+other, "").status)
	require.Equal(t, http.StatusForbidden, app(http.MethodGet, "/v1/payment_methods", "").status)
	require.Equal(t, http.StatusForbidden, app(http.MethodGet, "/v1/customers/"+other+"/payment_methods", "").status)
	require.Equal(t, http.StatusOK, app(http.MethodPost, "/v1/payment_methods/pm_card_visa/attach", "customer="+mine).status)
	require.Equal(t, http.StatusForbidden, app(http.MethodPost, "/v1/payment_methods/pm_card_visa/attach", "customer="+other).status)
	require.Equal(t, http.StatusForbidden, app(http.MethodGet, intentsOf, "").status)
	require.Equal(t, http.StatusUnauthorized, send(t, s, http.MethodGet, "/v1/customers/"+mine, "ek_test_x", "").status)

	s.Advance(time.Hour)
	expired := app(http.MethodGet, "/v1/customers/"+mine, "")
	require.Equal(t, http.StatusUnauthorized, expired.status)
	require.Equal(t, "api_key_expired", expired.str("error.code"))
	require.NotContains(t, expired.raw, key.str("secret"))

	keys := ephemeralkey.Client{B: backend(s), Key: secret}
	k, err := keys.New(&stripe.EphemeralKeyParams{Customer: stripe.String(mine), StripeVersion: stripe.String("2023-10-16")})
	require.NoError(t, err)
	require.Equal(t, "2023-10-16", k.LastResponse.Header.Get("Stripe-Version"))
	_, err = keys.Del(k.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, send(t, s, http.MethodGet, "/v1/customers/"+mine, k.Secret, "").status)
	require.Equal(t, http.StatusNotFound, send(t, s, http.MethodDelete, "/v1/ephemeral_keys/ephkey_x", secret, "").status)
}

func TestCustomerSessions(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := post(t, s, "/v1/customers", "").str("id")
	sessions := customersession.Client{B: backend(s), Key: secret}
	got, err := sessions.New(&stripe.CustomerSessionParams{
		Customer: stripe.String(id),
		Components: &stripe.CustomerSessionComponentsParams{PaymentElement: &stripe.CustomerSessionComponentsPaymentElementParams{
			Enabled:  stripe.Bool(true),
			Features: &stripe.CustomerSessionComponentsPaymentElementFeaturesParams{PaymentMethodSave: stripe.String("enabled")},
		}},
	})
	require.NoError(t, err)
	require.Regexp(t, `^cuss_secret_`, got.ClientSecret)
	require.EqualValues(t, "enabled", got.Components.PaymentElement.Features.PaymentMethodSave)
	require.Contains(t, post(t, s, "/v1/customer_sessions", "customer="+id+"&components[buy_button][enabled]=false").str("error.message"), "At least one")
	require.Equal(t, id, post(t, s, "/v1/customer_sessions", "customer="+id+"&components[buy_button][enabled]=true&expand[]=customer").str("customer.id"))
}

// One setup without a customer uses a payment method up until it is attached.
func TestASetupUsesUpAMethodWithoutCustomer(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	const spent = "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment," +
		" shared with a connected account without Customer attachment, or was detached from a Customer." +
		" It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first."
	customer := post(t, s, "/v1/customers", "").str("id")
	method := post(t, s, "/v1/payment_methods", "type=card&card[token]=tok_visa").str("id")
	early := create(t, s, "&payment_method="+method).str("id")
	require.Equal(t, "succeeded", create(t, s, "&confirm=true&payment_method="+method).str("status"))
	for name, call := range map[string][2]string{
		"create":  {intentsOf, card + "&payment_method=" + method},
		"update":  {intentsOf + "/" + create(t, s, "").str("id"), "payment_method=" + method},
		"confirm": {intentsOf + "/" + create(t, s, "&customer="+customer).str("id") + "/confirm", "payment_method=" + method},
		"stored":  {intentsOf + "/" + early + "/confirm", ""},
	} {
		got := post(t, s, call[0], call[1])
		require.Equal(t, http.StatusBadRequest, got.status, name)
		require.Equal(t, spent, got.str("error.message"), name)
	}

	require.Equal(t, http.StatusOK, post(t, s, "/v1/payment_methods/"+method+"/attach", "customer="+customer).status)
	for range 2 {
		require.Equal(t, "succeeded", create(t, s, "&confirm=true&customer="+customer+"&payment_method="+method).str("status"))
	}
	post(t, s, "/v1/payment_methods/"+method+"/detach", "")
	require.Equal(t, http.StatusBadRequest, post(t, s, "/v1/payment_methods/"+method+"/attach", "customer="+customer).status)
	for range 2 {
		create(t, s, "&confirm=true&payment_method=pm_card_visa") // a new one each time
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := post(t, s, "/v1/customers", "").str("id")
	intent := create(t, s, "&customer="+id+"&confirm=true&payment_method=pm_card_visa&expand[]=customer&expand[]=payment_method.customer")
	require.Equal(t, id, intent.str("customer.id"))
	require.Equal(t, id, intent.str("payment_method.customer.id"))
	path := intentsOf + "/" + intent.str("id")
	got := get(t, s, path+"?expand[0]=latest_attempt&expand[1]=latest_attempt.payment_method&expand[2]=latest_attempt.setup_intent.customer&expand[3]=mandate")
	require.Equal(t, "payment_method", got.str("latest_attempt.payment_method.object"))
	require.Equal(t, id, got.str("latest_attempt.setup_intent.customer.id"))
	require.Nil(t, got.body["mandate"])
	require.Equal(t, id, get(t, s, path).str("customer"), "what is stored stays as it is")
	require.Equal(t, id, data(get(t, s, intentsOf+"?expand[]=data.customer"))[0]["customer"].(map[string]any)["id"])
	require.Equal(t, http.StatusOK, get(t, s, intentsOf+"?expand[]=data").status)

	send(t, s, http.MethodDelete, "/v1/customers/"+id, secret, "")
	require.Equal(t, true, get(t, s, path+"?expand[]=customer").at("customer.deleted"))

	for query, message := range map[string]string{
		"/" + intent.str("id") + "?expand[]=status":       "This property cannot be expanded (status).",
		"/" + intent.str("id") + "?expand[]=customer.foo": "This property cannot be expanded (customer.foo).",
		"?expand[]=customer":                              "This property cannot be expanded (customer). You may want to try expanding 'data.customer' instead.",
		"/" + intent.str("id") + "?expand[]=a.b.c.d.e":    "You cannot expand more than 4 levels of a property. Property: a.b.c.d.e",
		"/" + intent.str("id") + "?expand=customer":       "Invalid array",
	} {
		require.Equal(t, message, get(t, s, intentsOf+query).str("error.message"), query)
	}

	const deep = "latest_attempt.setup_intent.latest_attempt.payment_method.customer"
	got = get(t, s, path+"?expand[]="+deep)
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "property_expansion_max_depth", got.str("error.code"))
	require.Equal(t, "You cannot expand more than 4 levels of a property. Property: "+deep, got.str("error.message"))
	require.Nil(t, got.at("error.param"))
}

func TestObjectsThroughStripeGo(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	customers := customer.Client{B: backend(s), Key: secret}
	methods := paymentmethod.Client{B: backend(s), Key: secret}
	cus, err := customers.New(&stripe.CustomerParams{Email: stripe.String("a@example.com"), Metadata: map[string]string{"a": "b"}})
	require.NoError(t, err)
	pm, err := methods.Attach("pm_card_visa", &stripe.PaymentMethodAttachParams{Customer: stripe.String(cus.ID)})
	require.NoError(t, err)
	it := customers.ListPaymentMethods(&stripe.CustomerListPaymentMethodsParams{Customer: stripe.String(cus.ID)})
	require.True(t, it.Next())
	require.Equal(t, pm.ID, it.PaymentMethod().ID)
	_, err = customers.Update(cus.ID, &stripe.CustomerParams{InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(pm.ID)}})
	require.NoError(t, err)
	_, err = methods.Detach(pm.ID, nil)
	require.NoError(t, err)
	gone, err := customers.Del(cus.ID, nil)
	require.NoError(t, err)
	require.True(t, gone.Deleted)
}

// Every kind of payment method goes its own way.
func TestWaysOfPaymentMethods(t *testing.T) {
	t.Parallel()
	const accepted = "&mandate_data[customer_acceptance][type]=offline&return_url=https://example.com&expand[]=mandate&expand[]=latest_attempt"
	for body, want := range map[string]struct{ status, mandate, action string }{
		"type=us_bank_account&us_bank_account[account_number]=000123456789&us_bank_account[routing_number]=110000000": {"requires_action", "pending", "verify_with_microdeposits"},
		"type=us_bank_account&us_bank_account[financial_connections_account]=fca_1":                                   {"succeeded", "active", ""},
		"type=acss_debit&acss_debit[account_number]=1&acss_debit[institution_number]=0&acss_debit[transit_number]=1":  {"requires_action", "pending", "verify_with_microdeposits"},
		"type=au_becs_debit&au_becs_debit[account_number]=000123456&au_becs_debit[bsb_number]=000000":                 {"succeeded", "active", ""},
		"type=bacs_debit&bacs_debit[account_number]=00012345&bacs_debit[sort_code]=108800":                            {"processing", "pending", ""},
		"type=sepa_debit&sepa_debit[iban]=AT611904300234573201":                                                       {"succeeded", "active", ""},
		"type=ideal&ideal[bank]=ing": {"requires_action", "", "redirect_to_url"},
		"type=paypal":                {"requires_action", "", "redirect_to_url"},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			method := post(t, s, "/v1/payment_methods", body)
			kind := method.str("type")
			got := post(t, s, intentsOf, "confirm=true&payment_method="+method.str("id")+"&payment_method_types[]="+kind+accepted)
			require.Equal(t, want.status, got.str("status"), got.raw)
			require.Equal(t, want.mandate, got.str("mandate.status"))
			require.Equal(t, want.action, got.str("next_action.type"))
			require.Equal(t, want.status, got.str("latest_attempt.status"))
			require.Equal(t, kind, got.str("latest_attempt.payment_method_details.type"))
		})
	}
}

func TestCopyingAPaymentMethod(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	customer := post(t, s, "/v1/customers", "payment_method=pm_card_visa").str("id")
	method := ids(get(t, s, "/v1/payment_methods?customer="+customer))[0]
	got := post(t, s, "/v1/payment_methods", "payment_method="+method+"&customer="+customer)
	require.NotEqual(t, method, got.str("id"))
	require.Equal(t, "4242", got.str("card.last4"))
	require.Nil(t, got.body["customer"])
	require.Contains(t, post(t, s, "/v1/payment_methods", "payment_method="+method+"&customer=cus_x").str("error.message"), "does not belong")
	require.Equal(t, "resource_missing", post(t, s, "/v1/payment_methods", "payment_method=pm_x").str("error.code"))
}

func TestUpdatingTheTypes(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	path := intentsOf + "/" + post(t, s, intentsOf, "").str("id")
	got := post(t, s, path, "payment_method_types[]=card&payment_method_types[]=us_bank_account&payment_method_options[us_bank_account][verification_method]=instant&attach_to_self=false")
	require.Equal(t, []any{"card", "us_bank_account"}, got.body["payment_method_types"])
	require.Nil(t, got.body["automatic_payment_methods"])
	require.Equal(t, "instant", got.str("payment_method_options.us_bank_account.verification_method"))
	require.Equal(t, false, got.body["attach_to_self"])
	require.Equal(t, "setup_intent_invalid_parameter", post(t, s, path, "payment_method_types[]=gold").str("error.code"))
	require.Equal(t, "resource_missing", post(t, s, path, "customer=cus_x").str("error.code"))
	require.Equal(t, false, get(t, s, path).body["attach_to_self"], "a refused update changes nothing")
	post(t, s, path+"/cancel", "")
	require.Equal(t, "You cannot update this SetupIntent because it has been canceled.", post(t, s, path, "payment_method=pm_card_visa").str("error.message"))
}
