package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// status is what a person who watches may know of a row: everything but its
// secret.
type status struct {
	ID     string             `json:"id"`
	Status setupintent.Status `json:"status"`
	Phase  setupintent.Phase  `json:"phase"`
	Intent string             `json:"setupIntentId,omitempty"`
	Due    *time.Time         `json:"due,omitempty"` // when the sweeper looks at it
}

// status serves GET /demo/signups/{id}. A real signup has no such thing.
func (a *app) status(w http.ResponseWriter, r *http.Request) {
	row, err := a.rows.Load(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, setupintent.ErrNotFound):
		reply(w, http.StatusNotFound, detail{"pending_not_found"})
		return
	case err != nil:
		reply(w, http.StatusServiceUnavailable, detail{"unavailable"})
		return
	}
	s := status{ID: row.ID, Status: row.Status, Phase: row.Progress.Phase(), Intent: row.Progress.IntentID()}
	if !row.Due.IsZero() {
		s.Due = &row.Due
	}
	reply(w, http.StatusOK, s)
}
