package wooshport

import (
	"cmp"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

// object is what a Provider reads of a SetupIntent. Only its id and its status
// must be there: an intent that was created is one, whatever else the answer
// lacks.
type object struct {
	id, secret string
	status     setupintent.IntentStatus
	customer   string
	method     string
	metadata   map[string]string
	live       bool
	created    time.Time
	attempt    string
	errorCode  string

	raw []byte
}

var errNoResult = errors.New("not the result of the call")

// decodeIntent decodes a SetupIntent, which must have the id unless it is empty.
func decodeIntent(body []byte, id string) (object, error) {
	var head struct {
		Object string                   `json:"object"`
		ID     string                   `json:"id"`
		Status setupintent.IntentStatus `json:"status"`
	}
	var members map[string]json.RawMessage
	if err := cmp.Or(json.Unmarshal(body, &head), json.Unmarshal(body, &members)); err != nil {
		return object{}, errNoResult
	}
	if head.Object != "setup_intent" || redact.Word(head.ID) == "" || head.Status == "" || id != "" && head.ID != id {
		return object{}, errNoResult
	}
	failed := readAs[struct {
		Type string `json:"type"`
		Code string `json:"code"`
	}](members["last_setup_error"])
	return object{
		id: head.ID, status: head.Status,
		secret:    readAs[string](members["client_secret"]),
		customer:  readID(members["customer"]),
		method:    readID(members["payment_method"]),
		metadata:  readMetadata(members["metadata"]),
		live:      readAs[bool](members["livemode"]),
		created:   readTime(members["created"]),
		attempt:   readID(members["latest_attempt"]),
		errorCode: redact.Word(cmp.Or(failed.Code, failed.Type)),
		raw:       body,
	}, nil
}

// readAs returns the value, or zero if it is of another sort.
func readAs[T any](raw json.RawMessage) T {
	var v T
	if json.Unmarshal(raw, &v) != nil {
		var zero T
		return zero
	}
	return v
}

// readID returns an id that is given as a string, as null or, expanded, as the
// object itself.
func readID(raw json.RawMessage) string {
	return cmp.Or(readAs[string](raw), readAs[struct {
		ID string `json:"id"`
	}](raw).ID)
}

func readMetadata(raw json.RawMessage) map[string]string {
	metadata := map[string]string{}
	for k, v := range readAs[map[string]json.RawMessage](raw) {
		metadata[k] = cmp.Or(readAs[string](v), readAs[json.Number](v).String())
	}
	return metadata
}

// secondsUntil is far from now for seconds, and long ago for milliseconds: it is
// in the year 5138, or in 1973.
const secondsUntil = 100_000_000_000

// readTime reads seconds, as the document has it, or milliseconds, as its
// samples do.
func readTime(raw json.RawMessage) time.Time {
	n, err := strconv.ParseInt(readAs[json.Number](raw).String(), 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n < secondsUntil:
		return time.Unix(n, 0).UTC()
	}
	return time.UnixMilli(n).UTC()
}

// intent returns o as an Intent.
func (o *object) intent() setupintent.Intent {
	in := o.snapshot()
	in.Raw = redact.JSON(o.raw, o.secret)
	if o.secret != "" {
		in.ClientSecret = setupintent.NewClientSecret(o.secret)
	}
	return in
}

// snapshot returns o as an Intent without its secret, and without Raw.
func (o *object) snapshot() setupintent.Intent {
	in := setupintent.Intent{
		ID: o.id, Status: o.status, Customer: o.customer, PaymentMethod: o.method, Metadata: o.metadata,
		Live: o.live, Created: o.created, LatestAttempt: o.attempt, ErrorCode: o.errorCode,
	}
	switch o.status {
	case setupintent.RequiresAction, setupintent.Processing, setupintent.Succeeded:
		in.ErrorCode = "" // the error, if there is one, is of an earlier confirmation
	}
	return in
}
