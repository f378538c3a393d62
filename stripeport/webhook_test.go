package stripeport_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const (
	webhookSecret = "whsec_CANARYvT3kZr9QmB2xLw8YpN5sHd7J"
	oldSecret     = "whsec_CANARYoldoldoldoldoldoldoldold"
	otherSecret   = "whsec_somebody_elses_secret_0000000"
)

func newWebhook(t testing.TB, opts *stripeport.WebhookOptions, secrets ...string) *stripeport.Webhook {
	t.Helper()
	if opts == nil {
		opts = &stripeport.WebhookOptions{Now: time1700}
	}
	if len(secrets) == 0 {
		secrets = []string{webhookSecret}
	}
	w, err := stripeport.NewWebhook(secrets, opts)
	require.NoError(t, err)
	return w
}

// mac signs as Stripe does.
func mac(secret, at, body string) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, at+"."+body)
	return hex.EncodeToString(h.Sum(nil))
}

func signature(line string) http.Header { return http.Header{"Stripe-Signature": {line}} }

// signed is the header of a body that was signed at time1700.
func signed(body string) http.Header {
	return signature("t=1700000000,v1=" + mac(webhookSecret, "1700000000", body))
}

// snapshotEvent is an event as Stripe sends it; fields come last, so that they
// replace.
func snapshotEvent(typ, object string, fields ...string) string {
	return `{"id":"evt_1","object":"event","api_version":"2024-06-20","created":1700000000,"data":{"object":` + object + `},` +
		`"livemode":false,"pending_webhooks":1,"request":{"id":"req_1","idempotency_key":null},"type":"` + typ + `"` +
		strings.Join(append([]string{""}, fields...), ",") + `}`
}

func thinEvent(typ string, fields ...string) string {
	return `{"id":"evt_1","object":"v2.core.event","type":"` + typ + `","livemode":false,"created":"2024-09-17T06:20:52.246Z","context":null,` +
		`"related_object":{"id":"seti_1Abc","type":"setup_intent","url":"/v1/setup_intents/seti_1Abc"}` +
		strings.Join(append([]string{""}, fields...), ",") + `}`
}

func TestNewWebhook(t *testing.T) {
	t.Parallel()
	good := "whsec_0123456789"
	for _, secrets := range [][]string{{good}, {webhookSecret, oldSecret}, {strings.Repeat("x", 16)}, {"whsec_test_secret"}} {
		w, err := stripeport.NewWebhook(secrets, nil)
		require.NoError(t, err)
		require.NotNil(t, w)
	}
	for name, secrets := range map[string][]string{
		"none":            {},
		"empty":           {""},
		"second empty":    {good, ""},
		"short":           {"whsec_SECRET123"},
		"newline":         {webhookSecret + "\n"},
		"space before":    {" " + webhookSecret},
		"space inside":    {"whsec_CANARY CANARY CANARY"},
		"NUL":             {webhookSecret + "\x00"},
		"not ASCII":       {webhookSecret + "é"},
		"API key":         {"sk_test_CANARYCANARY"},
		"restricted key":  {"rk_live_CANARYCANARY"},
		"publishable key": {"pk_test_CANARYCANARY"},
		"spaces":          {strings.Repeat(" ", 40)},
	} {
		w, err := stripeport.NewWebhook(secrets, nil)
		require.Error(t, err, name)
		require.Nil(t, w, name)
		require.NotContains(t, err.Error(), "CANARY", name)
		require.NotContains(t, err.Error(), "SECRET", name)
	}
	for name, opts := range map[string]*stripeport.WebhookOptions{
		"negative": {Tolerance: -1},
		"too fine": {Tolerance: time.Millisecond},
		"account":  {Account: "cus_1"},
	} {
		_, err := stripeport.NewWebhook([]string{good}, opts)
		require.Error(t, err, name)
	}
}

