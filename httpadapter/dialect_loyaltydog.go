package httpadapter

import (
	"cmp"
	_ "embed"
	"fmt"
	"math"
	"net/http"
	"strings"
	"unicode/utf8"
)

// LoyaltyDog is the wire of LoyaltyDog's signup: mount it at
// /v2/signup/pending/, beside the application's own POST /v2/signup/pending.
// LoyaltyDog documents 200 and 422 for it, and the ids ^[0-9a-f]{24}$
// ([PathPattern]); the other errors are {"detail": code}, as its siblings
// answer, and configurable.
//
// A Handler reads it on every request: do not change it after New.
type LoyaltyDog struct {
	// StringErrors chooses how a malformed id is reported. False: as value_error
	// with the message of Beanie's PydanticObjectId, which is what the code
	// behind the live system comes down to. True: as string_too_short,
	// string_too_long or string_pattern_mismatch, as its published schema
	// suggests. Both are valid by that schema.
	StringErrors bool

	// Details replaces the status and the text of errors whose body is
	// {"detail": code}, by their code: already_active, processing, abandoned,
	// cancelled, not_pending, closing, in_progress, too_many_attempts,
	// not_succeeded, mismatch, forbidden (400 each), unauthenticated (401),
	// pending_not_found (404), unsupported (501), provider_refused (502),
	// unavailable (503). Nil: none is replaced.
	Details map[string]Detail
}

// Detail is an error of the LoyaltyDog dialect.
type Detail struct {
	Status int    // 0: as it is
	Text   string // what {"detail": …} says; empty: as it is
}

func (d LoyaltyDog) check() error {
	known := map[string]bool{}
	for o := range outcome(len(catalogue)) {
		if code, ok := loyaltyDogCode(o); ok {
			known[code] = true
		}
	}
	for code, detail := range d.Details {
		switch {
		case !known[code]:
			return fmt.Errorf("LoyaltyDog.Details: there is no code %q", code)
		case detail.Status != 0 && (detail.Status < 400 || detail.Status > 599):
			return fmt.Errorf("LoyaltyDog.Details: %s: status %d is no error's", code, detail.Status)
		}
	}
	return nil
}

func (d LoyaltyDog) routes() []route { return signupRoutes(d.begin) }

//go:embed openapi/loyaltydog.json
var loyaltyDogDocument []byte

func (LoyaltyDog) document() []byte { return loyaltyDogDocument }

func (LoyaltyDog) receive(*request) error { return nil }

func (LoyaltyDog) begin(q *request) (reply, error) {
	in, err := q.begin()
	if err != nil {
		return reply{}, err
	}
	return jsonReply(http.StatusOK, "application/json", struct {
		ClientSecret  string `json:"clientSecret"`
		SetupIntentID string `json:"setupIntentId"`
	}{in.ClientSecret.Reveal(), in.ID}), nil
}

func (LoyaltyDog) activated(a account) reply {
	return jsonReply(http.StatusOK, "application/json", struct {
		UserID string `json:"userId"`
		Email  string `json:"email,omitempty"`
	}{a.userID, a.email})
}

// loyaltyDogCode returns the code that is the outcome's {"detail": code}, if it
// has one.
func loyaltyDogCode(o outcome) (string, bool) {
	switch o {
	case malformedID, badBody, badParam, frozen, badKey, rateLimited, noRoute, badMethod, badType, tooLarge, tooSlow, unverified, badEvent, internal:
		return "", false
	case unknownRow:
		return "pending_not_found", true
	}
	return o.code(), true
}

