package httpadapter_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
)

const (
	someID = `{"setupIntentId":"seti_1"}` // another row's
	form   = "application/x-www-form-urlencoded"
)

// wires are the dialects as they are mounted in the hostile table.
var wires = []wire{
	{"default", "/v2/signup/pending/" + rowID + "/setup-intent", "/v2/signup/pending/%s/setup-intent", http.MethodPost},
	{"LoyaltyDog", "/v2/signup/pending/" + rowID + "/setup-intent", "/v2/signup/pending/%s/setup-intent", http.MethodPost},
	{"Spree", "/api/v2/storefront/stripe/setup_intents", "", ""},
	{"OrbitKit", "/api/setup-intent", "", ""},
	{"Stripe", "/v1/setup_intents", "/v1/setup_intents/%s", http.MethodGet},
}

type wire struct {
	name   string
	ask    string // the path by which it hands out an intent, by a POST
	id     string // the path that has an id, if it has one
	method string // of that
}

// A hostileRequest is what a browser, a curl or an attacker sends. There is one
// row of its own, untouched, and the intent seti_1 is another row's.
type hostileRequest struct {
	name        string
	method      string // empty: POST, or that of the wire's id
	path        string // as written on the request line, with the wire's path for "ask"; empty: that, or that of the id
	id          string
	contentType string
	body        string // "chunked:" before it: of unknown length; "endless:": 1 GiB
	header      http.Header
	want        [5]int // the status by wire; 0: it has no such request
}

