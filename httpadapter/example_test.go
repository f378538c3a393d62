package httpadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// The mount: a row, a store, a provider.
func Example() {
	rows := memstore.New()                    // or store.New over your database
	provider := new(setupintenttest.Provider) // or stripeport.New with your key
	svc, err := setupintent.New(rows, provider, nil)
	if err != nil {
		log.Fatal(err)
	}
	h, err := httpadapter.New(svc, nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/signup/", h.Routes(httpadapter.PathID))

	if err := rows.Insert("42", time.Time{}); err != nil { // a signup form was filled in
		log.Fatal(err)
	}
	for range 2 { // an impatient person
		post(mux, "/signup/42/setup-intent", "")
	}
	fmt.Println("intents made:", len(provider.Intents()))
	// Output:
	// 200 {"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}
	// 200 {"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}
	// intents made: 1
}

// Identify is where the application decides who may act on which row.
func ExampleHandler_Routes() {
	h, rows, _ := exampleHandler(nil)
	_ = rows.Insert("42", time.Time{})
	owners := map[string]string{"42": "alice"} // row → who filled in the form

	mux := http.NewServeMux()
	mux.Handle("/t/{tenant}/signup/", h.Routes(func(r *http.Request) (string, error) {
		user, _, ok := r.BasicAuth() // or your session
		id := r.PathValue("id")
		switch {
		case !ok:
			return "", httpadapter.ErrUnauthenticated
		case owners[id] != user:
			return "", fmt.Errorf("%w: %s of %s is not the owner", httpadapter.ErrForbidden, user, r.PathValue("tenant"))
		}
		return id, nil
	}))

	for _, user := range []string{"", "mallory", "alice"} {
		r := httptest.NewRequest(http.MethodPost, "/t/acme/signup/42/setup-intent", nil)
		if user != "" {
			r.SetBasicAuth(user, "")
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// 401 application/problem+json
	// 403 application/problem+json
	// 200 application/json
}

// In a route of the application's own, whatever the router, the application has
// decided before it calls the handler.
func ExampleHandler_SetupIntent() {
	h, rows, provider := exampleHandler(nil)
	_ = rows.Insert("42", time.Time{})

	mux := http.NewServeMux()
	mux.HandleFunc("POST /accounts/{account}/card", func(w http.ResponseWriter, r *http.Request) {
		h.SetupIntent(w, r, r.PathValue("account"))
	})
	mux.HandleFunc("POST /accounts/{account}/card/done", func(w http.ResponseWriter, r *http.Request) {
		h.Activate(w, r, r.PathValue("account"))
	})

	post(mux, "/accounts/42/card", "")
	_ = provider.Confirm("seti_1", "pm_1") // the browser does
	post(mux, "/accounts/42/card/done", `{"setupIntentId":"seti_1"}`)
	// Output:
	// 200 {"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}
	// 200 {"status":"active","userId":"42"}
}

// Routes has the document beside its routes. In a router of the application's
// own it goes wherever that likes.
func ExampleHandler_OpenAPI() {
	h, _, _ := exampleHandler(&httpadapter.Options{Dialect: httpadapter.OrbitKit{}})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /docs/card.json", h.OpenAPI)

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs/card.json", nil))
	var document struct {
		OpenAPI string
		Paths   map[string]any
	}
	_ = json.Unmarshal(w.Body.Bytes(), &document)
	fmt.Println(w.Code, document.OpenAPI)
	for path := range document.Paths {
		fmt.Println(path)
	}
	// Unordered output:
	// 200 3.1.0
	// /api/setup-intent
	// /api/openapi.json
}

func ExampleLoyaltyDog() {
	h, rows, _ := exampleHandler(&httpadapter.Options{Dialect: httpadapter.LoyaltyDog{}})
	_ = rows.Insert("5eb7cf5a86d9755df3a6c593", time.Time{})

	objectID := regexp.MustCompile("^[0-9a-f]{24}$")
	mux := http.NewServeMux()
	mux.Handle("/v2/signup/pending/", h.Routes(httpadapter.PathPattern(objectID)))

	post(mux, "/v2/signup/pending/5eb7cf5a86d9755df3a6c593/setup-intent", "")
	post(mux, "/v2/signup/pending/000000000000000000000000/setup-intent", "")
	post(mux, "/v2/signup/pending/abc/setup-intent", "")
	// Output:
	// 200 {"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1"}
	// 404 {"detail":"pending_not_found"}
	// 422 {"detail":[{"type":"value_error","loc":["path","pending_id"],"msg":"Value error, Id must be of type PydanticObjectId","input":"abc","ctx":{"error":{}}}]}
}

// Spree's storefront asks for a customer, an ephemeral key and an intent at once.
// The path names no row: the application opens one of the account, or of a
// guest.
func ExampleSpree() {
	stripe, rows := exampleStripe()
	svc, err := setupintent.New(rows, stripe, &setupintent.Options{
		Customers: stripe,
		Customer: func(context.Context, setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{}, nil // the account's e-mail, if it has one
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: httpadapter.Spree{
		EphemeralKey: func(ctx context.Context, customer, version string) (setupintent.ClientSecret, error) {
			key, err := stripe.EphemeralKey(ctx, customer, version)
			return key.Secret, err
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	guests := 0
	mux := http.NewServeMux()
	mux.Handle("/api/v2/storefront/stripe/", h.Routes(func(r *http.Request) (string, error) {
		credential, err := httpadapter.Credential(r)
		switch {
		case err != nil:
			return "", err
		case credential != "":
			return "", httpadapter.ErrUnauthenticated // look your user up
		}
		guests++
		id := fmt.Sprint("guest-", guests)
		return id, rows.Insert(id, time.Time{})
	}))

	r := httptest.NewRequest(http.MethodPost, "/api/v2/storefront/stripe/setup_intents", nil)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	var answer map[string]string
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	for _, name := range []string{"customer_id", "ephemeral_key_secret", "setup_intent_client_secret"} {
		kind, _, _ := strings.Cut(answer[name], "_")
		fmt.Println(name, kind)
	}
	r.Header.Set("Authorization", "Bearer expired")
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 200 application/vnd.api+json
	// customer_id cus
	// ephemeral_key_secret ek
	// setup_intent_client_secret seti
	// 401 {"error":"The access token is invalid"}
}

// OrbitKit's path names no row: the credential says whose account it is, and the
// application opens a row for it. Once that has its card, the same request is
// about the next one.
func ExampleOrbitKit() {
	h, rows, provider := exampleHandler(&httpadapter.Options{
		Dialect: httpadapter.OrbitKit{},
		DocsURL: "https://orbitkit.io/api/errors/",
	})
	current := "" // the account's newest row; store.Open does all this on a database
	open := func(ctx context.Context, credential string) (string, error) {
		if credential != "key-of-acme" {
			return "", httpadapter.ErrUnauthenticated
		}
		if row, err := rows.Load(ctx, current); err == nil && row.Status == setupintent.Pending {
			return current, nil
		}
		current += "acme-card."
		return current, rows.Insert(current, time.Time{})
	}
	mux := http.NewServeMux()
	mux.Handle("POST /api/setup-intent", h.Routes(httpadapter.Bearer(open)))

	ask := func(key string) {
		r := httptest.NewRequest(http.MethodPost, "/api/setup-intent", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	ask("key-of-acme")
	_ = provider.Confirm("seti_1", "pm_1") // the browser does
	ask("key-of-acme")
	ask("expired")
	// Output:
	// 201 {"clientSecret":"seti_1_secret_test"}
	// 201 {"clientSecret":"seti_2_secret_test"}
	// 401 {"error":{"code":"UNAUTHORIZED","message":"Invalid or expired token","docUrl":"https://orbitkit.io/api/errors/#unauthorized"}}
}

// What a limiter says of a request is in the headers of its answer.
func ExampleOrbitKit_limit() {
	left := 1
	h, rows, _ := exampleHandler(&httpadapter.Options{Dialect: httpadapter.OrbitKit{
		Limit: func(*http.Request) httpadapter.Quota { // ask your limiter, by account or address
			left--
			return httpadapter.Quota{Limit: 300, Window: time.Minute, Remaining: left, Reset: 45 * time.Second, Exceeded: left < 0}
		},
	}})
	_ = rows.Insert("42", time.Time{})
	routes := h.Routes(func(*http.Request) (string, error) { return "42", nil })
	for range 2 {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/setup-intent", nil))
		header := w.Header()
		fmt.Printf("%d %s %s %q\n", w.Code, header.Get("Ratelimit-Policy"), header.Get("Ratelimit"), header.Get("Retry-After"))
	}
	// Output:
	// 201 "default";q=300;w=60 "default";r=0;t=45 ""
	// 429 "default";q=300;w=60 "default";r=0;t=45 "45"
}

// A token lets whoever holds it act on one row, until it expires, without a
// session. Keys are changed by putting a new one in front.
func ExampleTokens() {
	tokens, err := httpadapter.NewTokens([][]byte{
		[]byte("the key of this month, of 32 bytes or more"), // from your configuration
		[]byte("the key of last month, of 32 bytes or more"),
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	h, rows, _ := exampleHandler(nil)
	_ = rows.Insert("42", time.Time{})
	mux := http.NewServeMux()
	mux.Handle("/signup/", h.Routes(tokens.Identify))

	token, err := tokens.Issue("42", time.Hour) // for the page, when the form was filled in
	if err != nil {
		log.Fatal(err)
	}
	for _, authorization := range []string{"Bearer " + token, "Bearer " + token[1:], ""} {
		r := httptest.NewRequest(http.MethodPost, "/signup/42/setup-intent", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 401
	// 401
}

// Bearer takes a token as Stripe's clients send their keys, too: as the user
// name of Basic.
func ExampleBearer() {
	identify := httpadapter.Bearer(func(_ context.Context, credential string) (string, error) {
		if credential != "sk_row_42" {
			return "", httpadapter.ErrUnauthenticated
		}
		return "42", nil
	})
	r := httptest.NewRequest(http.MethodPost, "/v1/setup_intents", nil)
	r.SetBasicAuth("sk_row_42", "") // curl -u sk_row_42:
	fmt.Println(identify(r))
	r.Header.Set("Authorization", "Bearer sk_row_42")
	fmt.Println(identify(r))
	r.Header.Set("Authorization", "Bearer sk_row_43")
	fmt.Println(identify(r))
	// Output:
	// 42 <nil>
	// 42 <nil>
	//  not authenticated
}

// The endpoint is the application's to place, and the secret is that of the
// endpoint at Stripe. What is not signed with it gets nowhere.
func ExampleHandler_Webhook() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // from your configuration
	h, rows, provider := exampleHandler(nil)
	hook, err := stripeport.NewWebhook([]string{secret}, nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/signup/", h.Routes(httpadapter.PathID))
	mux.Handle("/hooks/stripe", h.Webhook(hook.Parse))

	_ = rows.Insert("42", time.Time{})
	post(mux, "/signup/42/setup-intent", "")
	_ = provider.Confirm("seti_1", "pm_1") // the browser does, and is closed

	const event = `{"type":"setup_intent.succeeded","data":{"object":{"id":"seti_1","object":"setup_intent","status":"succeeded"}}}`
	post(mux, "/hooks/stripe", event) // anybody can send that
	now := strconv.FormatInt(time.Now().Unix(), 10)
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, "/hooks/stripe", strings.NewReader(event))
		r.Header.Set("Stripe-Signature", "t="+now+",v1="+mac(secret, now, event))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	row, _ := rows.Load(context.Background(), "42")
	fmt.Println(row.Status)
	// Output:
	// 200 {"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}
	// 400 {"type":"about:blank","title":"Bad Request","status":400,"detail":"The signature is missing, wrong, or not of about now.","code":"unverified"}
	// 200 {"received":true}
	// 200 {"received":true}
	// active
}

func exampleHandler(opts *httpadapter.Options) (*httpadapter.Handler, *memstore.Store, *setupintenttest.Provider) {
	rows, provider := memstore.New(), new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, provider, nil)
	if err != nil {
		log.Fatal(err)
	}
	h, err := httpadapter.New(svc, opts)
	if err != nil {
		log.Fatal(err)
	}
	return h, rows, provider
}

// exampleStripe is Stripe, with a fake behind it.
func exampleStripe() (*stripeport.Provider, *memstore.Store) {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	stripe, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	return stripe, memstore.New()
}

// post sends a request as a page would, and prints the answer.
func post(h http.Handler, path, body string) {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer, _ := io.ReadAll(w.Body)
	fmt.Print(w.Code, " ", string(answer))
}
