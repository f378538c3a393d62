package stripeport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

const (
	invalidRequest = "invalid_request_error"
	cardError      = "card_error"
	apiError       = "api_error"
)

// Every answer, and every row of the table.
func TestClassify(t *testing.T) {
	t.Parallel()
	var (
		refused     = setupintent.ErrRefused
		throttled   = setupintent.ErrThrottled
		spent       = setupintent.ErrKeySpent
		credentials = setupintent.ErrCredentials
		notFound    = setupintent.ErrNotFound

		replayed = http.Header{"Idempotent-Replayed": {"true"}}
		ours     = http.Header{"X-Ours": {"true"}}
		retry    = http.Header{"Stripe-Should-Retry": {"true"}}
		noRetry  = http.Header{"Stripe-Should-Retry": {"false"}}

		carried = `"setup_intent":` + intentJSON()
	)
	const (
		theResult   = "the result"
		stored      = "a 5xx that Stripe stored"
		local       = "too late, too large, or not to be sent at all"
		nothing     = "no whole answer"
		fiveHundred = "any other 5xx"
		notStripes  = "no answer of Stripe's: a redirect, HTML, a 200 without a result"
		inUse       = "409, the key is in use"
		another     = "an error with an intent that is not the result"
		auth        = "401 or 403"
		lock        = "429, a lock timeout"
		rate        = "429"
		mismatch    = "400, the key was used with other parameters"
		missing     = "404, no such object"
		reason      = "400, 402 or 404 with a reason"
		anything    = "anything else"
	)
	type want struct {
		sentinel error
		result   bool
		again    bool
	}
	var (
		result  = want{result: true}
		unknown = want{}
		unclear = want{again: true}
	)
	is := func(sentinel error) want { return want{sentinel: sentinel} }

	tested := map[string]bool{}
	for _, tc := range []struct {
		row           string
		status        int
		header        http.Header
		body          string
		err           error
		create, other want
	}{
		{row: theResult, status: 200, body: intentJSON(), create: result, other: result},
		{row: theResult, status: 201, body: intentJSON(), create: result, other: result},
		{row: theResult, status: 200, header: replayed, body: intentJSON(), create: result, other: result},
		{row: theResult, status: 402, header: ours, body: failWith(cardError, "card_declined", carried), create: result, other: result},
		{row: theResult, status: 400, header: ours, body: failWith(invalidRequest, "", carried), create: result, other: result},
		{row: theResult, status: 500, header: ours, body: failWith(apiError, "", carried), create: result, other: result},

		{row: stored, status: 500, header: replayed, body: failWith(apiError, ""), create: is(spent), other: unknown},
		{row: stored, status: 503, header: replayed, body: "<html>", create: is(spent), other: unknown},
		{row: stored, status: 500, header: replayed, err: io.ErrUnexpectedEOF, create: is(spent), other: unknown},
		{row: stored, status: 500, header: http.Header{"Idempotent-Replayed": {"true"}, "Stripe-Should-Retry": {"true"}}, create: is(spent), other: unclear},

		{row: local, err: stripeport.ErrTooLate, create: unknown, other: unknown},
		{row: local, err: stripeport.ErrTooLarge, status: 200, create: unknown, other: unknown},

		{row: nothing, err: io.EOF, create: unclear, other: unclear},
		{row: nothing, err: context.DeadlineExceeded, create: unclear, other: unclear},
		{row: nothing, err: errors.New("any"), create: unclear, other: unclear},
		{row: nothing, status: 200, err: io.ErrUnexpectedEOF, create: unclear, other: unclear},
		{row: nothing, status: 400, err: io.ErrUnexpectedEOF, create: unclear, other: unclear},

		{row: fiveHundred, status: 500, body: failWith(apiError, ""), create: unclear, other: unclear},
		{row: fiveHundred, status: 500, header: noRetry, body: failWith(apiError, ""), create: unknown, other: unknown},
		{row: fiveHundred, status: 502, body: "<html>", create: unclear, other: unclear},
		{row: fiveHundred, status: 503, create: unclear, other: unclear},
		{row: fiveHundred, status: 500, header: http.Header{"Idempotent-Replayed": {"false"}}, create: unclear, other: unclear},

		{row: notStripes, status: 200, body: "", create: unknown, other: unknown},
		{row: notStripes, status: 200, body: "{}", create: unknown, other: unknown},
		{row: notStripes, status: 200, body: "null", create: unknown, other: unknown},
		{row: notStripes, status: 200, body: "[]", create: unknown, other: unknown},
		{row: notStripes, status: 200, body: "<html>", create: unknown, other: unknown},
		{row: notStripes, status: 200, body: intentJSON()[:100], create: unknown, other: unknown},
		{row: notStripes, status: 200, body: intentJSON() + "x", create: unknown, other: unknown},
		{row: notStripes, status: 200, body: intentJSON(`"id":""`), create: unknown, other: unknown},
		{row: notStripes, status: 200, body: intentJSON(`"id":7`), create: unknown, other: unknown},
		{row: notStripes, status: 200, body: intentJSON(`"status":null,"status":""`), create: unknown, other: unknown},
		{row: notStripes, status: 200, body: intentJSON(`"object":"payment_intent"`), create: unknown, other: unknown},
		{row: notStripes, status: 200, body: intentJSON(`"metadata":"scalar"`), create: unknown, other: unknown},
		{row: notStripes, status: 200, body: failWith(invalidRequest, ""), create: unknown, other: unknown},
		{row: notStripes, status: 200, header: retry, body: "", create: unclear, other: unclear},
		{row: notStripes, status: 204, create: unknown, other: unknown},
		{row: notStripes, status: 301, body: intentJSON(), create: unknown, other: unknown},
		{row: notStripes, status: 307, body: intentJSON(), create: unknown, other: unknown},
		{row: notStripes, status: 400, body: "<html>", create: unknown, other: unknown},
		{row: notStripes, status: 400, body: "{}", create: unknown, other: unknown},
		{row: notStripes, status: 400, body: `{"error":null}`, create: unknown, other: unknown},
		{row: notStripes, status: 400, body: `{"error":"invalid_grant"}`, create: unknown, other: unknown},
		{row: notStripes, status: 400, body: `{"error":{"type":7}}`, create: unknown, other: unknown},
		{row: notStripes, status: 401, body: "<html>", create: unknown, other: unknown},
		{row: notStripes, status: 403, body: "<html>", create: unknown, other: unknown},
		{row: notStripes, status: 404, body: "404: Not Found", create: unknown, other: unknown},
		{row: notStripes, status: 409, body: "<html>", create: unknown, other: unknown},
		{row: notStripes, status: 429, body: "<html>", create: unknown, other: unknown},

		{row: inUse, status: 409, body: failWith(invalidRequest, "idempotency_key_in_use"), create: unclear, other: unclear},
		{row: inUse, status: 409, body: failWith("idempotency_error", "idempotency_key_in_use"), create: unclear, other: unclear},
		{row: inUse, status: 409, body: failWith(invalidRequest, ""), create: unclear, other: unclear},
		{row: inUse, status: 400, body: failWith("idempotency_error", "idempotency_key_in_use"), create: unclear, other: unclear},
		{row: inUse, status: 409, header: noRetry, body: failWith(invalidRequest, "idempotency_key_in_use"), create: unknown, other: unknown},

		{row: another, status: 400, body: failWith(invalidRequest, "setup_intent_unexpected_state", carried), create: unknown, other: unknown},
		{row: another, status: 402, body: failWith(cardError, "card_declined", `"setup_intent":{}`), create: unknown, other: unknown},

		{row: auth, status: 401, body: failWith(invalidRequest, ""), create: is(credentials), other: is(credentials)},
		{row: auth, status: 401, body: failWith(invalidRequest, "secret_key_required"), create: is(credentials), other: is(credentials)},
		{row: auth, status: 403, body: failWith(invalidRequest, ""), create: is(credentials), other: is(credentials)},

		{row: lock, status: 429, body: failWith(invalidRequest, "lock_timeout"), create: want{throttled, false, true}, other: want{throttled, false, true}},
		{row: lock, status: 429, header: noRetry, body: failWith(invalidRequest, "lock_timeout"), create: is(throttled), other: is(throttled)},
		{row: rate, status: 429, body: failWith(invalidRequest, "rate_limit"), create: is(throttled), other: is(throttled)},
		{row: rate, status: 429, body: failWith(invalidRequest, ""), create: is(throttled), other: is(throttled)},
		{row: rate, status: 429, header: retry, body: failWith(invalidRequest, ""), create: want{throttled, false, true}, other: want{throttled, false, true}},

		{row: mismatch, status: 400, body: failWith("idempotency_error", ""), create: is(spent), other: unknown},

		{row: missing, status: 404, body: failWith(invalidRequest, "resource_missing"), create: is(refused), other: is(notFound)},

		{row: reason, status: 400, body: failWith(invalidRequest, "parameter_unknown"), create: is(refused), other: unknown},
		{row: reason, status: 400, body: failWith(invalidRequest, "resource_missing"), create: is(refused), other: unknown},
		{row: reason, status: 400, body: failWith(invalidRequest, "", `"setup_intent":null`), create: is(refused), other: unknown},
		{row: reason, status: 400, header: replayed, body: failWith(invalidRequest, ""), create: is(refused), other: unknown},
		{row: reason, status: 402, body: failWith(cardError, "card_declined"), create: is(refused), other: unknown},
		{row: reason, status: 404, body: failWith(invalidRequest, ""), create: is(refused), other: unknown},

		{row: anything, status: 400, body: failWith(apiError, ""), create: unknown, other: unknown},
		{row: anything, status: 400, body: failWith("", ""), create: unknown, other: unknown},
		{row: anything, status: 400, body: failWith("a_new_error", ""), create: unknown, other: unknown},
		{row: anything, status: 408, body: failWith(invalidRequest, ""), create: unknown, other: unknown},
		{row: anything, status: 424, body: failWith(invalidRequest, ""), create: unknown, other: unknown},
		{row: anything, status: 424, header: retry, body: failWith(invalidRequest, ""), create: unclear, other: unclear},
	} {
		for _, create := range []bool{true, false} {
			expected := tc.other
			if create {
				expected = tc.create
			}
			row, result, again, sentinel := stripeport.Row(create, tc.status, tc.header, tc.body, tc.err)
			require.Equal(t, tc.row, row, "%d %s %v", tc.status, tc.body, tc.err)
			require.Equal(t, expected, want{sentinel, result, again}, "create %t: %d %v %s %v", create, tc.status, tc.header, tc.body, tc.err)
		}
		tested[tc.row] = true
	}
	for _, row := range stripeport.Rows() {
		require.True(t, tested[row], "no test for the row %q", row)
	}
	require.Len(t, tested, len(stripeport.Rows()))
}

