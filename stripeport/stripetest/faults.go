package stripetest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind says how a call goes wrong.
type FaultKind string

// The kinds of fault.
const (
	FaultError     FaultKind = "error"     // Stripe's error object: 500, 429, 409 or any other status
	FaultHTML      FaultKind = "html"      // an HTML page of a gateway in between: 502
	FaultMalformed FaultKind = "malformed" // 200 with half a JSON document
	FaultClose     FaultKind = "close"     // the connection is closed without an answer
	FaultHang      FaultKind = "hang"      // no answer until the client gives up
	FaultLate      FaultKind = "late"      // the connection is closed; the call arrives, and takes effect, Delay later
)

// Fault makes calls go wrong. What it does to the state of the server is set
// by After and Stored alone:
//
//	After   Stored   effect   under the idempotency key
//	false   false    none     nothing: the key is as good as new
//	false   true     none     the fault's answer, replayed from then on
//	true    false    yes      the real answer, which a second try is given
//	true    true     yes      the fault's answer, replayed from then on
//
// Only FaultError and FaultHTML can be stored.
type Fault struct {
	Route    string        // method, path template or both, as Counts has them; empty: every call
	Kind     FaultKind     // empty: FaultError
	After    bool          // after the call took effect, not before
	Stored   bool          // the fault's answer is kept under the idempotency key
	Status   int           // zero: 500 for FaultError, 502 for FaultHTML
	Code     string        // the error's code, or of a 402 the decline's; empty: rate_limit for a 429, card_declined for a 402, otherwise none
	Message  string        // the error's message; empty: what Stripe says
	Body     string        // the whole body, instead of all that
	Skip     int           // let so many calls pass first
	Count    int           // hit so many calls; zero: no limit
	Duration time.Duration // stop after this time on the server's clock; zero: no limit
	Delay    time.Duration // of FaultLate, on the server's clock
}

func (f *Fault) validate() error {
	switch f.Kind {
	case "":
		f.Kind = FaultError
	case FaultError, FaultHTML, FaultMalformed, FaultClose, FaultHang, FaultLate:
	default:
		return fmt.Errorf("stripetest: unknown kind of fault %q", f.Kind)
	}
	switch {
	case f.Stored && f.Kind != FaultError && f.Kind != FaultHTML:
		return fmt.Errorf("stripetest: a fault of kind %q has no answer that could be stored", f.Kind)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("stripetest: fault with status %d", f.Status)
	case f.Skip < 0 || f.Count < 0 || f.Duration < 0 || f.Delay < 0:
		return errors.New("stripetest: fault with a negative number")
	}
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
		switch f.Kind {
		case FaultHTML:
			f.Status = http.StatusBadGateway
		case FaultMalformed:
			f.Status = http.StatusOK
		}
	}
	return nil
}

// faultScript is the faults and latencies in force.
type faultScript struct {
	mu     sync.Mutex
	faults []*armed
	delays map[string]time.Duration
}

// armed fault counts down.
type armed struct {
	Fault
	skip, left int
	until      time.Time
}

// check validates f and brings its route into shape.
func (s *Server) check(f *Fault) error {
	route, err := s.routePattern(f.Route)
	if err != nil {
		return err
	}
	f.Route = route
	return f.validate()
}

// Inject adds faults to those in force; a call goes through the first that
// matches it. The error is for a Fault that makes no sense, or for a route
// that there is not.
func (s *Server) Inject(faults ...Fault) error {
	var script []*armed
	for _, f := range faults {
		if err := s.check(&f); err != nil {
			return err
		}
		a := &armed{Fault: f, skip: f.Skip, left: f.Count}
		if f.Duration > 0 {
			a.until = s.clock.now().Add(f.Duration)
		}
		script = append(script, a)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.faults = append(s.faults.faults, script...)
	return nil
}

// ClearFaults ends all faults and latencies.
func (s *Server) ClearFaults() { s.faults.reset() }

// SetLatency makes the calls of a route take d longer; the route is as in a
// Fault, and the one that says most about a call counts. It is real time, not
// the server's: the idempotency key is in use meanwhile, and the effect comes
// at its end.
func (s *Server) SetLatency(route string, d time.Duration) error {
	pattern, err := s.routePattern(route)
	if err != nil {
		return err
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.delays == nil {
		s.faults.delays = make(map[string]time.Duration)
	}
	s.faults.delays[pattern] = d
	return nil
}

func (fs *faultScript) reset() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.faults, fs.delays = nil, nil
}

func (fs *faultScript) latency(route string) time.Duration {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	best, delay := "", fs.delays[""]
	for pattern, d := range fs.delays {
		if len(pattern) > len(best) && routeMatches(pattern, route) {
			best, delay = pattern, d
		}
	}
	return delay
}

// take returns the fault that a call of route at now goes through, if any.
func (fs *faultScript) take(route string, now time.Time) *armed {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.faults = slices.DeleteFunc(fs.faults, func(a *armed) bool {
		return !a.until.IsZero() && !now.Before(a.until)
	})
	for _, a := range fs.faults {
		if !routeMatches(a.Route, route) || a.Count > 0 && a.left <= 0 {
			continue
		}
		if a.skip > 0 {
			a.skip--
			continue
		}
		a.left--
		return a
	}
	return nil
}

// giveBack undoes a take.
func (fs *faultScript) giveBack(f *armed) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.left++
}

