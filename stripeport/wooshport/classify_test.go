package wooshport_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

const (
	invalidRequest = "invalid_request_error"
	cardError      = "card_error"
)

// Every answer to a create, with and without idempotency keys, and to a read.
func TestClassify(t *testing.T) {
	t.Parallel()
	var (
		refused     = setupintent.ErrRefused
		throttled   = setupintent.ErrThrottled
		spent       = setupintent.ErrKeySpent
		suspect     = setupintent.ErrKeySuspect
		credentials = setupintent.ErrCredentials
		notFound    = setupintent.ErrNotFound
		sentinels   = []error{refused, throttled, spent, suspect, credentials, notFound}
	)
	type want struct {
		sentinel error
		sends    int
	}
	unknown := want{nil, 1}
	unclear := want{nil, 3}
	is := func(sentinel error) want { return want{sentinel, 1} }
	for name, tc := range map[string]struct {
		reply                  reply
		once, keyed, get, conf want
	}{
		"500":                    {answer(500, failWith("api_error", "")), is(spent), want{suspect, 3}, unclear, unknown},
		"502, HTML":              {answer(502, "<html>"), is(spent), want{suspect, 3}, unclear, unknown},
		"no answer":              {hangUp, is(spent), unclear, unclear, unknown},
		"half an answer":         {answer(200, intentJSON()[:100]), is(spent), unknown, unknown, unknown},
		"200, HTML":              {answer(200, "<html>"), is(spent), unknown, unknown, unknown},
		"200, empty":             {answer(200, ""), is(spent), unknown, unknown, unknown},
		"200, null":              {answer(200, "null"), is(spent), unknown, unknown, unknown},
		"200, an error":          {answer(200, failWith(invalidRequest, "x")), is(spent), unknown, unknown, unknown},
		"200, another object":    {answer(200, `{"id":"pi_1","object":"payment_intent","status":"succeeded"}`), is(spent), unknown, unknown, unknown},
		"200, no id":             {ok(`"id":""`), is(spent), unknown, unknown, unknown},
		"200, a secret as id":    {ok(`"id":"` + canary + `"`), is(spent), unknown, unknown, unknown},
		"200, no status":         {ok(`"status":""`), is(spent), unknown, unknown, unknown},
		"too large":              {answer(200, strings.Repeat(" ", 1<<20)+intentJSON()), is(spent), unknown, unknown, unknown},
		"302":                    {answer(302, ""), is(spent), unknown, unknown, unknown},
		"400, HTML":              {answer(400, "<html>"), is(spent), unknown, unknown, unknown},
		"400, no type":           {answer(400, `{"error":{"message":"x"}}`), is(spent), unknown, unknown, unknown},
		"400, a type to come":    {answer(400, failWith("new_error", "x")), is(spent), unknown, unknown, unknown},
		"400":                    {answer(400, failWith(invalidRequest, "parameter_missing")), is(refused), is(refused), unknown, unknown},
		"400, bare":              {answer(400, `{"type":"invalid_request_error","code":"x"}`), is(refused), is(refused), unknown, unknown},
		"400, api_error":         {answer(400, failWith("api_error", "x")), is(spent), unknown, unknown, unknown},
		"400, idempotency_error": {answer(400, failWith("idempotency_error", "x")), is(spent), is(spent), unknown, unknown},
		"401":                    {answer(401, failWith(invalidRequest, "")), is(credentials), is(credentials), is(credentials), is(credentials)},
		"401, HTML":              {answer(401, "<html>"), is(spent), unknown, unknown, unknown},
		"402":                    {answer(402, failWith(cardError, "card_declined")), is(refused), is(refused), unknown, want{nil, 2}},
		"403":                    {answer(403, failWith(invalidRequest, "")), is(credentials), is(credentials), is(credentials), is(credentials)},
		"404":                    {answer(404, failWith(invalidRequest, "resource_missing")), is(refused), is(refused), is(notFound), is(notFound)},
		"404, HTML":              {answer(404, "<html>"), is(spent), unknown, unknown, unknown},
		"409":                    {answer(409, failWith("idempotency_error", "")), is(spent), unclear, unclear, unknown},
		"418":                    {answer(418, failWith(invalidRequest, "")), is(spent), unknown, unknown, unknown},
		"429":                    {answer(429, failWith(invalidRequest, "rate_limit")), is(throttled), is(throttled), is(throttled), is(throttled)},
		"429, HTML":              {answer(429, "<html>"), is(spent), unknown, unknown, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := func(what string, want want, keyed bool, call func(context.Context, *wooshport.Provider) error) {
				s := serve(t, tc.reply)
				p := s.provider(t, func(o *wooshport.Options) { o.IdempotencyKeys = keyed })
				err := call(context.Background(), p)
				require.Error(t, err, what)
				var e *wooshport.Error
				require.ErrorAs(t, err, &e, what)
				for _, sentinel := range sentinels {
					require.Equal(t, sentinel == want.sentinel, errors.Is(err, sentinel), "%s: %v: %v", what, sentinel, err) //nolint:errorlint // they are the very same
				}
				require.Len(t, s.seen(), want.sends, what)
				require.NotContains(t, err.Error(), "CANARY", what)
			}
			create := func(ctx context.Context, p *wooshport.Provider) error {
				_, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
				return err
			}
			check("create", tc.once, false, create)
			check("create, with keys", tc.keyed, true, create)
			check("get", tc.get, false, func(ctx context.Context, p *wooshport.Provider) error {
				_, err := p.GetIntent(ctx, intent)
				return err
			})
			check("confirm", tc.conf, false, func(ctx context.Context, p *wooshport.Provider) error {
				_, err := p.ConfirmIntent(ctx, intent, wooshport.ConfirmRequest{ReturnURL: "https://app.example"})
				return err
			})
		})
	}
}

