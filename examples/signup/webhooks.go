package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhookendpoint"

	"github.com/cardonfile/cardonfile/stripeport"
)

const webhookPath = "/webhooks/stripe"

// subscribe returns the secret that the webhooks to url are signed with, or "" if
// none come. Where it can, it has the endpoint registered.
func subscribe(ctx context.Context, provider *stripeport.Provider, cfg config, url string) (secret string, err error) {
	if cfg.webhookSecret != "" || cfg.stripeURL == stripeAPI { // which does not reach this machine
		return cfg.webhookSecret, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := unsubscribe(ctx, cfg, url); err != nil {
		return "", err
	}
	endpoint, err := provider.EnsureWebhookEndpoint(ctx, url, nil)
	return endpoint.Secret.Reveal(), err
}

// unsubscribe deletes the endpoint that an earlier run has registered. Its
// secret was told to that process alone, which kept it nowhere; an application
// would have it in its configuration.
func unsubscribe(ctx context.Context, cfg config, url string) error {
	client := webhookendpoint.Client{Key: cfg.secretKey, B: stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:             stripe.String(cfg.stripeURL),
		EnableTelemetry: stripe.Bool(false),
		LeveledLogger:   &stripe.LeveledLogger{Level: stripe.LevelNull},
	})}
	params := &stripe.WebhookEndpointListParams{}
	params.Context = ctx
	params.Limit = stripe.Int64(100)
	endpoints := client.List(params)
	for endpoints.Next() {
		if endpoints.WebhookEndpoint().URL != url {
			continue
		}
		if _, err := client.Del(endpoints.WebhookEndpoint().ID, &stripe.WebhookEndpointParams{Params: stripe.Params{Context: ctx}}); err != nil {
			return fmt.Errorf("the webhook endpoint of an earlier run: %w", err)
		}
	}
	return endpoints.Err()
}
