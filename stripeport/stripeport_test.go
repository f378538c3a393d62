package stripeport_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for key, live := range map[string]bool{
		"sk_test_1": false, "rk_test_1": false, "sk_live_1": true, "rk_live_1": true,
	} {
		p, err := stripeport.New(key, nil)
		require.NoError(t, err, key)
		require.Equal(t, live, p.Live(), key)
	}
	for name, key := range map[string]string{
		"empty":       "",
		"publishable": "pk_test_1",
		"prefix only": "sk_test_",
		"newline":     "sk_test_1SECRET\n",
		"header":      "sk_test_1SECRET\r\nX: y",
		"space":       " sk_test_1SECRET",
		"other":       "whsec_SECRET",
		"ephemeral":   "ek_test_SECRET",
	} {
		p, err := stripeport.New(key, nil)
		require.Error(t, err, name)
		require.Nil(t, p, name)
		require.NotContains(t, err.Error(), "SECRET", name)
	}
}

func TestNewBaseURL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		url, key string
		ok       bool
	}{
		{"", "sk_live_1", true},
		{"https://api.stripe.com", "sk_live_1", true},
		{"https://api.stripe.com/", "sk_live_1", true},
		{"https://api.stripe.com/v1", "sk_live_1", true},
		{"https://127.0.0.1:9", "sk_live_1", true},
		{"http://127.0.0.1:9", "sk_test_1", true},
		{"http://127.8.8.8:9", "sk_test_1", true},
		{"http://[::1]:9", "rk_test_1", true},
		{"http://localhost:9", "sk_test_1", true},
		{"http://LOCALHOST:9", "sk_test_1", true},
		{"http://127.0.0.1:9", "sk_live_1", false},
		{"http://localhost:9", "rk_live_1", false},
		{"http://api.stripe.com", "sk_test_1", false},
		{"http://localhost.example.com", "sk_test_1", false},
		{"http://127.0.0.1.example.com", "sk_test_1", false},
		{"http://0.0.0.0:9", "sk_test_1", false},
		{"http://10.0.0.1:9", "sk_test_1", false},
		{"ftp://localhost", "sk_test_1", false},
		{"localhost:9", "sk_test_1", false},
		{"//api.stripe.com", "sk_test_1", false},
		{"https://", "sk_test_1", false},
		{"https://user:PASSWORD@api.stripe.com", "sk_test_1", false},
		{"https://user:PASSWORD@api.stripe.com:x", "sk_test_1", false},
		{"https://api.stripe.com?a=b", "sk_test_1", false},
		{"https://api.stripe.com?", "sk_test_1", false},
		{"https://api.stripe.com#a", "sk_test_1", false},
	} {
		_, err := stripeport.New(tc.key, &stripeport.Options{BaseURL: tc.url})
		if tc.ok {
			require.NoError(t, err, tc.url)
			continue
		}
		require.Error(t, err, tc.url)
		require.NotContains(t, err.Error(), "PASSWORD")
	}
}

func TestNewAccount(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"acct", "cus_1", "acct_1\r\nX: y", "acct_1 "} {
		_, err := stripeport.New(testKey, &stripeport.Options{Account: account})
		require.Error(t, err, account)
	}
	s := serve(t, ok())
	p := s.provider(t, func(o *stripeport.Options) { o.Account = "acct_1" })
	for name, call := range calls(p, "seti_1Abc") {
		_, _ = call(context.Background())
		seen := s.seen()
		require.Equal(t, "acct_1", seen[len(seen)-1].header.Get("Stripe-Account"), name)
	}
}

// The caller's client stays as it was, and what it does for redirects or lacks
// in timeouts does not matter.
func TestHTTPClientIsCopied(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusFound, "", "Location", "/elsewhere"), ok())
	client := s.Client()
	before := *client
	p := s.provider(t, func(o *stripeport.Options) { o.HTTPClient = client })
	_, err := p.GetIntent(context.Background(), "seti_1Abc")
	require.Error(t, err)
	require.Len(t, s.seen(), 1)
	require.Equal(t, before.Timeout, client.Timeout)
	require.Nil(t, client.CheckRedirect)
	require.Same(t, before.Transport, client.Transport)

	_, err = p.GetIntent(context.Background(), "seti_1Abc")
	require.NoError(t, err)
}

func TestNilHTTPClientInOptions(t *testing.T) {
	t.Parallel()
	s := serve(t, ok())
	p := s.provider(t, func(o *stripeport.Options) { o.HTTPClient = (*http.Client)(nil) })
	_, err := p.GetIntent(context.Background(), "seti_1Abc")
	require.NoError(t, err)
}

// A Provider does not show its key, however it is printed.
func TestProviderIsPrintable(t *testing.T) {
	t.Parallel()
	p, err := stripeport.New(testKey, nil)
	require.NoError(t, err)
	type holder struct{ p *stripeport.Provider }
	for _, v := range []any{p, *p, holder{p}, &holder{p}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			require.NotContains(t, fmt.Sprintf(verb, v), testKey)
		}
	}
}

func TestContextIsHonoured(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	p := s.provider(t)
	for name, call := range allCalls(p, "seti_1Abc") {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-arrived
			cancel()
		}()
		n := len(s.seen())
		_, err := call(ctx)
		require.ErrorIs(t, err, context.Canceled, name)
		require.Len(t, s.seen(), n+1, name)

		_, err = call(ctx)
		require.ErrorIs(t, err, context.Canceled, name)
		require.Len(t, s.seen(), n+1, "%s: a dead context sends nothing", name)
	}
}

// A dead context sends nothing, even if the transport would.
func TestDeadContext(t *testing.T) {
	t.Parallel()
	p, err := stripeport.New(testKey, &stripeport.Options{HTTPClient: &http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			require.Fail(t, "it was sent")
			return nil, http.ErrServerClosed
		}),
	}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, call := range allCalls(p, "seti_1Abc") {
		_, err := call(ctx)
		require.ErrorIs(t, err, context.Canceled, name)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := serve(t, ok())
	p := s.provider(t)
	done := make(chan error)
	for range 8 {
		go func() {
			for name, call := range calls(p, "seti_1Abc") {
				if _, err := call(context.Background()); err != nil && name != "list" {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
}
