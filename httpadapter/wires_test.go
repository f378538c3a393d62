package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
)

// orbitKitCodes are those of OrbitKit's document, all of them.
var orbitKitCodes = []string{
	"UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "VALIDATION_FAILED", "RATE_LIMITED", "SLUG_TAKEN", "SLUG_RESERVED",
	"DOMAIN_IN_USE", "APP_LIMIT_REACHED", "SUBSCRIPTION_REQUIRED", "SUBSCRIPTION_EXISTS", "NO_PAYMENT_METHOD",
	"NO_ACTIVE_SUBSCRIPTION", "NOT_CANCELING", "ALREADY_CANCELING", "SUBSCRIPTION_CANCELING", "SAME_PLAN", "CARD_ERROR",
	"PAYMENT_ERROR", "NO_STRIPE_CUSTOMER", "CERT_CREATION_FAILED", "DEPLOY_FAILED", "API_KEY_LIMIT_REACHED",
	"INVALID_IDEMPOTENCY_KEY", "IDEMPOTENCY_KEY_REUSE", "INTERNAL_ERROR",
}

const requestID = "X-Request-ID"

// strictly decodes an answer that has no other members than v.
func strictly(t testing.TB, w *httptest.ResponseRecorder, v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(v), w.Body.String())
}

// checkSpree checks an answer by Spree's document.
func checkSpree(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 400 {
		var body struct{ Error string }
		strictly(t, w, &body)
		require.NotEmpty(t, body.Error)
		return
	}
	require.Equal(t, 200, w.Code)
	var body map[string]string
	strictly(t, w, &body)
	for _, name := range []string{"customer_id", "ephemeral_key_secret", "setup_intent_client_secret"} {
		require.NotEmpty(t, body[name], name)
	}
	require.Len(t, body, 3)
}

// checkOrbitKit checks an answer by OrbitKit's document.
func checkOrbitKit(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 400 {
		var body struct {
			Error struct {
				Code, Message, DocURL string
				Details               []map[string]any
			}
		}
		strictly(t, w, &body)
		require.Contains(t, orbitKitCodes, body.Error.Code)
		require.NotEmpty(t, body.Error.Message)
		return
	}
	require.Equal(t, 201, w.Code)
	var body struct{ ClientSecret string }
	strictly(t, w, &body)
	require.NotEmpty(t, body.ClientSecret)
}

// accounts is an application that knows its accounts by their tokens, and opens
// a row for whom has none that is pending, as store.Open does.
type accounts struct {
	b      *bench
	opened int
	row    string // the account's newest
	guests bool
}

func (a *accounts) identify(r *http.Request) (string, error) {
	switch credential, err := httpadapter.Credential(r); {
	case err != nil:
		return "", err
	case credential == "" && !a.guests, credential != "" && credential != "right":
		return "", httpadapter.ErrUnauthenticated
	}
	if row, err := a.b.rows.Load(r.Context(), a.row); err == nil && row.Status == setupintent.Pending {
		return a.row, nil
	}
	a.opened++
	a.row = fmt.Sprintf("row-%d", a.opened)
	return a.row, a.b.rows.Insert(a.row, time.Time{})
}

// TestNextRow: the same request saves another card, once there is one; also if
// nobody knew yet that there is.
func TestNextRow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dialect httpadapter.Dialect
		status  int
		secret  string
	}{
		"OrbitKit": {httpadapter.OrbitKit{}, http.StatusCreated, "clientSecret"},
		"Spree":    {httpadapter.Spree{}, http.StatusOK, "setup_intent_client_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.dialect)
			app := &accounts{b: b}
			b.identify = app.identify
			for n := range 4 {
				w := b.setupIntent()
				require.Equal(t, c.status, w.Code, w.Body.String())
				require.Equal(t, fmt.Sprintf("seti_%d_secret_test", n+1), member(t, w, c.secret))
				again := b.setupIntent()
				require.Equal(t, member(t, w, c.secret), member(t, again, c.secret))

				id := fmt.Sprintf("seti_%d", n+1)
				require.NoError(t, b.provider.Confirm(id, "pm_1"))
				if n%2 == 0 { // else the next request finds out
					_, err := b.svc.Activate(context.Background(), app.row, id)
					require.NoError(t, err)
				}
			}
			for n := 1; n < 4; n++ {
				row, err := b.rows.Load(context.Background(), fmt.Sprintf("row-%d", n))
				require.NoError(t, err)
				require.Equal(t, setupintent.Active, row.Status)
			}
		})
	}
}

