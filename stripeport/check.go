package stripeport

import (
	"context"
	"fmt"
)

// CheckMode returns a check for [setupintent.Service.Check] that the key is of
// the mode that the service works in, live or test. It makes no call.
func (p *Provider) CheckMode(live bool) func(context.Context) error {
	return func(context.Context) error {
		if p.live != live {
			return &Error{op: "check", Message: fmt.Sprintf("the key has live mode %t, and setupintent.Options.Live is %t", p.live, live)}
		}
		return nil
	}
}

// CheckWebhook returns a check for [setupintent.Service.Check] that Stripe has
// an endpoint with the URL, as WebhookEndpoint finds it.
func (p *Provider) CheckWebhook(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := p.WebhookEndpoint(ctx, url)
		return err
	}
}
