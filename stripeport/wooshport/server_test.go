package wooshport_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

const (
	testKey = "sk_test_Y2FuYXJ5OkNBTkFSWQ=="
	canary  = "pi_1762686851044343808_secret_CANARYd4j8HqTUZNGgvC"
	intent  = "seti_1953770262453288960"
)

// reply is one scripted answer.
type reply func(w http.ResponseWriter, r *http.Request)

func answer(status int, body string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangUp closes the connection unanswered.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// intentJSON is a SetupIntent as WooshPay's document has it; fields come last, so
// that they replace.
func intentJSON(fields ...string) string {
	return `{"id":"` + intent + `","object":"setup_intent","cancellation_reason":null,"client_secret":"` + canary + `","created":1754650104000,` +
		`"customer":null,"description":null,"last_setup_error":null,"latest_attempt":null,"livemode":false,"mandate":null,"metadata":{},` +
		`"next_action":null,"payment_method":null,"payment_method_options":{"card":{"request_three_d_secure":"automatic"}},` +
		`"payment_method_types":["card"],"single_use_mandate":null,"status":"requires_payment_method","return_url":null` +
		strings.Join(append([]string{""}, fields...), ",") + `}`
}

func ok(fields ...string) reply { return answer(http.StatusOK, intentJSON(fields...)) }

// request is one that the server has seen.
type request struct {
	method, uri string
	header      http.Header
	body        string
	connection  string // of the client
}

// server answers by a script, whose last reply it repeats.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

func serve(t testing.TB, script ...reply) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := min(len(s.requests), len(script)-1)
		s.requests = append(s.requests, request{r.Method, r.RequestURI, r.Header.Clone(), string(body), r.RemoteAddr})
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
func (s *server) provider(t testing.TB, opts ...func(*wooshport.Options)) *wooshport.Provider {
	t.Helper()
	o := &wooshport.Options{BaseURL: s.URL, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	for _, set := range opts {
		set(o)
	}
	p, err := wooshport.New(testKey, o)
	require.NoError(t, err)
	return p
}

func withKeys(o *wooshport.Options) { o.IdempotencyKeys = true }

// calls makes every call there is.
func calls(p *wooshport.Provider) map[string]func(context.Context) (setupintent.Intent, error) {
	return map[string]func(context.Context) (setupintent.Intent, error){
		"create": func(ctx context.Context) (setupintent.Intent, error) {
			return p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k"})
		},
		"get":    func(ctx context.Context) (setupintent.Intent, error) { return p.GetIntent(ctx, intent) },
		"cancel": func(ctx context.Context) (setupintent.Intent, error) { return p.CancelIntent(ctx, intent, "abandoned") },
		"confirm": func(ctx context.Context) (setupintent.Intent, error) {
			return p.ConfirmIntent(ctx, intent, wooshport.ConfirmRequest{ReturnURL: "https://app.example/back"})
		},
	}
}
