package httpadapter

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Spree is the wire of Spree's POST /api/v2/storefront/stripe/setup_intents:
// mount it there, or at /api/v2/storefront/stripe/. It makes a customer, if the
// account has none, an ephemeral key for the customer, and an intent, in that
// order, and answers with all three.
//
// The path names no row: identify finds out by the credential whose account it
// is, and returns the account's pending row or a new one. It decides about
// guests, too: of a request without a credential it opens a row that is
// nobody's yet, or returns [ErrUnauthenticated], which is a 403 then, and a 401
// with a credential that is not right.
//
// Set Customer and Customers of setupintent.Options: an intent without a
// customer is no answer here.
//
// Spree removed this endpoint from its main branch in 2026; there are clients
// for it all the same.
type Spree struct {
	// EphemeralKey creates a key for the customer, for the version of Stripe's
	// API that the mobile SDK speaks, and returns its secret; stripeport's
	// EphemeralKey does. Its error says as much as that of a
	// setupintent.IntentCreator. Required.
	EphemeralKey func(ctx context.Context, customer, stripeVersion string) (setupintent.ClientSecret, error)

	// StripeVersion is the version of requests that have no header
	// Stripe-Version. Empty: 2024-06-20.
	StripeVersion string
}

// isVersion reports whether text looks like a version of Stripe's API.
func isVersion(text string) bool {
	if !versionForm.MatchString(text) {
		return false
	}
	_, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	return err == nil
}

var versionForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]{1,40})?$`)

func (d Spree) check() error {
	switch {
	case d.EphemeralKey == nil:
		return errors.New("Spree.EphemeralKey is needed")
	case d.StripeVersion != "" && !isVersion(d.StripeVersion):
		return fmt.Errorf("Spree.StripeVersion %q must look like 2024-06-20", d.StripeVersion)
	}
	return nil
}

func (d Spree) routes() []route {
	return []route{{http.MethodPost, "setup_intents", d.begin}}
}

//go:embed openapi/spree.json
var spreeDocument []byte

func (Spree) document() []byte { return spreeDocument }

func (Spree) receive(*request) error { return nil }

func (d Spree) begin(q *request) (reply, error) {
	given := q.Header.Get(versionHeader)
	version := cmp.Or(given, d.StripeVersion, "2024-06-20")
	if !isVersion(version) {
		return reply{}, paramError{versionHeader, badVersion}
	}
	if _, err := q.json(); err != nil {
		return reply{}, err
	}
	var key setupintent.ClientSecret
	var refused bool
	issue := func(ctx context.Context, customer string) (err error) {
		if customer == "" {
			return errNoCustomer
		}
		key, err = d.EphemeralKey(ctx, customer, version)
		refused = errors.Is(err, setupintent.ErrRefused)
		return err
	}
	in, err := q.beginForAccount(func(id string) (setupintent.Intent, error) {
		return usable(q.h.svc.BeginFor(q.Context(), id, nil, issue))
	})
	switch {
	case err != nil && refused && given != "": // by far the likeliest: the version is the caller's
		return reply{}, fmt.Errorf("%w: %w", paramError{versionHeader, refusedVersion}, err)
	case err != nil:
		return reply{}, err
	}
	return spreeReply(http.StatusOK, struct {
		CustomerID              string `json:"customer_id"`
		EphemeralKeySecret      string `json:"ephemeral_key_secret"`
		SetupIntentClientSecret string `json:"setup_intent_client_secret"`
	}{in.Customer, key.Reveal(), in.ClientSecret.Reveal()}), nil
}

const (
	versionHeader = "Stripe-Version"

	badVersion     fault = "it is no version of Stripe's API"
	refusedVersion fault = "Stripe makes no ephemeral key with it"
)

// errNoCustomer is not for the client: only the application can do something
// about it.
var errNoCustomer = fmt.Errorf("%w: the row's intent has no customer; set setupintent.Options.Customer", setupintent.ErrInvalidRequest)

func spreeReply(status int, v any) reply { return jsonReply(status, "application/vnd.api+json", v) }

func (Spree) activated(a account) reply { return problemJSON{}.activated(a) }

func (Spree) failure(f failure) reply {
	status, text := f.status(), f.text()
	switch f.outcome {
	case unauthenticated:
		text = "The access token is invalid"
		if f.anonymous {
			status, text = spreeForbidden()
		}
	case forbidden:
		status, text = spreeForbidden()
	case unknownRow, malformedID, noRoute:
		text = "The resource you were looking for could not be found."
	case inProgress:
		status = http.StatusServiceUnavailable
	case processing, alreadyActive, abandoned, cancelled, notPending, closing, tooManyAttempts, notSucceeded, mismatch, frozen, providerRefused, unsupported:
		status = http.StatusUnprocessableEntity
	case badParam:
		text = fmt.Sprintf("%s: %s", f.param, f.fault)
	case badBody:
		text = problemFaults[f.fault]
	}
	return spreeReply(status, struct {
		Error string `json:"error"`
	}{text})
}

func spreeForbidden() (int, string) {
	return http.StatusForbidden, "You are not authorized to access this page."
}
