package stripetest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	basic := func(user string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, "") }
	}
	bearer := func(key string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) }
	}
	tests := []struct {
		name    string
		sign    func(*http.Request)
		status  int
		message string
	}{
		{"bearer", bearer("sk_test_mine"), http.StatusOK, ""},
		{"basic", basic("sk_test_mine"), http.StatusOK, ""},
		{"none", func(*http.Request) {}, http.StatusUnauthorized, "You did not provide an API key. You need to provide your API key in the Authorization header," +
			" using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details," +
			" or we can help at https://support.stripe.com/."},
		{"wrong", bearer("sk_test_wrong1234"), http.StatusUnauthorized, "Invalid API Key provided: sk_test_*****1234"},
		{"live", bearer("sk_live_wrong1234"), http.StatusUnauthorized, "Invalid API Key provided: sk_live_*****1234"},
		{"short", basic("abc"), http.StatusUnauthorized, "Invalid API Key provided: ***"},
		{"publishable", bearer("pk_test_mine"), http.StatusUnauthorized, "This API call cannot be made with a publishable API key." +
			" Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFakeWith(t, &stripetest.Options{SecretKey: "sk_test_mine", PublishableKey: "pk_test_mine"})
			r, err := http.NewRequest(http.MethodGet, "http://stripe.test/v1/setup_intents", http.NoBody)
			require.NoError(t, err)
			tt.sign(r)
			response, err := s.Client().Do(r)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, tt.status, response.StatusCode)
			got := readReply(t, response)
			require.Equal(t, tt.message, got.str("error.message"))
			require.NotEmpty(t, response.Header.Get("Request-Id"))
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, opts := range []stripetest.Options{
		{SecretKey: "sk_live_x"},
		{SecretKey: "pk_test_x"},
		{PublishableKey: "sk_test_x"},
		{APIVersion: "soon"},
		{PaymentMethodTypes: []string{"gold"}},
		{Webhooks: []stripetest.Webhook{{URL: "/hook"}}},
		{Webhooks: []stripetest.Webhook{{URL: "http://x", APIVersion: "soon"}}},
		{StateFile: "/does/not/exist"},
		{Seed: 1, StateFile: "x"},
	} {
		_, err := stripetest.New(&opts)
		require.Error(t, err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for version, status := range map[string]int{
		"2024-06-20": 200, "2026-08-26.dahlia": 200, "2024-06-20; custom_checkout_beta=v1": 200,
		"soon": 400, "2024-13-01": 400, "2024-06-20.": 400, "2024-06-20.UP": 400,
	} {
		got := send(t, s, http.MethodGet, "/v1/setup_intents", secret, "", "Stripe-Version", version)
		require.Equal(t, status, got.status, version)
		if status == 200 {
			require.Equal(t, version, got.header.Get("Stripe-Version"))
		}
	}
}

func TestUnknownURLs(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for _, target := range []string{"GET /", "GET /v1", "GET /v1/foo", "GET /v1/setup_intents/a/b/c/d", "PUT /v1/setup_intents", "DELETE /v1/setup_intents/seti_x", "GET /v2/x", "HEAD /v1/x", "GET /v1/customers/search"} {
		method, path, _ := strings.Cut(target, " ")
		got := send(t, s, method, path, "", "")
		require.Equal(t, http.StatusNotFound, got.status, target)
		if method != http.MethodHead {
			require.Equal(t, "Unrecognized request URL ("+method+": "+path+"). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
				strings.Replace(got.str("error.message"), " If you are trying to list objects", "", 1), target)
		}
	}
	got := get(t, s, "/v1/setup_intents/")
	require.Equal(t, "Unrecognized request URL (GET: /v1/setup_intents/). If you are trying to list objects, remove the trailing slash."+
		" If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code."+
		" Please see https://stripe.com/docs or we can help at https://support.stripe.com/.", got.str("error.message"))
}

func TestPagesOfOtherOriginsMayCall(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for _, path := range []string{"/v1/setup_intents/seti_x/confirm", "/_stripetest/calls", "/redirect/authenticate/x"} {
		got := send(t, s, http.MethodOptions, path, "", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "*", got.header.Get("Access-Control-Allow-Origin"))
	}
	require.Empty(t, s.Calls())
}

func TestBodies(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	tests := []struct {
		name, contentType, body string
		status                  int
		message                 string
	}{
		{"form", "application/x-www-form-urlencoded; charset=utf-8", "description=a+b%21", 200, ""},
		{"none", "", "", 200, ""},
		{"empty JSON", "application/json", "", 200, ""},
		{"JSON", "application/json", "{}", 400, "Invalid request (check that your POST content type is application/x-www-form-urlencoded)." +
			" If you have any questions, we can help at https://support.stripe.com/."},
		{"no type", "", "a=b", 400, ""},
		{"bad escape", "application/x-www-form-urlencoded", "a=%zz", 400, "Invalid request: the parameters are not URL-encoded."},
		{"too deep", "application/x-www-form-urlencoded", "a" + strings.Repeat("[b]", 40) + "=1", 400, "Invalid request: the parameters are nested too deeply."},
		{"two types", "application/x-www-form-urlencoded", "a=1&a[b]=2", 400, "Invalid request: a parameter was given as two different types."},
		{"too long", "application/x-www-form-urlencoded", "description=" + strings.Repeat("x", 1<<20), 413, "Request body too large."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := post(t, s, "/v1/setup_intents", tt.body, "Content-Type", tt.contentType)
			require.Equal(t, tt.status, got.status, got.raw)
			if tt.message != "" {
				require.Equal(t, tt.message, got.str("error.message"))
			}
		})
	}
}
