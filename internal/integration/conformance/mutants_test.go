package conformance_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// mutant is a change to the store's statements that breaks one of its guards.
// Parameters stay where they are, for a driver counts them: {any TYPE} is one
// that is not looked at.
type mutant struct {
	name     string
	suite    string // that finds it
	old, new string
	mysql    bool // of a statement that is another one there
	others   bool
}

var mutants = []mutant{
	{"a swap without the status", "store", `AND {status = ?} AND {version} = ?`, `AND {any text} AND {version} = ?`, true, true},
	{"a swap of a pending row, whatever was seen", "store", `AND {status = ?} AND {version} = ?`, `AND ({status = ?} OR {status} = '{pending}') AND {version} = ?`, true, true},
	{"a swap without the version", "store", `AND {status = ?} AND {version} = ?`, `AND {status} = ? AND {any bigint}`, true, true},
	{"a swap without either", "store", `AND {status = ?} AND {version} = ?`, `AND {any text} AND {any bigint}`, true, true},
	{"a swap that keeps the version", "store", `{version} = {version} + 1`, `{version} = {version}`, true, true},
	{"a swap of every row", "store", `{progress} = ? WHERE {id} = {an id}`, `{progress} = ? WHERE {any id}`, true, true},
	{"a swap that forgets when the row is due", "store", `{due} = ?, {progress} = ?`, `{due} = NULL, {progress} = CASE WHEN {any time} THEN ? END`, true, true},
	{"a page without the cursor's id", "due", `({due}, {id}) > (?, {an id})`, `{due} > ? AND {any id}`, false, true},
	{"a page without the cursor's id", "due", `({due} > ? OR {due} = ? AND {id} > ?)`, `{due} > ? AND {any time} AND {any id}`, true, false},
	{"a page of pending rows only", "due", `WHERE {due} <= ?`, `WHERE {status} = '{pending}' AND {due} <= ?`, true, true},
	{"a page in the order of the id", "due", `ORDER BY {due}, {id}`, `ORDER BY {id}, {due}`, true, true},
}

// rewrite returns the statement as the mutant has it.
func (m mutant) rewrite(r *rows, query string) string {
	if r.dialect == store.PostgreSQL {
		query = regexp.MustCompile(`\$\d+`).ReplaceAllString(query, "?")
	}
	plain := *r
	plain.dialect = store.MySQL // leaves placeholders alone
	template := func(s string) string {
		s = strings.ReplaceAll(s, "{status = ?}", map[store.Dialect]string{
			store.PostgreSQL: `CAST({status} AS text) COLLATE "C" = ?`,
			store.MySQL:      `CAST(CONVERT({status} USING utf8mb4) AS BINARY) = CAST(CONVERT(? USING utf8mb4) AS BINARY)`,
			store.SQLite:     `{status} COLLATE BINARY = ?`,
		}[r.dialect])
		anID := "?"
		if r.dialect == store.PostgreSQL && r.table != nil && r.table.IDType == store.BigInt {
			anID = "CAST(? AS bigint)"
		}
		s = strings.ReplaceAll(s, "{an id}", anID)
		s = strings.ReplaceAll(plain.sql(s), "{pending}", r.word(setupintent.Pending))
		if r.dialect == store.PostgreSQL {
			s = strings.ReplaceAll(s, "`", `"`)
		}
		return s
	}
	query = strings.ReplaceAll(query, template(m.old), template(m.new))
	types := map[string]string{"text": "text", "bigint": "bigint", "time": "timestamptz", "id": "text"}
	if r.table != nil {
		types["id"] = map[store.IDType]string{store.Text: "text", store.BigInt: "bigint", store.UUID: "uuid"}[r.table.IDType]
	}
	for name, pg := range types {
		anything := "(? IS NOT NULL OR 1 = 1)"
		if r.dialect == store.PostgreSQL {
			anything = "(?::" + pg + " IS NOT NULL OR TRUE)"
		}
		query = strings.ReplaceAll(query, "{any "+name+"}", anything)
	}
	return r.number(query)
}

const mutantsEnv = "CARDONFILE_MUTANTS"

// TestOnMutants is what TestMutants runs in a process of its own, for it is to
// fail.
func TestOnMutants(t *testing.T) { //nolint:paralleltest // it is alone in its process
	name := os.Getenv(mutantsEnv)
	for _, e := range dbtest.All() {
		if e.Name == name {
			for _, l := range layouts {
				if l.supports(e.Dialect) {
					inTurn(t, subtest(l.name), func(t *testing.T) { runOnMutants(t, e, l) })
				}
			}
		}
	}
}

func subtest(name string) string { return strings.ReplaceAll(name, " ", "_") }

func (m mutant) of(d store.Dialect) bool {
	if d == store.MySQL {
		return m.mysql
	}
	return m.others
}

func runOnMutants(t *testing.T, e dbtest.Engine, l layout) {
	dsn := e.DSN(t)
	r := l.open(t, dbtest.OpenDSN(t, e.Driver, dsn), e, store.Options{})
	for _, m := range mutants {
		if !m.of(e.Dialect) {
			continue
		}
		t.Run(subtest(m.name), func(t *testing.T) {
			var changed atomic.Bool
			db := e.OpenWrapped(t, dsn, &dbtest.Wrapped{Rewrite: func(query string) string {
				now := m.rewrite(r, query)
				if now != query {
					changed.Store(true)
				}
				return now
			}})
			s, err := store.New(db, e.Dialect, &store.Options{Table: l.table})
			require.NoError(t, err)
			broken := *r
			broken.store = s
			if m.suite == "due" {
				setupintenttest.TestDue(t, broken.dueHarness)
			} else {
				setupintenttest.TestStore(t, broken.harness)
			}
			if !changed.Load() {
				t.Log("no mutant: the statement was not changed")
			}
		})
	}
}

// A store with a guard missing does not pass, on any engine and in any layout.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.All() {
		t.Run(strings.ReplaceAll(e.Name, "/", ""), func(t *testing.T) {
			t.Parallel()
			e.Require(t)
			cmd := exec.Command(os.Args[0], "-test.run=^TestOnMutants$", "-test.v", "-test.timeout=5m")
			cmd.Env = append(os.Environ(), mutantsEnv+"="+e.Name)
			text, err := cmd.CombinedOutput()
			require.Error(t, err)
			out := string(text)
			for _, wrong := range []string{"no mutant", "yntax", "panic:"} {
				if at := strings.Index(out, wrong); at >= 0 {
					t.Errorf("%q in: %.2000s", wrong, out[max(0, at-1000):])
				}
			}
			n := 0
			for _, l := range layouts {
				for _, m := range mutants {
					if !l.supports(e.Dialect) || !m.of(e.Dialect) {
						continue
					}
					n++
					found := regexp.MustCompile("--- FAIL: TestOnMutants/" + regexp.QuoteMeta(subtest(l.name)+"/"+subtest(m.name)) + " ").MatchString(out)
					require.True(t, found, "the suite passed %s, %s", m.name, l.name)
				}
			}
			require.GreaterOrEqual(t, strings.Count(out, "rule: "), n)
			t.Logf("%d mutants", n)
		})
	}
}
