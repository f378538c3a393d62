package stripeport_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

// While a database transaction is open, no method sends anything.
func TestInTransaction(t *testing.T) {
	t.Parallel()
	network := roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s %s was sent", r.Method, r.URL.Path)
		return nil, errors.New("no network")
	})
	p, err := stripeport.New(testKey, &stripeport.Options{HTTPClient: &http.Client{Transport: network}})
	require.NoError(t, err)
	ctx := setupintent.WithTransaction(context.Background())
	for name, call := range map[string]func() error{
		"CreateIntent":        func() error { _, err := p.CreateIntent(ctx, setupintent.IntentRequest{}); return err },
		"GetIntent":           func() error { _, err := p.GetIntent(ctx, "seti_1"); return err },
		"CancelIntent":        func() error { _, err := p.CancelIntent(ctx, "seti_1", "abandoned"); return err },
		"ListIntents":         func() error { _, err := p.ListIntents(ctx, time.Now(), time.Now(), ""); return err },
		"UpdateIntent":        func() error { _, err := p.UpdateIntent(ctx, "seti_1", stripeport.UpdateRequest{}); return err },
		"ConfirmIntent":       func() error { _, err := p.ConfirmIntent(ctx, "seti_1", stripeport.ConfirmRequest{}); return err },
		"CreateCustomer":      func() error { _, err := p.CreateCustomer(ctx, setupintent.CustomerRequest{}); return err },
		"ListCustomers":       func() error { _, err := p.ListCustomers(ctx, time.Now(), time.Now(), ""); return err },
		"AttachPaymentMethod": func() error { return p.AttachPaymentMethod(ctx, "pm_1", "cus_1") },
		"EphemeralKey":        func() error { _, err := p.EphemeralKey(ctx, "cus_1", "2024-06-20"); return err },
		"CustomerSession": func() error {
			_, err := p.CustomerSession(ctx, "cus_1", map[string]any{"payment_element": map[string]any{"enabled": true}})
			return err
		},
		"EnsureWebhookEndpoint": func() error {
			_, err := p.EnsureWebhookEndpoint(ctx, "https://example.com/webhook", nil)
			return err
		},
		"WebhookEndpoint": func() error { _, err := p.WebhookEndpoint(ctx, "https://example.com/webhook"); return err },
	} {
		require.ErrorContains(t, call(), "not sent: a database transaction is open", name)
	}
}
