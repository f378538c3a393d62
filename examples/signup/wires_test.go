package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	orbitKit = "/api/setup-intent"
	spree    = "/api/v2/storefront/stripe/setup_intents"
)

// TestNextCard saves two cards of one account with one token.
func TestNextCard(t *testing.T) {
	t.Parallel()
	d := start(t)
	began := d.post(t, prefix, `{"email":"a@example.com"}`)
	token := began.header.Get("X-Signup-Token")
	require.NotEmpty(t, token)
	var rows []string
	for range 2 {
		a := send(t, http.MethodPost, d.site+orbitKit, token, "")
		require.Equal(t, http.StatusCreated, a.status, a)
		secret := a.text("clientSecret")
		require.Equal(t, secret, send(t, http.MethodPost, d.site+orbitKit, token, "").text("clientSecret"))
		intent, _, _ := strings.Cut(secret, "_secret_")

		form := url.Values{"client_secret": {secret}, "payment_method": {"pm_card_visa"}}
		confirmed := send(t, http.MethodPost, d.fakeURL+"/v1/setup_intents/"+intent+"/confirm", "pk_test_demo", form.Encode())
		require.Equal(t, "succeeded", confirmed.text("status"), confirmed)
		rows = append(rows, d.rowOf(t, intent))
		send(t, http.MethodPost, d.fakeURL+"/_stripetest/webhooks/wait", "", "")
	}
	require.Equal(t, began.text("pendingId"), rows[0])
	require.NotEqual(t, rows[0], rows[1])
	for _, row := range rows {
		require.Equal(t, "active", send(t, http.MethodGet, d.site+"/demo/signups/"+row, "", "").text("status"))
		require.Len(t, d.intents(t, row), 1)
	}

	a := send(t, http.MethodPost, d.site+orbitKit, token, "")
	require.Equal(t, http.StatusCreated, a.status, "and a third one is begun")
	taken := d.post(t, prefix, `{"email":"a@example.com"}`)
	require.Equal(t, "email_taken", taken.text("detail"), "whoever knows the e-mail may not go on with it")
	require.Empty(t, taken.header.Get("X-Signup-Token"))
	d.stop()
	require.NotContains(t, d.stderr.String(), token)
}

// TestSpree: the customer, the ephemeral key, the intent, in that order.
func TestSpree(t *testing.T) {
	t.Parallel()
	d := start(t)
	guest := d.post(t, spree, "")
	require.Equal(t, http.StatusOK, guest.status, guest)
	require.Equal(t, "application/vnd.api+json", guest.header.Get("Content-Type"))
	require.Equal(t, map[string]int{"POST /v1/customers": 1, "POST /v1/ephemeral_keys": 1, "POST /v1/setup_intents": 1}, d.posts(t))
	require.NotEqual(t, guest.text("customer_id"), d.post(t, spree, "").text("customer_id"), "another guest is another customer")

	// An account's intent was made without a customer, by the wire of the page.
	began := d.post(t, prefix, `{"email":"a@example.com"}`)
	id, token := began.text("pendingId"), began.header.Get("X-Signup-Token")
	require.Equal(t, http.StatusOK, d.post(t, prefix+"/"+id+"/setup-intent", "").status)
	mine := send(t, http.MethodPost, d.site+spree, token, "")
	require.Equal(t, http.StatusOK, mine.status, mine)
	require.Equal(t, "cancelled", send(t, http.MethodGet, d.site+"/demo/signups/"+id, "", "").text("status"))
	again := send(t, http.MethodPost, d.site+spree, token, "")
	for member, same := range map[string]bool{"customer_id": true, "ephemeral_key_secret": false, "setup_intent_client_secret": true} {
		require.NotEmpty(t, mine.text(member))
		require.Equal(t, same, mine.text(member) == again.text(member), member)
	}
	wrong := send(t, http.MethodPost, d.site+spree, token[1:], "")
	require.Equal(t, http.StatusUnauthorized, wrong.status)
	d.stop()
	require.NotContains(t, d.stderr.String(), "_secret_")
	require.NotContains(t, d.stderr.String(), "ek_test_")
}

// TestGuests: after so many, there are no more; whoever has a token is none.
func TestGuests(t *testing.T) {
	t.Parallel()
	d := start(t, "-guest-rate", "0.000001")
	token := d.post(t, prefix, `{"email":"a@example.com"}`).header.Get("X-Signup-Token")
	for range guestBurst {
		require.Equal(t, http.StatusOK, d.post(t, spree, "").status)
	}
	before := d.posts(t)
	refused := d.post(t, spree, "")
	require.Equal(t, http.StatusTooManyRequests, refused.status, refused)
	require.NotEmpty(t, refused.header.Get("Retry-After"))
	require.Equal(t, before, d.posts(t))
	require.Equal(t, http.StatusOK, send(t, http.MethodPost, d.site+spree, token, "").status)
}

