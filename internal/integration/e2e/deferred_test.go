//go:build e2e

package e2e_test

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

//go:embed testdata/deferred.js
var deferredScript string

// TestDeferred: the intent is made when the person submits, and not before: not
// when the page opens, and not for what the page can tell is wrong. One intent
// takes what is submitted after that.
func TestDeferred(t *testing.T) {
	t.Parallel()
	recipes, err := os.ReadFile("../../../docs/recipes.md")
	require.NoError(t, err)
	require.Contains(t, string(recipes), deferredScript, "it is the script of the recipe")

	const (
		rowID       = "5eb7cf5a86d9755df3a6c593"
		createRoute = "POST /v1/setup_intents"
	)
	fake := stripetest.NewServer(t, nil)
	stripe, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: fake.URL})
	require.NoError(t, err)
	rows := memstore.New()
	require.NoError(t, rows.Insert(rowID, time.Time{}))
	svc, err := setupintent.New(rows, stripe, &setupintent.Options{
		Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
			return setupintent.IntentRequest{PaymentMethodTypes: []string{"card"}}, nil // as the page's elements
		},
	})
	require.NoError(t, err)
	h, err := httpadapter.New(svc, nil)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/signup/", h.Routes(httpadapter.PathID))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Card</title><meta name="viewport" content="width=device-width"><main><h1>Card</h1>
			<form data-row=%q><div id="payment"></div><output name="said"></output><button name="save" id="save">Save</button></form></main>
			<script src="%s/v3/"></script><script type="module">%s</script>`, rowID, fake.URL, deferredScript)
	})
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)

	b := newTab(t)
	says := func(text string) {
		t.Helper()
		b.until(fmt.Sprintf("document.querySelector('output').value === %s && !document.querySelector('#save').disabled", quote(text)))
	}
	b.open(app.URL)
	b.until(shown("[name=number]"))
	require.Zero(t, fake.Count(createRoute), "somebody looks at the page")
	b.click("#save")
	says("Your card number is incomplete.")
	require.Zero(t, fake.Count(createRoute), "the page can tell that itself")

	b.card("4000000000000002")
	b.click("#save")
	says("Your card was declined.")
	b.card("4242424242424242")
	b.click("#save")
	says("Saved.")
	require.Equal(t, 1, fake.Count(createRoute), "one intent took both cards")
	require.Equal(t, 2, fake.Count(confirmRoute))
	row, err := rows.Load(t.Context(), rowID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, row.Status)
	b.noLeak(app.URL)
}
