// Package store keeps rows in the application's database: PostgreSQL,
// MySQL or MariaDB, SQLite. It works on database/sql and imports no driver; the
// application brings the pool.
//
// Rows live in a table of their own, cardonfile_rows, where [Store.Open] finds
// or inserts the pending row of one of the application's users; or, by
// [Options].Table, in a table that the application has. The guide is
// docs/stores.md.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

var (
	_ setupintent.PendingStore = (*Store)(nil)
	_ setupintent.DueStore     = (*Store)(nil)
)

// Querier runs statements: a *sql.DB, *sql.Tx, *sql.Conn, or what an ORM has
// for its transaction, such as GORM's ConnPool.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Options of a Store. The zero Options works; every field says what zero means.
type Options struct {
	// Table is the application's own table that holds the rows. Nil:
	// cardonfile_rows, which Store.Migrate creates.
	Table *Table

	// OnActive runs in the transaction that turns a row active, after the write,
	// with the row as it will be: once for every row, if the transaction commits,
	// and if nobody saves the whole row back as it was before, as an ORM can whose
	// model has the three columns of Table.
	// An error or a panic rolls back; the row stays pending, and the service
	// tries again. So does the store itself after a deadlock or a serialization
	// failure. It must return the error of every statement, and must not end the
	// transaction.
	//
	// It is for SQL on the transaction, and for nothing else: its context makes
	// providers and stores refuse to be called. What calls other services belongs
	// to setupintent.Options.OnActive. Nil: nothing runs.
	OnActive        func(context.Context, *sql.Tx, setupintent.Row) error
	OnActiveTimeout time.Duration // of the whole transaction; 0: 10s

	// TTL is how long after Open an untouched row expires. 0: never; it then has
	// the service's TTL from its first claim.
	TTL time.Duration

	// NewID returns the id of a row that Open inserts. It must not be guessed
	// where it is all that a request shows. Nil: 24 random hexadecimal digits.
	NewID func() string

	Logger *slog.Logger     // hears of due rows that can't be read, at error; nil: silent
	Now    func() time.Time // nil: time.Now
}

// Store is a PendingStore on a database. It is safe for concurrent use, by many
// processes on one table.
//
// Each method but those that take a [Querier] uses a connection of the pool for
// one statement, or, where Options.OnActive runs and in PostgreSQL's Expire, for one
// transaction, and commits before it returns. A service on the store must therefore not be
// called inside a transaction that has written the row: it would wait for it.
//
// Times are kept in UTC, to the microsecond: timestamptz in PostgreSQL,
// DATETIME(6) in MySQL, an integer in SQLite, the microseconds since 1970.
type Store struct {
	db      *sql.DB
	dialect Dialect
	table   Table
	own     bool
	opts    Options
	sql     statements
	expired bookmark
}

// New returns a Store on db, which must be the primary. The caller is
// responsible for a dialect that matches the driver. A nil opts is the zero
// Options. New does not use the database; [Store.Check] does.
func New(db *sql.DB, dialect Dialect, opts *Options) (*Store, error) {
	if db == nil {
		return nil, errors.New("store: New needs a database")
	}
	if dialect < PostgreSQL || dialect > SQLite {
		return nil, fmt.Errorf("store: unknown %v", dialect)
	}
	s := &Store{db: db, dialect: dialect, own: true, table: ownTable}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.TTL < 0 || s.opts.OnActiveTimeout < 0 {
		return nil, errors.New("store: TTL and OnActiveTimeout must not be negative")
	}
	if s.opts.Table != nil {
		if s.opts.TTL != 0 || s.opts.NewID != nil {
			return nil, errors.New("store: TTL and NewID are for rows that Open inserts, and into a table of its own the application inserts them")
		}
		s.own, s.table = false, *s.opts.Table
	}
	var err error
	if s.table, err = s.table.complete(); err != nil {
		return nil, err
	}
	if s.opts.OnActiveTimeout == 0 {
		s.opts.OnActiveTimeout = 10 * time.Second
	}
	if s.opts.NewID == nil {
		s.opts.NewID = newID
	}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	s.sql = s.statements()
	return s, nil
}

// Load implements [setupintent.PendingStore].
func (s *Store) Load(ctx context.Context, id string) (setupintent.Row, error) {
	if err := s.ready(ctx); err != nil {
		return setupintent.Row{}, err
	}
	arg, ok := s.table.id(id)
	if !ok {
		return setupintent.Row{}, s.notFound(id)
	}
	r, err := s.scan(s.db.QueryRowContext(ctx, s.sql.load, arg))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return setupintent.Row{}, s.notFound(id)
	case err != nil:
		return setupintent.Row{}, err
	case !s.table.same(id, r.ID):
		return setupintent.Row{}, s.notFound(id)
	}
	return r, nil
}

