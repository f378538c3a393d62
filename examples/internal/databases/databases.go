// Package databases gives tests databases of their own on the servers that there
// are.
package databases

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // driver mysql
	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx

	"github.com/cardonfile/cardonfile/internal/loud"
)

// server is a database server that must be there already.
type server struct {
	name   string
	driver string
	env    string // names a variable with the DSN, up to the database's name
	base   string // without it
	home   string // what follows for a database that is always there
	fresh  string // what follows for a new one, named %s
	create string
	drop   string
	find   func() error
}

var (
	postgres = newServer(server{
		name: "PostgreSQL", driver: "pgx", env: "CARDONFILE_TEST_POSTGRES", base: "postgres://postgres@127.0.0.1:5432/",
		home: "postgres?sslmode=disable", fresh: "postgres?sslmode=disable&search_path=%s",
		create: "CREATE SCHEMA %s", drop: "DROP SCHEMA %s CASCADE",
	})
	mariadb = newServer(server{
		name: "MariaDB", driver: "mysql", env: "CARDONFILE_TEST_MARIADB", base: "root@tcp(127.0.0.1:3306)/",
		fresh: "%s", create: "CREATE DATABASE %s", drop: "DROP DATABASE %s",
	})
)

func newServer(s server) *server {
	if base := os.Getenv(s.env); base != "" {
		s.base = base
	}
	s.find = sync.OnceValue(func() error {
		db, err := sql.Open(s.driver, s.base+s.home)
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

// Postgres returns the DSN of an empty schema in PostgreSQL, for pgx, which ends
// with the test. Without a server the test is skipped, and fails under CI=true.
func Postgres(t testing.TB) string {
	t.Helper()
	return postgres.dsn(t)
}

// MariaDB returns the DSN of an empty database in MariaDB, as Postgres does.
func MariaDB(t testing.TB) string {
	t.Helper()
	return mariadb.dsn(t)
}

func (s *server) dsn(t testing.TB) string {
	t.Helper()
	// Go runs a test anew if a variable that it has looked at has changed.
	base, ci := os.Getenv(s.env), os.Getenv("CI")
	switch err := s.find(); {
	case err != nil && ci == "true":
		t.Fatalf("%s does not answer, and under CI=true it must: %v", s.name, err)
	case err != nil:
		t.Skipf("%s does not answer (.ci/databases starts it): %v", s.name, err)
	case base == "":
		base = s.base
	}
	var b [6]byte
	_, _ = rand.Read(b[:])
	name := "cardonfile_" + hex.EncodeToString(b[:])
	admin, err := sql.Open(s.driver, s.base+s.home)
	if err != nil {
		t.Fatal(err)
	}
	run := func(statement string) {
		if _, err := admin.ExecContext(context.Background(), fmt.Sprintf(statement, name)); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	run(s.create)
	t.Cleanup(func() {
		run(s.drop)
		_ = admin.Close()
	})
	return base + fmt.Sprintf(s.fresh, name)
}

// Main runs the tests of a package, after it has told in one line on which
// servers they will not be run.
func Main(m *testing.M, pkg string) {
	var missing []string
	for _, s := range []*server{postgres, mariadb} {
		if s.find() != nil {
			missing = append(missing, s.name)
		}
	}
	if len(missing) > 0 {
		loud.Println(fmt.Sprintf("*** %s: NOT TESTED on %s: no server answers. `.ci/databases` installs and starts them; then run `go test ./%s`. ***",
			pkg, strings.Join(missing, " and "), pkg))
	}
	os.Exit(m.Run())
}
