package httpadapter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors by which the identify of Routes says why a request may not act. Wrap
// them to tell the log more; their text is not shown to the client.
var (
	// ErrUnauthenticated means that the request has no credential, or a wrong
	// or expired one.
	ErrUnauthenticated = errors.New("not authenticated")

	// ErrForbidden means that the one who asks is known and may not act on the
	// row.
	ErrForbidden = errors.New("forbidden")

	// ErrMalformedID means that the id in the path can't be a row's. One with
	// _secret_ in it is taken for a client secret, and never is.
	ErrMalformedID = errors.New("malformed id")
)

// PathID identifies the row by the id in the path. It lets anybody act who knows
// the id: use it only with ids that nobody can guess.
func PathID(r *http.Request) (string, error) { return r.PathValue("id"), nil }

// PathPattern is PathID for ids that the whole of re matches, such as
// ^[0-9a-f]{24}$; any other is ErrMalformedID, and nothing is looked up. A nil
// re lets no id through.
func PathPattern(re *regexp.Regexp) func(*http.Request) (string, error) {
	if re == nil {
		return func(*http.Request) (string, error) { return "", ErrForbidden }
	}
	whole := regexp.MustCompile(`\A(?:` + re.String() + `)\z`)
	return func(r *http.Request) (string, error) {
		id := r.PathValue("id")
		if !whole.MatchString(id) {
			return "", ErrMalformedID
		}
		return id, nil
	}
}

// Credential returns what the request was sent with to prove who sends it: the
// token of Authorization: Bearer, or the user name of Basic, as Stripe's clients
// send their keys. It is empty without an error if there is no such header, and
// an error that wraps ErrUnauthenticated if there is one that is neither.
func Credential(r *http.Request) (string, error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", nil
	}
	if len(lines) > 1 {
		return "", fmt.Errorf("%w: there are %d Authorization headers", ErrUnauthenticated, len(lines))
	}
	if user, _, ok := r.BasicAuth(); ok && user != "" {
		return user, nil
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%w: the Authorization header is neither Bearer nor Basic", ErrUnauthenticated)
	}
	return token, nil
}

// Bearer identifies the row by the request's [Credential], which row knows: it
// returns the id of the row that it stands for. Where the wire names an account,
// as OrbitKit's, Spree's and Stripe's do, that is the account's pending row or a
// new one, so that another card can be saved. Row is not asked about a request
// without a credential, which is ErrUnauthenticated, and should return that for
// one that it does not know. A nil row lets nobody in.
func Bearer(row func(ctx context.Context, credential string) (id string, err error)) func(*http.Request) (string, error) {
	if row == nil {
		return func(*http.Request) (string, error) { return "", ErrForbidden }
	}
	return func(r *http.Request) (string, error) {
		credential, err := Credential(r)
		if err == nil && credential == "" {
			err = fmt.Errorf("%w: there is no Authorization header", ErrUnauthenticated)
		}
		if err != nil {
			return "", err
		}
		return row(r.Context(), credential)
	}
}

const maxID = 255

const secretMark = "_secret_" // is in every client secret

// wellFormed reports whether id could be a row's. What could not must not reach
// a database: PostgreSQL, for one, fails on a NUL in a text; nor, where somebody
// takes a client secret for an id, the log.
func wellFormed(id string) bool {
	return id != "" && len(id) <= maxID && utf8.ValidString(id) && !strings.Contains(id, secretMark) &&
		!strings.ContainsFunc(id, func(r rune) bool { return r == '/' || unicode.IsControl(r) })
}
