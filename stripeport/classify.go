package stripeport

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/cardonfile/cardonfile/setupintent"
)

// answer is what came of one attempt.
type answer struct {
	*exchange
	result  bool     // the call's result was decoded from it
	failure *failure // Stripe's error object, if there is one
}

// failure is Stripe's error object.
type failure struct {
	Type        string          `json:"type"`
	Code        string          `json:"code"`
	DeclineCode string          `json:"decline_code"`
	Param       string          `json:"param"`
	Message     string          `json:"message"`
	SetupIntent json.RawMessage `json:"setup_intent"`
}

// answered decodes what the attempt was answered with.
func answered(c *call, x *exchange) answer {
	a := answer{exchange: x}
	switch {
	case x.err != nil:
	case x.status/100 == 2:
		a.result = c.decode(x.body) == nil
	case x.status >= 400:
		var body struct {
			Error *failure `json:"error"`
		}
		if json.Unmarshal(x.body, &body) == nil {
			a.failure = body.Error
		}
		if a.intent() && c.carries != nil {
			a.result = c.decode(a.failure.SetupIntent) == nil && c.carries(x.status)
		}
	}
	return a
}

// replayed reports whether Stripe marked the answer as one that it stored
// earlier, for the same idempotency key.
func (a *answer) replayed() bool { return a.header.Get("Idempotent-Replayed") == "true" }

// late reports whether the attempt was not made because of NotAfter.
func (a *answer) late() bool { return errors.Is(a.err, errTooLate) }

func (a *answer) is(typ string) bool { return a.failure.Type == typ }

// intent reports whether an error came with an intent.
func (a *answer) intent() bool {
	return a.failure != nil && len(a.failure.SetupIntent) > 0 && string(a.failure.SetupIntent) != "null"
}

// refuses reports whether Stripe says no, for a reason that it gives.
func (a *answer) refuses() bool {
	no := a.status == http.StatusBadRequest || a.status == http.StatusPaymentRequired || a.status == http.StatusNotFound
	return no && a.failure != nil && (a.is("invalid_request_error") || a.is("card_error"))
}

// verdict is what an answer means.
type verdict struct {
	result bool  // it is the call's result
	means  error // otherwise the sentinel of package setupintent that tells what is known; nil: nothing
	again  bool  // sending the call again, under the same key, may help
}

// row is one row of the table.
type row struct {
	answer  string
	matches func(*answer) bool
	create  verdict // what it says about a create
	other   verdict // and about any other call
}

var (
	result  = verdict{result: true}
	unknown = verdict{}
	unclear = verdict{again: true} // unknown, and worth another try
)

func means(sentinel error) verdict { return verdict{means: sentinel} }

// table says what each answer means. The first row that matches decides. An
// answer that is not Stripe's own error object proves nothing: a proxy may have
// written it, after the request went through.
var table = [...]row{
	{
		"the result",
		func(a *answer) bool { return a.result },
		result, result,
	},
	{
		"a 5xx that Stripe stored", // it is the answer for a day
		func(a *answer) bool { return a.status >= 500 && a.replayed() },
		means(setupintent.ErrKeySpent), unknown,
	},
	{
		"too late, too large, or not to be sent at all",
		func(a *answer) bool { return a.late() || errors.Is(a.err, errTooLarge) || errors.Is(a.err, errNotSent) },
		unknown, unknown,
	},
	{
		"no whole answer",
		func(a *answer) bool { return a.err != nil },
		unclear, unclear,
	},
	{
		"any other 5xx",
		func(a *answer) bool { return a.status >= 500 },
		unclear, unclear,
	},
	{
		"no answer of Stripe's: a redirect, HTML, a 200 without a result",
		func(a *answer) bool { return a.failure == nil },
		unknown, unknown,
	},
	{
		"409, the key is in use", // its type is quoted differently by different sources
		func(a *answer) bool {
			return a.status == http.StatusConflict || a.failure.Code == "idempotency_key_in_use"
		},
		unclear, unclear,
	},
	{
		"an error with an intent that is not the result",
		func(a *answer) bool { return a.intent() },
		unknown, unknown,
	},
	{
		"401 or 403",
		func(a *answer) bool {
			return a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
		},
		means(setupintent.ErrCredentials), means(setupintent.ErrCredentials),
	},
	{
		"429, a lock timeout", // as opposed to the rate limit, it passes at once
		func(a *answer) bool {
			return a.status == http.StatusTooManyRequests && a.failure.Code == "lock_timeout"
		},
		verdict{means: setupintent.ErrThrottled, again: true},
		verdict{means: setupintent.ErrThrottled, again: true},
	},
	{
		"429",
		func(a *answer) bool { return a.status == http.StatusTooManyRequests },
		means(setupintent.ErrThrottled), means(setupintent.ErrThrottled),
	},
	{
		"400, the key was used with other parameters",
		func(a *answer) bool { return a.status == http.StatusBadRequest && a.is("idempotency_error") },
		means(setupintent.ErrKeySpent), unknown,
	},
	{
		"404, no such object",
		func(a *answer) bool {
			return a.status == http.StatusNotFound && a.is("invalid_request_error") && a.failure.Code == "resource_missing"
		},
		means(setupintent.ErrRefused), means(setupintent.ErrNotFound),
	},
	{
		"400, 402 or 404 with a reason",
		(*answer).refuses,
		means(setupintent.ErrRefused), unknown,
	},
	{
		"anything else",
		func(*answer) bool { return true },
		unknown, unknown,
	},
}

// judge looks the answer up in the table. Stripe's own advice whether to try
// again goes before the table's.
func judge(c *call, a *answer) verdict {
	i := 0
	for !table[i].matches(a) {
		i++
	}
	v := table[i].other
	switch {
	case c.create:
		v = table[i].create
	case c.change && v == unknown && a.refuses() && a.status != http.StatusNotFound:
		v = means(setupintent.ErrRefused)
	}
	switch a.header.Get("Stripe-Should-Retry") {
	case "true":
		v.again = !errors.Is(v.means, setupintent.ErrKeySpent)
	case "false":
		v.again = false
	}
	return v
}
