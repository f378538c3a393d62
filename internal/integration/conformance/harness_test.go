package conformance_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
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

// layout is one way to keep rows in a database.
type layout struct {
	name    string
	engines []store.Dialect
	create  map[store.Dialect]string // the application's table; empty: cardonfile_rows
	table   *store.Table
	newID   func() string
	foreign setupintent.Status
	folds   bool
}

func (l layout) supports(d store.Dialect) bool {
	return slices.Contains(l.engines, d)
}

var everywhere = []store.Dialect{store.PostgreSQL, store.MySQL, store.SQLite}

var layouts = []layout{
	{
		name:    "own table",
		engines: everywhere,
	},
	{
		name:    "adopted, text id, soft delete",
		engines: everywhere,
		create: map[store.Dialect]string{
			store.PostgreSQL: `CREATE TABLE users (id varchar(64) PRIMARY KEY, email text, status varchar(32) NOT NULL, deleted_at timestamptz)`,
			// The collation that such a table often has: without regard to case.
			store.MySQL:  `CREATE TABLE users (id VARCHAR(64) PRIMARY KEY, email TEXT, status VARCHAR(32) NOT NULL, deleted_at DATETIME) DEFAULT CHARSET = latin1 COLLATE = latin1_swedish_ci`,
			store.SQLite: `CREATE TABLE users (id TEXT PRIMARY KEY COLLATE NOCASE, email TEXT, status TEXT NOT NULL, deleted_at TEXT)`,
		},
		table: &store.Table{Name: "users", Where: "deleted_at IS NULL"},
	},
	{
		name:    "adopted, bigint id, smallint status",
		engines: everywhere,
		create: map[store.Dialect]string{
			store.PostgreSQL: `CREATE TABLE "Accounts" ("Id" bigint PRIMARY KEY, "State" smallint NOT NULL)`,
			store.MySQL:      "CREATE TABLE `Accounts` (`Id` BIGINT PRIMARY KEY, `State` SMALLINT NOT NULL)",
			store.SQLite:     `CREATE TABLE "Accounts" ("Id" INTEGER PRIMARY KEY, "State" SMALLINT NOT NULL)`,
		},
		table: &store.Table{
			Name: "Accounts", ID: "Id", IDType: store.BigInt, Status: "State", Version: "lock_version", Due: "card_due", Progress: "card_progress",
			Words: map[setupintent.Status]string{setupintent.Pending: "0", setupintent.Active: "1", setupintent.Abandoned: "8", setupintent.Cancelled: "9"},
		},
		newID:   randomBigInt,
		foreign: "5",
	},
	{
		name:    "adopted, uuid id, enum status",
		engines: []store.Dialect{store.PostgreSQL, store.MySQL},
		create: map[store.Dialect]string{
			store.PostgreSQL: `CREATE TYPE signup_state AS ENUM ('WAITING', 'LIVE', 'GONE', 'STOPPED', 'suspended', 'pending');
				CREATE TABLE signups (id uuid PRIMARY KEY, state signup_state NOT NULL)`,
			store.MySQL: `CREATE TABLE signups (id UUID PRIMARY KEY, state ENUM ('WAITING', 'LIVE', 'GONE', 'STOPPED', 'suspended', 'pending') NOT NULL)`,
		},
		table: &store.Table{
			Name: "signups", IDType: store.UUID, Status: "state",
			Words: map[setupintent.Status]string{setupintent.Pending: "WAITING", setupintent.Active: "LIVE", setupintent.Abandoned: "GONE", setupintent.Cancelled: "STOPPED"},
		},
		newID: randomUUID,
		folds: true,
	},
}

func randomBigInt() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(b[:])>>1), 10)
}

func randomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4: MariaDB looks
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func randomID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// rows is a table with rows, and a store on it.
type rows struct {
	layout
	name    string // of the store, for the report
	db      *sql.DB
	store   *store.Store
	dialect store.Dialect
}

// open creates the layout's table in an empty database.
func (l layout) open(t testing.TB, db *sql.DB, e dbtest.Engine, opts store.Options) *rows {
	t.Helper()
	ctx, d := context.Background(), e.Dialect
	opts.Table = l.table
	s, err := store.New(db, d, &opts)
	require.NoError(t, err)
	if l.table == nil {
		require.NoError(t, s.Migrate(ctx))
	} else {
		for statement := range strings.SplitSeq(l.create[d]+";\n"+s.SQL(), ";\n") {
			if strings.TrimSpace(statement) != "" {
				_, err := db.ExecContext(ctx, statement)
				require.NoError(t, err, statement)
			}
		}
	}
	require.NoError(t, s.Check(ctx))
	return &rows{layout: l, name: e.Name + ", " + l.name, db: db, store: s, dialect: d}
}

