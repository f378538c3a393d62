package stripetest

import (
	"embed"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

//go:embed stripejs/*.js
var stripeJSFiles embed.FS

// stripeJS is the stand-in for Stripe.js, whole: its files are joined as they
// are, for what a page loads is one script.
var stripeJS = sync.OnceValue(func() string {
	var script strings.Builder
	for _, name := range []string{"stripe", "errors", "api", "cards", "dom", "icons", "appearance", "fields", "element", "challenge"} {
		file, _ := stripeJSFiles.ReadFile("stripejs/" + name + ".js") // embedded
		script.WriteString("\n")
		script.Write(file)
	}
	return script.String()
})

// stripeJSVersion returns what Stripe.version is in the script of a path: 3 at
// /v3, /v3/ and /v3/stripe.js, and a release train's name at /{train}/stripe.js.
func stripeJSVersion(path string) (version any, ok bool) {
	if path == "/v3" || path == "/v3/" || path == "/v3/stripe.js" {
		return 3, true
	}
	train, ok := strings.CutSuffix(strings.TrimPrefix(path, "/"), "/stripe.js")
	if !ok || train == "" || strings.Trim(train, "abcdefghijklmnopqrstuvwxyz") != "" {
		return nil, false
	}
	return train, true
}

// serveStripeJS answers the request if it is for Stripe.js. The script is told
// where it was asked for: it may run as though it came from elsewhere.
func serveStripeJS(w http.ResponseWriter, r *http.Request) bool {
	version, ok := stripeJSVersion(r.URL.Path)
	if !ok {
		return false
	}
	h := w.Header()
	allowOrigin(h)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		return true
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		h.Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusMethodNotAllowed)
		w.Write(encode(map[string]any{"error": unrecognizedURL(r.Method, r.URL.Path)}))
		return true
	}
	served, _ := json.Marshal(map[string]any{"base": baseURL(r), "version": version}) // texts and a number always encode
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "no-cache")
	w.Write([]byte("(() => {\n'use strict';\nconst served = " + string(served) + ";\n" + stripeJS() + "})();\n"))
	return true
}
