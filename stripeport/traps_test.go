package stripeport_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

// The globals of stripe-go belong to the application: every test of the package
// runs with ones that tell when they are used.
func TestMain(m *testing.M) {
	var used atomic.Int64
	stripe.DefaultLeveledLogger = logger{&used}
	stripe.Key = "sk_test_the_applications_own"
	client := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		used.Add(1)
		return nil, errors.New("the global client")
	})}
	stripe.SetHTTPClient(client)
	code := m.Run()
	if n := used.Load(); n > 0 || stripe.Key != "sk_test_the_applications_own" {
		fmt.Fprintf(os.Stderr, "globals of stripe-go were used %d times; its key is %s\n", n, stripe.Key)
		code = 1
	}
	os.Exit(code) //nolint:forbidigo // TestMain has no other way to fail
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type logger struct{ used *atomic.Int64 }

func (l logger) Debugf(string, ...any) { l.used.Add(1) }
func (l logger) Infof(string, ...any)  { l.used.Add(1) }
func (l logger) Warnf(string, ...any)  { l.used.Add(1) }
func (l logger) Errorf(string, ...any) { l.used.Add(1) }

// Telemetry is on by default in stripe-go, and starts with the second request.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, ok())
	p := s.provider(t)
	for range 3 {
		for _, call := range calls(p, "seti_1Abc") {
			_, _ = call(context.Background())
		}
	}
	require.Len(t, s.seen(), 18)
	for _, r := range s.seen() {
		require.Empty(t, r.header.Get("X-Stripe-Client-Telemetry"))
		require.Empty(t, r.header.Get("X-Stripe-Client-User-Agent"), "it tells uname -a")
		require.Equal(t, "Bearer "+testKey, r.header.Get("Authorization"))
		require.Equal(t, "2024-06-20", r.header.Get("Stripe-Version"))
		require.Equal(t, "application/x-www-form-urlencoded", r.header.Get("Content-Type"))
		require.Empty(t, r.header.Get("Stripe-Account"))
		require.NotContains(t, r.uri, "client_secret")
		if r.method == http.MethodGet {
			require.Empty(t, r.body)
			require.Empty(t, r.header.Get("Idempotency-Key"))
		} else {
			require.NotEmpty(t, r.header.Get("Content-Length"), "the body is sent with the header, in one piece")
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, answer(status, intentJSON(), "Location", "/v1/setup_intents?client_secret="+canary))
		p := s.provider(t)
		for name, call := range allCalls(p, "seti_1Abc") {
			n := len(s.seen())
			_, err := call(context.Background())
			var e *stripeport.Error
			require.ErrorAs(t, err, &e, name)
			require.Equal(t, status, e.HTTPStatus)
			require.Equal(t, "a redirect, which is not followed", e.Message)
			require.Len(t, s.seen(), n+1)
		}
	}
}

func TestAnswersAreLimited(t *testing.T) {
	t.Parallel()
	padded := func(size int) string { return intentJSON(`"description":"` + strings.Repeat("x", size) + `"`) }
	const mib = 1 << 20

	s := serve(t, answer(200, padded(mib-2000)))
	_, err := s.provider(t).GetIntent(context.Background(), "seti_1Abc")
	require.NoError(t, err)

	for name, reply := range map[string]reply{
		"plain":  answer(200, padded(mib)),
		"failed": answer(402, failWith(cardError, "card_declined", `"x":"`+strings.Repeat("x", mib)+`"`)),
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.Copy(z, io.LimitReader(zeros{}, 4*mib))
			_ = z.Close()
		},
	} {
		s := serve(t, reply)
		_, err := s.provider(t).CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
		require.ErrorContains(t, err, "the answer is too large", name)
		require.NotErrorIs(t, err, setupintent.ErrRefused, name)
		require.Len(t, s.seen(), 1, name)
	}

	page := func(n int) reply {
		return answer(200, `{"object":"list","has_more":false,"data":[`+strings.Repeat(padded(mib)+",", n-1)+padded(1)+`]}`)
	}
	s = serve(t, page(2), page(17))
	got, err := s.provider(t).ListIntents(context.Background(), time.Time{}, time.Time{}, "")
	require.NoError(t, err, "a page may be larger")
	require.Len(t, got, 2)
	require.Equal(t, "/v1/setup_intents?limit=100", s.seen()[0].uri)
	_, err = s.provider(t).ListIntents(context.Background(), time.Time{}, time.Time{}, "")
	require.ErrorContains(t, err, "the answer is too large")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Whatever a server puts a secret into, the errors do not show it, nor does an
