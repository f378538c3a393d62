// Package httpadapter serves a setupintent.Service over HTTP.
//
// Routes is the whole mount: it takes the one function that decides which row a
// request may act on. SetupIntent and Activate are the same endpoints for routes
// of the application's own. Webhook is for what the provider sends.
//
// How paths, successes and errors look is the business of a [Dialect]. Whichever
// it is, every answer is in its shape, also for a path, a method or a body that
// is wrong and for a panic; none may be cached; and none shows the text of an
// error, which goes to the log.
//
// Cross-origin checks, rate limits and logins belong to the application: wrap
// the handler in whatever it uses for them.
package httpadapter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Options of a Handler. The zero Options works; every field says what zero
// means.
type Options struct {
	// Dialect is the wire that the handler speaks. Nil: our own, whose errors
	// are application/problem+json (RFC 9457).
	Dialect Dialect

	// Account says whose row was activated; an e-mail of "" is left out of the
	// answer. It runs on every Activate, a repeated one too, and should then
	// say the same. If it fails, the answer is 503, and the row is active
	// nevertheless: the page asks again. Nil: the user's id is the row's.
	Account func(context.Context, setupintent.Row) (userID, email string, err error)

	// DocsURL is the page that explains the errors, to which the dialects link
	// that have a place for it: with the code instead of {code}, if that is in
	// it, else with the code as its fragment. Empty: no link.
	DocsURL string

	// MaxBodyBytes is the size of the largest body that is read. Zero: 4 KiB.
	MaxBodyBytes int64

	// MaxWebhookBytes is the size of the largest webhook that is read. Zero:
	// 64 KiB.
	MaxWebhookBytes int64

	// ReadTimeout is the time that a client has for its body; it stands in for
	// the server's own. Zero: 5s. Negative: only the server's.
	ReadTimeout time.Duration

	// Logger hears why a request failed: at error if the answer is a 5xx, if the
	// provider refused, or if a webhook is accepted for good and could not be
	// acted on; at warn if an
	// intent and a row do not belong together, or if a webhook is not signed as
	// it should be; else at debug. Anybody can send what is not signed, and each
	// is a line: for an endpoint that is open to the world, give it a Handler that
	// samples, or limit the rate outside. Nil: silent.
	Logger *slog.Logger
}

// Handler serves a Service over HTTP. It is safe for concurrent use. It starts
// no goroutine: a request that is being served is all there is for
// http.Server.Shutdown to wait for.
type Handler struct {
	svc     *setupintent.Service
	opts    Options
	dialect Dialect
}

// New returns a Handler over svc. A nil opts is the zero Options.
func New(svc *setupintent.Service, opts *Options) (*Handler, error) {
	if svc == nil {
		return nil, errors.New("httpadapter: New needs a service")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.MaxBodyBytes < 0 || o.MaxWebhookBytes < 0 {
		return nil, errors.New("httpadapter: MaxBodyBytes and MaxWebhookBytes must not be negative")
	}
	if o.DocsURL != "" {
		if err := absolute("DocsURL", docsURL(o.DocsURL, "")); err != nil {
			return nil, fmt.Errorf("httpadapter: %w", err)
		}
	}
	if o.Dialect == nil {
		o.Dialect = problemJSON{}
	}
	if err := o.Dialect.check(); err != nil {
		return nil, fmt.Errorf("httpadapter: %w", err)
	}
	o.MaxBodyBytes = cmp.Or(o.MaxBodyBytes, 4<<10)
	o.MaxWebhookBytes = cmp.Or(o.MaxWebhookBytes, 64<<10)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 5*time.Second)
	return &Handler{svc: svc, opts: o, dialect: o.Dialect}, nil
}

// absolute returns an error if the option is no URL that errors can link to.
func absolute(option, link string) error {
	u, err := url.Parse(link)
	if err != nil || !u.IsAbs() || u.Host == "" || u.Fragment != "" {
		return fmt.Errorf("%s %q must be an absolute URL without a fragment", option, link)
	}
	return nil
}

