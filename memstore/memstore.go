// Package memstore keeps rows in memory: for tests, for demos, and as the
// shortest example of a [setupintent.PendingStore]. What it holds is gone when
// the process ends.
package memstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

var (
	_ setupintent.PendingStore = (*Store)(nil)
	_ setupintent.DueStore     = (*Store)(nil)
)

// Store is a PendingStore in memory. It is safe for concurrent use. The zero
// Store is empty and ready.
type Store struct {
	mu   sync.Mutex
	rows map[string]setupintent.Row
}

// New returns an empty Store.
func New() *Store { return new(Store) }

// Insert adds a pending row with the given id and deadline; a zero deadline
// means that the row never expires untouched. It returns an error if the id is
// empty or taken.
func (s *Store) Insert(id string, deadline time.Time) error {
	if id == "" {
		return errors.New("memstore: a row needs an id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.rows[id]; taken {
		return fmt.Errorf("memstore: there is a row %q already", id)
	}
	s.put(setupintent.Row{ID: id, Status: setupintent.Pending, Version: 1, Due: deadline})
	return nil
}

// Load implements [setupintent.PendingStore].
func (s *Store) Load(ctx context.Context, id string) (setupintent.Row, error) {
	if err := ctx.Err(); err != nil {
		return setupintent.Row{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[id]
	if !ok {
		return setupintent.Row{}, fmt.Errorf("memstore: row %q: %w", id, setupintent.ErrNotFound)
	}
	return r, nil
}

// Swap implements [setupintent.PendingStore].
func (s *Store) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[prev.ID]
	if !ok || r.Status != prev.Status || r.Version != prev.Version {
		return false, nil
	}
	if next.Status != prev.Status && prev.Status != setupintent.Pending {
		return false, nil
	}
	r.Status, r.Due, r.Progress = next.Status, next.Due, next.Progress
	r.Version++
	s.put(r)
	return true, nil
}

// Due returns at most limit rows, whatever their status, with Due set and not
// after now, that follow after in the order of (Due, ID). The zero after starts
// at the beginning.
func (s *Store) Due(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []setupintent.Row
	for _, r := range s.rows {
		if !r.Due.IsZero() && !r.Due.After(now) && compare(r, after) > 0 {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, compare)
	return due[:min(limit, len(due))], nil
}

// SetStatus writes a status as the application would, past the service: any
// word, from any status. It returns an error that wraps ErrNotFound if there is
// no such row.
func (s *Store) SetStatus(id string, status setupintent.Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[id]
	if !ok {
		return fmt.Errorf("memstore: row %q: %w", id, setupintent.ErrNotFound)
	}
	r.Status = status
	r.Version++
	s.put(r)
	return nil
}

// Delete removes the row, if there is one.
func (s *Store) Delete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, id)
}

func (s *Store) put(r setupintent.Row) {
	if s.rows == nil {
		s.rows = map[string]setupintent.Row{}
	}
	r.Due = r.Due.UTC().Round(0).Truncate(time.Microsecond)
	s.rows[r.ID] = r
}

func compare(a, b setupintent.Row) int {
	return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
}
