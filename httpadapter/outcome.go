package httpadapter

import (
	"errors"
	"net/http"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// outcome is one row of the table of outcomes: what went wrong, as far as the
// client is told. Every dialect has its own words for it.
type outcome int

const (
	unavailable outcome = iota // whatever has no better word, and is worth another try
	processing
	alreadyActive
	abandoned
	cancelled
	notPending // ended by a word of the application's own
	closing
	inProgress
	rateLimited
	tooManyAttempts
	notSucceeded
	mismatch
	providerRefused
	unsupported
	unknownRow
	malformedID
	unauthenticated
	forbidden
	noRoute
	badMethod
	badType
	tooLarge
	tooSlow
	badBody
	badParam   // a parameter that the caller may not set, or not so
	frozen     // another create for this row
	badKey     // an Idempotency-Key
	unverified // of a webhook, and the next
	badEvent
	internal
)

// catalogue is every outcome as our own dialect words it. The others take from
// it what they do not word otherwise.
var catalogue = [...]struct {
	code   string
	status int
	text   string
}{
	unavailable:     {"unavailable", http.StatusServiceUnavailable, "This is not possible at the moment. Try again shortly."},
	processing:      {"processing", http.StatusConflict, "The payment method is being set up, which can take days. There is nothing to confirm."},
	alreadyActive:   {"already_active", http.StatusConflict, "A payment method was saved already."},
	abandoned:       {"abandoned", http.StatusConflict, "The time for saving a payment method is over. Start again."},
	cancelled:       {"cancelled", http.StatusConflict, "This was cancelled. Start again."},
	notPending:      {"not_pending", http.StatusConflict, "No payment method can be saved here any more."},
	closing:         {"closing", http.StatusConflict, "This is being ended. Start again."},
	inProgress:      {"in_progress", http.StatusConflict, "Another request is doing the same. Try again shortly."},
	rateLimited:     {"rate_limited", http.StatusTooManyRequests, "There were too many requests. Try again later."},
	tooManyAttempts: {"too_many_attempts", http.StatusConflict, "There were too many attempts. Start again."},
	notSucceeded:    {"not_succeeded", http.StatusConflict, "The payment method is not saved yet. Confirm it first."},
	mismatch:        {"mismatch", http.StatusConflict, "The SetupIntent does not belong here."},
	providerRefused: {"provider_refused", http.StatusBadGateway, "The payment provider refused. Trying again does not help."},
	unsupported:     {"unsupported", http.StatusNotImplemented, "The payment provider can't do this."},
	unknownRow:      {"not_found", http.StatusNotFound, "There is nothing here."},
	malformedID:     {"not_found", http.StatusNotFound, "There is nothing here."},
	unauthenticated: {"unauthenticated", http.StatusUnauthorized, "A credential is missing, wrong or expired."},
	forbidden:       {"forbidden", http.StatusForbidden, "This is not allowed."},
	noRoute:         {"not_found", http.StatusNotFound, "There is nothing here."},
	badMethod:       {"method_not_allowed", http.StatusMethodNotAllowed, "The header Allow has the method to use."},
	badType:         {"unsupported_media_type", http.StatusUnsupportedMediaType, "A body must be JSON: Content-Type: application/json."},
	tooLarge:        {"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large."},
	tooSlow:         {"body_timeout", http.StatusRequestTimeout, "The body did not arrive in time."},
	badBody:         {"invalid_request", http.StatusBadRequest, "The body is not what it should be."},
	badParam:        {"invalid_parameter", http.StatusBadRequest, "A parameter is not what it should be."},
	frozen:          {"frozen", http.StatusConflict, "The SetupIntent was created with other parameters."},
	badKey:          {"invalid_idempotency_key", http.StatusBadRequest, "The header Idempotency-Key must have 1 to 255 printable characters."},
	unverified:      {"unverified", http.StatusBadRequest, "The signature is missing, wrong, or not of about now."},
	badEvent:        {"invalid_event", http.StatusBadRequest, "The body is not an event."},
	internal:        {"internal", http.StatusInternalServerError, "Something is wrong on our side."},
}

func (o outcome) code() string { return catalogue[o].code }
func (o outcome) status() int  { return catalogue[o].status }
func (o outcome) text() string { return catalogue[o].text }

// failure is an outcome with what a dialect may need to word it. Nothing in it
// is the text of an error.
type failure struct {
	outcome
	retryAfter time.Duration // 0: trying again does not help
	allow      string        // of badMethod
	fault      fault         // of badBody and badParam
	param      string        // of badParam: its name, as it may be shown
	id         string        // of malformedID, as the client wrote it
	anonymous  bool          // of unauthenticated: there is no credential, not even a wrong one
	asked      *http.Request // of whose path and credential Stripe tells
	docsURL    string
}

var (
	errProcessing = errors.New("the intent is processing")
	errPanic      = errors.New("panic")
	errAccount    = errors.New("the row is active, but Options.Account failed")
)

// classify returns the outcome that an error is. It is the one place that knows
// both.
func classify(err error) failure {
	var (
		row    *setupintent.Error
		method methodError
		body   bodyError
		param  paramError
		f      failure
	)
	if errors.As(err, &row) {
		f.retryAfter = row.RetryAfter
	}
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	// Found here.
	case is(errNewsLater):
		f.outcome = unavailable
		if f.retryAfter <= 0 && is(setupintent.ErrCredentials) {
			f.retryAfter = time.Minute // until somebody has seen to it
		}
	case is(setupintent.ErrHook): // the application's own error may wrap anything
		f.outcome = unavailable
	case is(errAccount):
		f.outcome = unavailable
	case is(errNoRoute):
		f.outcome = noRoute
	case errors.As(err, &method):
		f.outcome, f.allow = badMethod, method.allow
	case errors.As(err, &body):
		f.outcome, f.fault = body.outcome, body.fault
	case errors.As(err, &param):
		f.outcome, f.fault, f.param = badParam, param.fault, param.shown()
	case is(errBadKey):
		f.outcome = badKey
	case is(ErrMalformedID):
		f.outcome = malformedID
	case is(ErrUnauthenticated):
		f.outcome = unauthenticated
	case is(ErrForbidden):
		f.outcome = forbidden
	case is(errPanic):
		f.outcome = internal
	case is(errUnsigned):
		f.outcome = unverified
	case is(errBadEvent):
		f.outcome = badEvent
	case is(errProcessing):
		f.outcome, f.retryAfter = processing, 30*time.Second

	// Worth another try. An error of one of the application's own hooks is,
	// too, and may wrap anything: only the service says that it is not.
	case is(setupintent.ErrLimited):
		f.outcome = rateLimited
	case is(setupintent.ErrUnresolved):
		f.outcome = unavailable
	case is(setupintent.ErrBusy):
		f.outcome = inProgress
	case is(setupintent.ErrNotSucceeded) && f.retryAfter > 0:
		f.outcome = processing
	case f.retryAfter > 0:
		f.outcome = unavailable

	// Final.
	case is(setupintent.ErrNotSucceeded):
		f.outcome = notSucceeded
	case is(setupintent.ErrRefused), is(setupintent.ErrCredentials):
		f.outcome = providerRefused
	case is(setupintent.ErrNotPending):
		f.outcome = notPending
		if row != nil {
			f.outcome = ended(row.Status)
		}
	case is(setupintent.ErrClosing):
		f.outcome = closing
	case is(setupintent.ErrNotFound):
		f.outcome = unknownRow
	case is(setupintent.ErrExhausted):
		f.outcome = tooManyAttempts
	case is(setupintent.ErrMismatch):
		f.outcome = mismatch
	case is(errors.ErrUnsupported):
		f.outcome = unsupported
	case is(setupintent.ErrFrozen):
		f.outcome = frozen
	case is(setupintent.ErrInvalidRequest):
		f.outcome = internal // Options.Request asks for what can't be sent
	}

	if f.retryAfter <= 0 { // the error was not the service's, which says when
		switch f.outcome {
		case unavailable:
			f.retryAfter = 2 * time.Second
		case inProgress:
			f.retryAfter = time.Second
		case rateLimited:
			f.retryAfter = time.Minute
		}
	}
	return f
}

// ended returns the outcome of a row that has ended in the status.
func ended(s setupintent.Status) outcome {
	switch s {
	case setupintent.Active:
		return alreadyActive
	case setupintent.Abandoned:
		return abandoned
	case setupintent.Cancelled:
		return cancelled
	}
	return notPending
}