// Dialect is a wire: its routes, and how a success and an error are written.
// There are our own, which a Handler speaks by default, [LoyaltyDog], [Spree],
// [OrbitKit] and [Stripe]; it can't be implemented elsewhere.
type Dialect interface {
	check() error
	routes() []route

	// receive has the first word on every request but the webhooks: it sets the
	// headers of every answer, and its error is the answer.
	receive(*request) error

	// begin is what SetupIntent serves.
	begin(*request) (reply, error)

	activated(account) reply
	failure(failure) reply
	document() []byte // OpenAPI, as JSON
}

// account is whose row was activated.
type account struct{ userID, email string }

// action is what an endpoint does.
type action func(*request) (reply, error)

// request is one request on its way to its answer.
type request struct {
	*http.Request
	h        *Handler
	w        http.ResponseWriter
	identify func(*http.Request) (string, error)
	given    string // the id that the application called SetupIntent or Activate with
	number   string // by which the client and the log name the request, if the dialect has that
}

// row returns the id of the row that the request may act on. Where the wire
// names an account, this opens a row; so ask for it last.
func (q *request) row() (string, error) {
	id, err := q.identify(q.Request)
	if err == nil && !wellFormed(id) {
		err = ErrMalformedID // before a database sees it
	}
	return id, err
}

// SetupIntent answers with the intent of the row with the given id. It is for a
// route of the application's own, and the application has already decided that
// this request may act on this row: nothing is checked here but the method, the
// body and the form of the id.
func (h *Handler) SetupIntent(w http.ResponseWriter, r *http.Request, id string) {
	h.bare(w, r, id, h.dialect.begin)
}

// Activate turns the row with the given id active, if the intent that the body
// names, as {"setupIntentId": …}, has succeeded. It is for a route of the
// application's own, and the application has already decided that this request
// may act on this row: nothing is checked here but the method, the body and the
// form of the id.
func (h *Handler) Activate(w http.ResponseWriter, r *http.Request, id string) {
	h.bare(w, r, id, activate)
}

func (h *Handler) bare(w http.ResponseWriter, r *http.Request, id string, do action) {
	q := &request{Request: r, h: h, w: w, given: id, identify: func(*http.Request) (string, error) { return id, nil }}
	h.serve(q, func(q *request) (reply, error) {
		if err := h.dialect.receive(q); err != nil {
			return reply{}, err
		}
		if r.Method != http.MethodPost {
			return notAllowed(r, http.MethodPost)
		}
		return do(q)
	})
}

// begin returns the row's intent, for the dialects whose paths name the row.
func (q *request) begin() (setupintent.Intent, error) {
	id, err := q.row()
	if err != nil {
		return setupintent.Intent{}, err
	}
	if _, err := q.json(); err != nil { // no member means anything, but a body has a size and a type
		return setupintent.Intent{}, err
	}
	return usable(q.h.svc.Begin(q.Context(), id, nil))
}

// beginForAccount is begin for the dialects whose identify opens a row of the
// account: if the card of that one turns out to have been saved, it is the next
// one's intent.
func (q *request) beginForAccount(begin func(id string) (setupintent.Intent, error)) (setupintent.Intent, error) {
	id, err := q.row()
	if err != nil {
		return setupintent.Intent{}, err
	}
	in, err := begin(id)
	var row *setupintent.Error
	if !errors.Is(err, setupintent.ErrNotPending) || !errors.As(err, &row) || row.Status != setupintent.Active || row.RetryAfter > 0 {
		return in, err
	}
	next, nextErr := q.row()
	switch {
	case nextErr != nil:
		return setupintent.Intent{}, nextErr
	case next == id:
		return setupintent.Intent{}, err
	}
	return begin(next)
}

// usable returns an intent that there is something to confirm for.
func usable(in setupintent.Intent, err error) (setupintent.Intent, error) {
	switch {
	case err != nil:
	case in.Status == setupintent.Processing:
		err = errProcessing
	case in.ClientSecret.Reveal() == "":
		err = fmt.Errorf("the provider returned intent %s without its client secret", in.ID)
	}
	return in, err
}

