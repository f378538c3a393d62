package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

const (
	rowID  = "5eb7cf5a86d9755df3a6c593"
	canary = "canary-4f1c" // in whatever must not come out
)

var errInternal = errors.New("internal text " + canary)

// provider is the provider in memory, with calls counted and some replaced.
type provider struct {
	setupintenttest.Provider
	calls     atomic.Int64 // about intents
	customers atomic.Int64
	create    func() error // instead, if not nil
	get       func() error
}

func (p *provider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	p.calls.Add(1)
	if p.create != nil {
		if err := p.create(); err != nil {
			return setupintent.Intent{}, err
		}
	}
	return p.Provider.CreateIntent(ctx, req)
}

func (p *provider) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	p.calls.Add(1)
	if p.get != nil {
		if err := p.get(); err != nil {
			return setupintent.Intent{}, err
		}
	}
	return p.Provider.GetIntent(ctx, id)
}

func (p *provider) CreateCustomer(context.Context, setupintent.CustomerRequest) (string, error) {
	p.customers.Add(1)
	return "cus_1", nil
}

func (p *provider) ListCustomers(context.Context, time.Time, time.Time, string) ([]setupintent.Customer, error) {
	return nil, nil
}

func (p *provider) CancelIntent(ctx context.Context, id, reason string) (setupintent.Intent, error) {
	p.calls.Add(1)
	return p.Provider.CancelIntent(ctx, id, reason)
}

// brokenStore is a store whose database is down.
type brokenStore struct{ setupintent.PendingStore }

func (brokenStore) Load(context.Context, string) (setupintent.Row, error) {
	return setupintent.Row{}, errInternal
}

// bench is a Service with a Handler on it. Tests set its fields before they call
// start, which the first request does.
type bench struct {
	*testing.T
	rows     *memstore.Store
	provider *provider
	store    setupintent.PendingStore
	port     setupintent.Provider
	core     setupintent.Options
	opts     httpadapter.Options
	identify func(*http.Request) (string, error)
	account  string // the row that the credential stands for, where the path names none
	path     string // of setup-intent, with %s for the row's id where the path names it
	log      *bytes.Buffer

	svc    *setupintent.Service
	h      *httpadapter.Handler
	routes http.Handler
	asked  int64 // calls of the provider by the last request
}

func newBench(t *testing.T, dialect httpadapter.Dialect) *bench {
	t.Helper()
	b := &bench{T: t, rows: memstore.New(), provider: new(provider), identify: httpadapter.PathID, log: new(bytes.Buffer)}
	b.store, b.port = b.rows, b.provider
	b.path, b.account = "/signup/%s/setup-intent", rowID
	switch d := dialect.(type) {
	case httpadapter.OrbitKit:
		b.path, b.identify = "/api/setup-intent", b.byCredential
	case httpadapter.Stripe:
		b.path, b.identify = "/v1/setup_intents", b.byCredential
	case httpadapter.Spree:
		b.path, b.identify = "/api/v2/storefront/stripe/setup_intents", b.byCredential
		b.core.Customer = func(context.Context, setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{}, nil
		}
		b.core.Customers = b.provider
		if d.EphemeralKey == nil {
			d.EphemeralKey = ephemeralKey
			dialect = d
		}
	}
	b.opts.Dialect = dialect
	b.opts.Logger = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	require.NoError(t, b.rows.Insert(rowID, time.Time{}))
	return b
}

func (b *bench) start() *bench {
	if b.svc != nil {
		return b
	}
	var err error
	b.svc, err = setupintent.New(b.store, b.port, &b.core)
	require.NoError(b, err)
	b.h, err = httpadapter.New(b.svc, &b.opts)
	require.NoError(b, err)
	b.routes = recorded(b.opts.Dialect, "", b.h.Routes(b.identify))
	return b
}

// begun makes the row's intent, and returns its id.
func (b *bench) begun() string {
	in, err := b.start().svc.Begin(context.Background(), rowID, nil)
	require.NoError(b, err)
	return in.ID
}

// serve returns the answer to r, after looking at what is true of every answer.
func (b *bench) serve(r *http.Request) *httptest.ResponseRecorder {
	b.Helper()
	b.start()
	w := httptest.NewRecorder()
	before := b.provider.calls.Load()
	if !b.namesRow() && strings.HasSuffix(r.URL.Path, "/activate") { // a route of the application's own
		b.h.Activate(w, r, b.account)
	} else {
		b.routes.ServeHTTP(w, r)
	}
	b.asked = b.provider.calls.Load() - before
	checkAnswer(b.T, w)
	require.NotContains(b, b.log.String(), "_secret_", "a client secret was logged")
	return w
}