// An error that carries the request's intent is the intent, and one that carries
// another's proves nothing.
func TestCarriedIntent(t *testing.T) {
	t.Parallel()
	req := setupintent.IntentRequest{Key: "k", Metadata: map[string]string{"row": "1"}}
	for metadata, ours := range map[string]bool{`{"row":"1"}`: true, `{"row":"2"}`: false, `{}`: false} {
		s := serve(t, answer(402, failWith(cardError, "card_declined", `"setup_intent":`+intentJSON(`"metadata":`+metadata))))
		in, err := s.provider(t).CreateIntent(context.Background(), req)
		if ours {
			require.NoError(t, err)
			require.Equal(t, intent, in.ID)
			continue
		}
		require.ErrorIs(t, err, setupintent.ErrKeySpent)
	}
}

// What surely was not sent may be sent again, also without a key.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, ok())
	s.Close()
	tries := 0
	p, err := wooshport.New(testKey, &wooshport.Options{
		BaseURL: s.URL,
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			tries++
			return http.DefaultTransport.RoundTrip(r)
		})},
		Sleep: noSleep,
	})
	require.NoError(t, err)
	_, err = p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
	require.ErrorIs(t, err, setupintent.ErrThrottled)
	require.NotErrorIs(t, err, setupintent.ErrRefused)
	require.ErrorContains(t, err, "connection refused")
	require.Equal(t, 3, tries)
}

// What may have been sent before is not sent, and neither is what comes too late.
func TestNotSent(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, ok())
	_, err := s.provider(t).CreateIntent(ctx, setupintent.IntentRequest{Key: "k", Again: true})
	require.ErrorIs(t, err, setupintent.ErrKeySpent)
	_, err = s.provider(t).CreateIntent(ctx, setupintent.IntentRequest{Key: "k", NotAfter: time1700()})
	require.Error(t, err)
	require.NotErrorIs(t, err, setupintent.ErrKeySpent)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	for name, call := range calls(s.provider(t)) {
		_, err := call(canceled)
		require.ErrorIs(t, err, context.Canceled, name)
		require.NotErrorIs(t, err, setupintent.ErrKeySpent, name)
		_, err = call(setupintent.WithTransaction(ctx))
		require.ErrorContains(t, err, "transaction", name)
	}
	require.Empty(t, s.seen())

	in, err := s.provider(t, withKeys).CreateIntent(ctx, setupintent.IntentRequest{Key: "k", Again: true})
	require.NoError(t, err)
	require.True(t, in.Replayed, "it may be")
}