// sql fills in names and placeholders: {t} {id} {status} {version} {due}
// {progress}, and ? as in MySQL.
func (r *rows) sql(query string) string {
	names := store.Table{Name: "cardonfile_rows", ID: "id", Status: "status", Version: "version", Due: "due", Progress: "progress"}
	if r.table != nil {
		names = *r.table
		for name, def := range map[*string]string{
			&names.ID: "id", &names.Status: "status", &names.Version: "cardonfile_version", &names.Due: "cardonfile_due", &names.Progress: "cardonfile_progress",
		} {
			if *name == "" {
				*name = def
			}
		}
	}
	q := "`"
	if r.dialect == store.PostgreSQL {
		q = `"`
	}
	query = strings.NewReplacer("{t}", q+names.Name+q, "{id}", q+names.ID+q, "{status}", q+names.Status+q,
		"{version}", q+names.Version+q, "{due}", q+names.Due+q, "{progress}", q+names.Progress+q).Replace(query)
	return r.number(query)
}

// number numbers the placeholders as PostgreSQL wants them.
func (r *rows) number(query string) string {
	if r.dialect == store.PostgreSQL {
		for n := 1; strings.Contains(query, "?"); n++ {
			query = strings.Replace(query, "?", "$"+strconv.Itoa(n), 1)
		}
	}
	return query
}

func (r *rows) exec(query string, args ...any) error {
	_, err := r.db.ExecContext(context.Background(), r.sql(query), args...)
	return err
}

// word is a status as the application writes it.
func (r *rows) word(s setupintent.Status) string {
	if r.table != nil {
		if w, ok := r.table.Words[s]; ok {
			return w
		}
	}
	return string(s)
}

func (r *rows) time(t time.Time) any {
	switch {
	case t.IsZero():
		return nil
	case r.dialect == store.SQLite:
		return t.UnixMicro()
	case r.dialect == store.MySQL:
		return t.UTC().Format("2006-01-02 15:04:05.000000")
	}
	return t.UTC().Truncate(time.Microsecond) // lib/pq sends nanoseconds, which the server rounds
}

func (r *rows) insert(id string, deadline time.Time) error {
	if r.table == nil {
		return r.exec(`INSERT INTO {t} ({id}, subject, {due}) VALUES (?, ?, ?)`, id, "subject of "+id, r.time(deadline))
	}
	return r.exec(`INSERT INTO {t} ({id}, {status}, {due}) VALUES (?, ?, ?)`, id, r.word(setupintent.Pending), r.time(deadline))
}

func (r *rows) setStatus(id string, s setupintent.Status) error {
	return r.exec(`UPDATE {t} SET {status} = ?, {version} = {version} + 1 WHERE {id} = ?`, r.word(s), id)
}

func (r *rows) delete(id string) { _ = r.exec(`DELETE FROM {t} WHERE {id} = ?`, id) }

func (r *rows) harness(t testing.TB) setupintenttest.StoreHarness {
	counted(t, r.name)
	return setupintenttest.StoreHarness{
		Store: r.store, Insert: r.insert, SetStatus: r.setStatus, Delete: r.delete,
		NewID: r.newID, Foreign: r.foreign, FoldsCase: r.folds,
	}
}

func (r *rows) dueHarness(t testing.TB) setupintenttest.DueHarness {
	return setupintenttest.DueHarness{StoreHarness: r.harness(t), Due: r.store.Due}
}

// onEach runs the test on every engine, in every layout that it has.
func onEach(t *testing.T, f func(t *testing.T, e dbtest.Engine, l layout)) {
	t.Helper()
	for _, e := range dbtest.All() {
		for _, l := range layouts {
			if l.supports(e.Dialect) {
				t.Run(fmt.Sprintf("%s/%s", strings.ReplaceAll(e.Name, "/", ""), l.name), func(t *testing.T) {
					t.Parallel()
					f(t, e, l)
				})
			}
		}
	}
}

// inTurn runs a part of a test whose parts share what they work on.
func inTurn(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, f)
}
