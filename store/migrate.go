package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed schema
var schema embed.FS

// Migrations returns the files that create cardonfile_rows, in the order of the
// numbers that they begin with. goose and golang-migrate read them, too. There
// are none for the way back. Whoever uses another tool than [Store.Migrate] uses
// it from the first file on.
func (d Dialect) Migrations() fs.FS {
	sub, err := fs.Sub(schema, "schema/"+d.String())
	if err != nil {
		return embed.FS{}
	}
	return sub
}

// Migration is one step of the schema of cardonfile_rows.
type Migration struct {
	Version int
	Name    string    // of its file
	Applied time.Time // zero: not by Migrate
}

// Migrate creates cardonfile_rows, or brings it up to date. It keeps account of
// what it has done in cardonfile_migrations. It is safe to be called by every
// process at its start: one works, and the others wait. Where nothing is to be
// done, it only reads. A table of the application's own it leaves alone; see
// [Store.SQL].
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.ownOnly("Migrate"); err != nil {
		return err
	}
	steps, err := s.Status(ctx)
	if err == nil && !slices.ContainsFunc(steps, func(m Migration) bool { return m.Applied.IsZero() }) {
		return nil
	} // what is left, or an error, is looked at again under the lock
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	return s.dialect.exclusively(ctx, conn, func(q Querier) error { return s.migrate(ctx, q) })
}

func (s *Store) migrate(ctx context.Context, q Querier) error {
	create := `CREATE TABLE IF NOT EXISTS cardonfile_migrations (version INTEGER NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, applied ` + timeType[s.dialect] + ` NOT NULL)`
	if _, err := q.ExecContext(ctx, create); err != nil {
		return fmt.Errorf("store: cardonfile_migrations: %w", err)
	}
	steps, err := s.status(ctx, q)
	if err != nil {
		return err
	}
	for _, m := range steps {
		if !m.Applied.IsZero() {
			continue
		}
		text, err := fs.ReadFile(s.dialect.Migrations(), m.Name)
		if err != nil {
			return err
		}
		for _, statement := range split(string(text)) {
			if _, err := q.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("store: migration %s: %w", m.Name, err)
			}
		}
		record := s.dialect.bind(`INSERT INTO cardonfile_migrations (version, name, applied) VALUES (?, ?, ?)`)
		if _, err := q.ExecContext(ctx, record, m.Version, m.Name, s.dialect.time(s.opts.Now())); err != nil {
			return fmt.Errorf("store: cardonfile_migrations: %w", err)
		}
	}
	return nil
}

var timeType = map[Dialect]string{PostgreSQL: "timestamptz", MySQL: "DATETIME(6)", SQLite: "INTEGER"}

// split returns the statements of a file: each ends with a semicolon at the end
// of a line.
func split(text string) []string {
	var statements []string
	for _, part := range strings.Split(text, ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			statements = append(statements, part)
		}
	}
	return statements
}

// Status returns the steps of the schema, oldest first, and when Migrate applied
// each. It changes nothing, and knows nothing of what other tools did.
func (s *Store) Status(ctx context.Context) ([]Migration, error) {
	if err := s.ownOnly("Status"); err != nil {
		return nil, err
	}
	var exists bool
	query := map[Dialect]string{
		PostgreSQL: `SELECT to_regclass('cardonfile_migrations') IS NOT NULL`,
		MySQL:      `SELECT COUNT(*) > 0 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'cardonfile_migrations'`,
		SQLite:     `SELECT COUNT(*) > 0 FROM sqlite_master WHERE name = 'cardonfile_migrations'`,
	}[s.dialect]
	if err := s.db.QueryRowContext(ctx, query).Scan(&exists); err != nil {
		return nil, err
	}
	if !exists {
		return s.steps()
	}
	return s.status(ctx, s.db)
}

// steps returns the steps of the schema, none applied.
func (s *Store) steps() ([]Migration, error) {
	files, err := fs.Glob(s.dialect.Migrations(), "*.sql")
	if err != nil {
		return nil, err
	}
	var steps []Migration
	for _, name := range files {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		steps = append(steps, Migration{Version: version, Name: name})
	}
	return steps, nil
}

func (s *Store) status(ctx context.Context, q Querier) ([]Migration, error) {
	steps, err := s.steps()
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, `SELECT version, `+s.dialect.selectTime("applied")+` FROM cardonfile_migrations`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var version int
		var applied any
		if err := rows.Scan(&version, &applied); err != nil {
			return nil, err
		}
		at, err := s.dialect.readTime(applied)
		if err != nil {
			return nil, err
		}
		for i := range steps {
			if steps[i].Version == version {
				steps[i].Applied = at
			}
		}
	}
	return steps, rows.Err()
}

