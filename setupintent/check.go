package setupintent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Check finds out, when a process starts, what would otherwise go wrong with its
// first rows. It asks the provider for the intents of the last day, which takes
// working credentials, and looks whether they are of the mode of Options.Live.
// Then it runs the checks that it is given: the store's (that of package store
// says which column or index is missing), the adapter's (those of stripeport
// look at the mode of the key and at the webhook endpoint), the application's
// own.
//
// It writes nothing, gives each check 10 s, and returns what all of them say.
// Whether a process that fails it should start all the same is the
// application's to decide: Options.Observe is told, with the class config.
func (s *Service) Check(ctx context.Context, checks ...func(context.Context) error) error {
	found := []error{s.checkProvider(ctx)}
	for i, check := range checks {
		if check == nil {
			found = append(found, fmt.Errorf("%w: check %d of Check is nil", ErrInvalidRequest, i))
			continue
		}
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		found = append(found, check(limited))
		cancel()
	}
	for _, err := range found {
		if err != nil {
			s.report(ctx, Row{}, "config", err)
		}
	}
	return errors.Join(found...)
}

// checkProvider needs the one call that is answered with a 200 at a new account,
// too.
func (s *Service) checkProvider(ctx context.Context) error {
	now := s.now()
	intents, err := s.list(ctx, now.Add(-24*time.Hour), now, "")
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return fmt.Errorf("the provider could not list intents: %w", err)
	}
	for _, in := range intents {
		if in.Live != s.opts.Live {
			return fmt.Errorf("%w: the provider's intents have live mode %t, and Options.Live is %t", ErrMismatch, in.Live, s.opts.Live)
		}
	}
	return nil
}
