package conformance_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

func onOwnTable(t *testing.T, opts store.Options, f func(t *testing.T, r *rows)) {
	t.Helper()
	for _, e := range dbtest.All() {
		t.Run(strings.ReplaceAll(e.Name, "/", ""), func(t *testing.T) {
			t.Parallel()
			f(t, layouts[0].open(t, e.Open(t), e, opts))
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	now := time.Date(2026, 3, 29, 1, 30, 0, 123456789, time.UTC)
	onOwnTable(t, store.Options{TTL: time.Hour, Now: func() time.Time { return now }}, func(t *testing.T, r *rows) {
		s := r.store
		end := func(row setupintent.Row, status setupintent.Status, progress string) {
			won, err := s.Swap(ctx, row, setupintent.Row{Status: status, Progress: parse(t, progress)})
			require.NoError(t, err)
			require.True(t, won)
		}
		inTurn(t, "a new row, and then the same", func(t *testing.T) {
			row, err := s.Open(ctx, r.db, "new")
			require.NoError(t, err)
			require.Len(t, row.ID, 24)
			require.Equal(t, setupintent.Row{ID: row.ID, Status: setupintent.Pending, Version: 1, Due: now.Add(time.Hour).Truncate(time.Microsecond)}, row)
			again, err := s.Open(ctx, r.db, "new")
			require.NoError(t, err)
			require.Equal(t, row, again)
			loaded, err := s.Load(ctx, row.ID)
			require.NoError(t, err)
			require.Equal(t, row, loaded)
			subject, err := s.Subject(ctx, r.db, row.ID)
			require.NoError(t, err)
			require.Equal(t, "new", subject)
		})
		inTurn(t, "another after each end, with the customer", func(t *testing.T) {
			first, err := s.Open(ctx, r.db, "ends")
			require.NoError(t, err)
			end(first, setupintent.Active, attached)
			second, err := s.Open(ctx, r.db, "ends")
			require.NoError(t, err)
			require.NotEqual(t, first.ID, second.ID)
			require.Equal(t, "cus_1", second.Progress.CustomerID())
			require.Empty(t, second.Progress.IntentID())
			require.Equal(t, setupintent.None, second.Progress.Phase())
			end(second, setupintent.Abandoned, "")
			third, err := s.Open(ctx, r.db, "ends")
			require.NoError(t, err)
			require.Empty(t, third.Progress.CustomerID(), "only the newest row tells")
			latest, err := s.Latest(ctx, r.db, "ends")
			require.NoError(t, err)
			require.Equal(t, third, latest)
		})
		inTurn(t, "another after a deadline", func(t *testing.T) {
			first, err := s.Open(ctx, r.db, "late")
			require.NoError(t, err)
			require.NoError(t, r.exec(`UPDATE {t} SET {due} = ? WHERE {id} = ?`, r.time(now), first.ID))
			second, err := s.Open(ctx, r.db, "late")
			require.NoError(t, err)
			require.NotEqual(t, first.ID, second.ID)
			first, err = s.Load(ctx, first.ID)
			require.NoError(t, err)
			require.Equal(t, setupintent.Row{ID: first.ID, Status: setupintent.Abandoned, Version: 2}, first)
		})
		inTurn(t, "the same after a deadline, while its intent may be live", func(t *testing.T) {
			first, err := s.Open(ctx, r.db, "attached")
			require.NoError(t, err)
			next := first
			next.Due, next.Progress = now.Add(-time.Hour), parse(t, attached)
			won, err := s.Swap(ctx, first, next)
			require.NoError(t, err)
			require.True(t, won)
			second, err := s.Open(ctx, r.db, "attached")
			require.NoError(t, err)
			require.Equal(t, first.ID, second.ID)
		})
		inTurn(t, "in a transaction", func(t *testing.T) {
			tx, err := r.db.BeginTx(ctx, nil)
			require.NoError(t, err)
			row, err := s.Open(ctx, tx, "tx")
			require.NoError(t, err)
			again, err := s.Open(ctx, tx, "tx")
			require.NoError(t, err)
			require.Equal(t, row, again)
			require.NoError(t, tx.Rollback())
			_, err = s.Load(ctx, row.ID)
			require.ErrorIs(t, err, setupintent.ErrNotFound)
			_, err = s.Latest(ctx, r.db, "tx")
			require.ErrorIs(t, err, setupintent.ErrNotFound)

			conn, err := r.db.Conn(ctx)
			require.NoError(t, err)
			_, err = s.Open(ctx, conn, "tx")
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		})
		inTurn(t, "subjects that look alike", func(t *testing.T) {
			seen := map[string]string{}
			for _, subject := range []string{"a@example.com", "A@example.com", "ä", "a", "A", "à", "ß", "ss", " a", "a\t", "0", "00", strings.Repeat("é", 255)} {
				row, err := s.Open(ctx, r.db, subject)
				require.NoError(t, err)
				require.Empty(t, seen[row.ID], "%q has the row of %q", subject, seen[row.ID])
				seen[row.ID] = subject
			}
		})
		inTurn(t, "subjects that can't be kept", func(t *testing.T) {
			for _, subject := range []string{"", "a ", "\x00", "\xff", strings.Repeat("é", 256)} {
				_, err := s.Open(ctx, r.db, subject)
				require.ErrorContains(t, err, "the subject must have")
				_, err = s.Latest(ctx, r.db, subject)
				require.ErrorIs(t, err, setupintent.ErrNotFound)
				_, err = s.Subject(ctx, r.db, subject)
				require.ErrorIs(t, err, setupintent.ErrNotFound)
			}
		})
		inTurn(t, "two pending rows are refused", func(t *testing.T) {
			row, err := s.Open(ctx, r.db, "ends")
			require.NoError(t, err)
			require.Error(t, r.exec(`INSERT INTO {t} ({id}, subject, previous, status) VALUES ('x', 'ends', ?, 'pending')`, row.ID))
			require.Error(t, r.exec(`UPDATE {t} SET {status} = 'pending' WHERE subject = 'ends' AND {id} <> ?`, row.ID))
		})
		inTurn(t, "two rows after the same are refused", func(t *testing.T) {
			first, err := s.Latest(ctx, r.db, "ends")
			require.NoError(t, err)
			require.NoError(t, r.exec(`UPDATE {t} SET {status} = 'active' WHERE {id} = ?`, first.ID))
			const insert = `INSERT INTO {t} ({id}, subject, previous, status) VALUES (?, 'ends', ?, 'active')`
			require.NoError(t, r.exec(insert, "second", first.ID))
			require.Error(t, r.exec(insert, "another", first.ID))
			require.Error(t, r.exec(`INSERT INTO {t} ({id}, subject, status) VALUES ('another', 'ends', 'active')`), "after none, as the first")
		})
	})
}

// meanwhile lets others in before its first INSERT.
type meanwhile struct {
	store.Querier
	others func()
}

func (m *meanwhile) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if f := m.others; f != nil && strings.HasPrefix(query, "INSERT") {
		m.others = nil
		f()
	}
	return m.Querier.ExecContext(ctx, query, args...)
}

// Before Open inserts a row, others open the subject's next one, which gets the
// customer and ends: the row comes after it, with its customer. A transaction
// that can't see it inserts none.
func TestOpenAfterOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	none := sql.IsolationLevel(-1) // on the pool
	levels := map[store.Dialect][]sql.IsolationLevel{
		store.PostgreSQL: {none, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable},
		store.MySQL:      {none, sql.LevelReadCommitted, sql.LevelRepeatableRead}, // serializable keeps others out
		store.SQLite:     {none},                                                  // so does each transaction
	}
	onOwnTable(t, store.Options{}, func(t *testing.T, r *rows) {
		open := func(level sql.IsolationLevel, subject string, others func()) (setupintent.Row, error) {
			if level == none {
				return r.store.Open(ctx, &meanwhile{r.db, others}, subject)
			}
			tx, err := r.db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
			require.NoError(t, err)
			defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
			row, err := r.store.Open(ctx, &meanwhile{tx, others}, subject)
			if err != nil {
				return row, err
			}
			return row, tx.Commit()
		}
		end := func(row setupintent.Row, progress string) {
			won, err := r.store.Swap(ctx, row, setupintent.Row{Status: setupintent.Cancelled, Progress: parse(t, progress)})
			require.NoError(t, err)
			require.True(t, won)
		}
		for _, level := range levels[r.dialect] {
			for _, before := range []int{0, 1, 2} {
				inTurn(t, fmt.Sprintf("%v, %d rows before", level, before), func(t *testing.T) {
					subject := fmt.Sprint(level, before)
					for range before {
						row, err := r.store.Open(ctx, r.db, subject)
						require.NoError(t, err)
						end(row, "")
					}
					row, err := open(level, subject, func() {
						row, err := r.store.Open(ctx, r.db, subject)
						require.NoError(t, err)
						end(row, attached)
					})
					if level >= sql.LevelRepeatableRead {
						require.Regexp(t, "run the transaction again|40001", err)
						row, err = open(level, subject, nil)
					}
					require.NoError(t, err)
					require.Equal(t, "cus_1", row.Progress.CustomerID())
					latest, err := r.store.Latest(ctx, r.db, subject)
					require.NoError(t, err)
					require.Equal(t, row, latest)
					require.Equal(t, before+2, r.count(t, `SELECT COUNT(*) FROM {t} WHERE subject = ?`, subject))
				})
			}
		}
	})
}

func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	onOwnTable(t, store.Options{}, func(t *testing.T, r *rows) {
		const rounds, racers = 5, 16
		for round := range rounds {
			subject := fmt.Sprintf("subject %d", round)
			ids := make([]string, racers)
			var group sync.WaitGroup
			for i := range racers {
				group.Go(func() {
					for { // a transaction of the application's may be the one that a deadlock undoes
						row, err := openInTx(ctx, r, subject, i%2 == 0)
						if err == nil {
							ids[i] = row.ID
							return
						}
						if text := err.Error(); !strings.Contains(text, "Deadlock") && !strings.Contains(text, "locked") {
							t.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			for _, id := range ids {
				require.Equal(t, ids[0], id)
			}
			require.Equal(t, 1, r.count(t, `SELECT COUNT(*) FROM {t} WHERE subject = ?`, subject))
		}
	})
}

func openInTx(ctx context.Context, r *rows, subject string, inTx bool) (setupintent.Row, error) {
	if !inTx {
		return r.store.Open(ctx, r.db, subject)
	}
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return setupintent.Row{}, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	row, err := r.store.Open(ctx, tx, subject)
	if err != nil {
		return row, err
	}
	return row, tx.Commit()
}

// Open has seen that the row's deadline is over, and before it ends the row,
// somebody else writes it: it is not ended.
func TestOpenTooLate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			dsn := e.DSN(t)
			r := layouts[0].open(t, dbtest.OpenDSN(t, e.Driver, dsn), e, store.Options{TTL: time.Nanosecond})
			var meanwhile func()
			db := e.OpenWrapped(t, dsn, &dbtest.Wrapped{Rewrite: func(query string) string {
				if f := meanwhile; f != nil && strings.HasPrefix(query, "UPDATE") {
					meanwhile = nil
					f()
				}
				return query
			}})
			inTurn(t, "it is claimed", func(t *testing.T) {
				row, err := r.store.Open(ctx, db, "claimed")
				require.NoError(t, err)
				next := row
				next.Progress = parse(t, attached)
				meanwhile = func() {
					won, err := r.store.Swap(ctx, row, next)
					require.NoError(t, err)
					require.True(t, won)
				}
				again, err := r.store.Open(ctx, db, "claimed")
				require.NoError(t, err)
				next.Version++
				require.Equal(t, next, again)
			})
			inTurn(t, "it gets a customer, and ends", func(t *testing.T) {
				row, err := r.store.Open(ctx, db, "ended")
				require.NoError(t, err)
				meanwhile = func() {
					won, err := r.store.Swap(ctx, row, setupintent.Row{Status: setupintent.Cancelled, Progress: parse(t, attached)})
					require.NoError(t, err)
					require.True(t, won)
				}
				another, err := r.store.Open(ctx, db, "ended")
				require.NoError(t, err)
				require.NotEqual(t, row.ID, another.ID)
				require.Equal(t, "cus_1", another.Progress.CustomerID())
			})
			inTurn(t, "it is activated, without a version", func(t *testing.T) {
				row, err := r.store.Open(ctx, db, "active")
				require.NoError(t, err)
				meanwhile = func() {
					require.NoError(t, r.exec(`UPDATE {t} SET {status} = 'active' WHERE {id} = ?`, row.ID))
				}
				another, err := r.store.Open(ctx, db, "active")
				require.NoError(t, err)
				require.NotEqual(t, row.ID, another.ID)
				row, err = r.store.Load(ctx, row.ID)
				require.NoError(t, err)
				require.Equal(t, setupintent.Active, row.Status)
			})
		})
	}
}

// The database undoes an Open because of others: on the pool it is done again; in
// a transaction, that is the caller's business.
func TestOpenAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for e, triggers := range map[dbtest.Engine][]string{
		dbtest.Postgres: postgresFailsOnce, dbtest.LibPQ: postgresFailsOnce,
		dbtest.MariaDB: {
			`CREATE SEQUENCE attempts`,
			`CREATE TRIGGER fails_once BEFORE INSERT ON cardonfile_rows FOR EACH ROW
				IF NEXTVAL(attempts) = 1 THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END IF`,
		},
	} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			for _, inTx := range []bool{false, true} {
				r := layouts[0].open(t, e.Open(t), e, store.Options{})
				for _, statement := range triggers {
					require.NoError(t, r.exec(statement))
				}
				row, err := openInTx(ctx, r, "a", inTx)
				if inTx {
					require.Error(t, err)
					row, err = openInTx(ctx, r, "a", inTx)
				}
				require.NoError(t, err)
				require.Equal(t, setupintent.Pending, row.Status)
			}
		})
	}
}