// TestWires: each is at the path of its document, with a document beside it.
func TestWires(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.post(t, prefix, `{"email":"a@example.com"}`).text("pendingId")
	a := d.post(t, "/signup/"+id+"/setup-intent", "")
	require.Equal(t, http.StatusOK, a.status, a)
	require.Equal(t, "requires_payment_method", a.text("status"))
	for _, path := range []string{"/signup/", prefix + "/", "/api/", "/api/v2/storefront/stripe/", "/v1/"} {
		a := send(t, http.MethodGet, d.site+path+"openapi.json", "", "")
		require.Equal(t, http.StatusOK, a.status, path)
		require.Equal(t, "3.1.0", a.text("openapi"), path)
	}
	nobody := d.post(t, orbitKit, "")
	require.Equal(t, http.StatusUnauthorized, nobody.status)
	require.JSONEq(t, `{"error":{"code":"UNAUTHORIZED","message":"Invalid or expired token","docUrl":"https://orbitkit.io/api/errors/#unauthorized"}}`, nobody.body)
}

// TestFront: whatever is below a wire's path is answered in that wire's shape, also
// what http.ServeMux would redirect.
func TestFront(t *testing.T) {
	t.Parallel()
	d := start(t)
	for wire, shape := range map[string]string{
		prefix + "/":                 "detail",
		"/signup/":                   "code",
		"/api/":                      "error",
		"/api/v2/storefront/stripe/": "error",
		"/v1/":                       "error",
	} {
		for _, tail := range []string{"", ".", "..", "../setup-intent", "./setup_intents/..", "../setup_intents", "/", "x//y", "%2e%2e/activate", "%2F"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				a := send(t, method, d.site+wire+tail, "wrong", "")
				require.Contains(t, []int{401, 404, 405, 422}, a.status, "%s %s%s", method, wire, tail)
				require.Contains(t, a.body, `"`+shape+`":`, "%s %s%s", method, wire, tail)
			}
		}
	}
	require.Equal(t, http.StatusNotFound, send(t, http.MethodGet, d.site+"/v1", "", "").status)
	require.Equal(t, http.StatusMethodNotAllowed, send(t, http.MethodGet, d.site+prefix, "", "").status, "the application's own")
}

// TestStripe: a client of Stripe's creates, updates and retrieves, with a token
// for a key; also once the card is saved.
func TestStripe(t *testing.T) {
	t.Parallel()
	const path = "/v1/setup_intents"
	d := start(t)
	began := d.post(t, prefix, `{"email":"a@example.com"}`)
	token := began.header.Get("X-Signup-Token")
	mine := d.post(t, prefix+"/"+began.text("pendingId")+"/setup-intent", "").text("setupIntentId")

	created := send(t, http.MethodPost, d.site+path, token, "payment_method_types[]=card")
	require.Equal(t, http.StatusOK, created.status, created)
	require.Equal(t, mine, created.text("id"), "one row, one intent, whichever the wire")
	updated := send(t, http.MethodPost, d.site+path+"/"+mine, token, "metadata[order_id]=6735&description=hello")
	require.Equal(t, "hello", updated.text("description"), updated)
	form := url.Values{"client_secret": {created.text("client_secret")}, "payment_method": {"pm_card_visa"}}
	send(t, http.MethodPost, d.fakeURL+path+"/"+mine+"/confirm", "pk_test_demo", form.Encode())
	send(t, http.MethodPost, d.fakeURL+"/_stripetest/webhooks/wait", "", "")
	retrieved := send(t, http.MethodGet, d.site+path+"/"+mine, token, "")
	require.Equal(t, "succeeded", retrieved.text("status"), retrieved)

	next := send(t, http.MethodPost, d.site+path, token, "payment_method_types[]=card")
	require.Equal(t, http.StatusOK, next.status, next)
	require.NotEqual(t, mine, next.text("id"))
	require.Equal(t, http.StatusNotFound, send(t, http.MethodGet, d.site+path+"/"+mine, token, "").status, "of the latest row alone")
	require.Equal(t, http.StatusUnauthorized, send(t, http.MethodPost, d.site+path, "sk_test_demo", "").status)
}

func TestTokenKeys(t *testing.T) {
	t.Parallel()
	one := strings.Repeat("1", 32)
	old, err := newTokens(one)
	require.NoError(t, err)
	both, err := newTokens(strings.Repeat("2", 32) + ", " + one)
	require.NoError(t, err)
	token, err := old.Issue("42", tokenTTL)
	require.NoError(t, err)
	_, err = both.Verify(token)
	require.NoError(t, err)

	_, err = newTokens("short")
	require.ErrorContains(t, err, "SIGNUP_TOKEN_KEYS")
	random, err := newTokens("")
	require.NoError(t, err)
	_, err = random.Verify(token)
	require.Error(t, err)
}

// rowOf returns the row that the intent's metadata names.
func (d *demo) rowOf(t *testing.T, intent string) string {
	t.Helper()
	a := send(t, http.MethodGet, d.fakeURL+"/v1/setup_intents/"+intent, "sk_test_demo", "")
	var object struct{ Metadata map[string]string }
	require.NoError(t, json.Unmarshal([]byte(a.body), &object), a)
	id := object.Metadata["pending_user_id"]
	require.Regexp(t, idPattern, id)
	return id
}
