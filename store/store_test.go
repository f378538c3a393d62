package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
)

// nowhere is a database that does not answer: these tests ask it nothing. Those
// that do are in internal/integration, where the drivers are.
type nowhere struct{}

var errNowhere = errors.New("nowhere")

func (nowhere) Connect(context.Context) (driver.Conn, error) { return nil, errNowhere }
func (nowhere) Driver() driver.Driver                        { return nil }

func noDB(t testing.TB) *sql.DB {
	db := sql.OpenDB(nowhere{})
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

var dialects = []store.Dialect{store.PostgreSQL, store.MySQL, store.SQLite}

func TestNew(t *testing.T) {
	t.Parallel()
	db := noDB(t)
	_, err := store.New(nil, store.SQLite, nil)
	require.ErrorContains(t, err, "New needs a database")
	for _, d := range []store.Dialect{0, 4, -1} {
		_, err := store.New(db, d, nil)
		require.ErrorContains(t, err, "unknown Dialect(")
	}
	words := func(pairs ...string) map[setupintent.Status]string {
		m := map[setupintent.Status]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[setupintent.Status(pairs[i])] = pairs[i+1]
		}
		return m
	}
	users := func(f func(*store.Table)) *store.Options {
		table := store.Table{Name: "users"}
		f(&table)
		return &store.Options{Table: &table}
	}
	tests := []struct {
		name string
		opts *store.Options
		want string // empty: no error
	}{
		{"nothing said", nil, ""},
		{"a negative TTL", &store.Options{TTL: -1}, "must not be negative"},
		{"a negative timeout", &store.Options{OnActiveTimeout: -1}, "must not be negative"},
		{"TTL and a table", &store.Options{Table: &store.Table{Name: "users"}, TTL: 1}, "are for rows that Open inserts"},
		{"NewID and a table", &store.Options{Table: &store.Table{Name: "users"}, NewID: func() string { return "" }}, "are for rows that Open inserts"},
		{"a table", users(func(*store.Table) {}), ""},
		{"a schema", users(func(t *store.Table) { t.Name = "app.Users_2" }), ""},
		{"a condition", users(func(t *store.Table) { t.Where = "(deleted_at IS NULL OR kind IN ('a', 'b')) AND x = 'y'" }), ""},
		{"a condition with literals", users(func(t *store.Table) { t.Where = `x = ')' AND ("(" = 'it''s (' OR z <> '"')` }), ""},
		{"words", users(func(t *store.Table) {
			t.Words = words("pending", "0", "active", "1", "abandoned", "2", "cancelled", "3")
		}), ""},
		{"words that swap places", users(func(t *store.Table) { t.Words = words("pending", "active", "active", "pending") }), ""},
		{"no name", users(func(t *store.Table) { t.Name = "" }), `"" is no name of a table`},
		{"three parts", users(func(t *store.Table) { t.Name = "a.b.c" }), `"a.b.c" is no name of a table`},
		{"an empty schema", users(func(t *store.Table) { t.Name = ".users" }), `is no name of a table`},
		{"a column twice", users(func(t *store.Table) { t.Due = "STATUS" }), `the column "STATUS" is named twice`},
		{"an id type", users(func(t *store.Table) { t.IDType = 3 }), "unknown IDType 3"},
		{"a fifth status", users(func(t *store.Table) { t.Words = words("suspended", "x") }), `the status "suspended", which is none of the four`},
		{"a word twice", users(func(t *store.Table) { t.Words = words("abandoned", "gone", "cancelled", "gone") }), `Words has "gone" for both abandoned and cancelled`},
		{"a word that is another status", users(func(t *store.Table) { t.Words = words("active", "pending") }), `Words has "pending" for both pending and active`},
		{"an empty word", users(func(t *store.Table) { t.Words = words("active", "") }), "no word for active"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, d := range dialects {
				_, err := store.New(db, d, test.opts)
				if test.want == "" {
					require.NoError(t, err)
					continue
				}
				require.ErrorContains(t, err, test.want)
				require.ErrorContains(t, err, "store: ")
			}
		})
	}
}

var hostile = []string{
	"users; DROP TABLE users", `users"`, "users`", "users'", "users ", " users", "a b", "a-b", "1users", "users--", "users/*", "us\x00ers", "üsers",
	"users\n", strings.Repeat("a", 64), "$1", "?", "a.b", "*", "(SELECT 1)", "users\\",
}

