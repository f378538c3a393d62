package stripetest

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"time"
)

// Facts about idempotency keys.
const (
	codeKeyInUse = "idempotency_key_in_use"
	maxKeyLength = 255
	keyLifetime  = 24 * time.Hour // "at least 24 hours"
)

const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotent-Replayed"
	headerOriginal = "Original-Request" // names the first request on a replay [2nd]

	replayKeepsRequestID = false // whether a replay has the first Request-Id too [U]
)

// stored is what is known under one idempotency key: a call in flight, or
// the answer that every later call is given.
type stored struct {
	path        string
	fingerprint [sha256.Size]byte
	at          time.Time
	request     string
	done        bool
	noted       bool // in the state file
	answer      answer
}

// ringKey is an idempotency key and who used it: what a secret key was answered
// is not for a page that comes by the same idempotency key. [U]
type ringKey struct {
	class string // empty for the secret key, publicClass, or an ephemeral key's customer
	key   string
}

const publicClass = "publishable"

func (c *call) ringKey() ringKey {
	if c.public {
		return ringKey{publicClass, c.key}
	}
	return ringKey{c.actor, c.key}
}

// keyring holds the idempotency keys of a server.
type keyring struct {
	keys  map[ringKey]*stored
	queue []ringKey // of those that are done, the oldest first
}

// put adds an entry; only one that is done is queued to expire.
func (k *keyring) put(key ringKey, e *stored) {
	if k.keys == nil {
		k.keys = make(map[ringKey]*stored)
	}
	k.keys[key] = e
	if e.done {
		k.queue = append(k.queue, key)
	}
}

// expire forgets keys that are a day old.
func (k *keyring) expire(now time.Time) {
	for len(k.queue) > 0 {
		if oldest := k.keys[k.queue[0]]; oldest != nil && now.Sub(oldest.at) < keyLifetime {
			return
		}
		delete(k.keys, k.queue[0])
		k.queue = k.queue[1:]
	}
}

// once runs run at most once for the call's idempotency key, and answers what
// run answered the first time. An answer that says that it is not for keeping
// leaves the key as though it had never been used.
func (c *call) once(run func() answer) answer {
	key := c.ringKey()
	if key.key == "" || c.r.Method != http.MethodPost || c.woosh && !c.srv.opts.WooshPayIdempotencyKeys {
		return run()
	}
	if len(key.key) > maxKeyLength {
		return c.failure(invalidParam("", "", "Idempotency keys can be at most %d characters long; yours is %d.", maxKeyLength, len(key.key))) // [U]
	}
	s, now := c.srv, c.srv.clock.now()
	entry := &stored{path: c.r.URL.Path, fingerprint: c.params.fingerprint(), at: now, request: c.id}
	s.mu.Lock()
	s.keyring.expire(now)
	if first := s.keyring.keys[key]; first != nil {
		defer s.mu.Unlock()
		return c.again(first, entry)
	}
	s.keyring.put(key, entry)
	s.mu.Unlock()

	finished := false
	defer func() { // also when run panics
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.keyring.keys[key] != entry {
			return // reset meanwhile
		}
		if !finished || entry.answer.unstored {
			delete(s.keyring.keys, key)
			return
		}
		entry.done = true
		s.keyring.put(key, entry)
		if !entry.noted {
			s.journal.key(key, entry)
		}
	}()
	c.entry = entry
	a := run()
	entry.noted = entry.noted && a.same(entry.answer)
	entry.answer = a
	finished = true
	return a
}

// note writes the answer under the call's idempotency key, together with what the
// call did. A fault may yet put another in its place. The caller holds Server.mu.
func (c *call) note(a answer) {
	key := c.ringKey()
	if c.entry == nil || a.unstored || c.srv.keyring.keys[key] != c.entry {
		return
	}
	c.entry.answer, c.entry.noted = a, true
	c.srv.journal.key(key, c.entry)
}

func (a answer) same(b answer) bool {
	return a.status == b.status && a.html == b.html && bytes.Equal(a.body, b.body)
}

// again answers a call whose key was used before.
func (c *call) again(first, now *stored) answer {
	switch {
	case first.path != now.path:
		return c.failure(keyError(http.StatusBadRequest, "Keys for idempotent requests can only be used for the same endpoint they were first used for"+
			" ('"+first.path+"' vs '"+now.path+"'). Try using a key other than '"+c.key+"' if you meant to execute a different request."))
	case first.fingerprint != now.fingerprint:
		return c.failure(keyError(http.StatusBadRequest, "Keys for idempotent requests can only be used with the same parameters they were first used with."+
			" Try using a key other than '"+c.key+"' if you meant to execute a different request."))
	case !first.done:
		return c.failure(c.keyInUse())
	}
	replay := first.answer
	replay.original = first.request
	return replay
}

func keyError(status int, message string) *apiError {
	return &apiError{status: status, invalid: true, Type: typeIdempotency, Message: message}
}

func (c *call) keyInUse() *apiError {
	e := newError(http.StatusConflict, codeKeyInUse, "", "There is currently another in-progress request using this Idempotent Key"+
		" (that probably means you submitted twice, and the other request is still going through): "+c.key+". Please try again later.")
	e.invalid, e.Type = true, typeKeyInUse
	return e
}
