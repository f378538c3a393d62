package stripetest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// maxCalls is how many calls are kept one by one; they are all counted.
const maxCalls = 10_000

// Call is the record of one request to the API. It holds no parameters and
// no body, so that no secret can be in it.
type Call struct {
	Time           time.Time `json:"time"`
	Method         string    `json:"method"`
	Path           string    `json:"path"` // the template: /v1/setup_intents/:id
	Status         int       `json:"status"`
	RequestID      string    `json:"request_id"`
	IdempotencyKey string    `json:"idempotency_key,omitempty"`
	Replayed       bool      `json:"replayed,omitempty"`
	Fault          FaultKind `json:"fault,omitempty"`
}

// callLog records calls.
type callLog struct {
	mu     sync.Mutex
	counts map[string]int
	calls  []Call
}

func (l *callLog) count(method, path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = make(map[string]int)
	}
	l.counts[method+" "+path]++
}

func (l *callLog) add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = keepLast(l.calls, c)
}

func (l *callLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.calls = nil, nil
}

// keepLast appends to a record of which only the last maxCalls are of interest.
func keepLast[T any](records []T, r T) []T {
	if len(records) == 2*maxCalls {
		records = append(records[:0], records[maxCalls:]...)
	}
	return append(records, r)
}

func latest[T any](records []T) []T { return slices.Clone(records[max(0, len(records)-maxCalls):]) }

// Calls returns the latest calls, the oldest of them first; at most 10,000.
func (s *Server) Calls() []Call {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return latest(s.log.calls)
}

// Counts returns how often each route was called, by method and path
// template: "POST /v1/setup_intents/:id/confirm". A call counts once it has
// taken its idempotency key and waits for its latency, or is answered.
func (s *Server) Counts() map[string]int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	counts := maps.Clone(s.log.counts)
	if counts == nil {
		counts = map[string]int{}
	}
	return counts
}

// Count returns how often one route was called.
func (s *Server) Count(route string) int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.counts[route]
}
