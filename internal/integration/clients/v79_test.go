//go:build clients

package clients_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/event"
	"github.com/stripe/stripe-go/v79/paymentmethod"
	"github.com/stripe/stripe-go/v79/setupattempt"
	"github.com/stripe/stripe-go/v79/setupintent"
	"github.com/stripe/stripe-go/v79/webhook"
	"github.com/stripe/stripe-go/v79/webhookendpoint"
)

// clients79 are the clients of one fake.
type clients79 struct {
	intents   setupintent.Client
	customers customer.Client
	events    event.Client
	endpoints webhookendpoint.Client
	url       string
	backend   stripe.Backend
}

func start79(t *testing.T) clients79 {
	t.Helper()
	url := start(t)
	b := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String(url), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	const key = "sk_test_demo"
	return clients79{
		setupintent.Client{B: b, Key: key},
		customer.Client{B: b, Key: key},
		event.Client{B: b, Key: key},
		webhookendpoint.Client{B: b, Key: key},
		url, b,
	}
}

func cards79() *stripe.SetupIntentParams {
	return &stripe.SetupIntentParams{PaymentMethodTypes: stripe.StringSlice([]string{"card"})}
}

func TestV79(t *testing.T) {
	t.Parallel()
	c := start79(t)
	cus, err := c.customers.New(&stripe.CustomerParams{Email: stripe.String("a@example.com")})
	require.NoError(t, err)

	params := cards79()
	params.Customer, params.Description = stripe.String(cus.ID), stripe.String("ä & = +")
	params.Metadata = map[string]string{"row": "42", "with space": "é"}
	made, err := c.intents.New(params)
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusRequiresPaymentMethod, made.Status)
	require.Equal(t, params.Metadata, made.Metadata)
	require.Contains(t, made.ClientSecret, made.ID+"_secret_")
	require.NotEmpty(t, made.LastResponse.RequestID)
	got, err := c.intents.Get(made.ID, nil)
	require.NoError(t, err)
	require.Equal(t, made.LastResponse.RawJSON, got.LastResponse.RawJSON)

	changed, err := c.intents.Update(made.ID, &stripe.SetupIntentParams{Metadata: map[string]string{"row": "", "more": "1"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"with space": "é", "more": "1"}, changed.Metadata)

	_, err = c.intents.Confirm(made.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_chargeDeclined")})
	var declined *stripe.Error
	require.ErrorAs(t, err, &declined)
	require.Equal(t, stripe.ErrorTypeCard, declined.Type)
	require.Equal(t, stripe.DeclineCodeGenericDecline, declined.DeclineCode)
	require.Equal(t, stripe.SetupIntentStatusRequiresPaymentMethod, declined.SetupIntent.Status)
	require.Equal(t, "0002", declined.PaymentMethod.Card.Last4)

	confirm := &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")}
	confirm.AddExpand("customer")
	confirm.AddExpand("latest_attempt.payment_method")
	done, err := c.intents.Confirm(made.ID, confirm)
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusSucceeded, done.Status)
	require.Equal(t, "a@example.com", done.Customer.Email)
	require.Equal(t, "4242", done.LatestAttempt.PaymentMethod.Card.Last4)

	attempts := setupattempt.Client{B: c.backend, Key: "sk_test_demo"}.List(&stripe.SetupAttemptListParams{SetupIntent: &made.ID})
	require.Len(t, attempts.SetupAttemptList().Data, 2)
	methods := paymentmethod.Client{B: c.backend, Key: "sk_test_demo"}.List(&stripe.PaymentMethodListParams{Customer: &cus.ID})
	require.Len(t, methods.PaymentMethodList().Data, 1)

	other, err := c.intents.New(cards79())
	require.NoError(t, err)
	canceled, err := c.intents.Cancel(other.ID, &stripe.SetupIntentCancelParams{CancellationReason: stripe.String("abandoned")})
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusCanceled, canceled.Status)
	_, err = c.intents.Get("seti_none", nil)
	require.ErrorAs(t, err, &declined)
	require.Equal(t, stripe.ErrorCodeResourceMissing, declined.Code)
}