// TestNobodyIsOpened for who sends what can't be right.
func TestNobodyIsOpened(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		dialect httpadapter.Dialect
		request func(*http.Request)
		status  int
	}{
		"OrbitKit, key":       {httpadapter.OrbitKit{}, func(r *http.Request) { r.Header.Set("Idempotency-Key", long[:300]) }, 400},
		"OrbitKit, size":      {httpadapter.OrbitKit{}, func(r *http.Request) { withBody(r, "application/json", long) }, 413},
		"OrbitKit, type":      {httpadapter.OrbitKit{}, func(r *http.Request) { withBody(r, "text/plain", "x") }, 415},
		"OrbitKit, method":    {httpadapter.OrbitKit{}, func(r *http.Request) { r.Method = http.MethodGet }, 405},
		"OrbitKit, token":     {httpadapter.OrbitKit{}, func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") }, 401},
		"OrbitKit, nobody":    {httpadapter.OrbitKit{}, func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"Spree, version":      {httpadapter.Spree{}, func(r *http.Request) { r.Header.Set("Stripe-Version", "latest") }, 400},
		"Spree, size":         {httpadapter.Spree{}, func(r *http.Request) { withBody(r, "application/vnd.api+json", long) }, 413},
		"Spree, type":         {httpadapter.Spree{}, func(r *http.Request) { withBody(r, "application/x-www-form-urlencoded", "a=b") }, 415},
		"Spree, token":        {httpadapter.Spree{}, func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") }, 401},
		"Spree, other scheme": {httpadapter.Spree{}, func(r *http.Request) { r.Header.Set("Authorization", "Digest right") }, 401},
		"Spree, nobody":       {httpadapter.Spree{}, func(r *http.Request) { r.Header.Del("Authorization") }, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.dialect)
			app := &accounts{b: b}
			b.identify = app.identify
			r := b.request("")
			c.request(r)
			w := b.serve(r)
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Zero(t, app.opened)
			require.Zero(t, b.provider.calls.Load())
			require.Zero(t, b.provider.customers.Load())
		})
	}
}

func withBody(r *http.Request, contentType, body string) {
	r.Header.Set("Content-Type", contentType)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

// TestSpreeOrder is that of the document: the customer, the ephemeral key, the
// intent. A guest has one, too, if the application opens a row for it.
func TestSpreeOrder(t *testing.T) {
	t.Parallel()
	for _, guest := range []bool{false, true} {
		var b *bench
		var order []string
		dialect := httpadapter.Spree{EphemeralKey: func(ctx context.Context, customer, version string) (setupintent.ClientSecret, error) {
			order = append(order, fmt.Sprintf("%d customers, %d intents, key for %s and %s", b.provider.customers.Load(), len(b.provider.Intents()), customer, version))
			return ephemeralKey(ctx, customer, version)
		}}
		b = newBench(t, dialect)
		app := &accounts{b: b, guests: guest}
		b.identify = app.identify
		r := b.request("")
		if guest {
			r.Header.Del("Authorization")
		}
		w := b.serve(r)
		require.JSONEq(t, `{"customer_id":"cus_1","ephemeral_key_secret":"ek_secret_cus_1_2024-06-20","setup_intent_client_secret":"seti_1_secret_test"}`, w.Body.String())

		r = r.Clone(context.Background())
		r.Header.Set("Stripe-Version", "2025-03-31.basil")
		w = b.serve(r)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, []string{
			"1 customers, 0 intents, key for cus_1 and 2024-06-20",
			"1 customers, 1 intents, key for cus_1 and 2025-03-31.basil",
		}, order)
	}
}