func TestWebhookIsPrintable(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, nil, webhookSecret, oldSecret)
	type holder struct{ w *stripeport.Webhook }
	for _, v := range []any{w, *w, holder{w}, &holder{w}, []any{w}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "CANARY")
		}
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	body := snapshotEvent("setup_intent.succeeded", intentJSON())
	at := func(seconds int64) string { // signed then
		s := strconv.FormatInt(seconds, 10)
		return "t=" + s + ",v1=" + mac(webhookSecret, s, body)
	}
	const now = 1_700_000_000
	right := mac(webhookSecret, "1700000000", body)
	for _, tc := range []struct {
		name string
		line string
		ok   bool
	}{
		{"right", at(now), true},
		{"other order", "v1=" + right + ",t=1700000000", true},
		{"two secrets, the first wrong", "t=1700000000,v1=" + mac(otherSecret, "1700000000", body) + ",v1=" + right, true},
		{"with v0", "t=1700000000,v1=" + right + ",v0=" + right, true},
		{"with an unknown scheme", "t=1700000000,v9=x,v1=" + right, true},
		{"by the old secret", "t=1700000000,v1=" + mac(oldSecret, "1700000000", body), true},
		{"almost too old", at(now - 300), true},
		{"almost too new", at(now + 300), true},

		{"empty", "", false},
		{"garbage", "garbage", false},
		{"only a comma", ",", false},
		{"no time", "v1=" + right, false},
		{"no signature", "t=1700000000", false},
		{"empty signature", "t=1700000000,v1=", false},
		{"only v0", "t=1700000000,v0=" + right, false},
		{"half", "t=1700000000,v1=" + right[:32], false},
		{"longer", "t=1700000000,v1=" + right + "00", false},
		{"capitals", "t=1700000000,v1=" + strings.ToUpper(right), false},
		{"space", "t=1700000000, v1=" + right, false},
		{"no hexadecimal", "t=1700000000,v1=" + strings.Repeat("z", 64), false},
		{"another's", "t=1700000000,v1=" + mac(otherSecret, "1700000000", body), false},
		{"by the empty secret", "t=1700000000,v1=" + mac("", "1700000000", body), false},
		{"by the secret without whsec_", "t=1700000000,v1=" + mac(webhookSecret[6:], "1700000000", body), false},
		{"another body", "t=1700000000,v1=" + mac(webhookSecret, "1700000000", body+" "), false},
		{"no body", "t=1700000000,v1=" + mac(webhookSecret, "1700000000", ""), false},
		{"another time", "t=1700000001,v1=" + right, false},
		{"two times", "t=1700000000,t=1700000000,v1=" + right, false},
		{"a part with two =", "x=5=1700000000,t=1700000000,v1=" + right, false},
		{"two times, the first empty", "t=,t=1700000000,v1=" + right, false},
		{"empty time", "t=,v1=" + mac(webhookSecret, "", body), false},
		{"time with a sign", "t=+1700000000,v1=" + mac(webhookSecret, "+1700000000", body), false},
		{"time with a fraction", "t=1700000000.0,v1=" + mac(webhookSecret, "1700000000.0", body), false},
		{"time in milliseconds", at(now * 1000), false},
		{"a time that overflows", "t=99999999999999999999,v1=" + mac(webhookSecret, "99999999999999999999", body), false},
		{"negative time", at(-now), false},
		{"too old", at(now - 301), false},
		{"too new", at(now + 301), false},
		{"a year old", at(now - 365*24*3600), false},
		{"a year ahead", at(now + 365*24*3600), false},
		{"the beginning of time", at(0), false},
		{"very long", "t=1700000000,v1=" + right + strings.Repeat(",v1="+right, 70), false},
	} {
		w := newWebhook(t, nil, webhookSecret, oldSecret)
		in, err := w.Parse(signature(tc.line), []byte(body))
		if tc.ok {
			require.NoError(t, err, tc.name)
			require.Equal(t, "seti_1Abc", in.ID, tc.name)
			continue
		}
		require.ErrorIs(t, err, setupintent.ErrUnverified, tc.name)
		require.NotErrorIs(t, err, setupintent.ErrInvalidRequest, tc.name)
		require.NotContains(t, err.Error(), "CANARY", tc.name)
		require.Equal(t, setupintent.Intent{}, in, tc.name)
	}

	w := newWebhook(t, nil)
	for name, header := range map[string]http.Header{
		"nil":        nil,
		"none":       {},
		"two lines":  {"Stripe-Signature": {at(now), at(now)}},
		"other name": {"Signature": {at(now)}},
	} {
		_, err := w.Parse(header, []byte(body))
		require.ErrorIs(t, err, setupintent.ErrUnverified, name)
	}

	strict := newWebhook(t, &stripeport.WebhookOptions{Now: time1700, Tolerance: 10 * time.Second})
	_, err := strict.Parse(signature(at(now-10)), []byte(body))
	require.NoError(t, err)
	_, err = strict.Parse(signature(at(now+11)), []byte(body))
	require.EqualError(t, err, "stripeport: webhook: the news could not be verified: the signature's time is -11 s ago, and 10 s are tolerated, before and after")
}

