package stripeport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// paymentSheet answers with all that a mobile SDK needs to save a card.
func paymentSheet(svc *setupintent.Service, stripe *stripeport.Provider, identify func(*http.Request) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := identify(r)
		if err != nil {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		var key stripeport.EphemeralKey
		in, err := svc.BeginFor(r.Context(), id, nil, func(ctx context.Context, customer string) (err error) {
			key, err = stripe.EphemeralKey(ctx, customer, r.Header.Get("Stripe-Version"))
			return err
		})
		var e *setupintent.Error
		switch {
		case errors.Is(err, setupintent.ErrInvalidRequest):
			http.Error(w, "which Stripe-Version?", http.StatusBadRequest)
		case errors.As(err, &e) && e.RetryAfter > 0:
			w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)+1))
			http.Error(w, "try again", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, "start again", http.StatusConflict)
		default:
			w.Header().Set("Cache-Control", "no-store")
			_ = json.NewEncoder(w).Encode(map[string]string{
				"customer": in.Customer, "ephemeralKey": key.Secret.Reveal(), "setupIntent": in.ClientSecret.Reveal(),
			})
		}
	}
}

// sheetService makes the customer before the intent.
func sheetService(rows setupintent.PendingStore, stripe *stripeport.Provider, now func() time.Time) (*setupintent.Service, error) {
	return setupintent.New(rows, stripe, &setupintent.Options{
		Customers: stripe,
		Customer: func(_ context.Context, row setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{Metadata: map[string]string{"account": row.ID}}, nil
		},
		Now: now,
	})
}

// A mobile SDK's payment sheet asks once for a customer, a key to act for it,
// and an intent.
func Example_paymentSheet() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	stripe, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	rows := memstore.New()
	svc, err := sheetService(rows, stripe, nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = rows.Insert("42", time.Time{})
	sheet := paymentSheet(svc, stripe, func(*http.Request) (string, error) { return "42", nil })

	r := httptest.NewRequest(http.MethodPost, "/payment-sheet", nil)
	r.Header.Set("Stripe-Version", "2020-08-27") // the SDK's own
	w := httptest.NewRecorder()
	sheet(w, r)
	var answer map[string]string
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	for _, name := range []string{"customer", "ephemeralKey", "setupIntent"} {
		kind, _, _ := strings.Cut(answer[name], "_")
		fmt.Println(name, kind)
	}
	// Output:
	// customer cus
	// ephemeralKey ek
	// setupIntent seti
}

// TestPaymentSheet: in that order, one customer however often it is asked for,
// and a key that acts for it alone.
func TestPaymentSheet(t *testing.T) {
	t.Parallel()
	p, fake := fakeProvider(t, http.DefaultTransport)
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := sheetService(rows, p, fake.Now)
	require.NoError(t, err)
	sheet := paymentSheet(svc, p, func(r *http.Request) (string, error) {
		if r.Header.Get("Authorization") == "" {
			return "", errors.New("nobody")
		}
		return "42", nil
	})
	ask := func(version string) (int, map[string]string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("Stripe-Version", version)
		w := httptest.NewRecorder()
		sheet(w, r)
		var answer map[string]string
		if w.Code == http.StatusOK {
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		}
		return w.Code, answer
	}

	w := httptest.NewRecorder()
	sheet(w, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Empty(t, fake.Calls())

	// Without a key there is no intent, and the customer is kept for the next try.
	status, _ := ask("latest")
	require.Equal(t, http.StatusBadRequest, status)
	require.NoError(t, fake.Inject(stripetest.Fault{Route: "POST /v1/ephemeral_keys", Status: 503, Count: 3}))
	status, _ = ask("2020-08-27")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Zero(t, fake.Count(createRoute))

	status, first := ask("2020-08-27")
	require.Equal(t, http.StatusOK, status)
	status, again := ask("2020-08-27")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, first["customer"], again["customer"])
	require.Equal(t, first["setupIntent"], again["setupIntent"])
	require.NotEqual(t, first["ephemeralKey"], again["ephemeralKey"], "each answer has a key of its own")
	require.Equal(t, 1, customersMade(fake))
	require.Equal(t, 1, fake.Count(createRoute))
	in, ok := fake.SetupIntent(strings.Split(first["setupIntent"], "_secret_")[0])
	require.True(t, ok)
	require.Equal(t, first["customer"], in.Customer)

	other, err := p.CreateCustomer(context.Background(), setupintent.CustomerRequest{})
	require.NoError(t, err)
	for customer, want := range map[string]bool{first["customer"]: true, other: false} {
		r, err := http.NewRequest(http.MethodGet, fake.URL+"/v1/customers/"+customer, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+again["ephemeralKey"])
		res, err := fake.Client().Do(r)
		require.NoError(t, err)
		_ = res.Body.Close()
		require.Equal(t, want, res.StatusCode == http.StatusOK, "%d", res.StatusCode)
	}
}

// TestCustomerSessionBeside: a page's elements act by a session instead.
func TestCustomerSessionBeside(t *testing.T) {
	t.Parallel()
	p, fake := fakeProvider(t, http.DefaultTransport)
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := sheetService(rows, p, fake.Now)
	require.NoError(t, err)
	var session stripeport.CustomerSession
	in, err := svc.BeginFor(context.Background(), "42", nil, func(ctx context.Context, customer string) (err error) {
		session, err = p.CustomerSession(ctx, customer, map[string]any{"payment_element": map[string]any{"enabled": true}})
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, session.Secret.Reveal())
	require.NotEmpty(t, in.Customer)
	var object struct{ Customer string }
	require.NoError(t, json.Unmarshal(session.Raw, &object))
	require.Equal(t, in.Customer, object.Customer)
}

// The recipe has the handler as it stands here.
func TestPaymentSheetRecipe(t *testing.T) {
	t.Parallel()
	recipes, err := os.ReadFile("../docs/recipes.md")
	require.NoError(t, err)
	source, err := os.ReadFile("sheet_test.go")
	require.NoError(t, err)
	for _, name := range []string{"func paymentSheet(", "func sheetService("} {
		_, code, ok := strings.Cut(string(source), "\n"+name)
		require.True(t, ok)
		code, _, ok = strings.Cut(code, "\n}\n")
		require.True(t, ok)
		require.Contains(t, string(recipes), name+code+"\n}\n")
	}
}
