package setupintent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// stripe is the world in which the provider is the real stripeport, and Stripe
// the fake one, with a network between them that has no sockets; and in which
// webhooks are signed, sent by the fake, and taken by the real endpoint.
type stripe struct {
	*sim
	fake   *stripetest.Server
	mail   *mailbox
	keys   map[string]bool // that Stripe has seen
	events []*event
	buyers int
}

const simSecret = "whsec_0123456789abcdefghijklmnop"

// mailbox takes what the fake sends to the webhook endpoint.
type mailbox struct{ letters []letter }

type letter struct {
	event  string
	header http.Header
	body   []byte
}

func (m *mailbox) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var e struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	m.letters = append(m.letters, letter{e.ID, req.Header, body})
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// postOffice is what of the fake is there for all schedules of a rig.
type postOffice struct {
	fake *stripetest.Server
	mail *mailbox
}

func newPostOffice(now func() time.Time) *postOffice {
	o := &postOffice{mail: new(mailbox)}
	fake, err := stripetest.New(&stripetest.Options{
		Seed: 1, Now: now, WebhookTransport: o.mail, RetrySchedule: []time.Duration{},
		Webhooks: []stripetest.Webhook{{URL: "https://app.example/webhooks", Secret: simSecret, Events: stripeport.WebhookEvents()}},
	})
	if err != nil {
		panic(err)
	}
	o.fake = fake
	return o
}

func newStripe(s *sim) *stripe {
	if s.office == nil {
		s.office = newPostOffice(s.clock.now)
	}
	o := s.office
	if err := o.fake.WaitWebhooks(context.Background()); err != nil { // of the schedule before, which may have ended without a look at the mail
		panic(err)
	}
	o.fake.Reset()
	o.mail.letters = nil
	return &stripe{sim: s, fake: o.fake, mail: o.mail, keys: map[string]bool{}}
}

func (w *stripe) provider(p *process) (setupintent.Provider, setupintent.CustomerProvider) {
	port, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{
		HTTPClient: &http.Client{Transport: network{w}}, Now: p.now,
		Sleep: func(ctx context.Context, _ time.Duration) error { return p.sleep(ctx, 500*time.Millisecond) },
	})
	if err != nil {
		panic(err)
	}
	return port, port
}

func (w *stripe) state() ([]standing, int) {
	var intents []standing
	for _, in := range w.fake.SetupIntents() {
		intents = append(intents, standing{in.ID, setupintent.IntentStatus(in.Status)})
	}
	return intents, w.buyers
}

func (w *stripe) tick() {
	w.fake.Advance(0) // what had been waiting for the time happens
	w.changed()
}

func (w *stripe) resolve(id string, to outcome) {
	err := w.fake.Resolve(id, map[outcome]stripetest.Outcome{
		saves: stripetest.OutcomeSucceed, declines: stripetest.OutcomeDecline, takesLong: stripetest.OutcomeProcess,
		challenges: stripetest.OutcomeChallenge, cancels: stripetest.OutcomeCancel,
	}[to])
	if err != nil {
		return // it has come to its end
	}
	w.changed()
	in, _ := w.find(id)
	w.say("page", id+" becomes "+string(in.status))
}

func (w *stripe) news() []*event {
	if err := w.fake.WaitWebhooks(context.Background()); err != nil {
		panic(err)
	}
	for _, l := range w.mail.letters {
		if !slices.ContainsFunc(w.events, func(e *event) bool { return e.id == l.event }) {
			w.events = append(w.events, &event{id: l.event})
		}
	}
	return w.events
}