// What all the attempts of one create prove together. Stripe's answer to the
// last one says nothing about one that was not answered.
func TestCreateAttempts(t *testing.T) {
	t.Parallel()
	var (
		bad         = answer(400, failWith(invalidRequest, "parameter_unknown"))
		declined    = answer(402, failWith(cardError, "card_declined"))
		denied      = answer(401, failWith(invalidRequest, ""))
		rateLimited = answer(429, failWith(invalidRequest, "rate_limit"))
		locked      = answer(429, failWith(invalidRequest, "lock_timeout"))
		inUse       = answer(409, failWith(invalidRequest, "idempotency_key_in_use"))
		mismatch    = answer(400, failWith("idempotency_error", ""))
		broken      = answer(500, failWith(apiError, ""))
		stored      = answer(500, failWith(apiError, ""), "Idempotent-Replayed", "true")
		garbled     = answer(200, "<html>", "Stripe-Should-Retry", "true")
		cut         = answer(200, intentJSON(), "Content-Length", "5000")
	)
	sentinels := []error{
		setupintent.ErrRefused, setupintent.ErrThrottled, setupintent.ErrKeySpent, setupintent.ErrKeySuspect,
		setupintent.ErrCredentials, setupintent.ErrNotFound, setupintent.ErrInvalidRequest,
	}
	for _, tc := range []struct {
		name     string
		script   []reply
		want     error // nil: unknown
		intent   bool
		attempts int
	}{
		{name: "400", script: []reply{bad}, want: setupintent.ErrRefused, attempts: 1},
		{name: "402", script: []reply{declined}, want: setupintent.ErrRefused, attempts: 1},
		{name: "401", script: []reply{denied}, want: setupintent.ErrCredentials, attempts: 1},
		{name: "429", script: []reply{rateLimited}, want: setupintent.ErrThrottled, attempts: 1},
		{name: "no answer, then 400", script: []reply{hangUp, bad}, attempts: 2},
		{name: "no answer, then 402", script: []reply{hangUp, declined}, attempts: 2},
		{name: "no answer, then 401", script: []reply{hangUp, denied}, attempts: 2},
		{name: "no answer, then 429", script: []reply{hangUp, rateLimited}, attempts: 2},
		{name: "no answer, then locked, then 400", script: []reply{hangUp, locked, bad}, attempts: 3},
		{name: "500, then 400", script: []reply{broken, bad}, attempts: 2},
		{name: "409, then 400", script: []reply{inUse, bad}, attempts: 2},
		{name: "garbled, then 400", script: []reply{garbled, bad}, attempts: 2},
		{name: "cut, then 400", script: []reply{cut, bad}, attempts: 2},
		{name: "locked, then 400", script: []reply{locked, bad}, want: setupintent.ErrRefused, attempts: 2},
		{name: "locked, then 401", script: []reply{locked, denied}, want: setupintent.ErrCredentials, attempts: 2},
		{name: "locked for ever", script: []reply{locked}, want: setupintent.ErrThrottled, attempts: 3},
		{name: "locked, locked, then 500", script: []reply{locked, locked, broken}, attempts: 3},
		{name: "mismatch", script: []reply{mismatch}, want: setupintent.ErrKeySpent, attempts: 1},
		{name: "no answer, then mismatch", script: []reply{hangUp, mismatch}, want: setupintent.ErrKeySpent, attempts: 2},
		{name: "500, then the stored 500", script: []reply{broken, stored}, want: setupintent.ErrKeySpent, attempts: 2},
		{name: "stored 500", script: []reply{stored}, want: setupintent.ErrKeySpent, attempts: 1},
		{name: "500 for ever", script: []reply{broken}, attempts: 3},
		{name: "no answer for ever", script: []reply{hangUp}, attempts: 3},
		{name: "no answer, then the intent", script: []reply{hangUp, ok()}, intent: true, attempts: 2},
		{name: "500, 409, then the intent", script: []reply{broken, inUse, ok()}, intent: true, attempts: 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tc.script...)
			in, err := s.provider(t).CreateIntent(context.Background(), setupintent.IntentRequest{Key: "the_key", Description: "d"})
			require.Len(t, s.seen(), tc.attempts)
			for _, r := range s.seen() {
				require.Equal(t, "the_key", r.header.Get("Idempotency-Key"))
				require.Equal(t, s.seen()[0].body, r.body)
			}
			if tc.intent {
				require.NoError(t, err)
				require.Equal(t, "seti_1Abc", in.ID)
				return
			}
			require.Error(t, err)
			require.Empty(t, in)
			for _, sentinel := range sentinels {
				require.Equal(t, errors.Is(tc.want, sentinel), errors.Is(err, sentinel), "%v: %v", err, sentinel)
			}
		})
	}
}

