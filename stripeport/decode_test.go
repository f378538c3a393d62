package stripeport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

func TestIntent(t *testing.T) {
	t.Parallel()
	get := func(fields ...string) setupintent.Intent {
		in, err := serve(t, ok(fields...)).provider(t).GetIntent(context.Background(), "seti_1Abc")
		require.NoError(t, err)
		return in
	}

	in := get()
	require.Equal(t, canary, in.ClientSecret.Reveal())
	require.JSONEq(t, strings.Replace(intentJSON(), `"client_secret":"`+canary+`",`, "", 1), string(in.Raw))
	in.ClientSecret, in.Raw = setupintent.ClientSecret{}, nil
	require.Equal(t, setupintent.Intent{
		ID: "seti_1Abc", Status: setupintent.RequiresPaymentMethod, Created: time.Unix(1700000000, 0).UTC(), Metadata: map[string]string{},
	}, in)

	in = get(`"livemode":true`, `"customer":"cus_1"`, `"payment_method":"pm_1"`, `"latest_attempt":"setatt_1"`, `"metadata":{"a":"1"}`)
	require.True(t, in.Live)
	require.Equal(t, "cus_1", in.Customer)
	require.Equal(t, "pm_1", in.PaymentMethod)
	require.Equal(t, "setatt_1", in.LatestAttempt)
	require.Equal(t, map[string]string{"a": "1"}, in.Metadata)

	in = get(`"customer":{"id":"cus_1","object":"customer","deleted":true}`, `"payment_method":{"object":"payment_method","id":"pm_1","card":{"last4":"4242"}}`,
		`"latest_attempt":{"id":"setatt_1","status":"failed"}`)
	require.Equal(t, "cus_1", in.Customer, "expanded")
	require.Equal(t, "pm_1", in.PaymentMethod)
	require.Equal(t, "setatt_1", in.LatestAttempt)
	require.Contains(t, string(in.Raw), `"last4":"4242"`)

	in = get(`"next_action":{"type":"use_stripe_sdk","use_stripe_sdk":{"type":"three_d_secure_redirect","source":"src_1"}}`)
	require.Contains(t, string(in.Raw), `"use_stripe_sdk":{"type":"three_d_secure_redirect","source":"src_1"}`, "stripe-go loses it")

	in = get(`"metadata":null`, `"created":0`, `"client_secret":""`, `"livemode":null`)
	require.Empty(t, in.Metadata)
	require.True(t, in.Created.IsZero())
	require.Empty(t, in.ClientSecret.Reveal())
}

func TestErrorCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ status, failure, want string }{
		{"requires_payment_method", `{"type":"card_error","code":"card_declined","decline_code":"generic_decline"}`, "card_declined"},
		{"requires_payment_method", `{"type":"invalid_request_error","code":"setup_intent_authentication_failure"}`, "setup_intent_authentication_failure"},
		{"requires_payment_method", `{"type":"api_error"}`, "api_error"},
		{"requires_payment_method", `null`, ""},
		{"canceled", `{"type":"card_error","code":"expired_card"}`, "expired_card"},
		{"requires_action", `{"type":"card_error","code":"card_declined"}`, ""}, // an earlier one
		{"processing", `{"type":"card_error","code":"card_declined"}`, ""},
		{"succeeded", `{"type":"card_error","code":"card_declined"}`, ""},
	} {
		s := serve(t, ok(`"status":"`+tc.status+`"`, `"last_setup_error":`+tc.failure))
		in, err := s.provider(t).GetIntent(context.Background(), "seti_1Abc")
		require.NoError(t, err)
		require.Equal(t, tc.want, in.ErrorCode, "%s %s", tc.status, tc.failure)
	}
}

func TestReplayed(t *testing.T) {
	t.Parallel()
	s := serve(t, ok(), answer(200, intentJSON(), "Idempotent-Replayed", "true"), answer(200, intentJSON(), "Idempotent-Replayed", "false"))
	p := s.provider(t)
	for _, want := range []bool{false, true, false} {
		in, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
		require.NoError(t, err)
		require.Equal(t, want, in.Replayed)
	}
}

func TestCutSecrets(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{}`: `{}`, `[]`: `[]`, ` null `: `null`, `-1.5e3`: `-1.5e3`, `"a\"b\\"`: `"a\"b\\"`,
		`{"client_secret":"x"}`: `{}`,
		` { "a" : 1 , "client_secret" : "x" , "b" : [ 1 , { } ] } `:        `{"a":1,"b":[1,{}]}`,
		`{"client_secret":"x","a":1}`:                                      `{"a":1}`,
		`{"a":1,"client_secret":{"a":[1,"}"]}}`:                            `{"a":1}`,
		`[{"secret":"x"},{"secret":null,"b":true},"client_secret"]`:        `[{},{"b":true},"client_secret"]`,
		`{"Client_Secret":1,"client\u005fsecret":2,"\u0073ecret":3}`:       `{}`,
		`{"client_secrets":1,"my_secret":2,"a":{"b":{"client_secret":3}}}`: `{"client_secrets":1,"my_secret":2,"a":{"b":{}}}`,
		`{"url":"https://x/?s=CANARY","CANARY":"a","b":1}`:                 `{"url":"[redacted]","b":1}`,
	} {
		require.Equal(t, want, string(stripeport.CutSecrets([]byte(in), "CANARY")))
	}
}

// CutSecrets agrees with what encoding/json makes of any document.
func FuzzCutSecrets(f *testing.F) {
	f.Add([]byte(intentJSON()))
	f.Add([]byte(`{"a":[{"secret":"x"},{"client\u005fsecret":[1,2]},1e9,"\\\""],"client_secret":null}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		if !json.Valid(src) {
			return
		}
		got := stripeport.CutSecrets(src, "")
		require.True(t, json.Valid(got), "%s", got)
		require.Equal(t, cut(decode(t, src)), decode(t, got))
	})
}

func decode(t *testing.T, src []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&v))
	return v
}

func cut(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if strings.EqualFold(k, "client_secret") || strings.EqualFold(k, "secret") {
				delete(v, k)
			} else {
				v[k] = cut(e)
			}
		}
	case []any:
		for i, e := range v {
			v[i] = cut(e)
		}
	}
	return v
}
