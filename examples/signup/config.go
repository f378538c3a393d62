package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const stripeAPI = "https://api.stripe.com"

// config is what the flags and the environment say.
type config struct {
	addr, fakeAddr            string
	stripeURL                 string // empty: the fake's, once it listens
	secretKey, publishableKey string
	webhookSecret             string // empty: an endpoint is registered where that is possible
	db                        database
	fakeState                 string // file
	ttl, sweep, audit         time.Duration
	createRate, guestRate     float64
	metrics                   string
	verbose                   bool
}

func (c config) fake() bool { return c.stripeURL == "" }

// kept says where everything is that outlives the process.
func (c config) kept() string {
	if c.fake() {
		return c.db.name + ", and what the fake knows in " + c.fakeState
	}
	return c.db.name
}

func configure(args []string, getenv func(string) string, stderr io.Writer) (config, error) {
	var c config
	var db string
	flags := flag.NewFlagSet("signup", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080", "`address` of the signup page")
	flags.StringVar(&c.fakeAddr, "fake-addr", "127.0.0.1:0", "`address` of the fake Stripe; port 0 is any free one")
	flags.StringVar(&c.stripeURL, "stripe-url", "", "`URL` of a Stripe-compatible server to use instead of the fake; test keys only")
	flags.StringVar(&db, "db", "cardonfile-demo.db", "where signups are kept: a SQLite `file`, or postgres://… or mysql://… of a database that there is")
	flags.StringVar(&c.fakeState, "fake-state", "", "`file` that the fake keeps its state in; empty: beside the SQLite file, or named after the database")
	flags.DurationVar(&c.ttl, "ttl", 24*time.Hour, "how long a signup may take, from the form to the saved card")
	flags.DurationVar(&c.sweep, "sweep", time.Second, "how often due rows are looked for")
	flags.DurationVar(&c.audit, "audit", time.Hour, "how often intents are looked for that no signup points to")
	flags.Float64Var(&c.createRate, "create-rate", 0, "how many signups per `second` may ask for their first intent, after a burst of 20; 0: any")
	flags.Float64Var(&c.guestRate, "guest-rate", 2, fmt.Sprintf("how many guests per `second` Spree's wire takes, after a burst of %d; 0: any", guestBurst))
	flags.StringVar(&c.metrics, "metrics", "prometheus", "`library` that writes /metrics: prometheus or otel")
	flags.BoolVar(&c.verbose, "v", false, "log every move of a row and every call to Stripe")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if c.ttl <= 0 || c.sweep <= 0 || c.audit <= 0 || c.createRate < 0 || c.guestRate < 0 {
		return c, errors.New("-ttl, -sweep and -audit must be positive, and -create-rate and -guest-rate not negative")
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if c.db, err = parseDatabase(db); err != nil {
		return c, err
	}
	if c.fakeState == "" {
		c.fakeState = c.db.beside(".stripe")
	}
	return c, c.stripe(getenv)
}

// stripe settles which Stripe it is, and with which keys.
func (c *config) stripe(getenv func(string) string) error {
	c.secretKey, c.publishableKey = getenv("STRIPE_SECRET_KEY"), getenv("STRIPE_PUBLISHABLE_KEY")
	c.webhookSecret = getenv("STRIPE_WEBHOOK_SECRET")
	elsewhere := c.stripeURL != ""
	switch hasKeys := c.secretKey != ""; {
	case hasKeys != (c.publishableKey != ""):
		return errors.New("set both STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY, or neither")
	case hasKeys && isLive(c.secretKey) != isLive(c.publishableKey):
		return errors.New("STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY are of different modes, test and live")
	case hasKeys && elsewhere && isLive(c.secretKey):
		return errors.New("-stripe-url is refused with a live key: it would be sent to a server that is not Stripe")
	case hasKeys && !elsewhere:
		c.stripeURL = stripeAPI
	case !hasKeys:
		c.secretKey, c.publishableKey = stripetest.DefaultSecretKey, stripetest.DefaultPublishableKey
	}
	if elsewhere {
		u, err := url.Parse(c.stripeURL)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("-stripe-url must be a scheme, a host and at most a path, such as http://127.0.0.1:12111")
		}
		c.stripeURL = strings.TrimSuffix(c.stripeURL, "/")
	}
	return nil
}

// isLive errs on the side of live.
func isLive(key string) bool { return !strings.Contains(key, "_test_") }
