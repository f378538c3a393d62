//go:build clients

package openapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// TestTypeScript runs the client that is typed by the documents, which make
// openapi has compiled, against all wires over a socket.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	fake := stripetest.NewServer(t, nil)
	provider, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: fake.URL})
	require.NoError(t, err)
	rows := memstore.New()
	svc, err := setupintent.New(rows, provider, &setupintent.Options{
		Customers: provider,
		Customer: func(context.Context, setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{}, nil
		},
	})
	require.NoError(t, err)
	const token, pending, other = "right", "signup-1", "5eb7cf5a86d9755df3a6c593"
	for _, id := range []string{pending, other, "Spree", "OrbitKit", "Stripe"} {
		require.NoError(t, rows.Insert(id, time.Time{}))
	}
	byToken := func(row string) func(*http.Request) (string, error) {
		return httpadapter.Bearer(func(_ context.Context, credential string) (string, error) {
			if credential != token {
				return "", httpadapter.ErrUnauthenticated
			}
			return row, nil
		})
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /confirm/{id}", func(w http.ResponseWriter, r *http.Request) {
		if fake.Resolve(r.PathValue("id"), stripetest.OutcomeSucceed) != nil {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	for path, wire := range map[string]struct {
		dialect  httpadapter.Dialect
		identify func(*http.Request) (string, error)
	}{
		"/signup/":                   {nil, httpadapter.PathID},
		"/v2/signup/pending/":        {httpadapter.LoyaltyDog{}, httpadapter.PathPattern(regexp.MustCompile("^[0-9a-f]{24}$"))},
		"/api/v2/storefront/stripe/": {httpadapter.Spree{EphemeralKey: ephemeralKey(provider)}, byToken("Spree")},
		"/api/":                      {httpadapter.OrbitKit{}, byToken("OrbitKit")},
		"/v1/":                       {httpadapter.Stripe{Update: update(provider)}, byToken("Stripe")},
	} {
		h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: wire.dialect})
		require.NoError(t, err)
		mux.Handle(path, h.Routes(wire.identify))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "dist/client.js", server.URL, token, pending, other)
	cmd.Dir = "typescript"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out)) // also if there is no Node.js, or nothing compiled
	require.Equal(t, "ours\nloyaltyDog\nspree\norbitKit\nstripe\n", string(out))
}

func ephemeralKey(p *stripeport.Provider) func(context.Context, string, string) (setupintent.ClientSecret, error) {
	return func(ctx context.Context, customer, version string) (setupintent.ClientSecret, error) {
		key, err := p.EphemeralKey(ctx, customer, version)
		return key.Secret, err
	}
}

func update(p *stripeport.Provider) func(context.Context, string, map[string]any) (setupintent.Intent, error) {
	return func(ctx context.Context, id string, params map[string]any) (setupintent.Intent, error) {
		return p.UpdateIntent(ctx, id, stripeport.UpdateRequest{Extra: params})
	}
}
