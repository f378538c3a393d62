package wooshport

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardonfile/cardonfile/setupintent"
)

// CheckKey returns a check for [setupintent.Service.Check] that the key is of
// the mode that the service works in, live or test, and that WooshPay accepts it:
// it asks for an intent that there is not, for want of a list to ask for.
func (p *Provider) CheckKey(live bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if p.live != live {
			return &Error{op: "check", Message: fmt.Sprintf("the key has live mode %t, and setupintent.Options.Live is %t", p.live, live)}
		}
		if _, err := p.GetIntent(ctx, "seti_0"); !errors.Is(err, setupintent.ErrNotFound) {
			return err
		}
		return nil
	}
}
