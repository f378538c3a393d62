package stripetest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Defaults of [Options].
const (
	DefaultSecretKey      = "sk_test_demo"
	DefaultPublishableKey = "pk_test_demo"
	DefaultAPIVersion     = "2024-06-20"
)

// Options of a Server. The zero Options is one with the demo keys; every field
// says what zero means.
type Options struct {
	// SecretKey is the key that every call is allowed with. It must begin with
	// sk_test_. Empty: DefaultSecretKey.
	SecretKey string

	// PublishableKey is the key that a page uses. It must begin with pk_test_.
	// Empty: DefaultPublishableKey.
	PublishableKey string

	// APIVersion is the account's version, used where a request names none,
	// and the version of events. Empty: DefaultAPIVersion.
	APIVersion string

	// PaymentMethodTypes are the types enabled "in the Dashboard": what an
	// intent with automatic payment methods accepts. Empty: card alone.
	PaymentMethodTypes []string

	// WooshPayIdempotencyKeys gives equal Idempotency-Keys one effect under
	// /wooshpay/, too, without marking replays. False: they are ignored there, for
	// WooshPay does not document what they do.
	WooshPayIdempotencyKeys bool

	// Now is the clock that SetTime and Advance move. A function that always
	// returns the same time makes a clock that stands still but for them. Nil:
	// time.Now.
	Now func() time.Time

	// Seed makes ids and secrets the same on every run. Zero: they are drawn at
	// random.
	Seed uint64

	// Webhooks are endpoints that are there from the start, and after Reset.
	Webhooks []Webhook

	// WebhookTransport carries events to endpoints. Nil: a transport without
	// keep-alives.
	WebhookTransport http.RoundTripper

	// RetrySchedule is how long after a failed delivery the next is tried, on
	// the server's clock. Nil: 5 minutes, 30 minutes and 2 hours; empty and not
	// nil: it is not tried again.
	RetrySchedule []time.Duration

	// StateFile names a file that all state is appended to, and read back from
	// by the next New; deliveries that were under way are not taken up again.
	// A call is in it altogether or not at all, however the process ends. The
	// file holds the fake's secrets. It is one server's at a time, and it does not
	// go with a Seed, which would draw the same ids twice. Empty: the state is in
	// memory only.
	StateFile string

	// Logger is told of each call: its method, path template, status and
	// request id. Nil: silent.
	Logger *slog.Logger
}

// resolve validates o and fills in what it leaves out.
func (o *Options) resolve() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	fill(&opts.SecretKey, DefaultSecretKey)
	fill(&opts.PublishableKey, DefaultPublishableKey)
	fill(&opts.APIVersion, DefaultAPIVersion)
	if len(opts.PaymentMethodTypes) == 0 {
		opts.PaymentMethodTypes = []string{"card"}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.RetrySchedule == nil {
		opts.RetrySchedule = retrySchedule()
	}
	if opts.WebhookTransport == nil {
		opts.WebhookTransport = &http.Transport{DisableKeepAlives: true}
	}
	switch {
	case !strings.HasPrefix(opts.SecretKey, "sk_test_"):
		return opts, errors.New("stripetest: SecretKey must begin with sk_test_")
	case !strings.HasPrefix(opts.PublishableKey, "pk_test_"):
		return opts, errors.New("stripetest: PublishableKey must begin with pk_test_")
	case opts.Seed != 0 && opts.StateFile != "":
		return opts, errors.New("stripetest: Seed and StateFile do not go together")
	case !validVersion(opts.APIVersion):
		return opts, fmt.Errorf("stripetest: APIVersion %q is not a Stripe API version", opts.APIVersion)
	}
	if err := checkTypes(opts.PaymentMethodTypes); err != nil {
		return opts, fmt.Errorf("stripetest: PaymentMethodTypes: %w", err)
	}
	for _, w := range opts.Webhooks {
		if err := w.validate(); err != nil {
			return opts, err
		}
	}
	return opts, nil
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
