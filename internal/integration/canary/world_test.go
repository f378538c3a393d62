package canary

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // driver sqlite

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

const (
	apiKey        = "sk_test_CANARYapikey51Hx"
	webhookSecret = "whsec_CANARYwebhook9f8e7d6c5b4a"
	shortSecret   = "whsec_CANARYwee" // too short, and refused
	looseSecret   = "seti_1CANARY_secret_CANARYloose8Kq2Zr"
)

// A tap collects what comes out, by where.
type tap struct {
	mu      sync.Mutex
	sinks   map[string]*bytes.Buffer
	secrets map[string]string // what kind each is
}

func newTap() *tap {
	return &tap{sinks: map[string]*bytes.Buffer{}, secrets: map[string]string{
		apiKey: "API key", webhookSecret: "webhook secret", shortSecret: "short webhook secret", looseSecret: "secret of an error",
	}}
}

func (o *tap) add(sink, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sinks[sink] == nil {
		o.sinks[sink] = new(bytes.Buffer)
	}
	o.sinks[sink].WriteString(text + "\n")
}

// show adds v as fmt prints it, and all that an error wraps.
func (o *tap) show(sink string, v any) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		o.add(sink, fmt.Sprintf(verb, v))
	}
	if err, ok := v.(error); ok {
		if inner := errors.Unwrap(err); inner != nil {
			o.show(sink, inner)
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, inner := range many.Unwrap() {
				o.show(sink, inner)
			}
		}
	}
}

func (o *tap) learn(kind, secret string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.secrets[secret] = kind
}

// Write makes the tap a log.
func (o *tap) Write(line []byte) (int, error) {
	o.add("log", string(line))
	return len(line), nil
}

// forms are the ways in which a secret may be written.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret)
	all := []string{
		secret, url.QueryEscape(secret), strings.Trim(string(quoted), `"`), base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte(secret + ":")), fmt.Sprintf("%x", secret),
	}
	if _, tail, ok := strings.Cut(secret, "_secret_"); ok {
		all = append(all, tail)
	}
	return all
}

// search returns where secrets were found.
func (o *tap) search() (found []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, sink := range slices.Sorted(maps.Keys(o.sinks)) {
		text := o.sinks[sink].String()
		for _, secret := range slices.Sorted(maps.Keys(o.secrets)) {
			for _, form := range forms(secret) {
				if i := strings.Index(text, form); i >= 0 {
					found = append(found, fmt.Sprintf("%s: the %s, in …%s…", sink, o.secrets[secret], text[max(0, i-60):i]))
					break
				}
			}
		}
	}
	return found
}

var providerSecrets = regexp.MustCompile(`"(client_secret|secret)"\s*:\s*"([^"]{16,})"`)

