package conformance_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// loose is an application's table that forbids nothing.
var loose = layout{
	name:    "loose",
	engines: everywhere,
	create: map[store.Dialect]string{
		store.PostgreSQL: `CREATE TABLE loose (id text PRIMARY KEY, status text)`,
		store.MySQL:      `CREATE TABLE loose (id VARCHAR(64) PRIMARY KEY, status VARCHAR(64))`,
		store.SQLite:     `CREATE TABLE loose (id TEXT PRIMARY KEY, status TEXT)`,
	},
	table: &store.Table{Name: "loose"},
}

func onLoose(t *testing.T, opts store.Options, f func(t *testing.T, r *rows)) {
	t.Helper()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			f(t, loose.open(t, e.Open(t), e, opts))
		})
	}
}

// A row that can't be read says which, and which column; and of a page of due
// rows the others come.
func TestUnreadableRows(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	onLoose(t, store.Options{}, func(t *testing.T, r *rows) {
		var log strings.Builder
		s, err := store.New(r.db, r.dialect, &store.Options{Table: r.table, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		now := time.Now().UTC().Truncate(time.Microsecond)
		bad := map[string]string{
			"null":    `UPDATE {t} SET {status} = NULL WHERE {id} = 'null'`,
			"corrupt": `UPDATE {t} SET {progress} = '{"format":1,"phase":"cla' WHERE {id} = 'corrupt'`,
			"alien":   `UPDATE {t} SET {progress} = '{"format":1,"phase":"asleep"}' WHERE {id} = 'alien'`,
		}
		want := map[string]string{
			"null":    `store: loose: row "null": column status: it is NULL`,
			"corrupt": `store: loose: row "corrupt": column cardonfile_progress: setupintent: the progress column holds no progress of ours`,
			"alien":   `store: loose: row "alien": column cardonfile_progress: setupintent: the progress column holds no progress of ours`,
		}
		var good []string
		for i, id := range []string{"a", "null", "corrupt", "b", "alien", "c"} {
			require.NoError(t, r.insert(id, now.Add(time.Duration(i)*time.Microsecond-time.Hour)))
			if bad[id] == "" {
				good = append(good, id)
				continue
			}
			require.NoError(t, r.exec(bad[id]))
			_, err := r.store.Load(ctx, id)
			require.ErrorContains(t, err, want[id])
			require.NotErrorIs(t, err, setupintent.ErrNotFound)
		}
		for limit := 1; limit <= 7; limit++ {
			var got []string
			log.Reset()
			for after := (setupintent.Row{}); ; {
				page, err := s.Due(ctx, now, after, limit)
				require.NoError(t, err)
				for _, row := range page {
					got = append(got, row.ID)
				}
				if len(page) < limit {
					break
				}
				after = page[len(page)-1]
			}
			require.Equal(t, good, got, "pages of %d", limit)
			for id := range bad {
				require.Contains(t, log.String(), "row="+id)
			}
		}
		// Nothing but what can't be read.
		for _, id := range good {
			r.delete(id)
		}
		_, err = r.store.Due(ctx, now, setupintent.Row{}, 2)
		for _, text := range want {
			require.ErrorContains(t, err, text)
		}
	})
}

// An infinite due, which no time.Time is, can't be written in PostgreSQL; where a
// table has no such constraint, the sweeper does not see the row.
func TestInfiniteDue(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, e := range []dbtest.Engine{dbtest.Postgres, dbtest.LibPQ} {
		for _, l := range []layout{layouts[0], loose} {
			t.Run(e.Driver+"/"+l.name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // not for ever
				defer cancel()
				r := l.open(t, e.Open(t), e, store.Options{})
				for range 100 {
					r.pending(t)
				}
				for _, due := range []string{"infinity", "-infinity"} {
					require.ErrorContains(t, r.exec(`UPDATE {t} SET {due} = '`+due+`'`), "check constraint")
				}
				var constraint string
				require.NoError(t, r.db.QueryRowContext(ctx, r.sql(`SELECT conname FROM pg_constraint WHERE conrelid = '{t}'::regclass AND contype = 'c'`)).Scan(&constraint))
				require.NoError(t, r.exec(`ALTER TABLE {t} DROP CONSTRAINT `+constraint))
				require.NoError(t, r.exec(`UPDATE {t} SET {due} = '-infinity'`))
				row := r.pending(t)
				require.NoError(t, r.exec(`UPDATE {t} SET {due} = ? WHERE {id} = ?`, r.time(now), row.ID))
				for _, limit := range []int{1, 100} {
					page, err := r.store.Due(ctx, now, setupintent.Row{}, limit)
					require.NoError(t, err)
					require.Len(t, page, 1)
					require.Equal(t, row.ID, page[0].ID)
				}
				n, err := r.store.Expire(ctx, now, 10)
				require.NoError(t, err)
				require.Equal(t, 1, n)
			})
		}
	}
}

// From a due that can't be read, or is the zero time, Due does not begin anew: it
// says which row it is.
func TestDueDoesNotLoop(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i, test := range []struct {
		engine dbtest.Engine
		due    any
	}{
		{dbtest.SQLite, time.Time{}.UnixMicro()},
		{dbtest.Postgres, "0001-01-01 00:00:00Z"},
		{dbtest.LibPQ, "0001-01-01 00:00:00Z"},
		{dbtest.MariaDB, "0001-01-01 00:00:00"},
		{dbtest.MariaDB.With("sql_mode=%27%27"), "0000-00-00 00:00:00"},
	} {
		t.Run(fmt.Sprint(i, " ", test.engine.Driver), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // not for ever
			defer cancel()
			r := loose.open(t, test.engine.Open(t), test.engine, store.Options{})
			require.NoError(t, r.insert("zero", now))
			require.NoError(t, r.exec(`UPDATE {t} SET {due} = ?`, test.due))
			require.NoError(t, r.insert("b", now))
			_, err := r.store.Due(ctx, now, setupintent.Row{}, 1)
			require.ErrorContains(t, err, `store: loose: row "zero": column cardonfile_due: `)
			page, err := r.store.Due(ctx, now, setupintent.Row{}, 2)
			require.NoError(t, err)
			require.Len(t, page, 1)
			require.Equal(t, "b", page[0].ID)
		})
	}
}

