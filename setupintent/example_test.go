package setupintent_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// A row, from its insert until it is active.
func Example() {
	ctx := context.Background()
	rows, stripe := memstore.New(), new(setupintenttest.Provider) // store.New and stripeport.New, in production
	svc, err := setupintent.New(rows, stripe, &setupintent.Options{
		OnActive: func(_ context.Context, row setupintent.Row, in setupintent.Intent) error {
			fmt.Println("open the account of row", row.ID, "with", in.PaymentMethod)
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Now().Add(time.Hour)); err != nil { // with the signup
		panic(err)
	}
	in, err := svc.Begin(ctx, "42", nil) // its client secret goes to the page
	if err != nil {
		panic(err)
	}
	if err := stripe.Confirm(in.ID, "pm_1"); err != nil { // what the page does, by Stripe.js
		panic(err)
	}
	row, err := svc.Activate(ctx, "42", in.ID)
	fmt.Println(row.Status, err)
	_, err = svc.Begin(ctx, "42", nil)
	fmt.Println(errors.Is(err, setupintent.ErrNotPending))
	// Output:
	// open the account of row 42 with pm_1
	// active <nil>
	// true
}

// Who has not solved the challenge, or asks too often, gets no intent.
func ExampleOptions_guard() {
	rows := memstore.New()
	svc, err := setupintent.New(rows, new(setupintenttest.Provider), &setupintent.Options{
		Guard: func(_ context.Context, row setupintent.Row) error {
			return fmt.Errorf("row %s has not solved the challenge", row.ID)
		},
		CreateRate: 10, // claims per second of this process, whatever the guard says
	})
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	_, err = svc.Begin(context.Background(), "42", nil)
	fmt.Println(errors.Is(err, setupintent.ErrLimited))
	fmt.Println(err)
	// Output:
	// true
	// setupintent: row "42": the claim was refused: Options.Guard: row 42 has not solved the challenge
}

// The application ends a row: first its intent is canceled, then the row.
func ExampleService_Cancel() {
	ctx := context.Background()
	rows, stripe := memstore.New(), new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, stripe, nil)
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	in, err := svc.Begin(ctx, "42", nil)
	if err != nil {
		panic(err)
	}
	row, err := svc.Cancel(ctx, "42")
	if err != nil {
		panic(err)
	}
	in, err = stripe.GetIntent(ctx, in.ID)
	fmt.Println(row.Status, in.Status, err)
	// Output: cancelled canceled <nil>
}

// An application that keeps its own endpoint for webhooks passes on what it has
// verified; httpadapter has one that does the same.
func ExampleService_Notify() {
	ctx := context.Background()
	rows, stripe := memstore.New(), new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, stripe, nil)
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	in, err := svc.Begin(ctx, "42", nil)
	if err != nil {
		panic(err)
	}
	if err := stripe.Confirm(in.ID, "pm_1"); err != nil {
		panic(err)
	}
	if err := svc.Notify(ctx, setupintent.Intent{ID: in.ID}); err != nil { // not trusted: fetched
		panic(err)
	}
	row, err := rows.Load(ctx, "42")
	fmt.Println(row.Status, row.Progress.PaymentMethodID(), err)
	// Output: active pm_1 <nil>
}

// A signup that was under way when cardonfile came: its intent names the user.
func ExampleService_Import() {
	ctx := context.Background()
	rows, stripe := memstore.New(), new(setupintenttest.Provider)
	old, err := stripe.CreateIntent(ctx, setupintent.IntentRequest{Key: "old", Metadata: map[string]string{"user": "42"}})
	if err != nil {
		panic(err)
	}
	svc, err := setupintent.New(rows, stripe, &setupintent.Options{MetadataKey: "user"})
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	if _, err := svc.Import(ctx, "42", old.ID); err != nil {
		panic(err)
	}
	in, err := svc.Begin(ctx, "42", nil)
	fmt.Println(in.ID == old.ID, err)
	// Output: true <nil>
}

// After rows were deleted by hand: the intents that nobody points to any more.
func ExampleService_Audit() {
	ctx := context.Background()
	rows, stripe := memstore.New(), new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, stripe, &setupintent.Options{Namespace: "prod"})
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	if _, err := svc.Begin(ctx, "42", nil); err != nil {
		panic(err)
	}
	rows.Delete("42")
	orphans, err := svc.Audit(ctx, time.Now().Add(-24*time.Hour), time.Now(), true)
	if err != nil {
		panic(err)
	}
	for _, o := range orphans {
		fmt.Println(o.IntentID, o.Why, o.Status)
	}
	// Output: seti_1 there is no such row canceled
}

// creator is all that some gateways can do.
type creator struct{}

func (creator) CreateIntent(_ context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	return setupintent.Intent{ID: "seti_of_" + req.Metadata["pending_user_id"], ClientSecret: setupintent.NewClientSecret("secret")}, nil
}