// wire notes what is sent to the provider, and which secrets it answers.
type wire struct {
	tap  *tap
	next http.RoundTripper
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.tap.add("provider URL", r.Method+" "+r.URL.String())
	for name, values := range r.Header {
		if name != "Authorization" { // which holds the API key, and nothing else
			w.tap.add("provider header", name+": "+strings.Join(values, ", "))
		}
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		w.tap.add("provider body", string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	for _, m := range providerSecrets.FindAllSubmatch(body, -1) {
		w.tap.learn(string(m[1]), string(m[2]))
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, err
}

// A world is every layer, one on top of the other.
type world struct {
	t       *testing.T
	tap     *tap
	rng     *rand.Rand
	fake    *stripetest.Server
	stripe  *stripeport.Provider // nil: it is WooshPay
	woosh   *wooshport.Provider
	wire    http.RoundTripper
	parse   func(http.Header, []byte) (setupintent.Intent, error)
	rows    *setupintenttest.FaultyStore
	due     setupintent.DueStore
	memory  *memstore.Store // nil: it is SQLite
	db      *sql.DB
	file    string
	sqlite  *store.Store
	svc     *setupintent.Service
	log     *slog.Logger
	mux     *http.ServeMux
	current string   // the row that the wires act on
	ids     []string // of all rows in memory

	mu    sync.Mutex
	leave context.CancelFunc
	acted bool   // the effect has run
	calm  bool   // the store, the guard and identify work
	shown string // the latest client secret that a page was shown
}

var errFault = errors.New("a fault of the database")

type noSleep struct{}

func (noSleep) sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func newWorld(t *testing.T, seed uint64, woosh, sqlite bool) *world {
	t.Helper()
	w := &world{t: t, tap: newTap(), rng: rand.New(rand.NewPCG(seed, 5))}
	w.log = slog.New(slog.NewJSONHandler(w.tap, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	w.mux = http.NewServeMux()
	var err error
	w.fake, err = stripetest.New(&stripetest.Options{
		SecretKey: apiKey, Logger: w.log, WebhookTransport: deliver{w}, RetrySchedule: []time.Duration{},
		Webhooks: []stripetest.Webhook{{URL: "http://app.test/hook", Secret: webhookSecret, WooshPay: woosh}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.fake.Close()) })
	w.wire = wire{w.tap, w.fake.Client().Transport}
	client := &http.Client{Transport: w.wire}
	var provider setupintent.Provider
	if woosh {
		w.woosh, err = wooshport.New(apiKey, &wooshport.Options{BaseURL: "http://127.0.0.1/wooshpay", HTTPClient: client, Sleep: noSleep{}.sleep})
		require.NoError(t, err)
		hook, err := wooshport.NewWebhook([]string{webhookSecret}, nil)
		require.NoError(t, err)
		provider, w.parse = w.woosh, hook.Parse
	} else {
		w.stripe, err = stripeport.New(apiKey, &stripeport.Options{BaseURL: "http://127.0.0.1", HTTPClient: client, Sleep: noSleep{}.sleep})
		require.NoError(t, err)
		hook, err := stripeport.NewWebhook([]string{webhookSecret}, nil)
		require.NoError(t, err)
		provider, w.parse = w.stripe, hook.Parse
	}
	w.showPorts()
	if sqlite {
		w.file = filepath.Join(t.TempDir(), "rows.db")
		w.db, err = sql.Open("sqlite", "file:"+w.file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, w.db.Close()) })
		w.sqlite, err = store.New(w.db, store.SQLite, &store.Options{OnActive: w.inTransaction})
		require.NoError(t, err)
		require.NoError(t, w.sqlite.Migrate(t.Context()))
		w.rows, w.due = &setupintenttest.FaultyStore{Store: w.sqlite}, w.sqlite
	} else {
		w.memory = memstore.New()
		w.rows, w.due = &setupintenttest.FaultyStore{Store: w.memory}, w.memory
	}
	fails := func(string, string) error {
		if w.unlucky(20) {
			return errFault
		}
		return nil
	}
	w.rows.Before, w.rows.After = fails, fails
	options := &setupintent.Options{
		Namespace: "canary", Logger: w.log, Observe: w.observe, Wait: -1, OnActive: w.onActive,
		Rate: 1000, Recheck: []time.Duration{time.Microsecond}, // every row is due
		Guard: func(_ context.Context, r setupintent.Row) error {
			if w.unlucky(10) {
				return fmt.Errorf("the guard was given %+v", r)
			}
			return nil
		},
	}
	if !woosh {
		options.Customers = w.stripe
		options.Customer = func(_ context.Context, r setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{Email: r.ID + "@example.com"}, nil
		}
	}
	w.svc, err = setupintent.New(w.rows, provider, options)
	require.NoError(t, err)
	w.mount()
	return w
}

// showPorts shows what holds keys and secrets for as long as a process lives.
func (w *world) showPorts() {
	w.t.Helper()
	stripe, err := stripeport.New(apiKey, nil)
	require.NoError(w.t, err)
	woosh, err := wooshport.New(apiKey, nil)
	require.NoError(w.t, err)
	hook, err := stripeport.NewWebhook([]string{webhookSecret}, nil)
	require.NoError(w.t, err)
	wooshHook, err := wooshport.NewWebhook([]string{webhookSecret}, nil)
	require.NoError(w.t, err)
	for _, v := range []any{stripe, *stripe, woosh, *woosh, hook, *hook, wooshHook, *wooshHook, []any{stripe, hook}} {
		w.tap.show("value", v)
	}
}

// draw is safe for the goroutines of the fake's webhooks.
func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

// unlucky is true once in n times, unless all is calm.
func (w *world) unlucky(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm && w.rng.IntN(n) == 0
}

func (w *world) inTransaction(_ context.Context, _ *sql.Tx, r setupintent.Row) error {
	if w.draw(3) == 0 {
		panic(fmt.Sprintf("in the transaction: %+v", r))
	}
	return nil
}

func (w *world) onActive(_ context.Context, r setupintent.Row, in setupintent.Intent) error {
	w.tap.show("hook", in)
	w.tap.show("hook", r)
	w.mu.Lock()
	first := !w.acted
	w.acted = true
	w.mu.Unlock()
	kind := w.draw(4)
	if first {
		kind = 0
	}
	switch kind {
	case 0:
		panic(fmt.Sprintf("the effect: %+v %#v %s %s", in, r, in.Raw, apiKey))
	case 1:
		return fmt.Errorf("the effect failed for %+v", in)
	}
	return nil
}

// observe prints every event; whoever waits leaves when something has failed.
func (w *world) observe(_ context.Context, e setupintent.Event) {
	w.tap.show("event", e)
	if e.Err != nil {
		w.tap.show("error", e.Err)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.leave != nil {
			w.leave()
		}
	}
}

// deliver brings the fake's webhooks to the application, and sometimes garbles
// them.
type deliver struct{ w *world }

func (d deliver) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	switch d.w.draw(8) {
	case 0:
		r.Header.Set("Stripe-Signature", "t=1,v1=00")
		r.Header.Set("Wooshpay-Signature", "t=1,v1=00")
	case 1:
		body = body[:len(body)/2]
	}
	in := httptest.NewRequest(http.MethodPost, "/hook", bytes.NewReader(body))
	in.Header = r.Header
	rec := httptest.NewRecorder()
	d.w.mux.ServeHTTP(rec, in)
	d.w.tap.add("answer body", rec.Body.String())
	return rec.Result(), nil
}

// mount serves every wire that the provider can have.
func (w *world) mount() {
	wires := map[string]httpadapter.Dialect{"/signup/": nil, "/v2/signup/pending/": httpadapter.LoyaltyDog{}, "/api/": httpadapter.OrbitKit{}, "/v1/": httpadapter.Stripe{}}
	if w.stripe != nil {
		wires["/v1/"] = httpadapter.Stripe{Update: func(ctx context.Context, id string, params map[string]any) (setupintent.Intent, error) {
			return w.stripe.UpdateIntent(ctx, id, stripeport.UpdateRequest{Extra: params})
		}}
		wires["/api/v2/storefront/stripe/"] = httpadapter.Spree{EphemeralKey: func(ctx context.Context, customer, version string) (setupintent.ClientSecret, error) {
			key, err := w.stripe.EphemeralKey(ctx, customer, version)
			w.tap.show("value", key)
			return key.Secret, err
		}}
	}
	for path, dialect := range wires {
		h, err := httpadapter.New(w.svc, &httpadapter.Options{Dialect: dialect, Logger: w.log})
		require.NoError(w.t, err)
		w.mux.Handle(path, h.Routes(func(*http.Request) (string, error) {
			if w.unlucky(12) {
				panic(fmt.Sprintf("identify of %+v", w.svc))
			}
			if w.unlucky(12) {
				return "", httpadapter.ErrUnauthenticated
			}
			return w.current, nil
		}))
		if path == "/signup/" {
			w.mux.Handle("/hook", h.Webhook(w.parse))
		}
	}
}

// row makes the wires act on a new row.
func (w *world) row(n int) {
	w.t.Helper()
	if w.memory != nil {
		w.current = fmt.Sprintf("%024x", n+1)
		w.ids = append(w.ids, w.current)
		require.NoError(w.t, w.memory.Insert(w.current, time.Time{}))
		return
	}
	r, err := w.sqlite.Open(w.t.Context(), w.db, fmt.Sprintf("subject-%d", n))
	require.NoError(w.t, err)
	w.current = r.ID
}

// secretFields are the ones that an answer may have a secret in, by path.
var secretFields = map[string][]string{
	"/signup/": {"clientSecret"}, "/v2/signup/pending/": {"clientSecret"}, "/api/": {"clientSecret"}, "/v1/": {"client_secret"},
	"/api/v2/storefront/stripe/": {"setup_intent_client_secret", "ephemeral_key_secret"},
}

// ask makes one request of a client's, and notes the answer but for the field that
// is made for the secret.
func (w *world) ask(mount, method, path, contentType, body string) map[string]any {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.mu.Lock()
	w.leave = cancel
	w.mu.Unlock()
	r := httptest.NewRequestWithContext(ctx, method, mount+path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	rec := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p != nil {
				w.tap.show("panic", p)
			}
		}()
		w.mux.ServeHTTP(rec, r)
	}()
	w.mu.Lock()
	w.leave = nil
	w.mu.Unlock()
	w.tap.add("answer status", rec.Result().Status)
	for name, values := range rec.Header() {
		w.tap.add("answer header", name+": "+strings.Join(values, ", "))
	}
	var answer map[string]any
	if rec.Code/100 == 2 && json.Unmarshal(rec.Body.Bytes(), &answer) == nil {
		rest := maps.Clone(answer)
		for _, field := range secretFields[mount] {
			if text, ok := rest[field].(string); ok {
				w.shown = text
				delete(rest, field)
			}
		}
		text, _ := json.Marshal(rest)
		w.tap.add("answer body", string(text))
		return answer
	}
	w.tap.add("answer body", rec.Body.String())
	return nil
}

// dump adds all that the store has.
func (w *world) dump() {
	w.t.Helper()
	if w.memory != nil {
		for _, id := range w.ids {
			r, err := w.memory.Load(w.t.Context(), id)
			require.NoError(w.t, err)
			text, err := r.Progress.MarshalText()
			require.NoError(w.t, err)
			w.tap.show("row", r)
			w.tap.add("database", string(text))
		}
		return
	}
	names := w.query(`SELECT name FROM sqlite_master WHERE type = 'table'`)
	require.NotEmpty(w.t, names)
	for _, name := range names {
		for _, value := range w.query(`SELECT * FROM "` + name + `"`) { //nolint:unqueryvet // all of it
			w.tap.add("database", name+" "+value)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(w.file + suffix)
		if !errors.Is(err, os.ErrNotExist) {
			require.NoError(w.t, err)
			w.tap.add("database file", string(content))
		}
	}
}

// text is a value as it is stored.
func text(scanned any) string {
	v, _ := scanned.(*any)
	if raw, ok := (*v).([]byte); ok {
		return string(raw)
	}
	return fmt.Sprint(*v)
}

// query returns every value of every row.
func (w *world) query(query string) (all []string) {
	w.t.Helper()
	rows, err := w.db.Query(query)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(w.t, err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		require.NoError(w.t, rows.Scan(values...))
		for _, v := range values {
			all = append(all, text(v))
		}
	}
	require.NoError(w.t, rows.Err())
	return all
}
