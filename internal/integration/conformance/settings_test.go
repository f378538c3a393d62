package conformance_test

import (
	"testing"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
)

// Settings of the application's, under which a store must do the same.
var settings = []struct {
	name   string
	engine dbtest.Engine
}{
	// Affected rows are those found, not those changed.
	{"clientFoundRows", dbtest.MariaDB.With("clientFoundRows=true")},
	// Times are parsed, into a zone in which the suite's deadline does not exist.
	{"parseTime, a zone with summer time", dbtest.MariaDB.With("parseTime=true&loc=Europe%2FParis&time_zone=%27%2B02%3A00%27")},
	{"a session's zone", dbtest.MariaDB.With("time_zone=%27-05:30%27")},
	{"interpolateParams", dbtest.MariaDB.With("interpolateParams=true")},
	{"a connection in latin1's collation", dbtest.MariaDB.With("collation=latin1_swedish_ci")},
	// Error 1020 instead of a lost race; the default from MariaDB 11.6 on.
	{"innodb_snapshot_isolation", dbtest.MariaDB.With("innodb_snapshot_isolation=ON")},
	{"MariaDB, serializable", dbtest.MariaDB.With("tx_isolation=%27SERIALIZABLE%27")},
	{"MariaDB, read committed", dbtest.MariaDB.With("tx_isolation=%27READ-COMMITTED%27")},

	{"pgx, simple protocol", dbtest.Postgres.With("default_query_exec_mode=simple_protocol")},
	{"pgx, exec", dbtest.Postgres.With("default_query_exec_mode=exec")},
	{"pgx, serializable", dbtest.Postgres.With("default_transaction_isolation=serializable")},
	{"pgx, repeatable read", dbtest.Postgres.With("default_transaction_isolation=repeatable%20read")},
	{"pgx, a session's zone", dbtest.Postgres.With("timezone=America%2FNew_York")},
	{"lib/pq, binary parameters", dbtest.LibPQ.With("binary_parameters=yes")},
	{"lib/pq, serializable", dbtest.LibPQ.With("default_transaction_isolation=serializable")},
	{"lib/pq, a session's zone", dbtest.LibPQ.With("timezone=America%2FNew_York")},

	{"SQLite, rollback journal", dbtest.SQLite.With("_pragma=journal_mode(DELETE)")},
	{"SQLite, text times", dbtest.SQLite.With("_time_format=sqlite")},
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range settings {
		for _, l := range []layout{layouts[0], layouts[2]} {
			t.Run(test.name+"/"+l.name, func(t *testing.T) {
				t.Parallel()
				r := l.open(t, test.engine.Open(t), test.engine, store.Options{})
				r.name += ", settings"
				setupintenttest.TestStore(t, r.harness)
				setupintenttest.TestDue(t, r.dueHarness)
			})
		}
	}
}
