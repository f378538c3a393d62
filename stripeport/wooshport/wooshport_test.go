package wooshport_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

func time1700() time.Time { return time.Unix(1_700_000_000, 0) }

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func sprintf(verb string, v any) string { return fmt.Sprintf(verb, v) }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A sweeper counts its calls and makes them again itself: of each, one request is
// sent.
func TestNoRetriesInBackground(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(200, intentJSON()), answer(500, `{}`))
	now := time.Now()
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := setupintent.New(rows, s.provider(t), &setupintent.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	_, err = svc.Begin(context.Background(), "42", nil)
	require.NoError(t, err)
	now = now.Add(time.Hour)
	report, err := svc.Sweep(context.Background(), rows, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Failed)
	require.Len(t, s.seen(), 2)
	_, err = svc.Activate(context.Background(), "42", intent)
	require.Error(t, err)
	require.Len(t, s.seen(), 2+3, "somebody waits for this one")
}

func TestNew(t *testing.T) {
	t.Parallel()
	for key, live := range map[string]bool{"sk_test_x": false, testKey: false, "sk_live_NTE2NjM1MDMy/+==": true} {
		p, err := wooshport.New(key, nil)
		require.NoError(t, err, key)
		require.Equal(t, live, p.Live(), key)
	}
	for _, key := range []string{
		"", "CANARY", "sk_test_", "sk_live_", "pk_test_CANARY", "rk_test_CANARY", "sk_test_CANARY\n", "sk_test_CAN ARY", "sk_test_CANARY:x",
		"sk_test_CANARYé", "sk_CANARY", "sk_test_CANARY" + strings.Repeat("x", 255),
	} {
		p, err := wooshport.New(key, nil)
		require.Error(t, err, key)
		require.Nil(t, p)
		require.NotContains(t, err.Error(), "CANARY")
	}
	for base, want := range map[string]string{
		"https://gate.example":          "",
		"https://gate.example/wooshpay": "",
		"http://127.0.0.1:8080":         "",
		"http://localhost/v1/":          "",
		"http://gate.example":           "must be https",
		"ftp://gate.example":            "must be https",
		"https://":                      "a scheme, a host",
		"gate.example":                  "a scheme, a host",
		"https://u:CANARY@gate.example": "a scheme, a host",
		"https://gate.example?x=1":      "a scheme, a host",
		"https://gate.example#x":        "a scheme, a host",
		"https://gate.example/%zz":      "no URL",
	} {
		_, err := wooshport.New("sk_test_x", &wooshport.Options{BaseURL: base})
		if want == "" {
			require.NoError(t, err, base)
			continue
		}
		require.ErrorContains(t, err, want, base)
		require.NotContains(t, err.Error(), "CANARY")
	}
	_, err := wooshport.New("sk_live_x", &wooshport.Options{BaseURL: "http://127.0.0.1"})
	require.ErrorContains(t, err, "live-mode key")
}

// The hosts, by the mode of the key.
func TestHosts(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"sk_test_x": "https://apitest.wooshpay.com/v1/setup_intents/" + intent,
		"sk_live_x": "https://api.wooshpay.com/v1/setup_intents/" + intent,
	} {
		var got string
		p, err := wooshport.New(key, &wooshport.Options{Sleep: noSleep, HTTPClient: &http.Client{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				got = r.URL.String()
				return nil, errors.New("no network")
			}),
		}})
		require.NoError(t, err)
		_, err = p.GetIntent(context.Background(), intent)
		require.EqualError(t, err, "wooshport: get: the connection failed")
		require.Equal(t, want, got)
	}
}

func TestProviderIsPrintable(t *testing.T) {
	t.Parallel()
	p, err := wooshport.New(testKey, nil)
	require.NoError(t, err)
	type holder struct{ p *wooshport.Provider }
	for _, v := range []any{p, *p, holder{p}, []any{p}} {
		for _, text := range every(v) {
			require.NotContains(t, text, testKey)
		}
	}
}

