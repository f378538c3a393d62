package stripeport_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// wired is a Provider that is answered by f.
func wired(t *testing.T, f roundTrip) *stripeport.Provider {
	t.Helper()
	p, err := stripeport.New(testKey, &stripeport.Options{
		HTTPClient: &http.Client{Transport: f},
		Sleep:      func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	require.NoError(t, err)
	return p
}

const idCharacters = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// FuzzAnswer: whatever Stripe answers to whatever call, nothing panics, no error
// shows a secret, an id can go into a URL, and a raw object is without secrets.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		intentJSON(), intentJSON(`"customer":{"id":"cus_1"}`, `"metadata":{"a":1}`), failWith(invalidRequest, "resource_missing"),
		failWith(cardError, "card_declined", `"setup_intent":`+intentJSON()), list(true, intentJSON()), list(false), list(true),
		`{"object":"customer","id":"cus_1","metadata":{"row":"1"}}`, list(false, `{"object":"customer","id":"cus_1","metadata":{"row":"1"}}`),
		`{"object":"payment_method","id":"pm_1","customer":"cus_1"}`,
		`{"object":"ephemeral_key","id":"ephkey_1","secret":"ek_test_CANARY","expires":1,"associated_objects":[{"id":"cus_1","type":"customer"}]}`,
		`{"object":"customer_session","client_secret":"CANARY_secret_1","customer":"cus_1","expires_at":1}`,
		list(false, `{"object":"webhook_endpoint","id":"we_1","url":"https://app.example/hook","status":"enabled","enabled_events":["*"]}`),
		`{"id":"a","object":"setup_intent","status":"b","client_secret":"c\"\\_secret_"}`, `null`, `[]`, `"x"`, ``, `{"error":{}}`, `{"error":null}`,
	} {
		for _, status := range []int{200, 400, 402, 404, 500} {
			f.Add(status, body, false)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string, replayed bool) {
		if status < 200 || status > 599 {
			return
		}
		header := http.Header{}
		if replayed {
			header.Set("Idempotent-Replayed", "true")
		}
		p := wired(t, func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for name, call := range allCalls(p, "seti_1Abc") {
			got, err := call(ctx)
			if err != nil {
				require.NotContains(t, err.Error(), "_secret_", name)
				require.NotContains(t, err.Error(), "ek_test_", name)
				continue
			}
			intents, _ := got.([]setupintent.Intent)
			if in, ok := got.(setupintent.Intent); ok {
				intents = append(intents, in)
			}
			for _, in := range intents {
				require.NotEmpty(t, in.ID, name)
				require.Empty(t, strings.Trim(in.ID, idCharacters), name)
				require.NotContains(t, in.ID, "_secret_", name)
				require.True(t, json.Valid(in.Raw), name)
				var members map[string]any
				require.NoError(t, json.Unmarshal(in.Raw, &members))
				require.NotContains(t, members, "client_secret")
				if secret := in.ClientSecret.Reveal(); len(secret) > 8 {
					require.NotContains(t, string(in.Raw), secret)
				}
			}
		}
	})
}

// FuzzID: an id that somebody sent us reaches the path of a request as it is, or
// not at all, and a client secret never.
func FuzzID(f *testing.F) {
	for _, id := range []string{"seti_1Abc", "", "../customers", "a/b", "a%2Fb", "a?b", "a b", "é", "\x00", canary, strings.Repeat("x", 300), "sk_test_x"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		var paths []string
		p := wired(t, func(r *http.Request) (*http.Response, error) {
			paths = append(paths, r.URL.RequestURI())
			return &http.Response{StatusCode: 404, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(failWith(invalidRequest, "resource_missing"))), Request: r}, nil
		})
		for name, call := range calls(p, id) {
			before := len(paths)
			_, err := call(context.Background())
			require.Error(t, err)
			if name == "create" || name == "list" || len(paths) == before {
				continue
			}
			require.NotContains(t, id, "_secret_")
			require.Empty(t, strings.Trim(id, idCharacters), "%q", id)
			require.True(t, strings.HasPrefix(paths[before], "/v1/setup_intents/"+id), "%q", paths[before])
		}
	})
}
