package stripeport

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

// Error is the error of every method of a [Provider], and of [Webhook.Parse]. It
// wraps what is known about the effect of the call, one of the provider's errors
// of package setupintent, and the context's error, if that ended the call; an
// Error that wraps none of the former leaves the effect open. It tells what
// Stripe answered last.
//
// It holds no more of an answer than its fields say, and no secret: a field
// that does not look like what it should be is left empty.
type Error struct {
	Type        string // Stripe's type of error, such as card_error
	Code        string // Stripe's code, such as resource_missing
	DeclineCode string // the issuer's, such as insufficient_funds
	Param       string // the parameter that the error is about
	HTTPStatus  int    // 0: there was no answer
	RequestID   string // what Stripe's support asks for
	Replayed    bool   // the answer was stored earlier, for the same key

	// Message is Stripe's text for the person whose card it is, if Type is
	// card_error. Otherwise it is ours, and says what was wrong with the answer.
	Message string

	op    string
	means error
	cause error
}

func newError(c *call, a *answer, means error) *Error {
	e := &Error{op: c.op, means: means, HTTPStatus: a.status, Replayed: a.replayed(), RequestID: redact.Word(a.header.Get("Request-Id"))}
	switch {
	case a.err != nil:
		e.Message, e.cause = reason(a.err), redact.ContextError(a.err)
	case a.failure != nil:
		e.Type, e.Code, e.DeclineCode = redact.Word(a.failure.Type), redact.Word(a.failure.Code), redact.Word(a.failure.DeclineCode)
		e.Param = redact.Param(a.failure.Param)
		if e.Type == "card_error" {
			e.Message = redact.Text(a.failure.Message)
		}
	case a.status/100 == 3:
		e.Message = "a redirect, which is not followed"
	default:
		e.Message = "the answer is not what Stripe answers"
	}
	return e
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("stripeport: " + e.op)
	if e.means != nil {
		b.WriteString(": " + e.means.Error())
	}
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.HTTPStatus)
	}
	for _, s := range []string{e.Type, e.Code, e.DeclineCode} {
		if s != "" {
			b.WriteString(" " + s)
		}
	}
	if e.Param != "" {
		b.WriteString(", parameter " + e.Param)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	if e.Replayed {
		b.WriteString(", replayed")
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.cause != nil && e.cause.Error() != e.Message {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap returns what the error means and what caused it, as far as they are
// known.
func (e *Error) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.means, e.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// reason says why there is no answer.
func reason(err error) string {
	for _, ours := range []error{errTooLate, errTooLarge, errNotSent} {
		if errors.Is(err, ours) {
			return ours.Error()
		}
	}
	return redact.Reason(err)
}

// invalid is the error for a call that can't be made.
func invalid(op, message string) error {
	return &Error{op: op, means: setupintent.ErrInvalidRequest, Message: message}
}
