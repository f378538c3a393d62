// Package stripeport makes Stripe a [setupintent.Provider], on stripe-go v79. A
// [Provider] also creates customers, and what a mobile SDK acts for them with; a
// [Webhook] reads what Stripe sends.
//
// Of stripe-go it takes the requests: their headers, their encoding, the
// version of the API they are pinned to. Retries, limits, the reading of
// answers and the errors are its own, because an answer has to be told apart
// from the lack of one, and because the errors of stripe-go print client
// secrets. What Stripe's answers mean is in one table, in classify.go.
//
// What is said here about Stripe is from docs.stripe.com/api/errors,
// docs.stripe.com/api/idempotent_requests, docs.stripe.com/error-low-level and
// the source of stripe-go.
package stripeport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/baseurl"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

var _ setupintent.Provider = (*Provider)(nil)

// Provider calls Stripe with one secret key. It is safe for concurrent use.
//
// A call that gets no clear answer is repeated at most twice, under the same
// idempotency key and for as long as its context lives. The errors of its
// methods are of type [*Error].
type Provider struct {
	requests  *stripe.BackendImplementation
	transport transport
	key       *string // fmt does not print what a pointer inside a struct points to
	account   *string
	live      bool
	sleep     func(context.Context, time.Duration) error
}

// Options of a Provider. The zero Options works; every field says what zero
// means.
type Options struct {
	// BaseURL is where the API is. It must be https; plain http is accepted for
	// a loopback host, with a test key. Empty: https://api.stripe.com.
	BaseURL string

	// HTTPClient sends the requests: its Transport, and its Timeout for one
	// attempt; 0: 10s. The rest of it is not used: no redirect is followed, and
	// no answer is read beyond 1 MiB, or 16 MiB for a list. Nil: a client of the
	// Provider's own, which keeps enough idle connections for a busy server.
	HTTPClient *http.Client

	// Account is the id of the connected account (Stripe Connect) on whose
	// behalf every call is made. Empty: the key's own account.
	Account string

	// Now is the clock that IntentRequest.NotAfter is compared to; its
	// monotonic reading is not used. Nil: time.Now.
	Now func() time.Time

	// Sleep waits for d between two attempts of a call, and returns ctx's error
	// if ctx is done first. Whoever sets Now to drive the clock sets it, too.
	// Nil: it waits in real time.
	Sleep func(ctx context.Context, d time.Duration) error
}

const attemptTimeout = 10 * time.Second

// New returns a Provider that uses the secret key, or the restricted key, of a
// Stripe account: sk_test_…, rk_test_…, sk_live_… or rk_live_…. A restricted
// key needs to write SetupIntents, and whatever else it is used for: customers,
// payment methods, ephemeral keys, customer sessions, webhook endpoints. A nil
// opts is the zero Options. The error says which argument can't be used, and
// never shows the key. New sends nothing: whether Stripe knows the key turns out
// at the first call.
func New(secretKey string, opts *Options) (*Provider, error) {
	live, err := checkKey(secretKey)
	if err != nil {
		return nil, err
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.BaseURL == "" {
		o.BaseURL = stripe.APIURL
	}
	if err := baseurl.Check(o.BaseURL, live); err != nil {
		return nil, fmt.Errorf("stripeport: %w", err)
	}
	p := &Provider{key: &secretKey, live: live}
	if o.Account != "" {
		if !isAccount(o.Account) {
			return nil, fmt.Errorf("stripeport: the account %q is no id of a Stripe account (acct_…)", o.Account)
		}
		p.account = &o.Account
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if p.sleep = o.Sleep; p.sleep == nil {
		p.sleep = sleep
	}
	p.transport = newTransport(o.HTTPClient, o.Now)
	p.requests = &stripe.BackendImplementation{
		URL:           strings.TrimSuffix(strings.TrimSuffix(o.BaseURL, "/"), "/v1"), // as stripe-go takes it
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},                // it logs secrets
	}
	return p, nil
}

// Live reports whether the key is a live-mode key. It is what
// setupintent.Options.Live should be.
func (p *Provider) Live() bool { return p.live }

func checkKey(key string) (live bool, err error) {
	if key == "" {
		return false, errors.New("stripeport: New needs a secret key")
	}
	for prefix, live := range map[string]bool{"sk_test_": false, "rk_test_": false, "sk_live_": true, "rk_live_": true} {
		if rest, ok := strings.CutPrefix(key, prefix); ok && redact.IsWord(rest) {
			return live, nil
		}
	}
	if strings.HasPrefix(key, "pk_") {
		return false, errors.New("stripeport: this is a publishable key; New needs the secret key")
	}
	return false, errors.New("stripeport: a secret key is sk_test_, rk_test_, sk_live_ or rk_live_ and then letters and digits, with no white space")
}

// isAccount reports whether s can be the id of an account.
func isAccount(s string) bool { return strings.HasPrefix(s, "acct_") && redact.IsWord(s) }