// byCredential is the identify of the wires whose paths name no row.
func (b *bench) byCredential(r *http.Request) (string, error) {
	return httpadapter.Bearer(func(_ context.Context, credential string) (string, error) {
		if credential != "right" {
			return "", fmt.Errorf("%w: %w", httpadapter.ErrUnauthenticated, errInternal)
		}
		return b.account, nil
	})(r)
}

func ephemeralKey(_ context.Context, customer, version string) (setupintent.ClientSecret, error) {
	return setupintent.NewClientSecret("ek_secret_" + customer + "_" + version), nil
}

// namesRow reports whether the dialect's paths name the row.
func (b *bench) namesRow() bool { return strings.Contains(b.path, "%s") }

func (b *bench) setupIntent() *httptest.ResponseRecorder { return b.serve(b.request(rowID)) }

// request asks for the intent of the row.
func (b *bench) request(id string) *http.Request {
	if b.namesRow() {
		return httptest.NewRequest(http.MethodPost, fmt.Sprintf(b.path, id), nil)
	}
	b.account = id
	r := httptest.NewRequest(http.MethodPost, b.path, nil)
	r.Header.Set("Authorization", "Bearer right")
	return r
}

func (b *bench) activate(intentID string) *httptest.ResponseRecorder {
	return b.serve(activateRequest(`{"setupIntentId":"` + intentID + `"}`))
}

func activateRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/signup/"+rowID+"/activate", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// allowed are the values of the header Allow.
var allowed = []string{http.MethodPost, http.MethodGet, "GET, POST"}

// checkAnswer checks what is true of every answer of every dialect.
func checkAnswer(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	header := w.Result().Header
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.NotContains(t, w.Body.String(), canary, "the text of an error was shown")
	if w.Code >= http.StatusBadRequest {
		require.NotContains(t, w.Body.String(), "_secret_", "a client secret is in an error")
	}
	switch w.Code {
	case http.StatusNoContent:
		require.Empty(t, w.Body.String())
		require.Empty(t, header.Get("Content-Type"))
		require.Contains(t, allowed, header.Get("Allow"))
		return
	case http.StatusMethodNotAllowed:
		require.Contains(t, allowed, header.Get("Allow"))
	case http.StatusUnauthorized:
		require.NotEmpty(t, header.Get("WWW-Authenticate"))
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		require.NotEmpty(t, header.Get("Retry-After"))
	}
	require.True(t, json.Valid(w.Body.Bytes()), w.Body.String())
	switch contentType := header.Get("Content-Type"); contentType {
	case "application/problem+json":
		checkProblem(t, w)
	case "application/vnd.api+json":
		checkSpree(t, w)
	case "application/json":
		checkJSON(t, w)
	default:
		require.Fail(t, "unexpected content type "+contentType)
	}
}

// checkProblem checks an error of our own dialect by RFC 9457.
func checkProblem(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&p))
	require.Equal(t, w.Code, p.Status)
	require.GreaterOrEqual(t, p.Status, 400)
	for _, member := range []string{p.Type, p.Title, p.Detail, p.Code} {
		require.NotEmpty(t, member)
	}
	if p.Type == "about:blank" {
		require.Equal(t, http.StatusText(p.Status), p.Title)
	}
}

// checkJSON checks an answer by OrbitKit's document or by Stripe's, a success of
// ours or LoyaltyDog's, or an error of LoyaltyDog's by its document: HTTPValidationError under 422, FastAPI's and slowapi's shapes
// under all others.
func checkJSON(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	errorObject, isObject := body["error"].(map[string]any)
	switch {
	case errorObject["type"] != nil, body["object"] != nil:
		checkStripe(t, w)
		return
	case isObject, w.Code == http.StatusCreated:
		checkOrbitKit(t, w)
		return
	}
	switch w.Code {
	case http.StatusOK:
		_, isIntent := body["clientSecret"]
		_, isWebhook := body["received"]
		_, isDocument := body["openapi"]
		switch {
		case isDocument:
		case isIntent:
			require.IsType(t, "", body["clientSecret"])
			require.IsType(t, "", body["setupIntentId"])
		case isWebhook:
			require.Equal(t, map[string]any{"received": true}, body)
		default:
			require.IsType(t, "", body["userId"])
		}
		return
	case http.StatusTooManyRequests:
		require.Len(t, body, 1)
		require.IsType(t, "", body["error"])
		return
	}
	require.Len(t, body, 1)
	if w.Code != http.StatusUnprocessableEntity {
		require.IsType(t, "", body["detail"])
		return
	}
	require.IsType(t, []any{}, body["detail"])
	for _, e := range body["detail"].([]any) {
		require.IsType(t, map[string]any{}, e)
		e := e.(map[string]any)
		require.IsType(t, "", e["type"])
		require.IsType(t, "", e["msg"])
		require.IsType(t, []any{}, e["loc"])
		for _, loc := range e["loc"].([]any) {
			switch loc.(type) {
			case string, float64:
			default:
				require.Fail(t, "loc holds neither a string nor an integer")
			}
		}
		if ctx, ok := e["ctx"]; ok {
			require.IsType(t, map[string]any{}, ctx)
		}
		for name := range e {
			require.Contains(t, []string{"type", "loc", "msg", "input", "ctx"}, name)
		}
	}
}

