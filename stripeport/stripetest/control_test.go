package stripetest_test

import (
	"cmp"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestControlCalls(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "")
	create(t, s, "")
	page(t, s, intent, http.MethodGet, "", "")
	post(t, s, intentsOf, card, keyHeader, "k")
	post(t, s, intentsOf, card, keyHeader, "k")
	get(t, s, "/v1/"+intent.str("client_secret"))
	got := control(t, s, http.MethodGet, "calls", "")
	require.Equal(t, map[string]any{
		"POST /v1/setup_intents": 4.0, "GET /v1/setup_intents/:id": 1.0, "GET unrecognized": 1.0,
	}, got.body["counts"])
	calls := got.body["calls"].([]any)
	require.Len(t, calls, 6)
	last := calls[4].(map[string]any)
	require.Regexp(t, "^req_", last["request_id"])
	delete(last, "request_id")
	require.Equal(t, map[string]any{
		"time": "2024-06-20T12:00:00Z", "method": "POST", "path": "/v1/setup_intents", "status": 200.0,
		"idempotency_key": "k", "replayed": true,
	}, last)
	require.NotContains(t, got.raw, intent.str("client_secret"))
	require.NotContains(t, got.raw, "_secret_")
	require.Equal(t, s.Counts()["POST /v1/setup_intents"], s.Count("POST /v1/setup_intents"))
}

func TestControlClock(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for _, tt := range []struct{ document, want string }{
		{"", "2024-06-20T12:00:00Z"},
		{`{"advance":"24h"}`, "2024-06-21T12:00:00Z"},
		{`{"now":"2030-01-01T00:00:00Z"}`, "2030-01-01T00:00:00Z"},
		{`{"now":"2031-01-01T00:00:00Z","advance":"1m"}`, "2031-01-01T00:01:00Z"},
		{`{"advance":"-1m"}`, "2031-01-01T00:00:00Z"},
	} {
		method := http.MethodPost
		if tt.document == "" {
			method = http.MethodGet
		}
		require.Equal(t, tt.want, control(t, s, method, "clock", tt.document).str("now"), tt.document)
	}
	require.EqualValues(t, s.Now().Unix(), create(t, s, "").body["created"])
}

func TestControlFaults(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := control(t, s, http.MethodPost, "faults", `{"method":"post","path":"/v1/setup_intents","kind":"error","when":"after","stored":true,"status":503,"count":1}`)
	require.Equal(t, http.StatusOK, got.status, got.raw)
	require.Equal(t, []any{map[string]any{
		"method": "POST", "path": "/v1/setup_intents", "kind": "error", "when": "after", "stored": true, "status": 503.0, "count": 1.0,
	}}, got.body["faults"])
	require.Equal(t, 503, post(t, s, intentsOf, card, keyHeader, "k").status)
	require.True(t, replayed(post(t, s, intentsOf, card, keyHeader, "k")))
	require.Empty(t, control(t, s, http.MethodGet, "faults", "").body["faults"], "it is used up")

	control(t, s, http.MethodPost, "faults", `{"status":500}`)
	control(t, s, http.MethodPost, "faults", `{"faults":[{"method":"GET","path":"/v1/setup_intents","status":502},{"method":"POST","path":"/v1/setup_intents","status":503}]}`)
	require.Equal(t, 502, get(t, s, intentsOf).status, "the list replaced what was in force")
	require.Equal(t, 503, post(t, s, intentsOf, card).status)
	require.Equal(t, 200, get(t, s, "/v1/events").status)
	control(t, s, http.MethodPost, "faults", `{"faults":[]}`)
	require.Equal(t, 200, get(t, s, intentsOf).status)
}

func TestControlLatency(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := control(t, s, http.MethodPost, "latency", `{"ms":1,"method":"POST","path":"/v1/setup_intents"}`)
	require.Equal(t, http.StatusOK, got.status)
	create(t, s, "")
	require.Equal(t, http.StatusOK, control(t, s, http.MethodPost, "latency", `{"ms":0}`).status)
}

func TestControlReset(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	post(t, s, intentsOf, card, keyHeader, "k")
	control(t, s, http.MethodPost, "clock", `{"advance":"1h"}`)
	control(t, s, http.MethodPost, "faults", `{"status":500,"method":"GET","path":"/v1/events"}`)
	require.Equal(t, http.StatusOK, control(t, s, http.MethodPost, "reset", "").status)
	require.Empty(t, s.SetupIntents())
	require.Empty(t, s.Calls())
	require.Equal(t, noon(), s.Now())
	require.Empty(t, eventTypes(t, s))
	require.False(t, replayed(post(t, s, intentsOf, card, keyHeader, "k")))
}

