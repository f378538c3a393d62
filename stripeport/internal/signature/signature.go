// Package signature verifies webhooks that are signed as Stripe signs them, and
// as those do who do it like Stripe:
//
//	t=1700000000,v1=5257a869…[,v1=…][,v0=…]
//
// where v1 is the HMAC-SHA256 of "1700000000.{body}" in hexadecimal, once per
// secret (docs.stripe.com/webhooks#verify-manually).
package signature

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

// Verifier verifies the signatures of an endpoint. It is safe for concurrent
// use.
type Verifier struct {
	header    string
	secrets   []*string // fmt does not print what a pointer inside a struct points to
	tolerance int64     // in seconds
	now       func() time.Time
}

const (
	minSecret        = 16 // characters; Stripe's have 38
	defaultTolerance = 5 * time.Minute
)

// New returns a Verifier of signatures by any of the secrets, in the header of
// that name. The tolerance is how far their time may be from now, in either
// direction; 0 is five minutes. A nil now is time.Now. The error says what can't
// be used, and never shows a secret.
func New(header string, secrets []string, tolerance time.Duration, now func() time.Time) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, errors.New("NewWebhook needs a secret")
	}
	v := &Verifier{header: header, tolerance: int64(cmp.Or(tolerance, defaultTolerance) / time.Second), now: now}
	for i, secret := range secrets {
		switch {
		case secret == "":
			return nil, fmt.Errorf("webhook secret %d is empty", i)
		case !redact.IsVisible(secret):
			return nil, fmt.Errorf("webhook secret %d must be visible ASCII characters, with no white space", i)
		case len(secret) < minSecret:
			return nil, fmt.Errorf("webhook secret %d is shorter than %d characters", i, minSecret)
		case strings.HasPrefix(secret, "sk_"), strings.HasPrefix(secret, "rk_"), strings.HasPrefix(secret, "pk_"):
			return nil, fmt.Errorf("webhook secret %d is an API key; the endpoint's own secret is needed", i)
		}
		v.secrets = append(v.secrets, &secret)
	}
	if tolerance < 0 || tolerance > 0 && tolerance < time.Second {
		return nil, errors.New("the tolerance must be 0 or at least a second")
	}
	if v.now == nil {
		v.now = time.Now
	}
	return v, nil
}

const (
	maxHeader = 4 << 10
	maxTime   = 12 // digits: enough for 30,000 years
)

// Verify returns an error that says why unless one of the secrets has signed
// the body, about now. The signature is read strictly: it has been written by a
// program, and none that is right is written otherwise. The cheap checks come
// first, and a MAC is compared in constant time.
func (v *Verifier) Verify(header http.Header, body []byte) error {
	lines := header.Values(v.header)
	switch {
	case len(lines) == 0 || lines[0] == "":
		return errors.New("there is no signature")
	case len(lines) > 1 || len(lines[0]) > maxHeader:
		return errors.New("the signature is malformed")
	}
	t, macs, ok := split(lines[0])
	if !ok {
		return errors.New("the signature is malformed")
	}
	seconds, _ := strconv.ParseInt(t, 10, 64) // it can be: it is all digits, and short
	if off := v.now().Unix() - seconds; off > v.tolerance || off < -v.tolerance {
		return fmt.Errorf("the signature's time is %d s ago, and %d s are tolerated, before and after", off, v.tolerance)
	}
	for _, secret := range v.secrets {
		h := hmac.New(sha256.New, []byte(*secret))
		h.Write([]byte(t))
		h.Write([]byte("."))
		h.Write(body)
		var text [2 * sha256.Size]byte
		hex.Encode(text[:], h.Sum(nil))
		for _, mac := range macs {
			if hmac.Equal(text[:], []byte(mac)) {
				return nil
			}
		}
	}
	return errors.New("no signature is by a secret of this endpoint")
}

// split returns the one time and the v1 signatures of the header. What has
// another scheme, such as v0, is for somebody else.
func split(line string) (t string, macs []string, ok bool) {
	times := 0
	for _, part := range strings.Split(line, ",") {
		switch scheme, value, found := strings.Cut(part, "="); {
		case !found || strings.Contains(value, "="):
			return "", nil, false
		case scheme == "t":
			t = value
			times++
		case scheme == "v1":
			macs = append(macs, value)
		}
	}
	digits := t != "" && len(t) <= maxTime && strings.Trim(t, "0123456789") == ""
	return t, macs, digits && times == 1
}
