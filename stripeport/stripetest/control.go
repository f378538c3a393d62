package stripetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// controlPrefix is where the control API is. It needs no key.
const controlPrefix = "/_stripetest/"

// controlFunc answers one call of the control API. decode reads the request's
// document.
type controlFunc func(r *http.Request, decode func(any) error) (any, error)

func (s *Server) controlHandler() http.Handler {
	routes := map[string]controlFunc{
		"GET calls":    s.controlCalls,
		"POST reset":   s.controlReset,
		"GET faults":   s.controlListFaults,
		"POST faults":  s.controlFaults,
		"POST latency": s.controlLatency,
		"GET clock":    s.controlClock,
		"POST clock":   s.controlClock,

		"GET setup_intents":      s.controlIntents,
		"POST setup_intents/:id": s.controlResolve,
		"GET webhooks":           s.controlWebhooks,
		"POST webhooks":          s.controlSetWebhooks,
		"POST webhooks/wait":     s.controlWaitWebhooks,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		allowOrigin(h)
		h.Set("Content-Type", "application/json")
		if r.Method == http.MethodOptions {
			return
		}
		path := strings.TrimPrefix(r.URL.Path, controlPrefix)
		if strings.HasPrefix(path, "setup_intents/") {
			path = "setup_intents/:id"
		}
		handle := routes[r.Method+" "+path]
		if handle == nil {
			controlError(w, http.StatusNotFound, unrecognized(r.Method, r.URL.Path))
			return
		}
		result, err := handle(r, func(v any) error { return readDocument(r.Body, v) })
		if err != nil {
			controlError(w, http.StatusBadRequest, err.Error())
			return
		}
		_, _ = w.Write(encode(result))
	})
}

// readDocument decodes the one object that a body must hold. No body at all is
// none: {"faults": …} with nothing said would be a fault of every call.
func readDocument(body io.Reader, v any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		return errors.New("the body could not be read")
	}
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '{' {
		return errors.New("the body must be a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return documentError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body must be one JSON object, and nothing after it")
	}
	return nil
}

// documentError says what is wrong with a document without the names of Go.
func documentError(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return errors.New("not the document expected: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	needs := "an object"
	switch wrong.Type.Kind() {
	case reflect.Bool:
		needs = "true or false"
	case reflect.Int, reflect.Int64:
		needs = "a whole number"
	case reflect.String:
		needs = "a string"
	case reflect.Slice:
		needs = "a list"
	}
	name := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
	return fmt.Errorf("%q needs %s, and was given: %s", name, needs, wrong.Value)
}

func controlError(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_, _ = w.Write(encode(map[string]any{"error": &apiError{Type: typeInvalid, Message: message}}))
}

func (s *Server) controlCalls(*http.Request, func(any) error) (any, error) {
	calls := s.Calls()
	if calls == nil {
		calls = []Call{}
	}
	return map[string]any{"counts": s.Counts(), "calls": calls}, nil
}

func (s *Server) controlReset(*http.Request, func(any) error) (any, error) {
	s.Reset()
	return map[string]any{"reset": true}, nil
}

// The ends of the clock. From one to the other a time.Duration can reach.
func firstTime() time.Time { return time.Unix(0, 0).UTC() }
func lastTime() time.Time  { return time.Date(2200, time.January, 1, 0, 0, 0, 0, time.UTC) }

// durationOf is the duration that a member of a document has in milliseconds.
func durationOf(name string, n int64) (time.Duration, error) {
	if n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return 0, fmt.Errorf("%q is from 0 to %d, not %d", name, math.MaxInt64/int64(time.Millisecond), n)
	}
	return time.Duration(n) * time.Millisecond, nil
}

