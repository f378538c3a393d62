//go:build e2e

package e2e_test

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Stripe's own packages from npm, unmodified, load Stripe.js from where they
// always do; the answer comes from the fake. The page asks for an intent twice,
// as React's StrictMode has it.
func TestReactStrictMode(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	var opened struct{ PendingID string }
	d.call(http.MethodPost, d.site+"/v2/signup/pending", `{"email":"ada@example.com"}`, &opened)
	site, asked := reactSite(t, d, opened.PendingID)
	b.answer("https://js.stripe.com/", func(u string) (int64, string, []byte) {
		script, err := fetchFrom(d.fake + strings.TrimPrefix(u, "https://js.stripe.com"))
		if err != nil {
			return 0, "", nil
		}
		return 200, "text/javascript", script
	})

	b.open(site)
	b.until(shown("[name=number]"))
	require.EqualValues(t, 2, asked.Load(), "StrictMode runs the effect twice")
	id, _ := d.intent() // and yet there is one
	require.Equal(t, 1, d.calls("POST /v1/setup_intents"))

	require.True(t, eval[bool](b, "("+at("#save")+").disabled"), "the change event has not said complete")
	b.card("4000000000000002")
	b.click("#save")
	b.until(at("#message") + ".textContent")
	require.Equal(t, "Your card was declined.", b.text("#message"))
	b.look("react-declined")

	b.card("4000002500003155")
	b.click("#save")
	b.click("[name=complete]")
	b.until(at("#message") + ".textContent.endsWith('succeeded')")
	require.Equal(t, id+" succeeded", b.text("#message"))
	_, status := d.intent()
	require.Equal(t, "succeeded", status)
	b.look("react-saved")
	b.noLeak(site)

	var hosts []string
	for _, r := range b.asked() {
		if strings.Contains(r.url, "stripe.com") {
			hosts = append(hosts, r.url)
		}
	}
	require.Equal(t, []string{"https://js.stripe.com/endive/stripe.js"}, hosts)
	for _, line := range b.said() { // no complaint of a wrong version of Stripe.js, or of a changed option
		require.False(t, strings.HasPrefix(line, "warning:") || strings.HasPrefix(line, "error:"), line)
	}
}

// reactSite serves the page that npm has built, before the demo's API, and
// counts what it asks for intents.
func reactSite(t *testing.T, d *demo, pendingID string) (site string, asked *atomic.Int64) {
	t.Helper()
	page, err := template.ParseFiles("web/index.html")
	require.NoError(t, err)
	require.FileExists(t, "web/dist/main.js", "built by: npm ci && npm run build, in web/ (make e2e does it)")
	api, err := url.Parse(d.site)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(api)
	asked = new(atomic.Int64)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _ = page.Execute(w, pendingID) })
	mux.HandleFunc("GET /main.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "web/dist/main.js") })
	mux.HandleFunc("POST /v2/", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		proxy.ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, asked
}
