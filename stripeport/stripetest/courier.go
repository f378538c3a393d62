package stripetest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// WebhookMode says what becomes of deliveries.
type WebhookMode string

// The modes of delivery.
const (
	WebhooksDeliver   WebhookMode = "deliver"   // at once, in order
	WebhooksDrop      WebhookMode = "drop"      // never; the events stay listed as not delivered
	WebhooksDuplicate WebhookMode = "duplicate" // twice
	WebhooksReorder   WebhookMode = "reorder"   // the newest first, of all events within the delay
	WebhooksDelay     WebhookMode = "delay"     // after the delay
)

// defaultDelay is the delay of the modes that have one.
const defaultDelay = time.Second

// Facts about delivery.
const (
	deliveryTimeout = 10 * time.Second // [U]
	webhookAgent    = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
)

// retrySchedule is the default: three times over hours, as in a sandbox. The
// times themselves are [U].
func retrySchedule() []time.Duration {
	return []time.Duration{5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
}

// Delivery is the record of one attempt to deliver an event.
type Delivery struct {
	Time     time.Time `json:"time"`
	Event    string    `json:"event"`
	Type     string    `json:"type"`
	Endpoint string    `json:"endpoint"`
	Attempt  int       `json:"attempt"`
	Status   int       `json:"status"` // 0: no answer
	Error    string    `json:"error,omitempty"`
}

// courier takes events to endpoints: each endpoint has a queue and, while
// there is something in it, a goroutine.
type courier struct {
	srv *Server

	mu      sync.Mutex // may be taken with Server.mu held, not the other way round
	mode    WebhookMode
	delay   time.Duration
	lost    []string // patterns of types
	held    []delivery
	queues  map[string][]delivery
	active  int // queued, or on their way
	waiting []chan struct{}
	log     []Delivery
	closed  bool

	ctx     context.Context // of the requests on their way
	cancel  context.CancelFunc
	workers sync.WaitGroup
}

type delivery struct {
	event, endpoint string
	attempt         int
}

// SetWebhookMode says what becomes of the deliveries of events to come. The
// delay is for WebhooksDelay and WebhooksReorder, on the server's clock; zero
// means a second.
func (s *Server) SetWebhookMode(mode WebhookMode, delay time.Duration) error {
	switch mode {
	case WebhooksDeliver, WebhooksDrop, WebhooksDuplicate, WebhooksReorder, WebhooksDelay:
	default:
		return fmt.Errorf("stripetest: unknown webhook mode %q", mode)
	}
	if delay < 0 {
		return errors.New("stripetest: negative webhook delay")
	}
	if delay == 0 {
		delay = defaultDelay
	}
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	s.hooks.mode, s.hooks.delay = mode, delay
	return nil
}

// LoseEvents makes events of these types never come into being, as Stripe's
// own have been known to: they are not even listed. A type may be a pattern
// like setup_intent.*; none at all ends the losses.
func (s *Server) LoseEvents(types ...string) {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	s.hooks.lost = slices.Clone(types)
}

// Resend delivers an event once more, to every endpoint that wants it.
func (s *Server) Resend(event string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.state.events.get(event)
	if !ok {
		return fmt.Errorf("stripetest: no event %q", event)
	}
	for _, we := range s.state.endpoints.rows {
		if we.wants(e.Type) {
			s.hooks.enqueue(delivery{e.ID, we.ID, len(s.opts.RetrySchedule) + 1})
		}
	}
	return nil
}

// WaitWebhooks waits until every delivery that is due was made, including
// those that come of them. It returns early with ctx's error.
func (s *Server) WaitWebhooks(ctx context.Context) error {
	for {
		s.jobs.run()
		idle := make(chan struct{})
		s.hooks.mu.Lock()
		if s.hooks.active == 0 {
			s.hooks.mu.Unlock()
			return nil
		}
		s.hooks.waiting = append(s.hooks.waiting, idle)
		s.hooks.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Deliveries returns the latest attempts to deliver events, the oldest first;
// at most 10,000.
func (s *Server) Deliveries() []Delivery {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	return latest(s.hooks.log)
}

// settings are the mode, the delay, and the types of events that are lost.
func (co *courier) settings() (WebhookMode, time.Duration, []string) {
	co.mu.Lock()
	defer co.mu.Unlock()
	mode := co.mode
	if mode == "" {
		mode = WebhooksDeliver
	}
	return mode, co.delay, append([]string{}, co.lost...)
}

func (co *courier) loses(event string) bool {
	co.mu.Lock()
	defer co.mu.Unlock()
	return slices.ContainsFunc(co.lost, func(pattern string) bool { return eventMatches(pattern, event) })
}

func (co *courier) start(s *Server) {
	co.srv = s
	co.ctx, co.cancel = context.WithCancel(context.Background())
}

// dispatch sends a new event on its way, as the mode has it.
func (co *courier) dispatch(d delivery) {
	co.mu.Lock()
	defer co.mu.Unlock()
	switch co.mode {
	case WebhooksDrop:
	case WebhooksDuplicate:
		co.push(d, d)
	case WebhooksDelay:
		co.srv.jobs.later(co.delay, func() { co.enqueue(d) })
	case WebhooksReorder:
		if co.held = append(co.held, d); len(co.held) == 1 {
			co.srv.jobs.later(co.delay, co.release)
		}
	default:
		co.push(d)
	}
}

// release sends what was held to be reordered.
func (co *courier) release() {
	co.mu.Lock()
	defer co.mu.Unlock()
	slices.Reverse(co.held)
	co.push(co.held...)
	co.held = nil
}

func (co *courier) enqueue(d delivery) {
	co.mu.Lock()
	defer co.mu.Unlock()
	co.push(d)
}

// push queues deliveries. The caller holds mu.
func (co *courier) push(deliveries ...delivery) {
	if co.closed {
		return
	}
	if co.queues == nil {
		co.queues = make(map[string][]delivery)
	}
	for _, d := range deliveries {
		queue, running := co.queues[d.endpoint]
		co.queues[d.endpoint] = append(queue, d)
		co.active++
		if !running {
			co.workers.Add(1)
			go co.work(d.endpoint)
		}
	}
}

// work delivers one endpoint's queue until it is empty.
func (co *courier) work(endpoint string) {
	defer co.workers.Done()
	for {
		co.mu.Lock()
		queue := co.queues[endpoint]
		if len(queue) == 0 || co.closed {
			delete(co.queues, endpoint)
			co.mu.Unlock()
			return
		}
		d := queue[0]
		co.queues[endpoint] = queue[1:]
		co.mu.Unlock()

		co.deliver(d)

		co.mu.Lock()
		if co.active--; co.active == 0 {
			co.wake()
		}
		co.mu.Unlock()
	}
}

// wake lets go of those who wait for idleness. The caller holds mu.
func (co *courier) wake() {
	for _, idle := range co.waiting {
		close(idle)
	}
	co.waiting = nil
}

// deliver makes one attempt, and has the next one made later if it fails.
func (co *courier) deliver(d delivery) {
	s := co.srv
	s.mu.Lock()
	e, known := s.state.events.get(d.event)
	we, there := s.state.endpoints.get(d.endpoint)
	if !known || !there {
		s.mu.Unlock()
		return // reset meanwhile
	}
	if !we.live() { // nobody waits for it any more
		e.served(we.ID)
		s.save(e)
		s.mu.Unlock()
		return
	}
	shown := *e
	if we.APIVersion != nil {
		shown.APIVersion = *we.APIVersion
	}
	sent, header := any(&shown), http.Header{"User-Agent": {webhookAgent}}
	signature := "Stripe-Signature"
	if we.hidden.Woosh {
		sent, signature = e.woosh(s), "Wooshpay-Signature"
		header.Set("User-Agent", "WooshPay") // [U]
	}
	payload := bytes.TrimSuffix(encode(sent), []byte("\n"))
	url, secret, now := we.URL, we.hidden.Secret, s.clock.now()
	s.mu.Unlock()

	header.Set(signature, sign(payload, secret, now))
	status, err := co.post(url, payload, header)

	record := Delivery{Time: now, Event: d.event, Type: shown.Type, Endpoint: d.endpoint, Attempt: d.attempt, Status: status}
	if err != nil {
		record.Error = err.Error()
	}
	co.mu.Lock()
	co.log = keepLast(co.log, record)
	co.mu.Unlock()
	if status >= 200 && status < 300 {
		s.mu.Lock()
		if current, ok := s.state.events.get(d.event); ok && current == e {
			e.served(d.endpoint)
			s.save(e)
		}
		s.mu.Unlock()
		return
	}
	if d.attempt <= len(s.opts.RetrySchedule) {
		wait := s.opts.RetrySchedule[d.attempt-1]
		d.attempt++
		s.jobs.later(wait, func() { co.enqueue(d) })
	}
}

// post sends a payload; status is 0 if there was no answer.
func (co *courier) post(url string, payload []byte, header http.Header) (status int, err error) {
	ctx, cancel := context.WithTimeout(co.ctx, deliveryTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return 0, err
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	// A redirect is a failure, so it is not followed.
	response, err := co.srv.opts.WebhookTransport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody))
	return response.StatusCode, nil
}

// sign returns the signature of a payload: the whole of secret, with its
// whsec_, is the key.
func sign(payload []byte, secret string, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(payload)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func (co *courier) reset() {
	co.mu.Lock()
	defer co.mu.Unlock()
	for endpoint, queue := range co.queues {
		co.active -= len(queue)
		co.queues[endpoint] = nil
	}
	if co.active == 0 {
		co.wake()
	}
	co.mode, co.delay, co.lost, co.held, co.log = "", 0, nil, nil, nil
}

func (co *courier) stop() {
	co.mu.Lock()
	co.closed = true
	for _, queue := range co.queues {
		co.active -= len(queue)
	}
	co.queues = nil
	if co.active == 0 {
		co.wake()
	}
	co.mu.Unlock()
	co.cancel()
	co.workers.Wait()
}
