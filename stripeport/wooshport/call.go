package wooshport

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// call is one call of WooshPay's API, in one or more attempts.
type call struct {
	op           string // for errors
	method, path string
	key          string // idempotency key; empty: it has none
	params       map[string]any
	body         []byte
	create       bool
	notAfter     time.Time

	// decode reads the result of the call, or says that it is not one.
	decode func(body []byte) error
	// carries reports whether the decoded intent that came with an error of
	// that status is the result of the call. Nil: never.
	carries func(status int) bool
}

// repeatable reports whether another attempt can't have another effect.
func (c *call) repeatable() bool { return c.method != http.MethodPost || c.key != "" }

// exchange is one attempt as it was on the wire.
type exchange struct {
	status int
	body   []byte
	err    error // why there is no whole answer
	unsent bool  // surely
}

const (
	maxObject  = 1 << 20 // bytes
	maxRetries = 2
)

var (
	errNotSent  = errors.New("the request was not sent")
	errTooLate  = errors.New("not sent: it is later than NotAfter")
	errTooLarge = errors.New("the answer is too large")
)

// send makes the call, again if that may help and can't do harm, and decodes
// its result.
func (p *Provider) send(ctx context.Context, c *call) error {
	if setupintent.InTransaction(ctx) {
		return &Error{op: c.op, Message: "not sent: a database transaction is open; call WooshPay after its commit"}
	}
	var failed *Error
	doubt := false // an attempt may have had its effect, or may yet
	for n := 0; ; n++ {
		a := p.attempt(ctx, c)
		if errors.Is(a.err, errTooLate) && failed != nil {
			return failed
		}
		v := judge(c, &a)
		if v.result {
			return nil
		}
		failed = newError(c, &a, v.means)
		// "A timeout, then a 400" proves nothing about the first attempt.
		if c.create && doubt && !errors.Is(v.means, setupintent.ErrKeySpent) && !errors.Is(v.means, setupintent.ErrKeySuspect) {
			failed.means = nil
		}
		doubt = doubt || v.means == nil || errors.Is(v.means, setupintent.ErrKeySuspect)
		if err := ctx.Err(); err != nil || !v.again || n == maxRetries || setupintent.InBackground(ctx) {
			failed.cause = cmp.Or(failed.cause, err)
			return failed
		}
		if failed.cause = p.sleep(ctx, delay(n)); failed.cause != nil {
			return failed
		}
	}
}

// attempt sends the request once, and reads the answer to its end.
func (p *Provider) attempt(ctx context.Context, c *call) answer {
	x := new(exchange)
	x.err = p.exchange(ctx, c, x)
	return read(c, x)
}

func (p *Provider) exchange(ctx context.Context, c *call, x *exchange) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", errNotSent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c.method, p.base+c.path, bytes.NewReader(c.body))
	if err != nil {
		return errNotSent
	}
	req.SetBasicAuth(*p.key, "")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "cardonfile")
	transport := p.pooled
	switch {
	case c.method != http.MethodPost:
		req.Body = http.NoBody
	case c.key != "":
		req.Header.Set("Idempotency-Key", c.key)
	default:
		transport = p.once
	}
	// Net/http repeats a request by itself if it can get the body again. It must
	// not: an attempt that nobody counts may have had its effect.
	req.GetBody = nil
	// On wall clocks, for a suspended machine's monotonic clock stands still.
	if !c.notAfter.IsZero() && p.now().Round(0).After(c.notAfter.Round(0)) {
		return errTooLate
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		x.unsent = unsent(err)
		return err
	}
	defer res.Body.Close()
	x.status = res.StatusCode
	x.body, err = io.ReadAll(io.LimitReader(res.Body, maxObject+1))
	if err == nil && len(x.body) > maxObject {
		err = errTooLarge
	}
	return err
}

// unsent reports whether there never was a connection to send the request on.
func unsent(err error) bool {
	var (
		op   *net.OpError
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
	)
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || errors.As(err, &cert)
}

// delay is how long to wait after attempt n: 250 ms to 500 ms, then up to 1 s.
func delay(n int) time.Duration {
	d := 250 * time.Millisecond << n
	return d + rand.N(d) //nolint:gosec // nobody gains by guessing it
}

// pause is Options.Sleep, where there is none.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