// What stripe-go signs is accepted, on the clock of the machine.
func TestSignatureOfStripeGo(t *testing.T) {
	t.Parallel()
	body := []byte(snapshotEvent("setup_intent.succeeded", intentJSON()))
	p := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: webhookSecret})
	w, err := stripeport.NewWebhook([]string{webhookSecret}, nil)
	require.NoError(t, err)
	in, err := w.Parse(signature(p.Header), body)
	require.NoError(t, err)
	require.Equal(t, "seti_1Abc", in.ID)
}

// without returns the JSON object without a member.
func without(object, member string) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		panic(err)
	}
	delete(members, member)
	text, _ := json.Marshal(members)
	return string(text)
}

func TestParse(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, nil)
	parse := func(body string) (setupintent.Intent, error) { return w.Parse(signed(body), []byte(body)) }

	in, err := parse(snapshotEvent("setup_intent.succeeded", intentJSON(
		`"status":"succeeded"`, `"customer":"cus_1"`, `"payment_method":"pm_1"`, `"latest_attempt":"setatt_1"`, `"livemode":true`, `"metadata":{"a":"1"}`)))
	require.NoError(t, err)
	require.Equal(t, setupintent.Intent{
		ID: "seti_1Abc", Status: setupintent.Succeeded, Customer: "cus_1", PaymentMethod: "pm_1", LatestAttempt: "setatt_1",
		Live: true, Metadata: map[string]string{"a": "1"}, Created: time1700(),
	}, in, "no secret, and no Raw")

	in, err = parse(snapshotEvent("setup_intent.setup_failed", intentJSON(`"last_setup_error":{"type":"card_error","code":"card_declined"}`)))
	require.NoError(t, err)
	require.Equal(t, "card_declined", in.ErrorCode)

	id := setupintent.Intent{ID: "seti_1Abc"}
	for name, tc := range map[string]struct {
		body string
		want setupintent.Intent
	}{
		"thin":               {thinEvent("v1.setup_intent.succeeded"), id},
		"thin, old name":     {thinEvent("setup_intent.succeeded"), id},
		"thin, null data":    {thinEvent("v1.setup_intent.canceled", `"data":null`), id},
		"thin, other data":   {thinEvent("v1.setup_intent.canceled", `"data":{"x":1}`), id},
		"a type to come":     {snapshotEvent("setup_intent.reviewed", intentJSON(`"metadata":null`)), setupintent.Intent{ID: "seti_1Abc", Status: "requires_payment_method", Created: time1700()}},
		"another version":    {snapshotEvent("setup_intent.succeeded", intentJSON(`"customer":7`)), id},
		"metadata to come":   {snapshotEvent("setup_intent.succeeded", intentJSON(`"metadata":{"a":{"b":1}}`)), id},
		"status to come":     {snapshotEvent("setup_intent.succeeded", intentJSON(`"status":""`)), id},
		"without a customer": {snapshotEvent("setup_intent.succeeded", without(intentJSON(), "customer")), id},
		"without a mode":     {snapshotEvent("setup_intent.succeeded", without(intentJSON(), "livemode")), id},
		"a very old event":   {snapshotEvent("setup_intent.canceled", `{"id":"seti_1Abc","object":"setup_intent"}`, `"request":"req_1"`, `"api_version":null`), id},

		"another object":         {snapshotEvent("customer.created", `{"id":"cus_1","object":"customer"}`), setupintent.Intent{}},
		"another object, thin":   {thinEvent("v1.billing.meter.error_report_triggered"), setupintent.Intent{}},
		"nothing but a type":     {`{"type":"ping"}`, setupintent.Intent{}},
		"another shape":          {`{"type":"v2.core.x","data":[1],"related_object":"x","account":{}}`, setupintent.Intent{}},
		"almost ours":            {snapshotEvent("setup_intents.succeeded", intentJSON()), setupintent.Intent{}},
		"of a connected account": {snapshotEvent("setup_intent.succeeded", intentJSON(), `"account":"acct_1"`), setupintent.Intent{}},
		"of another context":     {thinEvent("v1.setup_intent.succeeded", `"context":"acct_1"`), setupintent.Intent{}},
	} {
		in, err := parse(tc.body)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, in, name)
	}

	for name, body := range map[string]string{
		"empty":             "",
		"null":              "null",
		"array":             "[]",
		"text":              `"setup_intent.succeeded"`,
		"no JSON":           "t=1&v=2",
		"cut":               snapshotEvent("setup_intent.succeeded", intentJSON())[:200],
		"no type":           `{"id":"evt_1","object":"event"}`,
		"null type":         `{"type":null}`,
		"number as type":    `{"type":5}`,
		"no data":           `{"type":"setup_intent.succeeded"}`,
		"null data":         `{"type":"setup_intent.succeeded","data":null}`,
		"text as data":      `{"type":"setup_intent.succeeded","data":"x"}`,
		"empty data":        `{"type":"setup_intent.succeeded","data":{}}`,
		"null object":       `{"type":"setup_intent.succeeded","data":{"object":null}}`,
		"text as object":    `{"type":"setup_intent.succeeded","data":{"object":"seti_1"}}`,
		"array as object":   `{"type":"setup_intent.succeeded","data":{"object":[]}}`,
		"wrong object":      snapshotEvent("setup_intent.succeeded", `{"id":"pi_1","object":"payment_intent"}`),
		"no id":             snapshotEvent("setup_intent.succeeded", `{"object":"setup_intent"}`),
		"id with a path":    snapshotEvent("setup_intent.succeeded", intentJSON(`"id":"../customers"`)),
		"secret as id":      snapshotEvent("setup_intent.succeeded", intentJSON(`"id":"`+canary+`"`)),
		"thin, wrong type":  thinEvent("v1.setup_intent.succeeded", `"related_object":{"id":"cus_1","type":"customer"}`),
		"thin, null object": `{"type":"v1.setup_intent.succeeded","related_object":null}`,
		"thin, no id":       `{"type":"v1.setup_intent.succeeded","related_object":{"type":"setup_intent"}}`,
		"thin, bad id":      thinEvent("v1.setup_intent.succeeded", `"related_object":{"id":"a b","type":"setup_intent"}`),
		"account, object":   snapshotEvent("setup_intent.succeeded", intentJSON(), `"account":{"id":"acct_1"}`),
		"deep":              strings.Repeat(`{"type":`, 20000),
	} {
		in, err := parse(body)
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, name)
		require.NotErrorIs(t, err, setupintent.ErrUnverified, name)
		require.NotContains(t, err.Error(), canary, name)
		require.Equal(t, setupintent.Intent{}, in, name)
		var e *stripeport.Error
		require.ErrorAs(t, err, &e, name)
	}
}