func TestControlIntents(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	intent := create(t, s, "&metadata[a]=b")
	got := control(t, s, http.MethodPost, "setup_intents/"+intent.str("id"), `{"outcome":"insufficient_funds"}`)
	require.Equal(t, "requires_payment_method", got.str("status"))
	require.Equal(t, "insufficient_funds", got.str("last_error"))
	control(t, s, http.MethodPost, "setup_intents/"+intent.str("id"), `{"outcome":"challenge"}`)
	require.Contains(t, get(t, s, intentsOf+"/"+intent.str("id")).str("next_action.use_stripe_sdk.stripe_js"), "http://stripe.test/redirect/authenticate/setatt_")
	got = control(t, s, http.MethodPost, "setup_intents/"+intent.str("id"), `{"outcome":"succeed"}`)
	require.Equal(t, "succeeded", got.str("status"))
	got = control(t, s, http.MethodGet, "setup_intents", "")
	require.Len(t, got.body["setup_intents"], 1)
	require.NotContains(t, got.raw, "secret")
}

func TestControlDeclines(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	own := map[string]string{ // those that are no card_declined
		"expired_card": "expired_card", "incorrect_cvc": "incorrect_cvc", "processing_error": "processing_error",
		"authentication_required": "authentication_required",
	}
	// docs.stripe.com/declines/codes
	codes := strings.Fields(`approve_with_id authentication_not_handled authentication_required call_issuer card_not_supported
		card_velocity_exceeded currency_not_supported do_not_honor do_not_try_again duplicate_transaction expired_card fraudulent
		generic_decline incorrect_address incorrect_cvc incorrect_number incorrect_pin incorrect_zip insufficient_funds
		invalid_account invalid_amount invalid_cvc invalid_expiry_month invalid_expiry_year invalid_number invalid_pin
		issuer_not_available lost_card merchant_blacklist mobile_device_authentication_required new_account_information_available
		no_action_taken not_permitted offline_pin_required online_or_offline_pin_required pickup_card pin_try_exceeded
		processing_error reenter_transaction restricted_card revocation_of_all_authorizations revocation_of_authorization
		security_violation service_not_allowed stolen_card stop_payment_order testmode_decline transaction_not_allowed
		try_again_later withdrawal_count_limit_exceeded`)
	require.Len(t, codes, 50)
	id := create(t, s, "").str("id")
	for _, code := range codes {
		got := control(t, s, http.MethodPost, "setup_intents/"+id, `{"outcome":"`+code+`"}`)
		require.Equal(t, http.StatusOK, got.status, got.raw)
		now := get(t, s, intentsOf+"/"+id)
		require.Equal(t, cmp.Or(own[code], "card_declined"), now.str("last_setup_error.code"))
		require.Equal(t, code, now.str("last_setup_error.decline_code"))
		require.Equal(t, "card_error", now.str("last_setup_error.type"))
		require.Contains(t, now.str("last_setup_error.message"), "our card")
	}
}

func TestControlRefusals(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	tests := []struct {
		method, path, document string
		status                 int
	}{
		{"GET", "", "", 404},
		{"GET", "foo", "", 404},
		{"PUT", "calls", "", 404},
		{"POST", "clock", "{", 400},
		{"POST", "clock", "[]", 400},
		{"POST", "clock", "", 400},
		{"POST", "clock", `{"advance":"1h"} {"advance":"1h"}`, 400},
		{"POST", "clock", `{"now":"soon"}`, 400},
		{"POST", "clock", `{"advance":"a day"}`, 400},
		{"POST", "clock", `{"foo":1}`, 400},
		{"POST", "clock", `{"now":"9999-01-01T00:00:00Z"}`, 400},
		{"POST", "clock", `{"now":"1969-12-31T23:59:59Z"}`, 400},
		{"POST", "clock", `{"advance":"2562047h"}`, 400},
		{"POST", "clock", `{"now":"2100-01-01T00:00:00Z","advance":"1000000h"}`, 400},
		{"POST", "latency", `{"ms":-1}`, 400},
		{"POST", "latency", `{"ms":9999999999999999}`, 400},
		{"POST", "latency", `{"ms":1,"method":"PUT"}`, 400},
		{"POST", "faults", "", 400},
		{"POST", "faults", " null", 400},
		{"POST", "faults", `{"faults":null}`, 400},
		{"POST", "faults", `{"faults":[null]}`, 400},
		{"POST", "faults", `{"status":500}x`, 400},
		{"POST", "faults", `{"kind":"gold"}`, 400},
		{"POST", "faults", `{"when":"during"}`, 400},
		{"POST", "faults", `{"path":"/v1/setup_intent"}`, 400},
		{"POST", "faults", `{"method":"PUT","path":"/v1/setup_intents"}`, 400},
		{"POST", "faults", `{"faults":[{"kind":"gold"}]}`, 400},
		{"POST", "faults", `{"duration_ms":99999999999999999}`, 400},
		{"POST", "faults", `{"kind":"late","delay_ms":99999999999999999}`, 400},
		{"POST", "setup_intents/seti_x", `{"outcome":"succeed"}`, 400},
		{"POST", "setup_intents/seti_x", `{}`, 400},
		{"POST", "webhooks", `{"mode":"gold"}`, 400},
		{"POST", "webhooks", `{"mode":"delay","delay_ms":-1}`, 400},
		{"POST", "webhooks", `{"mode":"delay","delay_ms":99999999999999999}`, 400},
		{"POST", "webhooks", `{"resend":"evt_x"}`, 400},
		{"POST", "webhooks", `{"endpoint":{"url":"nowhere"}}`, 400},
		{"POST", "webhooks", `{"endpoint":{"url":"http://app.test","enabled_events":["setup_intent.*","foo"]}}`, 400},
		{"POST", "webhooks", `{"mode":"drop","lose":["setup_intent.*","nope"]}`, 400},
	}
	for _, tt := range tests {
		got := control(t, s, tt.method, tt.path, tt.document)
		require.Equal(t, tt.status, got.status, tt.method+" "+tt.path+" "+tt.document)
		require.NotEmpty(t, got.str("error.message"))
		require.Equal(t, "invalid_request_error", got.str("error.type"))
		require.NotContains(t, got.raw, "support.stripe.com", "nobody knows of the control API there")
	}
	require.Equal(t, noon(), s.Now())
	hooks := control(t, s, http.MethodGet, "webhooks", "")
	require.Equal(t, "deliver", hooks.str("mode"))
	require.Empty(t, hooks.body["lose"])
	require.Empty(t, hooks.body["endpoints"])
	require.Empty(t, control(t, s, http.MethodGet, "faults", "").body["faults"])
}

