//go:build clients

package clients_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"
)

func start85(t *testing.T) (client *stripe.Client, url string) {
	t.Helper()
	url = start(t)
	backends := stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(url), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	return stripe.NewClient("sk_test_demo", stripe.WithBackends(backends)), url
}

func cards85() *stripe.SetupIntentCreateParams {
	return &stripe.SetupIntentCreateParams{PaymentMethodTypes: stripe.StringSlice([]string{"card"})}
}

func TestV85(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, _ := start85(t)
	cus, err := c.V1Customers.Create(ctx, &stripe.CustomerCreateParams{Email: stripe.String("a@example.com")})
	require.NoError(t, err)

	params := cards85()
	params.Customer, params.Description = stripe.String(cus.ID), stripe.String("ä & = +")
	params.Metadata = map[string]string{"row": "42", "with space": "é"}
	made, err := c.V1SetupIntents.Create(ctx, params)
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusRequiresPaymentMethod, made.Status)
	require.Equal(t, params.Metadata, made.Metadata)
	require.Contains(t, made.ClientSecret, made.ID+"_secret_")
	require.NotEmpty(t, made.LastResponse.RequestID)
	require.Equal(t, stripe.APIVersion, made.LastResponse.Header.Get("Stripe-Version"))
	got, err := c.V1SetupIntents.Retrieve(ctx, made.ID, nil)
	require.NoError(t, err)
	require.Equal(t, made.LastResponse.RawJSON, got.LastResponse.RawJSON)

	changed, err := c.V1SetupIntents.Update(ctx, made.ID, &stripe.SetupIntentUpdateParams{Metadata: map[string]string{"row": "", "more": "1"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"with space": "é", "more": "1"}, changed.Metadata)

	_, err = c.V1SetupIntents.Confirm(ctx, made.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_chargeDeclined")})
	var declined *stripe.Error
	require.ErrorAs(t, err, &declined)
	require.Equal(t, stripe.ErrorTypeCard, declined.Type)
	require.Equal(t, stripe.DeclineCodeGenericDecline, declined.DeclineCode)
	require.Equal(t, stripe.SetupIntentStatusRequiresPaymentMethod, declined.SetupIntent.Status)
	require.Equal(t, "0002", declined.PaymentMethod.Card.Last4)

	confirm := &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")}
	confirm.AddExpand("customer")
	confirm.AddExpand("latest_attempt.payment_method")
	done, err := c.V1SetupIntents.Confirm(ctx, made.ID, confirm)
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusSucceeded, done.Status)
	require.Equal(t, "a@example.com", done.Customer.Email)
	require.Equal(t, "4242", done.LatestAttempt.PaymentMethod.Card.Last4)

	other, err := c.V1SetupIntents.Create(ctx, cards85())
	require.NoError(t, err)
	canceled, err := c.V1SetupIntents.Cancel(ctx, other.ID, &stripe.SetupIntentCancelParams{CancellationReason: stripe.String("abandoned")})
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusCanceled, canceled.Status)
	_, err = c.V1SetupIntents.Retrieve(ctx, "seti_none", nil)
	require.ErrorAs(t, err, &declined)
	require.Equal(t, stripe.ErrorCodeResourceMissing, declined.Code)
}

func TestV85Paging(t *testing.T) {
	t.Parallel()
	c, _ := start85(t)
	var made []string
	for range 25 {
		si, err := c.V1SetupIntents.Create(t.Context(), cards85())
		require.NoError(t, err)
		made = append([]string{si.ID}, made...)
	}
	all := func(params stripe.ListParams) (ids []string) {
		t.Helper()
		for si, err := range c.V1SetupIntents.List(t.Context(), &stripe.SetupIntentListParams{ListParams: params}).All(t.Context()) {
			require.NoError(t, err)
			ids = append(ids, si.ID)
		}
		return ids
	}
	require.Equal(t, made, all(stripe.ListParams{Limit: stripe.Int64(7)}))
	backwards := all(stripe.ListParams{Limit: stripe.Int64(7), EndingBefore: &made[24]})
	slices.Reverse(backwards)
	require.Equal(t, made[:24], backwards)
}

func TestV85Idempotency(t *testing.T) {
	t.Parallel()
	c, url := start85(t)
	keyed := func(n string) *stripe.SetupIntentCreateParams {
		params := cards85()
		params.IdempotencyKey = stripe.String("k")
		params.AddMetadata("n", n)
		return params
	}
	made, err := c.V1SetupIntents.Create(t.Context(), keyed("1"))
	require.NoError(t, err)
	require.Empty(t, made.LastResponse.Header.Get("Idempotent-Replayed"))
	again, err := c.V1SetupIntents.Create(t.Context(), keyed("1"))
	require.NoError(t, err)
	require.Equal(t, made.ID, again.ID)
	require.Equal(t, "true", again.LastResponse.Header.Get("Idempotent-Replayed"))
	_, err = c.V1SetupIntents.Create(t.Context(), keyed("2"))
	var mismatch *stripe.Error
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, stripe.ErrorTypeIdempotency, mismatch.Type)

	control(t, url, "faults", `{"kind":"close","when":"after","method":"POST","path":"/v1/setup_intents","count":1}`)
	_, err = c.V1SetupIntents.Create(t.Context(), cards85())
	require.NoError(t, err)
	count := 0
	for _, err := range c.V1SetupIntents.List(t.Context(), nil).All(t.Context()) {
		require.NoError(t, err)
		count++
	}
	require.Equal(t, 2, count)
}

func TestV85Events(t *testing.T) {
	t.Parallel()
	c, fake := start85(t)
	url, came := listen(t)
	// The client accepts events of its own train only, as its author means it.
	endpoint, err := c.V1WebhookEndpoints.Create(t.Context(), &stripe.WebhookEndpointCreateParams{
		URL: &url, EnabledEvents: stripe.StringSlice([]string{"setup_intent.created", "setup_intent.canceled"}), APIVersion: stripe.String(stripe.APIVersion),
	})
	require.NoError(t, err)
	made, err := c.V1SetupIntents.Create(t.Context(), cards85())
	require.NoError(t, err)
	_, err = c.V1SetupIntents.Cancel(t.Context(), made.ID, nil)
	require.NoError(t, err)
	control(t, fake, "webhooks/wait", "{}")
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
	var listed []string
	for e, err := range c.V1Events.List(t.Context(), &stripe.EventListParams{Types: stripe.StringSlice(types)}).All(t.Context()) {
		require.NoError(t, err)
		listed = append(listed, string(e.Type))
	}
	require.Equal(t, []string{"setup_intent.canceled", "setup_intent.created"}, listed)
}