func TestParseAccount(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, &stripeport.WebhookOptions{Now: time1700, Account: "acct_1"})
	for name, tc := range map[string]struct{ body, want string }{
		"its own":          {snapshotEvent("setup_intent.succeeded", intentJSON(), `"account":"acct_1"`), "seti_1Abc"},
		"its own, thin":    {thinEvent("v1.setup_intent.succeeded", `"context":"acct_1"`), "seti_1Abc"},
		"another's":        {snapshotEvent("setup_intent.succeeded", intentJSON(), `"account":"acct_12"`), ""},
		"the platform's":   {snapshotEvent("setup_intent.succeeded", intentJSON()), ""},
		"the platform's 2": {snapshotEvent("setup_intent.succeeded", intentJSON(), `"account":null`), ""},
	} {
		in, err := w.Parse(signed(tc.body), []byte(tc.body))
		require.NoError(t, err, name)
		require.Equal(t, tc.want, in.ID, name)
	}
}

// A snapshot says the same as the intent that is fetched right after.
func TestWebhooksOfFake(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)
	w, err := stripeport.NewWebhook([]string{oldSecret, webhookSecret}, nil)
	require.NoError(t, err)
	type delivered struct {
		news, now setupintent.Intent
		err       error
	}
	var mu sync.Mutex
	var got []delivered
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		news, err := w.Parse(r.Header, body)
		var now setupintent.Intent
		if news.ID != "" {
			now, _ = p.GetIntent(ctx, news.ID)
			now.ClientSecret, now.Raw = setupintent.ClientSecret{}, nil
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, delivered{news, now, err})
	}))
	t.Cleanup(app.Close)
	_, err = fake.AddWebhook(stripetest.Webhook{URL: app.URL, Secret: webhookSecret}) //nolint:contextcheck // the fake's webhooks outlive the call
	require.NoError(t, err)

	in, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k", Metadata: map[string]string{"row": "1"}})
	require.NoError(t, err)
	_, err = p.CreateCustomer(ctx, setupintent.CustomerRequest{Key: "k2"})
	require.NoError(t, err)
	for _, outcome := range []stripetest.Outcome{"insufficient_funds", stripetest.OutcomeChallenge, stripetest.OutcomeSucceed} {
		require.NoError(t, fake.WaitWebhooks(ctx))
		require.NoError(t, fake.Resolve(in.ID, outcome)) //nolint:contextcheck // the fake's webhooks outlive the call
	}
	require.NoError(t, fake.WaitWebhooks(ctx))
	mu.Lock()
	defer mu.Unlock()
	about := 0
	for _, d := range got {
		require.NoError(t, d.err)
		require.Equal(t, d.now, d.news)
		if d.news.ID == in.ID {
			about++
		}
	}
	require.GreaterOrEqual(t, about, 4)
	require.Greater(t, len(got), about, "some were about other objects")
	require.Equal(t, setupintent.Succeeded, got[len(got)-1].news.Status)
	require.NotEmpty(t, got[len(got)-1].news.PaymentMethod)
}

