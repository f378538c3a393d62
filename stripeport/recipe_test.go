package stripeport_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// accounts is a table of the application's own.
type accounts struct {
	mu        sync.Mutex
	customers map[string]string // account → customer
	needCard  map[string]bool   // the one that was saved can't be used: ask for another
}

func newAccounts() *accounts {
	return &accounts{customers: map[string]string{}, needCard: map[string]bool{}}
}

func (a *accounts) customer(id string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.customers[id]
}

func (a *accounts) setCustomer(id, customer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.customers[id] = customer
}

func (a *accounts) setNeedCard(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.needCard[id] = true
}

// attachTo is an OnActive for intents without a customer: it creates the
// account's customer and gives it the payment method. It may run twice, and
// twice at the same time; here, a row's id is the account's, too.
func attachTo(stripe *stripeport.Provider, accounts *accounts) func(context.Context, setupintent.Row, setupintent.Intent) error {
	return func(ctx context.Context, row setupintent.Row, in setupintent.Intent) error {
		customer := accounts.customer(row.ID)
		if customer == "" {
			var err error
			customer, err = stripe.CreateCustomer(ctx, setupintent.CustomerRequest{
				Key:      "customer-" + row.ID, // the same on every run: one customer
				Metadata: map[string]string{"account": row.ID},
			})
			if err != nil {
				return err
			}
			accounts.setCustomer(row.ID, customer)
		}
		err := stripe.AttachPaymentMethod(ctx, in.PaymentMethod, customer)
		if errors.Is(err, setupintent.ErrRefused) {
			// The issuer has changed its mind, and no repetition changes it again.
			// The row turns active all the same: it was about saving a card, and
			// that has ended. The account's next card is a new row.
			accounts.setNeedCard(row.ID)
			return nil
		}
		return err
	}
}

// An intent that has no customer is confirmed first, and the customer is made
// when the row turns active: no customers of people who never finish.
func Example_attachAtActivation() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	stripe, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	rows, accounts := memstore.New(), newAccounts()
	svc, err := setupintent.New(rows, stripe, &setupintent.Options{OnActive: attachTo(stripe, accounts)})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	_ = rows.Insert("42", time.Time{})
	in, err := svc.Begin(ctx, "42", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("customer: %q, customers made: %d\n", in.Customer, fake.Count("POST /v1/customers"))
	_ = fake.Resolve(in.ID, stripetest.OutcomeSucceed) // the browser confirms
	row, err := svc.Activate(ctx, "42", in.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row.Status, "- customers made:", fake.Count("POST /v1/customers"), "- attached:", fake.Count("POST /v1/payment_methods/:id/attach"))
	fmt.Println("has a customer:", accounts.customer("42") != "")
	// Output:
	// customer: "", customers made: 0
	// active - customers made: 1 - attached: 1
	// has a customer: true
}

const (
	customersRoute = "POST /v1/customers"
	attachRoute    = "POST /v1/payment_methods/:id/attach"
)

func TestAttachAtActivation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, tc := range []struct {
		name     string
		faults   []stripetest.Fault
		forget   bool // the process dies before it has noted the customer
		first    setupintent.Status
		needCard bool
	}{
		{name: "no trouble", first: setupintent.Active},
		{name: "no answer", faults: []stripetest.Fault{{Route: attachRoute, Kind: stripetest.FaultClose, After: true, Count: 1}}, first: setupintent.Active},
		{name: "Stripe is down", faults: []stripetest.Fault{{Route: attachRoute, Status: 503, Count: 3}}, first: setupintent.Pending},
		{name: "down before the customer", faults: []stripetest.Fault{{Route: customersRoute, Status: 503, Count: 3}}, first: setupintent.Pending},
		{name: "a customer, and no answer", faults: []stripetest.Fault{{Route: customersRoute, Kind: stripetest.FaultClose, After: true, Count: 3}}, first: setupintent.Pending},
		{name: "no rights", faults: []stripetest.Fault{{Route: attachRoute, Status: 403, Count: 1}}, first: setupintent.Pending},
		{name: "throttled", faults: []stripetest.Fault{{Route: attachRoute, Status: 429, Count: 1}}, first: setupintent.Pending},
		{name: "dies in between", faults: []stripetest.Fault{{Route: attachRoute, Kind: stripetest.FaultClose, After: true, Count: 3}}, forget: true, first: setupintent.Pending},
		{
			name: "declined when it is attached", first: setupintent.Active, needCard: true,
			faults: []stripetest.Fault{{Route: attachRoute, Status: 402, Count: 1, Body: failWith(cardError, "card_declined", `"decline_code":"stolen_card"`)}},
		},
		{
			name: "gone", first: setupintent.Active, needCard: true,
			faults: []stripetest.Fault{{Route: attachRoute, Status: 404, Count: 1, Body: failWith(invalidRequest, "resource_missing")}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, fake := fakeProvider(t, http.DefaultTransport)
			rows, accounts := memstore.New(), newAccounts()
			require.NoError(t, rows.Insert("42", time.Time{}))
			svc, err := setupintent.New(rows, p, &setupintent.Options{OnActive: attachTo(p, accounts), Now: fake.Now})
			require.NoError(t, err)
			in, err := svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.NoError(t, fake.Resolve(in.ID, stripetest.OutcomeSucceed)) //nolint:contextcheck // the fake's webhooks outlive the call
			require.NoError(t, fake.Inject(tc.faults...))

			_, err = svc.Activate(ctx, "42", in.ID)
			row, loadErr := rows.Load(ctx, "42")
			require.NoError(t, loadErr)
			require.Equal(t, tc.first, row.Status)
			require.Equal(t, tc.first == setupintent.Active, err == nil, "the caller is told: %v", err)
			if tc.forget {
				accounts.setCustomer("42", "")
			}
			fake.Advance(time.Hour)
			_, err = svc.Sweep(ctx, rows, nil)
			require.NoError(t, err)

			row, err = rows.Load(ctx, "42")
			require.NoError(t, err)
			require.Equal(t, setupintent.Active, row.Status)
			require.Equal(t, tc.needCard, accounts.needCard["42"])
			found := findCustomer(t, p, time.Time{}, time.Time{}, map[string]string{"account": "42"})
			require.Equal(t, accounts.customer("42"), found)
			require.Equal(t, 1, customersMade(fake), "one customer")
			if !tc.needCard {
				require.NoError(t, p.AttachPaymentMethod(ctx, row.Progress.PaymentMethodID(), found), "it is the customer's")
			}
		})
	}
}

// customersMade counts the customers that were made, by the calls that were no
// replays.
func customersMade(fake *stripetest.Server) int {
	made := map[string]bool{}
	for _, c := range fake.Calls() {
		if c.Method == "POST" && strings.HasSuffix(c.Path, "/customers") {
			made[c.IdempotencyKey] = true
		}
	}
	return len(made)
}