// postgresFailsOnce makes the first INSERT a serialization failure. A sequence is
// not rolled back.
var postgresFailsOnce = []string{
	`CREATE SEQUENCE attempts`,
	`CREATE FUNCTION fails_once() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN IF nextval('attempts') = 1 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF; RETURN NEW; END $$`,
	`CREATE TRIGGER fails_once BEFORE INSERT ON cardonfile_rows FOR EACH ROW EXECUTE FUNCTION fails_once()`,
}

// In REPEATABLE READ, a transaction that has read before does not see what
// others have committed since: Open does.
func TestOpenBehindSnapshot(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := layouts[0].open(t, dbtest.MariaDB.Open(t), dbtest.MariaDB, store.Options{})
	tx, err := r.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	require.NoError(t, err)
	defer tx.Rollback() //nolint:errcheck // it only reads
	_, err = r.store.Latest(ctx, tx, "a")
	require.ErrorIs(t, err, setupintent.ErrNotFound)
	theirs, err := r.store.Open(ctx, r.db, "a")
	require.NoError(t, err)
	_, err = r.store.Latest(ctx, tx, "a")
	require.ErrorIs(t, err, setupintent.ErrNotFound, "this is not REPEATABLE READ")
	row, err := r.store.Open(ctx, tx, "a")
	require.NoError(t, err)
	require.Equal(t, theirs, row)
}