// FuzzParse: whatever is signed, nothing panics, and what comes out has an id
// that can go into a URL, and no secret.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		snapshotEvent("setup_intent.succeeded", intentJSON()), thinEvent("v1.setup_intent.succeeded"), `{"type":"setup_intent.x","data":null}`,
		snapshotEvent("setup_intent.succeeded", intentJSON(`"customer":{"id":"cus_1"}`, `"last_setup_error":{"code":"x"}`)), `{"type":"a"}`, `[]`, ``,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		in, err := newWebhook(t, nil).Parse(signed(body), []byte(body))
		if err != nil {
			require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
			require.Equal(t, setupintent.Intent{}, in)
			return
		}
		require.True(t, json.Valid([]byte(body)))
		require.Empty(t, in.ClientSecret.Reveal())
		require.Empty(t, in.Raw)
		require.Empty(t, strings.Trim(in.ID, "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		require.NotContains(t, in.ID, "_secret_")
	})
}

// FuzzSignature: what is accepted, stripe-go accepts, too, and it is of about
// now.
func FuzzSignature(f *testing.F) {
	const body = `{"type":"ping"}`
	right := mac(webhookSecret, "1700000000", body)
	for _, line := range []string{
		"t=1700000000,v1=" + right, "t=1700000000,v1=0,v1=" + right, "v1=" + right + ",t=1700000000", "t=1700000000,v0=" + right, ",=,", "t=,v1=",
		"t=1700000000,t=1700000000,v1=" + right,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		_, err := newWebhook(t, nil).Parse(signature(line), []byte(body))
		if err != nil {
			require.ErrorIs(t, err, setupintent.ErrUnverified)
			return
		}
		require.NoError(t, webhook.ValidatePayloadIgnoringTolerance([]byte(body), line, webhookSecret))
		require.Contains(t, line, "t=1700000000") // the only time that there is a signature of
	})
}

func BenchmarkParse(b *testing.B) {
	body := snapshotEvent("setup_intent.succeeded", intentJSON())
	w, header := newWebhook(b, nil), signed(body)
	b.ReportAllocs()
	for range b.N {
		if _, err := w.Parse(header, []byte(body)); err != nil {
			b.Fatal(err)
		}
	}
}