// Only the pending word is pending.
func TestWords(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			l := loose
			table := *loose.table
			table.Words = map[setupintent.Status]string{setupintent.Pending: "waiting", setupintent.Active: "pending"} // cruel, and allowed
			l.table = &table
			r := l.open(t, e.Open(t), e, store.Options{})
			for word, want := range map[string]setupintent.Status{
				"waiting": setupintent.Pending, "pending": setupintent.Active, "abandoned": setupintent.Abandoned, "cancelled": setupintent.Cancelled,
				"active": "'active", "'": "''", "'active": "''active", "Waiting": "Waiting", "WAITING": "WAITING", "\twaiting": "\twaiting", "": "", "canceled": "canceled", "ä": "ä",
			} {
				id := randomID()
				require.NoError(t, r.exec(`INSERT INTO {t} ({id}, {status}) VALUES (?, ?)`, id, word))
				row, err := r.store.Load(ctx, id)
				require.NoError(t, err)
				require.Equal(t, want, row.Status)
				won, err := r.store.Swap(ctx, row, row)
				require.NoError(t, err)
				require.True(t, won, "a row whose status stays can be written: %q", word)
				var now string
				require.NoError(t, r.db.QueryRowContext(ctx, r.sql(`SELECT {status} FROM {t} WHERE {id} = ?`), id).Scan(&now))
				require.Equal(t, word, now)
			}
		})
	}
}

// A word that the column's collation takes for the pending one is not it: nobody
// writes over it.
func TestWordsThatCollate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := loose
	l.create = map[store.Dialect]string{
		store.PostgreSQL: `CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
			CREATE TABLE loose (id text PRIMARY KEY, status text COLLATE folding)`,
		store.MySQL:  `CREATE TABLE loose (id VARCHAR(64) PRIMARY KEY, status VARCHAR(64)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci`,
		store.SQLite: `CREATE TABLE loose (id TEXT PRIMARY KEY, status TEXT COLLATE NOCASE)`,
	}
	now := time.Now()
	for _, e := range append(dbtest.All(), dbtest.MariaDB.With("collation=latin1_swedish_ci"), dbtest.MariaDB.With("interpolateParams=true")) {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			r := l.open(t, e.Open(t), e, store.Options{})
			words := []string{"Pending", "PENDING", "pending ", "pénding"}
			for i, word := range words {
				require.NoError(t, r.exec(`INSERT INTO {t} ({id}, {status}, {due}) VALUES (?, ?, ?)`, strconv.Itoa(i), word, r.time(now.Add(-time.Hour))))
			}
			n, err := r.store.Expire(ctx, now, 10)
			require.NoError(t, err)
			require.Zero(t, n)
			for i, word := range words {
				row, err := r.store.Load(ctx, strconv.Itoa(i))
				require.NoError(t, err)
				require.EqualValues(t, word, row.Status)
				row.Status = setupintent.Pending // as somebody saw it who has since been overtaken
				won, err := r.store.Swap(ctx, row, setupintent.Row{Status: setupintent.Active})
				require.NoError(t, err)
				require.False(t, won)
			}
		})
	}
}

