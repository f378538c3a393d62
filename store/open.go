package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Open returns the pending row of a subject, which is the application's own id
// of a user or an account; if the subject has none, it inserts one, with the
// customer of the subject's newest row. However many call it at once, the row
// is one. A row whose deadline is over, and that has no intent to be canceled, is
// ended first.
//
// It runs on q, so that a signup can insert its user and open the row in one
// transaction. The service must not be called before that has committed. A row
// that Open returns may be in the middle of a close; the service then says
// setupintent.ErrClosing, and soon another Open inserts another row.
//
// What the database undoes because of others, a deadlock or a serialization
// failure, Open does again if q is a *sql.DB. In a transaction it is an error,
// after which the transaction is to be run again.
//
// A subject has 1 to 255 characters of UTF-8, without NUL, and no space at its
// end. Open works on cardonfile_rows only.
func (s *Store) Open(ctx context.Context, q Querier, subject string) (setupintent.Row, error) {
	if err := s.ownOnly("Open"); err != nil {
		return setupintent.Row{}, err
	}
	if err := checkName("the subject", subject); err != nil {
		return setupintent.Row{}, err
	}
	if _, pool := q.(*sql.DB); !pool {
		return s.open(ctx, q, subject)
	}
	var r setupintent.Row
	_, err := s.again(func() (_ bool, err error) {
		r, err = s.open(ctx, q, subject)
		return true, err
	})
	return r, err
}

func (s *Store) open(ctx context.Context, q Querier, subject string) (setupintent.Row, error) {
	for range 10 {
		r, err := s.scan(q.QueryRowContext(ctx, s.sql.current, subject))
		switch {
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return setupintent.Row{}, err
		case r.Status == setupintent.Pending && !s.overdue(r):
			return r, nil
		}
		if err := s.succeed(ctx, q, subject, r); err != nil {
			return setupintent.Row{}, err
		}
		r, err = s.scan(q.QueryRowContext(ctx, s.sql.pending, subject)) // this one, or another's
		if !errors.Is(err, sql.ErrNoRows) {
			return r, err
		}
	}
	return setupintent.Row{}, errors.New("store: Open could not insert a row: in a transaction that does not see what others have committed, run the transaction again; else, is every id that NewID returns a new one?")
}

// overdue reports whether r has no intent that could be live, and never will.
func (s *Store) overdue(r setupintent.Row) bool {
	return r.Progress.Phase() == setupintent.None && !r.Due.IsZero() && !r.Due.After(s.opts.Now())
}

// succeed inserts the row that comes after r, the subject's newest, or the zero
// Row if it has none; if r is pending, it is ended first. It does nothing if
// others have been there since r was read: of what they have written, a customer
// among it, r knows nothing.
func (s *Store) succeed(ctx context.Context, q Querier, subject string, r setupintent.Row) error {
	if r.Status == setupintent.Pending {
		result, err := q.ExecContext(ctx, s.sql.end, r.ID, r.Version)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
	}
	id := s.opts.NewID()
	if err := checkName("the id that NewID returned", id); err != nil {
		return err
	}
	now := s.opts.Now()
	var due time.Time
	if s.opts.TTL > 0 {
		due = now.Add(s.opts.TTL)
	}
	progress, err := r.Progress.Successor(due).Value()
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, s.sql.insert, id, subject, r.ID, s.dialect.time(due), progress, s.dialect.time(now))
	return err
}

// Latest returns the newest row of a subject, whatever its status, or an error
// that wraps setupintent.ErrNotFound if it has none. It works on cardonfile_rows
// only.
func (s *Store) Latest(ctx context.Context, q Querier, subject string) (setupintent.Row, error) {
	if err := s.ownOnly("Latest"); err != nil {
		return setupintent.Row{}, err
	}
	if err := checkName("the subject", subject); err != nil {
		return setupintent.Row{}, fmt.Errorf("%w: %w", setupintent.ErrNotFound, err)
	}
	r, err := s.scan(q.QueryRowContext(ctx, s.sql.latest, subject))
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("store: subject %q: %w", subject, setupintent.ErrNotFound)
	}
	return r, err
}

// Subject returns whose the row is, or an error that wraps
// setupintent.ErrNotFound. OnActive calls it with its transaction. It works on
// cardonfile_rows only.
func (s *Store) Subject(ctx context.Context, q Querier, id string) (string, error) {
	if err := s.ownOnly("Subject"); err != nil {
		return "", err
	}
	if checkName("the id", id) != nil {
		return "", s.notFound(id)
	}
	var subject string
	err := q.QueryRowContext(ctx, s.sql.subject, id).Scan(&subject)
	if errors.Is(err, sql.ErrNoRows) {
		return "", s.notFound(id)
	}
	return subject, err
}

func (s *Store) ownOnly(method string) error {
	if s.own {
		return nil
	}
	return fmt.Errorf("store: %s works on cardonfile_rows only, and the rows are in %s: %w", method, s.table.Name, errors.ErrUnsupported)
}

// checkName refuses what one of the databases would change, cut off, or take
// for another: MySQL compares without regard to spaces at the end.
func checkName(what, s string) error {
	if !isText(s) || utf8.RuneCountInString(s) > 255 || strings.HasSuffix(s, " ") {
		return fmt.Errorf("store: %s must have 1 to 255 characters of UTF-8, without NUL and without a space at the end", what)
	}
	return nil
}

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}