// An error that carries an intent is that intent, if it is the one asked for.
func TestCreateAnsweredByAnErrorWithAnIntent(t *testing.T) {
	t.Parallel()
	req := setupintent.IntentRequest{Key: "k", Customer: "cus_1", Metadata: map[string]string{"row": "42", "key": "ab"}}
	carry := func(fields ...string) reply {
		return answer(402, failWith(cardError, "card_declined", `"setup_intent":`+intentJSON(fields...)))
	}
	for _, tc := range []struct {
		name  string
		reply reply
		ours  bool
	}{
		{"ours", carry(`"customer":"cus_1"`, `"metadata":{"row":"42","key":"ab","more":"x"}`), true},
		{"expanded customer", carry(`"customer":{"id":"cus_1","object":"customer"}`, `"metadata":{"row":"42","key":"ab"}`), true},
		{"no metadata", carry(`"customer":"cus_1"`), false},
		{"another row's", carry(`"customer":"cus_1"`, `"metadata":{"row":"43","key":"ab"}`), false},
		{"another attempt's", carry(`"customer":"cus_1"`, `"metadata":{"row":"42","key":"cd"}`), false},
		{"another customer's", carry(`"customer":"cus_2"`, `"metadata":{"row":"42","key":"ab"}`), false},
		{"no intent", carry(`"object":"payment_intent"`, `"customer":"cus_1"`, `"metadata":{"row":"42","key":"ab"}`), false},
	} {
		s := serve(t, tc.reply)
		in, err := s.provider(t).CreateIntent(context.Background(), req)
		require.Len(t, s.seen(), 1)
		if tc.ours {
			require.NoError(t, err, tc.name)
			require.Equal(t, "seti_1Abc", in.ID)
			require.Equal(t, canary, in.ClientSecret.Reveal())
			continue
		}
		require.Error(t, err, tc.name)
		require.NotErrorIs(t, err, setupintent.ErrRefused, tc.name)
		require.Empty(t, in)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	var (
		unexpected = answer(400, failWith(invalidRequest, "setup_intent_unexpected_state", `"setup_intent":`+intentJSON(`"status":"succeeded"`)))
		missing    = answer(404, failWith(invalidRequest, "resource_missing"))
	)
	status := func(s setupintent.IntentStatus) reply { return ok(`"status":"` + string(s) + `"`) }
	post, get := "POST /v1/setup_intents/seti_1Abc/cancel", "GET /v1/setup_intents/seti_1Abc"
	for _, tc := range []struct {
		name   string
		script []reply
		status setupintent.IntentStatus // empty: an error
		err    error
		calls  []string
	}{
		{"canceled", []reply{status("canceled")}, "canceled", nil, []string{post}},
		{"canceled already", []reply{unexpected, status("canceled")}, "canceled", nil, []string{post, get}},
		{"succeeded", []reply{unexpected, status("succeeded")}, "succeeded", nil, []string{post, get}},
		{"processing", []reply{unexpected, status("processing")}, "processing", nil, []string{post, get}},
		{"it is not the intent's fault", []reply{unexpected, status("requires_action")}, "", nil, []string{post, get}},
		{"a proxy's 4xx", []reply{answer(405, "<html>"), status("canceled")}, "canceled", nil, []string{post, get}},
		{"409 for ever", []reply{answer(409, failWith(invalidRequest, "")), answer(409, ""), status("canceled")}, "canceled", nil, []string{post, post, get}},
		{"lost answer", []reply{hangUp, unexpected, status("canceled")}, "canceled", nil, []string{post, post, get}},
		{"missing", []reply{missing}, "", setupintent.ErrNotFound, []string{post}},
		{"missing by then", []reply{unexpected, missing}, "", setupintent.ErrNotFound, []string{post, get}},
		{"key", []reply{answer(401, failWith(invalidRequest, ""))}, "", setupintent.ErrCredentials, []string{post}},
		{"rate limit", []reply{answer(429, failWith(invalidRequest, ""))}, "", setupintent.ErrThrottled, []string{post}},
		{"rate limit by then", []reply{unexpected, answer(429, failWith(invalidRequest, ""))}, "", setupintent.ErrThrottled, []string{post, get}},
		{"down", []reply{answer(500, failWith(apiError, ""))}, "", nil, []string{post, post, post}},
		{"another intent", []reply{ok(`"id":"seti_2"`)}, "", nil, []string{post}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tc.script...)
			in, err := s.provider(t).CancelIntent(context.Background(), "seti_1Abc", "abandoned")
			var made []string
			for _, r := range s.seen() {
				made = append(made, r.method+" "+r.uri)
				if r.method == http.MethodPost {
					require.Equal(t, "cancellation_reason=abandoned", r.body)
				}
			}
			require.Equal(t, tc.calls, made)
			require.Equal(t, tc.status, in.Status)
			switch {
			case tc.status != "":
				require.NoError(t, err)
			case tc.err != nil:
				require.ErrorIs(t, err, tc.err)
			default:
				var e *stripeport.Error
				require.ErrorAs(t, err, &e)
				require.Empty(t, e.Unwrap())
			}
		})
	}

	s := serve(t, status("canceled"))
	_, err := s.provider(t).CancelIntent(context.Background(), "seti_1Abc", "")
	require.NoError(t, err)
	require.Empty(t, s.seen()[0].body)
}

