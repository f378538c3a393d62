package contract

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

// A mock is stripe-mock, in process: it refuses what the specification of
// 2024-09-30 does not allow, except names it does not know inside a hash. The
// answers it gives are of little use.
type mock struct {
	handle http.HandlerFunc

	mu       sync.Mutex
	accepted map[string]int // by method and path
	refused  []string
}

// stubServer keeps no state, so one will do.
var stubServer = sync.OnceValues(func() (*server.StubServer, error) {
	spec, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		return nil, err
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		return nil, err
	}
	return server.NewStubServer(fixtures, spec, false, false)
})

func newMock(t *testing.T) (*mock, *stripeport.Provider) {
	t.Helper()
	stub, err := stubServer()
	require.NoError(t, err)
	m := &mock{handle: stub.HandleRequest, accepted: map[string]int{}}
	p, err := stripeport.New("sk_test_123", &stripeport.Options{BaseURL: "http://127.0.0.1", HTTPClient: &http.Client{Transport: m}})
	require.NoError(t, err)
	return m, p
}

// RoundTrip asks stripe-mock, and notes what it says.
func (m *mock) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: http.Header{}}
	sent := ""
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		sent, r.Body = string(body), io.NopCloser(bytes.NewReader(body))
	}
	if r.Body == nil { // as a client may leave it, and a handler never finds it
		r.Body = http.NoBody
	}
	m.handle(w, r)
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.status == http.StatusOK {
		m.accepted[r.Method+" "+template(r.URL.Path)]++
	} else {
		m.refused = append(m.refused, r.Method+" "+r.URL.String()+" "+sent+": "+w.body.String())
	}
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r}, nil
}

// take returns what was refused since the last time.
func (m *mock) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	refused := m.refused
	m.refused = nil
	return refused
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

// notStripes are the parameters of params.txt that stripe-mock does not know.
var notStripes = map[string]string{
	"payment_method_data[alipayplus][payment_code]":  "WooshPay's",
	"payment_method_data[fpx][account_holder_type]":  "in 2024-06-20, see stripe-go v79; not in 2024-09-30",
	"payment_method_data[wechat_pay][payment_code]":  "WooshPay's",
	"payment_method_options[card][moto]":             "in 2024-06-20, see stripe-go v79; not in 2024-09-30",
	"payment_method_options[link][persistent_token]": "in 2024-06-20, see stripe-go v79; not in 2024-09-30",
}

// TestCreateParameters sends each documented parameter of a create by itself,
// with what it needs beside it.
func TestCreateParameters(t *testing.T) {
	t.Parallel()
	m, p := newMock(t)
	create := requestOf(at(fullSpec(), "paths", "/v1/setup_intents", "post"))
	file, err := os.ReadFile("../../../setupintent/params.txt")
	require.NoError(t, err)
	names := strings.Fields(string(file))
	for _, name := range names {
		if notStripes[name] != "" {
			require.Nil(t, create.value(segments(name)), name)
			continue
		}
		extra, _ := create.value(segments(name)).(map[string]any)
		require.NotEmpty(t, extra, name)
		request := setupintent.IntentRequest{Extra: extra}
		require.NoError(t, request.Validate(), name)
		_, err := p.CreateIntent(t.Context(), request)
		require.Empty(t, m.take(), name)
		require.NoError(t, err, name)
	}

	// It would say so if it did not.
	for name, extra := range map[string]map[string]any{
		"unknown":       {"surprise": "x"},
		"lacks another": {"single_use": map[string]any{"amount": 1}},
		"not listed":    {"flow_directions": []any{"sideways"}},
		"not a boolean": {"attach_to_self": "perhaps"},
		"of a page":     {"payment_method_data": map[string]any{"type": "card"}}, // Stripe.js sends it all the same
	} {
		_, err := p.CreateIntent(t.Context(), setupintent.IntentRequest{Extra: extra})
		require.ErrorIs(t, err, setupintent.ErrRefused, name)
		require.Len(t, m.take(), 1, name)
	}

	for name, request := range map[string]setupintent.IntentRequest{
		"none":                 {},
		"Customer":             {Customer: "cus_1"},
		"Description":          {Description: "d"},
		"Metadata":             {Metadata: map[string]string{"a": "b", "c d": "é"}},
		"PaymentMethod":        {PaymentMethod: "pm_1"},
		"PaymentMethodTypes":   {PaymentMethodTypes: []string{"card", "link"}},
		"Usage":                {Usage: "on_session"},
		"Key":                  {Key: "k"},
		"all, and a timestamp": {Customer: "cus_1", Description: "d", Metadata: map[string]string{"a": "b"}, PaymentMethod: "pm_1", Usage: "off_session", NotAfter: time.Now().Add(time.Hour)},
	} {
		_, err := p.CreateIntent(t.Context(), request)
		require.Empty(t, m.take(), name)
		require.NoError(t, err, name)
	}
	t.Logf("stripe-mock accepts %d of the %d parameters of params.txt, each by itself; the others are not in it: %v",
		len(names)-len(notStripes), len(names), slices.Sorted(maps.Keys(notStripes)))
}

