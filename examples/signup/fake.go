package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// fakeStripe is the fake Stripe of this process.
type fakeStripe struct {
	server *server
	fake   *stripetest.Server
}

// startFake serves it. It keeps its state in a file, for Stripe would not forget
// either.
func startFake(ctx context.Context, cfg config, logger *slog.Logger, failed chan<- error) (*fakeStripe, error) {
	s, err := listen(ctx, cfg.fakeAddr, logger)
	if err != nil {
		return nil, err
	}
	fake, err := stripetest.New(&stripetest.Options{
		SecretKey: cfg.secretKey, PublishableKey: cfg.publishableKey, StateFile: cfg.fakeState,
	})
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	fake.URL = s.url
	s.serve(fake, failed)
	return &fakeStripe{s, fake}, nil
}

func (f *fakeStripe) stop() error { return errors.Join(f.server.stop(), f.fake.Close()) }
