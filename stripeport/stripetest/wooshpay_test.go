package stripetest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const wooshIntents = "/wooshpay/v1/setup_intents"

func basic(key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))
}

// woosh makes a call as WooshPay's clients do.
func woosh(t *testing.T, s *stripetest.Server, method, path, key, body string, headers ...string) reply {
	t.Helper()
	return send(t, s, method, path, "", body, append([]string{"Authorization", basic(key), "Content-Type", "application/json"}, headers...)...)
}

func wooshCreate(t *testing.T, s *stripetest.Server, body string) reply {
	t.Helper()
	got := woosh(t, s, http.MethodPost, wooshIntents, secret, body)
	require.Equal(t, http.StatusOK, got.status, got.raw)
	return got
}

func mac(secret, at, body string) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, at+"."+body)
	return hex.EncodeToString(h.Sum(nil))
}

func fields(r reply) []string { return slices.Sorted(maps.Keys(r.body)) }

func TestWooshPayObject(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := wooshCreate(t, s, `{"description":"d","metadata":{"a":"1"},"usage":"on_session","payment_method_options":{"card":{"request_three_d_secure":"any"}}}`)
	require.Equal(t, []string{
		"cancellation_reason", "client_secret", "created", "customer", "description", "id", "last_setup_error", "latest_attempt", "livemode", "mandate",
		"metadata", "next_action", "object", "payment_method", "payment_method_options", "payment_method_types", "return_url", "single_use_mandate", "status",
	}, fields(got))
	require.Regexp(t, `^seti_[1-9]\d{18}$`, got.str("id"))
	require.Regexp(t, `^pi_[1-9]\d{18}_secret_\w{24}$`, got.str("client_secret"))
	require.InDelta(t, noon().UnixMilli(), got.at("created"), 0, "in milliseconds")
	require.Equal(t, "requires_payment_method", got.str("status"))
	require.Equal(t, "any", got.str("payment_method_options.card.request_three_d_secure"))
	require.Equal(t, []any{"card"}, got.at("payment_method_types"))
	require.Equal(t, got.body, woosh(t, s, http.MethodGet, wooshIntents+"/"+got.str("id"), secret, "").body)
	require.Empty(t, got.header.Values("Request-Id"))
	require.Empty(t, got.header.Values("Stripe-Version"))

	// What a page sees.
	path := wooshIntents + "/" + got.str("id") + "?client_secret=" + got.str("client_secret")
	page := woosh(t, s, http.MethodGet, path, publishable, "")
	require.Equal(t, []string{
		"cancellation_reason", "client_secret", "created", "description", "id", "last_setup_error", "livemode", "next_action", "object", "payment_method", "status",
	}, fields(page))
	for path, want := range map[string]int{
		wooshIntents + "/" + got.str("id"):                         http.StatusBadRequest,
		wooshIntents + "/" + got.str("id") + "?client_secret=pi_x": http.StatusBadRequest,
		wooshIntents + "/seti_none?client_secret=pi_x":             http.StatusNotFound,
	} {
		require.Equal(t, want, woosh(t, s, http.MethodGet, path, publishable, "").status, path)
	}

	// It is the same account.
	stripes := get(t, s, "/v1/setup_intents/"+got.str("id"))
	require.Equal(t, got.str("client_secret"), stripes.str("client_secret"))
	require.Equal(t, "on_session", stripes.str("usage"))
	require.InDelta(t, noon().Unix(), stripes.at("created"), 0)
	require.Equal(t, http.StatusOK, woosh(t, s, http.MethodGet, wooshIntents+"/"+create(t, s, "").str("id"), secret, "").status)
}