// The errors of the calls that read or change one intent.
func TestOtherCalls(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		reply    reply
		want     error
		attempts int
	}{
		{"missing", answer(404, failWith(invalidRequest, "resource_missing")), setupintent.ErrNotFound, 1},
		{"no such URL", answer(404, failWith(invalidRequest, "")), nil, 1},
		{"a proxy's 404", answer(404, "<html>"), nil, 1},
		{"401", answer(401, failWith(invalidRequest, "")), setupintent.ErrCredentials, 1},
		{"403", answer(403, failWith(invalidRequest, "")), setupintent.ErrCredentials, 1},
		{"429", answer(429, failWith(invalidRequest, "")), setupintent.ErrThrottled, 1},
		{"400", answer(400, failWith(invalidRequest, "")), nil, 1},
		{"500", answer(500, failWith(apiError, "")), nil, 3},
		{"500 stored", answer(500, failWith(apiError, ""), "Idempotent-Replayed", "true"), nil, 1},
		{"garbled", answer(200, "<html>"), nil, 1},
		{"another intent", ok(`"id":"seti_2"`), nil, 1},
	} {
		for _, op := range []string{"get", "update", "confirm", "list"} {
			if op == "list" && errors.Is(tc.want, setupintent.ErrNotFound) {
				continue
			}
			s := serve(t, tc.reply)
			_, err := calls(s.provider(t), "seti_1Abc")[op](context.Background())
			require.Error(t, err, "%s %s", op, tc.name)
			var e *stripeport.Error
			require.ErrorAs(t, err, &e)
			switch {
			case op == "update" && tc.name == "400":
				require.ErrorIs(t, err, setupintent.ErrRefused)
			case tc.want == nil:
				require.Empty(t, e.Unwrap(), "%s %s", op, tc.name)
			default:
				require.ErrorIs(t, err, tc.want, "%s %s", op, tc.name)
			}
			require.Len(t, s.seen(), tc.attempts, "%s %s", op, tc.name)
		}
	}
}

