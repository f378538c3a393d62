package conformance_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratemysql "github.com/golang-migrate/migrate/v4/database/mysql"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	migratesqlite "github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"
)

// works runs the suite on cardonfile_rows, however it came to be.
func works(t *testing.T, db *sql.DB, e dbtest.Engine) {
	t.Helper()
	s, err := store.New(db, e.Dialect, nil)
	require.NoError(t, err)
	require.NoError(t, s.Check(context.Background()))
	r := &rows{name: e.Name + ", made by a tool", db: db, store: s, dialect: e.Dialect}
	setupintenttest.TestStore(t, r.harness)
	row, err := s.Open(context.Background(), db, "somebody")
	require.NoError(t, err)
	again, err := s.Open(context.Background(), db, "somebody")
	require.NoError(t, err)
	require.Equal(t, row, again)
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	at := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	engines := append(dbtest.All(),
		dbtest.Postgres.With("default_transaction_isolation=repeatable%20read"),
		dbtest.LibPQ.With("default_transaction_isolation=serializable"),
		dbtest.MariaDB.With("tx_isolation=%27SERIALIZABLE%27"),
	)
	for i, e := range engines {
		t.Run(fmt.Sprint(i, " ", e.Driver), func(t *testing.T) {
			t.Parallel()
			dsn := e.DSN(t)
			// Processes that start at the same time, each with its pool.
			var processes sync.WaitGroup
			errs := make(chan error, 8)
			for range cap(errs) {
				db := dbtest.OpenDSN(t, e.Driver, dsn)
				s, err := store.New(db, e.Dialect, &store.Options{Now: func() time.Time { return at }})
				require.NoError(t, err)
				processes.Go(func() { errs <- s.Migrate(ctx) })
			}
			processes.Wait()
			close(errs)
			for err := range errs {
				require.NoError(t, err)
			}
			db := dbtest.OpenDSN(t, e.Driver, dsn)
			s, err := store.New(db, e.Dialect, nil)
			require.NoError(t, err)
			steps, err := s.Status(ctx)
			require.NoError(t, err)
			require.Equal(t, []store.Migration{{Version: 1, Name: "000001_cardonfile_rows.up.sql", Applied: at}}, steps)
			var n int
			require.NoError(t, db.QueryRowContext(ctx, `SELECT COUNT(*) FROM cardonfile_migrations`).Scan(&n))
			require.Equal(t, 1, n)
			works(t, db, e)
			require.Zero(t, db.Stats().InUse)
		})
	}
}

func TestStatusBefore(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			s, err := store.New(e.Open(t), e.Dialect, nil)
			require.NoError(t, err)
			steps, err := s.Status(ctx)
			require.NoError(t, err)
			require.Equal(t, []store.Migration{{Version: 1, Name: "000001_cardonfile_rows.up.sql"}}, steps)
			require.Error(t, s.Check(ctx), "Status has changed something")
		})
	}
}

// A process that dies between a CREATE TABLE and the note about it, where that
// is no transaction, does not stop the next one.
func TestMigrateAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			s, err := store.New(db, e.Dialect, nil)
			require.NoError(t, err)
			require.NoError(t, s.Migrate(ctx))
			_, err = db.ExecContext(ctx, `DELETE FROM cardonfile_migrations`)
			require.NoError(t, err)
			row, err := s.Open(ctx, db, "a")
			require.NoError(t, err)
			require.NoError(t, s.Migrate(ctx))
			again, err := s.Open(ctx, db, "a")
			require.NoError(t, err)
			require.Equal(t, row, again)
		})
	}
}

// Where everything is done, Migrate only reads: the role of an application often
// must not do more.
func TestMigrateOnlyReads(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			dsn := e.DSN(t)
			first, err := store.New(dbtest.OpenDSN(t, e.Driver, dsn), e.Dialect, nil)
			require.NoError(t, err)
			require.NoError(t, first.Migrate(ctx))
			s, err := store.New(e.OpenWrapped(t, dsn, &dbtest.Wrapped{Rewrite: func(query string) string {
				if !strings.HasPrefix(query, "SELECT") {
					t.Errorf("sent: %s", query)
				}
				return query
			}}), e.Dialect, nil)
			require.NoError(t, err)
			require.NoError(t, s.Migrate(ctx))
		})
	}
}

