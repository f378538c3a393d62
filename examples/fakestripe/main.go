// Command fakestripe is the fake Stripe of package stripetest as a program, for
// clients in any language.
//
//	go run ./examples/fakestripe -addr 127.0.0.1:12111
//
// Its first line on stdout says where it is, once it listens. docs/fakestripe.md
// says what it does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fakestripe:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	addr, opts, err := configure(args, stderr)
	if err != nil {
		return err
	}
	fake, err := stripetest.New(opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fake.Close()) }()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fake.URL = "http://" + hostPort(l.Addr())
	srv := &http.Server{
		Handler:           fake,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // lets calls that hang go
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.NewTextHandler(stderr, nil), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	if _, err := fmt.Fprintf(stdout, "fake Stripe: %s\nkeys: %s %s\n", fake.URL, opts.SecretKey, opts.PublishableKey); err != nil {
		return errors.Join(err, srv.Close())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

func configure(args []string, stderr io.Writer) (addr string, opts *stripetest.Options, err error) {
	opts = new(stripetest.Options)
	var types string
	var hook stripetest.Webhook
	var verbose bool
	flags := flag.NewFlagSet("fakestripe", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&addr, "addr", "127.0.0.1:12111", "`address` to listen at; port 0 is any free one")
	flags.StringVar(&opts.SecretKey, "secret-key", stripetest.DefaultSecretKey, "`key` of the account, sk_test_…")
	flags.StringVar(&opts.PublishableKey, "publishable-key", stripetest.DefaultPublishableKey, "`key` of its pages, pk_test_…")
	flags.StringVar(&opts.APIVersion, "api-version", stripetest.DefaultAPIVersion, "API `version` of the account and of its events")
	flags.StringVar(&types, "payment-method-types", "card", "`types` enabled in the Dashboard, comma-separated")
	flags.StringVar(&opts.StateFile, "state", "", "`file` to keep the state in; empty: in memory only")
	flags.StringVar(&hook.URL, "webhook", "", "`URL` to send all events to; empty: none")
	flags.StringVar(&hook.Secret, "webhook-secret", "whsec_demo_fakestripe", "`secret` to sign those events with")
	flags.BoolVar(&verbose, "v", false, "log each call on stderr")
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	if flags.NArg() > 0 {
		return "", nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	opts.PaymentMethodTypes = strings.Split(types, ",")
	if hook.URL != "" {
		opts.Webhooks = []stripetest.Webhook{hook}
	}
	if verbose {
		opts.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	}
	return addr, opts, nil
}

// hostPort is where a client on this machine finds the listener.
func hostPort(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