// What is written into statements is a name, or New says no.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	db := noDB(t)
	for _, name := range hostile {
		for what, table := range map[string]store.Table{
			"table":    {Name: "." + name},
			"id":       {Name: "users", ID: name},
			"status":   {Name: "users", Status: name},
			"version":  {Name: "users", Version: name},
			"due":      {Name: "users", Due: name},
			"progress": {Name: "users", Progress: name},
		} {
			_, err := store.New(db, store.PostgreSQL, &store.Options{Table: &table})
			require.ErrorContains(t, err, "is no name of a", "%s %q", what, name)
		}
	}
	for _, where := range []string{"a; b", "a = ?", "a = $1", "a -- b", "a /* b */", "a # b", "a)", "(a", ") OR (1 = 1", "\x00", " ", "a) OR (b", "a = '", "a = '(' )", `a = "'`, `a = '\') OR (b = '`} {
		_, err := store.New(db, store.MySQL, &store.Options{Table: &store.Table{Name: "users", Where: where}})
		require.ErrorContains(t, err, "store: Where ", "%q", where)
	}
}

// The caller's Options and Table may change after New.
func TestNewCopies(t *testing.T) {
	t.Parallel()
	table := store.Table{Name: "users", Words: map[setupintent.Status]string{setupintent.Pending: "new"}}
	s, err := store.New(noDB(t), store.SQLite, &store.Options{Table: &table})
	require.NoError(t, err)
	before := s.SQL()
	table.Name, table.Words[setupintent.Pending] = "others", "old"
	require.Equal(t, before, s.SQL())
}

func TestErrorsOfTheDatabase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, err := store.New(noDB(t), store.PostgreSQL, nil)
	require.NoError(t, err)
	_, err = s.Load(ctx, "a")
	require.ErrorIs(t, err, errNowhere)
	won, err := s.Swap(ctx, setupintent.Row{ID: "a", Status: setupintent.Pending}, setupintent.Row{Status: setupintent.Active})
	require.ErrorIs(t, err, errNowhere)
	require.False(t, won)
	_, err = s.Due(ctx, time.Now(), setupintent.Row{}, 1)
	require.ErrorIs(t, err, errNowhere)
	_, err = s.Expire(ctx, time.Now(), 1)
	require.ErrorIs(t, err, errNowhere)
	require.ErrorIs(t, s.Migrate(ctx), errNowhere)
	require.ErrorIs(t, s.Check(ctx), errNowhere)
	_, err = s.Status(ctx)
	require.ErrorIs(t, err, errNowhere)

	// What is decided without it.
	for _, id := range []string{"", "\x00", "\xff"} {
		_, err = s.Load(ctx, id)
		require.ErrorIs(t, err, setupintent.ErrNotFound)
	}
	won, err = s.Swap(ctx, setupintent.Row{ID: "a", Status: "suspended"}, setupintent.Row{Status: setupintent.Pending})
	require.NoError(t, err)
	require.False(t, won)
	page, err := s.Due(ctx, time.Now(), setupintent.Row{}, 0)
	require.NoError(t, err)
	require.Empty(t, page)
}

// Inside an effect's transaction, no method takes another connection.
func TestInTransaction(t *testing.T) {
	t.Parallel()
	ctx := setupintent.WithTransaction(context.Background())
	s, err := store.New(noDB(t), store.PostgreSQL, nil)
	require.NoError(t, err)
	const want = "called inside OnActive"
	_, err = s.Load(ctx, "a")
	require.ErrorContains(t, err, want)
	_, err = s.Swap(ctx, setupintent.Row{ID: "a"}, setupintent.Row{})
	require.ErrorContains(t, err, want)
	_, err = s.Due(ctx, time.Now(), setupintent.Row{}, 1)
	require.ErrorContains(t, err, want)
	_, err = s.Expire(ctx, time.Now(), 1)
	require.ErrorContains(t, err, want)
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		files, err := fs.Glob(d.Migrations(), "*")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		s, err := store.New(noDB(t), d, nil)
		require.NoError(t, err)
		for _, name := range files {
			require.Regexp(t, `^\d{6}_[a-z_]+\.up\.sql$`, name, "golang-migrate's form")
			text, err := fs.ReadFile(d.Migrations(), name)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(text), "-- +goose Up\n"), "goose's form")
			require.True(t, strings.HasSuffix(string(text), ";\n"))
			require.Equal(t, strings.Count(string(text), ";\n"), strings.Count(string(text), ";"), "golang-migrate splits at each, in comments, too")
			require.Contains(t, s.SQL(), string(text))
			if d == store.MySQL { // drivers run one at a time
				require.Equal(t, 1, strings.Count(string(text), ";\n"))
			}
		}
	}
	files, err := fs.Glob(store.Dialect(0).Migrations(), "*")
	require.NoError(t, err)
	require.Empty(t, files)
}