func TestControlErrors(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for _, tt := range []struct{ path, document, want string }{
		{"faults", `[]`, "the body must be a JSON object"},
		{"faults", `{}[]`, "the body must be one JSON object, and nothing after it"},
		{"faults", `{"kind":`, "not the document expected: unexpected EOF"},
		{"faults", `{"foo":1}`, `not the document expected: unknown field "foo"`},
		{"faults", `{"status":"500"}`, `"status" needs a whole number, and was given: string`},
		{"faults", `{"faults":[{"stored":1}]}`, `"stored" needs true or false, and was given: number`},
		{"faults", `{"faults":{}}`, `"faults" needs a list, and was given: object`},
		{"faults", `{"faults":null}`, `"faults" needs a list, and was given: null`},
		{"faults", `{"faults":[{},null]}`, `"faults" needs an object, and was given: null`},
		{"faults", `{"faults":[[]]}`, `"faults" needs an object, and was given: array`},
		{"latency", `{"ms":1.5}`, `"ms" needs a whole number, and was given: number 1.5`},
		{"clock", `{"now":"soon"}`, `"now" needs a time like 2024-06-20T12:00:00Z, and was given: "soon"`},
		{"clock", `{"advance":"a day"}`, `"advance" needs a duration like 24h or -90s, and was given: "a day"`},
		{"webhooks", `{"mode":true}`, `"mode" needs a string, and was given: bool`},
		{"webhooks", `{"lose":["nope"]}`, `stripetest: "nope" is not a type of event`},
		{"webhooks", `{"lose":[1]}`, `"lose" needs a string, and was given: number`},
	} {
		require.Equal(t, tt.want, control(t, s, http.MethodPost, tt.path, tt.document).str("error.message"), tt.document)
	}
}

func TestServersDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	a, b := stripetest.NewServer(t, nil), stripetest.NewServer(t, nil)
	create(t, a, "")
	require.NotEqual(t, a.URL, b.URL)
	require.Empty(t, b.SetupIntents())
	require.Empty(t, b.Calls())
}

func TestSeed(t *testing.T) {
	t.Parallel()
	first := create(t, newFakeWith(t, &stripetest.Options{Seed: 1}), "")
	require.Equal(t, first.raw, create(t, newFakeWith(t, &stripetest.Options{Seed: 1}), "").raw)
	require.NotEqual(t, first.raw, create(t, newFakeWith(t, &stripetest.Options{Seed: 2}), "").raw)
	drawn, other := create(t, newFake(t), "").raw, create(t, newFake(t), "").raw
	require.NotEqual(t, drawn, other)
}

func TestTheLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := newFakeWith(t, &stripetest.Options{Logger: logger(&log)})
	intent := create(t, s, "&metadata[a]=canary")
	page(t, s, intent, http.MethodGet, "", "")
	get(t, s, "/v1/"+intent.str("client_secret"))
	require.Contains(t, log.String(), "path=/v1/setup_intents/:id")
	require.NotContains(t, log.String(), "_secret_")
	require.NotContains(t, log.String(), "canary")
	require.NotContains(t, log.String(), secret)
}
