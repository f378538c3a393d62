// Package wooshport makes WooshPay (docs.wooshpay.com) a [setupintent.Provider],
// on its JSON API, with the standard library alone. A [Provider] creates,
// retrieves and confirms SetupIntents; a [Webhook] reads what WooshPay sends.
//
// # What WooshPay documents
//
// Basic authentication, the secret key as user name and no password; JSON
// bodies; sk_test_ and sk_live_ keys, on a host of their own each; to create a
// SetupIntent, to retrieve and to confirm it, the latter with a return_url; the
// object; the events setup_intent.created and setup_intent.succeeded, and how
// they are signed; the statuses and types of errors.
//
// Times are said to be in seconds, and are milliseconds in the samples: both are
// read. A client secret begins with pi_ in the samples, and is read by nobody but
// WooshPay's own SDK. The object may lack members, and metadata be null.
//
// # What is assumed
//
// That an error is the member "error" of the body, or the body itself. That 404
// with an error of the type invalid_request_error means that there is no such
// intent. That an error may carry the intent, as Stripe's do.
//
// Its documents were searched for three things, and have none of them. To cancel
// an intent, and to list intents: both are errors.ErrUnsupported, except that
// [Provider.CancelIntent] of an intent that has come to an end returns it. And
// idempotency keys: the list of errors says that there is an Idempotency-Key, and
// that it must not be used for two requests. No page says which calls take it,
// for how long it is kept, or what a repeated request is answered. So none is
// sent, and nothing that may have had an effect is ever sent again.
//
// # What holds, and what does not
//
// A row has at most one live intent, as with Stripe: each claim sends one create
// at most, and a row goes on to the next only when its intent is known to be
// canceled, or never to have been made. An active row's intent succeeded. No
// secret is stored, logged or put in an error.
//
// Of the promise, the following does not hold:
//
//   - A create that was not answered, or not clearly, or whose process died,
//     leaves its row pending, with an outcome that nobody can ask for. The event
//     setup_intent.created tells it, if it comes: subscribe to [WebhookEvents].
//     So does a person who finds the intent in WooshPay's dashboard, by its
//     metadata, and passes its id to setupintent.Service.Notify. Until then the
//     row has no intent to hand out. The service reports it, with class
//     unsupported. What surely created nothing is sent again: a refused
//     connection, 401, 403, 429.
//   - A row that is cancelled, or whose time is over, once it has an intent, stays
//     pending and is closing until that intent succeeds, and then turns active, or
//     is canceled by somebody else. It is looked at again, at last every hour.
//   - setupintent.Service.Audit returns errors.ErrUnsupported, and the intent of a
//     row that was deleted stays as it is.
//
// A team that knows better has two ways to say so. [Options.IdempotencyKeys] has
// every POST sent with its key, and repeated under it. And a type that embeds a
// *Provider may have a ListIntents of its own, from a record of the events, say:
// then what is not on the list was not made, and is made anew.
package wooshport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/internal/baseurl"
	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

var _ setupintent.Provider = (*Provider)(nil)

// Provider calls WooshPay with one secret key. It is safe for concurrent use.
//
// A read that gets no clear answer is repeated at most twice; a write only if it
// surely had no effect, or with Options.IdempotencyKeys. The errors of its methods
// are of type [*Error].
type Provider struct {
	key     *string // fmt does not print what a pointer inside a struct points to
	base    string
	live    bool
	replays bool
	pooled  http.RoundTripper
	once    http.RoundTripper // for what is not repeated
	timeout time.Duration
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
}

// Options of a Provider. The zero Options works; every field says what zero
// means.
type Options struct {
	// BaseURL is where the API is, with or without /v1. It must be https; plain http is
	// accepted for a loopback host, with a test key. Empty: WooshPay's host for
	// the mode of the key.
	BaseURL string

	// HTTPClient sends the requests: its Transport, and its Timeout for one
	// attempt; 0: 10s. The rest of it is not used: no redirect is followed, and no
	// answer is read beyond 1 MiB. The Transport must not repeat a POST by itself.
	// Nil: a client of the Provider's own.
	HTTPClient *http.Client

	// IdempotencyKeys says that WooshPay gives equal Idempotency-Keys one effect,
	// on every POST, for at least 24 hours, and answers a repeated request as the
	// first. Its documents do not say so: ask. A wrong yes makes two live intents
	// for one row. False: no key is sent, and no such request repeated.
	IdempotencyKeys bool

	// Now is the clock that IntentRequest.NotAfter is compared to; its monotonic
	// reading is not used. Nil: time.Now.
	Now func() time.Time

	// Sleep waits for d between two attempts of a call, and returns ctx's error
	// if ctx is done first. Whoever sets Now to drive the clock sets it, too.
	// Nil: it waits in real time.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Where the API is.
const (
	testURL = "https://apitest.wooshpay.com"
	liveURL = "https://api.wooshpay.com"
)

const attemptTimeout = 10 * time.Second

// New returns a Provider that uses a secret key of WooshPay's: sk_test_… or
// sk_live_…. A nil opts is the zero Options. The error says which argument can't
// be used, and never shows the key. New sends nothing: whether WooshPay knows the
// key turns out at the first call.
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
		o.BaseURL = testURL
		if live {
			o.BaseURL = liveURL
		}
	}
	if err := baseurl.Check(o.BaseURL, live); err != nil {
		return nil, fmt.Errorf("wooshport: %w", err)
	}
	p := &Provider{
		key: &secretKey, base: strings.TrimSuffix(strings.TrimRight(o.BaseURL, "/"), "/v1"), live: live, replays: o.IdempotencyKeys,
		timeout: attemptTimeout, now: o.Now, sleep: o.Sleep,
	}
	p.pooled, p.once = transports(o.HTTPClient)
	if o.HTTPClient != nil && o.HTTPClient.Timeout > 0 {
		p.timeout = o.HTTPClient.Timeout
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.sleep == nil {
		p.sleep = pause
	}
	return p, nil
}

// transports returns what sends requests as c does, and what does so on a new
// connection each time: one that has been idle may be dead, which is found out
// only when it is too late to know whether the request went through.
func transports(c *http.Client) (pooled, once http.RoundTripper) {
	base := http.DefaultTransport
	if c != nil && c.Transport != nil {
		base = c.Transport
	}
	pool, ok := base.(*http.Transport)
	if !ok {
		return base, base
	}
	fresh := pool.Clone()
	fresh.DisableKeepAlives = true
	if base != http.DefaultTransport {
		return pool, fresh
	}
	pool = pool.Clone()
	pool.MaxIdleConnsPerHost = pool.MaxIdleConns // with the default of 2, a busy server dials for most calls
	return pool, fresh
}

// Live reports whether the key is a live-mode key. It is what
// setupintent.Options.Live should be.
func (p *Provider) Live() bool { return p.live }

func checkKey(key string) (live bool, err error) {
	if key == "" {
		return false, errors.New("wooshport: New needs a secret key")
	}
	if strings.HasPrefix(key, "pk_") {
		return false, errors.New("wooshport: this is a publishable key; New needs the secret key")
	}
	rest, live := strings.CutPrefix(key, "sk_live_")
	if !live {
		rest = strings.TrimPrefix(key, "sk_test_")
	}
	if rest == key || rest == "" || len(rest) > 255 || !redact.IsVisible(rest) || strings.Contains(rest, ":") {
		return false, errors.New("wooshport: a secret key is sk_test_ or sk_live_ and then visible characters, with no colon and no white space")
	}
	return live, nil
}