// An update that Stripe says no to has changed nothing, unless an attempt before
// it may have.
func TestUpdateRefused(t *testing.T) {
	t.Parallel()
	succeeded := answer(400, failWith(invalidRequest, "setup_intent_unexpected_state", `"setup_intent":`+intentJSON(`"status":"succeeded"`)))
	for _, tc := range []struct {
		name    string
		replies []reply
		refused bool
	}{
		{"a parameter", []reply{answer(400, failWith(invalidRequest, "parameter_unknown"))}, true},
		{"a card", []reply{answer(402, failWith(cardError, "card_declined"))}, true},
		{"an intent that has succeeded", []reply{succeeded}, true},
		{"after a lock", []reply{answer(429, failWith(invalidRequest, "lock_timeout")), succeeded}, true},
		{"after a failure", []reply{answer(500, failWith(apiError, "")), succeeded}, false},
		{"after no answer", []reply{hangUp, succeeded}, false},
		{"a proxy", []reply{answer(400, "<html>")}, false},
		{"the key", []reply{answer(400, failWith("idempotency_error", ""))}, false},
	} {
		_, err := serve(t, tc.replies...).provider(t).UpdateIntent(context.Background(), "seti_1Abc", stripeport.UpdateRequest{Description: "d"})
		require.Error(t, err, tc.name)
		require.Equal(t, tc.refused, errors.Is(err, setupintent.ErrRefused), "%s: %v", tc.name, err)
	}
}

