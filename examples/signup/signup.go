package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

const (
	prefix     = "/v2/signup/pending"
	maxBody    = 64 << 10
	tokenTTL   = 24 * time.Hour
	guestBurst = 200
)

// An id is its row's only key: whoever knows it may go on with the signup. It
// has the 96 random bits for that, and is shown to nobody else.
var idPattern = regexp.MustCompile(`^[0-9a-f]{24}$`)

// app is the application: it knows who is signing up. The rest of a signup is
// the library's.
type app struct {
	rows   *signups
	svc    *setupintent.Service
	tokens *httpadapter.Tokens
	site   http.Handler

	metrics metrics

	withCustomers *setupintent.Service // the same rows, for a wire whose clients need a customer
	guests        *rate.Limiter
}

// newApp returns the whole site, over rows. Without a secret there is no endpoint
// for webhooks, and the sweeper finds out.
func newApp(rows *signups, stripe *stripeport.Provider, tokens *httpadapter.Tokens, cfg config, webhookSecret string, m metrics, logger *slog.Logger) (*app, error) {
	a := &app{rows: rows, tokens: tokens, metrics: m, guests: rate.NewLimiter(rate.Inf, 0)}
	if cfg.guestRate > 0 {
		a.guests = rate.NewLimiter(rate.Limit(cfg.guestRate), guestBurst)
	}
	opts := setupintent.Options{
		Namespace: "demo",
		Live:      stripe.Live(),
		// What Stripe's own document asks for. All wires ask for the same, so that
		// a row that one of them began is good for the others.
		Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
			return setupintent.IntentRequest{PaymentMethodTypes: []string{"card"}}, nil
		},
		CreateRate: cfg.createRate,
		Observe:    m.Observe,
		Logger:     logger,
		Recheck:    []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour},
	}
	var err error
	if a.svc, err = setupintent.New(rows, stripe, &opts); err != nil {
		return nil, err
	}
	opts.Customer, opts.Customers = a.customer, stripe
	if a.withCustomers, err = setupintent.New(rows, stripe, &opts); err != nil {
		return nil, err
	}
	h, err := httpadapter.New(a.svc, &httpadapter.Options{
		Dialect: httpadapter.LoyaltyDog{},
		Account: a.account,
		Logger:  logger,
	})
	if err != nil {
		return nil, err
	}
	site, err := pageData(cfg).handler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.HandleFunc("GET /demo/signups/{id}", a.status)
	mux.Handle("GET /metrics", m.page)
	wires, err := a.wires(stripe, logger)
	if err != nil {
		return nil, err
	}
	wires[prefix+"/"] = exactly(prefix, a.open, h.Routes(httpadapter.PathPattern(idPattern)))
	if webhookSecret != "" {
		webhook, err := stripeport.NewWebhook([]string{webhookSecret}, nil)
		if err != nil {
			return nil, err
		}
		mux.Handle(webhookPath, h.Webhook(webhook.Parse))
	}
	a.site = front{wires, mux}
	return a, nil
}

// open serves POST /v2/signup/pending: it starts a signup, or finds the one
// that the e-mail has started.
//
// A token is good for the whole account, and here an e-mail is all that anybody
// shows. So only the answer that starts a signup has one: who comes later with
// the same e-mail goes on with the row, and gets no token. An application that
// means to keep accounts apart does not put it into an answer at all: it mails it.
func (a *app) open(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, detail{"Method Not Allowed"})
		return
	}
	email, wrong := readEmail(w, r)
	if wrong != nil {
		reply(w, wrong.status, wrong.detail)
		return
	}
	id, isNew, err := a.rows.begin(r.Context(), email)
	var token string
	if err == nil && isNew {
		token, err = a.tokens.Issue(id, tokenTTL)
	}
	switch {
	case errors.Is(err, errTaken):
		reply(w, http.StatusBadRequest, detail{"email_taken"})
		return
	case err != nil:
		reply(w, http.StatusServiceUnavailable, detail{"unavailable"})
		return
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
		w.Header().Set("X-Signup-Token", token)
	}
	reply(w, status, map[string]string{"pendingId": id})
}

// refusal is the answer to a form that is not one.
type refusal struct {
	status int
	detail detail
}

// readEmail returns the form's e-mail. A page sends more than this: a password
// hash, consent, where it came from.
func readEmail(w http.ResponseWriter, r *http.Request) (string, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return "", &refusal{http.StatusRequestEntityTooLarge, detail{"Request Entity Too Large"}}
	case err != nil:
		return "", unprocessable("json_invalid", "JSON decode error")
	case len(body) > 0 && !mayBeJSON(r.Header.Get("Content-Type")):
		return "", &refusal{http.StatusUnsupportedMediaType, detail{"Unsupported Media Type"}}
	}
	var form struct {
		Email *string `json:"email"`
	}
	var wrong *json.UnmarshalTypeError
	switch err := json.Unmarshal(body, &form); {
	case errors.As(err, &wrong) && wrong.Field == "":
		return "", unprocessable("model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
	case errors.As(err, &wrong):
		return "", unprocessable("string_type", "Input should be a valid string", "email")
	case err != nil:
		return "", unprocessable("json_invalid", "JSON decode error")
	case form.Email == nil:
		return "", unprocessable("missing", "Field required", "email")
	}
	email, ok := normalize(*form.Email)
	if !ok {
		return "", unprocessable("value_error", "value is not a valid email address", "email")
	}
	return email, nil
}

// mayBeJSON reports whether a body under the Content-Type is to be read as JSON.
// It is under none, too, and under what curl -d says unless told otherwise.
func mayBeJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || t == "application/x-www-form-urlencoded")
}

// account says whose account a row has become.
func (a *app) account(ctx context.Context, row setupintent.Row) (userID, email string, err error) {
	email, err = a.rows.email(ctx, row.ID)
	return row.ID, email, err
}

// normalize returns the e-mail as it is compared.
func normalize(email string) (string, bool) {
	email = strings.ToLower(strings.TrimSpace(email))
	addr, err := mail.ParseAddress(email)
	if err != nil || addr.Address != email || len(email) > 254 {
		return "", false
	}
	return email, true
}

// detail is LoyaltyDog's error: FastAPI's. Its Detail is a word, or the list of
// what is wrong with the request.
type detail struct {
	Detail any `json:"detail"`
}

// unprocessable is FastAPI's HTTPValidationError. The input is not repeated in
// it, for a form may hold a password.
func unprocessable(kind, msg string, member ...string) *refusal {
	return &refusal{http.StatusUnprocessableEntity, detail{[]map[string]any{
		{"type": kind, "loc": append([]string{"body"}, member...), "msg": msg, "input": nil},
	}}}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever has gone will ask again
}
