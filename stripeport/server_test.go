package stripeport_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

const (
	testKey = "sk_test_51Hcanarykey"
	canary  = "seti_1Abc_secret_CANARY7hJ2"
)

// reply is one scripted answer.
type reply func(w http.ResponseWriter, r *http.Request)

func answer(status int, body string, header ...string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", "req_1")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangUp closes the connection unanswered.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// failWith is Stripe's error object; fields are further JSON members of it.
func failWith(typ, code string, fields ...string) string {
	return fmt.Sprintf(`{"error":{"type":%q,"code":%q,"message":"A text.","doc_url":"https://stripe.com/docs"%s}}`,
		typ, code, strings.Join(append([]string{""}, fields...), ","))
}

// intentJSON is a SetupIntent as Stripe sends it; fields come last, so that
// they replace.
func intentJSON(fields ...string) string {
	return `{"id":"seti_1Abc","object":"setup_intent","application":null,"automatic_payment_methods":{"allow_redirects":"never","enabled":true},` +
		`"cancellation_reason":null,"client_secret":"` + canary + `","created":1700000000,"customer":null,"description":null,` +
		`"flow_directions":null,"last_setup_error":null,"latest_attempt":null,"livemode":false,"mandate":null,"metadata":{},` +
		`"next_action":null,"on_behalf_of":null,"payment_method":null,"payment_method_types":["card"],"single_use_mandate":null,` +
		`"status":"requires_payment_method","usage":"off_session"` + strings.Join(append([]string{""}, fields...), ",") + `}`
}

func ok(fields ...string) reply { return answer(http.StatusOK, intentJSON(fields...)) }

// request is one that the server has seen.
type request struct {
	method, uri string
	header      http.Header
	body        string
}

// server answers by a script, whose last reply it repeats.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

func serve(t *testing.T, script ...reply) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := min(len(s.requests), len(script)-1)
		s.requests = append(s.requests, request{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
		s.mu.Unlock()
		script[n](w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// provider returns a Provider of the server that does not sleep.
func (s *server) provider(t *testing.T, opts ...func(*stripeport.Options)) *stripeport.Provider {
	t.Helper()
	o := &stripeport.Options{BaseURL: s.URL}
	for _, set := range opts {
		set(o)
	}
	p, err := stripeport.New(testKey, o)
	require.NoError(t, err)
	p.SetSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return p
}

// calls makes every call there is, each on the intent with the id.
func calls(p *stripeport.Provider, id string) map[string]func(context.Context) (any, error) {
	return map[string]func(context.Context) (any, error){
		"create": func(ctx context.Context) (any, error) {
			return p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
		},
		"get":     func(ctx context.Context) (any, error) { return p.GetIntent(ctx, id) },
		"cancel":  func(ctx context.Context) (any, error) { return p.CancelIntent(ctx, id, "abandoned") },
		"list":    func(ctx context.Context) (any, error) { return p.ListIntents(ctx, time.Time{}, time.Time{}, "") },
		"update":  func(ctx context.Context) (any, error) { return p.UpdateIntent(ctx, id, stripeport.UpdateRequest{}) },
		"confirm": func(ctx context.Context) (any, error) { return p.ConfirmIntent(ctx, id, stripeport.ConfirmRequest{}) },
	}
}

// allCalls are those of calls, and those that are answered with something else
// than an intent.
func allCalls(p *stripeport.Provider, id string) map[string]func(context.Context) (any, error) {
	all := calls(p, id)
	metadata := map[string]string{"row": "1"}
	maps.Copy(all, map[string]func(context.Context) (any, error){
		"create customer": func(ctx context.Context) (any, error) {
			return p.CreateCustomer(ctx, setupintent.CustomerRequest{Key: "customer", Metadata: metadata})
		},
		"list customers": func(ctx context.Context) (any, error) {
			return p.ListCustomers(ctx, time.Time{}, time.Time{}, "")
		},
		"attach":           func(ctx context.Context) (any, error) { return nil, p.AttachPaymentMethod(ctx, "pm_1", "cus_1") },
		"ephemeral key":    func(ctx context.Context) (any, error) { return p.EphemeralKey(ctx, "cus_1", "2024-06-20") },
		"customer session": func(ctx context.Context) (any, error) { return p.CustomerSession(ctx, "cus_1", paymentElement()) },
		"find endpoint":    func(ctx context.Context) (any, error) { return p.WebhookEndpoint(ctx, "https://app.example/hook") },
		"ensure endpoint": func(ctx context.Context) (any, error) {
			return p.EnsureWebhookEndpoint(ctx, "https://app.example/hook", nil)
		},
	})
	return all
}

func paymentElement() map[string]any {
	return map[string]any{"payment_element": map[string]any{"enabled": true}}
}

// list is a page of a list.
func list(more bool, objects ...string) string {
	return fmt.Sprintf(`{"object":"list","url":"/v1/x","has_more":%t,"data":[%s]}`, more, strings.Join(objects, ","))
}