// A table without the columns is found out at the start, by name.
func TestCheck(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			own, err := store.New(db, e.Dialect, nil)
			require.NoError(t, err)
			require.ErrorContains(t, own.Check(ctx), "the table cardonfile_rows is not what New was told (id, status, version, due, progress): ")
			_, err = db.ExecContext(ctx, loose.create[e.Dialect])
			require.NoError(t, err)
			adopted, err := store.New(db, e.Dialect, &store.Options{Table: &store.Table{Name: "loose", Due: "later"}})
			require.NoError(t, err)
			err = adopted.Check(ctx)
			require.ErrorContains(t, err, "the table loose is not what New was told (id, status, cardonfile_version, later, cardonfile_progress): ")
			require.ErrorContains(t, err, "cardonfile_version")
			_, err = adopted.Load(ctx, "a")
			require.Error(t, err)
			require.NotErrorIs(t, err, setupintent.ErrNotFound)
		})
	}
}

// So is a column that can't hold what it is to hold. SQLite's can.
func TestCheckTypes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	enums := map[store.Dialect]string{store.PostgreSQL: "state", store.MySQL: "ENUM ('pending', 'active', 'Abandoned', 'cancelled')"}
	tests := []struct {
		name       string
		id, status string // types; empty: text
		idType     store.IDType
	}{
		{"numbers as text", "BIGINT", "", store.Text},
		{"UUIDs as text", "UUID", "", store.Text},
		{"text as numbers", "", "", store.BigInt},
		{"numbers as UUIDs", "INT", "", store.UUID},
		{"an enum without a word", "", "enum", store.Text},
		{"numbers for words", "", "SMALLINT", store.Text},
	}
	for i, e := range []dbtest.Engine{
		dbtest.Postgres, dbtest.Postgres.With("default_query_exec_mode=simple_protocol"), dbtest.Postgres.With("default_query_exec_mode=exec"),
		dbtest.LibPQ, dbtest.LibPQ.With("binary_parameters=yes"), dbtest.MariaDB, dbtest.MariaDB.With("interpolateParams=true"),
	} {
		t.Run(fmt.Sprint(i, " ", e.Driver), func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			exec := func(query string) {
				t.Helper()
				_, err := db.ExecContext(ctx, query)
				require.NoError(t, err, query)
			}
			if e.Dialect == store.PostgreSQL {
				exec(`CREATE TYPE state AS ENUM ('pending', 'active', 'Abandoned', 'cancelled')`)
			}
			for i, test := range tests {
				name, status := fmt.Sprint("t", i), cmp.Or(test.status, "VARCHAR(20)")
				if status == "enum" {
					status = enums[e.Dialect]
				}
				exec(`CREATE TABLE ` + name + ` (id ` + cmp.Or(test.id, "VARCHAR(40)") + ` PRIMARY KEY, status ` + status + `)`)
				s, err := store.New(db, e.Dialect, &store.Options{Table: &store.Table{Name: name, IDType: test.idType}})
				require.NoError(t, err)
				for statement := range strings.SplitSeq(strings.TrimSpace(s.SQL()), ";\n") {
					exec(statement)
				}
				require.ErrorContains(t, s.Check(ctx), "the table "+name+" is not what New was told", test.name)
			}
		})
	}
}

