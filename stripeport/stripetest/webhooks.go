package stripetest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Webhook is an endpoint that events are sent to.
type Webhook struct {
	ID         string   `json:"id,omitempty"`             // set by AddWebhook
	URL        string   `json:"url"`                      // http or https
	Secret     string   `json:"secret,omitempty"`         // whsec_…; empty: one is drawn
	Events     []string `json:"enabled_events,omitempty"` // types, "*" or "setup_intent.*"; nil: all
	APIVersion string   `json:"api_version,omitempty"`    // of the events sent to it; empty: the account's
	WooshPay   bool     `json:"wooshpay,omitempty"`       // it is sent what WooshPay sends, signed as WooshPay does
}

func (w Webhook) validate() error {
	if !validEndpoint(w.URL) {
		return fmt.Errorf("stripetest: webhook URL %q is not absolute", w.URL)
	}
	if w.APIVersion != "" && !validVersion(w.APIVersion) {
		return fmt.Errorf("stripetest: webhook APIVersion %q is not a Stripe API version", w.APIVersion)
	}
	return checkEventTypes(w.Events)
}

// checkEventTypes holds names against what the types of Stripe's events look like.
func checkEventTypes(names []string) error {
	for _, name := range names {
		if !validEventType(name) {
			return fmt.Errorf("stripetest: %q is not a type of event", name)
		}
	}
	return nil
}

func validEventType(name string) bool { return name == "*" || strings.Contains(name, ".") }

