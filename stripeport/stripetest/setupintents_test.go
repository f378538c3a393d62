package stripetest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/setupintent"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// sample is the documentation's object, with the two fields that the version
// has besides, and what differs each time left out.
const sample = `{
  "object": "setup_intent",
  "application": null,
  "automatic_payment_methods": null,
  "cancellation_reason": null,
  "created": 1718884800,
  "customer": null,
  "description": null,
  "flow_directions": null,
  "last_setup_error": null,
  "latest_attempt": null,
  "livemode": false,
  "mandate": null,
  "metadata": {},
  "next_action": null,
  "on_behalf_of": null,
  "payment_method": null,
  "payment_method_configuration_details": null,
  "payment_method_options": {"card": {"mandate_options": null, "network": null, "request_three_d_secure": "automatic"}},
  "payment_method_types": ["card"],
  "single_use_mandate": null,
  "status": "requires_payment_method",
  "usage": "off_session"
}`

func TestCreateAnswersTheDocumentedObject(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := create(t, s, "")
	require.Regexp(t, `^seti_1[0-9A-Za-z]{23}$`, got.str("id"))
	require.Regexp(t, `^`+got.str("id")+`_secret_[0-9A-Za-z]{31}$`, got.str("client_secret"))
	require.True(t, strings.HasPrefix(got.raw, `{"id":"seti_`), "the id comes first")
	delete(got.body, "id")
	delete(got.body, "client_secret")
	b, err := json.Marshal(got.body)
	require.NoError(t, err)
	require.JSONEq(t, sample, string(b))
	require.Regexp(t, `^req_[0-9A-Za-z]{14}$`, got.header.Get("Request-Id"))
	require.Equal(t, "2024-06-20", got.header.Get("Stripe-Version"))
}

func TestCreateDefaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, version string
		automatic           any
		types               []any
	}{
		{"automatic", "", "", map[string]any{"allow_redirects": "always", "enabled": true}, []any{"card", "link"}},
		{"before 2023-08-16", "", "2022-11-15", nil, []any{"card"}},
		{"later trains", "", "2025-03-31.basil", map[string]any{"allow_redirects": "always", "enabled": true}, []any{"card", "link"}},
		{
			"never redirected", "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never", "",
			map[string]any{"allow_redirects": "never", "enabled": true},
			[]any{"card", "link"},
		},
		{"switched off", "automatic_payment_methods[enabled]=false", "", nil, []any{"card"}},
		{"types", "payment_method_types[0]=card&payment_method_types[1]=us_bank_account", "", nil, []any{"card", "us_bank_account"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFakeWith(t, &stripetest.Options{PaymentMethodTypes: []string{"card", "link"}})
			headers := []string{}
			if tt.version != "" {
				headers = []string{"Stripe-Version", tt.version}
			}
			got := post(t, s, "/v1/setup_intents", tt.body, headers...)
			require.Equal(t, http.StatusOK, got.status, got.raw)
			require.Equal(t, tt.automatic, got.body["automatic_payment_methods"])
			require.Equal(t, tt.types, got.body["payment_method_types"])
			if tt.version != "" {
				require.Equal(t, tt.version, got.header.Get("Stripe-Version"))
			}
		})
	}
}

