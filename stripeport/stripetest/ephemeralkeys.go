package stripetest

import (
	"net/http"
	"slices"
	"time"
)

const (
	ephemeralPrefix   = "ek_test_"
	ephemeralLifetime = time.Hour // [2nd]

	notForKey = "The provided ephemeral key does not have access to this object." // [U]
)

// ephemeralKey is Stripe's object: what an app acts for one customer with.
type ephemeralKey struct {
	ID         string            `json:"id"`
	Object     string            `json:"object"`
	Associated []associatedOwner `json:"associated_objects"`
	Created    int64             `json:"created"`
	Expires    int64             `json:"expires"`
	Livemode   bool              `json:"livemode"`
	Secret     string            `json:"secret,omitempty"` // at creation only

	hidden ephemeralHidden
}

type associatedOwner struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

type ephemeralHidden struct {
	Secret string `json:"secret"`
}

func (k *ephemeralKey) rowID() string     { return k.ID }
func (k *ephemeralKey) rowCreated() int64 { return k.Created }

func ephemeralKeyRoutes() []*route {
	return []*route{
		{"POST /v1/ephemeral_keys", secretOnly, "ephemeral_key", params{
			"customer": word(), "expand": listOf(word()), "issuing_card": word(), "nonce": word(), "verification_session": word(),
		}, createEphemeralKey},
		{"DELETE /v1/ephemeral_keys/:id", secretOnly, "ephemeral_key", params{"expand": listOf(word())}, deleteEphemeralKey},
	}
}

// createEphemeralKey wants the version in the header, since the object is
// rendered for the app's SDK and not for the caller's.
func createEphemeralKey(c *call) (any, error) {
	p, s := c.params, c.srv
	switch {
	case c.r.Header.Get("Stripe-Version") == "":
		return nil, invalidParam("", "", "When creating an ephemeral key, you must set the Stripe-Version header to the API version of the client that will use it.") // [U]
	case p.has("issuing_card"):
		return nil, missing(http.StatusBadRequest, "issuing card", "issuing_card", p.str("issuing_card"))
	case p.has("verification_session"):
		return nil, missing(http.StatusBadRequest, "verification session", "verification_session", p.str("verification_session"))
	case !p.has("customer"):
		return nil, missingParam("customer")
	}
	cus, err := c.customer(p.str("customer"), "customer", http.StatusBadRequest)
	if err != nil {
		return nil, err
	}
	now := s.clock.now()
	k := &ephemeralKey{
		ID: s.ids.object("ephkey"), Object: "ephemeral_key", Associated: []associatedOwner{{cus.ID, "customer"}},
		Created: now.Unix(), Expires: now.Add(ephemeralLifetime).Unix(), hidden: ephemeralHidden{s.ids.id(ephemeralPrefix, 58)},
	}
	s.save(k)
	shown := *k
	shown.Secret = k.hidden.Secret
	return &shown, nil
}

func deleteEphemeralKey(c *call) (any, error) {
	k, ok := c.srv.state.keys.get(c.path[0])
	if !ok {
		return nil, missing(http.StatusNotFound, "ephemeral key", "key", c.path[0]) // [U]
	}
	k.Expires = c.srv.clock.now().Unix()
	c.srv.save(k)
	return k, nil
}

// authenticateEphemeral lets the holder of a customer's key act for it.
func (c *call) authenticateEphemeral(secret string) error {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.Backward(s.state.keys.rows) {
		if k.hidden.Secret != secret {
			continue
		}
		if s.clock.now().Unix() >= k.Expires {
			return unauthorized("api_key_expired", "Expired API Key provided: "+mask(secret)) // [2nd]
		}
		if c.route.access != ephemeral {
			return forbidden("This API call cannot be made with an ephemeral key.") // [U]
		}
		c.actor = k.Associated[0].ID
		return nil
	}
	return unauthorized("", "Invalid API Key provided: "+mask(secret))
}

func forbidden(message string) error {
	e := unauthorized("", message)
	e.status = http.StatusForbidden
	return e
}

// mayTouch holds the customer that a call is about, if any, against the one
// that its ephemeral key is for.
func (c *call) mayTouch(customer string) error {
	if c.actor == "" || customer == "" || customer == c.actor {
		return nil
	}
	return forbidden(notForKey)
}