func validEndpoint(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// AddWebhook registers an endpoint, as POST /v1/webhook_endpoints does, and
// returns it with its id and secret.
func (s *Server) AddWebhook(w Webhook) (Webhook, error) {
	if err := w.validate(); err != nil {
		return Webhook{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addWebhook(w), nil
}

func (s *Server) addWebhook(w Webhook) Webhook {
	we := &webhookEndpoint{
		ID: s.ids.object("we"), Object: "webhook_endpoint", Created: s.clock.now().Unix(), EnabledEvents: w.Events,
		Metadata: map[string]string{}, Status: "enabled", URL: w.URL, hidden: endpointHidden{Secret: w.Secret, Woosh: w.WooshPay},
	}
	if w.APIVersion != "" {
		we.APIVersion = &w.APIVersion
	}
	if we.EnabledEvents == nil {
		we.EnabledEvents = []string{"*"}
	}
	if we.hidden.Secret == "" {
		we.hidden.Secret = s.ids.id("whsec_", 32)
	}
	s.save(we)
	w.ID, w.Secret, w.Events = we.ID, we.hidden.Secret, we.EnabledEvents
	return w
}

// standingWebhooks registers the endpoints of the options that are not there,
// from the state file. The caller holds Server.mu.
func (s *Server) standingWebhooks() {
	for _, w := range s.opts.Webhooks {
		if !slices.ContainsFunc(s.state.endpoints.rows, func(we *webhookEndpoint) bool { return we.URL == w.URL && !we.hidden.Deleted }) {
			s.addWebhook(w)
		}
	}
}

// webhookEndpoint is Stripe's object.
type webhookEndpoint struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	APIVersion    *string           `json:"api_version"`
	Application   ref               `json:"application"`
	Created       int64             `json:"created"`
	Description   *string           `json:"description"`
	EnabledEvents []string          `json:"enabled_events"`
	Livemode      bool              `json:"livemode"`
	Metadata      map[string]string `json:"metadata"`
	Secret        string            `json:"secret,omitempty"` // at creation only
	Status        string            `json:"status"`
	URL           string            `json:"url"`

	hidden endpointHidden
}

type endpointHidden struct {
	Secret  string `json:"secret"`
	Woosh   bool   `json:"wooshpay,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
}

func (we *webhookEndpoint) rowID() string     { return we.ID }
func (we *webhookEndpoint) rowCreated() int64 { return we.Created }

func (we *webhookEndpoint) live() bool { return we.Status == "enabled" && !we.hidden.Deleted }

func (we *webhookEndpoint) wants(event string) bool {
	return we.live() && (!we.hidden.Woosh || wooshKnows(event)) && slices.ContainsFunc(we.EnabledEvents, func(pattern string) bool { return eventMatches(pattern, event) })
}

// eventMatches holds a type against a pattern: "*", "setup_intent.*" or itself.
func eventMatches(pattern, event string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	return pattern == event || wild && strings.HasPrefix(event, prefix)
}

func webhookRoutes() []*route {
	expand := params{"expand": listOf(word())}
	fields := expand.with(params{
		"description":    text(5000),
		"enabled_events": listOf(word()),
		"metadata":       metadata(),
		"url":            word(),
	})
	return []*route{
		{"POST /v1/webhook_endpoints", secretOnly, "webhook_endpoint", fields.with(params{
			"api_version": word(), "connect": boolean(), "enabled_events": listOf(word()).must(), "url": word().must(),
		}), createWebhook},
		{"GET /v1/webhook_endpoints", secretOnly, "list webhook_endpoint", pageParams(), listWebhooks},
		{"GET /v1/webhook_endpoints/:id", secretOnly, "webhook_endpoint", expand, retrieveWebhook},
		{"POST /v1/webhook_endpoints/:id", secretOnly, "webhook_endpoint", fields.with(params{"disabled": boolean()}), updateWebhook},
		{"DELETE /v1/webhook_endpoints/:id", secretOnly, "webhook_endpoint", expand, deleteWebhook},
	}
}

// checkWebhook validates what the schema cannot. Texts are [U] but for the URL's.
func (c *call) checkWebhook() error {
	p := c.params
	if p.has("url") && !validEndpoint(p.str("url")) {
		return invalidParam("url_invalid", "url", "Invalid URL: An explicit scheme (such as https) must be provided.") // [2nd]
	}
	if version := p.str("api_version"); version != "" && !validVersion(version) {
		return invalidParam("", "api_version", "Invalid Stripe API version: %s", elide(version))
	}
	events := p.strs("enabled_events")
	if p.has("enabled_events") && len(events) == 0 {
		return emptyParam("enabled_events")
	}
	for i, event := range events {
		if !validEventType(event) {
			return invalidParam("", "enabled_events["+strconv.Itoa(i)+"]", "Invalid enabled_events[%d]: %s is not a type of event.", i, elide(event))
		}
	}
	return nil
}

func createWebhook(c *call) (any, error) {
	if err := c.checkWebhook(); err != nil {
		return nil, err
	}
	p := c.params
	meta, err := mergeMetadata(nil, p.at("metadata"))
	if err != nil {
		return nil, err
	}
	s := c.srv
	w := s.addWebhook(Webhook{URL: p.str("url"), Events: p.strs("enabled_events"), APIVersion: p.str("api_version")})
	we, _ := s.state.endpoints.get(w.ID)
	we.Description, we.Metadata = p.optional("description"), meta
	s.save(we)
	shown := *we
	shown.Secret = w.Secret
	return &shown, nil
}

func (c *call) webhook() (*webhookEndpoint, error) {
	we, ok := c.srv.state.endpoints.get(c.path[0])
	if !ok || we.hidden.Deleted {
		return nil, missing(http.StatusNotFound, "webhook endpoint", "id", c.path[0])
	}
	return we, nil
}

func retrieveWebhook(c *call) (any, error) { return c.webhook() }

func listWebhooks(c *call) (any, error) {
	return page(c, &c.srv.state.endpoints, "webhook endpoint", func(we *webhookEndpoint) bool { return !we.hidden.Deleted })
}

func updateWebhook(c *call) (any, error) {
	we, err := c.webhook()
	if err != nil {
		return nil, err
	}
	if err := c.checkWebhook(); err != nil {
		return nil, err
	}
	p := c.params
	meta, err := mergeMetadata(we.Metadata, p.at("metadata"))
	if err != nil {
		return nil, err
	}
	we.Metadata = meta
	p.setText(&we.Description, "description")
	if p.has("url") {
		we.URL = p.str("url")
	}
	if p.has("enabled_events") {
		we.EnabledEvents = p.strs("enabled_events")
	}
	if p.has("disabled") {
		we.Status = "enabled"
		if p.yes("disabled") {
			we.Status = "disabled"
		}
	}
	c.srv.save(we)
	return we, nil
}

func deleteWebhook(c *call) (any, error) {
	we, err := c.webhook()
	if err != nil {
		return nil, err
	}
	we.hidden.Deleted = true
	c.srv.save(we)
	return &deleted{we.ID, we.Object, true}, nil
}
