package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Due returns at most limit rows, whatever their status, with Due set and not
// after now, that follow after in the order of (Due, ID). The zero after starts
// at the beginning; of any other, ID and Due are looked at, and the row need
// not exist any more.
//
// A row that can't be read does not stop the others: Due leaves it out, and
// Options.Logger hears of it. Only where there is no other, or where the row's Due
// does not tell what follows, does Due return an error that names it. Fewer than
// limit rows mean that no more follow.
func (s *Store) Due(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var rows []setupintent.Row
	var bad []error
	for len(rows) < limit {
		want := limit - len(rows)
		page, err := s.duePage(ctx, now, after, want)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			if p.err == nil {
				rows = append(rows, p.row)
				continue
			}
			bad = append(bad, p.err)
			if s.opts.Logger != nil {
				s.opts.Logger.ErrorContext(ctx, "store: a due row can't be read", "row", p.row.ID, "err", p.err)
			}
		}
		if len(page) < want || len(rows) == limit {
			break
		}
		last := page[len(page)-1]
		if last.row.Due.IsZero() { // with which the first page would come again
			return nil, last.err
		}
		after = last.row
	}
	if len(rows) == 0 {
		return nil, errors.Join(bad...)
	}
	return rows, nil
}

type rowOrErr struct {
	row setupintent.Row
	err error // a *badRowError
}

func (s *Store) duePage(ctx context.Context, now time.Time, after setupintent.Row, limit int) ([]rowOrErr, error) {
	query, args := s.sql.due, []any{s.dialect.time(now)}
	if !after.Due.IsZero() {
		id, ok := s.table.id(after.ID)
		if !ok {
			return nil, s.notFound(after.ID)
		}
		due := s.dialect.time(after.Due)
		query = s.sql.dueAfter
		if args = append(args, due, id); s.dialect == MySQL {
			args = []any{args[0], due, due, id}
		}
	}
	rows, err := s.db.QueryContext(ctx, query, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	var page []rowOrErr
	for rows.Next() {
		r, err := s.scan(rows)
		if bad := (*badRowError)(nil); err != nil && !errors.As(err, &bad) {
			return nil, err
		}
		if err == nil && r.Due.IsZero() {
			err = &badRowError{s.table.Name, r.ID, s.table.Due, errZeroDue}
		}
		page = append(page, rowOrErr{r, err})
	}
	return page, rows.Err()
}

// Expire ends, as abandoned, at most limit untouched rows whose deadline is not
// after now, the oldest first, a statement at a time. It returns how many, of
// those that it knows to be committed, even with an error; fewer than limit,
// without one, means that there were no more, or that others were at them. A row
// that has ever been claimed is not its business: that takes calls to the provider.
//
// Of calls with the same now, one may go on where the last one ended; then a row
// that has come to be due before that is ended after the others.
func (s *Store) Expire(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	from := s.expired.place(now)
	n, last, err := s.expire(ctx, from, now, limit)
	if err == nil && n < limit && !from.IsZero() { // what is before it?
		var more int
		more, last, err = s.expire(ctx, time.Time{}, now, limit-n)
		n += more
	}
	if err == nil && n == limit {
		s.expired.remember(now, last)
	}
	return n, err
}

// expire also returns the deadline of the last of the rows, if it can be known.
func (s *Store) expire(ctx context.Context, from, now time.Time, limit int) (n int, last time.Time, err error) {
	ended, pending, due := s.table.word(setupintent.Abandoned), s.table.word(setupintent.Pending), s.dialect.time(now)
	_, err = s.again(func() (bool, error) {
		var err error
		if s.dialect == PostgreSQL {
			n, last, err = s.expireCommitted(ctx, s.dialect.time(from), pending, due, limit, ended, pending, due)
			return true, err
		}
		args := []any{ended, pending, due, limit}
		if s.dialect == SQLite {
			args = []any{ended, pending, due, pending, due, limit}
		}
		n, err = s.expireAffected(ctx, args...)
		return true, err
	})
	return n, last, err
}

// expireCommitted runs the statement of PostgreSQL. Where a session's default is a
// stricter isolation, two sweepers would undo each other's statements without end;
// this one looks at each row again once it has locked it, and needs no snapshot.
func (s *Store) expireCommitted(ctx context.Context, args ...any) (int, time.Time, error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return 0, time.Time{}, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back; else the error that led here is the one to return
	var n int
	var last sql.NullTime
	if err := tx.QueryRowContext(ctx, s.sql.expire, args...).Scan(&n, &last); err != nil {
		return 0, time.Time{}, err
	}
	if err := tx.Commit(); err != nil { // of a deferred constraint, say: then no row was ended
		return 0, time.Time{}, err
	}
	return n, last.Time, nil
}

func (s *Store) expireAffected(ctx context.Context, args ...any) (int, error) {
	result, err := s.db.ExecContext(ctx, s.sql.expire, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// A bookmark is where the last Expire ended. In PostgreSQL the rows that were
// ended stay in the index until it is vacuumed: a statement that began before them
// would step over each of them again.
type bookmark struct {
	mu        sync.Mutex
	now, last time.Time
}

func (b *bookmark) place(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.now.Equal(now) {
		return time.Time{}
	}
	return b.last
}

func (b *bookmark) remember(now, last time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now, b.last = now, last
}