// faultDocument is a Fault as the control API has it.
type faultDocument struct {
	Method     string    `json:"method,omitempty"`
	Path       string    `json:"path,omitempty"`
	Kind       FaultKind `json:"kind,omitempty"`
	When       string    `json:"when,omitempty"` // before (the default) or after
	Stored     bool      `json:"stored,omitempty"`
	Status     int       `json:"status,omitempty"`
	Code       string    `json:"code,omitempty"`
	Message    string    `json:"message,omitempty"`
	Body       string    `json:"body,omitempty"`
	Skip       int       `json:"skip,omitempty"`
	Count      int       `json:"count,omitempty"`
	DurationMS int64     `json:"duration_ms,omitempty"`
	DelayMS    int64     `json:"delay_ms,omitempty"`
}

func (d faultDocument) fault() (Fault, error) {
	if d.When != "" && d.When != "before" && d.When != "after" {
		return Fault{}, fmt.Errorf(`"when" is before or after, not %q`, d.When)
	}
	duration, err := durationOf("duration_ms", d.DurationMS)
	if err != nil {
		return Fault{}, err
	}
	delay, err := durationOf("delay_ms", d.DelayMS)
	if err != nil {
		return Fault{}, err
	}
	return Fault{
		Route: d.Method + " " + d.Path, Kind: d.Kind, After: d.When == "after", Stored: d.Stored, Status: d.Status, Code: d.Code,
		Message: d.Message, Body: d.Body, Skip: d.Skip, Count: d.Count, Duration: duration, Delay: delay,
	}, nil
}

// controlFaults takes one fault, or {"faults": [...]}, which replaces all
// faults in force; an empty list ends them.
func (s *Server) controlFaults(r *http.Request, decode func(any) error) (any, error) {
	var doc struct {
		faultDocument
		Faults *[]*faultDocument `json:"faults"`
	}
	var docs []*faultDocument // stays nil if there is no list
	doc.Faults = &docs
	if err := decode(&doc); err != nil {
		return nil, err
	}
	if doc.Faults == nil { // said to be null: a fault of every call is not meant
		return nil, errors.New(`"faults" needs a list, and was given: null`)
	}
	replaces := docs != nil
	if !replaces {
		docs = []*faultDocument{&doc.faultDocument}
	}
	var faults []Fault
	for _, d := range docs {
		if d == nil {
			return nil, errors.New(`"faults" needs an object, and was given: null`)
		}
		f, err := d.fault()
		if err != nil {
			return nil, err
		}
		if err := s.check(&f); err != nil {
			return nil, err
		}
		faults = append(faults, f)
	}
	if replaces {
		s.faults.replace(nil)
	}
	if err := s.Inject(faults...); err != nil {
		return nil, err
	}
	return s.controlListFaults(r, decode)
}

func (s *Server) controlListFaults(*http.Request, func(any) error) (any, error) {
	return map[string]any{"faults": s.faults.describe()}, nil
}

func (s *Server) controlLatency(_ *http.Request, decode func(any) error) (any, error) {
	var doc struct {
		MS     int64  `json:"ms"`
		Method string `json:"method,omitempty"`
		Path   string `json:"path,omitempty"`
	}
	if err := decode(&doc); err != nil {
		return nil, err
	}
	d, err := durationOf("ms", doc.MS)
	if err != nil {
		return nil, err
	}
	if err := s.SetLatency(doc.Method+" "+doc.Path, d); err != nil {
		return nil, err
	}
	return doc, nil
}

