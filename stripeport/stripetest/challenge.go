package stripetest

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// challengePrefix is where the pages of 3D Secure and of redirects are; an
// attempt's id follows.
const challengePrefix = "/redirect/authenticate/"

// challenge is the next action of an attempt that must be authenticated: a
// redirect if there is somewhere to come back to, Stripe.js's business if not.
func (si *setupIntent) challenge(base, attempt string) *nextAction {
	page := base + challengePrefix + attempt
	if !si.hidden.InPage {
		back := si.hidden.ReturnURL
		return &nextAction{Type: "redirect_to_url", RedirectToURL: &redirectToURL{ReturnURL: &back, URL: &page}}
	}
	return &nextAction{Type: "use_stripe_sdk", UseStripeSDK: map[string]any{
		"type": "three_d_secure_redirect", "stripe_js": page, "source": attempt, // [2nd]; newer ones hold certificates
	}}
}

// serveChallenge is the page of a bank: GET shows it, POST with outcome=complete
// or outcome=fail ends it and sends the browser back. To a request that
// accepts JSON it answers {"status": …} instead.
func (s *Server) serveChallenge(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	allowOrigin(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodOptions {
		return
	}
	asJSON := strings.Contains(r.Header.Get("Accept"), "application/json")
	refuse := func(status int, message string) {
		if asJSON {
			h.Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(encode(map[string]any{"error": &apiError{Type: typeInvalid, Message: message}}))
			return
		}
		showChallenge(w, status, message)
	}
	attempt := strings.TrimPrefix(r.URL.Path, challengePrefix)
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		h.Set("Allow", "GET, POST")
		refuse(http.StatusMethodNotAllowed, unrecognizedURL(r.Method, r.URL.Path).Message)
		return
	}
	form := &value{kind: kindHash}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = form.decodeForm(string(body))
	}
	result := form.str("outcome")
	if r.Method == http.MethodPost && (err != nil || result != "complete" && result != "fail") {
		refuse(http.StatusBadRequest, "outcome is complete or fail.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	si, open := s.challenged(attempt)
	switch {
	case si == nil:
		refuse(http.StatusNotFound, "There is no such authentication.")
		return
	case !open:
		refuse(http.StatusConflict, "This authentication is over.")
		return
	case r.Method == http.MethodGet:
		showChallenge(w, http.StatusOK, "")
		return
	}
	redirect := si.returnURL()
	status := s.authenticate(si, result == "complete") //nolint:contextcheck // deliveries outlive the request that they are of
	switch {
	case asJSON:
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(encode(map[string]any{"status": si.Status, "redirect_status": status}))
	case redirect == nil:
		showChallenge(w, http.StatusOK, "Done. You can close this window.")
	default:
		query := redirect.Query()
		query.Set("setup_intent", si.ID)
		query.Set("setup_intent_client_secret", si.ClientSecret) // as Stripe does
		query.Set("redirect_status", status)
		redirect.RawQuery = query.Encode()
		h.Set("Location", redirect.String())
		w.WriteHeader(http.StatusSeeOther)
	}
}

// challenged returns the intent of an attempt, and whether the attempt still
// waits for its customer.
func (s *Server) challenged(attempt string) (si *setupIntent, open bool) {
	a, ok := s.state.attempts.get(attempt)
	if !ok {
		return nil, false
	}
	si, ok = s.state.intents.get(a.SetupIntent.id)
	if !ok {
		return nil, false
	}
	return si, si.Status == statusNeedsAction && si.LatestAttempt.id == attempt
}

// returnURL is where the customer goes next, nil for nowhere.
func (si *setupIntent) returnURL() *url.URL {
	u, err := url.Parse(si.hidden.ReturnURL)
	if err != nil || si.hidden.ReturnURL == "" {
		return nil
	}
	return u
}

// authenticate ends the challenge of an intent that waits for it, and returns
// the redirect_status.
func (s *Server) authenticate(si *setupIntent, passed bool) string {
	pm, ok := s.state.methods.get(si.PaymentMethod.id)
	switch {
	case !ok:
		return "failed"
	case !passed:
		s.fail(si, pm, authenticationError(), cause{})
		return "failed"
	case pm.hidden.Outcome == challengesFail:
		s.fail(si, pm, declineError(pm.hidden.Reason), cause{})
		return "failed"
	}
	s.succeed(si, pm, cause{})
	return "succeeded"
}

// The page, around its content.
const (
	challengeHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>3D Secure test page</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 28rem; margin: 3rem auto; padding: 0 1rem; color: #1a1f36 }
button { font: inherit; padding: .6rem 1rem; margin: .25rem .5rem .25rem 0; border: 1px solid #635bff; border-radius: 6px; background: #fff; color: #4b45c6 }
button[value=complete] { background: #635bff; color: #fff }
</style>
</head>
<body>
<main>
<h1>3D Secure test page</h1>
`
	challengeForm = `<p>This page of the fake Stripe stands in for a bank's.</p>
<form method="post">
<button name="outcome" value="complete">Complete</button>
<button name="outcome" value="fail">Fail</button>
</form>
`
	challengeFoot = `</main>
</body>
</html>
`
)

// showChallenge shows a message, or if there is none the form.
func showChallenge(w http.ResponseWriter, status int, message string) {
	content := challengeForm
	if message != "" {
		content = `<p role="status">` + html.EscapeString(message) + "</p>\n"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, challengeHead+content+challengeFoot)
}