// member returns a member of the answer's object, as text.
func member(t testing.TB, w *httptest.ResponseRecorder, name string) string {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	s, _ := body[name].(string)
	return s
}

func TestNew(t *testing.T) {
	t.Parallel()
	svc, err := setupintent.New(memstore.New(), new(setupintenttest.Provider), nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		svc  *setupintent.Service
		opts *httpadapter.Options
		want string // of the error; empty: none
	}{
		"nil options":        {svc, nil, ""},
		"zero options":       {svc, new(httpadapter.Options), ""},
		"no service":         {nil, nil, "needs a service"},
		"negative size":      {svc, &httpadapter.Options{MaxBodyBytes: -1}, "MaxBodyBytes"},
		"negative webhook":   {svc, &httpadapter.Options{MaxWebhookBytes: -1}, "MaxWebhookBytes"},
		"docs":               {svc, &httpadapter.Options{DocsURL: "https://example.com/errors"}, ""},
		"docs not absolute":  {svc, &httpadapter.Options{DocsURL: "/errors"}, "DocsURL"},
		"docs no URL":        {svc, &httpadapter.Options{DocsURL: "https://a b"}, "DocsURL"},
		"rate limits no URL": {svc, &httpadapter.Options{Dialect: httpadapter.OrbitKit{RateLimitsURL: "rates"}}, "OrbitKit.RateLimitsURL"},
		"docs fragment":      {svc, &httpadapter.Options{DocsURL: "https://example.com/errors#x"}, "DocsURL"},
		"details": {svc, &httpadapter.Options{Dialect: httpadapter.LoyaltyDog{Details: map[string]httpadapter.Detail{
			"closing": {Status: 409, Text: "ENDED"}, "pending_not_found": {},
		}}}, ""},
		"details, typo": {svc, &httpadapter.Options{Dialect: httpadapter.LoyaltyDog{Details: map[string]httpadapter.Detail{
			"abandonedd": {Status: 410},
		}}}, `no code "abandonedd"`},
		"details, not a code of the wire": {svc, &httpadapter.Options{Dialect: httpadapter.LoyaltyDog{Details: map[string]httpadapter.Detail{
			"rate_limited": {Status: 410},
		}}}, `no code "rate_limited"`},
		"details, no error": {svc, &httpadapter.Options{Dialect: httpadapter.LoyaltyDog{Details: map[string]httpadapter.Detail{
			"abandoned": {Status: 204},
		}}}, "status 204"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := httpadapter.New(c.svc, c.opts)
			if c.want == "" {
				require.NoError(t, err)
				require.NotNil(t, h)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Nil(t, h)
		})
	}
}

