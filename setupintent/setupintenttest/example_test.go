package setupintenttest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// What the application does when the provider has made the intent, and the answer
// is lost: nothing but ask again.
func ExampleFaultyProvider() {
	ctx := context.Background()
	backend := new(setupintenttest.Provider)
	stripe := &setupintenttest.FaultyProvider{Provider: backend}
	lost := true
	stripe.After = func(method, _ string) error {
		if method == "CreateIntent" && lost {
			lost = false
			return errors.New("connection reset")
		}
		return nil
	}
	rows := memstore.New()
	svc, err := setupintent.New(rows, stripe, nil)
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	in, err := svc.Begin(ctx, "42", nil)
	fmt.Println(in.ID, err)
	fmt.Println(stripe.Calls("CreateIntent"), "calls,", len(backend.Intents()), "intent")
	// Output:
	// seti_1 <nil>
	// 2 calls, 1 intent
}
