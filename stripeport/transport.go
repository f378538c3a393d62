package stripeport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// exchange is one attempt as it was on the wire.
type exchange struct {
	status int
	header http.Header
	body   []byte
	err    error // why there is no whole answer
}

var (
	errNotSent  = errors.New("the request could not be built")
	errTooLate  = errors.New("not sent: it is later than NotAfter")
	errTooLarge = errors.New("the answer is too large")
)

// transport sends requests once. It follows no redirect, and it stands in for
// the client of stripe-go, whose errors do not tell a refusal by Stripe from the
// page of a proxy, and print secrets.
type transport struct {
	base    http.RoundTripper
	timeout time.Duration
	now     func() time.Time
}

// newTransport returns a transport that sends as c does, or as the default
// client if c is nil.
func newTransport(c *http.Client, now func() time.Time) transport {
	t := transport{base: http.DefaultTransport, timeout: attemptTimeout, now: now}
	if pool, ok := t.base.(*http.Transport); ok && c == nil {
		pool = pool.Clone()
		pool.MaxIdleConnsPerHost = pool.MaxIdleConns // with the default of 2, a busy server dials for most calls
		t.base = pool
	}
	if c != nil && c.Transport != nil {
		t.base = c.Transport
	}
	if c != nil && c.Timeout > 0 {
		t.timeout = c.Timeout
	}
	return t
}

// exchange sends the request, unless it is later than notAfter, and reads at
// most limit bytes of the answer.
func (t transport) exchange(req *http.Request, notAfter time.Time, limit int64) *exchange {
	x := new(exchange)
	x.err = t.fill(x, req, notAfter, limit)
	return x
}

func (t transport) fill(x *exchange, req *http.Request, notAfter time.Time, limit int64) error {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return err
	}
	// On wall clocks, for a suspended machine's monotonic clock stands still.
	if !notAfter.IsZero() && t.now().Round(0).After(notAfter.Round(0)) {
		return errTooLate
	}
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > t.timeout {
		ctx, cancel := context.WithTimeout(ctx, t.timeout)
		defer cancel()
		req = req.WithContext(ctx)
	}
	res, err := t.base.RoundTrip(req)
	switch {
	case err != nil:
		return err
	case res == nil:
		return io.ErrUnexpectedEOF
	case res.Body == nil: // of a RoundTripper that is not net/http's
		res.Body = http.NoBody
	}
	defer res.Body.Close()
	x.status, x.header = res.StatusCode, res.Header
	x.body, err = read(res, limit)
	return err
}

const usualObject = 1 << 10 // bytes, of an intent with some metadata

// read returns the body of the answer, whole.
func read(res *http.Response, limit int64) ([]byte, error) {
	if res.ContentLength > limit {
		return nil, errTooLarge
	}
	var b bytes.Buffer
	b.Grow(int(max(res.ContentLength, usualObject)) + bytes.MinRead) // so that it need not grow again to see the end
	if n, err := b.ReadFrom(io.LimitReader(res.Body, limit+1)); err != nil || n <= limit {
		return b.Bytes(), err
	}
	return nil, errTooLarge
}