// TestSecretsAreNotLogged looks at the log of a whole signup, with everything in
// it that could carry a secret.
func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.core.Logger = b.opts.Logger
	b.identify = func(r *http.Request) (string, error) {
		if r.URL.Query().Get("panic") != "" {
			panic(struct{ token string }{r.URL.Query().Get("panic")})
		}
		return r.PathValue("id"), nil
	}
	const secret = "seti_1_secret_test"
	w := b.setupIntent()
	require.Contains(t, w.Body.String(), secret)
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodPost, "/"+rowID+"/setup-intent?panic="+secret, nil),
		httptest.NewRequest(http.MethodGet, "/"+rowID+"/setup-intent?setup_intent_client_secret="+secret, nil),
		httptest.NewRequest(http.MethodPost, "/"+secret+"/nothing", nil),
		activateRequest(`{"setupIntentId":"` + secret + `"}`),
		activateRequest(`{"setupIntentId":["` + secret + `"]}`),
		activateRequest(`{"clientSecret":"` + secret + `"}`),
		activateRequest(secret),
	} {
		r.Header.Set("Authorization", "Bearer "+secret)
		w := b.serve(r)
		require.GreaterOrEqual(t, w.Code, 400)
	}
	require.NoError(t, b.provider.Confirm("seti_1", "pm_1"))
	require.Equal(t, http.StatusOK, b.activate("seti_1").Code)
	require.Contains(t, b.log.String(), "level=ERROR")
	require.Contains(t, b.log.String(), "level=DEBUG")
	require.NotContains(t, b.log.String(), secret)
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		level string
		do    func(b *bench)
	}{
		"conflict": {"DEBUG", func(b *bench) {
			require.NoError(b, b.rows.SetStatus(rowID, setupintent.Abandoned))
			b.setupIntent()
		}},
		"mismatch": {"WARN", func(b *bench) {
			b.begun()
			b.activate("seti_2")
		}},
		"database down": {"ERROR", func(b *bench) {
			b.store = brokenStore{b.rows}
			b.setupIntent()
		}},
		"client gone": {"DEBUG", func(b *bench) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			b.serve(httptest.NewRequest(http.MethodPost, "/"+rowID+"/setup-intent", nil).WithContext(ctx))
		}},
		"client gone, and database down": {"ERROR", func(b *bench) {
			b.store = brokenStore{b.rows}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			b.serve(httptest.NewRequest(http.MethodPost, "/"+rowID+"/setup-intent", nil).WithContext(ctx))
		}},
		"client gone, and panic": {"ERROR", func(b *bench) {
			b.identify = func(*http.Request) (string, error) { panic("x") }
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			b.serve(httptest.NewRequest(http.MethodPost, "/"+rowID+"/setup-intent", nil).WithContext(ctx))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			c.do(b)
			require.Equal(t, 1, strings.Count(b.log.String(), "request failed"), b.log.String())
			require.Contains(t, b.log.String(), "level="+c.level)
		})
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"text":          "text " + canary,
		"error":         errInternal,
		"uncomparable":  []string{canary},
		"runtime error": nil, // an index is out of range
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, httpadapter.LoyaltyDog{})
			b.identify = func(*http.Request) (string, error) {
				if value == nil {
					return strings.Split(canary, "-")[len(canary)], nil
				}
				panic(value)
			}
			w := b.setupIntent()
			require.Equal(t, http.StatusInternalServerError, w.Code)
			require.JSONEq(t, `{"detail":"Internal Server Error"}`, w.Body.String())
			require.Contains(t, b.log.String(), "handler_test.go", "where it panicked")
			require.NotContains(t, b.log.String(), canary)
			require.Zero(t, b.provider.calls.Load())
		})
	}
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		b.identify = func(*http.Request) (string, error) { panic(http.ErrAbortHandler) }
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { b.setupIntent() })
	})
}

func TestAccount(t *testing.T) {
	t.Parallel()
	type account = func(context.Context, setupintent.Row) (string, string, error)
	alice := func(_ context.Context, r setupintent.Row) (string, string, error) {
		if r.Status != setupintent.Active || r.Progress.PaymentMethodID() != "pm_1" {
			return "", "", errInternal
		}
		return "user-1", "alice@example.com", nil
	}
	for name, c := range map[string]struct {
		dialect httpadapter.Dialect
		account account
		want    string
	}{
		"default":            {nil, alice, `{"status":"active","userId":"user-1","email":"alice@example.com"}`},
		"default, none":      {nil, nil, `{"status":"active","userId":"` + rowID + `"}`},
		"LoyaltyDog":         {httpadapter.LoyaltyDog{}, alice, `{"userId":"user-1","email":"alice@example.com"}`},
		"LoyaltyDog, none":   {httpadapter.LoyaltyDog{}, nil, `{"userId":"` + rowID + `"}`},
		"failing once":       {nil, failOnce(alice), `{"status":"active","userId":"user-1","email":"alice@example.com"}`},
		"panicking is a 500": {nil, func(context.Context, setupintent.Row) (string, string, error) { panic(canary) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.dialect)
			b.opts.Account = c.account
			id := b.begun()
			require.NoError(t, b.provider.Confirm(id, "pm_1"))
			w := b.activate(id)
			row, err := b.rows.Load(context.Background(), rowID)
			require.NoError(t, err)
			require.Equal(t, setupintent.Active, row.Status)
			if c.want == "" {
				require.Equal(t, http.StatusInternalServerError, w.Code)
				return
			}
			if name == "failing once" {
				require.Equal(t, http.StatusServiceUnavailable, w.Code)
				w = b.activate(id)
			}
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, c.want+"\n", w.Body.String())

			calls := b.provider.calls.Load()
			require.Equal(t, c.want+"\n", b.activate(id).Body.String(), "again")
			require.Equal(t, calls, b.provider.calls.Load())
		})
	}
}

