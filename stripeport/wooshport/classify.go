package wooshport

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/cardonfile/cardonfile/setupintent"
)

// answer is what came of one attempt.
type answer struct {
	*exchange
	result  bool     // the call's result was decoded from it
	failure *failure // WooshPay's error object, if there is one
}

// failure is WooshPay's error object.
type failure struct {
	Type        string          `json:"type"`
	Code        string          `json:"code"`
	DeclineCode string          `json:"decline_code"`
	Param       string          `json:"param"`
	Message     string          `json:"message"`
	SetupIntent json.RawMessage `json:"setup_intent"` // not documented
}

// errorTypes are the documented ones.
var errorTypes = []string{"api_error", "card_error", "idempotency_error", "invalid_request_error"}

// decodeFailure finds the error object in a body: its member "error", or all of
// it.
func decodeFailure(body []byte) *failure {
	var b struct {
		failure
		Error *failure `json:"error"`
	}
	if json.Unmarshal(body, &b) != nil {
		return nil
	}
	for _, f := range []*failure{b.Error, &b.failure} {
		if f != nil && slices.Contains(errorTypes, f.Type) {
			return f
		}
	}
	return nil
}

// read decodes what the attempt was answered with.
func read(c *call, x *exchange) answer {
	a := answer{exchange: x}
	switch {
	case x.err != nil:
	case x.status/100 == 2:
		a.result = c.decode(x.body) == nil
	case x.status >= 400:
		a.failure = decodeFailure(x.body)
		if a.intent() && c.carries != nil {
			a.result = c.decode(a.failure.SetupIntent) == nil && c.carries(x.status)
		}
	}
	return a
}

func (a *answer) is(typ string) bool { return a.failure.Type == typ }

// intent reports whether an error came with an intent.
func (a *answer) intent() bool {
	return a.failure != nil && len(a.failure.SetupIntent) > 0 && string(a.failure.SetupIntent) != "null"
}

// verdict is what an answer means.
type verdict struct {
	result bool  // it is the call's result
	means  error // otherwise the sentinel of package setupintent that tells what is known; nil: nothing
	again  bool  // sending the call again may help
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
	suspect = verdict{means: setupintent.ErrKeySuspect, again: true}
	notYet  = verdict{means: setupintent.ErrThrottled, again: true}
)

func means(sentinel error) verdict { return verdict{means: sentinel} }

// table says what each answer means, where equal keys have one effect. The
// first row that matches decides. An answer that is not WooshPay's own error
// object proves nothing: a proxy may have written it, after the request went
// through.
var table = [...]row{
	{
		"the result",
		func(a *answer) bool { return a.result },
		result, result,
	},
	{
		"too late, too large, or not to be sent at all",
		func(a *answer) bool {
			return errors.Is(a.err, errTooLate) || errors.Is(a.err, errTooLarge) || errors.Is(a.err, errNotSent)
		},
		unknown, unknown,
	},
	{
		"no connection", // nothing was created, and it may be sent again: that is what ErrThrottled says
		func(a *answer) bool { return a.unsent },
		notYet, unclear,
	},
	{
		"no whole answer",
		func(a *answer) bool { return a.err != nil },
		unclear, unclear,
	},
	{
		"5xx", // whether it is kept under the key is not marked
		func(a *answer) bool { return a.status >= 500 },
		suspect, unclear,
	},
	{
		"no answer of WooshPay's: a redirect, HTML, a 200 without a result",
		func(a *answer) bool { return a.failure == nil },
		unknown, unknown,
	},
	{
		"409, a conflict with another request",
		func(a *answer) bool { return a.status == http.StatusConflict },
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
		"404",
		func(a *answer) bool { return a.status == http.StatusNotFound && a.is("invalid_request_error") },
		means(setupintent.ErrRefused), means(setupintent.ErrNotFound),
	},
	{
		"400 or 402 with a reason",
		func(a *answer) bool {
			refuses := a.status == http.StatusBadRequest || a.status == http.StatusPaymentRequired
			return refuses && (a.is("invalid_request_error") || a.is("card_error"))
		},
		means(setupintent.ErrRefused), unknown,
	},
	{
		"anything else",
		func(*answer) bool { return true },
		unknown, unknown,
	},
}

// judge looks the answer up in the table. What can't be repeated isn't, unless it
// surely had no effect; and a create of which nobody knows the outcome has used
// its key up.
func judge(c *call, a *answer) verdict {
	i := 0
	for !table[i].matches(a) {
		i++
	}
	v := table[i].other
	if c.create {
		v = table[i].create
	}
	if c.repeatable() {
		return v
	}
	v.again = v.again && a.unsent
	open := v.means == nil || errors.Is(v.means, setupintent.ErrKeySuspect)
	if c.create && !v.result && open && !neverSent(a.err) {
		v.means = setupintent.ErrKeySpent
	}
	return v
}

// neverSent reports whether the attempt was not made: by somebody else it may
// have been.
func neverSent(err error) bool { return errors.Is(err, errTooLate) || errors.Is(err, errNotSent) }
