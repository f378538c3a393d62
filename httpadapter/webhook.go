package httpadapter

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Webhook returns the endpoint for the provider's webhooks, for a path of the
// application's choice, which needs no authorization but that of parse:
//
//	POST   acts on the news of an intent
//
// Parse verifies the request by its header and the bytes of its body, and
// returns the intent that it is about, as the Parse of stripeport.Webhook does.
// Nothing is looked up before it has returned, and nothing is done if the intent
// has no id. Its error is a 400 if it wraps ErrUnverified or ErrInvalidRequest of
// package setupintent, and otherwise what it would be if identify had returned
// it to [Handler.Routes]. Without parse, every request is forbidden.
//
// The answers are for a provider that sends again what was not answered with a
// 200. So it is 200 also where there is nothing to do, and where sending it
// again would change nothing, which is logged. It is 503, with Retry-After, if it
// would: the provider, the store or the application's effect failed, or our
// credentials are not accepted. It makes no difference how often, in which order
// and how late webhooks come.
func (h *Handler) Webhook(parse func(http.Header, []byte) (setupintent.Intent, error)) http.Handler {
	if parse == nil {
		parse = func(http.Header, []byte) (setupintent.Intent, error) { return setupintent.Intent{}, errNoParse }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.serve(&request{Request: r, h: h, w: w}, func(q *request) (reply, error) {
			if q.Method != http.MethodPost {
				return notAllowed(q.Request, http.MethodPost)
			}
			return q.webhook(parse)
		})
	})
}

var (
	errNoParse   = errors.Join(ErrForbidden, errors.New("Webhook was called without parse"))
	errUnsigned  = errors.New("webhook not verified")
	errBadEvent  = errors.New("webhook is no event")
	errNewsLater = errors.New("webhook, to be sent again")
)

func (q *request) webhook(parse func(http.Header, []byte) (setupintent.Intent, error)) (reply, error) {
	h := q.h
	body, err := q.read(h.opts.MaxWebhookBytes)
	if err != nil {
		return reply{}, err
	}
	in, err := parse(q.Header, body)
	switch {
	case errors.Is(err, setupintent.ErrUnverified):
		return reply{}, fmt.Errorf("%w: %w", errUnsigned, err)
	case errors.Is(err, setupintent.ErrInvalidRequest):
		return reply{}, fmt.Errorf("%w: %w", errBadEvent, err)
	case err != nil:
		return reply{}, err
	case in.ID != "":
		err = h.svc.Notify(q.Context(), in)
	}
	if err != nil && !final(err) {
		return reply{}, fmt.Errorf("%w: %w", errNewsLater, err)
	}
	if err != nil && h.opts.Logger != nil {
		f := classify(err)
		level := slog.LevelError
		if f.outcome == mismatch {
			level = slog.LevelWarn
		}
		h.log(q, level, http.StatusOK, f, err)
	}
	return jsonReply(http.StatusOK, "application/json", struct {
		Received bool `json:"received"`
	}{true}), nil
}

// final reports whether an error of the service's stays the same if the webhook
// is sent again. Only the service says so: an error of the application's own may
// wrap anything.
func final(err error) bool {
	var row *setupintent.Error
	if !errors.As(err, &row) || row.RetryAfter > 0 {
		return false
	}
	for _, passes := range []error{setupintent.ErrUnresolved, setupintent.ErrBusy, setupintent.ErrCredentials} {
		if errors.Is(err, passes) {
			return false
		}
	}
	return true
}