func failOnce(f func(context.Context, setupintent.Row) (string, string, error)) func(context.Context, setupintent.Row) (string, string, error) {
	var failed atomic.Bool
	return func(ctx context.Context, r setupintent.Row) (string, string, error) {
		if failed.CompareAndSwap(false, true) {
			// Whatever it wraps: the row is active.
			return "", "", errors.Join(errInternal, setupintent.ErrNotFound, httpadapter.ErrForbidden)
		}
		return f(ctx, r)
	}
}

// TestBareHandlers holds for them what holds for Routes.
func TestBareHandlers(t *testing.T) {
	t.Parallel()
	b := newBench(t, httpadapter.LoyaltyDog{}).start()
	do := func(h func(http.ResponseWriter, *http.Request, string), method, id, contentType, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/anything", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		recorded(b.opts.Dialect, "any", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(w, r, id) })).ServeHTTP(w, r)
		checkAnswer(t, w)
		return w
	}
	w := do(b.h.SetupIntent, http.MethodPost, rowID, "", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, http.StatusMethodNotAllowed, do(b.h.SetupIntent, http.MethodGet, rowID, "", "").Code)
	require.Equal(t, http.StatusNoContent, do(b.h.Activate, http.MethodOptions, rowID, "", "").Code)
	require.Equal(t, http.StatusUnsupportedMediaType, do(b.h.SetupIntent, http.MethodPost, rowID, "text/plain", "x").Code)
	require.Equal(t, http.StatusRequestEntityTooLarge, do(b.h.Activate, http.MethodPost, rowID, "application/json", strings.Repeat(" ", 5000)).Code)
	require.Equal(t, http.StatusUnprocessableEntity, do(b.h.Activate, http.MethodPost, rowID, "application/json", "{}").Code)
	require.Equal(t, http.StatusNotFound, do(b.h.Activate, http.MethodPost, "other", "application/json", `{"setupIntentId":"seti_1"}`).Code)

	w = do(b.h.SetupIntent, http.MethodPost, "a/b", "", "")
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Contains(t, w.Body.String(), `"input":"a/b"`)
	w = do(b.h.SetupIntent, http.MethodPost, "", "", "")
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Contains(t, w.Body.String(), `"input":""`)

	require.NoError(t, b.provider.Confirm("seti_1", "pm_1"))
	w = do(b.h.Activate, http.MethodPost, rowID, "application/json", `{"setupIntentId":"seti_1"}`)
	require.Equal(t, http.StatusOK, w.Code)
}

// TestServer is a signup over a connection, where deadlines and chunks are real.
func TestServer(t *testing.T) {
	t.Parallel()
	serve := func(timeout time.Duration) *httptest.Server {
		b := newBench(t, nil)
		b.opts.ReadTimeout = timeout
		server := httptest.NewServer(http.StripPrefix("/signup", b.start().routes))
		t.Cleanup(server.Close)
		return server
	}
	server := serve(time.Minute) // more than a busy machine needs
	send := func(path, contentType string, body io.Reader) (int, http.Header) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+path, body)
		require.NoError(t, err)
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, resp.Header
	}
	chunked := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) } // of unknown length

	code, _ := send("/signup/"+rowID+"/setup-intent", "", nil)
	require.Equal(t, http.StatusOK, code)
	code, _ = send("/signup/"+rowID+"/setup-intent", "text/plain", chunked(""))
	require.Equal(t, http.StatusOK, code)
	code, _ = send("/signup/"+rowID+"/setup-intent", "application/json", chunked(`{"passwordHash":"x"}`))
	require.Equal(t, http.StatusOK, code)
	// So little more than the limit that all of it is sent before the server hangs up.
	code, _ = send("/signup/"+rowID+"/activate", "application/json", chunked(strings.Repeat(" ", 5000)))
	require.Equal(t, http.StatusRequestEntityTooLarge, code)

	server = serve(50 * time.Millisecond)
	never, stop := io.Pipe()
	t.Cleanup(func() { _ = stop.Close() })
	code, header := send("/signup/"+rowID+"/activate", "application/json", never)
	require.Equal(t, http.StatusRequestTimeout, code)
	require.Equal(t, "application/problem+json", header.Get("Content-Type"))
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