func activate(q *request) (reply, error) {
	id, err := q.row()
	if err != nil {
		return reply{}, err
	}
	body, err := q.json()
	if err != nil {
		return reply{}, err
	}
	intentID, err := intentID(body)
	if err != nil {
		return reply{}, err
	}
	row, err := q.h.svc.Activate(q.Context(), id, intentID)
	if err != nil {
		return reply{}, err
	}
	a := account{userID: row.ID}
	if q.h.opts.Account != nil {
		if a.userID, a.email, err = q.h.opts.Account(q.Context(), row); err != nil {
			return reply{}, fmt.Errorf("%w: %w", errAccount, err)
		}
	}
	return q.h.dialect.activated(a), nil
}

// serve writes what do returns.
func (h *Handler) serve(q *request, do action) { h.run(q, do).write(q.w) }

// run returns what is to be written, whatever do does.
func (h *Handler) run(q *request, do action) (rep reply) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(http.ErrAbortHandler)
		default:
			rep = h.fail(q, panicked(p))
		}
	}()
	rep, err := do(q)
	if err != nil {
		return h.fail(q, err)
	}
	return rep
}

// fail logs the error and puts it into the dialect's words.
func (h *Handler) fail(q *request, err error) reply {
	f := classify(err)
	f.docsURL = h.opts.DocsURL
	f.id = cmp.Or(q.given, q.PathValue("id"))
	f.anonymous = q.Header.Get("Authorization") == ""
	f.asked = q.Request
	rep := h.dialect.failure(f)
	rep.retryAfter, rep.allow = f.retryAfter, f.allow
	if h.opts.Logger != nil {
		level := slog.LevelDebug
		switch {
		case errors.Is(err, context.Canceled) && q.Context().Err() != nil: // the client has gone; nothing else is wrong
		case rep.status >= http.StatusInternalServerError, f.outcome == providerRefused:
			level = slog.LevelError
		case f.outcome == mismatch, f.outcome == unverified:
			level = slog.LevelWarn
		}
		h.log(q, level, rep.status, f, err)
	}
	return rep
}

func (h *Handler) log(q *request, level slog.Level, status int, f failure, err error) {
	// Neither the path nor the query, for either may hold a token.
	route := q.Pattern
	if !strings.Contains(route, " ") { // of a mux that was told no method
		route = strings.TrimSpace(shorten(q.Method) + " " + route)
	}
	attrs := []slog.Attr{slog.String("route", route), slog.Int("status", status), slog.String("code", f.code()), slog.Any("err", err)}
	if q.number != "" {
		attrs = append(attrs, slog.String("request", q.number))
	}
	h.opts.Logger.LogAttrs(q.Context(), level, "httpadapter: request failed", attrs...)
}

// panicked is the error that a panic is. Its text has the value's type, but not
// the value, which may be anything, a credential too; what the runtime itself
// panics with is harmless.
func panicked(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("%w: %w\n%s", errPanic, err, debug.Stack())
	}
	return fmt.Errorf("%w: %T\n%s", errPanic, value, debug.Stack())
}

// reply is one answer, ready to be written.
type reply struct {
	status      int
	contentType string
	body        []byte
	retryAfter  time.Duration
	allow       string
	header      http.Header // more of it; nil: nothing
}

// jsonReply returns a reply whose body is v as JSON.
func jsonReply(status int, contentType string, v any) reply {
	body, err := json.Marshal(v)
	if err != nil { // not with the types that dialects pass
		body = []byte("{}")
	}
	return reply{status: status, contentType: contentType, body: append(body, '\n')}
}

func (rep reply) write(w http.ResponseWriter) {
	header := w.Header()
	always := [...]string{"no-store", "no-referrer", "nosniff", rep.contentType} // one allocation, not four
	header["Cache-Control"] = always[0:1:1]
	header["Referrer-Policy"] = always[1:2:2]
	header["X-Content-Type-Options"] = always[2:3:3]
	if rep.body != nil {
		header["Content-Type"] = always[3:4:4]
	}
	maps.Copy(header, rep.header)
	if rep.allow != "" {
		header.Set("Allow", rep.allow)
	}
	if rep.retryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(seconds(rep.retryAfter), 10))
	}
	if rep.status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "" {
		header.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2: there must be one
	}
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body) // whoever has gone will ask again
}

// seconds returns d in seconds, none of them cut off.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
