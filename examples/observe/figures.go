package observe

import (
	"context"
	"fmt"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Figures are the rows that have been at something for too long.
type Figures struct {
	Claimed   int           // an intent being created for over a minute
	Spent     int           // a create that only the provider's list can tell of, for over 15 minutes
	Closing   int           // being closed, an hour after the deadline
	OldestDue time.Duration // by how much the row that is due the longest is overdue
}

const (
	claimedFor = time.Minute
	spentFor   = 15 * time.Minute
	closingFor = time.Hour
)

// A row that is stuck is due within the hour; those that are due first come
// first. Of an enormous table it is enough to see the worst.
const (
	horizon = time.Hour
	page    = 500
	pages   = 10

	lookTimeout = 5 * time.Second
)

// Look reads the figures from the rows. It writes nothing, and calls nobody but
// the store.
func Look(ctx context.Context, rows setupintent.DueStore, now time.Time) (f Figures, err error) {
	var after setupintent.Row
	for range pages {
		due, err := rows.Due(ctx, now.Add(horizon), after, page)
		if err != nil {
			return Figures{}, fmt.Errorf("due rows: %w", err)
		}
		for _, r := range due {
			f.add(r, now)
		}
		if len(due) < page {
			break
		}
		after = due[len(due)-1]
	}
	return f, nil
}

func (f *Figures) add(r setupintent.Row, now time.Time) {
	p := r.Progress
	f.OldestDue = max(f.OldestDue, now.Sub(r.Due))
	switch over := func(d time.Duration) bool { return now.Sub(p.Sent()) > d }; {
	case p.KeySpent():
		if over(spentFor) {
			f.Spent++
		}
	case p.Phase() == setupintent.Claimed:
		if over(claimedFor) {
			f.Claimed++
		}
	}
	if p.Phase() == setupintent.Closing && now.Sub(p.Deadline()) > closingFor {
		f.Closing++
	}
}

func (f *Figures) stuck() map[string]int {
	return map[string]int{"claimed": f.Claimed, "spent": f.Spent, "closing": f.Closing}
}
