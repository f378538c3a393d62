package httpadapter

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// OrbitKit is the wire of OrbitKit's POST /api/setup-intent: mount it there, or
// at /api/. The path names no row: identify finds out by the credential whose
// account it is ([Bearer]), and returns the account's pending row or a new one,
// so that the same request saves another card next year.
//
// An error has one of the 26 codes of its document, and Options.DocsURL is what
// its docUrl begins with. Every answer has an X-Request-Id: that which was set
// outside, on the ResponseWriter, or a new one; the log has it, too. An
// Idempotency-Key is checked, and has no effect, for the row is what a request
// is repeated for.
type OrbitKit struct {
	// Limit is asked about every request, before anything else, and counts it.
	// What it returns is in the headers RateLimit-Policy and RateLimit of the
	// answer, and a request over the limit is refused with a 429. Nil: there is
	// no limit, and no such header.
	Limit func(*http.Request) Quota

	// RateLimitsURL is the docUrl of RATE_LIMITED, which OrbitKit has a page of its
	// own for. Empty: as of every other code.
	RateLimitsURL string
}

// Quota is what a rate limiter says of one request.
type Quota struct {
	Policy    string        // its name, of letters, digits and -; empty: default
	Limit     int           // requests per Window
	Window    time.Duration // in whole seconds
	Remaining int           // requests that are left after this one
	Reset     time.Duration // until there are more
	Exceeded  bool          // this one is refused
}

func (d OrbitKit) check() error {
	if d.RateLimitsURL == "" {
		return nil
	}
	return absolute("OrbitKit.RateLimitsURL", d.RateLimitsURL)
}

func (d OrbitKit) routes() []route {
	return []route{{http.MethodPost, "setup-intent", d.begin}}
}

//go:embed openapi/orbitkit.json
var orbitKitDocument []byte

func (OrbitKit) document() []byte { return orbitKitDocument }

func (d OrbitKit) receive(q *request) error {
	q.nameIt("X-Request-Id")
	if d.Limit == nil {
		return nil
	}
	quota := d.Limit(q.Request)
	header := q.w.Header()
	header.Set("Ratelimit-Policy", quota.policy())
	header.Set("Ratelimit", quota.left())
	if quota.Exceeded {
		return &setupintent.Error{RetryAfter: max(quota.Reset, time.Second), Err: setupintent.ErrLimited}
	}
	return nil
}

func (l Quota) name() string {
	if l.Policy == "" {
		return `"default"`
	}
	return strconv.Quote(l.Policy)
}

func (l Quota) policy() string {
	return fmt.Sprintf("%s;q=%d;w=%d", l.name(), max(l.Limit, 0), max(seconds(l.Window), 0))
}

func (l Quota) left() string {
	return fmt.Sprintf("%s;r=%d;t=%d", l.name(), max(l.Remaining, 0), max(seconds(l.Reset), 0))
}

// nameIt gives the request a number, unless it has one from outside.
func (q *request) nameIt(header string) {
	if q.number = q.w.Header().Get(header); q.number == "" {
		q.number = newRequestID()
		q.w.Header().Set(header, q.number)
	}
}

func newRequestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return "req_" + hex.EncodeToString(b[:])
}

func (d OrbitKit) begin(q *request) (reply, error) {
	if err := q.checkKey(); err != nil {
		return reply{}, err
	}
	if _, err := q.json(); err != nil {
		return reply{}, err
	}
	in, err := q.beginForAccount(func(id string) (setupintent.Intent, error) {
		return usable(q.h.svc.Begin(q.Context(), id, nil))
	})
	if err != nil {
		return reply{}, err
	}
	return jsonReply(http.StatusCreated, "application/json", struct {
		ClientSecret string `json:"clientSecret"`
	}{in.ClientSecret.Reveal()}), nil
}

func (OrbitKit) activated(a account) reply { return problemJSON{}.activated(a) }

// orbitKitError is an error by its document.
type orbitKitError struct {
	Code    string           `json:"code"`
	Message string           `json:"message"`
	DocURL  string           `json:"docUrl,omitempty"`
	Details []orbitKitDetail `json:"details,omitempty"`
}

type orbitKitDetail struct {
	Path    []string `json:"path"`
	Message string   `json:"message"`
}

const tooManyRequests = "RATE_LIMITED"

func (d OrbitKit) failure(f failure) reply {
	status, e := orbitKitOutcome(f.outcome)
	switch {
	case e.Code == tooManyRequests && d.RateLimitsURL != "":
		e.DocURL = d.RateLimitsURL
	case f.docsURL != "":
		e.DocURL = docsURL(f.docsURL, strings.ReplaceAll(strings.ToLower(e.Code), "_", "-"))
	}
	if detail, ok := problemFaults[f.fault]; ok {
		e.Details = []orbitKitDetail{{Path: []string{"body"}, Message: detail}}
	}
	return jsonReply(status, "application/json", struct {
		Error orbitKitError `json:"error"`
	}{e})
}

// orbitKitOutcome words an outcome. What the caller's account may not see is
// not told from what is not there, and what has ended is not there any more.
func orbitKitOutcome(o outcome) (int, orbitKitError) {
	switch o {
	case unauthenticated:
		return http.StatusUnauthorized, orbitKitError{Code: "UNAUTHORIZED", Message: "Invalid or expired token"}
	case forbidden, unknownRow, malformedID, noRoute, alreadyActive, abandoned, cancelled, notPending, closing:
		return http.StatusNotFound, orbitKitError{Code: "NOT_FOUND", Message: "Resource not found"}
	case processing, inProgress, rateLimited:
		return http.StatusTooManyRequests, orbitKitError{Code: tooManyRequests, Message: o.text()}
	case tooManyAttempts, mismatch, providerRefused, notSucceeded, frozen, unsupported:
		return http.StatusBadRequest, orbitKitError{Code: "PAYMENT_ERROR", Message: o.text()}
	case badKey:
		return http.StatusBadRequest, orbitKitError{Code: "INVALID_IDEMPOTENCY_KEY", Message: o.text()}
	case badMethod, badType, tooLarge, tooSlow, badBody, badParam, unverified, badEvent:
		return o.status(), orbitKitError{Code: "VALIDATION_FAILED", Message: o.text()}
	}
	return o.status(), orbitKitError{Code: "INTERNAL_ERROR", Message: o.text()} // unavailable, internal
}