// With a gateway that can only create, a reload sends the same create again.
func ExampleCreateOnly() {
	ctx := context.Background()
	rows := memstore.New()
	svc, err := setupintent.New(rows, setupintent.CreateOnly(creator{}), nil)
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	for range 2 {
		in, err := svc.Begin(ctx, "42", nil)
		fmt.Println(in.ID, err)
	}
	_, err = svc.Activate(ctx, "42", "seti_of_42")
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	// Output:
	// seti_of_42 <nil>
	// seti_of_42 <nil>
	// true
}

// At the start of a process, before it listens.
func ExampleService_Check() {
	svc, err := setupintent.New(memstore.New(), new(setupintenttest.Provider), nil)
	if err != nil {
		panic(err)
	}
	err = svc.Check(context.Background(),
		// rows.Check,                                            // package store: the columns and the index
		// stripe.CheckMode(live),                                // package stripeport: the key's mode
		// stripe.CheckWebhook("https://app.example/hooks/stripe"),
		func(context.Context) error { return errors.New("the mail server does not answer") }, // whatever OnActive needs
	)
	fmt.Println(err)
	// Output: the mail server does not answer
}

// An observer counts moves, and how long calls take and how they fail.
func ExampleOptions_observe() {
	ctx := context.Background()
	rows := memstore.New()
	stripe := new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, stripe, &setupintent.Options{
		Observe: func(_ context.Context, e setupintent.Event) {
			switch {
			case e.Move != "":
				fmt.Printf("moves_total{move=%q} +1\n", e.Move)
			case e.Call != "":
				fmt.Printf("call_seconds{call=%q,class=%q} observed\n", e.Call, e.Class)
			default:
				fmt.Printf("alerts_total{class=%q} +1: %v\n", e.Class, e.Err)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	in, err := svc.Begin(ctx, "42", nil)
	if err != nil {
		panic(err)
	}
	if err := stripe.Confirm(in.ID, "pm_1"); err != nil { // what the page does
		panic(err)
	}
	if _, err := svc.Activate(ctx, "42", in.ID); err != nil {
		panic(err)
	}
	// Output:
	// moves_total{move="claim"} +1
	// call_seconds{call="create",class=""} observed
	// moves_total{move="record"} +1
	// call_seconds{call="get",class=""} observed
	// moves_total{move="activate"} +1
}

// A mobile app needs the intent's customer and an ephemeral key for it, too. The
// key comes before the intent: without it there would be no use for one.
func ExampleService_BeginFor() {
	ctx := context.Background()
	rows := memstore.New()
	svc, err := setupintent.New(rows, new(setupintenttest.Provider), &setupintent.Options{
		Customers: new(customers), // stripe, in production
		Customer: func(_ context.Context, row setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{Email: row.ID + "@example.com"}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	if err := rows.Insert("42", time.Time{}); err != nil {
		panic(err)
	}
	key := ""
	in, err := svc.BeginFor(ctx, "42", nil, func(_ context.Context, customer string) error {
		key = "ek_for_" + customer // stripe.EphemeralKey(ctx, customer, version)
		return nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(in.Customer, key, in.ID)
	// Output: cus_1 ek_for_cus_1 seti_1
}

// Before the first sweep of a table that is there already: what it would do, and
// then a few rows at a time.
func ExampleService_Sweep() {
	ctx := context.Background()
	rows := memstore.New()
	svc, err := setupintent.New(rows, new(setupintenttest.Provider), nil)
	if err != nil {
		panic(err)
	}
	for _, id := range []string{"41", "42", "43"} { // whose deadline was yesterday
		if err := rows.Insert(id, time.Now().Add(-24*time.Hour)); err != nil {
			panic(err)
		}
	}
	planned, err := svc.Sweep(ctx, rows, &setupintent.SweepOptions{DryRun: true})
	if err != nil {
		panic(err)
	}
	fmt.Println("planned:", planned.Planned)
	for left := true; left; {
		report, err := svc.Sweep(ctx, rows, &setupintent.SweepOptions{Limit: 2})
		if err != nil {
			panic(err)
		}
		fmt.Println("expired:", report.Expired, "left:", report.Left)
		left = report.Left
	}
	// Output:
	// planned: map[end:3]
	// expired: 2 left: true
	// expired: 1 left: false
}

// Once per process, and waited for at its end.
func ExampleService_Run() {
	rows := memstore.New()
	svc, err := setupintent.New(rows, new(setupintenttest.Provider), nil)
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		_ = svc.Run(ctx, rows, time.Minute, &setupintent.SweepOptions{
			OnReport: func(r setupintent.Report, err error) {
				fmt.Println("failed:", r.Failed, "behind by:", r.Lag, "error:", err)
				stop() // at a SIGTERM, in a program
			},
		})
	}()
	<-swept // it has finished the row that it was at
	// Output: failed: 0 behind by: 0s error: <nil>
}
