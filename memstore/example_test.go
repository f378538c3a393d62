package memstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// A signup, tested without a database and without Stripe.
func Example() {
	ctx := context.Background()
	rows := memstore.New()
	svc, err := setupintent.New(rows, new(setupintenttest.Provider), nil)
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Now().Add(time.Hour)); err != nil {
		panic(err)
	}
	if _, err := svc.Begin(ctx, "42", nil); err != nil {
		panic(err)
	}
	row, err := rows.Load(ctx, "42")
	fmt.Println(row.Status, row.Progress.Phase(), err)

	// What the application itself writes, it writes like this.
	if err := rows.SetStatus("42", "suspended"); err != nil {
		panic(err)
	}
	_, err = svc.Begin(ctx, "42", nil)
	fmt.Println(err)
	// Output:
	// pending attached <nil>
	// setupintent: row "42": the row is not pending
}
