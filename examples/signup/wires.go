package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

// What OrbitKit's errors link to, as its documents have it.
const (
	orbitKitErrors     = "https://orbitkit.io/api/errors/"
	orbitKitRateLimits = "https://orbitkit.io/api/rate-limits/"
)

// newTokens returns what signs the tokens: with the keys, of which there may be
// several, separated by commas, so that they can be changed; or with one that
// is gone with the process.
func newTokens(keys string) (*httpadapter.Tokens, error) {
	if keys == "" {
		keys = rand.Text() + rand.Text()
	}
	var all [][]byte
	for key := range strings.SplitSeq(keys, ",") {
		all = append(all, []byte(strings.TrimSpace(key)))
	}
	tokens, err := httpadapter.NewTokens(all, nil)
	if err != nil {
		return nil, fmt.Errorf("SIGNUP_TOKEN_KEYS: %w", err)
	}
	return tokens, nil
}

// front hands what is below a wire's path to that wire, as the client wrote it. A
// path with .. or // in it http.ServeMux would answer itself, by a redirect that no
// wire has.
type front struct {
	wires map[string]http.Handler // by where they are mounted
	rest  http.Handler
}

func (f front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	longest := ""
	for path := range f.wires {
		if len(path) > len(longest) && strings.HasPrefix(r.URL.Path+"/", path) {
			longest = path
		}
	}
	if longest == "" {
		f.rest.ServeHTTP(w, r)
		return
	}
	r.Pattern = longest // as of a mux
	f.wires[longest].ServeHTTP(w, r)
}

// exactly hands that one path to f, and what is below it to the wire.
func exactly(path string, f http.HandlerFunc, wire http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			f(w, r)
			return
		}
		wire.ServeHTTP(w, r)
	})
}

// wires returns the other wires, each at the path of its document. Where that
// names no row, the row is the pending one of the account, or a new one, so that a
// card can be replaced next year.
func (a *app) wires(stripe *stripeport.Provider, logger *slog.Logger) (map[string]http.Handler, error) {
	wires := map[string]http.Handler{}
	spree := httpadapter.Spree{EphemeralKey: func(ctx context.Context, customer, version string) (setupintent.ClientSecret, error) {
		key, err := stripe.EphemeralKey(ctx, customer, version)
		return key.Secret, err
	}}
	orbitKit := httpadapter.OrbitKit{RateLimitsURL: orbitKitRateLimits}
	asStripe := httpadapter.Stripe{Update: func(ctx context.Context, intentID string, params map[string]any) (setupintent.Intent, error) {
		return stripe.UpdateIntent(ctx, intentID, stripeport.UpdateRequest{Extra: params})
	}}
	for path, wire := range map[string]struct {
		svc      *setupintent.Service
		opts     httpadapter.Options
		identify func(*http.Request) (string, error)
	}{
		"/signup/":                   {a.svc, httpadapter.Options{Account: a.account}, httpadapter.PathPattern(idPattern)},
		"/api/":                      {a.svc, httpadapter.Options{Dialect: orbitKit, DocsURL: orbitKitErrors}, a.accountRow},
		"/api/v2/storefront/stripe/": {a.withCustomers, httpadapter.Options{Dialect: spree}, a.customerRow},
		"/v1/":                       {a.withCustomers, httpadapter.Options{Dialect: asStripe}, a.stripeRow},
	} {
		wire.opts.Logger = logger
		h, err := httpadapter.New(wire.svc, &wire.opts)
		if err != nil {
			return nil, err
		}
		wires[path] = h.Routes(wire.identify)
	}
	return wires, nil
}

// customer says with what to make an account's customer.
func (a *app) customer(ctx context.Context, row setupintent.Row) (setupintent.CustomerRequest, error) {
	subject, err := a.rows.Subject(ctx, a.rows.db, row.ID)
	if err != nil || strings.HasPrefix(subject, guest) {
		return setupintent.CustomerRequest{}, err
	}
	return setupintent.CustomerRequest{Email: subject}, nil
}

// accountRow returns the pending row of the account that the request's token
// stands for, or a new one.
func (a *app) accountRow(r *http.Request) (string, error) {
	row, err := a.openRow(r)
	return row.ID, err
}

// stripeRow is accountRow to create an intent, and the account's latest row to
// look at one.
func (a *app) stripeRow(r *http.Request) (string, error) {
	if r.PathValue("intent") == "" {
		return a.accountRow(r)
	}
	subject, err := a.subject(r)
	if err != nil {
		return "", err
	}
	row, err := a.rows.Latest(r.Context(), a.rows.db, subject)
	return row.ID, err
}

// customerRow is accountRow for clients that need a customer, and for guests. A
// row whose intent was made without a customer is of no use to them, and ends.
// Anybody may be a guest, and each is a row, a customer and an intent: so they are
// limited, before any of them is made.
func (a *app) customerRow(r *http.Request) (string, error) {
	if r.Header.Get("Authorization") == "" {
		if !a.guests.Allow() {
			return "", errGuests
		}
		row, err := a.rows.Open(r.Context(), a.rows.db, guest+rand.Text())
		return row.ID, err
	}
	row, err := a.openRow(r)
	if err != nil || row.Progress.IntentID() == "" || row.Progress.CustomerID() != "" {
		return row.ID, err
	}
	if _, err := a.svc.Cancel(r.Context(), row.ID); err != nil {
		return "", err
	}
	return a.accountRow(r)
}

const guest = "guest " // no e-mail begins like that

var errGuests = fmt.Errorf("%w: too many guests", setupintent.ErrLimited)

// openRow returns the pending row of the account, or a new one.
func (a *app) openRow(r *http.Request) (setupintent.Row, error) {
	subject, err := a.subject(r)
	if err != nil {
		return setupintent.Row{}, err
	}
	return a.rows.Open(r.Context(), a.rows.db, subject)
}

// subject returns whose account it is. A token names the account by its first
// row, and not by the e-mail, which is nobody else's business.
func (a *app) subject(r *http.Request) (string, error) {
	first, err := a.tokens.Identify(r)
	if err != nil {
		return "", err
	}
	return a.rows.Subject(r.Context(), a.rows.db, first)
}