// A migration that fails leaves nothing locked.
func TestMigrateFails(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			dsn := e.DSN(t)
			fail := true
			db := e.OpenWrapped(t, dsn, &dbtest.Wrapped{Rewrite: func(query string) string {
				if fail && strings.Contains(query, "INTO cardonfile_migrations") {
					return "SELECT nonsense"
				}
				return query
			}})
			s, err := store.New(db, e.Dialect, nil)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			require.Error(t, s.Migrate(ctx))
			require.Zero(t, db.Stats().InUse)
			fail = false
			other, err := store.New(dbtest.OpenDSN(t, e.Driver, dsn), e.Dialect, nil)
			require.NoError(t, err)
			require.NoError(t, other.Migrate(ctx))
			require.NoError(t, s.Migrate(ctx))
		})
	}
}

// In SQLite, a COMMIT that fails leaves its transaction open. The connection
// goes back to the pool without it, or not at all: what is written on it later
// would be seen by nobody.
func TestMigrateCantCommit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	e := dbtest.SQLite
	for _, failing := range [][]string{{"COMMIT"}, {"COMMIT", "ROLLBACK"}} {
		t.Run(strings.Join(failing, ", "), func(t *testing.T) {
			t.Parallel()
			dsn := e.DSN(t)
			fail := true
			db := e.OpenWrapped(t, dsn, &dbtest.Wrapped{Rewrite: func(query string) string {
				if fail && slices.Contains(failing, query) {
					return "SELECT nonsense"
				}
				return query
			}})
			db.SetMaxOpenConns(1)
			s, err := store.New(db, e.Dialect, nil)
			require.NoError(t, err)
			require.ErrorContains(t, s.Migrate(ctx), "nonsense")
			fail = false
			other := dbtest.OpenDSN(t, e.Driver, dsn)
			others, err := store.New(other, e.Dialect, nil)
			require.NoError(t, err)
			require.NoError(t, others.Migrate(ctx))
			row, err := s.Open(ctx, db, "a")
			require.NoError(t, err)
			seen, err := others.Open(ctx, other, "a")
			require.NoError(t, err)
			require.Equal(t, row, seen)
		})
	}
}

// The SQL as text, run as it is.
func TestSQLText(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			s, err := store.New(db, e.Dialect, nil)
			require.NoError(t, err)
			_, err = db.ExecContext(context.Background(), s.SQL())
			require.NoError(t, err)
			works(t, db, e)
		})
	}
}

func TestGooseReadsTheFiles(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for e, dialect := range map[dbtest.Engine]goose.Dialect{
		dbtest.SQLite: goose.DialectSQLite3, dbtest.Postgres: goose.DialectPostgres, dbtest.LibPQ: goose.DialectPostgres, dbtest.MariaDB.With("parseTime=true"): goose.DialectMySQL,
	} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			p, err := goose.NewProvider(dialect, db, e.Dialect.Migrations(), goose.WithTableName("goose_cardonfile"), goose.WithDisableGlobalRegistry(true))
			require.NoError(t, err)
			files, err := fs.Glob(e.Dialect.Migrations(), "*")
			require.NoError(t, err)
			require.Len(t, p.ListSources(), len(files))
			results, err := p.Up(ctx)
			require.NoError(t, err)
			require.Len(t, results, len(files))
			works(t, db, e)

			// Migrate after another tool does no harm.
			s, err := store.New(db, e.Dialect, nil)
			require.NoError(t, err)
			require.NoError(t, s.Migrate(ctx))
		})
	}
}

func TestGolangMigrateReadsTheFiles(t *testing.T) {
	t.Parallel()
	for e, driver := range map[dbtest.Engine]func(*sql.DB) (database.Driver, error){
		dbtest.SQLite: func(db *sql.DB) (database.Driver, error) {
			return migratesqlite.WithInstance(db, &migratesqlite.Config{})
		},
		dbtest.Postgres: func(db *sql.DB) (database.Driver, error) {
			return migratepgx.WithInstance(db, &migratepgx.Config{MultiStatementEnabled: true, MultiStatementMaxSize: 1 << 20})
		},
		dbtest.MariaDB: func(db *sql.DB) (database.Driver, error) {
			return migratemysql.WithInstance(db, &migratemysql.Config{})
		},
	} {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			dsn := e.DSN(t)
			d, err := driver(dbtest.OpenDSN(t, e.Driver, dsn))
			require.NoError(t, err)
			source, err := iofs.New(e.Dialect.Migrations(), ".")
			require.NoError(t, err)
			m, err := migrate.NewWithInstance("iofs", source, "it", d)
			require.NoError(t, err)
			require.NoError(t, m.Up())
			require.ErrorIs(t, m.Up(), migrate.ErrNoChange)
			version, dirty, err := m.Version()
			require.NoError(t, err)
			require.EqualValues(t, 1, version)
			require.False(t, dirty)
			sourceErr, databaseErr := m.Close()
			require.NoError(t, errors.Join(sourceErr, databaseErr))
			works(t, dbtest.OpenDSN(t, e.Driver, dsn), e)
		})
	}
}
