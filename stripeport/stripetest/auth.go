package stripetest

import (
	"net/http"
	"strings"
)

// Who may make a call.
type access uint8

const (
	secretOnly  access = iota // the account's own server
	publishable               // a page too; what it must know is the handler's business
	ephemeral                 // an app with an ephemeral key of the customer too
)

const noKey = "You did not provide an API key. You need to provide your API key in the Authorization header," +
	" using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')." +
	" See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/."

const publishableRefused = "This API call cannot be made with a publishable API key. Please use a secret API key." +
	" You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys." // [2nd]

// authenticate finds who makes the call, and whether they may.
func (c *call) authenticate() error {
	if c.woosh {
		return c.authenticateBasic()
	}
	key := bearer(c.r)
	switch {
	case key == "":
		return unauthorized("", noKey)
	case key == c.srv.opts.SecretKey:
		return nil
	case key == c.srv.opts.PublishableKey:
		if c.route.access != publishable {
			e := newError(statusPublishableKey, "secret_key_required", "", publishableRefused)
			e.invalid = true
			return e
		}
		c.public = true
		return nil
	}
	if strings.HasPrefix(key, ephemeralPrefix) {
		return c.authenticateEphemeral(key)
	}
	return unauthorized("", "Invalid API Key provided: "+mask(key))
}

func unauthorized(code, message string) *apiError {
	e := newError(http.StatusUnauthorized, code, "", message)
	e.invalid = true
	return e
}

// bearer returns the request's key: a bearer token, or the user name of basic
// authentication.
func bearer(r *http.Request) string {
	header := r.Header.Get("Authorization")
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	user, _, _ := r.BasicAuth()
	return user
}

// mask shows the kind and the end of a key only, as Stripe does.
func mask(key string) string {
	const shown = 4
	prefix := ""
	for _, p := range []string{"sk_test_", "sk_live_", "pk_test_", "pk_live_", "rk_test_", "rk_live_", "ek_test_", "ek_live_"} {
		if strings.HasPrefix(key, p) {
			prefix = p
		}
	}
	rest := key[len(prefix):]
	if len(rest) <= shown {
		return prefix + strings.Repeat("*", len(rest))
	}
	return prefix + strings.Repeat("*", len(rest)-shown) + rest[len(rest)-shown:]
}