// With keys: once an attempt has an open outcome, no refusal takes it back.
func TestDoubt(t *testing.T) {
	t.Parallel()
	refusal := answer(400, failWith(invalidRequest, "x"))
	for name, tc := range map[string]struct {
		script []reply
		want   error
	}{
		"no answer, refused":          {[]reply{hangUp, refusal}, nil},
		"500, refused":                {[]reply{answer(500, ""), refusal}, nil},
		"409, refused":                {[]reply{answer(409, failWith("idempotency_error", "")), refusal}, nil},
		"no answer, throttled":        {[]reply{hangUp, answer(429, failWith(invalidRequest, ""))}, nil},
		"no answer, wrong key":        {[]reply{hangUp, answer(401, failWith(invalidRequest, ""))}, nil},
		"no answer, other parameters": {[]reply{hangUp, answer(400, failWith("idempotency_error", ""))}, setupintent.ErrKeySpent},
		"no answer, 500":              {[]reply{hangUp, answer(500, "")}, setupintent.ErrKeySuspect},
	} {
		_, err := serve(t, tc.script...).provider(t, withKeys).CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
		require.Error(t, err, name)
		for _, sentinel := range []error{setupintent.ErrRefused, setupintent.ErrThrottled, setupintent.ErrCredentials, setupintent.ErrKeySpent, setupintent.ErrKeySuspect} {
			require.Equal(t, sentinel == tc.want, errors.Is(err, sentinel), "%s: %v", name, err) //nolint:errorlint // they are the very same
		}
	}
	for _, first := range []reply{hangUp, answer(500, ""), answer(409, failWith("idempotency_error", ""))} {
		in, err := serve(t, first, ok()).provider(t, withKeys).CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
		require.NoError(t, err)
		require.Equal(t, intent, in.ID)
	}
}

// No error shows a secret, or a text that is not for people.
func TestErrorsAreDiscreet(t *testing.T) {
	t.Parallel()
	leaky := strings.Join([]string{`"decline_code":"` + canary + `"`, `"param":"` + canary + `"`, `"message":"` + canary + ` CANARY"`}, ",")
	for name, reply := range map[string]reply{
		"card error": answer(402, `{"error":{"type":"card_error","code":"`+canary+`",`+leaky+`}}`),
		"invalid":    answer(400, `{"error":{"type":"invalid_request_error","code":"whsec_CANARY",`+leaky+`}}`),
		"carried":    answer(400, failWith(invalidRequest, "x", `"setup_intent":`+intentJSON(`"metadata":{"x":"y"}`))),
		"html":       answer(502, "<html>"+canary),
		"half":       answer(200, intentJSON()[:len(intentJSON())-1]),
		"header garbage": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/"+canary)
			w.WriteHeader(302)
		},
	} {
		for what, call := range calls(serve(t, reply).provider(t)) {
			_, err := call(context.Background())
			if err == nil {
				continue // confirm, of a declined card
			}
			for _, text := range every(err) {
				require.NotContains(t, text, "CANARY", "%s: %s", name, what)
			}
		}
	}
	e := new(wooshport.Error)
	_, err := serve(t, answer(402, failWith(cardError, "card_declined", `"decline_code":"insufficient_funds"`, `"param":"payment_method_data[card]"`))).
		provider(t).CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
	require.ErrorAs(t, err, &e)
	require.Equal(t, "A text.", e.Message)
	require.EqualError(t, err, "wooshport: create: refused by the provider: HTTP 402 card_error card_declined insufficient_funds, parameter payment_method_data[card]: A text.")
}

func every(v any) []string {
	texts := make([]string, 0, 3)
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		texts = append(texts, sprintf(verb, v))
	}
	return slices.Clip(texts)
}
