package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestSignup(t *testing.T) {
	t.Parallel()
	d := start(t, "-v") // its log is looked at, too
	created := d.post(t, prefix, `{"email":"a@example.com","company":"x"}`)
	require.Equal(t, http.StatusCreated, created.status, created)
	id := created.text("pendingId")
	require.Regexp(t, idPattern, id)
	again := d.post(t, prefix, `{"email":" A@example.com ","passwordHash":"0123456789","utm":{"source":"y"}}`)
	require.Equal(t, http.StatusOK, again.status)
	require.Equal(t, id, again.text("pendingId"))
	require.Empty(t, again.header.Get("X-Signup-Token"), "whoever knows the e-mail gets no token of the account")

	// Everybody at once, before there is an intent, and then one by one.
	all := make([]answer, 64)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = d.post(t, prefix+"/"+id+"/setup-intent", "") })
	}
	wg.Wait()
	for _, a := range all {
		require.Equal(t, http.StatusOK, a.status, a)
		require.Equal(t, all[0].body, a.body)
	}
	for range 50 {
		require.Equal(t, all[0].body, d.post(t, prefix+"/"+id+"/setup-intent", "").body)
	}
	intent, secret := all[0].text("setupIntentId"), all[0].text("clientSecret")
	require.Equal(t, []string{intent}, d.intents(t, id))

	confirm := func(paymentMethod string) answer {
		form := url.Values{"client_secret": {secret}, "payment_method": {paymentMethod}}
		return send(t, http.MethodPost, d.fakeURL+"/v1/setup_intents/"+intent+"/confirm", "pk_test_demo", form.Encode())
	}
	require.Equal(t, http.StatusPaymentRequired, confirm("pm_card_chargeDeclined").status)
	require.Equal(t, all[0].body, d.post(t, prefix+"/"+id+"/setup-intent", "").body)
	early := d.post(t, prefix+"/"+id+"/activate", `{"setupIntentId":"`+intent+`"}`)
	require.Equal(t, http.StatusBadRequest, early.status, early)
	require.Equal(t, "succeeded", confirm("pm_card_visa").text("status"))

	for range 2 {
		done := d.post(t, prefix+"/"+id+"/activate", `{"setupIntentId":"`+intent+`"}`)
		require.Equal(t, http.StatusOK, done.status, done)
		require.JSONEq(t, `{"userId":"`+id+`","email":"a@example.com"}`, done.body)
	}
	send(t, http.MethodPost, d.fakeURL+"/_stripetest/webhooks/wait", "", "") // each looks at its intent
	before := d.calls(t)
	over := d.post(t, prefix+"/"+id+"/setup-intent", "")
	require.Equal(t, http.StatusBadRequest, over.status)
	require.Equal(t, "already_active", over.text("detail"))
	require.Equal(t, before, d.calls(t), "an active row costs no call")

	taken := d.post(t, prefix, `{"email":"a@example.com"}`)
	require.Equal(t, http.StatusBadRequest, taken.status)
	require.Equal(t, "email_taken", taken.text("detail"))
	d.stop()
	require.NotContains(t, d.stderr.String(), "_secret_")
}

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.post(t, prefix, `{"email":"a@example.com"}`).text("pendingId")
	slow := send(t, http.MethodPost, d.fakeURL+"/_stripetest/latency", "", `{"ms":3000}`)
	require.Equal(t, http.StatusOK, slow.status, slow)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.site+prefix+"/"+id+"/setup-intent", http.NoBody)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(r) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.DeadlineExceeded)

	a := d.post(t, prefix+"/"+id+"/setup-intent", "")
	require.Equal(t, http.StatusOK, a.status, a)
	require.Equal(t, []string{a.text("setupIntentId")}, d.intents(t, id))
}