// A later answer to a read is as good as the first.
func TestReadAfterNoAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, hangUp, answer(404, failWith(invalidRequest, "resource_missing")))
	_, err := s.provider(t).GetIntent(context.Background(), "seti_1Abc")
	require.ErrorIs(t, err, setupintent.ErrNotFound)
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	failed := `"last_setup_error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","payment_method":{"id":"pm_1"}}`
	s := serve(t, answer(402, failWith(cardError, "card_declined", `"setup_intent":`+intentJSON(failed, `"latest_attempt":"setatt_1"`))))
	in, err := s.provider(t).ConfirmIntent(context.Background(), "seti_1Abc", stripeport.ConfirmRequest{
		Key: "k", PaymentMethod: "pm_1", ReturnURL: "https://shop.example/done", Extra: map[string]any{"use_stripe_sdk": true},
	})
	require.NoError(t, err)
	require.Equal(t, "card_declined", in.ErrorCode)
	require.Equal(t, "setatt_1", in.LatestAttempt)
	require.Equal(t, "POST", s.seen()[0].method)
	require.Equal(t, "/v1/setup_intents/seti_1Abc/confirm", s.seen()[0].uri)
	require.Equal(t, "k", s.seen()[0].header.Get("Idempotency-Key"))
	require.Equal(t, "payment_method=pm_1&return_url=https%3A%2F%2Fshop.example%2Fdone&use_stripe_sdk=true", s.seen()[0].body)

	// What is not about the card is not an answer.
	s = serve(t, answer(400, failWith(invalidRequest, "setup_intent_unexpected_state", `"setup_intent":`+intentJSON(`"status":"succeeded"`))))
	_, err = s.provider(t).ConfirmIntent(context.Background(), "seti_1Abc", stripeport.ConfirmRequest{})
	var e *stripeport.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "setup_intent_unexpected_state", e.Code)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := serve(t, ok(`"customer":"cus_1"`))
	p := s.provider(t)
	in, err := p.UpdateIntent(context.Background(), "seti_1Abc", stripeport.UpdateRequest{
		Customer: "cus_1", Description: "d", PaymentMethod: "pm_1",
		Metadata: map[string]string{"b": "", "a": "1"}, Extra: map[string]any{"payment_method_types": nil},
	})
	require.NoError(t, err)
	require.Equal(t, "cus_1", in.Customer)
	require.Equal(t, "POST", s.seen()[0].method)
	require.Equal(t, "/v1/setup_intents/seti_1Abc", s.seen()[0].uri)
	require.Equal(t, "customer=cus_1&description=d&metadata[a]=1&metadata[b]=&payment_method=pm_1&payment_method_types=", s.seen()[0].body)
	require.NotEmpty(t, s.seen()[0].header.Get("Idempotency-Key"))
}

