package store

import (
	"context"
	"errors"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Due returns at most limit rows, whatever their status, with Due set and not
// after now, that follow after in the order of (Due, ID). The zero after starts
// at the beginning; of any other, ID and Due are looked at, and the row need
// not exist any more.
//
// A row that can't be read does not stop the others: Due leaves it out, and
// Options.Logger hears of it. Only where there is no other does Due return an
// error that names it. Fewer than limit rows mean that no more follow.
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
		after = page[len(page)-1].row
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
		page = append(page, rowOrErr{r, err})
	}
	return page, rows.Err()
}

// Expire ends, as abandoned, at most limit untouched rows whose deadline is not
// after now, the oldest first, in one statement. It returns how many; fewer than
// limit means that there were no more, or that others were at them. A row that
// has ever been claimed is not its business: that takes calls to the provider.
func (s *Store) Expire(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	pending, due := s.table.word(setupintent.Pending), s.dialect.time(now)
	args := []any{s.table.word(setupintent.Abandoned), pending, due}
	if s.dialect != MySQL {
		args = append(args, pending, due)
	}
	args = append(args, limit)
	var n int64
	_, err := s.again(func() (bool, error) {
		result, err := s.db.ExecContext(ctx, s.sql.expire, args...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return true, err
	})
	return int(n), err
}