// TestSpreeWithoutKey: if there is no ephemeral key, there is no intent either.
func TestSpreeWithoutKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		retry  string
	}{
		"refused":     {setupintent.ErrRefused, 422, ""},
		"credentials": {setupintent.ErrCredentials, 422, ""},
		"unknown":     {errInternal, 503, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, httpadapter.Spree{EphemeralKey: func(context.Context, string, string) (setupintent.ClientSecret, error) {
				return setupintent.ClientSecret{}, c.err
			}})
			w := b.setupIntent()
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Equal(t, c.retry, w.Header().Get("Retry-After"))
			require.Empty(t, b.provider.Intents())
			if c.status == 422 && name == "credentials" {
				require.Contains(t, b.log.String(), "level=ERROR", "somebody has to see to it")
			}
		})
	}
}

// TestSpreeVersion: whoever sends a version that there is not gets no operator
// out of bed.
func TestSpreeVersion(t *testing.T) {
	t.Parallel()
	for version, says := range map[string]string{
		"latest": "no version", "2026-13-45": "no version", "2024-02-31.acacia": "no version", "2099-01-01": "no ephemeral key",
	} {
		b := newBench(t, httpadapter.Spree{EphemeralKey: func(context.Context, string, string) (setupintent.ClientSecret, error) {
			return setupintent.ClientSecret{}, setupintent.ErrRefused
		}})
		r := b.request(rowID)
		r.Header.Set("Stripe-Version", version)
		w := b.serve(r)
		require.Equal(t, http.StatusBadRequest, w.Code, version)
		require.Contains(t, w.Body.String(), "Stripe-Version: ")
		require.Contains(t, w.Body.String(), says)
		require.NotContains(t, b.log.String(), "level=ERROR")
		require.Empty(t, b.provider.Intents())
	}
}

