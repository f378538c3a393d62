package stripetest

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// maxBody caps a request's body; Stripe's own limit is not documented.
const maxBody = 1 << 20

// call is one request to the API on its way through the server.
type call struct {
	srv     *Server
	r       *http.Request
	route   *route
	id      string // of the request
	key     string // Idempotency-Key
	version string
	public  bool   // made with the publishable key
	woosh   bool   // to WooshPay
	actor   string // the customer whose ephemeral key it is made with
	path    []string
	params  *value
	base    string // the URL this server was reached at
	counted bool
	entry   *stored // what its idempotency key is to be answered with
}

// answer is what goes out on the wire.
type answer struct {
	status   int
	html     bool
	body     []byte
	unstored bool   // not for keeping under the idempotency key
	original string // the request that this is a replay of
	cut      bool   // the connection is closed instead
	hang     bool   // nothing is sent until the client gives up
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := &call{
		srv: s, r: r, id: s.ids.id("req_", 14), version: s.opts.APIVersion,
		key: strings.TrimSpace(r.Header.Get(headerKey)), base: baseURL(r), params: &value{kind: kindHash},
		woosh: isWoosh(r.URL.Path),
	}
	start := s.clock.now()
	a, fault := c.serve()
	c.count()
	record := Call{
		Time: start, Method: r.Method, Path: c.template(), Status: a.status, RequestID: c.id,
		IdempotencyKey: c.key[:min(len(c.key), maxKeyLength)], Replayed: a.original != "", Fault: fault,
	}
	s.log.add(record)
	if s.opts.Logger != nil {
		s.opts.Logger.InfoContext(r.Context(), "call", "method", record.Method, "path", record.Path,
			"status", record.Status, "request_id", record.RequestID)
	}
	c.send(w, a)
}

// count counts the call, if that was not done before.
func (c *call) count() {
	if !c.counted {
		c.counted = true
		c.srv.log.count(c.r.Method, c.template())
	}
}

// template is the path as routes have it. A path that is no route's may hold
// anything, a secret too, so it is not shown.
func (c *call) template() string {
	if c.route == nil {
		return "unrecognized"
	}
	_, path, _ := strings.Cut(c.route.name, " ")
	return path
}

// serve takes the call from its route to its answer, through the faults.
func (c *call) serve() (answer, FaultKind) {
	if err := c.read(); err != nil {
		return c.failure(err), ""
	}
	f := c.srv.faults.take(c.route.name, c.srv.clock.now())
	delay := c.srv.faults.latency(c.route.name)
	perform := func() answer {
		c.count()
		c.sleep(delay)
		return c.perform()
	}
	if f == nil {
		return c.once(perform), ""
	}
	return f.apply(c, perform)
}

// read finds the route and the caller, and decodes the parameters.
func (c *call) read() error {
	var ok bool
	if c.route, c.path, ok = c.srv.lookup(c.r.Method, c.r.URL); !ok {
		if c.woosh {
			return newError(http.StatusNotFound, "", "", unrecognized(c.r.Method, c.r.URL.Path))
		}
		return unrecognizedURL(c.r.Method, c.r.URL.Path)
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if version := c.r.Header.Get("Stripe-Version"); version != "" {
		if !validVersion(version) {
			return invalidParam("", "", "Invalid Stripe API version: %s", elide(version)) // [2nd]
		}
		c.version = version
	}
	if err := c.params.decodeForm(c.r.URL.RawQuery); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	switch {
	case err != nil:
		return invalidParam("", "", "Invalid request: the body could not be read.") // [U]
	case len(body) > maxBody:
		e := invalidParam("", "", "Request body too large.") // [U]
		e.status = http.StatusRequestEntityTooLarge
		return e
	case len(body) == 0 || c.r.Method == http.MethodGet:
		return nil
	}
	if c.woosh {
		return c.readJSON(body)
	}
	if media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return invalidParam("", "", "Invalid request (check that your POST content type is application/x-www-form-urlencoded)."+
			" If you have any questions, we can help at https://support.stripe.com/.") // [2nd]
	}
	return c.params.decodeForm(string(body))
}

