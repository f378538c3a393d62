// Command signup is a signup that asks for a card before it opens an account.
//
//	go run ./examples/signup
//
// With no key it runs offline, against a fake Stripe in the same process. With
// STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY set it uses Stripe itself, and
// with -stripe-url a Stripe-compatible server elsewhere.
//
// Signups are kept in a SQLite file of the working directory, or in the database
// that -db names; what the fake knows, in a file beside it. Both are there again
// when the program is, however it ended; delete both to begin afresh.
//
// The fake, and a server of -stripe-url, are told to send webhooks here; what
// Stripe itself sends to /webhooks/stripe is read if STRIPE_WEBHOOK_SECRET is
// set. Without webhooks the sweeper finds out.
//
// The page speaks LoyaltyDog's wire; the other wires are there, too, each at the
// path of its document, and docs/wires.md has a request for each. Their token is
// in the header X-Signup-Token of the answer that begins a signup, the 201, signed with
// SIGNUP_TOKEN_KEYS, or with a key that is gone with the process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "signup:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints where on stdout, once it listens.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (end error) {
	cfg, err := configure(args, getenv, stderr)
	if err != nil {
		return err
	}
	tokens, err := newTokens(getenv("SIGNUP_TOKEN_KEYS"))
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if cfg.verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	rows, err := openSignups(ctx, cfg.db, cfg.ttl)
	if err != nil {
		return err
	}
	defer func() { end = errors.Join(end, rows.close()) }()
	failed := make(chan error, 2)
	second, kept, offline := "Stripe: "+cfg.stripeURL, cfg.kept(), cfg.fake()
	if offline {
		fake, err := startFake(ctx, cfg, logger, failed)
		if err != nil {
			return err
		}
		defer func() { end = errors.Join(end, fake.stop()) }()
		cfg.stripeURL = fake.server.url
		second = "fake Stripe: " + cfg.stripeURL
	}
	stripe, err := stripeport.New(cfg.secretKey, &stripeport.Options{BaseURL: cfg.stripeURL})
	if err != nil {
		return err
	}
	site, err := listen(ctx, cfg.addr, logger)
	if err != nil {
		return err
	}
	defer func() { end = errors.Join(end, site.shutdown()) }() // the fake is there until then
	secret, err := subscribe(ctx, stripe, cfg, site.url+webhookPath)
	if err != nil {
		logger.WarnContext(ctx, "no webhooks: the sweeper will find out", "err", err)
	}
	metrics, err := newMetrics(cfg.metrics, rows)
	if err != nil {
		return err
	}
	app, err := newApp(rows, stripe, tokens, cfg, secret, metrics, logger)
	if err != nil {
		return err
	}
	if !offline { // the fake takes its own key
		if err := app.svc.Check(ctx, rows.Check); errors.Is(err, setupintent.ErrCredentials) {
			return err // whatever else it finds is logged, and may pass
		}
	}
	site.serve(app.site, failed)
	if _, err := fmt.Fprintf(stdout, "signup page: %s/\n%s\nkept in: %s\n", site.url, second, kept); err != nil {
		return err
	}
	keeping, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		app.housekeeping(keeping, cfg)
	}()
	defer func() { stop(); <-done }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}
