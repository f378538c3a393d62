package stripetest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/setupintent"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// connect returns stripe-go's client for a fake without a listener.
func connect(fake *stripetest.Server) setupintent.Client {
	return setupintent.Client{Key: stripetest.DefaultSecretKey, B: stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		HTTPClient:        fake.Client(), // whatever the URL
		MaxNetworkRetries: stripe.Int64(0),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
	})}
}

func newIntent(key string) *stripe.SetupIntentParams {
	params := &stripe.SetupIntentParams{PaymentMethodTypes: stripe.StringSlice([]string{"card"})}
	if key != "" {
		params.SetIdempotencyKey(key)
	}
	return params
}

// A card is declined, and then another one saved, on the same intent.
func Example() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	intents := connect(fake)

	intent, err := intents.New(newIntent(""))
	fmt.Println(intent.Status, err)
	for _, method := range []string{"pm_card_chargeDeclined", "pm_card_visa"} {
		_, err = intents.Confirm(intent.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String(method)})
		now, _ := fake.SetupIntent(intent.ID)
		fmt.Println(err != nil, now.Status, now.LastError)
	}
	// Output:
	// requires_payment_method <nil>
	// true requires_payment_method generic_decline
	// false succeeded
}

// The fake is a handler like any other.
func ExampleNew() {
	fake, err := stripetest.New(&stripetest.Options{SecretKey: "sk_test_mine"})
	if err != nil {
		log.Fatal(err)
	}
	listener := httptest.NewServer(fake)

	r, _ := http.NewRequest(http.MethodPost, listener.URL+"/v1/setup_intents", strings.NewReader("usage=sometimes"))
	r.SetBasicAuth("sk_test_mine", "")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	listener.Close()
	fmt.Println(response.Status, strings.Contains(string(body), "must be one of off_session or on_session"))
	// Output: 400 Bad Request true
}

// The answer is lost after the intent was made; the same key finds it again.
func ExampleServer_Inject() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	err = fake.Inject(stripetest.Fault{Route: "POST /v1/setup_intents", Kind: stripetest.FaultClose, After: true, Count: 1})
	if err != nil {
		log.Fatal(err)
	}
	intents := connect(fake)

	_, err = intents.New(newIntent("a-key"))
	fmt.Println(err != nil, len(fake.SetupIntents()))
	intent, err := intents.New(newIntent("a-key"))
	fmt.Println(err, len(fake.SetupIntents()), intent.LastResponse.Header.Get("Idempotent-Replayed"))
	// Output:
	// true 1
	// <nil> 1 true
}

// An idempotency key is forgotten after a day, which need not be waited for.
func ExampleServer_Advance() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	intents := connect(fake)
	for range 2 {
		if _, err := intents.New(newIntent("a-key")); err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(fake.SetupIntents()))
		fake.Advance(24 * time.Hour)
	}
	// Output:
	// 1
	// 2
}

// What was called, and how often.
func ExampleServer_Count() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	intents := connect(fake)
	intent, err := intents.New(newIntent("a-key"))
	if err != nil {
		log.Fatal(err)
	}
	_, _ = intents.Get(intent.ID, nil)
	_, _ = intents.Get("seti_unknown", nil)
	fmt.Println(fake.Count("POST /v1/setup_intents"), fake.Count("GET /v1/setup_intents/:id"))
	for _, call := range fake.Calls() {
		fmt.Printf("%d %s %s %q\n", call.Status, call.Method, call.Path, call.IdempotencyKey)
	}
	// Output:
	// 1 2
	// 200 POST /v1/setup_intents "a-key"
	// 200 GET /v1/setup_intents/:id ""
	// 404 GET /v1/setup_intents/:id ""
}

// The bank takes its time, and then says no.
func ExampleServer_Resolve() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	intent, err := connect(fake).New(newIntent(""))
	if err != nil {
		log.Fatal(err)
	}
	for _, outcome := range []stripetest.Outcome{stripetest.OutcomeProcess, "insufficient_funds", stripetest.OutcomeSucceed} {
		if err := fake.Resolve(intent.ID, outcome); err != nil {
			log.Fatal(err)
		}
		now, _ := fake.SetupIntent(intent.ID)
		fmt.Printf("%s %q\n", now.Status, now.LastError)
	}
	// Output:
	// processing ""
	// requires_payment_method "insufficient_funds"
	// succeeded ""
}

// Each event comes twice, signed as Stripe signs it.
func ExampleServer_SetWebhookMode() {
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(strings.HasPrefix(r.Header.Get("Stripe-Signature"), "t="))
	}))
	fake, err := stripetest.New(&stripetest.Options{Webhooks: []stripetest.Webhook{{URL: app.URL, Secret: "whsec_test"}}})
	if err != nil {
		log.Fatal(err)
	}
	if err := fake.SetWebhookMode(stripetest.WebhooksDuplicate, 0); err != nil {
		log.Fatal(err)
	}
	if _, err := connect(fake).New(newIntent("")); err != nil {
		log.Fatal(err)
	}
	if err := fake.WaitWebhooks(context.Background()); err != nil {
		log.Fatal(err)
	}
	app.Close()
	for _, d := range fake.Deliveries() {
		fmt.Println(d.Type, d.Status)
	}
	// Output:
	// true
	// true
	// setup_intent.created 200
	// setup_intent.created 200
}

// A page confirms with the publishable key and the client secret, is sent to
// the bank, and comes back.
func ExampleServer_Client() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	intent, err := connect(fake).New(newIntent(""))
	if err != nil {
		log.Fatal(err)
	}
	browser := fake.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	form := url.Values{
		"client_secret": {intent.ClientSecret}, "payment_method": {"pm_card_authenticationRequired"}, "return_url": {"https://app.test/back"},
	}
	r, _ := http.NewRequest(http.MethodPost, "https://api.stripe.com/v1/setup_intents/"+intent.ID+"/confirm", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(stripetest.DefaultPublishableKey, "")
	response, err := browser.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	_, page, _ := strings.Cut(string(body), `"url":"`)
	page, _, _ = strings.Cut(page, `"`)
	response, err = browser.PostForm(page, url.Values{"outcome": {"complete"}})
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	back, _ := response.Location()
	fmt.Println(back.Host+back.Path, back.Query().Get("redirect_status"))
	// Output: app.test/back succeeded
}

// The same account, as WooshPay serves it.
func Example_wooshPay() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, "http://fake/wooshpay/v1/setup_intents", strings.NewReader(`{"payment_method_types": ["card"]}`))
	if err != nil {
		log.Fatal(err)
	}
	r.SetBasicAuth(stripetest.DefaultSecretKey, "")
	r.Header.Set("Content-Type", "application/json")
	answer, err := fake.Client().Do(r)
	if err != nil {
		log.Fatal(err)
	}
	var object map[string]any
	err = json.NewDecoder(answer.Body).Decode(&object)
	_ = answer.Body.Close()
	fmt.Println(answer.StatusCode, object["status"], len(object), "attributes", err)
	// Output: 200 requires_payment_method 19 attributes <nil>
}
