package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/store"
)

func TestParseDatabase(t *testing.T) {
	t.Parallel()
	for db, want := range map[string]struct {
		dialect store.Dialect
		name    string
		state   string
	}{
		"demo.db":           {store.SQLite, "demo.db", "demo.db.stripe"},
		"/tmp/a b#c?d%e.db": {store.SQLite, "/tmp/a b#c?d%e.db", "/tmp/a b#c?d%e.db.stripe"},
		"postgres://shop:secret@db.test:5433/shop":           {store.PostgreSQL, "db.test/shop", "db.test-shop.stripe"},
		"postgresql:///shop?host=/run/postgresql&user=shop":  {store.PostgreSQL, "/run/postgresql/shop", "run-postgresql-shop.stripe"},
		"host=db.test dbname=shop user=shop password=secret": {store.PostgreSQL, "db.test/shop", "db.test-shop.stripe"},
		"mysql://shop:secret@db.test:3307/shop?tls=false":    {store.MySQL, "db.test:3307/shop", "db.test-3307-shop.stripe"},
		"mariadb://shop@db.test/shop":                        {store.MySQL, "db.test:3306/shop", "db.test-3306-shop.stripe"},
		"shop:secret@tcp(db.test:3307)/shop?parseTime=true":  {store.MySQL, "db.test:3307/shop", "db.test-3307-shop.stripe"},
		"shop:p/w@unix(/run/mysqld/mysqld.sock)/shop":        {store.MySQL, "/run/mysqld/mysqld.sock/shop", "run-mysqld-mysqld.sock-shop.stripe"},
	} {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			got, err := parseDatabase(db)
			require.NoError(t, err)
			require.Equal(t, want.dialect, got.dialect)
			require.Equal(t, want.name, got.name)
			require.Equal(t, want.state, got.beside(".stripe"))
		})
	}
	for db, want := range map[string]string{
		"":                                       "file",
		":memory:":                               "file",
		"oracle://shop:secret@db.test/shop":      "oracle://…",
		"mysql://shop:secret@db.test:3306":       "/name",
		"mysql://shop:secret@db.test:x/shop":     "mysql://user",
		"shop:secret@tcp(db.test:3306)":          "/name",
		"postgres://shop:secret@db.test:x/shop":  "-db",
		"postgres://shop:secret@db.test:1/%zz":   "-db",
		"host=db.test password=secret sslmode=x": "sslmode",
	} {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			_, err := parseDatabase(db)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}