func (d LoyaltyDog) failure(f failure) reply {
	switch f.outcome {
	case malformedID:
		return loyaltyDogInvalid(d.malformedID(f.id))
	case badBody:
		return loyaltyDogInvalid(loyaltyDogFaults[f.fault])
	case rateLimited: // as slowapi words it
		wait := int(math.Ceil(f.retryAfter.Seconds()))
		return jsonReply(f.status(), "application/json", struct {
			Error string `json:"error"`
		}{fmt.Sprintf("Rate limit exceeded: try again in %d seconds", wait)})
	}
	status := f.status()
	if status == http.StatusConflict || status == http.StatusForbidden {
		status = http.StatusBadRequest
	}
	text, ok := loyaltyDogCode(f.outcome)
	if !ok {
		text = http.StatusText(status) // as Starlette words it
	}
	detail := d.Details[text]
	return jsonReply(cmp.Or(detail.Status, status), "application/json", struct {
		Detail string `json:"detail"`
	}{cmp.Or(detail.Text, text)})
}

// validationError is an entry of FastAPI's HTTPValidationError. An input is the
// path's alone: what a body holds is not sent back.
type validationError struct {
	Type  string         `json:"type"`
	Loc   []string       `json:"loc"`
	Msg   string         `json:"msg"`
	Input any            `json:"input,omitempty"`
	Ctx   map[string]any `json:"ctx,omitempty"`
}

func loyaltyDogInvalid(e validationError) reply {
	return jsonReply(http.StatusUnprocessableEntity, "application/json", struct {
		Detail []validationError `json:"detail"`
	}{[]validationError{e}})
}

func (d LoyaltyDog) malformedID(id string) validationError {
	e := validationError{
		Type:  "value_error",
		Loc:   []string{"path", "pending_id"},
		Msg:   "Value error, Id must be of type PydanticObjectId",
		Input: shorten(id),
		Ctx:   map[string]any{"error": struct{}{}},
	}
	if !d.StringErrors {
		return e
	}
	switch n := utf8.RuneCountInString(id); {
	case n < 24:
		e.Type, e.Msg, e.Ctx = "string_too_short", "String should have at least 24 characters", map[string]any{"min_length": 24}
	case n > 24:
		e.Type, e.Msg, e.Ctx = "string_too_long", "String should have at most 24 characters", map[string]any{"max_length": 24}
	default:
		e.Type, e.Msg, e.Ctx = "string_pattern_mismatch", "String should match pattern '^[0-9a-f]{24}$'", map[string]any{"pattern": "^[0-9a-f]{24}$"}
	}
	return e
}

// shorten returns id, or the beginning of one that is far too long or may be a
// client secret.
func shorten(id string) string {
	before, _, secret := strings.Cut(id, secretMark)
	if !secret && len(id) <= maxID {
		return id
	}
	return strings.ToValidUTF8(before[:min(len(before), maxID)], "") + "…"
}

// loyaltyDogFaults words what pydantic finds wrong with the body of activate.
var loyaltyDogFaults = map[fault]validationError{
	brokenBody:  {Type: "json_invalid", Loc: []string{"body"}, Msg: "JSON decode error", Ctx: map[string]any{"error": "Incomplete body"}},
	missingBody: {Type: "missing", Loc: []string{"body"}, Msg: "Field required"},
	notJSON:     {Type: "json_invalid", Loc: []string{"body"}, Msg: "JSON decode error", Ctx: map[string]any{"error": "Invalid JSON"}},
	notObject:   {Type: "model_attributes_type", Loc: []string{"body"}, Msg: "Input should be a valid dictionary or object to extract fields from"},
	missingID:   {Type: "missing", Loc: []string{"body", "setupIntentId"}, Msg: "Field required"},
	idNotString: {Type: "string_type", Loc: []string{"body", "setupIntentId"}, Msg: "Input should be a valid string"},
	idEmpty:     {Type: "string_too_short", Loc: []string{"body", "setupIntentId"}, Msg: "String should have at least 1 character", Ctx: map[string]any{"min_length": 1}},
	idTooLong:   {Type: "string_too_long", Loc: []string{"body", "setupIntentId"}, Msg: "String should have at most 200 characters", Ctx: map[string]any{"max_length": 200}},
}