// What must not pass through a server is refused before anything is sent.
func TestRefusedExtra(t *testing.T) {
	t.Parallel()
	s := serve(t, ok())
	p := s.provider(t)
	for _, extra := range []map[string]any{
		{"client_secret": canary},
		{"payment_method_data": map[string]any{"type": "card", "card": map[string]any{"number": "4242424242424242"}}},
	} {
		_, err := p.UpdateIntent(context.Background(), "seti_1Abc", stripeport.UpdateRequest{Extra: extra})
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
		_, err = p.ConfirmIntent(context.Background(), "seti_1Abc", stripeport.ConfirmRequest{Extra: extra})
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
		require.NotContains(t, err.Error(), "4242")
		require.NotContains(t, err.Error(), canary)
	}
	require.Empty(t, s.seen())
}

func TestList(t *testing.T) {
	t.Parallel()
	page := func(more string, data ...string) reply {
		body := `{"object":"list","url":"/v1/setup_intents","has_more":` + more + `,"data":[`
		for i, d := range data {
			if i > 0 {
				body += ","
			}
			body += d
		}
		return answer(200, body+"]}")
	}
	two := page("true", intentJSON(`"metadata":{"row":"2"}`), intentJSON(`"id":"seti_0"`))
	s := serve(t, two, page("false"))
	p := s.provider(t)
	from, to := time1700().Add(300e6), time1700().Add(700e6) // within the second
	got, err := p.ListIntents(context.Background(), from, to, "")
	require.NoError(t, err)
	require.Len(t, s.seen(), 1, "one page, though there are more")
	require.Equal(t, "GET", s.seen()[0].method)
	require.Equal(t, "/v1/setup_intents?created[gte]=1700000000&created[lte]=1700000000&limit=100", s.seen()[0].uri)
	require.Empty(t, s.seen()[0].body)
	require.Len(t, got, 2)
	require.Equal(t, "seti_1Abc", got[0].ID)
	require.Equal(t, map[string]string{"row": "2"}, got[0].Metadata)
	require.Equal(t, "seti_0", got[1].ID)

	got, err = p.ListIntents(context.Background(), time1700(), time1700(), "seti_0")
	require.NoError(t, err)
	require.Empty(t, got)
	require.Contains(t, s.seen()[1].uri, "&starting_after=seti_0")

	// That one is unknown does not mean that there are none.
	s = serve(t, answer(404, failWith(invalidRequest, "resource_missing")))
	_, err = s.provider(t).ListIntents(context.Background(), from, to, "seti_0")
	require.Error(t, err)
	require.NotErrorIs(t, err, setupintent.ErrNotFound)

	// What is no list is not an empty one.
	for _, body := range []string{
		`{}`, `null`, `[]`, ``, `{"object":"list"}`, `{"object":"list","data":null}`, `{"data":[]}`,
		`{"object":"list","data":[],"has_more":true}`, `{"object":"list","data":[{}]}`, `{"object":"list","data":["seti_1"]}`,
		`{"object":"list","data":[` + intentJSON() + `,` + intentJSON()[:90], intentJSON(),
	} {
		got, err := serve(t, answer(200, body)).provider(t).ListIntents(context.Background(), from, to, "")
		require.Error(t, err, body)
		require.Nil(t, got)
	}
}

func TestIDsAreCheckedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, ok())
	p := s.provider(t)
	ids := []string{
		"", " ", "a/../b", "..", "seti_1/cancel", "seti_1?x=y", "seti_1#x", "seti_1%2F", "seti 1", "seti_1\n", "seti_é", canary,
		string(slices.Repeat([]byte("a"), 256)),
	}
	for _, id := range ids {
		for name, call := range calls(p, id) {
			if name == "create" || name == "list" {
				continue
			}
			_, err := call(context.Background())
			require.ErrorIs(t, err, setupintent.ErrNotFound, "%s %q", name, id)
			require.NotContains(t, err.Error(), canary)
		}
		if id != "" {
			_, err := p.ListIntents(context.Background(), time1700(), time1700(), id)
			require.Error(t, err, "%q", id)
			require.NotErrorIs(t, err, setupintent.ErrNotFound, "%q: one is unknown, not all", id)
			require.NotContains(t, err.Error(), canary)
		}
	}
	require.Empty(t, s.seen())
}