// A text that is the document's placeholder is none, and a card without its data
// is the Visa card for tests: so the document's own sample can be sent, but for its
// raw card.
func TestWooshPaySample(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	got := wooshCreate(t, s, `{"confirm":true,"customer":"string","description":"string","payment_method":"string","payment_method_types":["string"],
		"payment_method_data":{"type":"card","billing_details":{"email":"string"}},"return_url":"string"}`)
	require.Equal(t, "succeeded", got.str("status"))
	require.Nil(t, got.at("customer"))
	require.Nil(t, got.at("description"))

	for _, card := range []string{`{}`, `{"number":"string"}`, `{"number":"4242424242424242","exp_month":"01","exp_year":"2030"}`} {
		refused := woosh(t, s, http.MethodPost, wooshIntents, secret, `{"payment_method_data":{"type":"card","card":`+card+`}}`)
		require.Equal(t, http.StatusBadRequest, refused.status)
		require.Equal(t, "payment_method_data[card]", refused.str("error.param"))
		require.Contains(t, refused.str("error.message"), "Card numbers must not pass through a server")
		require.NotContains(t, refused.raw, "4242424242424242")
	}
	require.Len(t, s.SetupIntents(), 1)
}

func TestWooshPayRefusals(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := wooshCreate(t, s, `{}`).str("id")
	authorization := func(value string) []string {
		return []string{"Authorization", value, "Content-Type", "application/json"}
	}
	for name, tc := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		message            string
	}{
		"no key":              {http.MethodPost, wooshIntents, `{}`, authorization(""), 401, "HTTP Basic"},
		"Bearer":              {http.MethodPost, wooshIntents, `{}`, authorization("Bearer " + secret), 401, "HTTP Basic"},
		"another key":         {http.MethodPost, wooshIntents, `{}`, authorization(basic("sk_test_secretsecret")), 401, "sk_test_********cret"},
		"publishable":         {http.MethodPost, wooshIntents, `{}`, authorization(basic(publishable)), 401, "publishable"},
		"form":                {http.MethodPost, wooshIntents, `usage=on_session`, []string{"Authorization", basic(secret), "Content-Type", "application/x-www-form-urlencoded"}, 400, "Content-Type"},
		"no JSON":             {http.MethodPost, wooshIntents, `{"usage":`, nil, 400, "JSON object"},
		"array":               {http.MethodPost, wooshIntents, `[]`, nil, 400, "JSON object"},
		"null":                {http.MethodPost, wooshIntents, `null`, nil, 400, "JSON object"},
		"two":                 {http.MethodPost, wooshIntents, `{}{}`, nil, 400, "JSON object"},
		"deep":                {http.MethodPost, wooshIntents, strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20), nil, 400, "too deeply"},
		"large":               {http.MethodPost, wooshIntents, `{"description":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "too large"},
		"unknown parameter":   {http.MethodPost, wooshIntents, `{"automatic_payment_methods":{"enabled":true}}`, nil, 400, "Received unknown parameter: automatic_payment_methods"},
		"usage":               {http.MethodPost, wooshIntents, `{"usage":"often"}`, nil, 400, "Invalid usage"},
		"type":                {http.MethodPost, wooshIntents, `{"payment_method_types":["coins"]}`, nil, 400, "There is no payment method type coins."},
		"customer":            {http.MethodPost, wooshIntents, `{"customer":"cus_none"}`, nil, 400, "No such customer"},
		"return_url":          {http.MethodPost, wooshIntents, `{"return_url":"https://app.example"}`, nil, 400, "only be used with confirm=true"},
		"confirm without":     {http.MethodPost, wooshIntents, `{"confirm":true}`, nil, 400, "missing a payment method"},
		"another type":        {http.MethodPost, wooshIntents, `{"payment_method_data":{"type":"alipay"}}`, nil, 400, "not allowed"},
		"confirm, no URL":     {http.MethodPost, wooshIntents + "/" + id + "/confirm", `{"payment_method":"pm_card_visa"}`, nil, 400, "Missing required param: return_url."},
		"confirm, raw card":   {http.MethodPost, wooshIntents + "/" + id + "/confirm", `{"return_url":"https://x.test","payment_method_data":{"type":"card","card":{}}}`, nil, 400, "Card numbers"},
		"confirm of none":     {http.MethodPost, wooshIntents + "/seti_none/confirm", `{"return_url":"https://x.test"}`, nil, 404, "No such setupintent"},
		"none":                {http.MethodGet, wooshIntents + "/seti_none", ``, nil, 404, "No such setupintent"},
		"list":                {http.MethodGet, wooshIntents, ``, nil, 404, "Unrecognized request URL"},
		"cancel":              {http.MethodPost, wooshIntents + "/" + id + "/cancel", `{}`, nil, 404, "Unrecognized request URL"},
		"no path":             {http.MethodGet, "/wooshpay/", ``, nil, 404, "Unrecognized request URL"},
		"a page's parameters": {http.MethodPost, wooshIntents + "/" + id + "/confirm", `{"return_url":"https://x.test","client_secret":"pi_x"}`, nil, 400, "client_secret"},
	} {
		headers := tc.headers
		if headers == nil {
			headers = authorization(basic(secret))
		}
		got := send(t, s, tc.method, tc.path, "", tc.body, headers...)
		require.Equal(t, tc.status, got.status, "%s: %s", name, got.raw)
		require.Equal(t, []string{"error"}, fields(got), name)
		require.Contains(t, got.str("error.message"), tc.message, name)
		require.Equal(t, "invalid_request_error", got.str("error.type"), name)
		for member := range got.body["error"].(map[string]any) {
			require.Contains(t, []string{"type", "code", "decline_code", "message", "param"}, member, "%s: it is not documented", name)
		}
		require.NotContains(t, got.raw, "secretsecret", name)
		require.NotContains(t, got.raw, "stripe.com", name)
		if tc.status == http.StatusUnauthorized {
			require.Equal(t, `Basic realm="WooshPay"`, got.header.Get("WWW-Authenticate"), name)
		}
	}
	require.Len(t, s.SetupIntents(), 1)
}

func TestWooshPayConfirm(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	cus := post(t, s, "/v1/customers", "").str("id")
	made := wooshCreate(t, s, `{"customer":"`+cus+`"}`)
	path := wooshIntents + "/" + made.str("id") + "/confirm"

	declined := woosh(t, s, http.MethodPost, path, secret, `{"return_url":"https://app.example","payment_method":"pm_card_chargeDeclinedInsufficientFunds"}`)
	require.Equal(t, http.StatusPaymentRequired, declined.status)
	require.Equal(t, "card_error card_declined insufficient_funds", strings.Join([]string{declined.str("error.type"), declined.str("error.code"), declined.str("error.decline_code")}, " "))
	now := woosh(t, s, http.MethodGet, wooshIntents+"/"+made.str("id"), secret, "")
	require.Equal(t, "requires_payment_method", now.str("status"))
	require.Equal(t, "insufficient_funds", now.str("last_setup_error.decline_code"))
	require.Equal(t, "card", now.str("last_setup_error.payment_method_type"))
	require.Equal(t, "9995", now.str("last_setup_error.payment_method.card.last4"))
	require.Equal(t, "https://app.example", now.str("return_url"))

	// A page confirms, and sends the card as WooshPay's SDK does: texts for months.
	body := `{"client_secret":"` + made.str("client_secret") + `","return_url":"https://app.example",
		"payment_method_data":{"type":"card","card":{"number":"4242424242424242","exp_month":"01","exp_year":"2030","cvc":"123","name":"N"}}}`
	require.Equal(t, http.StatusBadRequest, woosh(t, s, http.MethodPost, path, publishable, strings.Replace(body, `"return_url"`, `"metadata":{"a":"1"},"return_url"`, 1)).status)
	page := woosh(t, s, http.MethodPost, path, publishable, body)
	require.Equal(t, http.StatusOK, page.status, page.raw)
	require.Equal(t, "succeeded", page.str("status"))
	require.Len(t, page.body, 11)
	require.Equal(t, cus, get(t, s, "/v1/payment_methods/"+page.str("payment_method")).str("customer"))
	again := woosh(t, s, http.MethodPost, path, secret, `{"return_url":"https://x.test","payment_method":"pm_card_visa"}`)
	require.Equal(t, "setup_intent_unexpected_state", again.str("error.code"))
}

// Every next action of the document, by the type of the payment method or by the
// control API.
func TestWooshPayNextActions(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for name, members := range map[string]string{
		"redirect_to_url": "return_url url", "ddc_redirect": "return_url url", "challenge_redirect": "return_url url",
		"alipayplus_handle_redirect": "applinkUrl normalUrl return_url schemeUrl", "alipay_handle_redirect": "native_data native_url return_url url",
		"wechat_pay_display_qr_code": "data data_ur image_url_png image_url_svg", "wechat_pay_redirect_to_android_app": "native_url",
		"wechat_pay_redirect_to_ios_app": "native_url", "wechat_pay_redirect_to_web": "url",
		"wechat_pay_official_account_params": "appId nonceStr package paySign signType timeStamp", "truemoney_handle_redirect": "url",
		"akulaku_handle_redirect": "url", "bank_transfer_id_handle_redirect": "url", "promptpay_handle_redirect": "url", "dana_handle_redirect": "url",
		"shopeepay_handle_redirect": "url", "gcash_handle_redirect": "url", "rabbit_line_pay_handle_redirect": "url", "alipay_hk_handle_redirect": "url",
		"bpi_handle_redirect": "url",
	} {
		id := wooshCreate(t, s, `{}`).str("id")
		require.Equal(t, http.StatusOK, control(t, s, http.MethodPost, "setup_intents/"+id, `{"outcome":"`+name+`"}`).status, name)
		got := woosh(t, s, http.MethodGet, wooshIntents+"/"+id, secret, "")
		require.Equal(t, "requires_action", got.str("status"))
		require.Equal(t, name, got.str("next_action.type"))
		require.Len(t, got.at("next_action"), 2)
		details, _ := got.at("next_action." + name).(map[string]any)
		require.Equal(t, members, strings.Join(slices.Sorted(maps.Keys(details)), " "), name)

		methodType, ok := strings.CutSuffix(name, "_handle_redirect")
		if name == "wechat_pay_display_qr_code" {
			methodType, ok = "wechat_pay", true
		}
		if ok {
			confirmed := wooshCreate(t, s, `{"confirm":true,"payment_method_types":["`+methodType+`"],"return_url":"https://app.example","payment_method_data":{"type":"`+methodType+`"}}`)
			require.Equal(t, name, confirmed.str("next_action.type"))
		}
	}

	challenged := wooshCreate(t, s, `{"confirm":true,"payment_method":"pm_card_authenticationRequired","return_url":"https://app.example/back"}`)
	require.Equal(t, "https://app.example/back", challenged.str("next_action.redirect_to_url.return_url"))
	page := challenged.str("next_action.redirect_to_url.url")
	done := send(t, s, http.MethodPost, strings.TrimPrefix(page, "http://stripe.test"), "", "outcome=complete", "Accept", "application/json")
	require.Equal(t, "succeeded", done.str("status"), done.raw)
	require.Equal(t, "succeeded", woosh(t, s, http.MethodGet, wooshIntents+"/"+challenged.str("id"), secret, "").str("status"))
}

// Faults, latency and the record of calls are WooshPay's, too.
func TestWooshPayControl(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	require.NoError(t, s.Inject(stripetest.Fault{Route: "POST " + wooshIntents, Status: 429, Count: 1}))
	throttled := woosh(t, s, http.MethodPost, wooshIntents, secret, `{}`)
	require.Equal(t, http.StatusTooManyRequests, throttled.status)
	require.Equal(t, "rate_limit", throttled.str("error.code"))
	require.Equal(t, http.StatusOK, control(t, s, http.MethodPost, "latency", `{"ms":1,"path":"`+wooshIntents+`"}`).status)
	got := control(t, s, http.MethodPost, "faults", `{"kind":"html","path":"/wooshpay/v1/setup_intents/seti_1","method":"GET","count":1}`)
	require.Equal(t, http.StatusOK, got.status, got.raw)
	wooshCreate(t, s, `{}`)
	require.Equal(t, http.StatusBadGateway, woosh(t, s, http.MethodGet, wooshIntents+"/seti_9", secret, "").status)
	require.Equal(t, map[string]int{"POST " + wooshIntents: 2, "GET " + wooshIntents + "/:id": 1}, s.Counts())
}

func TestWooshPayIdempotency(t *testing.T) {
	t.Parallel()
	for keys, want := range map[bool]int{false: 2, true: 1} {
		s := newFakeWith(t, &stripetest.Options{WooshPayIdempotencyKeys: keys})
		for range 2 {
			got := woosh(t, s, http.MethodPost, wooshIntents, secret, `{"metadata":{"a":"1"}}`, "Idempotency-Key", "k")
			require.Equal(t, http.StatusOK, got.status)
			require.Empty(t, got.header.Values("Idempotent-Replayed"), "it is not documented")
			require.Empty(t, got.header.Values("Idempotency-Key"))
		}
		require.Len(t, s.SetupIntents(), want)
		other := woosh(t, s, http.MethodPost, wooshIntents, secret, `{}`, "Idempotency-Key", "k")
		if keys {
			require.Equal(t, "idempotency_error", other.str("error.type"))
			continue
		}
		require.Equal(t, http.StatusOK, other.status)
	}
}

// Events, as WooshPay sends them, beside Stripe's.
func TestWooshPayEvents(t *testing.T) {
	t.Parallel()
	type got struct {
		header http.Header
		body   reply
	}
	var mu sync.Mutex
	hooks := map[string][]got{}
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		e := reply{raw: string(raw)}
		_ = json.Unmarshal(raw, &e.body)
		mu.Lock()
		defer mu.Unlock()
		hooks[r.URL.Path] = append(hooks[r.URL.Path], got{r.Header.Clone(), e})
	}))
	t.Cleanup(app.Close)
	s := newFakeWith(t, &stripetest.Options{Webhooks: []stripetest.Webhook{{URL: app.URL + "/stripe", Secret: "whsec_stripe"}}})
	added := control(t, s, http.MethodPost, "webhooks", `{"endpoint":{"url":"`+app.URL+`/wooshpay","secret":"whsec_woosh","wooshpay":true}}`)
	require.Equal(t, http.StatusOK, added.status, added.raw)

	id := wooshCreate(t, s, `{"metadata":{"a":"1"}}`).str("id")
	require.NoError(t, s.Resolve(id, stripetest.OutcomeDecline))
	require.NoError(t, s.Resolve(id, stripetest.OutcomeSucceed))
	require.NoError(t, s.WaitWebhooks(context.Background()))
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, hooks["/stripe"], 3)
	require.Len(t, hooks["/wooshpay"], 2, "those that are documented")
	for i, want := range []string{"setup_intent.created requires_payment_method", "setup_intent.succeeded succeeded"} {
		e := hooks["/wooshpay"][i]
		require.Equal(t, want, e.body.str("type")+" "+e.body.str("data.object.status"))
		require.Equal(t, id, e.body.str("data.object.id"))
		require.Len(t, e.body.at("data.object"), 19)
		require.InDelta(t, noon().UnixMilli(), e.body.at("created"), 0)
		require.Empty(t, e.header.Values("Stripe-Signature"))
		line := e.header.Get("Wooshpay-Signature")
		at, _, _ := strings.Cut(strings.TrimPrefix(line, "t="), ",")
		require.Equal(t, "t="+at+",v1="+mac("whsec_woosh", at, e.body.raw), line)
	}

	// Sent again, also to one that was not there at the time.
	extra, err := s.AddWebhook(stripetest.Webhook{URL: app.URL + "/later", WooshPay: true})
	require.NoError(t, err)
	require.NotEmpty(t, extra.Secret)
	require.Equal(t, http.StatusOK, control(t, s, http.MethodPost, "webhooks", `{"resend":"`+hooks["/stripe"][0].body.str("id")+`"}`).status)
	mu.Unlock()
	require.NoError(t, s.WaitWebhooks(context.Background()))
	mu.Lock()
	require.Len(t, hooks["/later"], 1)
	require.Equal(t, id, hooks["/later"][0].body.str("data.object.id"))
}

// All of it outlives the process.
func TestWooshPayStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	open := func() *stripetest.Server {
		s, err := stripetest.New(&stripetest.Options{StateFile: file, Now: noon})
		require.NoError(t, err)
		return s
	}
	s := open()
	made := wooshCreate(t, s, `{}`)
	woosh(t, s, http.MethodPost, wooshIntents+"/"+made.str("id")+"/confirm", secret, `{"return_url":"https://app.example","payment_method":"pm_card_chargeDeclined"}`)
	require.NoError(t, s.Resolve(made.str("id"), "challenge_redirect"))
	before := woosh(t, s, http.MethodGet, wooshIntents+"/"+made.str("id"), secret, "")
	require.NoError(t, s.Close())
	s = open()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.Equal(t, before.raw, woosh(t, s, http.MethodGet, wooshIntents+"/"+made.str("id"), secret, "").raw)
}