// TestSpreeWithoutCustomer: the application has to say with what to make one.
func TestSpreeWithoutCustomer(t *testing.T) {
	t.Parallel()
	b := newBench(t, httpadapter.Spree{})
	b.core.Customer = nil
	w := b.setupIntent()
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Contains(t, b.log.String(), "set setupintent.Options.Customer")
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	for key, ok := range map[string]bool{
		"8e03978e-40d5-43e8-bc93-6894a57f9324":   true,
		`"8e03978e-40d5-43e8-bc93-6894a57f9324"`: true,
		`"a \"quoted\" \\ key"`:                  true,
		"signup 42 / first":                      true,
		strings.Repeat("k", 255):                 true,
		`"` + strings.Repeat("k", 255) + `"`:     true,
		strings.Repeat("k", 256):                 false,
		strings.Repeat("k", 300):                 false,
		`"` + strings.Repeat("k", 256) + `"`:     false,
		"":                                       false,
		`""`:                                     false,
		`"`:                                      false,
		`"open`:                                  false,
		`"closed" and more`:                      false,
		`"bad \escape"`:                          false,
		`"trailing \`:                            false,
		"ключ":                                   false,
		"nul\x00":                                false,
	} {
		b := newBench(t, httpadapter.OrbitKit{})
		r := b.request(rowID)
		r.Header.Set("Idempotency-Key", key)
		w := b.serve(r)
		if ok {
			require.Equal(t, http.StatusCreated, w.Code, "%q: %s", key, w.Body)
			continue
		}
		require.Equal(t, http.StatusBadRequest, w.Code, "%q", key)
		require.Contains(t, w.Body.String(), `"INVALID_IDEMPOTENCY_KEY"`)
		require.Zero(t, b.asked)
	}
	b := newBench(t, httpadapter.OrbitKit{})
	r := b.request(rowID)
	r.Header["Idempotency-Key"] = []string{"one", "two"}
	require.Equal(t, http.StatusBadRequest, b.serve(r).Code)
}

func TestOrbitKitHeaders(t *testing.T) {
	t.Parallel()
	left := 2
	b := newBench(t, httpadapter.OrbitKit{
		RateLimitsURL: "https://orbitkit.io/api/rate-limits/",
		Limit: func(*http.Request) httpadapter.Quota {
			left--
			return httpadapter.Quota{Limit: 300, Window: time.Minute, Remaining: left, Reset: 44500 * time.Millisecond, Exceeded: left < 0}
		},
	})
	b.opts.DocsURL = "https://orbitkit.io/api/errors/"
	seen := map[string]bool{}
	for n, want := range []struct {
		path, ratelimit, retry, body string
		status                       int
	}{
		{b.path, `"default";r=1;t=45`, "", `{"clientSecret":"seti_1_secret_test"}`, 201},
		{"/api/other", `"default";r=0;t=45`, "", `{"error":{"code":"NOT_FOUND","message":"Resource not found","docUrl":"https://orbitkit.io/api/errors/#not-found"}}`, 404},
		{b.path, `"default";r=0;t=45`, "45", `{"error":{"code":"RATE_LIMITED","message":"There were too many requests. Try again later.","docUrl":"https://orbitkit.io/api/rate-limits/"}}`, 429},
	} {
		r := b.request(rowID)
		r.URL.Path = want.path
		w := b.serve(r)
		header := w.Header()
		require.Equal(t, fmt.Sprint(want.status, " ", want.body, "\n"), fmt.Sprint(w.Code, " ", w.Body))
		require.Equal(t, `"default";q=300;w=60`, header.Get("Ratelimit-Policy"))
		require.Equal(t, want.ratelimit, header.Get("Ratelimit"))
		require.Equal(t, want.retry, header.Get("Retry-After"))
		id := header.Get(requestID)
		require.Regexp(t, `^req_[0-9a-f]{24}$`, id)
		require.False(t, seen[id])
		seen[id] = true
		if n > 0 {
			require.Contains(t, b.log.String(), "request="+id)
		}
	}

	b = newBench(t, httpadapter.OrbitKit{})
	w := httptest.NewRecorder()
	w.Header().Set(requestID, "outside-1")
	b.start().routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, b.path, nil))
	require.Equal(t, "outside-1", w.Header().Get(requestID))
	require.Empty(t, w.Header().Get("Ratelimit"))
	require.Empty(t, w.Header().Get("Ratelimit-Policy"))
	require.Equal(t, "401 "+`{"error":{"code":"UNAUTHORIZED","message":"Invalid or expired token"}}`+"\n", fmt.Sprint(w.Code, " ", w.Body))
	require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
}

func TestCredential(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  string
		ok    bool
	}{
		"none":              {nil, "", true},
		"bearer":            {[]string{"Bearer a.b_c-d~e+f/g="}, "a.b_c-d~e+f/g=", true},
		"lower case":        {[]string{"bearer x"}, "x", true},
		"spaces":            {[]string{"Bearer   x  "}, "x", true},
		"basic":             {[]string{"Basic c2tfdGVzdF94Og=="}, "sk_test_x", true},
		"basic, password":   {[]string{"Basic dXNlcjpwYXNz"}, "user", true},
		"basic, no user":    {[]string{"Basic OnBhc3M="}, "", false},
		"basic, no base64":  {[]string{"Basic %%%"}, "", false},
		"two":               {[]string{"Bearer x", "Bearer y"}, "", false},
		"empty":             {[]string{""}, "", false},
		"bearer, no token":  {[]string{"Bearer "}, "", false},
		"bearer, two words": {[]string{"Bearer x y"}, "", false},
		"bearer, not ASCII": {[]string{"Bearer ключ"}, "", false},
		"token alone":       {[]string{"x"}, "", false},
		"another scheme":    {[]string{"Digest x"}, "", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["Authorization"] = c.lines
		got, err := httpadapter.Credential(r)
		require.Equal(t, c.want, got, name)
		if c.ok {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, httpadapter.ErrUnauthenticated, name)
	}
	_, err := httpadapter.Bearer(nil)(httptest.NewRequest(http.MethodPost, "/", nil))
	require.ErrorIs(t, err, httpadapter.ErrForbidden)
}
