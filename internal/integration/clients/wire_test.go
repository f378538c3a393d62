//go:build clients

package clients_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/setupintent"
	stripe85 "github.com/stripe/stripe-go/v85"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	core "github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// wires are what speaks as Stripe does: each starts a new one, and returns where
// it is and the key.
var wires = map[string]func(*testing.T) (url, key string){
	"fake":    func(t *testing.T) (string, string) { return start(t), "sk_test_demo" },
	"dialect": startDialect,
}

// startDialect serves one row by httpadapter's Stripe dialect.
func startDialect(t *testing.T) (url, key string) {
	t.Helper()
	fake := stripetest.NewServer(t, nil)
	provider, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: fake.URL})
	require.NoError(t, err)
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := core.New(rows, provider, nil)
	require.NoError(t, err)
	h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: httpadapter.Stripe{
		Update: func(ctx context.Context, id string, params map[string]any) (core.Intent, error) {
			return provider.UpdateIntent(ctx, id, stripeport.UpdateRequest{Extra: params})
		},
	}})
	require.NoError(t, err)
	tokens, err := httpadapter.NewTokens([][]byte{make([]byte, 32)}, nil)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/v1/", h.Routes(tokens.Identify))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	key, err = tokens.Issue("42", time.Hour)
	require.NoError(t, err)
	return server.URL, key
}

// TestWireNode, TestWireV79 and TestWireV85 are one program in three clients, and
// run it on everything that speaks as Stripe does.
func TestWireNode(t *testing.T) {
	t.Parallel()
	for name, wire := range wires {
		for _, client := range []string{"stripe-16", "stripe-newest"} {
			t.Run(name+"/"+client, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				url, key := wire(t)
				cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=tap", "wire.test.mjs")
				cmd.Dir = "../node"
				cmd.Env = append(os.Environ(), "STRIPE_URL="+url, "STRIPE_KEY="+key, "STRIPE="+client)
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, string(out)) // also if there is no Node.js
				t.Log(summary(string(out)))
			})
		}
	}
}

func TestWireV79(t *testing.T) {
	t.Parallel()
	for name, wire := range wires {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, key := wire(t)
			intents := setupintent.Client{Key: key, B: stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
				URL: &url, LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
			})}
			made, err := intents.New(&stripe.SetupIntentParams{
				PaymentMethodTypes: stripe.StringSlice([]string{"card"}), Description: stripe.String("ä & = +"),
				Metadata: map[string]string{"order": "1", "with space": "é"},
			})
			require.NoError(t, err)
			require.Equal(t, stripe.SetupIntentStatusRequiresPaymentMethod, made.Status)
			require.Equal(t, "ä & = +", made.Description)
			require.Equal(t, "é", made.Metadata["with space"])
			require.Contains(t, made.ClientSecret, made.ID+"_secret_")
			require.Contains(t, made.LastResponse.RequestID, "req_")
			got, err := intents.Get(made.ID, nil)
			require.NoError(t, err)
			require.JSONEq(t, string(made.LastResponse.RawJSON), string(got.LastResponse.RawJSON))

			changed, err := intents.Update(made.ID, &stripe.SetupIntentParams{
				Description: stripe.String("d"), Metadata: map[string]string{"order": "", "more": "2"},
			})
			require.NoError(t, err)
			require.Equal(t, "d", changed.Description)
			require.Equal(t, "2", changed.Metadata["more"])
			require.Equal(t, "é", changed.Metadata["with space"])
			require.NotContains(t, changed.Metadata, "order")
			changed, err = intents.Update(made.ID, &stripe.SetupIntentParams{PaymentMethod: stripe.String("pm_card_visa")})
			require.NoError(t, err)
			require.Equal(t, stripe.SetupIntentStatusRequiresConfirmation, changed.Status)

			var failed *stripe.Error
			_, err = intents.Get("seti_none", nil)
			require.ErrorAs(t, err, &failed)
			require.Equal(t, stripe.ErrorCodeResourceMissing, failed.Code)
			require.Equal(t, "No such setupintent: 'seti_none'", failed.Msg)
			require.NotEmpty(t, failed.RequestID)
			surprise := new(stripe.SetupIntentParams)
			surprise.AddExtra("surprise", "1")
			_, err = intents.New(surprise)
			require.ErrorAs(t, err, &failed)
			require.Equal(t, stripe.ErrorCodeParameterUnknown, failed.Code)
			_, err = setupintent.Client{B: intents.B, Key: "sk_test_51WrongWrong"}.Get(made.ID, nil)
			require.ErrorAs(t, err, &failed)
			require.Equal(t, http.StatusUnauthorized, failed.HTTPStatusCode)
		})
	}
}

func TestWireV85(t *testing.T) {
	t.Parallel()
	for name, wire := range wires {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, key := wire(t)
			connect := func(key string) *stripe85.Client {
				return stripe85.NewClient(key, stripe85.WithBackends(stripe85.NewBackendsWithConfig(&stripe85.BackendConfig{
					URL: &url, LeveledLogger: &stripe85.LeveledLogger{Level: stripe85.LevelNull},
				})))
			}
			intents := connect(key).V1SetupIntents
			made, err := intents.Create(t.Context(), &stripe85.SetupIntentCreateParams{
				PaymentMethodTypes: stripe85.StringSlice([]string{"card"}), Description: stripe85.String("ä & = +"),
				Metadata: map[string]string{"order": "1", "with space": "é"},
			})
			require.NoError(t, err)
			require.Equal(t, stripe85.SetupIntentStatusRequiresPaymentMethod, made.Status)
			require.Equal(t, "é", made.Metadata["with space"])
			require.Contains(t, made.ClientSecret, made.ID+"_secret_")
			require.Equal(t, stripe85.APIVersion, made.LastResponse.Header.Get("Stripe-Version"))
			got, err := intents.Retrieve(t.Context(), made.ID, nil)
			require.NoError(t, err)
			require.JSONEq(t, string(made.LastResponse.RawJSON), string(got.LastResponse.RawJSON))

			changed, err := intents.Update(t.Context(), made.ID, &stripe85.SetupIntentUpdateParams{
				Description: stripe85.String("d"), Metadata: map[string]string{"order": "", "more": "2"},
			})
			require.NoError(t, err)
			require.Equal(t, "d", changed.Description)
			require.Equal(t, "2", changed.Metadata["more"])
			require.NotContains(t, changed.Metadata, "order")

			var failed *stripe85.Error
			_, err = intents.Retrieve(t.Context(), "seti_none", nil)
			require.ErrorAs(t, err, &failed)
			require.Equal(t, stripe85.ErrorCodeResourceMissing, failed.Code)
			_, err = connect("sk_test_51WrongWrong").V1SetupIntents.Retrieve(t.Context(), made.ID, nil)
			require.ErrorAs(t, err, &failed)
			require.Equal(t, http.StatusUnauthorized, failed.HTTPStatusCode)
		})
	}
}