// intent, but for the one method that is made for it.
func TestNoSecretGetsOut(t *testing.T) {
	t.Parallel()
	nested := `"next_action":{"type":"redirect_to_url","redirect_to_url":{"url":"https://hooks.stripe.com/?a=b&c=` + canary + `","return_url":null}},` +
		`"last_setup_error":{"type":"card_error","code":"` + canary + `","setup_intent":{"CLIENT_secret":"` + canary + `"}},` +
		`"ephemeral":[{"secret":"` + canary + `"},{"client\u005fsecret":["` + canary + `"]}]`
	replies := map[string]reply{
		"intent":       ok(),
		"nested":       ok(nested),
		"cut":          answer(200, intentJSON(), "Content-Length", "9000"),
		"malformed":    answer(200, intentJSON()[:300]),
		"garbage":      answer(200, canary),
		"html":         answer(502, "<html>"+canary, "Content-Type", "text/html"),
		"html 400":     answer(400, "<html>"+canary, "Content-Type", "text/html"),
		"no error":     answer(400, `{"client_secret":"`+canary+`"}`),
		"declined":     answer(402, failWith(cardError, "card_declined", `"setup_intent":`+intentJSON(nested))),
		"unexpected":   answer(400, failWith(invalidRequest, "setup_intent_unexpected_state", `"setup_intent":`+intentJSON(nested))),
		"broken":       answer(500, failWith(apiError, "", `"setup_intent":`+intentJSON(nested))),
		"stored":       answer(500, failWith(apiError, "", `"setup_intent":[`+intentJSON(nested)+`]`), "Idempotent-Replayed", "true"),
		"message":      answer(402, `{"error":{"type":"card_error","message":"Declined `+canary+`"}}`),
		"long message": answer(402, `{"error":{"type":"card_error","message":"`+strings.Repeat("x", 600)+canary+`"}}`),
		"fields":       answer(400, `{"error":{"type":"invalid_request_error","code":"`+canary+`","param":"`+canary+`","decline_code":"`+canary+`","message":"`+canary+`"}}`),
		"type":         answer(400, `{"error":{"type":"`+canary+`","doc_url":"https://`+canary+`"}}`),
		"header":       answer(401, failWith(invalidRequest, ""), "Request-Id", canary, "Stripe-Should-Retry", canary),
		"redirect":     answer(302, canary, "Location", "http://127.0.0.1:1/?client_secret="+canary),
		"bad redirect": answer(302, "", "Location", "http://[::1/?client_secret="+canary),
		"not HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, canary+"\r\n\r\n")
				_ = conn.Close()
			}
		},
		"bad header": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+canary+"\r\n\r\n")
				_ = conn.Close()
			}
		},
		"hang up": hangUp,
	}
	for name, reply := range replies {
		s := serve(t, reply)
		p := s.provider(t)
		for op, call := range allCalls(p, "seti_1Abc") {
			result, err := call(context.Background())
			if in, isIntent := result.(setupintent.Intent); isIntent && err == nil {
				require.Equal(t, canary, in.ClientSecret.Reveal(), "%s %s", op, name)
				require.True(t, json.Valid(in.Raw))
				requireNoSecret(t, in, op+" "+name)
				requireNoSecret(t, string(in.Raw), op+" "+name)
				continue
			}
			require.Error(t, err, "%s %s", op, name)
			for _, e := range tree(err) {
				requireNoSecret(t, e, op+" "+name)
				requireNoSecret(t, e.Error(), op+" "+name)
			}
		}
		for _, r := range s.seen() {
			require.NotContains(t, r.uri, canary)
		}
	}
}

