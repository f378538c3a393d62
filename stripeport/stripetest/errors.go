package stripetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The four types of error that Stripe documents.
const (
	typeAPI         = "api_error"
	typeCard        = "card_error"
	typeIdempotency = "idempotency_error"
	typeInvalid     = "invalid_request_error"
)

// Facts about errors that could not be settled without api.stripe.com.
const (
	statusPublishableKey = http.StatusUnauthorized          // [U] 401 or 403
	typeKeyInUse         = typeInvalid                      // [2nd], by a gateway that matches it; others' stubs have idempotency_error
	codeSecretMismatch   = "setup_intent_invalid_parameter" // [U]
)

const (
	docURL     = "https://stripe.com/docs/error-codes/"
	seeDocs    = " Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
	unknownErr = "An unknown error occurred" // [U]
)

// apiError is Stripe's error object together with the status it is
// answered with. Its fields are in Stripe's order, which is the alphabet's.
type apiError struct {
	status  int
	invalid bool // the parameters never got as far as execution: not stored under the idempotency key

	Code              string          `json:"code,omitempty"`
	DeclineCode       string          `json:"decline_code,omitempty"`
	DocURL            string          `json:"doc_url,omitempty"`
	Message           string          `json:"message,omitempty"`
	Param             string          `json:"param,omitempty"`
	PaymentMethod     json.RawMessage `json:"payment_method,omitempty"` // as it was at the time
	PaymentMethodType string          `json:"payment_method_type,omitempty"`
	RequestLogURL     string          `json:"request_log_url,omitempty"`
	SetupIntent       any             `json:"setup_intent,omitempty"`
	Type              string          `json:"type"`
}

// Error returns the message alone: the object may hold a client secret.
func (e *apiError) Error() string { return e.Message }

// asAPIError finds the apiError in err; any other error is our own trouble
// and becomes Stripe's 500.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return internalError()
}

// public is the error as a page may see it.
func (e *apiError) public() *apiError {
	if e == nil || e.PaymentMethod == nil {
		return e
	}
	shown := *e
	shown.PaymentMethod = nil
	if pm, err := decodeMethod(e.PaymentMethod); err == nil { // the fake wrote it
		shown.PaymentMethod = encode(pm.public())
	}
	return &shown
}

func newError(status int, code, param, message string) *apiError {
	e := &apiError{status: status, Code: code, Param: param, Message: message, Type: typeInvalid}
	if code != "" {
		e.DocURL = docURL + strings.ReplaceAll(code, "_", "-")
	}
	return e
}

func internalError() *apiError {
	return &apiError{status: http.StatusInternalServerError, Message: unknownErr, Type: typeAPI}
}

// invalidParam is a complaint about the request itself, found before anything ran.
func invalidParam(code, param, format string, args ...any) *apiError {
	e := newError(http.StatusBadRequest, code, param, fmt.Sprintf(format, args...))
	e.invalid = true
	return e
}

// refused is a complaint found while the request ran: it is stored.
func refused(code, param, format string, args ...any) *apiError {
	return newError(http.StatusBadRequest, code, param, fmt.Sprintf(format, args...))
}

// missing is Stripe's answer for an id that it does not know. An id in the
// path is a 404, an id in a parameter a 400.
func missing(status int, kind, param, id string) *apiError {
	return newError(status, "resource_missing", param, fmt.Sprintf("No such %s: '%s'", kind, id))
}

func unrecognizedURL(method, path string) *apiError {
	return newError(http.StatusNotFound, "", "", unrecognized(method, path)+seeDocs)
}

// unrecognized is what is to say outside of Stripe's API, whose documents are no
// help there.
func unrecognized(method, path string) string {
	message := fmt.Sprintf("Unrecognized request URL (%s: %s).", method, path)
	if len(path) > 1 && strings.HasSuffix(path, "/") {
		message += " If you are trying to list objects, remove the trailing slash." +
			" If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code."
	}
	return message
}