// Swap implements [setupintent.PendingStore]. A write that turns the row active
// runs Options.OnActive, if there is one, and then is a transaction.
func (s *Store) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	if err := s.ready(ctx); err != nil {
		return false, err
	}
	id, ok := s.table.id(prev.ID)
	if !ok || next.Status != prev.Status && prev.Status != setupintent.Pending {
		return false, nil
	}
	progress, err := next.Progress.Value()
	if err != nil {
		return false, err
	}
	write := func(ctx context.Context, q Querier) (bool, error) {
		result, err := q.ExecContext(ctx, s.sql.swap,
			s.table.word(next.Status), s.dialect.time(next.Due), progress, id, s.table.word(prev.Status), prev.Version)
		if err != nil {
			return false, err
		}
		n, err := result.RowsAffected()
		return n > 0, err
	}
	activates := next.Status == setupintent.Active && prev.Status != setupintent.Active && prev.Progress.Phase() != setupintent.Done
	if !activates || s.opts.OnActive == nil {
		return s.again(func() (bool, error) { return s.once(ctx, write) })
	}
	next.ID, next.Version = prev.ID, prev.Version+1
	return s.again(func() (bool, error) { return s.activate(ctx, next, write) })
}

// once runs one statement on one connection. The pool itself would run it again
// when a driver says that the connection was bad, which lib/pq also says when it
// broke after the statement was sent.
func (s *Store) once(ctx context.Context, write func(context.Context, Querier) (bool, error)) (bool, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	return write(ctx, conn)
}

// activate writes the row and runs the application's effect in one transaction.
func (s *Store) activate(ctx context.Context, r setupintent.Row, write func(context.Context, Querier) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.OnActiveTimeout)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back; else the error that led here is the one to return
	won, err := write(ctx, tx)
	if err != nil || !won {
		return false, err
	}
	failed := func(err error) (bool, error) {
		return false, fmt.Errorf("%w: store: OnActive of row %q: %w", setupintent.ErrHook, r.ID, err)
	}
	if err := s.onActive(ctx, tx, r); err != nil {
		return failed(err)
	}
	if err := ctx.Err(); err != nil { // the transaction is rolled back, or about to be
		return failed(err)
	}
	switch err := tx.Commit(); {
	case err == nil:
		return true, nil
	case s.dialect.refused(err):
		return failed(err)
	default:
		return false, err
	}
}

// onActive runs the application's effect. A panic in it is an error.
func (s *Store) onActive(ctx context.Context, tx *sql.Tx, r setupintent.Row) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return s.opts.OnActive(setupintent.WithTransaction(ctx), tx, r)
}

// panicked is the error that a panic is. Its text has the value's type, but not
// the value, which may be anything, a credential too; what the runtime itself
// panics with is harmless.
func panicked(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("it panicked: %w\n%s", err, debug.Stack())
	}
	return fmt.Errorf("it panicked with a %T\n%s", value, debug.Stack())
}

// again runs f until the database does not undo it because of others: then
// nothing was written, and the condition decides. It runs f again, too, when the
// connection was bad; but then a condition that does not hold says nothing, for
// what changed the row may have been f. Any other error leaves the outcome
// unknown.
func (s *Store) again(f func() (bool, error)) (bool, error) {
	var broken error
	for n := 1; ; n++ {
		won, err := f()
		switch {
		case n == maxTries:
		case errors.Is(err, driver.ErrBadConn):
			broken = err
			continue
		case s.dialect.rolledBack(err):
			continue
		}
		if err == nil && !won && broken != nil {
			err = fmt.Errorf("store: the row was changed, maybe by a statement whose connection broke: %w", broken)
		}
		return won, err
	}
}

// maxTries is more than a pool has of connections that a restart of the database
// has cut.
const maxTries = 20

// ready refuses calls from within OnActive, which would wait for a second
// connection, or for the row, for as long as the transaction waits for them.
func (s *Store) ready(ctx context.Context) error {
	if setupintent.InTransaction(ctx) {
		return errors.New("store: called inside OnActive; use its transaction")
	}
	return ctx.Err()
}

func (s *Store) notFound(id string) error {
	return fmt.Errorf("store: row %q: %w", id, setupintent.ErrNotFound)
}
