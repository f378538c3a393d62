package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver named sqlite

	"github.com/cardonfile/cardonfile/store"
)

// database is where signups are kept.
type database struct {
	dialect store.Dialect
	name    string // a file, or host/name; no password
	open    func() (*sql.DB, error)
}

// parseDatabase reads -db. Its errors show no password.
func parseDatabase(db string) (database, error) {
	scheme, _, hasScheme := strings.Cut(db, "://")
	switch {
	case db == "", strings.HasPrefix(db, ":memory:"):
		return database{}, errors.New("-db needs a file: signups are to outlive the process")
	case scheme == "postgres", scheme == "postgresql", settings.MatchString(db):
		return postgres(db)
	case scheme == "mysql", scheme == "mariadb":
		u, err := url.Parse(db)
		if err != nil {
			return database{}, errors.New("-db is no URL of the form mysql://user:password@host:3306/name")
		}
		return mariadb(goDSN(u))
	case mysqlDSN.MatchString(db):
		return mariadb(db)
	case hasScheme:
		return database{}, fmt.Errorf("-db %s://… is none of a file, postgres://… and mysql://…", scheme)
	}
	return sqlite(strings.TrimPrefix(db, "file:")), nil
}

var (
	settings = regexp.MustCompile(`^\s*(host|dbname|user|port)\s*=`) // libpq's other form
	mysqlDSN = regexp.MustCompile(`@(tcp|unix)\(`)                   // go-sql-driver's own form
)

func postgres(dsn string) (database, error) {
	cfg, err := pgx.ParseConfig(dsn) // its error hides the password
	if err != nil {
		return database{}, fmt.Errorf("-db: %w", err)
	}
	return database{store.PostgreSQL, cfg.Host + "/" + cfg.Database, func() (*sql.DB, error) {
		return stdlib.OpenDB(*cfg), nil
	}}, nil
}

func mariadb(dsn string) (database, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil || cfg.DBName == "" {
		return database{}, errors.New("-db must be mysql://user:password@host:3306/name, or user:password@tcp(host:3306)/name")
	}
	cfg.InterpolateParams = true // a round trip less
	return database{store.MySQL, cfg.Addr + "/" + cfg.DBName, func() (*sql.DB, error) {
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(connector), nil
	}}, nil
}

// goDSN is the URL as go-sql-driver writes it.
func goDSN(u *url.URL) string {
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.Net, cfg.Addr, cfg.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	dsn := cfg.FormatDSN()
	if u.RawQuery != "" {
		separator := "?"
		if strings.Contains(dsn, "?") {
			separator = "&"
		}
		dsn += separator + u.RawQuery
	}
	return dsn
}

func sqlite(file string) database {
	address := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate"}
	return database{store.SQLite, file, func() (*sql.DB, error) { return sql.Open("sqlite", address.String()) }}
}

// beside is a file to go with the database: beside its own, or in the working
// directory, named after it.
func (d database) beside(extension string) string {
	if d.dialect == store.SQLite {
		return d.name + extension
	}
	return strings.NewReplacer("/", "-", `\`, "-", ":", "-").Replace(strings.Trim(d.name, "/")) + extension
}
