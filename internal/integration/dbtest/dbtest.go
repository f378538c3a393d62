// Package dbtest finds the databases that the integration tests run on, and
// gives each test one of its own.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/loud"
	"github.com/cardonfile/cardonfile/store"
	_ "github.com/go-sql-driver/mysql" // driver mysql
	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx
	_ "github.com/lib/pq"              // driver postgres
	_ "modernc.org/sqlite"             // driver sqlite
)

// Engine is a database with one of its drivers.
type Engine struct {
	Name    string
	Driver  string
	Dialect store.Dialect

	server *server // nil: in a file
	params string  // to be added to every DSN
	hasty  string  // to be added, too, unless Durable
}

// The engines that the tests run on. They answer a commit before it is on the
// disk, where a session can say so: no test cuts the power.
var (
	SQLite   = Engine{Name: "SQLite", Driver: "sqlite", Dialect: store.SQLite, hasty: "&_pragma=synchronous(OFF)"}
	Postgres = Engine{Name: "PostgreSQL, pgx", Driver: "pgx", Dialect: store.PostgreSQL, server: postgres, hasty: "&synchronous_commit=off"}
	LibPQ    = Engine{Name: "PostgreSQL, lib/pq", Driver: "postgres", Dialect: store.PostgreSQL, server: postgres, hasty: "&synchronous_commit=off"}
	MariaDB  = Engine{Name: "MariaDB", Driver: "mysql", Dialect: store.MySQL, server: mariadb}
)

// All returns every engine.
func All() []Engine { return []Engine{SQLite, Postgres, LibPQ, MariaDB} }

// With returns the engine with more parameters in its DSN, as in "a=b&c=d".
func (e Engine) With(params string) Engine {
	e.params += "&" + params
	return e
}

// Durable returns the engine as an application would use it: what is committed is
// on the disk.
func (e Engine) Durable() Engine {
	e.hasty = ""
	return e
}

// server is a database server that must be there already.
type server struct {
	name, env string
	driver    string
	fallback  string // the DSN, up to the database's name
	home      string // the database to be in while a new one is made
	params    string
	create    string
	drop      string
	isolate   func(name string) (database, params string)
	find      func() error
}

var postgres, mariadb = newServer(server{
	name: "PostgreSQL", env: "CARDONFILE_TEST_POSTGRES", driver: "pgx", fallback: "postgres://postgres@127.0.0.1:5432/",
	home: "postgres", params: "sslmode=disable", create: "CREATE SCHEMA %s", drop: "DROP SCHEMA %s CASCADE",
	isolate: func(name string) (string, string) { return "postgres", "&search_path=" + name },
}), newServer(server{
	name: "MariaDB", env: "CARDONFILE_TEST_MARIADB", driver: "mysql", fallback: "root@tcp(127.0.0.1:3306)/",
	create: "CREATE DATABASE %s", drop: "DROP DATABASE %s",
	isolate: func(name string) (string, string) { return name, "" },
})

func newServer(s server) *server {
	s.find = sync.OnceValue(func() error {
		db, err := s.admin()
		if err != nil {
			return err
		}
		defer db.Close() //nolint:errcheck // it has answered, or it has not
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return db.PingContext(ctx)
	})
	return &s
}

// dsn returns the address of one database.
func (s *server) dsn(database, params string) string {
	base := s.fallback
	if v := os.Getenv(s.env); v != "" {
		base = v
	}
	return base + database + "?" + strings.TrimPrefix(s.params+params, "&")
}

func (s *server) admin() (*sql.DB, error) { return sql.Open(s.driver, s.dsn(s.home, "")) }

// Missing returns the names of the servers that do not answer.
func Missing() []string {
	var missing []string
	for _, s := range []*server{postgres, mariadb} {
		if s.find() != nil {
			missing = append(missing, s.name)
		}
	}
	return missing
}

// Require skips the test if the engine's server does not answer; under CI=true
// it fails it.
func (e Engine) Require(t testing.TB) {
	t.Helper()
	if e.server == nil {
		return
	}
	err := e.server.find()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s does not answer, and under CI=true it must: %v", e.server.name, err)
	default:
		t.Skipf("%s does not answer (.ci/databases starts it): %v", e.server.name, err)
	}
}

// DSN returns the address of a new, empty database, which ends with the test.
func (e Engine) DSN(t testing.TB) string {
	t.Helper()
	e.Require(t)
	if e.server == nil {
		params := e.params + e.hasty
		if !strings.Contains(params, "journal_mode") { // it can't be changed twice while others open the file
			params += "&_pragma=journal_mode(WAL)"
		}
		return "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=busy_timeout(10000)&_txlock=immediate" + params
	}
	var b [6]byte
	_, _ = rand.Read(b[:])
	name := "cardonfile_" + hex.EncodeToString(b[:])
	admin, err := e.server.admin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	run := func(statement string) {
		if _, err := admin.ExecContext(context.Background(), fmt.Sprintf(statement, name)); err != nil {
			t.Errorf("%s %s: %v", statement, name, err)
		}
	}
	run(e.server.create)
	t.Cleanup(func() { run(e.server.drop) })
	database, params := e.server.isolate(name)
	return e.server.dsn(database, params+e.params+e.hasty)
}

// Open returns a pool on a new, empty database, which ends with the test.
func (e Engine) Open(t testing.TB) *sql.DB {
	t.Helper()
	return OpenDSN(t, e.Driver, e.DSN(t))
}

// OpenDSN returns a pool that ends with the test.
func OpenDSN(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	return db
}

// Notice tells, in one line, what a run of the tests leaves out.
func Notice() {
	if missing := Missing(); len(missing) > 0 {
		loud.Println(fmt.Sprintf("*** NOT TESTED on %s: no server answers. `.ci/databases` installs and starts them; then run `make conformance`. ***",
			strings.Join(missing, " and ")))
	}
}