// deliver has the fake send the event again, signed as of now, and brings it to
// the endpoint.
func (w *stripe) deliver(ctx context.Context, p *process, e *event) error {
	if err := errors.Join(w.fake.Resend(e.id), w.fake.WaitWebhooks(context.Background())); err != nil {
		return err
	}
	l := w.mail.letters[len(w.mail.letters)-1]
	hook, err := stripeport.NewWebhook([]string{simSecret}, &stripeport.WebhookOptions{Now: p.now})
	if err != nil {
		return err
	}
	handler, err := httpadapter.New(p.svc, nil)
	if err != nil {
		return err
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhooks", bytes.NewReader(l.body))
	req.Header = l.header
	t, answer := w.running, httptest.NewRecorder()
	handler.Webhook(hook.Parse).ServeHTTP(answer, req)
	if !t.dead && answer.Code != http.StatusOK && answer.Code != http.StatusServiceUnavailable {
		w.fail("a webhook of Stripe's own was answered with an error", fmt.Sprint(answer.Code, " ", answer.Body))
	}
	return fmt.Errorf("answers %d", answer.Code)
}

// network carries one attempt of stripeport's to the fake.
type network struct{ *stripe }

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	what, creates, named, reads := "cancel", false, true, req.Method == http.MethodGet
	switch path := strings.TrimPrefix(req.URL.Path, "/v1/"); {
	case !reads && (path == "setup_intents" || path == "customers"):
		what, creates, named = "create of "+path, true, false
	case reads && (path == "setup_intents" || path == "customers"):
		what, named = "list of "+path, false
		n.hits[listMade]++
	case reads:
		what = "get"
	}
	key := req.Header.Get("Idempotency-Key")
	if creates && n.verbose {
		what += ", " + n.key(key)
	}
	return carry(req.Context(), n.sim, request[*http.Response]{
		what: what, reads: reads, creates: creates, named: named,
		execute: func() (*http.Response, error) { return n.execute(req, body, key, creates), nil },
		answer:  func(kind int) (*http.Response, error) { return n.answer(req, kind) },
	})
}

// execute is the fake at work.
func (n network) execute(req *http.Request, body []byte, key string, creates bool) *http.Response {
	if creates && !n.keys[key] {
		for _, kind := range []int{stored5xx, stored5xxMade} {
			if n.fault(kind) {
				n.inject(stripetest.Fault{Stored: true, After: kind == stored5xxMade, Count: 1})
				break
			}
		}
		n.keys[key] = true
	}
	in := req.Clone(context.Background())
	in.Body, in.Host, in.RequestURI = io.NopCloser(bytes.NewReader(body)), req.URL.Host, req.URL.RequestURI()
	recorder := httptest.NewRecorder()
	n.fake.ServeHTTP(recorder, in)
	n.fake.ClearFaults()
	answer := recorder.Result()
	if answer.Header.Get("Idempotent-Replayed") == "true" {
		n.hits[replayed]++
	}
	n.say("", fmt.Sprintf("Stripe answers %d", answer.StatusCode))
	if creates && req.URL.Path == "/v1/customers" && answer.StatusCode == http.StatusOK {
		n.hits[customerMade]++
	}
	if req.Method == http.MethodPost {
		n.changed()
	}
	return answer
}

func (n network) inject(f stripetest.Fault) {
	if err := n.fake.Inject(f); err != nil {
		panic(err)
	}
}

// answer is what comes of a request that goes wrong.
func (n network) answer(req *http.Request, kind int) (*http.Response, error) {
	var status int
	var body string
	contentType := "application/json"
	switch kind {
	case throttled429:
		status, body = 429, `{"error":{"type":"invalid_request_error","code":"rate_limit","message":"Too many requests."}}`
	case credentials401:
		status, body = 401, `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided."}}`
	case inUse409:
		status, body = 409, `{"error":{"type":"idempotency_error","code":"idempotency_key_in_use","message":"In use."}}`
	case refusedOnce, refusedForEver:
		status, body = 400, `{"error":{"type":"invalid_request_error","code":"parameter_invalid","message":"No."}}`
	case otherAccount:
		status, body = 404, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"intent","message":"No such setupintent."}}`
	case unstored5xx:
		status, body = 500, `{"error":{"type":"api_error","message":"An unknown error occurred."}}`
	case unstored5xxMade:
		status, body, contentType = 502, "<html><h1>502 Bad Gateway</h1></html>", "text/html"
	case answerCut:
		return &http.Response{
			StatusCode: 200, Header: http.Header{}, Request: req,
			Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"id": "seti_1`), cutOff{})),
		}, nil
	default:
		return nil, errSim
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Request: req, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