func TestOpenIDs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(strings.ReplaceAll(e.Name, "/", ""), func(t *testing.T) {
			t.Parallel()
			ids := []string{"taken", "taken", "free"}
			r := layouts[0].open(t, e.Open(t), e, store.Options{NewID: func() string {
				if len(ids) == 0 {
					return "taken"
				}
				defer func() { ids = ids[1:] }()
				return ids[0]
			}})
			row, err := r.store.Open(ctx, r.db, "a")
			require.NoError(t, err)
			require.Equal(t, "taken", row.ID)
			row, err = r.store.Open(ctx, r.db, "b")
			require.NoError(t, err)
			require.Equal(t, "free", row.ID, "an id that is taken is not another's row")
			_, err = r.store.Open(ctx, r.db, "c")
			require.ErrorContains(t, err, "is every id that NewID returns a new one?")
			ids = []string{"an id "}
			_, err = r.store.Open(ctx, r.db, "c")
			require.ErrorContains(t, err, "the id that NewID returned must have")
		})
	}
}

func TestOwnTableOnly(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := layouts[1].open(t, dbtest.SQLite.Open(t), dbtest.SQLite, store.Options{})
	_, err := r.store.Open(ctx, r.db, "a")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "Open works on cardonfile_rows only, and the rows are in users")
	_, err = r.store.Latest(ctx, r.db, "a")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = r.store.Subject(ctx, r.db, "a")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, r.store.Migrate(ctx), errors.ErrUnsupported)
	_, err = r.store.Status(ctx)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