func (s *Server) controlClock(r *http.Request, decode func(any) error) (any, error) {
	if r.Method == http.MethodPost {
		var doc struct {
			Now     *string `json:"now"`
			Advance string  `json:"advance"`
		}
		if err := decode(&doc); err != nil {
			return nil, err
		}
		var d time.Duration
		var err error
		if doc.Advance != "" {
			if d, err = time.ParseDuration(doc.Advance); err != nil {
				return nil, fmt.Errorf(`"advance" needs a duration like 24h or -90s, and was given: %q`, doc.Advance)
			}
		}
		now := s.Now()
		if doc.Now != nil {
			if now, err = time.Parse(time.RFC3339Nano, *doc.Now); err != nil {
				return nil, fmt.Errorf(`"now" needs a time like 2024-06-20T12:00:00Z, and was given: %q`, *doc.Now)
			}
		}
		if to := now.Add(d); to.Before(firstTime()) || to.After(lastTime()) {
			return nil, fmt.Errorf("the clock goes from %s to %s", firstTime().Format(time.RFC3339), lastTime().Format(time.RFC3339))
		}
		if doc.Now != nil {
			s.SetTime(now)
		}
		s.Advance(d)
	}
	return map[string]any{"now": s.Now().UTC().Format(time.RFC3339Nano)}, nil
}

func (s *Server) controlIntents(*http.Request, func(any) error) (any, error) {
	return map[string]any{"setup_intents": s.SetupIntents()}, nil
}

func (s *Server) controlResolve(r *http.Request, decode func(any) error) (any, error) {
	var doc struct {
		Outcome Outcome `json:"outcome"`
	}
	if err := decode(&doc); err != nil {
		return nil, err
	}
	id := strings.TrimPrefix(r.URL.Path, controlPrefix+"setup_intents/")
	if err := s.resolve(id, doc.Outcome, baseURL(r)); err != nil {
		return nil, err
	}
	intent, _ := s.SetupIntent(id)
	return intent, nil
}

// webhooksDocument is how events are delivered. What it leaves out stays.
type webhooksDocument struct {
	Mode     WebhookMode `json:"mode,omitempty"`
	DelayMS  int64       `json:"delay_ms,omitempty"`
	Lose     *[]string   `json:"lose,omitempty"`
	Resend   string      `json:"resend,omitempty"`   // the id of an event
	Endpoint *Webhook    `json:"endpoint,omitempty"` // one to be added
}

func (s *Server) controlSetWebhooks(r *http.Request, decode func(any) error) (any, error) {
	var doc webhooksDocument
	if err := decode(&doc); err != nil {
		return nil, err
	}
	delay, err := durationOf("delay_ms", doc.DelayMS)
	if err != nil {
		return nil, err
	}
	if doc.Lose != nil {
		if err := checkEventTypes(*doc.Lose); err != nil {
			return nil, err
		}
	}
	if doc.Mode != "" {
		if err := s.SetWebhookMode(doc.Mode, delay); err != nil {
			return nil, err
		}
	}
	if doc.Lose != nil {
		s.LoseEvents(*doc.Lose...)
	}
	if doc.Resend != "" {
		if err := s.Resend(doc.Resend); err != nil {
			return nil, err
		}
	}
	if doc.Endpoint != nil {
		added, err := s.AddWebhook(*doc.Endpoint)
		if err != nil {
			return nil, err
		}
		return map[string]any{"endpoint": added}, nil // with its secret, this once
	}
	return s.controlWebhooks(r, decode)
}

func (s *Server) controlWebhooks(*http.Request, func(any) error) (any, error) {
	mode, delay, lost := s.hooks.settings()
	endpoints := []Webhook{}
	s.mu.Lock()
	for _, we := range s.state.endpoints.rows {
		if !we.hidden.Deleted {
			endpoints = append(endpoints, Webhook{ID: we.ID, URL: we.URL, Events: we.EnabledEvents, WooshPay: we.hidden.Woosh})
		}
	}
	s.mu.Unlock()
	deliveries := s.Deliveries()
	if deliveries == nil {
		deliveries = []Delivery{}
	}
	return map[string]any{
		"mode": mode, "delay_ms": delay.Milliseconds(), "lose": lost, "endpoints": endpoints, "deliveries": deliveries,
	}, nil
}

func (s *Server) controlWaitWebhooks(r *http.Request, decode func(any) error) (any, error) {
	if err := s.WaitWebhooks(r.Context()); err != nil {
		return nil, err
	}
	return s.controlWebhooks(r, decode)
}
