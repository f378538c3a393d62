package httpadapter_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
)

// refusals are the errors that identify returns, where it opens rows those of
// the service too, and the tails of the endpoints that can't have them.
var refusals = map[string]struct {
	err    error
	except []string
}{
	"unauthenticated":   {err: httpadapter.ErrUnauthenticated},
	"forbidden":         {err: httpadapter.ErrForbidden},
	"malformed":         {err: httpadapter.ErrMalformedID},
	"unknown":           {err: setupintent.ErrNotFound},
	"limited":           {err: setupintent.ErrLimited},
	"busy":              {err: setupintent.ErrBusy},
	"active":            {err: ended(setupintent.Active)},
	"abandoned":         {err: ended(setupintent.Abandoned)},
	"cancelled":         {err: ended(setupintent.Cancelled)},
	"not pending":       {err: setupintent.ErrNotPending},
	"closing":           {err: setupintent.ErrClosing, except: []string{"activate"}},
	"too many attempts": {err: setupintent.ErrExhausted, except: []string{"activate"}},
	"mismatch":          {err: setupintent.ErrMismatch},
	"refused":           {err: setupintent.ErrRefused},
	"unsupported":       {err: errors.ErrUnsupported},
	"unresolved":        {err: setupintent.ErrUnresolved},
	"anything":          {err: errInternal},
}

func ended(s setupintent.Status) error {
	return &setupintent.Error{RowID: rowID, Status: s, Err: setupintent.ErrNotPending}
}

var (
	pathParam = regexp.MustCompile(`\{[^}]*\}`)
	errSlow   = fmt.Errorf("read: %w", os.ErrDeadlineExceeded)
)

// TestRefusals has every endpoint of every dialect refuse a request for every
// reason. What the answers must be is in the documents: see
// internal/integration/openapi.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, dialect := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, endpoint := range httpadapter.Endpoints(dialect) {
				method, tail := endpoint[0], endpoint[1]
				if tail == "openapi.json" {
					continue
				}
				refused := func(identify func(*http.Request) (string, error), method string, body io.Reader) int {
					b := newBench(t, dialect)
					b.identify = identify
					path := "/" + pathParam.ReplaceAllString(strings.ReplaceAll(tail, "{id}", rowID), "seti_1")
					r := httptest.NewRequest(method, path, body)
					r.Header.Set("Authorization", "Bearer x")
					if body != nil {
						r.Header.Set("Content-Type", contentType(dialect))
					}
					return b.serve(r).Code
				}
				for what, refusal := range refusals {
					if !contains(refusal.except, tail) {
						require.GreaterOrEqual(t, refused(refuse(refusal.err), method, nil), 400, "%s %s", tail, what)
					}
				}
				require.Equal(t, http.StatusInternalServerError, refused(func(*http.Request) (string, error) { panic(canary) }, method, nil))
				require.Equal(t, http.StatusNoContent, refused(httpadapter.PathID, http.MethodOptions, nil))
				require.Equal(t, http.StatusMethodNotAllowed, refused(httpadapter.PathID, http.MethodDelete, nil))
				if method != http.MethodPost {
					continue
				}
				known := func(*http.Request) (string, error) { return rowID, nil }
				require.Equal(t, http.StatusRequestTimeout, refused(known, method, failing{errSlow}))
				require.Less(t, refused(known, method, failing{io.ErrUnexpectedEOF}), 500)
				require.Equal(t, http.StatusRequestEntityTooLarge, refused(known, method, zeros{}))
			}

			hook := func(parse parse, method string, body io.Reader) int {
				b := newBench(t, dialect).start()
				b.routes = b.hook(parse)
				r := httptest.NewRequest(method, "/hooks/stripe", body)
				r.Header.Set("Authorization", "Basic x")
				return b.serve(r).Code
			}
			says := func(err error) parse {
				return func(http.Header, []byte) (setupintent.Intent, error) { return setupintent.Intent{}, err }
			}
			for _, err := range []error{
				httpadapter.ErrUnauthenticated, httpadapter.ErrForbidden, setupintent.ErrUnverified, setupintent.ErrInvalidRequest, errInternal,
			} {
				require.GreaterOrEqual(t, hook(says(err), http.MethodPost, nil), 400)
			}
			panics := func(http.Header, []byte) (setupintent.Intent, error) { panic(canary) }
			require.Equal(t, http.StatusInternalServerError, hook(panics, http.MethodPost, nil))
			require.Equal(t, http.StatusMethodNotAllowed, hook(panics, http.MethodGet, nil))
			require.Equal(t, http.StatusNoContent, hook(panics, http.MethodOptions, nil))
			require.Equal(t, http.StatusRequestTimeout, hook(panics, http.MethodPost, failing{errSlow}))
			require.Less(t, hook(panics, http.MethodPost, failing{io.ErrUnexpectedEOF}), 500)
			require.Equal(t, http.StatusRequestEntityTooLarge, hook(panics, http.MethodPost, zeros{}))
			require.Equal(t, http.StatusOK, hook(says(nil), http.MethodPost, nil))
		})
	}
}

// TestLimited: a limiter counts what asks for the document, too.
func TestLimited(t *testing.T) {
	t.Parallel()
	dialect := httpadapter.OrbitKit{Limit: func(*http.Request) httpadapter.Quota {
		return httpadapter.Quota{Limit: 300, Window: time.Minute, Reset: 45 * time.Second, Exceeded: true}
	}}
	b := newBench(t, dialect)
	for method, path := range map[string]string{http.MethodGet: "/api/openapi.json", http.MethodPost: "/api/setup-intent", http.MethodPut: "/nothing"} {
		w := b.serve(httptest.NewRequest(method, path, nil))
		require.Equal(t, http.StatusTooManyRequests, w.Code)
		require.Equal(t, `"default";q=300;w=60`, w.Header().Get("Ratelimit-Policy"))
		require.Equal(t, `"default";r=0;t=45`, w.Header().Get("Ratelimit"))
		require.Equal(t, "45", w.Header().Get("Retry-After"))
	}
}

// contentType is that of the dialect's requests.
func contentType(d httpadapter.Dialect) string {
	if _, ok := d.(httpadapter.Stripe); ok {
		return "application/x-www-form-urlencoded"
	}
	return "application/json"
}

func contains(list []string, tail string) bool {
	for _, word := range list {
		if strings.HasSuffix(tail, word) {
			return true
		}
	}
	return false
}

// failing is a body that breaks off with an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
