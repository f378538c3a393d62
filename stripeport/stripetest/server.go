package stripetest

import (
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a fake Stripe. It is an [http.Handler] and needs no listener;
// [NewServer] gives it one. It is safe for concurrent use, and shares nothing
// with any other Server.
type Server struct {
	// URL is the base URL of the listener of NewServer, of the form
	// http://host:port with no trailing slash. With a listener of one's own it
	// may be set before the first call.
	URL string

	opts          Options
	clock         clock
	ids           source
	deck          deck
	configuration string // the id of the account's payment method configuration
	routes        map[string]*route
	mounts        []mount
	done          chan struct{} // closed by Close
	closing       sync.Once

	mu      sync.Mutex // guards the three that follow; no other lock is held when it is taken
	state   state
	keyring keyring
	journal *journal

	jobs   schedule
	hooks  courier
	faults faultScript
	log    callLog
}

// state is everything that the account holds.
type state struct {
	intents   table[*setupIntent]
	attempts  table[*setupAttempt]
	customers table[*customer]
	methods   table[*paymentMethod]
	mandates  table[*mandate]
	keys      table[*ephemeralKey]
	events    table[*event]
	endpoints table[*webhookEndpoint]
}

// route is one method and path template of the API.
type route struct {
	name   string // "POST /v1/setup_intents/:id"
	access access
	object string // what it answers with, for expand; "list " before it if there are many
	params params
	handle func(*call) (any, error) // runs with Server.mu held
}

// mount is a part of the URL space that is not Stripe's API.
type mount struct {
	prefix  string
	handler http.Handler
}

// New returns a Server without a listener. A nil opts is the zero Options. The
// error is for options that make no sense, or a state file that can't be read.
func New(opts *Options) (*Server, error) {
	resolved, err := opts.resolve()
	if err != nil {
		return nil, err
	}
	s := &Server{opts: resolved, clock: clock{base: resolved.Now}, deck: newDeck(), done: make(chan struct{})}
	var seed [32]byte
	if resolved.Seed != 0 {
		binary.LittleEndian.PutUint64(seed[:], resolved.Seed)
	} else if _, err := crand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("stripetest: %w", err)
	}
	s.ids.rng = rand.NewChaCha8(seed)
	s.configuration = s.ids.object("pmc")
	s.jobs.clock = &s.clock
	s.hooks.start(s)
	s.routes = make(map[string]*route)
	for _, routes := range [][]*route{
		setupIntentRoutes(), attemptRoutes(), mandateRoutes(), customerRoutes(), paymentMethodRoutes(),
		ephemeralKeyRoutes(), customerSessionRoutes(), eventRoutes(), webhookRoutes(), wooshRoutes(),
	} {
		for _, r := range routes {
			s.routes[r.name] = r
		}
	}
	s.mounts = []mount{
		{controlPrefix, s.controlHandler()},
		{challengePrefix, http.HandlerFunc(s.serveChallenge)},
	}
	if resolved.StateFile != "" {
		if err := s.open(resolved.StateFile); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standingWebhooks()
	return s, nil
}

// NewServer starts a Server on a free port of the loopback interface and
// closes it when the test ends.
func NewServer(t testing.TB, opts *Options) *Server {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(s)
	s.URL = listener.URL
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		listener.Close()
	})
	return s
}