func TestStripeElsewhere(t *testing.T) {
	t.Parallel()
	fake := stripetest.NewServer(t, nil)
	d := start(t, "-stripe-url", fake.URL+"/")
	require.Equal(t, "Stripe: "+fake.URL, d.second)
	id := d.post(t, prefix, `{"email":"a@example.com"}`).text("pendingId")
	require.Equal(t, http.StatusOK, d.post(t, prefix+"/"+id+"/setup-intent", "").status)
	require.Equal(t, 1, fake.Count("POST /v1/setup_intents"))
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	d := start(t)
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		detail             string
	}{
		"no body":        {"POST", prefix, "", 422, `[{"type":"json_invalid","loc":["body"],"msg":"JSON decode error","input":null}]`},
		"no JSON":        {"POST", prefix, "email=a", 422, `[{"type":"json_invalid","loc":["body"],"msg":"JSON decode error","input":null}]`},
		"a list":         {"POST", prefix, "[]", 422, `[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":null}]`},
		"more than one":  {"POST", prefix, `{"email":"a@example.com"}{"email":"b@example.com"}`, 422, `[{"type":"json_invalid","loc":["body"],"msg":"JSON decode error","input":null}]`},
		"trailing":       {"POST", prefix, `{"email":"a@example.com"} x`, 422, `[{"type":"json_invalid","loc":["body"],"msg":"JSON decode error","input":null}]`},
		"no e-mail":      {"POST", prefix, `{"passwordHash":"0123456789"}`, 422, `[{"type":"missing","loc":["body","email"],"msg":"Field required","input":null}]`},
		"number":         {"POST", prefix, `{"email":1}`, 422, `[{"type":"string_type","loc":["body","email"],"msg":"Input should be a valid string","input":null}]`},
		"bad e-mail":     {"POST", prefix, `{"email":"A <a@example.com>"}`, 422, `[{"type":"value_error","loc":["body","email"],"msg":"value is not a valid email address","input":null}]`},
		"large":          {"POST", prefix, `{"x":"` + strings.Repeat("x", maxBody) + `"}`, 413, `"Request Entity Too Large"`},
		"large, after":   {"POST", prefix, `{"email":"a@example.com"}` + strings.Repeat(" ", maxBody), 413, `"Request Entity Too Large"`},
		"method":         {"GET", prefix, "", 405, `"Method Not Allowed"`},
		"inner method":   {"GET", prefix + "/0123456789abcdef01234567/setup-intent", "", 405, `"Method Not Allowed"`},
		"inner path":     {"POST", prefix + "/0123456789abcdef01234567/nothing", "", 404, `"Not Found"`},
		"unknown row":    {"POST", prefix + "/0123456789abcdef01234567/setup-intent", "", 404, `"pending_not_found"`},
		"malformed id":   {"POST", prefix + "/ABC/setup-intent", "", 422, ""},
		"no such intent": {"POST", prefix + "/0123456789abcdef01234567/activate", `{"setupIntentId":"seti_1"}`, 404, `"pending_not_found"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := send(t, tt.method, d.site+tt.path, "", tt.body)
			require.Equal(t, tt.status, a.status, a)
			require.Equal(t, "application/json", a.header.Get("Content-Type"))
			if tt.detail != "" {
				require.JSONEq(t, `{"detail":`+tt.detail+`}`, a.body)
			}
			if tt.status == http.StatusMethodNotAllowed {
				require.Contains(t, a.header.Get("Allow"), "POST")
			}
			require.Empty(t, d.calls(t))
		})
	}
}

// TestMediaType: a form is JSON, whether curl says so or not.
func TestMediaType(t *testing.T) {
	t.Parallel()
	d := start(t)
	for contentType, status := range map[string]int{
		"":                                  http.StatusCreated,
		"application/json":                  http.StatusCreated,
		"Application/JSON; charset=utf-8":   http.StatusCreated,
		"application/x-www-form-urlencoded": http.StatusCreated, // curl -d
		"text/plain":                        http.StatusUnsupportedMediaType,
		"multipart/form-data; boundary=x":   http.StatusUnsupportedMediaType,
		"json":                              http.StatusUnsupportedMediaType,
		";;;":                               http.StatusUnsupportedMediaType,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"email":"a%x@example.com","company":"x"}`, contentType)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.site+prefix, strings.NewReader(body))
			require.NoError(t, err)
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			resp, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, status, resp.StatusCode)
			require.Equal(t, status == http.StatusCreated, resp.Header.Get("X-Signup-Token") != "")
		})
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	d := start(t)
	page := send(t, "GET", d.site+"/", "", "")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, `data-publishable-key="pk_test_demo"`)
	require.Contains(t, page.body, `data-api="`+d.fakeURL+`"`)
	require.NotContains(t, page.body, "sk_test_")
	require.Contains(t, page.body, `data-stripe-js="`+d.fakeURL+`/v3/"`)
	require.Equal(t, http.StatusOK, send(t, "GET", d.fakeURL+"/v3/", "", "").status)
	policy := page.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "script-src 'self' "+d.fakeURL+";")
	require.Contains(t, policy, "connect-src 'self' "+d.fakeURL+";")
	require.Equal(t, "no-store", page.header.Get("Cache-Control"))
	require.Equal(t, "strict-origin", page.header.Get("Referrer-Policy"))
	for _, file := range regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(page.body, -1) {
		require.Equal(t, http.StatusOK, send(t, "GET", d.site+file[1], "", "").status, file[1])
	}
}

