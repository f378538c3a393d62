package owntable_test

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/cardonfile/cardonfile/examples/internal/databases"
	"github.com/cardonfile/cardonfile/examples/owntable"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
)

func TestAdopt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address := databases.Postgres(t)
	pool, err := pgxpool.New(ctx, address)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(ctx, postgreSQL.users)
	require.NoError(t, err)
	_, err = owntable.Adopt(ctx, pool)
	require.ErrorContains(t, err, "cardonfile_version", "Check should say what is missing")

	schema, err := store.New(new(sql.DB), store.PostgreSQL, &store.Options{Table: owntable.UsersTable()})
	require.NoError(t, err)
	for statement := range strings.SplitSeq(strings.TrimSpace(schema.SQL()), ";\n") {
		_, err = pool.Exec(ctx, statement)
		require.NoError(t, err)
	}
	_, err = pool.Exec(ctx, owntable.StatusGuard)
	require.NoError(t, err)
	rows, err := owntable.Adopt(ctx, pool)
	require.NoError(t, err)

	_, err = pool.Exec(ctx, `INSERT INTO users (id, email) VALUES (42, 'a@example.com'), (43, 'b@example.com')`)
	require.NoError(t, err)
	svc, provider := service(t, rows, nil)
	in, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.NoError(t, provider.Confirm(in.ID, "pm_1"))
	row, err := svc.Cancel(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, row.Status, "the card was saved first")
	require.Equal(t, "member", word(t, pool, 42))
	_, err = svc.Cancel(ctx, "43")
	require.NoError(t, err)
	require.Equal(t, "withdrawn", word(t, pool, 43))

	// Soft deletes, and ids that the column can't hold.
	_, err = pool.Exec(ctx, `UPDATE users SET deleted_at = now() WHERE id = 42`)
	require.NoError(t, err)
	for _, id := range []string{"42", "44", "forty-two"} {
		_, err = rows.Load(ctx, id)
		require.ErrorIs(t, err, setupintent.ErrNotFound, id)
	}
}

// word is the application's word for the user's status.
func word(t *testing.T, pool *pgxpool.Pool, id int) (status string) {
	t.Helper()
	require.NoError(t, pool.QueryRow(context.Background(), `SELECT status FROM users WHERE id = $1`, id).Scan(&status))
	return status
}

// member is the users table as another part of the application sees it.
type member struct {
	ID     int64 `gorm:"primaryKey"`
	Email  string
	Status string
}

func (member) TableName() string { return "users" }

// stale is a user that another part of the application has read while it was
// pending, and who is active by now.
type stale struct {
	rows    *store.Store
	svc     *setupintent.Service
	db      *sql.DB
	gorm    *gorm.DB
	user    member
	active  setupintent.Row
	effects atomic.Int64
}

func readTooEarly(t *testing.T, e engine, guard bool) *stale {
	t.Helper()
	ctx := context.Background()
	s := &stale{db: e.open(t)}
	exec(t, s.db, e.users)
	var err error
	s.rows, err = store.New(s.db, e.dialect, &store.Options{Table: owntable.UsersTable()})
	require.NoError(t, err)
	for statement := range strings.SplitSeq(strings.TrimSpace(s.rows.SQL()), ";\n") {
		exec(t, s.db, statement)
	}
	if guard {
		text, err := os.ReadFile("guard_" + e.dialect.String() + ".sql")
		require.NoError(t, err)
		exec(t, s.db, string(text))
	}
	svc, provider := service(t, s.rows, &setupintent.Options{OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error {
		s.effects.Add(1)
		return nil
	}})
	s.svc, s.gorm = svc, e.gormOn(t, s.db)
	require.NoError(t, s.gorm.Create(&member{ID: 42, Email: "a@example.com", Status: "awaiting_card"}).Error)
	in, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.NoError(t, provider.Confirm(in.ID, "pm_1"))
	require.NoError(t, s.gorm.First(&s.user, 42).Error)
	s.active, err = svc.Activate(ctx, "42", in.ID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, s.active.Status)
	s.user.Email = "b@example.com"
	return s
}

func (s *stale) load(t *testing.T) setupintent.Row {
	t.Helper()
	r, err := s.rows.Load(context.Background(), "42")
	require.NoError(t, err)
	return r
}

// The stale user is saved whole, and pending is back over active. The next look
// at the row puts it right, and the effect does not run again.
func TestStaleSave(t *testing.T) {
	t.Parallel()
	on(t, engines, func(t *testing.T, e engine) {
		s := readTooEarly(t, e, false)
		require.NoError(t, s.gorm.Save(&s.user).Error)
		require.Equal(t, setupintent.Pending, s.load(t).Status, "this is what happens")

		now, err := s.svc.Refresh(context.Background(), "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Active, now.Status)
		require.EqualValues(t, 1, s.effects.Load())
	})
}

// With the guard it is the save that fails, and nothing has happened.
func TestStatusGuard(t *testing.T) {
	t.Parallel()
	on(t, engines, func(t *testing.T, e engine) {
		s := readTooEarly(t, e, true)
		require.ErrorContains(t, s.gorm.Save(&s.user).Error, "a stale save?")
		require.Equal(t, s.active, s.load(t))

		// Who writes other columns, or knows the rule, is not in its way.
		require.NoError(t, s.gorm.Model(&s.user).Update("email", "b@example.com").Error)
		exec(t, s.db, `UPDATE users SET status = 'banned', cardonfile_version = cardonfile_version + 1 WHERE id = 42`)
		require.EqualValues(t, "banned", s.load(t).Status)
	})
}