func TestCreateTakesEveryDocumentedParameter(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	customer := post(t, s, "/v1/customers", "name=Jenny").str("id")
	method := post(t, s, "/v1/payment_methods", "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=34").str("id")
	got := post(t, s, "/v1/setup_intents", strings.Join([]string{
		"attach_to_self=true", "confirm=true", "customer=" + customer, "description=x", "flow_directions[]=inbound",
		"mandate_data[customer_acceptance][type]=online", "mandate_data[customer_acceptance][online][ip_address]=127.0.0.1",
		"mandate_data[customer_acceptance][online][user_agent]=x", "metadata[a]=b", "on_behalf_of=acct_1", "payment_method=" + method,
		"payment_method_configuration=pmc_1", "payment_method_options[card][request_three_d_secure]=any",
		"payment_method_types[]=card", "return_url=https://example.com", "single_use[amount]=100", "single_use[currency]=usd",
		"usage=on_session", "use_stripe_sdk=false", "expand[]=customer",
	}, "&"))
	require.Equal(t, http.StatusOK, got.status, got.raw)
	require.Equal(t, "succeeded", got.str("status"))
	require.Equal(t, customer, got.str("customer.id"))
	require.Equal(t, "any", got.str("payment_method_options.card.request_three_d_secure"))
	require.Equal(t, "on_session", got.str("usage"))
	require.Equal(t, []any{"inbound"}, got.body["flow_directions"])
	require.Equal(t, true, got.body["attach_to_self"])
}