// tree returns err and all the errors that it wraps.
func tree(err error) []error {
	if err == nil {
		return nil
	}
	all := []error{err}
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case interface{ Unwrap() error }:
		return append(all, tree(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			all = append(all, tree(err)...)
		}
	}
	return all
}

func requireNoSecret(t *testing.T, v any, where string) {
	t.Helper()
	secret := canary[len("seti_1Abc_secret_"):]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, v), secret, where)
		require.NotContains(t, fmt.Sprintf(verb, []any{v}), secret, where)
	}
	b, err := json.Marshal(v)
	require.NoError(t, err, where)
	require.False(t, bytes.Contains(b, []byte(secret)), where)
}

// What an error tells of Stripe's answer.
func TestError(t *testing.T) {
	t.Parallel()
	s := serve(t,
		answer(400, `{"error":{"type":"invalid_request_error","code":"parameter_unknown","param":"payment_method_options[card][x]","message":"Received unknown parameter"}}`, "Request-Id", "req_A1"),
		answer(402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"Your card has insufficient funds."}}`, "Request-Id", "req_A2", "Idempotent-Replayed", "true"),
		answer(502, "<html>", "Request-Id", "not an id"),
	)
	p := s.provider(t)
	create := func() (*stripeport.Error, error) {
		_, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
		var e *stripeport.Error
		require.ErrorAs(t, err, &e)
		return e, err
	}

	e, err := create()
	require.EqualError(t, err, "stripeport: create: refused by the provider: HTTP 400 invalid_request_error parameter_unknown, parameter payment_method_options[card][x], request req_A1")
	require.Equal(t, "parameter_unknown", e.Code)
	require.Equal(t, "payment_method_options[card][x]", e.Param)
	require.Empty(t, e.Message, "only a card error's text is for people")

	e, err = create()
	require.EqualError(t, err, "stripeport: create: refused by the provider: HTTP 402 card_error card_declined insufficient_funds, request req_A2, replayed: Your card has insufficient funds.")
	require.Equal(t, "card_error", e.Type)
	require.Equal(t, "insufficient_funds", e.DeclineCode)
	require.Equal(t, 402, e.HTTPStatus)
	require.Equal(t, "req_A2", e.RequestID)
	require.True(t, e.Replayed)

	e, err = create()
	require.EqualError(t, err, "stripeport: create: HTTP 502: the answer is not what Stripe answers")
	require.Empty(t, e.RequestID)

	_, err = p.GetIntent(context.Background(), "")
	require.EqualError(t, err, "stripeport: get: not found: this is no id of an intent")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.GetIntent(ctx, "seti_1")
	require.EqualError(t, err, "stripeport: get: context canceled")
}

// Why there was no answer is told as far as it can be told safely.
func TestReasons(t *testing.T) {
	t.Parallel()
	for want, cause := range map[string]error{
		"the host could not be looked up":                          &net.OpError{Op: "dial", Err: &net.DNSError{Err: canary}},
		"read: connection reset by peer":                           &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"the server's certificate is not trusted":                  &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"the connection was closed before the answer was complete": fmt.Errorf("%s: %w", canary, io.ErrUnexpectedEOF),
		"the connection failed":                                    errors.New(canary),
		"context deadline exceeded":                                fmt.Errorf("%s: %w", canary, context.DeadlineExceeded),
	} {
		p, err := stripeport.New(testKey, &stripeport.Options{HTTPClient: &http.Client{
			Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, cause }),
		}})
		require.NoError(t, err)
		p.SetSleep(func(context.Context, time.Duration) error { return nil })
		_, err = p.GetIntent(context.Background(), "seti_1")
		require.EqualError(t, err, "stripeport: get: "+want)
		require.NotContains(t, fmt.Sprintf("%#v", err), canary)
	}
}