// Every documented parameter, byte for byte.
func TestRequests(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, ok())
	p := s.provider(t)
	methodData := map[string]any{
		"type": "wechat_pay",
		"billing_details": map[string]any{
			"address": map[string]any{"city": "c", "country": "DE", "line1": "1", "line2": "2", "postal_code": "p", "state": "s"},
			"email":   "e@example.com", "name": "n", "phone": "+49",
		},
		"wechat_pay": map[string]any{"payment_code": "wx"},
		"alipayplus": map[string]any{"payment_code": "al"},
	}
	options := map[string]any{"card": map[string]any{"request_three_d_secure": "any"}}
	const methodDataJSON = `{"alipayplus":{"payment_code":"al"},"billing_details":{"address":{"city":"c","country":"DE","line1":"1","line2":"2",` +
		`"postal_code":"p","state":"s"},"email":"e@example.com","name":"n","phone":"+49"},"type":"wechat_pay","wechat_pay":{"payment_code":"wx"}}`
	for _, call := range []struct {
		make func() error
		want string // method, path and body
	}{
		{
			func() error { _, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"}); return err },
			`POST /v1/setup_intents {"payment_method_types":["card"],"usage":"off_session"}`,
		},
		{func() error {
			_, err := p.CreateIntent(ctx, setupintent.IntentRequest{
				Key: "k", Customer: "cus_1", Description: "d", Usage: "on_session", PaymentMethod: "pm_1", PaymentMethodTypes: []string{"card", "alipay"},
				Metadata: map[string]string{"b": "é", "a": "<1>"},
				Extra: map[string]any{
					"confirm": true, "return_url": "https://app.example/?a=1&b=2", "payment_method_options": options, "payment_method_data": methodData,
				},
			})
			return err
		}, `POST /v1/setup_intents {"confirm":true,"customer":"cus_1","description":"d","metadata":{"a":"\u003c1\u003e","b":"é"},"payment_method":"pm_1",` +
			`"payment_method_data":` + methodDataJSON + `,"payment_method_options":{"card":{"request_three_d_secure":"any"}},` +
			`"payment_method_types":["card","alipay"],"return_url":"https://app.example/?a=1\u0026b=2","usage":"on_session"}`},
		{func() error { _, err := p.GetIntent(ctx, intent); return err }, "GET /v1/setup_intents/" + intent + " "},
		{func() error {
			_, err := p.ConfirmIntent(ctx, intent, wooshport.ConfirmRequest{
				ReturnURL: "https://app.example", PaymentMethod: "pm_1", Key: "k",
				Extra: map[string]any{
					"customer": "cus_1", "description": "d", "metadata": map[string]any{"a": "1"}, "usage": "on_session",
					"payment_method_options": options, "payment_method_data": methodData,
				},
			})
			return err
		}, "POST /v1/setup_intents/" + intent + `/confirm {"customer":"cus_1","description":"d","metadata":{"a":"1"},"payment_method":"pm_1",` +
			`"payment_method_data":` + methodDataJSON + `,"payment_method_options":{"card":{"request_three_d_secure":"any"}},` +
			`"return_url":"https://app.example","usage":"on_session"}`},
	} {
		before := len(s.seen())
		require.NoError(t, call.make())
		seen := s.seen()
		require.Len(t, seen, before+1)
		got := seen[before]
		require.Equal(t, call.want, got.method+" "+got.uri+" "+got.body)
		require.Equal(t, "Basic "+base64.StdEncoding.EncodeToString([]byte(testKey+":")), got.header.Get("Authorization"))
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Equal(t, "application/json", got.header.Get("Accept"))
		require.Empty(t, got.header.Values("Idempotency-Key"), "WooshPay does not document what it does")
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, hangUp, answer(500, ""), ok())
	p := s.provider(t, withKeys)
	_, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "the key"})
	require.ErrorIs(t, err, setupintent.ErrInvalidRequest, "it has a space")
	_, err = p.CreateIntent(ctx, setupintent.IntentRequest{Key: strings.Repeat("k", 256)})
	require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
	_, err = p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
	require.NoError(t, err)
	_, err = p.ConfirmIntent(ctx, intent, wooshport.ConfirmRequest{ReturnURL: "https://app.example", Key: "c"})
	require.NoError(t, err)
	_, err = p.ConfirmIntent(ctx, intent, wooshport.ConfirmRequest{ReturnURL: "https://app.example"})
	require.NoError(t, err)
	_, err = p.GetIntent(ctx, intent)
	require.NoError(t, err)
	var keys []string
	for _, r := range s.seen() {
		keys = append(keys, r.header.Get("Idempotency-Key"))
	}
	require.Len(t, keys, 6)
	require.Equal(t, []string{"k", "k", "k", "c"}, keys[:4])
	require.Len(t, keys[4], 32, "a random one")
	require.Empty(t, keys[5])
	require.Equal(t, s.seen()[0].body, s.seen()[2].body, "the same, byte for byte")
}

// Without keys each write has a connection of its own: one that had been idle
// could be dead, and nobody could tell whether the request went through.
func TestConnections(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, ok())
	p := s.provider(t)
	for range 3 {
		_, err := p.GetIntent(ctx, intent)
		require.NoError(t, err)
		_, err = p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
		require.NoError(t, err)
	}
	connections := map[string]int{}
	for _, r := range s.seen() {
		connections[r.method+" "+r.connection]++
	}
	require.Len(t, connections, 4, "one for the reads: %v", connections)
}