var hostile = []hostileRequest{
	// What is right, or does not matter.
	{name: "no body, no type", want: [5]int{200, 200, 200, 201, 200}},
	{name: "no body, form (curl -d '')", contentType: form, want: [5]int{200, 200, 200, 201, 200}},
	{name: "no body, text (fetch)", contentType: "text/plain;charset=UTF-8", want: [5]int{200, 200, 200, 201, 200}},
	{name: "no body, nonsense type", contentType: ";;;", want: [5]int{200, 200, 200, 201, 200}},
	{name: "no body, chunked", contentType: "text/plain", body: "chunked:", want: [5]int{200, 200, 200, 201, 200}},
	{name: "JSON", contentType: "application/json", body: `{"passwordHash":"x","consent":{"ip":"::1"},"utm":null}`, want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, chunked", contentType: "application/json; charset=utf-8", body: "chunked:{}", want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, truncated", contentType: "application/json", body: `{"passw`, want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, a key twice", contentType: "application/json", body: `{"a":1,"a":{}}`, want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON:API", contentType: "application/vnd.api+json", body: "{}", want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, in capitals", contentType: "Application/JSON", body: "{}", want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, with a bad parameter", contentType: "application/json; charset", body: "{}", want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, of identity coding", contentType: "application/json", body: "{}", header: http.Header{"Content-Encoding": {"identity"}}, want: [5]int{200, 200, 200, 201, 415}},
	{name: "query", path: "ask?setup_intent_client_secret=x&id=other", want: [5]int{200, 200, 200, 201, 400}},
	{name: "escaped as it need not be", path: "/v2/signup/pending/%35" + rowID[1:] + "/setup-intent", want: [5]int{200, 200, 0, 0, 0}},
	{name: "two slashes before", path: "/v2//signup//pending//" + rowID + "/setup-intent", want: [5]int{200, 200, 0, 0, 0}},

	// What the caller may not set, in JSON, which nobody looks into.
	{name: "JSON, confirm and customer", contentType: "application/json", body: `{"confirm":true,"customer":"cus_other","usage":"on_session","payment_method":"pm_1"}`, want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, our metadata set", contentType: "application/json", body: `{"metadata":{"pending_user_id":"other"}}`, want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, our metadata unset", contentType: "application/json", body: `{"metadata":""}`, want: [5]int{200, 200, 200, 201, 415}},
	{name: "JSON, another row's intent", contentType: "application/json", body: `{"setupIntentId":"seti_1","id":"other"}`, want: [5]int{200, 200, 200, 201, 415}},

	// Idempotency-Key.
	{name: "key, bare", header: http.Header{"Idempotency-Key": {"8e03978e-40d5-43e8-bc93-6894a57f9324"}}, want: [5]int{200, 200, 200, 201, 200}},
	{name: "key, quoted", header: http.Header{"Idempotency-Key": {`"8e03978e-40d5-43e8-bc93-6894a57f9324"`}}, want: [5]int{200, 200, 200, 201, 200}},
	{name: "key, 255 characters", header: http.Header{"Idempotency-Key": {strings.Repeat("k", 255)}}, want: [5]int{200, 200, 200, 201, 200}},
	{name: "key, 300 characters", header: http.Header{"Idempotency-Key": {strings.Repeat("k", 300)}}, want: [5]int{200, 200, 200, 400, 400}},
	{name: "key, 300 characters, quoted", header: http.Header{"Idempotency-Key": {`"` + strings.Repeat("k", 300) + `"`}}, want: [5]int{200, 200, 200, 400, 400}},
	{name: "key, 10,000 characters", header: http.Header{"Idempotency-Key": {strings.Repeat("k", 10_000)}}, want: [5]int{200, 200, 200, 400, 400}},
	{name: "key, quoted and open", header: http.Header{"Idempotency-Key": {`"8e03978e`}}, want: [5]int{200, 200, 200, 400, 400}},
	{name: "key, empty", header: http.Header{"Idempotency-Key": {""}}, want: [5]int{200, 200, 200, 400, 400}},
	{name: "key, two", header: http.Header{"Idempotency-Key": {"a", "b"}}, want: [5]int{200, 200, 200, 400, 400}},
	{name: "key, other alphabet", header: http.Header{"Idempotency-Key": {"ключ"}}, want: [5]int{200, 200, 200, 400, 400}},
	{name: "key, NUL", header: http.Header{"Idempotency-Key": {"a\x00b"}}, want: [5]int{200, 200, 200, 400, 400}},

	// Credentials, where they name the row.
	{name: "credential, none", header: http.Header{"Authorization": nil}, want: [5]int{0, 0, 403, 401, 401}},
	{name: "credential, wrong", header: http.Header{"Authorization": {"Bearer wrong"}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, empty", header: http.Header{"Authorization": {""}}, want: [5]int{0, 0, 403, 401, 401}},
	{name: "credential, Bearer of nothing", header: http.Header{"Authorization": {"Bearer "}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, of another scheme", header: http.Header{"Authorization": {"Digest right"}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, Basic, not base64", header: http.Header{"Authorization": {"Basic %%%"}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, 10,000 characters", header: http.Header{"Authorization": {"Bearer " + strings.Repeat("x", 10_000)}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, other alphabet", header: http.Header{"Authorization": {"Bearer ключ"}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, two", header: http.Header{"Authorization": {"Bearer right", "Bearer right"}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, with more behind it", header: http.Header{"Authorization": {"Bearer right right"}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, NUL", header: http.Header{"Authorization": {"Bearer right\x00"}}, want: [5]int{0, 0, 401, 401, 401}},
	{name: "credential, in the query", path: "ask?access_token=right", header: http.Header{"Authorization": nil}, want: [5]int{0, 0, 403, 401, 400}},
	{name: "Stripe-Version, none", header: http.Header{"Stripe-Version": {"latest"}}, want: [5]int{200, 200, 400, 201, 200}},
	{name: "Stripe-Version, 10,000 characters", header: http.Header{"Stripe-Version": {strings.Repeat("2", 10_000)}}, want: [5]int{200, 200, 400, 201, 200}},

	// Ids in the path: of the row, or of the intent.
	{name: "id, unknown", id: "000" + rowID[3:], want: [5]int{404, 404, 0, 0, 404}},
	{name: "id, another row's", id: "seti_1", want: [5]int{0, 0, 0, 0, 404}},
	{name: "id, short", id: "x", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, 10,000 characters", id: strings.Repeat("0", 10_000), want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, 256 bytes", id: strings.Repeat("0", 256), want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, capitals", id: strings.ToUpper(rowID), want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, escaped slash", id: "x%2F" + rowID, want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, only an escaped slash", id: "%2F", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, dots", id: "..", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, escaped dots", id: "%2e%2e", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, escaped dots and slash", id: "..%2f..%2f" + rowID, want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, NUL", id: rowID + "%00", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, newline", id: rowID + "%0A", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, other alphabet", id: "%EF%BC%95eb7cf5a86d9755df3a6c593", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, right to left", id: "%D7%90%E2%80%AE", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, not UTF-8", id: "%FF%FE", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, escaped twice", id: "%2535", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, SQL", id: "'%20OR%201=1--", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, space", id: "%20" + rowID, want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, semicolon", id: rowID + ";x=y", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, a client secret", id: "seti_2_secret_test", want: [5]int{404, 422, 0, 0, 404}},
	{name: "id, empty", id: noID, want: [5]int{404, 404, 0, 0, 404}},
	{name: "id, escaped path", path: "/v2/signup/pending/x%2F" + rowID + "%2Fsetup-intent", want: [5]int{404, 404, 0, 0, 0}},

	// Paths and methods.
	{name: "path, none", path: "/", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, trailing slash", path: "ask/", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, more", path: "ask/x/y", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, escaped slash", path: "ask%2F", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, escaped slash and dots", path: "ask%2F..%2F..", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, NUL", path: "ask%00", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, other alphabet", path: "ask%D1%8A", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, 10,000 characters", path: "ask" + strings.Repeat("x", 10_000), want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, capitals", path: "/V2/SIGNUP/SETUP-INTENT/SETUP_INTENTS", want: [5]int{404, 404, 404, 404, 404}},
	{name: "path, the collection", path: "/v2/signup/pending", want: [5]int{404, 404, 0, 0, 0}},
	{name: "path, the row", path: "/v2/signup/pending/" + rowID, want: [5]int{404, 404, 0, 0, 0}},
	{name: "path, two slashes in the end", path: "/v2/signup/pending/" + rowID + "//setup-intent", want: [5]int{404, 404, 0, 0, 0}},
	{name: "path, confirm and cancel", path: "/v1/setup_intents/seti_2/confirm", want: [5]int{0, 0, 0, 0, 404}},
	{name: "method, GET", method: "GET", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, HEAD", method: "HEAD", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, PUT", method: "PUT", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, PATCH", method: "PATCH", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, DELETE", method: "DELETE", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, TRACE", method: "TRACE", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, post", method: "post", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, BREW", method: "BREW", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, with a body", method: "PUT", contentType: "application/json", body: "{}", want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, overridden", method: "GET", header: http.Header{"X-Http-Method-Override": {"POST"}}, want: [5]int{405, 405, 405, 405, 405}},
	{name: "method, preflight", method: "OPTIONS", header: http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"POST"}}, want: [5]int{204, 204, 204, 204, 204}},
	{name: "method, preflight of nothing", method: "OPTIONS", path: "/nothing", want: [5]int{404, 404, 404, 404, 404}},
	{name: "document, POST", path: "/v1/openapi.json", want: [5]int{405, 405, 405, 405, 405}},

	// Types and sizes.
	{name: "type, none", body: "{}", want: [5]int{200, 200, 200, 201, 415}},
	{name: "type, empty", header: http.Header{"Content-Type": {""}}, body: "{}", want: [5]int{415, 415, 415, 415, 415}},
	{name: "type, text", contentType: "text/plain", body: "{}", want: [5]int{415, 415, 415, 415, 415}},
	{name: "type, multipart", contentType: "multipart/form-data; boundary=x", body: "--x--", want: [5]int{415, 415, 415, 415, 415}},
	{name: "type, form", contentType: form, body: "a=b", want: [5]int{415, 415, 415, 415, 400}},
	{name: "type, +json of another kind", contentType: "image/svg+json", body: "{}", want: [5]int{415, 415, 415, 415, 415}},
	{name: "type, looks like JSON", contentType: "application/jsonp", body: "{}", want: [5]int{415, 415, 415, 415, 415}},
	{name: "type, two in one", contentType: "application/json, text/plain", body: "{}", want: [5]int{415, 415, 415, 415, 415}},
	{name: "coding, gzip", contentType: "application/json", body: "{}", header: http.Header{"Content-Encoding": {"gzip"}}, want: [5]int{415, 415, 415, 415, 415}},
	{name: "size, declared", contentType: "application/json", body: strings.Repeat("x", 4097), want: [5]int{413, 413, 413, 413, 413}},
	{name: "size, 1 GiB, chunked", contentType: "application/json", body: "endless:", want: [5]int{413, 413, 413, 413, 413}},
	{name: "size, 1 GiB, of a form", contentType: form, body: "endless:", want: [5]int{413, 413, 413, 413, 413}},
	{name: "size, and type", contentType: "text/plain", body: strings.Repeat("x", 5000), want: [5]int{413, 413, 413, 413, 413}},

	// The body of activate.
	{name: "body, none", path: "activate", contentType: "application/json", want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, none, chunked", path: "activate", contentType: "application/json", body: "chunked:", want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, null", path: "activate", contentType: "application/json", body: "null", want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, number", path: "activate", contentType: "application/json", body: "1", want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, string", path: "activate", contentType: "application/json", body: `"seti_1"`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, array", path: "activate", contentType: "application/json", body: `[` + someID + `]`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, empty object", path: "activate", contentType: "application/json", body: "{}", want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, truncated", path: "activate", contentType: "application/json", body: `{"setupIntentId":"se`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, two values", path: "activate", contentType: "application/json", body: someID + someID, want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, BOM", path: "activate", contentType: "application/json", body: "\ufeff" + someID, want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, UTF-16", path: "activate", contentType: "application/json", body: "\xff\xfe{\x00}\x00", want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, deep", path: "activate", contentType: "application/json", body: strings.Repeat("[", 4096), want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, deep member", path: "activate", contentType: "application/json", body: `{"setupIntentId":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "body, single quotes", path: "activate", contentType: "application/json", body: `{'setupIntentId':'seti_1'}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "intent, null", path: "activate", contentType: "application/json", body: `{"setupIntentId":null}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "intent, number", path: "activate", contentType: "application/json", body: `{"setupIntentId":1}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "intent, object", path: "activate", contentType: "application/json", body: `{"setupIntentId":{"$ne":""}}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "intent, empty", path: "activate", contentType: "application/json", body: `{"setupIntentId":""}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "intent, 201 characters", path: "activate", contentType: "application/json", body: `{"setupIntentId":"` + strings.Repeat("é", 201) + `"}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "intent, in other capitals", path: "activate", contentType: "application/json", body: `{"SETUPINTENTID":"seti_1"}`, want: [5]int{400, 422, 0, 0, 0}},
	{name: "intent, another row's", path: "activate", contentType: "application/json", body: someID, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, 200 characters", path: "activate", contentType: "application/json", body: `{"setupIntentId":"` + strings.Repeat("x", 200) + `"}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, twice", path: "activate", contentType: "application/json", body: `{"setupIntentId":5,"setupIntentId":"seti_1"}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, a client secret", path: "activate", contentType: "application/json", body: `{"setupIntentId":"seti_1_secret_x"}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, another path", path: "activate", contentType: "application/json", body: `{"setupIntentId":"../customers"}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, escaped NUL", path: "activate", contentType: "application/json", body: `{"setupIntentId":"seti_1\u0000"}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, lone surrogate", path: "activate", contentType: "application/json", body: `{"setupIntentId":"\ud800"}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, with what may not be set", path: "activate", contentType: "application/json", body: `{"setupIntentId":"seti_1","confirm":true,"metadata":{"pending_user_id":"x"}}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "intent, and just as much as is read", path: "activate", contentType: "application/json", body: `{"setupIntentId":"seti_1","x":"` + strings.Repeat("x", 4063) + `"}`, want: [5]int{409, 400, 0, 0, 0}},
	{name: "type of activate, none", path: "activate", body: someID, want: [5]int{409, 400, 0, 0, 0}},
	{name: "type of activate, none, and no JSON", path: "activate", body: "seti_1", want: [5]int{400, 422, 0, 0, 0}},
	{name: "type of activate, text", path: "activate", contentType: "text/plain", body: someID, want: [5]int{415, 415, 0, 0, 0}},
	{name: "method of activate", method: "DELETE", path: "activate", contentType: "application/json", body: someID, want: [5]int{405, 405, 0, 0, 0}},

	// Forms, as Stripe's clients send them.
	{name: "form, what may be set", contentType: form, body: "description=a&usage=on_session&payment_method_types[]=card&metadata[a]=b", want: [5]int{415, 415, 415, 415, 200}},
	{name: "form, a key twice", contentType: form, body: "description=a&description=b", want: [5]int{415, 415, 415, 415, 200}},
	{name: "form, confirm", contentType: form, body: "confirm=true", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, another's customer", contentType: form, body: "customer=cus_other", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, a payment method", contentType: form, body: "payment_method=pm_1", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, raw card data", contentType: form, body: "payment_method_data[type]=card&payment_method_data[card][number]=4242424242424242", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, client_secret", contentType: form, body: "client_secret=seti_1_secret_x", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, our metadata set", contentType: form, body: "metadata[pending_user_id]=other", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, our metadata unset", contentType: form, body: "metadata[pending_user_id]=", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, our metadata set, escaped", contentType: form, body: "metadata%5Bpending%5Fuser_id%5D=other", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, all metadata unset", contentType: form, body: "metadata=", want: [5]int{415, 415, 415, 415, 200}},
	{name: "form, a metadata key too long", contentType: form, body: "metadata[" + strings.Repeat("k", 41) + "]=v", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, metadata too long", contentType: form, body: "metadata[k]=" + strings.Repeat("v", 501), want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, metadata in metadata", contentType: form, body: "metadata[a][b]=c", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, a hash for a text", contentType: form, body: "description[a]=b", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, a text for a list", contentType: form, body: "payment_method_types=card", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, a text and a hash", contentType: form, body: "metadata=a&metadata[b]=c", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, both of two", contentType: form, body: "payment_method_types[]=card&automatic_payment_methods[enabled]=true", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, neither true nor false", contentType: form, body: "automatic_payment_methods[enabled]=perhaps", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, another usage", contentType: form, body: "usage=sometimes", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, deep", contentType: form, body: "metadata" + strings.Repeat("[a]", 1000) + "=b", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, open brackets", contentType: form, body: strings.Repeat("[", 4000) + "=b", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, truncated escape", contentType: form, body: "description=%4", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, not UTF-8", contentType: form, body: "description=%FF", want: [5]int{415, 415, 415, 415, 400}},
	{name: "form, no name", contentType: form, body: "=b", want: [5]int{415, 415, 415, 415, 400}},
	{name: "update of another row's intent, what is nobody's", path: "/v1/setup_intents/seti_1", contentType: form, body: "description=a", want: [5]int{0, 0, 0, 0, 404}},
	{name: "update of another row's intent, our metadata set", path: "/v1/setup_intents/seti_1", contentType: form, body: "metadata[pending_user_id]=other", want: [5]int{0, 0, 0, 0, 400}},
	{name: "update of another row's intent, our metadata unset", path: "/v1/setup_intents/seti_1", contentType: form, body: "metadata[pending_user_id]=", want: [5]int{0, 0, 0, 0, 400}},
	{name: "update of another row's intent, customer", path: "/v1/setup_intents/seti_1", contentType: form, body: "customer=cus_other", want: [5]int{0, 0, 0, 0, 400}},
	{name: "update of another row's intent, usage", path: "/v1/setup_intents/seti_1", contentType: form, body: "usage=on_session", want: [5]int{0, 0, 0, 0, 400}},
}

// noID is an id that is not there.
const noID = "-"

// TestHostile: whatever is sent, the answer is the wire's, the provider hears of
// what is right alone, and the other row's intent stays as it is. That each
// answer is in the wire's document is checked in internal/integration/openapi.
func TestHostile(t *testing.T) {
	t.Parallel()
	for n, wire := range wires {
		dialect, ok := dialects[wire.name]
		require.True(t, ok)
		requests := 0
		for _, c := range hostile {
			want := c.want[n]
			if want == 0 {
				continue
			}
			requests++
			t.Run(wire.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, dialect)
				if wire.name == "LoyaltyDog" {
					b.identify = httpadapter.PathPattern(regexp.MustCompile("^[0-9a-f]{24}$"))
				}
				require.NoError(t, b.rows.Insert("other", time.Time{}))
				_, err := b.start().svc.Begin(context.Background(), "other", nil)
				require.NoError(t, err)
				others := b.provider.Intents()

				r, sent := c.request(wire)
				w := b.serve(r)
				require.Equal(t, want, w.Code, w.Body.String())
				intents := b.provider.Intents()
				require.Equal(t, others, intents[:1])
				if want >= http.StatusNoContent {
					require.Zero(t, b.asked)
					require.Len(t, intents, 1)
				} else {
					require.EqualValues(t, 1, b.asked)
					require.Len(t, intents, 2)
					require.Equal(t, rowID, intents[1].Metadata["pending_user_id"])
					require.Equal(t, setupintent.RequiresPaymentMethod, intents[1].Status)
				}
				require.LessOrEqual(t, sent.n, int64(4<<10+1), "more was read than there may be")
			})
		}
		require.GreaterOrEqual(t, requests, 25)
		t.Logf("%s: %d requests", wire.name, requests)
	}
}

// request returns the request to a wire, and how much is read of an endless body.
func (c hostileRequest) request(w wire) (*http.Request, *counted) {
	path, method := w.ask, http.MethodPost
	switch {
	case c.path == "activate":
		path = strings.Replace(w.ask, "setup-intent", "activate", 1)
	case c.path != "":
		path = c.path
		if rest, ok := strings.CutPrefix(path, "ask"); ok {
			path = w.ask + rest
		}
	case c.id != "":
		path, method = strings.Replace(w.id, "%s", strings.TrimPrefix(c.id, noID), 1), w.method
	}
	if c.method != "" {
		method = c.method
	}
	body, chunked := strings.CutPrefix(c.body, "chunked:")
	var reader io.Reader = strings.NewReader(body)
	sent := &counted{r: io.LimitReader(zeros{}, 1<<30)}
	switch {
	case chunked:
		reader = io.MultiReader(reader)
	case body == "endless:":
		reader = sent
	}
	r := httptest.NewRequest(http.MethodPost, path, reader)
	r.Method = method
	r.Header.Set("Authorization", "Bearer right")
	maps.Copy(r.Header, c.header)
	maps.DeleteFunc(r.Header, func(_ string, values []string) bool { return len(values) == 0 })
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	return r.WithContext(context.WithValue(context.Background(), hostileKey{}, true)), sent
}

// hostileKey is in the context of a request of the table.
type hostileKey struct{}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// TestOddRequests are those that no http.Server makes of what it reads.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for name, u := range map[string]*url.URL{
		"empty":        {},
		"asterisk":     {Path: "*"},
		"no slash":     {Path: "setup-intent"},
		"opaque":       {Opaque: "x"},
		"bad RawPath":  {Path: "/x/setup-intent", RawPath: "/%zz/setup-intent"},
		"other's path": {Path: "/x/setup-intent", RawPath: "/" + rowID + "/setup-intent"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.URL = u
		require.Equal(t, http.StatusNotFound, b.serve(r).Code, name)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.URL = &url.URL{Path: rowID + "/setup-intent"} // stripped with its slash
	r.Body = nil
	require.Equal(t, http.StatusOK, b.serve(r).Code)

	r = activateRequest("")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"setup`), broken{}))
	require.Equal(t, http.StatusBadRequest, b.serve(r).Code)

	r = activateRequest("")
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(zeros{}), 10) // a limit outside
	require.Equal(t, http.StatusRequestEntityTooLarge, b.serve(r).Code)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
