package conformance_test

import (
	"flag"
	"os"
	"testing"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/go-sql-driver/mysql"
)

func TestMain(m *testing.M) {
	if os.Getenv(mutantsEnv) == "" {
		dbtest.Notice()
	}
	_ = mysql.SetLogger(&mysql.NopLogger{}) // connections are cut on purpose
	_ = flag.Set("test.parallel", "6")      // they wait for servers
	_ = flag.Set("rapid.nofailfile", "true")
	_ = flag.Set("rapid.checks", "15") // of about 30 steps; -rapid.checks=1000 for a long run
	flag.Parse()
	m.Run()
	printReport()
}

func TestMemory(t *testing.T) {
	t.Parallel()
	harness := func(t testing.TB) setupintenttest.DueHarness {
		counted(t, "memory")
		s := memstore.New()
		return setupintenttest.DueHarness{
			StoreHarness: setupintenttest.StoreHarness{Store: s, Insert: s.Insert, SetStatus: s.SetStatus, Delete: s.Delete},
			Due:          s.Due,
		}
	}
	setupintenttest.TestStore(t, func(t testing.TB) setupintenttest.StoreHarness { return harness(t).StoreHarness })
	setupintenttest.TestDue(t, harness)
}

func TestStore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		r := l.open(t, e.Open(t), e, store.Options{})
		setupintenttest.TestStore(t, r.harness)
	})
}
