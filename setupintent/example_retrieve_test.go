package setupintent_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// The intent of a row, without making one: a row whose card was saved meanwhile
// comes back active.
func ExampleService_Retrieve() {
	ctx, rows, stripe := context.Background(), memstore.New(), new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, stripe, nil)
	if err != nil {
		panic(err)
	}
	_ = rows.Insert("42", time.Time{})
	in, _ := svc.Begin(ctx, "42", nil)
	_ = stripe.Confirm(in.ID, "pm_1") // the browser does

	row, in, err := svc.Retrieve(ctx, "42", in.ID)
	fmt.Println(row.Status, in.Status, err)
	_, _, err = svc.Retrieve(ctx, "42", "seti_of_somebody_else")
	fmt.Println(err)
	for key := range in.Metadata {
		if !svc.OwnsMetadata(key) {
			fmt.Println(key, "is the application's")
		}
	}
	// Output:
	// active succeeded <nil>
	// setupintent: row "42": the intent does not belong to the row
}