// exclusively runs f on conn while no other process runs one. In PostgreSQL and
// SQLite it is a transaction; in MySQL, where a CREATE TABLE can't be undone,
// every statement may be run again.
func (d Dialect) exclusively(ctx context.Context, conn *sql.Conn, f func(Querier) error) error {
	switch d {
	case MySQL:
		return lockMySQL(ctx, conn, f)
	case SQLite:
		return lockSQLite(ctx, conn, f)
	}
	// A snapshot taken before the wait for the lock would not show what the others
	// have done meanwhile.
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back; else the error that led here is the one to return
	// The number is arbitrary: "cardfile" in ASCII.
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(7161130658036280421)`); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func lockMySQL(ctx context.Context, conn *sql.Conn, f func(Querier) error) error {
	const name = `CONCAT('cardonfile:', MD5(DATABASE()))` // locks are the server's, not the database's
	for got := false; !got; {
		var locked sql.NullBool
		if err := conn.QueryRowContext(ctx, `SELECT GET_LOCK(`+name+`, 1)`).Scan(&locked); err != nil {
			return err
		}
		if !locked.Valid {
			return errors.New("store: MySQL gives no lock; is a database selected?")
		}
		got = locked.Bool
	}
	err := f(conn)
	_, releaseErr := conn.ExecContext(context.WithoutCancel(ctx), `DO RELEASE_LOCK(`+name+`)`)
	return errors.Join(err, releaseErr)
}

func lockSQLite(ctx context.Context, conn *sql.Conn, f func(Querier) error) error {
	var timeout int
	if err := conn.QueryRowContext(ctx, `PRAGMA busy_timeout`).Scan(&timeout); err != nil {
		return err
	}
	after := context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(ctx, `PRAGMA busy_timeout = 30000`); err != nil {
		return err
	}
	defer conn.ExecContext(after, `PRAGMA busy_timeout = `+strconv.Itoa(timeout)) //nolint:errcheck // the connection then waits longer than it was told
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	err := f(conn)
	if err == nil {
		_, err = conn.ExecContext(after, `COMMIT`) // which leaves the transaction open when it fails
	}
	if err == nil {
		return nil
	}
	_, rollbackErr := conn.ExecContext(after, `ROLLBACK`)
	if rollbackErr != nil { // no open transaction goes back to the pool
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return errors.Join(err, rollbackErr)
}

// Check returns an error if the table, one of its columns or the index that finds
// due rows is missing, if the ids are of another type, if the status column, a
// number or an enum, can't hold one of the words, or if PostgreSQL pads either with
// spaces. SQLite does not know the types, and a word that is too long or that a
// constraint refuses is not noticed. It is for setupintent.Service.Check, at the
// start of a program, or a readiness probe.
func (s *Store) Check(ctx context.Context) error {
	schema, name := "", s.table.Name
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		schema, name = name[:dot], name[dot+1:]
	}
	err := s.checkColumns(ctx)
	if err == nil && s.dialect == MySQL {
		err = s.checkTypes(ctx, schema, name)
	}
	if err == nil && s.dialect == PostgreSQL {
		err = s.checkPadding(ctx)
	}
	if err != nil {
		return fmt.Errorf("store: the table %s is not what New was told (%s): %w", s.table.Name, s.columns(), err)
	}
	args := []any{schema, name, s.table.Due}
	if s.dialect == PostgreSQL {
		args = []any{s.dialect.quote(s.table.Name), s.table.Due}
	}
	var indexed bool
	if err := s.db.QueryRowContext(ctx, s.dialect.bind(indexSQL[s.dialect]), args...).Scan(&indexed); err != nil {
		return fmt.Errorf("store: the indexes of %s can't be read: %w", s.table.Name, err)
	}
	if !indexed {
		return fmt.Errorf("store: no index of %s begins with %s, and every sweep would read the whole table: create it as Store.SQL has it", s.table.Name, s.table.Due)
	}
	return nil
}

// checkColumns runs a query that finds nothing. PostgreSQL refuses it if a
// parameter is none of its column's type.
func (s *Store) checkColumns(ctx context.Context) error {
	args := []any{[...]any{Text: "a", BigInt: 0, UUID: "00000000-0000-0000-0000-000000000000"}[s.table.IDType]}
	for _, status := range statuses {
		args = append(args, s.table.word(status))
	}
	rows, err := s.db.QueryContext(ctx, s.sql.check, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	rows.Next()
	return rows.Err()
}

// checkPadding refuses PostgreSQL's char(n), of which every value is padded with
// spaces: "pending  " is not pending.
func (s *Store) checkPadding(ctx context.Context) error {
	var column, padded string
	err := s.db.QueryRowContext(ctx, `SELECT a.attname, format_type(a.atttypid, a.atttypmod)
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = to_regclass($1) AND a.attname IN ($2, $3) AND 'bpchar'::regtype IN (t.oid, t.typbasetype)
		ORDER BY a.attnum LIMIT 1`, s.dialect.quote(s.table.Name), s.table.ID, s.table.Status).Scan(&column, &padded)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("the column %s is of the type %s, which pads what it holds with spaces: use varchar or text", column, padded)
}

// checkTypes looks at the types of the columns in MySQL, which compares anything
// with anything.
func (s *Store) checkTypes(ctx context.Context, schema, table string) error {
	columnType := func(column string) (t string, err error) {
		err = s.db.QueryRowContext(ctx, `SELECT column_type FROM information_schema.columns
			WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ? AND LOWER(column_name) = LOWER(?)`, schema, table, column).Scan(&t)
		return t, err
	}
	id, err := columnType(s.table.ID)
	if err != nil {
		return err
	}
	if t := s.table.IDType; isInteger(id) != (t == BigInt) || id == "uuid" && t == Text {
		return fmt.Errorf("the column %s is of the type %s, and IDType is %s", s.table.ID, id, [...]string{Text: "Text", BigInt: "BigInt", UUID: "UUID"}[t])
	}
	status, err := columnType(s.table.Status)
	if err != nil {
		return err
	}
	for _, ours := range statuses {
		word := s.table.word(ours)
		_, err := strconv.Atoi(word)
		if isInteger(status) && err != nil || isEnum(status) && !strings.Contains(status, "'"+strings.ReplaceAll(word, "'", "''")+"'") {
			return fmt.Errorf("the column %s is of the type %s, which does not have the word %q", s.table.Status, status, word)
		}
	}
	return nil
}

var (
	isInteger = regexp.MustCompile(`^(tiny|small|medium|big)?int\b`).MatchString
	isEnum    = regexp.MustCompile(`^enum\b`).MatchString
)

// indexSQL tells whether an index of the table begins with the column. One that
// PostgreSQL could not finish, concurrently, is none.
var indexSQL = map[Dialect]string{
	PostgreSQL: `SELECT EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = to_regclass(?) AND a.attname = ? AND i.indisvalid)`,
	MySQL: `SELECT EXISTS (SELECT 1 FROM information_schema.statistics
		WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ? AND seq_in_index = 1 AND LOWER(column_name) = LOWER(?))`,
	SQLite: `SELECT EXISTS (SELECT 1 FROM (SELECT NULLIF(?, '') AS name) s, pragma_index_list(?, s.name) l, pragma_index_info(l.name, s.name) i
		WHERE i.seqno = 0 AND LOWER(i.name) = LOWER(?))`,
}

func (s *Store) columns() string {
	t := s.table
	return strings.Join([]string{t.ID, t.Status, t.Version, t.Due, t.Progress}, ", ")
}

// SQL returns what has to be run for the store's table, for teams that run their
// migrations themselves: everything of cardonfile_rows, or what a table of the
// application's own needs in addition to its id and its status. Nothing of this
// package runs the latter. On PostgreSQL its index is built without locking the
// table, outside a transaction; on a partitioned table, leave out CONCURRENTLY,
// which PostgreSQL refuses there.
func (s *Store) SQL() string {
	if !s.own {
		return s.adoptSQL()
	}
	steps, _ := s.steps() // never fails: the files are part of the program
	var b strings.Builder
	for _, m := range steps {
		text, _ := fs.ReadFile(s.dialect.Migrations(), m.Name)
		b.Write(text)
	}
	return b.String()
}

func (s *Store) adoptSQL() string {
	d, t := s.dialect, s.table
	index := t.Name[strings.LastIndexByte(t.Name, '.')+1:] + "_" + t.Due
	template := adoptSQL[d]
	return strings.NewReplacer(
		"{table}", d.quote(t.Name),
		"{id}", d.quote(t.ID),
		"{version}", d.quote(t.Version),
		"{due}", d.quote(t.Due),
		"{progress}", d.quote(t.Progress),
		"{index}", d.quote(index[:min(len(index), 63)]),
	).Replace(template)
}

// PostgreSQL's CHECK is not valid of the rows that there are: their due is NULL, and
// the table need not be read while it is locked.
var adoptSQL = map[Dialect]string{
	PostgreSQL: `ALTER TABLE {table}
    ADD COLUMN {version} bigint NOT NULL DEFAULT 0,
    ADD COLUMN {due} timestamptz,
    ADD COLUMN {progress} text,
    ADD CHECK (isfinite({due})) NOT VALID;
CREATE INDEX CONCURRENTLY {index} ON {table} ({due}, {id}) WHERE {due} IS NOT NULL;
`,
	MySQL: `ALTER TABLE {table}
    ADD COLUMN {version} BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN {due} DATETIME(6) NULL,
    ADD COLUMN {progress} MEDIUMTEXT CHARACTER SET utf8mb4 NULL,
    ADD INDEX {index} ({due}, {id});
`,
	SQLite: `ALTER TABLE {table} ADD COLUMN {version} INTEGER NOT NULL DEFAULT 0;
ALTER TABLE {table} ADD COLUMN {due} INTEGER CHECK (typeof({due}) IN ('integer', 'null'));
ALTER TABLE {table} ADD COLUMN {progress} TEXT;
CREATE INDEX {index} ON {table} ({due}, {id}) WHERE {due} IS NOT NULL;
`,
}
