package stripeport

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/setupintent"
)

// call is one call of Stripe's API, in one or more attempts.
type call struct {
	op           string // for errors
	method, path string
	key          string // idempotency key of a POST
	params       map[string]any
	limit        int64 // of the body; 0: maxObject
	create       bool
	change       bool // a no is ErrRefused: nothing was changed
	notAfter     time.Time
	version      string // of the API; empty: that of stripe-go

	// decode reads the result of the call, or says that it is not one.
	decode func(body []byte) error
	// carries reports whether the decoded intent that came with an error of
	// that status is the result of the call. Nil: never.
	carries func(status int) bool
}

const (
	maxObject = 1 << 20
	maxPage   = 16 << 20 // 100 intents with all the metadata that Stripe allows
)

const maxRetries = 2

// send makes the call, again if that may help, and decodes its result.
func (p *Provider) send(ctx context.Context, c *call) (answer, error) {
	if setupintent.InTransaction(ctx) {
		return answer{}, &Error{op: c.op, Message: "not sent: a database transaction is open; call Stripe after its commit"}
	}
	form := encode(c.params).Encode()
	var failed *Error
	doubt := false // an attempt may have had its effect, or may yet
	for n := 0; ; n++ {
		a := answered(c, p.attempt(ctx, c, form))
		if a.late() && failed != nil {
			return a, failed
		}
		v := judge(c, &a)
		if v.result {
			return a, nil
		}
		failed = newError(c, &a, v.means)
		// "A timeout, then a 400" proves nothing about the first attempt. That
		// a key is spent, and everything that a read says, is true all the same.
		if doubt && (c.create && !errors.Is(v.means, setupintent.ErrKeySpent) || errors.Is(v.means, setupintent.ErrRefused)) {
			failed.means = nil
		}
		doubt = doubt || v.means == nil
		if err := ctx.Err(); err != nil || !v.again || n == maxRetries || setupintent.InBackground(ctx) {
			failed.cause = cmp.Or(failed.cause, err)
			return a, failed
		}
		if failed.cause = p.sleep(ctx, delay(n)); failed.cause != nil {
			return a, failed
		}
	}
}

// attempt sends the request once.
func (p *Provider) attempt(ctx context.Context, c *call, form string) *exchange {
	params := &stripe.Params{Context: ctx, StripeAccount: p.account}
	path, body := c.path, form
	switch {
	case c.method == http.MethodPost:
		params.IdempotencyKey = &c.key // without one, stripe-go draws one per attempt
	case form != "":
		path, body = c.path+"?"+form, ""
	}
	if c.version != "" {
		params.Headers = http.Header{"Stripe-Version": {c.version}}
	}
	req, err := p.requests.NewRequest(c.method, path, *p.key, "application/x-www-form-urlencoded", params)
	if err != nil {
		return &exchange{err: errNotSent} // err may show a secret
	}
	req.Header.Del("X-Stripe-Client-User-Agent") // stripe-go tells the host's name and kernel in it
	// With its length, or net/http would send the header alone first, and the
	// body in chunks; but without GetBody: it would replay a POST that has an
	// Idempotency-Key by itself when a reused connection turns out to be dead,
	// and an attempt that nobody counts may have had its effect.
	if body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return p.transport.exchange(req, c.notAfter, cmp.Or(c.limit, maxObject))
}

// delay is how long to wait after attempt n: 250 ms to 500 ms, then up to 1 s.
func delay(n int) time.Duration {
	d := 250 * time.Millisecond << n
	return d + rand.N(d) //nolint:gosec // nobody gains by guessing it
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