func (c *call) readJSON(body []byte) error {
	if media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return invalidParam("", "", badJSONType)
	}
	return c.params.decodeJSON(body)
}

// validVersion accepts 2024-06-20, 2025-03-31.basil, and betas after a semicolon.
func validVersion(version string) bool {
	version, _, _ = strings.Cut(version, ";")
	date, train, dotted := strings.Cut(strings.TrimSpace(version), ".")
	if _, err := time.Parse(time.DateOnly, date); err != nil || dotted && train == "" {
		return false
	}
	return strings.Trim(train, "abcdefghijklmnopqrstuvwxyz") == ""
}

// sleep waits for the latency. A client that goes away ends the wait, but not
// what it asked for.
func (c *call) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.r.Context().Done():
	case <-c.srv.done:
	}
}

// perform checks the parameters and runs the route's handler.
func (c *call) perform() answer {
	if err := checkParams(c.params, c.route.params); err != nil {
		return c.failure(err)
	}
	paths, err := c.expansions()
	if err != nil {
		return c.failure(err)
	}
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.begin()
	defer s.journal.commit()
	a := c.handle(paths)
	c.note(a)
	return a
}

// handle runs the route's handler. The caller holds Server.mu.
func (c *call) handle(paths [][]string) answer {
	result, err := c.route.handle(c)
	if err != nil {
		return c.failure(err)
	}
	for _, path := range paths {
		result = c.srv.expand(result, path)
	}
	return answer{status: http.StatusOK, body: encode(c.view(result))}
}

// failure is the answer for err.
func (c *call) failure(err error) answer {
	e := *asAPIError(err)
	if c.woosh {
		return answer{status: e.status, body: encode(map[string]any{"error": e.woosh()}), unstored: e.invalid}
	}
	e.SetupIntent = c.view(e.SetupIntent)
	if c.public {
		e = *e.public()
	}
	e.RequestLogURL = "https://dashboard.stripe.com/test/logs/" + c.id
	return answer{status: e.status, body: encode(map[string]any{"error": &e}), unstored: e.invalid}
}

// view is obj as the caller may see it.
func (c *call) view(obj any) any {
	switch obj := obj.(type) {
	case *setupIntent:
		switch {
		case c.woosh && c.public:
			return c.srv.wooshPublic(obj)
		case c.woosh:
			return c.srv.woosh(obj)
		case c.public:
			return obj.public()
		}
	case *paymentMethod:
		if c.public {
			return obj.public()
		}
	}
	return obj
}

// encode renders v as Stripe does, which does not escape HTML.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // a type of ours that does not encode
		return []byte(`{"error":{"message":"` + unknownErr + `","type":"` + typeAPI + `"}}` + "\n")
	}
	return buf.Bytes()
}

// send writes the answer.
func (c *call) send(w http.ResponseWriter, a answer) {
	if a.hang {
		select {
		case <-c.r.Context().Done():
		case <-c.srv.done:
		}
	}
	if a.hang || a.cut {
		panic(http.ErrAbortHandler) // net/http's way to close a connection unanswered
	}
	h := w.Header()
	if c.r.Header.Get("Origin") != "" {
		allowOrigin(h)
	}
	h.Set("Cache-Control", "no-cache, no-store")
	if c.woosh {
		if a.status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Basic realm="WooshPay"`)
		}
		c.write(w, a)
		return
	}
	h.Set("Request-Id", c.id)
	h.Set("Stripe-Version", c.version)
	if c.key != "" && c.r.Method == http.MethodPost {
		h.Set(headerKey, c.key)
	}
	if a.original != "" {
		h.Set(headerReplayed, "true")
		h.Set(headerOriginal, a.original)
		if replayKeepsRequestID {
			h.Set("Request-Id", a.original)
		}
	}
	if account := c.r.Header.Get("Stripe-Account"); account != "" {
		h.Set("Stripe-Account", account)
	}
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="Stripe"`) // [2nd]
	}
	c.write(w, a)
}

func (*call) write(w http.ResponseWriter, a answer) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if a.html {
		h.Set("Content-Type", "text/html; charset=UTF-8")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