// apply runs the call through the fault; the kind is empty if the fault did
// not come to bear, since the call was one that never ran.
func (f *armed) apply(c *call, perform func() answer) (answer, FaultKind) {
	switch {
	case f.Kind == FaultLate:
		c.srv.jobs.later(f.Delay, func() { c.once(c.perform) })
		return answer{cut: true}, f.Kind
	case !f.Stored && !f.After:
		return f.answer(c, answer{}), f.Kind
	case !f.Stored:
		return f.answer(c, c.once(perform)), f.Kind
	}
	struck := false
	a := c.once(func() answer {
		var meant answer
		if f.After {
			if meant = perform(); meant.unstored {
				return meant
			}
		}
		struck = true
		return f.answer(c, meant)
	})
	if !struck {
		c.srv.faults.giveBack(f)
		return a, ""
	}
	return a, f.Kind
}

// answer is what the client gets instead of what was meant for it.
func (f *armed) answer(c *call, meant answer) answer {
	a := answer{status: f.Status, body: []byte(f.Body)}
	switch f.Kind {
	case FaultClose:
		return answer{cut: true}
	case FaultHang:
		return answer{hang: true}
	case FaultHTML:
		a.html = true
		if f.Body == "" {
			text := fmt.Sprintf("%d %s", f.Status, http.StatusText(f.Status))
			a.body = []byte("<html><head><title>" + text + "</title></head><body><center><h1>" + text + "</h1></center></body></html>\n")
		}
	case FaultMalformed:
		if f.Body == "" {
			a.body = []byte(`{"id": "seti_`)
			if meant.body != nil {
				a.body = meant.body[:len(meant.body)/2]
			}
		}
	case FaultError:
		if f.Body == "" {
			a.body = c.failure(f.error(c)).body
		}
	}
	return a
}

// Texts of errors that come from outside the endpoint.
const (
	rateLimited = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
	lockTimeout = "This object cannot be accessed right now because another API request or Stripe process is currently accessing it." +
		" If you see this error intermittently, retry the request. If you see this error frequently and are making multiple" +
		" concurrent requests to a single object, make your requests serially or at a lower rate." // [U]
)

// error is the error that the fault stands for: for a code that the fake has
// itself, the fake's own.
func (f *armed) error(c *call) *apiError {
	code := f.Code
	if code == "" {
		switch f.Status {
		case http.StatusTooManyRequests:
			code = "rate_limit"
		case http.StatusPaymentRequired:
			code = "card_declined"
		}
	}
	e := newError(f.Status, code, "", unknownErr)
	switch {
	case f.Status >= 500:
		e.Type = typeAPI
	case code == "rate_limit":
		e.Message = rateLimited
	case code == "lock_timeout":
		e.Message = lockTimeout
	case code == codeKeyInUse:
		e = c.keyInUse()
	case f.Status == http.StatusPaymentRequired:
		e.Type = typeCard
		if code == "card_declined" {
			code = "generic_decline"
		}
		if _, ok := declineOf(code); ok {
			e = declineError(code)
		}
	}
	if f.Message != "" {
		e.Message = f.Message
	}
	return e
}

func (fs *faultScript) replace(faults []*armed) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.faults = faults
}

// describe lists the faults in force as the control API has them.
func (fs *faultScript) describe() []faultDocument {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	docs := []faultDocument{}
	for _, a := range fs.faults {
		if a.Count > 0 && a.left <= 0 {
			continue
		}
		d := faultDocument{
			Kind: a.Kind, When: "before", Stored: a.Stored, Status: a.Status, Code: a.Code,
			Message: a.Message, Body: a.Body, Skip: a.skip, Count: max(a.left, 0),
			DurationMS: a.Duration.Milliseconds(), DelayMS: a.Delay.Milliseconds(),
		}
		if a.After {
			d.When = "after"
		}
		for _, part := range strings.Fields(a.Route) {
			if strings.HasPrefix(part, "/") {
				d.Path = part
			} else {
				d.Method = part
			}
		}
		docs = append(docs, d)
	}
	return docs
}
