package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79/webhook"
)

func TestServes(t *testing.T) {
	t.Parallel()
	p := start(t)
	require.Equal(t, "keys: sk_test_demo pk_test_demo", p.second)
	made := p.call(t, http.MethodPost, "/v1/setup_intents", "sk_test_demo", "confirm=true&payment_method=pm_card_authenticationRequired&return_url=https://example.com/back")
	require.Equal(t, "requires_action", made["status"], made)
	id, _ := made["id"].(string)
	got := p.call(t, http.MethodGet, "/v1/setup_intents/"+id, "sk_test_demo", "")
	require.Equal(t, made, got)

	// The bank's page is where the client can reach it.
	action, _ := got["next_action"].(map[string]any)
	redirect, _ := action["redirect_to_url"].(map[string]any)
	require.Contains(t, redirect["url"], p.url+"/")
	p.call(t, http.MethodPost, "/_stripetest/setup_intents/"+id, "", `{"outcome":"succeed"}`)
	require.Equal(t, "succeeded", p.call(t, http.MethodGet, "/v1/setup_intents/"+id, "sk_test_demo", "")["status"])
	p.stop()
	require.Empty(t, p.stderr.String())
}

func TestKeys(t *testing.T) {
	t.Parallel()
	p := start(t, "-secret-key", "sk_test_mine", "-publishable-key", "pk_test_mine", "-v")
	require.Contains(t, p.call(t, http.MethodPost, "/v1/customers", "sk_test_mine", ""), "id")
	require.Contains(t, p.call(t, http.MethodPost, "/v1/customers", "sk_test_demo", ""), "error")
	p.stop()
	require.Contains(t, p.stderr.String(), "/v1/customers")
	require.NotContains(t, p.stderr.String(), "sk_test_")
}

func TestAccount(t *testing.T) {
	t.Parallel()
	p := start(t, "-payment-method-types", "card,us_bank_account", "-api-version", "2026-03-25.dahlia")
	made := p.call(t, http.MethodPost, "/v1/setup_intents", "sk_test_demo", "")
	require.Equal(t, []any{"card", "us_bank_account"}, made["payment_method_types"])
	events, _ := p.call(t, http.MethodGet, "/v1/events", "sk_test_demo", "")["data"].([]any)
	require.Len(t, events, 1)
	require.Equal(t, "2026-03-25.dahlia", events[0].(map[string]any)["api_version"])
}

func TestStateSurvives(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	first := start(t, "-state", file)
	made := first.call(t, http.MethodPost, "/v1/setup_intents", "sk_test_demo", "metadata[a]=b")
	first.stop()
	second := start(t, "-state", file)
	id, _ := made["id"].(string)
	require.Equal(t, made, second.call(t, http.MethodGet, "/v1/setup_intents/"+id, "sk_test_demo", ""))
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	types := make(chan string, 10)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		event, err := webhook.ConstructEvent(body, r.Header.Get("Stripe-Signature"), "whsec_mine")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		types <- string(event.Type)
	}))
	t.Cleanup(endpoint.Close)
	p := start(t, "-webhook", endpoint.URL, "-webhook-secret", "whsec_mine")
	p.call(t, http.MethodPost, "/v1/customers", "sk_test_demo", "email=a@example.com")
	p.call(t, http.MethodPost, "/_stripetest/webhooks/wait", "", "")
	require.NotEmpty(t, types, "no event that verifies")
	require.Equal(t, "customer.created", <-types)
}

// Neither a call that hangs nor one that is slow keeps the program from ending,
// and the slow one is answered.
func TestEnds(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.call(t, http.MethodPost, "/_stripetest/faults", "", `{"kind":"hang","path":"/v1/customers"}`)
	p.call(t, http.MethodPost, "/_stripetest/latency", "", `{"path":"/v1/setup_intents","ms":3600000}`)
	hung, slow := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := p.try(t.Context(), http.MethodPost, "/v1/customers", "sk_test_demo", "")
		hung <- err
	}()
	go func() {
		_, err := p.try(t.Context(), http.MethodPost, "/v1/setup_intents", "sk_test_demo", "")
		slow <- err
	}()
	// Not by require.Eventually: its condition is in a goroutine that can't end the test.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for begun, end := false, time.Now().Add(30*time.Second); !begun; <-tick.C {
		require.True(t, time.Now().Before(end), "the calls have not begun")
		counts, _ := p.call(t, http.MethodGet, "/_stripetest/calls", "", "")["counts"].(map[string]any)
		begun = counts["POST /v1/setup_intents"] != nil && counts["POST /v1/customers"] != nil
	}
	p.stop()
	require.Error(t, <-hung)
	require.NoError(t, <-slow)
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	for name, tt := range map[string]struct {
		args []string
		err  string
	}{
		"argument":     {[]string{"x"}, `unexpected argument "x"`},
		"flag":         {[]string{"-x"}, "-x"},
		"live key":     {[]string{"-secret-key", "sk_live_1"}, "sk_test_"},
		"same key":     {[]string{"-publishable-key", "sk_test_1"}, "pk_test_"},
		"version":      {[]string{"-api-version", "newest"}, "newest"},
		"types":        {[]string{"-payment-method-types", "card,cheque"}, "cheque"},
		"webhook":      {[]string{"-webhook", "127.0.0.1:1"}, "127.0.0.1:1"},
		"state":        {[]string{"-state", t.TempDir()}, "state file"},
		"address":      {[]string{"-addr", taken.Addr().String()}, "in use"},
		"help is none": {[]string{"-h"}, "help"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout bytes.Buffer
			require.ErrorContains(t, run(t.Context(), tt.args, &stdout, io.Discard), tt.err)
			require.Empty(t, stdout.String())
		})
	}
}

func TestHostPort(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]net.TCPAddr{
		"127.0.0.1:1": {IP: net.IPv4(127, 0, 0, 1), Port: 1},
		"[::1]:2":     {IP: net.IPv6loopback, Port: 2},
		"localhost:3": {IP: net.IPv4zero, Port: 3},
		"localhost:4": {IP: net.IPv6unspecified, Port: 4},
	} {
		require.Equal(t, want, hostPort(&a))
	}
}

// program is the program, running.
type program struct {
	url, second string // of the lines printed
	stderr      bytes.Buffer
	client      http.Client
	stop        func() // and see that it ends well
}

// start runs the program on a free port, until stop or the test's end.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	transport := new(http.Transport)
	p := &program{client: http.Client{Transport: transport}}
	ctx, cancel := context.WithCancel(context.Background())
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), stdout, &p.stderr)
		_ = stdout.CloseWithError(err)
		ended <- err
	}()
	p.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections() // or the server waits for one that was never used
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(p.stop)

	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), lines.Err())
	var ok bool
	p.url, ok = strings.CutPrefix(lines.Text(), "fake Stripe: ")
	require.True(t, ok, lines.Text())
	require.True(t, lines.Scan(), lines.Err())
	p.second = lines.Text()
	return p
}

func (p *program) call(t *testing.T, method, path, key, body string) map[string]any {
	t.Helper()
	document, err := p.try(t.Context(), method, path, key, body)
	require.NoError(t, err)
	return document
}

// try sends a form with a key, or JSON to the control API without one.
func (p *program) try(ctx context.Context, method, path, key, body string) (document map[string]any, err error) {
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return document, json.NewDecoder(resp.Body).Decode(&document)
}