func TestV79Paging(t *testing.T) {
	t.Parallel()
	c := start79(t)
	var made []string
	for range 25 {
		si, err := c.intents.New(cards79())
		require.NoError(t, err)
		made = append([]string{si.ID}, made...)
	}
	all := func(params stripe.ListParams) (ids []string) {
		t.Helper()
		list := c.intents.List(&stripe.SetupIntentListParams{ListParams: params})
		for list.Next() {
			ids = append(ids, list.SetupIntent().ID)
		}
		require.NoError(t, list.Err())
		return ids
	}
	require.Equal(t, made, all(stripe.ListParams{Limit: stripe.Int64(7)}))
	backwards := all(stripe.ListParams{Limit: stripe.Int64(7), EndingBefore: &made[24]})
	slices.Reverse(backwards)
	require.Equal(t, made[:24], backwards)
}

func TestV79Idempotency(t *testing.T) {
	t.Parallel()
	c := start79(t)
	keyed := func(n string) *stripe.SetupIntentParams {
		params := cards79()
		params.IdempotencyKey = stripe.String("k")
		params.AddMetadata("n", n)
		return params
	}
	made, err := c.intents.New(keyed("1"))
	require.NoError(t, err)
	require.Empty(t, made.LastResponse.Header.Get("Idempotent-Replayed"))
	again, err := c.intents.New(keyed("1"))
	require.NoError(t, err)
	require.Equal(t, made.ID, again.ID)
	require.Equal(t, "true", again.LastResponse.Header.Get("Idempotent-Replayed"))
	_, err = c.intents.New(keyed("2"))
	var mismatch *stripe.Error
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, stripe.ErrorTypeIdempotency, mismatch.Type)

	// The client's own retry finds what the lost answer said.
	control(t, c.url, "faults", `{"kind":"close","when":"after","method":"POST","path":"/v1/setup_intents","count":1}`)
	params := cards79()
	params.AddMetadata("lost", "answer")
	_, err = c.intents.New(params)
	require.NoError(t, err)
	list := c.intents.List(&stripe.SetupIntentListParams{})
	require.Len(t, list.SetupIntentList().Data, 2)
}

func TestV79Events(t *testing.T) {
	t.Parallel()
	c := start79(t)
	url, came := listen(t)
	endpoint, err := c.endpoints.New(&stripe.WebhookEndpointParams{
		URL: &url, EnabledEvents: stripe.StringSlice([]string{"setup_intent.created", "setup_intent.canceled"}),
	})
	require.NoError(t, err)
	made, err := c.intents.New(cards79())
	require.NoError(t, err)
	_, err = c.intents.Cancel(made.ID, nil)
	require.NoError(t, err)
	control(t, c.url, "webhooks/wait", "{}")
	var types []string
	for range 2 {
		d := take(t, came)
		e, err := webhook.ConstructEvent(d.body, d.signature, endpoint.Secret)
		require.NoError(t, err)
		require.Equal(t, made.ID, e.GetObjectValue("id"))
		types = append(types, string(e.Type))
		_, err = webhook.ConstructEvent(append(d.body, ' '), d.signature, endpoint.Secret)
		require.ErrorIs(t, err, webhook.ErrNoValidSignature)
	}
	require.Equal(t, []string{"setup_intent.created", "setup_intent.canceled"}, types)
	listed := c.events.List(&stripe.EventListParams{Types: stripe.StringSlice(types), DeliverySuccess: stripe.Bool(true)})
	require.Len(t, listed.EventList().Data, 2)
	e, err := c.events.Get(listed.EventList().Data[0].ID, nil)
	require.NoError(t, err)
	require.Equal(t, "setup_intent.canceled", fmt.Sprint(e.Type))
}
