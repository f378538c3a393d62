package stripetest_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const (
	secret      = stripetest.DefaultSecretKey
	publishable = stripetest.DefaultPublishableKey
)

// noon is when the clock of a fake from newFake stands.
func noon() time.Time { return time.Date(2024, time.June, 20, 12, 0, 0, 0, time.UTC) }

// newFake returns a fake with no socket, whose clock stands still.
func newFake(t *testing.T) *stripetest.Server {
	t.Helper()
	return newFakeWith(t, &stripetest.Options{})
}

func newFakeWith(t *testing.T, opts *stripetest.Options) *stripetest.Server {
	t.Helper()
	if opts.Now == nil {
		opts.Now = noon
	}
	s, err := stripetest.New(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// backend is how stripe-go reaches a fake: once, with no retries of its own.
func backend(s *stripetest.Server) stripe.Backend {
	return stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String("http://stripe.test"),
		HTTPClient:        s.Client(),
		MaxNetworkRetries: stripe.Int64(0),
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
}

// reply is an answer of the fake, decoded.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// at returns what is at a dotted path of the body.
func (r reply) at(path string) any {
	var v any = r.body
	for _, name := range strings.Split(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (r reply) str(path string) string {
	s, _ := r.at(path).(string)
	return s
}

// send makes a call; headers come in pairs.
func send(t *testing.T, s *stripetest.Server, method, path, key, body string, headers ...string) reply {
	t.Helper()
	got, err := try(s, method, path, key, body, headers...)
	require.NoError(t, err)
	return got
}

func try(s *stripetest.Server, method, path, key, body string, headers ...string) (reply, error) {
	r, err := http.NewRequest(method, "http://stripe.test"+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.Client().Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	return readAll(response)
}

func readAll(response *http.Response) (reply, error) {
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	got := reply{status: response.StatusCode, header: response.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &got.body) // a fault's body need not be JSON
	return got, nil
}

func readReply(t *testing.T, response *http.Response) reply {
	t.Helper()
	got, err := readAll(response)
	require.NoError(t, err)
	return got
}

func get(t *testing.T, s *stripetest.Server, path string) reply {
	t.Helper()
	return send(t, s, http.MethodGet, path, secret, "")
}

func post(t *testing.T, s *stripetest.Server, path, body string, headers ...string) reply {
	t.Helper()
	return send(t, s, http.MethodPost, path, secret, body, headers...)
}

// control calls the control API.
func control(t *testing.T, s *stripetest.Server, method, path, document string) reply {
	t.Helper()
	return send(t, s, method, "/_stripetest/"+path, "", document)
}

// create makes an intent for cards.
func create(t *testing.T, s *stripetest.Server, more string) reply {
	t.Helper()
	got := post(t, s, "/v1/setup_intents", "payment_method_types[]=card"+more)
	require.Equal(t, http.StatusOK, got.status, got.raw)
	return got
}

// eventTypes lists the types of all events, the oldest first.
func eventTypes(t *testing.T, s *stripetest.Server) []string {
	t.Helper()
	types := []string{}
	for _, e := range data(get(t, s, "/v1/events?limit=100")) {
		types = append([]string{e["type"].(string)}, types...)
	}
	return types
}

// data is the objects on a page of a list.
func data(r reply) []map[string]any {
	list, _ := r.body["data"].([]any)
	objects := []map[string]any{}
	for _, obj := range list {
		objects = append(objects, obj.(map[string]any))
	}
	return objects
}

// ids are the ids of the objects on a page of a list.
func ids(r reply) []string {
	list := []string{}
	for _, obj := range data(r) {
		list = append(list, obj["id"].(string))
	}
	return list
}

func logger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
