package setupintenttest

import (
	"context"
	"sync"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Hooks make the calls of a port fail, and count them. A nil function does
// nothing. The method is the name of the port's method, the id that of the row
// or the intent; for CreateIntent it is the idempotency key, for ListIntents the
// id after which the page begins. The functions run in the caller's goroutine:
// one that never returns is a process that died right there. They are set before
// the first call.
type Hooks struct {
	// Before runs before the call; its error is the answer, and the call is not
	// made.
	Before func(method, id string) error

	// After runs after the call; its error is the answer instead of the call's
	// own: what the call did is done, and nobody was told.
	After func(method, id string) error

	mu    sync.Mutex
	calls map[string]int
}

// Calls returns how often the method was called. It is safe for concurrent use.
func (h *Hooks) Calls(method string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[method]
}

func around[T any](h *Hooks, method, id string, call func() (T, error)) (T, error) {
	h.mu.Lock()
	if h.calls == nil {
		h.calls = map[string]int{}
	}
	h.calls[method]++
	h.mu.Unlock()

	var zero T
	if h.Before != nil {
		if err := h.Before(method, id); err != nil {
			return zero, err
		}
	}
	v, err := call()
	if h.After != nil {
		if err := h.After(method, id); err != nil {
			return zero, err
		}
	}
	return v, err
}

var (
	_ setupintent.PendingStore = (*FaultyStore)(nil)
	_ setupintent.Provider     = (*FaultyProvider)(nil)
)

// FaultyStore is a PendingStore that fails when its Hooks say so.
type FaultyStore struct {
	Hooks
	Store setupintent.PendingStore
}

// Load implements [setupintent.PendingStore].
func (s *FaultyStore) Load(ctx context.Context, id string) (setupintent.Row, error) {
	return around(&s.Hooks, "Load", id, func() (setupintent.Row, error) { return s.Store.Load(ctx, id) })
}

// Swap implements [setupintent.PendingStore].
func (s *FaultyStore) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	return around(&s.Hooks, "Swap", prev.ID, func() (bool, error) { return s.Store.Swap(ctx, prev, next) })
}

// FaultyProvider is a Provider that fails when its Hooks say so.
type FaultyProvider struct {
	Hooks
	Provider setupintent.Provider
}

// CreateIntent implements [setupintent.Provider].
func (p *FaultyProvider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	return around(&p.Hooks, "CreateIntent", req.Key, func() (setupintent.Intent, error) { return p.Provider.CreateIntent(ctx, req) })
}

// GetIntent implements [setupintent.Provider].
func (p *FaultyProvider) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	return around(&p.Hooks, "GetIntent", id, func() (setupintent.Intent, error) { return p.Provider.GetIntent(ctx, id) })
}

// CancelIntent implements [setupintent.Provider].
func (p *FaultyProvider) CancelIntent(ctx context.Context, id, reason string) (setupintent.Intent, error) {
	return around(&p.Hooks, "CancelIntent", id, func() (setupintent.Intent, error) { return p.Provider.CancelIntent(ctx, id, reason) })
}

// ListIntents implements [setupintent.Provider].
func (p *FaultyProvider) ListIntents(ctx context.Context, from, to time.Time, after string) ([]setupintent.Intent, error) {
	return around(&p.Hooks, "ListIntents", after, func() ([]setupintent.Intent, error) { return p.Provider.ListIntents(ctx, from, to, after) })
}