func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	const known = "pm_card_visa"
	tests := []struct {
		name, body           string
		code, param, message string
	}{
		{"unknown parameter", "foo=1", "parameter_unknown", "foo", "Received unknown parameter: foo"},
		{
			"unknown parameters", "foo=1&automatic_payment_methods[bar]=1", "parameter_unknown", "automatic_payment_methods[bar]",
			"Received unknown parameters: automatic_payment_methods[bar], foo",
		},
		{
			"missing", "automatic_payment_methods[allow_redirects]=never", "parameter_missing", "automatic_payment_methods[enabled]",
			"Missing required param: automatic_payment_methods[enabled].",
		},
		{
			"exclusive", "automatic_payment_methods[enabled]=true&payment_method_types[]=card", "parameters_exclusive", "",
			"You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
		},
		{
			"two methods", "payment_method=" + known + "&payment_method_data[type]=card", "parameters_exclusive", "",
			"You may only specify one of these parameters: payment_method, payment_method_data.",
		},
		{
			"return_url", "return_url=https://example.com", "setup_intent_invalid_parameter", "return_url",
			"The parameter `return_url` cannot be passed when creating a SetupIntent unless `confirm` is set to true.",
		},
		{
			"mandate_data", "mandate_data[customer_acceptance][type]=offline&confirm=false", "setup_intent_invalid_parameter", "mandate_data",
			"The parameter `mandate_data` cannot be passed when creating a SetupIntent unless `confirm` is set to true.",
		},
		{
			"confirmation_token", "confirmation_token=ctoken_1", "setup_intent_invalid_parameter", "confirmation_token",
			"The parameter `confirmation_token` cannot be passed when creating a SetupIntent unless `confirm` is set to true.",
		},
		{"usage", "usage=sometimes", "", "usage", "Invalid usage: must be one of off_session or on_session"},
		{"boolean", "confirm=maybe", "", "confirm", "Invalid boolean: maybe"},
		{"integer", "single_use[amount]=x&single_use[currency]=usd", "parameter_invalid_integer", "single_use[amount]", "Invalid integer: x"},
		{"string", "description[]=a&description[]=b", "", "description", `Invalid string: {"0":"a","1":"b"}`},
		{"object", "automatic_payment_methods=true", "", "automatic_payment_methods", "Invalid object"},
		{"array", "payment_method_types=card", "", "payment_method_types", "Invalid array"},
		{"empty", "customer=", "parameter_invalid_empty", "customer", "You passed an empty string for 'customer'." +
			" We assume empty values are an attempt to unset a parameter; however 'customer' cannot be unset." +
			" You should remove 'customer' from your request or supply a non-empty value."},
		{
			"type", "payment_method_types[]=gold", "setup_intent_invalid_parameter", "payment_method_types",
			"The payment method type provided: gold is invalid. Please ensure the provided type is activated in your dashboard" +
				" (https://dashboard.stripe.com/account/payments/settings) and your account is enabled for any preview features that you are trying to use.",
		},
		{"customer", "customer=cus_x", "resource_missing", "customer", "No such customer: 'cus_x'"},
		{"payment method", "payment_method=pm_x", "resource_missing", "payment_method", "No such PaymentMethod: 'pm_x'"},
		{
			"confirm without method", "confirm=true&payment_method_types[]=card", "setup_intent_unexpected_state", "",
			"You cannot confirm this SetupIntent because it's missing a payment method." +
				" You can either update the SetupIntent with a payment method and then confirm it again," +
				" or confirm it again directly with a payment method or ConfirmationToken.",
		},
		{"no return_url", "confirm=true&payment_method=" + known, "", "", "This SetupIntent is configured to accept payment methods enabled" +
			" in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`." +
			" If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true`" +
			" and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."},
		{"key too long", "metadata[" + strings.Repeat("k", 41) + "]=v", "", "metadata", "Metadata keys can have up to 40 characters," +
			" but you passed in a key that is 41 characters. Invalid key: " + strings.Repeat("k", 41)},
		{"value too long", "metadata[k]=" + strings.Repeat("v", 501), "", "metadata[k]", "Metadata values can have up to 500 characters," +
			" but you passed in a value that is 501 characters. Invalid value: " + strings.Repeat("v", 501)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			got := post(t, s, "/v1/setup_intents", tt.body)
			require.Equal(t, http.StatusBadRequest, got.status, got.raw)
			require.Equal(t, "invalid_request_error", got.str("error.type"))
			require.Equal(t, tt.message, got.str("error.message"))
			require.Equal(t, tt.code, got.str("error.code"))
			require.Equal(t, tt.param, got.str("error.param"))
			if tt.code != "" {
				require.Equal(t, "https://stripe.com/docs/error-codes/"+strings.ReplaceAll(tt.code, "_", "-"), got.str("error.doc_url"))
			}
			require.Empty(t, s.SetupIntents(), "nothing was made")
			require.Empty(t, eventTypes(t, s))
		})
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := create(t, s, "&metadata[a]=1&metadata[b]=2").str("id")
	tests := []struct {
		name, body string
		want       map[string]any
	}{
		{"merge", "metadata[c]=3&metadata[a]=4", map[string]any{"a": "4", "b": "2", "c": "3"}},
		{"unset one", "metadata[a]=", map[string]any{"b": "2", "c": "3"}},
		{"leave", "description=x", map[string]any{"b": "2", "c": "3"}},
		{"unset all", "metadata=", map[string]any{}},
	}
	for _, tt := range tests { // one after the other
		got := post(t, s, "/v1/setup_intents/"+id, tt.body)
		require.Equal(t, tt.want, got.body["metadata"], tt.name)
	}
	var many strings.Builder
	for i := range 51 {
		many.WriteString("&metadata[k" + string(rune('A'+i)) + "]=v")
	}
	require.Equal(t, http.StatusBadRequest, post(t, s, "/v1/setup_intents/"+id, many.String()).status)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := create(t, s, "").str("id")
	path := "/v1/setup_intents/" + id
	customer := post(t, s, "/v1/customers", "").str("id")

	got := post(t, s, path, "description=new&customer="+customer+"&payment_method_options[card][network]=visa")
	require.Equal(t, "new", got.str("description"))
	require.Equal(t, "visa", got.str("payment_method_options.card.network"))
	require.Equal(t, "automatic", got.str("payment_method_options.card.request_three_d_secure"))
	require.Nil(t, post(t, s, path, "description=").body["description"])
	require.Equal(t, "requires_confirmation", post(t, s, path, "payment_method=pm_card_visa").str("status"))

	for _, name := range []string{"confirm=true", "usage=on_session", "return_url=https://example.com", "use_stripe_sdk=true"} {
		require.Equal(t, "parameter_unknown", post(t, s, path, name).str("error.code"), name)
	}

	require.Equal(t, "succeeded", post(t, s, path+"/confirm", "").str("status"))
	require.Equal(t, http.StatusOK, post(t, s, path, "description=later&metadata[a]=b").status, "a succeeded intent can still be described")
	got = post(t, s, path, "payment_method=pm_card_visa")
	require.Equal(t, "You cannot update this SetupIntent because it has already succeeded.", got.str("error.message"))
	require.Equal(t, "setup_intent_unexpected_state", got.str("error.code"))
	require.Equal(t, id, got.str("error.setup_intent.id"))
	require.NotContains(t, eventTypes(t, s), "setup_intent.updated")
}

func TestUpdateToTypesOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := post(t, s, intentsOf, "")
	require.NotNil(t, intent.body["automatic_payment_methods"])
	require.NotNil(t, intent.body["payment_method_configuration_details"])
	got := post(t, s, intentsOf+"/"+intent.str("id"), "payment_method_types[]=us_bank_account")
	require.Equal(t, []any{"us_bank_account"}, got.body["payment_method_types"])
	require.Nil(t, got.body["automatic_payment_methods"])
	require.Nil(t, got.body["payment_method_configuration_details"], "the configuration is that of the automatic ones")
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	customer := post(t, s, "/v1/customers", "").str("id")
	var made []string // the newest first
	for i := range 5 {
		more := ""
		if i%2 == 0 {
			more = "&customer=" + customer
		}
		made = append([]string{create(t, s, more).str("id")}, made...)
		s.Advance(1e9)
	}
	tests := []struct {
		name, query string
		want        []string
		more        bool
	}{
		{"all", "", made, false},
		{"first page", "limit=2", made[:2], true},
		{"next page", "limit=2&starting_after=" + made[1], made[2:4], true},
		{"last page", "limit=2&starting_after=" + made[3], made[4:], false},
		{"after the last", "starting_after=" + made[4], []string{}, false},
		{"page before", "limit=2&ending_before=" + made[4], made[2:4], true},
		{"first page again", "limit=2&ending_before=" + made[2], made[:2], false},
		{"customer", "customer=" + customer, []string{made[0], made[2], made[4]}, false},
		{"customer, a page", "limit=1&customer=" + customer + "&starting_after=" + made[0], []string{made[2]}, true},
		{"since", "created[gte]=1718884803", made[:2], false},
		{"after", "created[gt]=1718884803", made[:1], false},
		{"until", "created[lte]=1718884801", made[3:], false},
		{"before", "created[lt]=1718884801", made[4:], false},
		{"between", "created[gt]=1718884800&created[lt]=1718884803", made[2:4], false},
		{"at", "created=1718884802", made[2:3], false},
		{"nobody", "payment_method=pm_x", []string{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := get(t, s, "/v1/setup_intents?"+tt.query)
			require.Equal(t, http.StatusOK, got.status, got.raw)
			require.Equal(t, tt.want, ids(got))
			require.Equal(t, tt.more, got.body["has_more"])
			require.Equal(t, "list", got.str("object"))
			require.Equal(t, "/v1/setup_intents", got.str("url"))
		})
	}
}

