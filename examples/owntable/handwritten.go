package owntable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cardonfile/cardonfile/examples/owntable/usersdb"
	"github.com/cardonfile/cardonfile/setupintent"
)

var (
	_ setupintent.PendingStore = Users{}
	_ setupintent.DueStore     = Users{}
)

// Users keeps rows in the users table of an application that has its queries
// made by sqlc, in package usersdb. Load and Swap are all that a store is; Due is
// for the sweeper.
type Users struct{ DB *sql.DB }

// Load implements [setupintent.PendingStore].
func (u Users) Load(ctx context.Context, id string) (setupintent.Row, error) {
	if !utf8.ValidString(id) || strings.Contains(id, "\x00") { // PostgreSQL has no such text
		return setupintent.Row{}, setupintent.ErrNotFound
	}
	user, err := usersdb.New(u.DB).LoadUser(ctx, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return setupintent.Row{}, fmt.Errorf("user %q: %w", id, setupintent.ErrNotFound)
	case err != nil:
		return setupintent.Row{}, err
	}
	return row(user)
}

// Swap implements [setupintent.PendingStore].
func (u Users) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	if next.Status != prev.Status && prev.Status != setupintent.Pending {
		return false, nil
	}
	progress, err := next.Progress.MarshalText()
	if err != nil {
		return false, err
	}
	// A connection of its own, for a pool may run the statement again after it
	// has lost the answer; and then it would say that somebody else was first.
	conn, err := u.DB.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	n, err := usersdb.New(conn).SwapUser(ctx, usersdb.SwapUserParams{
		NextStatus:   string(next.Status),
		CardDue:      sql.NullInt64{Int64: next.Due.UnixMicro(), Valid: !next.Due.IsZero()},
		CardProgress: sql.NullString{String: string(progress), Valid: progress != nil},
		ID:           prev.ID,
		PrevStatus:   string(prev.Status),
		PrevVersion:  prev.Version,
	})
	return n == 1, err
}

func row(u usersdb.User) (setupintent.Row, error) {
	r := setupintent.Row{ID: u.ID, Status: setupintent.Status(u.Status), Version: u.CardVersion}
	if u.CardDue.Valid {
		r.Due = time.UnixMicro(u.CardDue.Int64).UTC()
	}
	if err := r.Progress.UnmarshalText([]byte(u.CardProgress.String)); err != nil {
		return setupintent.Row{}, fmt.Errorf("user %q, card_progress: %w", u.ID, err)
	}
	return r, nil
}

// Due implements [setupintent.DueStore]. It leaves out what can't be read, so
// that such a row is in nobody's way, and goes on until the page is full.
func (u Users) Due(ctx context.Context, now time.Time, after setupintent.Row, limit int) (due []setupintent.Row, err error) {
	for len(due) < limit {
		want := limit - len(due)
		page, err := usersdb.New(u.DB).DueUsers(ctx, usersdb.DueUsersParams{
			Now: now.UnixMicro(), AfterDue: after.Due.UnixMicro(), AfterID: after.ID, MaxRows: int32(want),
		})
		if err != nil {
			return nil, err
		}
		for _, user := range page {
			r, err := row(user)
			if err != nil {
				slog.ErrorContext(ctx, "a due row can't be read", "err", err)
				continue
			}
			due = append(due, r)
		}
		if len(page) < want {
			break
		}
		last := page[len(page)-1]
		after = setupintent.Row{ID: last.ID, Due: time.UnixMicro(last.CardDue.Int64)}
	}
	return due, nil
}
