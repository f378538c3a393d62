package httpadapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cardonfile/cardonfile/setupintent"
)

// fault is what is wrong with a body that is neither too large nor of the wrong
// type, in words for the log; each dialect has its own for the client.
type fault string

const (
	brokenBody  fault = "the body did not arrive whole"
	missingBody fault = "there is no body"
	notJSON     fault = "the body is not JSON"
	notObject   fault = "the body is not a JSON object"
	missingID   fault = "setupIntentId is missing"
	idNotString fault = "setupIntentId is not a string"
	idEmpty     fault = "setupIntentId is empty"
	idTooLong   fault = "setupIntentId is too long"
)

const maxIntentID = 200 // characters of setupIntentId

// bodyError is the error of a body. It has none of the body, which may hold
// what belongs in no log.
type bodyError struct {
	outcome outcome
	fault   fault
}

func (e bodyError) Error() string {
	if e.fault != "" {
		return string(e.fault)
	}
	return e.outcome.text()
}

// paramError is the error of a parameter. It has none of its value.
type paramError struct {
	name  string
	fault fault
}

func (e paramError) Error() string { return fmt.Sprintf("parameter %q: %s", e.shown(), e.fault) }

// shown is the name, if it looks like one. What else a client has sent for a name
// may be anything: a JSON body under the type of a form, with a card in it, or a
// secret.
func (e paramError) shown() string {
	switch e.name {
	case "", versionHeader: // of several, or of all; and a name of ours
		return e.name
	}
	if len(e.name) > maxParamName || strings.Contains(e.name, secretMark) || !isParamName(e.name) || isLongNumber(e.name) {
		return "…"
	}
	return e.name
}

// The names of a document are shorter than any key of Stripe's, and have no long
// numbers; those of metadata may have what its keys may.
var (
	isParamName  = regexp.MustCompile(`^[A-Za-z_]{1,30}(\[[A-Za-z0-9_. -]{0,40}\])*$`).MatchString
	isLongNumber = regexp.MustCompile(`([0-9][ -]?){10}`).MatchString
)

const maxParamName = 200

// json returns the request's body, which is empty, or JSON by its Content-Type; one
// that has none is read as JSON, which is all that the wires have.
func (q *request) json() ([]byte, error) {
	body, err := q.read(q.h.opts.MaxBodyBytes)
	if err == nil && len(body) > 0 && !isJSON(q.Header) {
		return nil, bodyError{outcome: badType}
	}
	return body, err
}

// read returns the request's body, of any type.
func (q *request) read(limit int64) ([]byte, error) {
	if q.Body == nil || q.Body == http.NoBody {
		return nil, nil
	}
	if q.ContentLength > limit {
		return nil, bodyError{outcome: tooLarge}
	}
	if q.h.opts.ReadTimeout > 0 {
		// It ends with the body: net/http lifts it when it has read it all, and
		// needs it when it skips the rest of a body that nobody wants. Where it
		// can't be set, the server's own must do.
		_ = http.NewResponseController(q.w).SetReadDeadline(time.Now().Add(q.h.opts.ReadTimeout))
	}
	body, err := io.ReadAll(io.LimitReader(q.Body, limit+1))
	var outside *http.MaxBytesError
	switch {
	case errors.As(err, &outside), int64(len(body)) > limit:
		return nil, bodyError{outcome: tooLarge}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, bodyError{outcome: tooSlow}
	case err != nil:
		return nil, bodyError{badBody, brokenBody}
	}
	return body, nil
}

// isJSON reports whether a body under the header is to be read as plain JSON.
func isJSON(header http.Header) bool {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return false
	}
	types := header["Content-Type"]
	if len(types) == 0 {
		return true
	}
	t, _, err := mime.ParseMediaType(types[0])
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return t == "application/json" || strings.HasPrefix(t, "application/") && strings.HasSuffix(t, "+json")
}

// intentID returns the member setupIntentId of the body. Other members are for
// somebody else.
func intentID(body []byte) (string, error) {
	if len(body) == 0 {
		return "", bodyError{badBody, missingBody}
	}
	// A map, because names of struct fields match in any case.
	var members map[string]json.RawMessage
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(body, &members); {
	case errors.As(err, &syntax):
		return "", bodyError{badBody, notJSON}
	case err != nil || members == nil:
		return "", bodyError{badBody, notObject}
	}
	value, ok := members["setupIntentId"]
	if !ok {
		return "", bodyError{badBody, missingID}
	}
	var id *string
	if err := json.Unmarshal(value, &id); err != nil || id == nil {
		return "", bodyError{badBody, idNotString}
	}
	switch {
	case *id == "":
		return "", bodyError{badBody, idEmpty}
	case utf8.RuneCountInString(*id) > maxIntentID:
		return "", bodyError{badBody, idTooLong}
	case !isIntentID(*id):
		return "", setupintent.ErrMismatch
	}
	return *id, nil
}

// isIntentID reports whether an intent can have the id. One that none can have
// goes no further: it may be a client secret, which must get into no log and no
// URL.
func isIntentID(id string) bool {
	return id != "" && !strings.Contains(id, secretMark) && !strings.ContainsFunc(id, notInID)
}

func notInID(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/?#%\`, r) }
