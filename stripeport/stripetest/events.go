package stripetest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"time"
)

// eventLifetime is how long events can be listed.
const eventLifetime = 30 * 24 * time.Hour

// event is Stripe's object, and which endpoints have not had it yet.
type event struct {
	ID              string    `json:"id"`
	Object          string    `json:"object"`
	APIVersion      string    `json:"api_version"`
	Created         int64     `json:"created"`
	Data            eventData `json:"data"`
	Livemode        bool      `json:"livemode"`
	PendingWebhooks int       `json:"pending_webhooks"`
	Request         cause     `json:"request"`
	Type            string    `json:"type"`

	hidden eventHidden
}

type eventData struct {
	Object             json.RawMessage `json:"object"` // as it was at the time, client secret and all
	PreviousAttributes map[string]any  `json:"previous_attributes,omitempty"`
}

// cause is the request that made something happen: both null if none did.
type cause struct {
	Request *string `json:"id"`
	Key     *string `json:"idempotency_key"`
}

type eventHidden struct {
	Waiting []string        `json:"waiting,omitempty"`  // the ids of endpoints
	Woosh   json.RawMessage `json:"wooshpay,omitempty"` // Data.Object as WooshPay shows it, if an endpoint wants that
}

func (e *event) rowID() string     { return e.ID }
func (e *event) rowCreated() int64 { return e.Created }

// served notes that an endpoint has had the event.
func (e *event) served(endpoint string) {
	e.hidden.Waiting = slices.DeleteFunc(slices.Clone(e.hidden.Waiting), func(id string) bool { return id == endpoint })
	e.PendingWebhooks = len(e.hidden.Waiting)
}

func (c *call) cause() cause {
	why := cause{Request: &c.id}
	if c.key != "" {
		why.Key = &c.key
	}
	return why
}

// emit makes an event of obj as it is now, and sends it on its way. The caller
// holds Server.mu.
func (s *Server) emit(name string, obj any, why cause) { s.emitChange(name, obj, nil, why) }

// emitChange is emit with the attributes that were different before.
func (s *Server) emitChange(name string, obj any, previous map[string]any, why cause) {
	if s.hooks.loses(name) {
		return
	}
	e := &event{
		ID: s.ids.object("evt"), Object: "event", APIVersion: s.opts.APIVersion, Created: s.clock.now().Unix(),
		Data: eventData{Object: bytes.TrimSuffix(encode(obj), []byte("\n")), PreviousAttributes: previous}, Request: why, Type: name,
	}
	for _, we := range s.state.endpoints.rows {
		if we.wants(name) {
			e.hidden.Waiting = append(e.hidden.Waiting, we.ID)
		}
		if si, ok := obj.(*setupIntent); ok && we.hidden.Woosh && we.wants(name) {
			e.hidden.Woosh = bytes.TrimSuffix(encode(s.woosh(si)), []byte("\n"))
		}
	}
	e.PendingWebhooks = len(e.hidden.Waiting)
	s.save(e)
	for _, endpoint := range e.hidden.Waiting {
		s.hooks.dispatch(delivery{event: e.ID, endpoint: endpoint, attempt: 1})
	}
}

// changes returns the attributes of before that are different in after, at the
// top level, as they were.
func changes(before, after any) map[string]any {
	old, now := attributes(before), attributes(after)
	for name, was := range old {
		if reflect.DeepEqual(was, now[name]) {
			delete(old, name)
		}
	}
	return old
}

func attributes(obj any) map[string]any {
	var m map[string]any
	if json.Unmarshal(encode(obj), &m) != nil {
		return nil
	}
	return m
}

func eventRoutes() []*route {
	return []*route{
		{"GET /v1/events", secretOnly, "list event", pageParams().with(createdParam()).with(params{
			"delivery_success": boolean(), "type": word(), "types": listOf(word()),
		}), listEvents},
		{"GET /v1/events/:id", secretOnly, "event", params{"expand": listOf(word())}, retrieveEvent},
	}
}

func listEvents(c *call) (any, error) {
	p := c.params
	types := p.strs("types")
	switch {
	case p.has("type") && p.has("types"):
		return nil, invalidParam("parameters_exclusive", "", onlyOne, "type, types")
	case len(types) > 20:
		return nil, invalidParam("", "types", "You may only specify up to 20 types.") // [U]
	case p.has("type"):
		types = []string{p.str("type")}
	}
	oldest := c.srv.clock.now().Add(-eventLifetime).Unix()
	return page(c, &c.srv.state.events, "event", func(e *event) bool {
		return e.Created >= oldest && (types == nil || slices.ContainsFunc(types, func(t string) bool { return eventMatches(t, e.Type) })) &&
			(!p.has("delivery_success") || p.yes("delivery_success") == (len(e.hidden.Waiting) == 0))
	})
}

func retrieveEvent(c *call) (any, error) {
	e, ok := c.srv.state.events.get(c.path[0])
	if !ok {
		return nil, missing(http.StatusNotFound, "event", "id", c.path[0])
	}
	return e, nil
}
