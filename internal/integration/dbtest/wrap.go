package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"
)

// Wrapped is a driver with something in between. The zero Wrapped passes
// everything on.
type Wrapped struct {
	// Rewrite changes a statement before it is sent. Nil: nothing is changed.
	Rewrite func(query string) string

	// Cut is asked after each statement and each commit that took effect; true
	// cuts the connection before the answer arrives. Nil: never.
	Cut func() bool

	Statements atomic.Int64 // sent, BEGIN, COMMIT and ROLLBACK among them
}

// OpenWrapped returns a pool on the database, with w in between, which ends with
// the test.
func (e Engine) OpenWrapped(t testing.TB, dsn string, w *Wrapped) *sql.DB {
	t.Helper()
	plain, err := sql.Open(e.Driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close() //nolint:errcheck // it was only asked for its driver
	var connector driver.Connector = dsnConnector{dsn, plain.Driver()}
	if d, ok := plain.Driver().(driver.DriverContext); ok {
		if connector, err = d.OpenConnector(dsn); err != nil {
			t.Fatal(err)
		}
	}
	db := sql.OpenDB(wrappedConnector{connector, w})
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	return db
}

type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

type wrappedConnector struct {
	driver.Connector
	w *Wrapped
}

func (c wrappedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &wrappedConn{Conn: conn, w: c.w}, nil
}

// wrappedConn offers what every driver here has.
type wrappedConn struct {
	driver.Conn
	w    *Wrapped
	dead bool
}

var (
	errCut       = errors.New("dbtest: the connection is cut")
	errOldDriver = errors.New("dbtest: the driver has no contexts")
)

func (c *wrappedConn) rewrite(query string) string {
	c.w.Statements.Add(1)
	if c.w.Rewrite == nil {
		return query
	}
	return c.w.Rewrite(query)
}

// cut returns err, or that the connection is gone.
func (c *wrappedConn) cut(err error) error {
	if err == nil && c.w.Cut != nil && c.w.Cut() {
		c.dead = true
		return errCut
	}
	return err
}

func (c *wrappedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	execer, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	result, err := execer.ExecContext(ctx, c.rewrite(query), args)
	return result, c.cut(err)
}

func (c *wrappedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	queryer, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return queryer.QueryContext(ctx, c.rewrite(query), args)
}

func (c *wrappedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	query = c.rewrite(query)
	var stmt driver.Stmt
	var err error
	if p, ok := c.Conn.(driver.ConnPrepareContext); ok {
		stmt, err = p.PrepareContext(ctx, query)
	} else {
		stmt, err = c.Prepare(query)
	}
	if err != nil {
		return nil, err
	}
	return wrappedStmt{stmt, c}, nil
}

func (c *wrappedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.w.Statements.Add(1)
	beginner, ok := c.Conn.(driver.ConnBeginTx)
	if !ok {
		return nil, errOldDriver
	}
	tx, err := beginner.BeginTx(ctx, opts)
	return wrappedTx{tx, c}, err
}

func (c *wrappedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *wrappedConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *wrappedConn) IsValid() bool {
	if v, ok := c.Conn.(driver.Validator); ok && !v.IsValid() {
		return false
	}
	return !c.dead
}

// wrappedStmt is for drivers that answer ErrSkip to ExecContext with arguments.
type wrappedStmt struct {
	driver.Stmt
	conn *wrappedConn
}

func (s wrappedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	execer, ok := s.Stmt.(driver.StmtExecContext)
	if !ok {
		return nil, errOldDriver
	}
	result, err := execer.ExecContext(ctx, args)
	return result, s.conn.cut(err)
}

func (s wrappedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	queryer, ok := s.Stmt.(driver.StmtQueryContext)
	if !ok {
		return nil, errOldDriver
	}
	return queryer.QueryContext(ctx, args)
}

func (s wrappedStmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return s.conn.CheckNamedValue(v)
}

type wrappedTx struct {
	driver.Tx
	conn *wrappedConn
}

func (t wrappedTx) Commit() error {
	t.conn.w.Statements.Add(1)
	return t.conn.cut(t.Tx.Commit())
}

func (t wrappedTx) Rollback() error {
	t.conn.w.Statements.Add(1)
	return t.Tx.Rollback()
}