func TestListRefusals(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := create(t, s, "").str("id")
	for query, message := range map[string]string{
		"limit=0":               "This value must be greater than or equal to 1.",
		"limit=101":             "This value must be less than or equal to 100.",
		"limit=x":               "Invalid integer: x",
		"starting_after=seti_x": "No such setupintent: 'seti_x'",
		"starting_after=" + id + "&ending_before=" + id: "Received both starting_after and ending_before parameters. Please pass in only one.",
		"created[foo]=1": "Received unknown parameter: created[foo]",
		"created=x":      "Invalid integer: x",
	} {
		got := get(t, s, "/v1/setup_intents?"+query)
		require.Equal(t, http.StatusBadRequest, got.status, query)
		require.Equal(t, message, got.str("error.message"), query)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	made := create(t, s, "&payment_method=pm_card_visa")
	path := "/v1/setup_intents/" + made.str("id")
	got := post(t, s, path+"/cancel", "cancellation_reason=abandoned")
	require.Equal(t, "canceled", got.str("status"))
	require.Equal(t, "abandoned", got.str("cancellation_reason"))
	require.Equal(t, made.str("payment_method"), got.str("payment_method"), "it keeps its payment method")
	require.Equal(t, made.str("client_secret"), got.str("client_secret"))
	got = post(t, s, path+"/cancel", "")
	require.Equal(t, "You cannot cancel this SetupIntent because it is already canceled.", got.str("error.message"))
	require.Equal(t, "canceled", got.str("error.setup_intent.status"))
	require.Equal(t, "You cannot confirm this SetupIntent because it has been canceled.", post(t, s, path+"/confirm", "").str("error.message"))

	path = "/v1/setup_intents/" + create(t, s, "&payment_method=pm_card_visa&confirm=true").str("id")
	require.Equal(t, "You cannot cancel this SetupIntent because it has a status of succeeded. Only a SetupIntent with one of the following"+
		" statuses may be canceled: `requires_payment_method`, `requires_confirmation`, or `requires_action`.", post(t, s, path+"/cancel", "").str("error.message"))
	require.Nil(t, post(t, s, "/v1/setup_intents/"+create(t, s, "").str("id")+"/cancel", "").body["cancellation_reason"])
	require.Equal(t, []string{
		"setup_intent.created", "setup_intent.canceled", "setup_intent.created", "setup_intent.succeeded",
		"setup_intent.created", "setup_intent.canceled",
	}, eventTypes(t, s))
}

func TestMissingIntent(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := get(t, s, "/v1/setup_intents/seti_x")
	require.Equal(t, http.StatusNotFound, got.status)
	require.Equal(t, "No such setupintent: 'seti_x'", got.str("error.message"))
	require.Equal(t, "resource_missing", got.str("error.code"))
	require.Equal(t, "intent", got.str("error.param"))
	require.Equal(t, "No such setupintent: 'a/../b c'", get(t, s, "/v1/setup_intents/a%2F..%2Fb%20c").str("error.message"))
}

func TestThroughStripeGo(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intents := setupintent.Client{B: backend(s), Key: secret}
	si, err := intents.New(&stripe.SetupIntentParams{
		AutomaticPaymentMethods: &stripe.SetupIntentAutomaticPaymentMethodsParams{
			Enabled: stripe.Bool(true), AllowRedirects: stripe.String("never"),
		},
		Metadata: map[string]string{"pending_user_id": "42"},
	})
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusRequiresPaymentMethod, si.Status)

	_, err = intents.Confirm(si.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_chargeDeclined")})
	var e *stripe.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusPaymentRequired, e.HTTPStatusCode)
	require.Equal(t, stripe.ErrorCodeCardDeclined, e.Code)
	require.Equal(t, stripe.DeclineCode("generic_decline"), e.DeclineCode)
	require.Equal(t, si.ID, e.SetupIntent.ID)
	require.Equal(t, "0002", e.PaymentMethod.Card.Last4)

	params := &stripe.SetupIntentParams{}
	params.AddExpand("latest_attempt")
	si, err = intents.Get(si.ID, params)
	require.NoError(t, err)
	require.Equal(t, stripe.ErrorCodeCardDeclined, si.LastSetupError.Code)
	require.Equal(t, stripe.SetupAttemptStatusFailed, si.LatestAttempt.Status)

	si, err = intents.Confirm(si.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")})
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusSucceeded, si.Status)
	require.Nil(t, si.LastSetupError)

	for range 3 {
		_, err = intents.New(&stripe.SetupIntentParams{})
		require.NoError(t, err)
	}
	list := &stripe.SetupIntentListParams{}
	list.Limit = stripe.Int64(2)
	seen := 0
	it := intents.List(list)
	for it.Next() {
		seen++
	}
	require.NoError(t, it.Err())
	require.Equal(t, 4, seen, "every page")
	require.Equal(t, 2, s.Count("GET /v1/setup_intents"))
}