var segment = regexp.MustCompile(`[^\[\]]+`)

// segments are the names that lead to a parameter.
func segments(name string) []string { return segment.FindAllString(name, -1) }

// TestOtherCalls makes every call of a Provider, with everything that it sends
// by itself.
func TestOtherCalls(t *testing.T) {
	t.Parallel()
	m, p := newMock(t)
	update := requestOf(at(fullSpec(), "paths", "/v1/setup_intents/{intent}", "post"))
	confirm := requestOf(at(fullSpec(), "paths", "/v1/setup_intents/{intent}/confirm", "post"))
	extras := 0
	for _, path := range update.paths() {
		extra, _ := update.value(path).(map[string]any)
		_, err := p.UpdateIntent(t.Context(), "seti_1", stripeport.UpdateRequest{Extra: extra})
		require.NoError(t, err, path)
		extras++
	}
	for _, path := range confirm.paths() {
		if path[0] == "client_secret" { // a page's
			continue
		}
		extra, _ := confirm.value(path).(map[string]any)
		_, err := p.ConfirmIntent(t.Context(), "seti_1", stripeport.ConfirmRequest{Extra: extra})
		require.NoError(t, err, path)
		extras++
	}
	now := time.Now()
	const id, customer = "seti_1", "cus_1"
	for name, call := range map[string]func(context.Context) error{
		"get": func(ctx context.Context) error { _, err := p.GetIntent(ctx, id); return err },
		"update": func(ctx context.Context) error {
			_, err := p.UpdateIntent(ctx, id, stripeport.UpdateRequest{
				Customer: customer, Description: "d", PaymentMethod: "pm_1", Metadata: map[string]string{"a": "b", "gone": ""},
			})
			return err
		},
		"confirm": func(ctx context.Context) error {
			_, err := p.ConfirmIntent(ctx, id, stripeport.ConfirmRequest{Key: "k", PaymentMethod: "pm_1", ReturnURL: "https://app.test/"})
			return err
		},
		"cancel":           func(ctx context.Context) error { _, err := p.CancelIntent(ctx, id, ""); return err },
		"cancel abandoned": func(ctx context.Context) error { _, err := p.CancelIntent(ctx, id, "abandoned"); return err },
		"list":             func(ctx context.Context) error { _, err := p.ListIntents(ctx, now, now, "seti_2"); return err },
		"list all": func(ctx context.Context) error {
			_, err := p.ListIntents(ctx, time.Time{}, time.Time{}, "")
			return err
		},
		"attach": func(ctx context.Context) error { return p.AttachPaymentMethod(ctx, "pm_1", customer) },
		"create customer": func(ctx context.Context) error {
			_, err := p.CreateCustomer(ctx, setupintent.CustomerRequest{
				Email: "a@example.com", Name: "A", Metadata: map[string]string{"a": "b"},
				Extra: map[string]any{"phone": "1", "shipping": map[string]any{"name": "A", "address": map[string]any{"line1": "1"}}},
			})
			return err
		},
		"list customers": func(ctx context.Context) error { _, err := p.ListCustomers(ctx, now, now, customer); return err },
		"customer session": func(ctx context.Context) error {
			_, err := p.CustomerSession(ctx, customer, map[string]any{"payment_element": map[string]any{"enabled": true}})
			return err
		},
		"ephemeral key": func(ctx context.Context) error {
			_, err := p.EphemeralKey(ctx, customer, "2024-06-20")
			return err
		},
		"webhook endpoint": func(ctx context.Context) error {
			_, err := p.WebhookEndpoint(ctx, "https://app.test/webhooks")
			return err
		},
		"ensure webhook endpoint": func(ctx context.Context) error {
			_, err := p.EnsureWebhookEndpoint(ctx, "https://app.test/webhooks", nil)
			return err
		},
	} {
		// What it answers is often not what the call is after.
		if err := call(t.Context()); err != nil {
			t.Logf("%s: %v", name, err)
		}
		require.Empty(t, m.take(), name)
	}
	accepted := 0
	for _, n := range m.accepted {
		accepted += n
	}
	t.Logf("stripe-mock accepts %d requests to %d operations, %d of them for one parameter: %v", accepted, len(m.accepted), extras, m.accepted)
}
