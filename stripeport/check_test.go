package stripeport_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	check := func(key string, live bool) error {
		t.Helper()
		provider, err := stripeport.New(key, &stripeport.Options{HTTPClient: fake.Client()})
		require.NoError(t, err)
		svc, err := setupintent.New(memstore.New(), provider, &setupintent.Options{Live: live})
		require.NoError(t, err)
		return svc.Check(ctx, provider.CheckMode(live), provider.CheckWebhook(hookURL))
	}
	require.ErrorIs(t, check(stripetest.DefaultSecretKey, false), setupintent.ErrNotFound)
	_, err = fake.AddWebhook(stripetest.Webhook{URL: hookURL, Secret: webhookSecret, APIVersion: stripe.APIVersion})
	require.NoError(t, err)
	require.NoError(t, check(stripetest.DefaultSecretKey, false))

	require.ErrorContains(t, check(stripetest.DefaultSecretKey, true), "the key has live mode false, and setupintent.Options.Live is true")
	err = check("sk_test_another", false)
	require.ErrorIs(t, err, setupintent.ErrCredentials)
	require.NotContains(t, err.Error(), "sk_test_another")
	require.ErrorContains(t, check("sk_live_another", false), "the key has live mode true, and setupintent.Options.Live is false")
}
