package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.js
	pageJS []byte
	//go:embed messages.js
	messagesJS []byte
	//go:embed style.css
	styleCSS []byte
)

// page is what page.html needs to know.
type page struct {
	PublishableKey string
	StripeJS       string // where Stripe.js is
	API            string // where it calls
	Test           bool
}

func pageData(cfg config) page {
	p := page{PublishableKey: cfg.publishableKey, API: cfg.stripeURL, Test: !isLive(cfg.publishableKey)}
	p.StripeJS = p.API + "/v3/" // the fake has a stand-in there
	if p.API == stripeAPI {
		p.StripeJS = "https://js.stripe.com/v3/" // never from elsewhere: Stripe says so
	}
	return p
}

// policy is the page's Content-Security-Policy.
func (p page) policy() string {
	script, connect, frame := "'self' "+origin(p.StripeJS), "'self' "+origin(p.API), "'none'"
	style := "style-src 'self'"
	if p.API == stripeAPI {
		// docs.stripe.com/security/guide#content-security-policy
		script += " https://*.js.stripe.com"
		frame = "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com"
		style += "; style-src-attr 'unsafe-inline'" // Stripe.js sizes its frames by style attributes
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src " + script,
		"connect-src " + connect,
		"frame-src " + frame,
		style,
		"img-src 'self' data:",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

func origin(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// handler serves the page and its files.
func (p page) handler() (http.Handler, error) {
	tmpl, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	var html bytes.Buffer
	if err := tmpl.Execute(&html, p); err != nil {
		return nil, err
	}
	policy := p.policy()
	mux := http.NewServeMux()
	for path, file := range map[string]struct {
		mime string
		body []byte
	}{
		"GET /{$}":         {"text/html; charset=utf-8", html.Bytes()},
		"GET /page.js":     {"text/javascript; charset=utf-8", pageJS},
		"GET /messages.js": {"text/javascript; charset=utf-8", messagesJS},
		"GET /style.css":   {"text/css; charset=utf-8", styleCSS},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", file.mime)
			h.Set("Content-Security-Policy", policy)
			h.Set("Cache-Control", "no-store") // and so no secret of a return URL is kept
			// A return URL holds the client secret; an origin tells nothing, and
			// Stripe.js may have it.
			h.Set("Referrer-Policy", "strict-origin")
			h.Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write(file.body)
		})
	}
	return mux, nil
}
