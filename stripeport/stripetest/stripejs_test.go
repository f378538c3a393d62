package stripetest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// What the script does is tested in a browser, in internal/integration/e2e.
func TestStripeJS(t *testing.T) {
	t.Parallel()
	fake := stripetest.NewServer(t, nil)
	get := func(method, path string) (status int, contentType, body string) {
		r, err := http.NewRequestWithContext(context.Background(), method, fake.URL+path, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Origin", "https://shop.example")
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
		return response.StatusCode, response.Header.Get("Content-Type"), string(text)
	}
	for path, version := range map[string]string{
		"/v3": "3", "/v3/": "3", "/v3/?advancedFraudSignals=false": "3", "/v3/stripe.js": "3",
		"/basil/stripe.js": `"basil"`, "/endive/stripe.js": `"endive"`,
	} {
		status, contentType, script := get(http.MethodGet, path)
		require.Equal(t, http.StatusOK, status, path)
		require.Equal(t, "text/javascript; charset=utf-8", contentType)
		require.Contains(t, script, `const served = {"base":"`+fake.URL+`","version":`+version+`};`)
		require.Contains(t, script, "A STAND-IN FOR STRIPE.JS")
		for _, part := range []string{"class API ", "class Elements ", "function challenge(", "function checkNumber(", "window.Stripe = "} {
			require.Equal(t, 1, strings.Count(script, part), part)
		}
	}
	status, _, body := get(http.MethodHead, "/v3/")
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, body)
	status, _, _ = get(http.MethodOptions, "/v3/")
	require.Equal(t, http.StatusOK, status)
	status, _, body = get(http.MethodPost, "/v3/")
	require.Equal(t, http.StatusMethodNotAllowed, status)
	require.Contains(t, body, "Unrecognized request URL (POST: /v3/)")
	for _, path := range []string{"/v3/x", "/v3x", "/Endive/stripe.js", "/a/b/stripe.js", "//stripe.js", "/stripe.js", "/v1/stripe.js"} {
		status, _, _ := get(http.MethodGet, path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	require.Zero(t, fake.Count("GET /v3/"))
}
