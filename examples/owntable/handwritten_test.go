package owntable_test

import (
	"context"
	"database/sql"
	_ "embed"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/examples/owntable"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

//go:embed usersdb/schema.sql
var usersSchema string

func TestHandwritten(t *testing.T) {
	t.Parallel()
	on(t, []engine{sqlite, postgreSQL}, func(t *testing.T, e engine) {
		db := e.open(t)
		exec(t, db, usersSchema)
		users := owntable.Users{DB: db}
		run := func(query string, args ...any) error {
			_, err := db.ExecContext(context.Background(), query, args...)
			return err
		}
		harness := setupintenttest.StoreHarness{
			Store: users,
			Insert: func(id string, deadline time.Time) error {
				due := sql.NullInt64{Int64: deadline.UnixMicro(), Valid: !deadline.IsZero()}
				return run(`INSERT INTO users (id, card_due) VALUES ($1, $2)`, id, due)
			},
			SetStatus: func(id string, status setupintent.Status) error {
				return run(`UPDATE users SET status = $1, card_version = card_version + 1 WHERE id = $2`, string(status), id)
			},
			Delete: func(id string) { _ = run(`DELETE FROM users WHERE id = $1`, id) },
		}
		setupintenttest.TestStore(t, func(testing.TB) setupintenttest.StoreHarness { return harness })
		setupintenttest.TestDue(t, func(testing.TB) setupintenttest.DueHarness {
			return setupintenttest.DueHarness{StoreHarness: harness, Due: users.Due}
		})
	})
}

// A row that can't be read is an error that says which, and stops no sweep.
func TestHandwrittenUnreadable(t *testing.T) {
	t.Parallel()
	on(t, []engine{sqlite, postgreSQL}, func(t *testing.T, e engine) {
		ctx := context.Background()
		db := e.open(t)
		exec(t, db, usersSchema)
		exec(t, db, `INSERT INTO users (id, card_due, card_progress) VALUES ('a', 1, 'oops'), ('b', 2, 'oops'), ('c', 3, NULL), ('d', 4, NULL)`)
		users := owntable.Users{DB: db}
		_, err := users.Load(ctx, "a")
		require.ErrorContains(t, err, `user "a", card_progress`)
		due, err := users.Due(ctx, time.Now(), setupintent.Row{}, 2)
		require.NoError(t, err)
		require.Len(t, due, 2)
		require.Equal(t, "c", due[0].ID)
		require.Equal(t, "d", due[1].ID)
	})
}
