package conformance_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// plan returns what the database would do for a statement.
func (r *rows) plan(t *testing.T, query string, args ...any) string {
	t.Helper()
	ctx := context.Background()
	explain := map[store.Dialect]string{store.PostgreSQL: "EXPLAIN ", store.MySQL: "EXPLAIN ", store.SQLite: "EXPLAIN QUERY PLAN "}[r.dialect]
	found, err := r.db.QueryContext(ctx, explain+query, args...)
	require.NoError(t, err)
	defer found.Close() //nolint:errcheck // found.Err tells
	columns, err := found.Columns()
	require.NoError(t, err)
	var lines []string
	for found.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		require.NoError(t, found.Scan(cells...))
		for i, cell := range cells {
			switch v := (*cell.(*any)).(type) {
			case []byte:
				lines = append(lines, columns[i]+": "+string(v))
			default:
				lines = append(lines, fmt.Sprintf("%s: %v", columns[i], v))
			}
		}
	}
	require.NoError(t, found.Err())
	return strings.Join(lines, "\n")
}

// The sweeper reads its rows by the index, in its order, on every page: a page
// costs what is on it, however large the table is.
func TestSweepersUseTheIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		dsn := e.DSN(t)
		r := l.open(t, dbtest.OpenDSN(t, e.Driver, dsn), e, store.Options{})
		now := time.Now()
		r.fill(t, 2000, setupintent.Pending, now)
		r.fill(t, 4000, setupintent.Active, time.Time{})
		if e.Dialect != store.SQLite {
			_, err := r.db.ExecContext(ctx, map[store.Dialect]string{store.PostgreSQL: r.sql(`ANALYZE {t}`), store.MySQL: r.sql(`ANALYZE TABLE {t}`)}[e.Dialect])
			require.NoError(t, err)
		}
		var sent []string
		s, err := store.New(e.OpenWrapped(t, dsn, &dbtest.Wrapped{Rewrite: func(query string) string {
			sent = append(sent, query)
			return query
		}}), e.Dialect, &store.Options{Table: l.table})
		require.NoError(t, err)
		page, err := s.Due(ctx, now, setupintent.Row{}, 3)
		require.NoError(t, err)
		require.Len(t, page, 3)
		last := page[2]
		_, err = s.Due(ctx, now, last, 3)
		require.NoError(t, err)
		_, err = s.Expire(ctx, now.Add(-24*time.Hour), 3)
		require.NoError(t, err)
		sent = slices.Compact(sent) // a driver may prepare what it then runs
		require.Len(t, sent, 3)

		at, pending := r.time(now), r.word(setupintent.Pending)
		args := [][]any{
			{at, 3},
			{at, r.time(last.Due), last.ID, 3},
			{r.word(setupintent.Abandoned), pending, at, pending, at, 3},
		}
		switch e.Dialect {
		case store.PostgreSQL:
			args[2] = []any{r.time(last.Due), pending, at, 3, r.word(setupintent.Abandoned), pending, at}
		case store.MySQL:
			args[1] = []any{at, r.time(last.Due), r.time(last.Due), last.ID, 3}
			args[2] = []any{r.word(setupintent.Abandoned), pending, at, 3}
		}
		index := "_due"
		for i, query := range sent {
			plan := r.plan(t, query, args[i]...)
			require.Contains(t, plan, index, "%s\n%s", query, plan)
			require.NotContains(t, plan, "Seq Scan", "%s\n%s", query, plan)
			require.NotContains(t, plan, "SCAN", "%s\n%s", query, plan)
			require.NotContains(t, plan, "Sort", "%s\n%s", query, plan)
			require.NotContains(t, plan, "filesort", "%s\n%s", query, plan)
			require.NotContains(t, plan, "TEMP B-TREE", "%s\n%s", query, plan)
		}
	})
}

// A subject's rows are read by an index, however many others there are.
func TestOpenUsesTheIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	onOwnTable(t, store.Options{}, func(t *testing.T, r *rows) {
		r.fill(t, 4000, setupintent.Active, time.Time{})
		for range 3 {
			row, err := r.store.Open(ctx, r.db, "a")
			require.NoError(t, err)
			require.NoError(t, r.setStatus(row.ID, setupintent.Active))
		}
		if r.dialect != store.SQLite {
			require.NoError(t, r.exec(map[store.Dialect]string{store.PostgreSQL: `ANALYZE {t}`, store.MySQL: `ANALYZE TABLE {t}`}[r.dialect]))
		}
		q := &reads{Querier: r.db}
		_, err := r.store.Latest(ctx, q, "a")
		require.NoError(t, err)
		_, err = r.store.Open(ctx, q, "a")
		require.NoError(t, err)
		require.Len(t, q.sent, 3)
		for _, query := range q.sent {
			plan := r.plan(t, query, "a")
			require.Regexp(t, "_previous|_pending", plan, "%s\n%s", query, plan)
			require.NotContains(t, plan, "Seq Scan", "%s\n%s", query, plan)
			require.NotContains(t, plan, "SCAN", "%s\n%s", query, plan)
			require.NotContains(t, plan, "type: index", "%s\n%s", query, plan)
			require.NotContains(t, plan, "type: ALL", "%s\n%s", query, plan)
		}
	})
}

// reads keeps the queries that are sent.
type reads struct {
	store.Querier
	sent []string
}

func (r *reads) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.sent = append(r.sent, query)
	return r.Querier.QueryRowContext(ctx, query, args...)
}

// fill inserts n rows that are due, a second apart, up to the time.
func (r *rows) fill(t *testing.T, n int, status setupintent.Status, due time.Time) {
	t.Helper()
	columns, values := `{id}, {status}, {due}`, `(?, ?, ?)`
	if r.table == nil {
		columns, values = columns+`, subject`, `(?, ?, ?, ?)`
	}
	const batch = 200
	for ; n > 0; n -= batch {
		var args []any
		for i := range batch {
			id, at := randomID(), due
			if r.newID != nil {
				id = r.newID()
			}
			if !due.IsZero() {
				at = due.Add(-time.Duration(n+i) * time.Second)
			}
			args = append(args, id, r.word(status), r.time(at))
			if r.table == nil {
				args = append(args, id)
			}
		}
		require.NoError(t, r.exec(`INSERT INTO {t} (`+columns+`) VALUES `+strings.Repeat(values+", ", batch-1)+values, args...))
	}
}