func TestRefusedParameters(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, ok())
	for name, tc := range map[string]struct {
		extra map[string]any
		want  string
	}{
		"raw card":            {map[string]any{"payment_method_data": map[string]any{"type": "card", "card": map[string]any{"number": "4242"}}}, "parameter payment_method_data[card]: card numbers must not pass through this server"},
		"raw card, empty":     {map[string]any{"payment_method_data": map[string]any{"card": nil}}, "card numbers"},
		"Stripe's":            {map[string]any{"automatic_payment_methods": map[string]any{"enabled": true}}, "parameter automatic_payment_methods: WooshPay's document has no such parameter"},
		"client_secret":       {map[string]any{"client_secret": "CANARY"}, "no such parameter"},
		"deep":                {map[string]any{"payment_method_options": map[string]any{"card": map[string]any{"network": "visa"}}}, "parameter payment_method_options[card][network]"},
		"a value, not a hash": {map[string]any{"payment_method_data": "card"}, "give it a map[string]any"},
		"not JSON":            {map[string]any{"description": func() {}}, "can't be written as JSON"},
	} {
		_, err := s.provider(t).CreateIntent(ctx, setupintent.IntentRequest{Key: "k", Extra: tc.extra})
		require.ErrorIs(t, err, setupintent.ErrRefused, name)
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, name)
		require.ErrorContains(t, err, tc.want, name)
		require.NotContains(t, err.Error(), "CANARY", name)
		_, err = s.provider(t).ConfirmIntent(ctx, intent, wooshport.ConfirmRequest{ReturnURL: "https://app.example", Extra: tc.extra})
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest, name)
	}
	_, err := s.provider(t).ConfirmIntent(ctx, intent, wooshport.ConfirmRequest{})
	require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
	require.ErrorContains(t, err, "return_url")
	for _, id := range []string{"", "a/b", "../x", "a b", canary, strings.Repeat("x", 256), "é"} {
		for name, call := range map[string]func() error{
			"get":    func() error { _, err := s.provider(t).GetIntent(ctx, id); return err },
			"cancel": func() error { _, err := s.provider(t).CancelIntent(ctx, id, ""); return err },
			"confirm": func() error {
				_, err := s.provider(t).ConfirmIntent(ctx, id, wooshport.ConfirmRequest{ReturnURL: "x"})
				return err
			},
		} {
			require.ErrorIs(t, call(), setupintent.ErrNotFound, "%s %q", name, id)
			require.NotContains(t, call().Error(), "CANARY")
		}
	}
	require.Empty(t, s.seen(), "nothing was sent")
}

func TestIntent(t *testing.T) {
	t.Parallel()
	get := func(fields ...string) setupintent.Intent {
		in, err := serve(t, ok(fields...)).provider(t).GetIntent(context.Background(), intent)
		require.NoError(t, err, fields)
		return in
	}
	in := get()
	require.Equal(t, canary, in.ClientSecret.Reveal(), "it begins with pi_, and is passed on as it is")
	require.JSONEq(t, strings.Replace(intentJSON(), `"client_secret":"`+canary+`",`, "", 1), string(in.Raw))
	for _, text := range append(every(in), string(in.Raw)) {
		require.NotContains(t, text, "CANARY")
	}
	in.ClientSecret, in.Raw = setupintent.ClientSecret{}, nil
	require.Equal(t, setupintent.Intent{
		ID: intent, Status: setupintent.RequiresPaymentMethod, Created: time.UnixMilli(1754650104000).UTC(), Metadata: map[string]string{},
	}, in)

	in = get(`"livemode":true`, `"customer":"cus_1"`, `"payment_method":"pm_1"`, `"latest_attempt":"setatt_1"`, `"metadata":{"a":"1","b":2,"c":null,"d":{"e":1}}`)
	require.True(t, in.Live)
	require.Equal(t, "cus_1 pm_1 setatt_1", strings.Join([]string{in.Customer, in.PaymentMethod, in.LatestAttempt}, " "))
	require.Equal(t, map[string]string{"a": "1", "b": "2", "c": "", "d": ""}, in.Metadata)

	in = get(`"customer":{"id":"cus_1"}`, `"payment_method":{"id":"pm_1","card":{"exp_month":"01"}}`, `"latest_attempt":{"id":"setatt_1"}`)
	require.Equal(t, "cus_1 pm_1 setatt_1", strings.Join([]string{in.Customer, in.PaymentMethod, in.LatestAttempt}, " "), "expanded")

	for created, want := range map[string]time.Time{
		"1754650104":    time.Unix(1754650104, 0).UTC(),
		"1754650104000": time.Unix(1754650104, 0).UTC(),
		"1754650104499": time.UnixMilli(1754650104499).UTC(),
		`"1754650104"`:  time.Unix(1754650104, 0).UTC(),
		"0":             {}, "-5": {}, "null": {}, `"x"`: {}, "1e99": {}, "{}": {},
	} {
		require.Equal(t, want, get(`"created":`+created).Created, created)
	}

	// Whatever else the answer lacks, or has otherwise, the intent was made.
	in = get(`"client_secret":null`, `"livemode":"x"`, `"customer":[]`, `"metadata":null`, `"created":{}`, `"last_setup_error":"x"`, `"latest_attempt":1`)
	require.Equal(t, intent, in.ID)
	require.Empty(t, in.ClientSecret.Reveal())
	bare, err := serve(t, answer(201, `{"id":"`+intent+`","object":"setup_intent","status":"processing"}`)).provider(t).GetIntent(context.Background(), intent)
	require.NoError(t, err)
	require.Equal(t, setupintent.Processing, bare.Status)

	_, err = serve(t, ok(`"id":"seti_2"`)).provider(t).GetIntent(context.Background(), intent)
	require.Error(t, err, "another intent")
}

func TestErrorCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ status, failure, want string }{
		{"requires_payment_method", `{"type":"card_error","code":"card_declined"}`, "card_declined"},
		{"requires_payment_method", `{"type":"card_error"}`, "card_error"},
		{"requires_payment_method", `{"type":"card_error","code":"` + canary + `"}`, ""},
		{"canceled", `{"type":"card_error","code":"card_declined"}`, "card_declined"},
		{"requires_action", `{"type":"card_error","code":"card_declined"}`, ""},
		{"succeeded", `{"type":"card_error","code":"card_declined"}`, ""},
		{"requires_payment_method", `null`, ""},
	} {
		s := serve(t, ok(`"status":"`+tc.status+`"`, `"last_setup_error":`+tc.failure))
		in, err := s.provider(t).GetIntent(context.Background(), intent)
		require.NoError(t, err)
		require.Equal(t, tc.want, in.ErrorCode, tc)
	}
}

// A life, over the fake.
func TestAgainstFake(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := newFake(t, false, nil)
	in, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k", Description: "d", Metadata: map[string]string{"row": "1"}})
	require.NoError(t, err)
	require.Regexp(t, `^seti_\d{19}$`, in.ID)
	require.Regexp(t, `^pi_\d{19}_secret_\w{24}$`, in.ClientSecret.Reveal())
	require.WithinDuration(t, fake.Now(), in.Created, time.Minute, "milliseconds")
	require.NotContains(t, string(in.Raw), "_secret_")
	var raw map[string]any
	require.NoError(t, json.Unmarshal(in.Raw, &raw))
	require.Equal(t, []any{"card"}, raw["payment_method_types"])

	_, err = p.CancelIntent(ctx, in.ID, "abandoned")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	back := wooshport.ConfirmRequest{ReturnURL: "https://app.example/back", PaymentMethod: "pm_card_chargeDeclined"}
	declined, err := p.ConfirmIntent(ctx, in.ID, back)
	require.NoError(t, err, "a declined card is an answer")
	require.Equal(t, setupintent.RequiresPaymentMethod, declined.Status)
	require.Equal(t, "card_declined", declined.ErrorCode)
	require.NotEmpty(t, declined.LatestAttempt)

	back.PaymentMethod = "pm_card_authenticationRequired"
	challenged, err := p.ConfirmIntent(ctx, in.ID, back)
	require.NoError(t, err)
	require.Equal(t, setupintent.RequiresAction, challenged.Status)
	require.Contains(t, string(challenged.Raw), `"redirect_to_url":{"return_url":"https://app.example/back"`)
	require.NoError(t, fake.Resolve(in.ID, stripetest.OutcomeSucceed)) //nolint:contextcheck // the fake's webhooks outlive the call

	done, err := p.CancelIntent(ctx, in.ID, "abandoned")
	require.NoError(t, err, "it has succeeded: that is an answer")
	require.Equal(t, setupintent.Succeeded, done.Status)
	require.NotEmpty(t, done.PaymentMethod)
	require.Equal(t, map[string]string{"row": "1"}, done.Metadata)

	_, err = p.GetIntent(ctx, "seti_none")
	require.ErrorIs(t, err, setupintent.ErrNotFound)
	_, err = p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k2", Customer: "cus_none"})
	require.ErrorIs(t, err, setupintent.ErrRefused)
	_, err = p.ListIntents(ctx, time.Time{}, time.Time{}, "")
	require.ErrorIs(t, err, errors.ErrUnsupported)

	other, err := wooshport.New("sk_test_other", &wooshport.Options{BaseURL: fake.URL + "/wooshpay"})
	require.NoError(t, err)
	_, err = other.GetIntent(ctx, in.ID)
	require.ErrorIs(t, err, setupintent.ErrCredentials)
}
