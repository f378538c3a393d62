package conformance_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/store"
)

// A table whose due column has no index is found out at the start: each sweep
// would read all of it.
func TestCheckIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	schemas := map[store.Dialect]string{store.PostgreSQL: "current_schema()", store.MySQL: "DATABASE()", store.SQLite: "'main'"}
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			exec := func(query string) {
				t.Helper()
				_, err := db.ExecContext(ctx, query)
				require.NoError(t, err)
			}
			exec(`CREATE TABLE accounts (id VARCHAR(40) NOT NULL PRIMARY KEY, status VARCHAR(20) NOT NULL, version BIGINT NOT NULL, due ` +
				map[store.Dialect]string{store.PostgreSQL: "timestamptz", store.MySQL: "DATETIME(6)", store.SQLite: "INTEGER"}[e.Dialect] + `, progress TEXT)`)
			var schema string
			require.NoError(t, db.QueryRowContext(ctx, `SELECT `+schemas[e.Dialect]).Scan(&schema))
			var stores []*store.Store
			for _, name := range []string{"accounts", schema + ".accounts"} {
				s, err := store.New(db, e.Dialect, &store.Options{Table: &store.Table{Name: name, Version: "version", Due: "due", Progress: "progress"}})
				require.NoError(t, err)
				stores = append(stores, s)
			}
			exec(`CREATE INDEX accounts_status ON accounts (status, due)`)
			for _, s := range stores {
				require.ErrorContains(t, s.Check(ctx), "accounts begins with due")
			}
			exec(`CREATE INDEX accounts_due ON accounts (due, id)`)
			for _, s := range stores {
				require.NoError(t, s.Check(ctx))
			}
		})
	}
}