func TestPageOnStripe(t *testing.T) {
	t.Parallel()
	p := pageData(config{stripeURL: stripeAPI, publishableKey: "pk_live_1"})
	require.Equal(t, page{PublishableKey: "pk_live_1", StripeJS: "https://js.stripe.com/v3/", API: stripeAPI}, p)
	require.Equal(t, "default-src 'none'; script-src 'self' https://js.stripe.com https://*.js.stripe.com; connect-src 'self' https://api.stripe.com; "+
		"frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; "+
		"style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'", p.policy())
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args           []string
		secret, public string
		want           config
		err            string
	}{
		"fake": {want: config{secretKey: "sk_test_demo", publishableKey: "pk_test_demo"}},
		"Stripe": {
			secret: "sk_live_1", public: "pk_live_1",
			want: config{stripeURL: stripeAPI, secretKey: "sk_live_1", publishableKey: "pk_live_1"},
		},
		"elsewhere": {
			args: []string{"-stripe-url", "http://127.0.0.1:1/"}, secret: "rk_test_1", public: "pk_test_1",
			want: config{stripeURL: "http://127.0.0.1:1", secretKey: "rk_test_1", publishableKey: "pk_test_1"},
		},
		"elsewhere, live":  {args: []string{"-stripe-url", "https://a.example"}, secret: "sk_live_1", public: "pk_live_1", err: "live key"},
		"one key":          {secret: "sk_test_1", err: "both"},
		"the other key":    {public: "pk_test_1", err: "both"},
		"two modes":        {secret: "sk_live_1", public: "pk_test_1", err: "modes"},
		"no URL":           {args: []string{"-stripe-url", "127.0.0.1:1"}, err: "-stripe-url"},
		"URL with a query": {args: []string{"-stripe-url", "http://127.0.0.1:1?a=b"}, err: "-stripe-url"},
		"negative rate":    {args: []string{"-guest-rate", "-1"}, err: "-guest-rate"},
		"argument":         {args: []string{"x"}, err: `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"STRIPE_SECRET_KEY": tt.secret, "STRIPE_PUBLISHABLE_KEY": tt.public}
			got, err := configure(tt.args, func(k string) string { return env[k] }, io.Discard)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			tt.want.addr, tt.want.fakeAddr = "127.0.0.1:8080", "127.0.0.1:0"
			tt.want.ttl, tt.want.sweep, tt.want.audit, tt.want.metrics = 24*time.Hour, time.Second, time.Hour, "prometheus"
			tt.want.guestRate = 2
			require.Equal(t, store.SQLite, got.db.dialect)
			require.Equal(t, "cardonfile-demo.db", got.db.name)
			require.Equal(t, "cardonfile-demo.db.stripe", got.fakeState)
			got.db, got.fakeState = database{}, ""
			require.Equal(t, tt.want, got)
		})
	}
}

// demo is the program, running.
type demo struct {
	site, fakeURL string
	second        string // line printed
	stderr        bytes.Buffer
	stop          func() // and see that it ends well
}

// start runs the demo without keys on free ports and, unless told otherwise, in a
// directory of its own, until stop or the test's end.
func start(t *testing.T, args ...string) *demo {
	t.Helper()
	d := new(demo)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		args := append([]string{"-addr", "127.0.0.1:0", "-db", filepath.Join(dir, "demo.db")}, args...)
		err := run(ctx, args, func(string) string { return "" }, stdout, &d.stderr)
		_ = stdout.CloseWithError(err)
		ended <- err
	}()
	var once sync.Once
	d.stop = func() {
		once.Do(func() {
			http.DefaultClient.CloseIdleConnections() // or the server waits for one that was never used
			cancel()
			require.NoError(t, <-ended)
		})
	}
	t.Cleanup(d.stop)

	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), lines.Err())
	site, ok := strings.CutPrefix(lines.Text(), "signup page: ")
	require.True(t, ok && strings.HasSuffix(site, "/"), lines.Text())
	d.site = strings.TrimSuffix(site, "/")
	require.True(t, lines.Scan(), lines.Err())
	d.second = lines.Text()
	d.fakeURL, _ = strings.CutPrefix(d.second, "fake Stripe: ")
	require.True(t, lines.Scan(), lines.Err())
	return d
}

// post sends JSON to the demo, or nothing at all: no body, no Content-Type.
func (d *demo) post(t *testing.T, path, body string) answer {
	t.Helper()
	return send(t, http.MethodPost, d.site+path, "", body)
}

// intents returns the ids of the row's intents, as the fake has them.
func (d *demo) intents(t *testing.T, row string) (ids []string) {
	t.Helper()
	var list struct {
		Data []struct {
			ID       string
			Metadata map[string]string
		}
	}
	a := send(t, http.MethodGet, d.fakeURL+"/v1/setup_intents?limit=100", "sk_test_demo", "")
	require.NoError(t, json.Unmarshal([]byte(a.body), &list), a)
	for _, in := range list.Data {
		if in.Metadata["pending_user_id"] == row {
			ids = append(ids, in.ID)
		}
	}
	return ids
}

// calls returns how often the fake was called, by route, since the demo started.
func (d *demo) calls(t *testing.T) map[string]int {
	t.Helper()
	var calls struct{ Counts map[string]int }
	a := send(t, http.MethodGet, d.fakeURL+"/_stripetest/calls", "", "")
	require.NoError(t, json.Unmarshal([]byte(a.body), &calls), a)
	maps.DeleteFunc(calls.Counts, func(route string, _ int) bool { return strings.Contains(route, "/v1/webhook_endpoints") })
	return calls.Counts
}

// posts are the calls without those that the sweeper looks at rows by.
func (d *demo) posts(t *testing.T) map[string]int {
	t.Helper()
	calls := d.calls(t)
	maps.DeleteFunc(calls, func(route string, _ int) bool { return strings.HasPrefix(route, "GET ") })
	return calls
}

type answer struct {
	status int
	header http.Header
	body   string
}

// text returns a member of the answer that is a string.
func (a answer) text(member string) string {
	var v map[string]any
	_ = json.Unmarshal([]byte(a.body), &v) // no member is no text
	text, _ := v[member].(string)
	return text
}

// send sends a request: JSON, or a form if there is a key, or no body.
func send(t *testing.T, method, url, key, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	switch {
	case body == "":
		r.Body = http.NoBody
	case key == "":
		r.Header.Set("Content-Type", "application/json")
	default:
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	fake := stripetest.NewServer(t, nil)
	env := map[string]string{"STRIPE_SECRET_KEY": "sk_test_wrong", "STRIPE_PUBLISHABLE_KEY": "pk_test_wrong"}
	var stdout, stderr bytes.Buffer
	args := []string{"-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "demo.db"), "-stripe-url", fake.URL}
	err := run(t.Context(), args, func(k string) string { return env[k] }, &stdout, &stderr)
	require.ErrorIs(t, err, setupintent.ErrCredentials)
	require.Empty(t, stdout.String(), "it has not begun to serve")
	require.NotContains(t, err.Error()+stderr.String(), "sk_test_wrong")
}
