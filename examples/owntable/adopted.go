package owntable

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
)

// StatusGuard is a trigger on a users table in PostgreSQL. It refuses a write
// that does not add 1 to the version, as that of a stale save does not.
//
//go:embed guard_postgresql.sql
var StatusGuard string

// UsersTable is how the library is to see the users table that the application
// has.
func UsersTable() *store.Table {
	return &store.Table{
		Name:   "users",
		IDType: store.BigInt,
		Words: map[setupintent.Status]string{ // an enum of the application's
			setupintent.Pending:   "awaiting_card",
			setupintent.Active:    "member",
			setupintent.Abandoned: "expired",
			setupintent.Cancelled: "withdrawn",
		},
		Where: "deleted_at IS NULL",
	}
}

// Adopt returns a store in the users table, on the pgx pool that the application
// has. What Store.SQL prints has been run, and the StatusGuard.
func Adopt(ctx context.Context, pool *pgxpool.Pool) (*store.Store, error) {
	s, err := store.New(stdlib.OpenDBFromPool(pool), store.PostgreSQL, &store.Options{Table: UsersTable()})
	if err != nil {
		return nil, err
	}
	return s, s.Check(ctx)
}