// PostgreSQL pads what char(n) holds: no row would be found, or pending.
func TestCheckPadding(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range []dbtest.Engine{dbtest.Postgres, dbtest.LibPQ} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			exec := func(query string) {
				t.Helper()
				_, err := db.ExecContext(ctx, query)
				require.NoError(t, err, query)
			}
			exec(`CREATE DOMAIN code AS char(20)`)
			for i, test := range []struct{ id, status, want string }{
				{"char(40)", "text", "the column id is of the type character(40)"},
				{"varchar(40)", "char(20)", "the column status is of the type character(20)"},
				{"varchar(40)", "code", "the column status is of the type code"},
				{"varchar(40)", `varchar(20), "Id" char(40)`, ""}, // another's
			} {
				name := fmt.Sprint("t", i)
				exec(`CREATE TABLE ` + name + ` (id ` + test.id + ` PRIMARY KEY, status ` + test.status + `)`)
				s, err := store.New(db, e.Dialect, &store.Options{Table: &store.Table{Name: name}})
				require.NoError(t, err)
				for statement := range strings.SplitSeq(strings.TrimSpace(s.SQL()), ";\n") {
					exec(statement)
				}
				if test.want == "" {
					require.NoError(t, s.Check(ctx))
					continue
				}
				err = s.Check(ctx)
				require.ErrorContains(t, err, test.want)
				require.ErrorContains(t, err, "use varchar or text")
			}
		})
	}
}

// An id that no row of the type can have is not found, by every method.
func TestImpossibleIDs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		r := l.open(t, e.Open(t), e, store.Options{})
		row := r.pending(t)
		impossible := []string{"", "\xff", "a\x00b", "a\x00"}
		if r.table != nil && r.table.IDType == store.BigInt {
			impossible = append(impossible, "abc", row.ID+"abc", " "+row.ID, "+"+row.ID, "0"+row.ID, row.ID+".0", "1e3", "9223372036854775808", "-9223372036854775809", "0x10", "")
		}
		if r.table != nil && r.table.IDType == store.UUID {
			impossible = append(impossible, "{"+row.ID+"}", row.ID[:35], row.ID+"0", "00000000-0000-0000-0000-00000000000g")
		}
		for _, id := range impossible {
			_, err := r.store.Load(ctx, id)
			require.ErrorIs(t, err, setupintent.ErrNotFound, "%q", id)
			prev := row
			prev.ID = id
			won, err := r.store.Swap(ctx, prev, row)
			require.NoError(t, err)
			require.False(t, won)
			_, err = r.store.Due(ctx, time.Now(), setupintent.Row{ID: id, Due: time.Now()}, 1)
			require.ErrorIs(t, err, setupintent.ErrNotFound)
		}
		if r.table != nil && r.table.IDType == store.UUID {
			// The nil UUID, and one of a version that MariaDB does not know.
			for _, id := range []string{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "6d44a340-f08b-c365-807f-9e4d32484095"} {
				_, err := r.store.Load(ctx, id)
				require.ErrorIs(t, err, setupintent.ErrNotFound, "%q", id)
			}
		}
	})
}

// So is a number that a smaller integer can't hold.
func TestSmallIntegerIDs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	engines := append(dbtest.All(), dbtest.LibPQ.With("binary_parameters=yes"),
		dbtest.Postgres.With("default_query_exec_mode=simple_protocol"), dbtest.Postgres.With("default_query_exec_mode=exec"))
	for i, e := range engines {
		for _, column := range []string{"SMALLINT", "INTEGER"} {
			t.Run(fmt.Sprint(i, " ", e.Driver, " ", column), func(t *testing.T) {
				t.Parallel()
				l := layout{
					create: map[store.Dialect]string{e.Dialect: `CREATE TABLE small (id ` + column + ` PRIMARY KEY, status VARCHAR(20) NOT NULL)`},
					table:  &store.Table{Name: "small", IDType: store.BigInt},
				}
				r := l.open(t, e.Open(t), e, store.Options{})
				now := time.Now()
				for _, id := range []string{"-32768", "0", "32767"} {
					require.NoError(t, r.insert(id, now))
					row, err := r.store.Load(ctx, id)
					require.NoError(t, err)
					won, err := r.store.Swap(ctx, row, row)
					require.NoError(t, err)
					require.True(t, won)
				}
				for _, id := range []string{"-9223372036854775808", "-2147483649", "-32769", "32768", "2147483648", "9223372036854775807"} {
					_, err := r.store.Load(ctx, id)
					require.ErrorIs(t, err, setupintent.ErrNotFound, id)
					won, err := r.store.Swap(ctx, setupintent.Row{ID: id, Status: setupintent.Pending}, setupintent.Row{Status: setupintent.Pending})
					require.NoError(t, err, id)
					require.False(t, won)
					_, err = r.store.Due(ctx, now, setupintent.Row{ID: id, Due: now}, 10)
					require.NoError(t, err, id)
				}
			})
		}
	}
}

