package conformance_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// breakable is a table whose store's connections can be cut.
type breakable struct {
	*rows
	cut func(when func() bool)
}

// breakable opens the layout twice on one database: the application's way to it
// stays whole, the store's can be cut.
func (l layout) breakable(t testing.TB, e dbtest.Engine, opts store.Options) breakable {
	t.Helper()
	dsn := e.DSN(t)
	var db *sql.DB
	b := breakable{}
	if e.Driver == dbtest.SQLite.Driver { // no network to cut
		w := &dbtest.Wrapped{}
		db = e.OpenWrapped(t, dsn, w)
		b.cut = func(when func() bool) {
			w.Cut = func() bool {
				if when() {
					w.Cut = nil
					return true
				}
				return false
			}
		}
	} else {
		proxy, proxied := e.Proxy(t, dsn)
		db = dbtest.OpenDSN(t, e.Driver, proxied)
		b.cut = func(when func() bool) {
			proxy.CutWhen(func() bool {
				if when() {
					proxy.CutWhen(nil)
					return true
				}
				return false
			})
		}
	}
	b.rows = l.open(t, dbtest.OpenDSN(t, e.Driver, dsn), e, opts)
	opts.Table = l.table
	var err error
	b.store, err = store.New(db, e.Dialect, &opts)
	require.NoError(t, err)
	return b
}

// versions is the sum of all versions: it grows with every write.
func (r *rows) versions(t testing.TB) int64 {
	var n int64
	require.NoError(t, r.db.QueryRowContext(context.Background(), r.sql(`SELECT COALESCE(SUM({version}), 0) FROM {t}`)).Scan(&n))
	return n
}

func (b breakable) harness(t testing.TB) setupintenttest.LostHarness {
	return setupintenttest.LostHarness{
		StoreHarness: b.rows.harness(t),
		Cut: func() {
			before := b.versions(t)
			b.cut(func() bool { return b.versions(t) != before })
		},
	}
}

func TestLostAck(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		b := l.breakable(t, e, store.Options{})
		setupintenttest.TestLostAck(t, b.harness)
	})
}

// The same where a swap to active is a transaction.
func TestLostAckOfEffect(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		b := l.breakable(t, e, store.Options{OnActive: func(context.Context, *sql.Tx, setupintent.Row) error { return nil }})
		setupintenttest.TestLostAck(t, b.harness)
	})
}

func TestDue(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		r := l.open(t, e.Open(t), e, store.Options{})
		setupintenttest.TestDue(t, r.dueHarness)
	})
}