// Close ends deliveries and timers, lets go of calls that hang, and closes the
// state file. It returns the first error that there was in writing the file.
// It does not stop a listener that somebody else started. A server that has
// none of all this need not be closed.
func (s *Server) Close() error {
	s.closing.Do(func() { close(s.done) })
	s.jobs.stop()
	s.hooks.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

// Now returns the time on the server's clock.
func (s *Server) Now() time.Time { return s.clock.now() }

// SetTime sets the server's clock to t, from where it goes on. What had been
// waiting for a time that has come happens before SetTime returns, but for the
// deliveries that it starts: see [Server.WaitWebhooks].
func (s *Server) SetTime(t time.Time) { s.moveClock(t.Sub(s.clock.now())) }

// Advance moves the server's clock by d, as SetTime does.
func (s *Server) Advance(d time.Duration) { s.moveClock(d) }

func (s *Server) moveClock(d time.Duration) {
	s.clock.advance(d)
	s.mu.Lock()
	s.journal.clock(s.clock.offset.Load())
	s.mu.Unlock()
	s.jobs.run()
}

// Reset forgets everything that happened to the server: objects, idempotency
// keys, calls, faults, latency, deliveries, and what was done to its clock. The
// endpoints of Options.Webhooks are there again after it.
func (s *Server) Reset() {
	s.jobs.reset()
	s.hooks.reset()
	s.faults.reset()
	s.log.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state{}
	s.keyring = keyring{}
	s.clock.offset.Store(0)
	s.journal.reset()
	s.standingWebhooks()
}

// ServeHTTP answers any request at all: under /v1 with the API, under
// /wooshpay/v1 with WooshPay's, under /_stripetest with the control API, at /v3/
// with a stand-in for Stripe.js, and with Stripe's error object otherwise.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if serveStripeJS(w, r) {
		return
	}
	for _, m := range s.mounts {
		if strings.HasPrefix(r.URL.Path, m.prefix) {
			m.handler.ServeHTTP(w, r)
			return
		}
	}
	if r.Method == http.MethodOptions {
		allowOrigin(w.Header())
		return
	}
	s.serveAPI(w, r)
}

// searchPath is Stripe's, and no customer's. Search is not here.
const searchPath = "/v1/customers/search"

// lookup finds the route of a path, and the ids in it.
func (s *Server) lookup(method string, u *url.URL) (*route, []string, bool) {
	path, ids, ok := template(u.EscapedPath())
	if !ok || u.Path == searchPath {
		return nil, nil, false
	}
	r := s.routes[method+" "+path]
	return r, ids, r != nil
}

// template makes /v1/setup_intents/:id of a path: in Stripe's, every second
// segment is an id.
func template(escapedPath string) (path string, ids []string, ok bool) {
	root := "/v1/"
	if isWoosh(escapedPath) {
		root = wooshPrefix + root
	}
	rest, ok := strings.CutPrefix(escapedPath, root)
	if !ok {
		return "", nil, false
	}
	segments := strings.Split(rest, "/")
	for i := 1; i < len(segments); i += 2 {
		id, err := url.PathUnescape(segments[i])
		if err != nil || id == "" {
			return "", nil, false
		}
		ids = append(ids, id)
		segments[i] = ":id"
	}
	return root + strings.Join(segments, "/"), ids, true
}

// routePattern makes a pattern of a method, a path, both or neither, and
// complains if no route matches it.
func (s *Server) routePattern(pattern string) (string, error) {
	parts := strings.Fields(pattern)
	for i, part := range parts {
		if path, _, ok := template(part); ok {
			parts[i] = path
		} else {
			parts[i] = strings.ToUpper(part)
		}
	}
	made := strings.Join(parts, " ")
	for name := range s.routes {
		if routeMatches(made, name) {
			return made, nil
		}
	}
	return "", fmt.Errorf("stripetest: no route %q", pattern)
}

// routeMatches reports whether each part of a pattern is the route's method or
// its path.
func routeMatches(pattern, name string) bool {
	method, path, _ := strings.Cut(name, " ")
	for _, part := range strings.Fields(pattern) {
		if part != method && part != path {
			return false
		}
	}
	return true
}

// allowOrigin lets the pages of other origins in, as api.stripe.com does.
func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", "*, Authorization")
	h.Set("Access-Control-Expose-Headers", "Request-Id, Idempotent-Replayed, Original-Request, Stripe-Version")
	h.Set("Access-Control-Max-Age", "300")
}

func baseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