// A row that the application took back to an older state keeps its guard: the
// versions of before are no good.
func TestDeletedAndHidden(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			l := layouts[slices.IndexFunc(layouts, func(l layout) bool { return l.table != nil && l.table.Where != "" })]
			r := l.open(t, e.Open(t), e, store.Options{})
			row := r.pending(t)
			require.NoError(t, r.exec(`UPDATE {t} SET {due} = ?, deleted_at = ? WHERE {id} = ?`, r.time(time.Now().Add(-time.Hour)), "2026-01-02 03:04:05", row.ID))
			_, err := r.store.Load(ctx, row.ID)
			require.ErrorIs(t, err, setupintent.ErrNotFound)
			won, err := r.store.Swap(ctx, row, row)
			require.NoError(t, err)
			require.False(t, won)
			page, err := r.store.Due(ctx, time.Now(), setupintent.Row{}, 10)
			require.NoError(t, err)
			require.Empty(t, page)
			n, err := r.store.Expire(ctx, time.Now(), 10)
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
}

// A partitioned table works like any other, once its index is built without
// CONCURRENTLY.
func TestPartitioned(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range []dbtest.Engine{dbtest.Postgres, dbtest.LibPQ} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			s, err := store.New(db, e.Dialect, &store.Options{Table: &store.Table{Name: "users"}})
			require.NoError(t, err)
			_, err = db.ExecContext(ctx, `CREATE TABLE users (id text PRIMARY KEY, status text NOT NULL) PARTITION BY HASH (id);
				CREATE TABLE users_0 PARTITION OF users FOR VALUES WITH (MODULUS 2, REMAINDER 0);
				CREATE TABLE users_1 PARTITION OF users FOR VALUES WITH (MODULUS 2, REMAINDER 1)`)
			require.NoError(t, err)
			_, err = db.ExecContext(ctx, strings.Replace(s.SQL(), " CONCURRENTLY", "", 1))
			require.NoError(t, err)
			require.NoError(t, s.Check(ctx))
			r := &rows{layout: layout{table: &store.Table{Name: "users"}}, name: e.Name + ", partitioned", db: db, store: s, dialect: e.Dialect}
			setupintenttest.TestStore(t, r.harness)
			setupintenttest.TestDue(t, r.dueHarness)
			now := time.Now()
			for i := range 10 {
				require.NoError(t, r.insert(strconv.Itoa(i), now))
			}
			n, err := s.Expire(ctx, now, 1000)
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, 10)
			require.Equal(t, 10, r.count(t, `SELECT COUNT(*) FROM {t} WHERE {status} = 'abandoned' AND length({id}) = 1`))
		})
	}
}

// What a condition has in a literal is nobody's place for a name.
func TestWhereIsAsItIs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			l := loose
			l.table = &store.Table{Name: "loose", Where: "id <> '{id} ({table}, {and where})'"}
			r := l.open(t, e.Open(t), e, store.Options{})
			hidden := "{id} ({table}, {and where})"
			require.NoError(t, r.exec(`INSERT INTO {t} ({id}, {status}) VALUES (?, 'pending')`, hidden))
			_, err := r.store.Load(ctx, hidden)
			require.ErrorIs(t, err, setupintent.ErrNotFound)
			r.pending(t)
		})
	}
}

// After a restart of the database, whose pool of connections is dead, a swap is
// still one swap.
func TestRestart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range []dbtest.Engine{dbtest.Postgres, dbtest.LibPQ, dbtest.MariaDB} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			dsn := e.DSN(t)
			direct := layouts[0].open(t, dbtest.OpenDSN(t, e.Driver, dsn), e, store.Options{})
			proxy, proxied := e.Proxy(t, dsn)
			db := dbtest.OpenDSN(t, e.Driver, proxied)
			s, err := store.New(db, e.Dialect, &store.Options{OnActive: func(context.Context, *sql.Tx, setupintent.Row) error { return nil }})
			require.NoError(t, err)
			for i := range 3 {
				var conns []*sql.Conn
				for range 10 {
					conn, err := db.Conn(ctx)
					require.NoError(t, err)
					_ = conn.PingContext(ctx) // of the round before, some are still dead
					conns = append(conns, conn)
				}
				for _, conn := range conns {
					_ = conn.Close()
				}
				proxy.CutAll()
				row := direct.pending(t)
				next := row
				next.Status = []setupintent.Status{setupintent.Pending, setupintent.Active, setupintent.Cancelled}[i]
				won, err := s.Swap(ctx, row, next)
				require.NoError(t, err, strconv.Itoa(i))
				require.True(t, won)
			}
		})
	}
}
