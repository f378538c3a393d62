package stripeport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// With the secret key of the account alone; here at a fake Stripe.
func ExampleNew() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	provider, err := stripeport.New("sk_test_demo", &stripeport.Options{HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	in, err := provider.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "signup-42"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(in.Status, in.ClientSecret, "live:", provider.Live())
	// Output: requires_payment_method [redacted] live: false
}

// A live key is never sent in the clear, and a key with a line break in it never
// at all.
func ExampleNew_refused() {
	_, err := stripeport.New("sk_live_demo", &stripeport.Options{BaseURL: "http://localhost:12111"})
	fmt.Println(err)
	_, err = stripeport.New("sk_test_demo\n", nil)
	fmt.Println(err)
	// Output:
	// stripeport: BaseURL "http://localhost:12111" must be https: the key is a live-mode key
	// stripeport: a secret key is sk_test_, rk_test_, sk_live_ or rk_live_ and then letters and digits, with no white space
}

// What is known about the effect is for errors.Is, and what Stripe said for
// errors.As.
func ExampleError() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	provider, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	_, err = provider.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "signup-42", Customer: "cus_unknown"})
	fmt.Println(errors.Is(err, setupintent.ErrRefused))
	if e := new(stripeport.Error); errors.As(err, &e) {
		fmt.Println(e.HTTPStatus, e.Code, e.Param)
	}
	// Output:
	// true
	// 400 resource_missing customer
}

// In a webhook endpoint of the application's own, an intent's id is what
// Notify wants; everything else is the application's business.
func ExampleWebhook_Parse() {
	hook, err := stripeport.NewWebhook([]string{"whsec_the_new_one_of_the_endpoint", "whsec_the_old_one_for_a_day"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		in, err := hook.Parse(r.Header, body)
		switch {
		case errors.Is(err, setupintent.ErrUnverified):
			fmt.Println("not Stripe's")
			w.WriteHeader(http.StatusBadRequest)
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
		case in.ID != "":
			fmt.Println("svc.Notify:", in.ID)
		default:
			fmt.Println("another event, and verified")
		}
	}
	for _, body := range []string{
		`{"type":"setup_intent.succeeded","data":{"object":{"id":"seti_1","object":"setup_intent","status":"succeeded"}}}`,
		`{"type":"v1.setup_intent.canceled","related_object":{"id":"seti_2","type":"setup_intent"}}`,
		`{"type":"invoice.paid","data":{"object":{"id":"in_1","object":"invoice"}}}`,
	} {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		r := httptest.NewRequest(http.MethodPost, "/hooks/stripe", strings.NewReader(body))
		r.Header.Set("Stripe-Signature", "t="+now+",v1="+mac("whsec_the_old_one_for_a_day", now, body))
		handler(httptest.NewRecorder(), r)
	}
	handler(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/hooks/stripe", strings.NewReader("{}")))
	// Output:
	// svc.Notify: seti_1
	// svc.Notify: seti_2
	// another event, and verified
	// not Stripe's
}

// Once, by a person or in a step of the deployment: the secret is told at
// creation alone.
func ExampleProvider_EnsureWebhookEndpoint() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	provider, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		endpoint, err := provider.EnsureWebhookEndpoint(context.Background(), "https://app.example/hooks/stripe", nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("created:", endpoint.Created, "- has a secret:", endpoint.Secret.Reveal() != "")
	}
	// Output:
	// created: true - has a secret: true
	// created: false - has a secret: false
}
