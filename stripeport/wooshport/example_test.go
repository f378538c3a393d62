package wooshport_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

// A service on WooshPay, and the endpoint for its webhooks. In a test, the fake
// stands for WooshPay.
func Example() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	provider, err := wooshport.New(stripetest.DefaultSecretKey, &wooshport.Options{
		BaseURL: "http://127.0.0.1/wooshpay", HTTPClient: fake.Client(), // without both, it is apitest.wooshpay.com
	})
	if err != nil {
		log.Fatal(err)
	}
	webhook, err := wooshport.NewWebhook([]string{"whsec_9f8e7d6c5b4a3f2e1d0c"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	rows := memstore.New()
	svc, err := setupintent.New(rows, provider, &setupintent.Options{Live: provider.Live()})
	if err != nil {
		log.Fatal(err)
	}
	h, err := httpadapter.New(svc, nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/wooshpay", h.Webhook(webhook.Parse)) // setup_intent.created must be sent, too

	if err := svc.Check(context.Background(), provider.CheckKey(false)); err != nil {
		log.Fatal(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		log.Fatal(err)
	}
	in, err := svc.Begin(context.Background(), "42", nil)
	fmt.Println(in.Status, err)

	unsigned := httptest.NewRecorder()
	mux.ServeHTTP(unsigned, httptest.NewRequest(http.MethodPost, "/webhooks/wooshpay", http.NoBody))
	fmt.Println(unsigned.Code)
	// Output:
	// requires_payment_method <nil>
	// 400
}

func ExampleProvider_ConfirmIntent() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	provider, err := wooshport.New(stripetest.DefaultSecretKey, &wooshport.Options{BaseURL: "http://127.0.0.1/wooshpay", HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	in, err := provider.CreateIntent(ctx, setupintent.IntentRequest{})
	if err != nil {
		log.Fatal(err)
	}
	for _, card := range []string{"pm_card_chargeDeclined", "pm_card_visa"} {
		in, err = provider.ConfirmIntent(ctx, in.ID, wooshport.ConfirmRequest{PaymentMethod: card, ReturnURL: "https://app.example/back"})
		fmt.Println(in.Status, in.ErrorCode, err)
	}
	// Output:
	// requires_payment_method card_declined <nil>
	// succeeded  <nil>
}

// What WooshPay's documents lack is said, and not guessed.
func ExampleProvider_CancelIntent() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	provider, err := wooshport.New(stripetest.DefaultSecretKey, &wooshport.Options{BaseURL: "http://127.0.0.1/wooshpay", HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	in, err := provider.CreateIntent(ctx, setupintent.IntentRequest{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = provider.CancelIntent(ctx, in.ID, "abandoned")
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	if err := fake.Resolve(in.ID, stripetest.OutcomeSucceed); err != nil {
		log.Fatal(err)
	}
	in, err = provider.CancelIntent(ctx, in.ID, "abandoned")
	fmt.Println(in.Status, err)
	// Output:
	// true
	// succeeded <nil>
}

// seen is a record of the intents whose events have come, newest first.
type seen []setupintent.Intent

// listing is a Provider with a list of one's own: what is not on it is taken for
// not made, so every event must be in it before the service asks, 10 minutes
// after a create that was not answered.
type listing struct {
	*wooshport.Provider
	seen *seen
}

// ListIntents has all on one page.
func (l listing) ListIntents(_ context.Context, from, to time.Time, after string) ([]setupintent.Intent, error) {
	var page []setupintent.Intent
	for _, in := range *l.seen {
		if after == "" && !in.Created.Before(from) && !in.Created.After(to) {
			page = append(page, in)
		}
	}
	return page, nil
}

func ExampleProvider_ListIntents() {
	provider, err := wooshport.New(stripetest.DefaultSecretKey, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	_, err = provider.ListIntents(ctx, time.Time{}, time.Now(), "")
	fmt.Println(errors.Is(err, errors.ErrUnsupported))

	events := &seen{{ID: "seti_1953770262453288960", Created: time.Now()}}
	var own setupintent.Provider = listing{provider, events}
	page, err := own.ListIntents(ctx, time.Time{}, time.Now(), "")
	fmt.Println(len(page), err)
	// Output:
	// true
	// 1 <nil>
}
