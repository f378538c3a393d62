package sweep_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/stretchr/testify/require"
)

var (
	dueRows = flag.Int("rows", 120, "rows past their deadline")
	rate    = flag.Int("rate", 20, "calls per second of each process, half of the budget")
	strict  = flag.Bool("strict", false, "fail if people wait longer while the processes sweep")
)

const (
	people = 12                     // who ask for intents all the time
	create = 100 * time.Millisecond // latency of the provider
	slice  = time.Second            // of sweeping; and half as much of not
)

// Two processes sweep one table of rows whose deadline is over, in slices, with
// time between them in which they do not, for whatever else the machine does; and
// people ask both for intents all the time.
func TestTwoSweepers(t *testing.T) { //nolint:paralleltest // it takes the whole machine
	w := newWorld(t)
	w.seed(t)
	w.dryRun(t)

	var waits [2][]time.Duration // of people: without the sweep, and with it
	var total [2]setupintent.Report
	for left := true; left; {
		waits[0] = append(waits[0], w.serve(func() { time.Sleep(slice / 2) })...) //nolint:forbidigo // nothing else happens meanwhile
		waits[1] = append(waits[1], w.serve(func() {
			var both sync.WaitGroup
			for i, app := range w.apps {
				both.Go(func() { add(&total[i], w.sweep(t, app, "for="+slice.String())) })
			}
			both.Wait()
		})...)
		left = w.count(t, `SELECT COUNT(*) FROM cardonfile_rows WHERE due < now() + interval '1 minute'`) > 0 // or closing
	}

	without, with := p99(waits[0]), p99(waits[1])
	ratio := with.Seconds() / without.Seconds()
	fmt.Printf("%d rows past their deadline, two processes, %d calls per second each\n", *dueRows, *rate)
	for i, r := range total {
		fmt.Printf("  process %d: %d looked at, %d abandoned, %d lost to the other; at most %d calls in any second\n", i+1, r.Looked, r.Abandoned, r.Lost, w.most(i))
	}
	fmt.Printf("  people: p99 %s without the sweep (%d requests), %s with it (%d): %.2f×\n",
		without.Round(time.Millisecond/10), len(waits[0]), with.Round(time.Millisecond/10), len(waits[1]), ratio)

	require.Zero(t, w.failed.Load(), "requests of people failed")
	require.Equal(t, *dueRows, total[0].Abandoned+total[1].Abandoned)
	require.Zero(t, total[0].Failed+total[1].Failed+total[0].Pending+total[1].Pending, "%+v", total)
	require.Equal(t, *dueRows, w.count(t, `SELECT COUNT(*) FROM cardonfile_rows WHERE status = 'abandoned' AND due IS NULL`))
	require.Len(t, w.canceled, *dueRows, "intents canceled")
	for id, calls := range w.canceled {
		require.Equal(t, 1, calls, "calls to cancel %s", id)
	}
	for i := range w.apps {
		require.NotZero(t, w.most(i), "process %d has done nothing", i+1)
		// However late they arrive: a call's turn is taken after the one before has
		// been answered. Of those in a second, only the first may have had its turn
		// before it.
		require.LessOrEqual(t, w.most(i), *rate+1, "calls of process %d in one second", i+1)
	}
	if *strict {
		require.LessOrEqual(t, ratio, 1.2)
	}
}

// world is the database, the provider, and the two processes.
type world struct {
	db     *sql.DB
	rows   *store.Store
	fake   *stripetest.Server
	apps   []string // URLs
	client *http.Client
	failed atomic.Int64

	mu       sync.Mutex
	calls    [2][]time.Time // of each process: when the provider was asked to cancel
	canceled map[string]int // intent to calls
}

func newWorld(t *testing.T) *world {
	w := &world{canceled: map[string]int{}}
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * people}, Timeout: time.Minute}
	dsn := dbtest.Postgres.Durable().DSN(t)
	w.db = dbtest.OpenDSN(t, dbtest.Postgres.Driver, dsn+"&synchronous_commit=off") // the processes wait for the disk, this one need not
	var err error
	w.rows, err = store.New(w.db, store.PostgreSQL, nil)
	require.NoError(t, err)
	require.NoError(t, w.rows.Migrate(context.Background()))
	w.fake, err = stripetest.New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.fake.Close() })

	binary := filepath.Join(t.TempDir(), "process")
	out, err := exec.Command("go", "build", "-o", binary, "./process").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for i := range w.calls {
		stripe := httptest.NewServer(w.provider(i))
		t.Cleanup(stripe.Close)
		w.apps = append(w.apps, start(t, binary, "-dsn", dsn, "-stripe", stripe.URL, "-rate", fmt.Sprint(*rate)))
	}
	return w
}

// provider is the fake as process i sees it: only a sweeper cancels.
func (w *world) provider(i int) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if path.Base(r.URL.Path) == "cancel" {
			w.mu.Lock()
			w.calls[i] = append(w.calls[i], time.Now())
			w.canceled[path.Base(path.Dir(r.URL.Path))]++
			w.mu.Unlock()
		}
		w.fake.ServeHTTP(rw, r)
	})
}

// start starts a process, and returns the URL that it listens at.
func start(t *testing.T, binary string, args ...string) string {
	cmd := exec.Command(binary, args...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

// seed makes the rows, with an intent each, whose time is up.
func (w *world) seed(t *testing.T) {
	provider, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: w.fake.Client()})
	require.NoError(t, err)
	svc, err := setupintent.New(w.rows, provider, &setupintent.Options{TTL: time.Microsecond}) // over before the claim is committed
	require.NoError(t, err)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := next.Add(1); n <= int64(*dueRows); n = next.Add(1) {
				row, err := w.rows.Open(context.Background(), w.db, fmt.Sprint("late ", n))
				if err == nil {
					_, err = svc.Begin(context.Background(), row.ID, nil)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	require.Equal(t, *dueRows, w.count(t, `SELECT COUNT(*) FROM cardonfile_rows WHERE due <= now()`))
	require.NoError(t, w.fake.SetLatency("POST /v1/setup_intents", create))
}

// dryRun looks at all rows, writes nothing and calls nobody.
func (w *world) dryRun(t *testing.T) {
	before := w.fake.Counts()
	table := w.table(t)
	report := w.sweep(t, w.apps[0], "for=1m&dry=1")
	require.Equal(t, *dueRows, report.Looked)
	require.Equal(t, map[string]int{"end": *dueRows}, report.Planned)
	require.Equal(t, before, w.fake.Counts())
	require.Equal(t, table, w.table(t))
}

// table is the whole table, in short.
func (w *world) table(t *testing.T) (sum string) {
	t.Helper()
	err := w.db.QueryRowContext(context.Background(), `SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM cardonfile_rows r`).Scan(&sum)
	require.NoError(t, err)
	return sum
}

func (w *world) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, w.db.QueryRowContext(context.Background(), query).Scan(&n))
	return n
}

// serve returns how long people waited for their intents while f ran.
func (w *world) serve(f func()) []time.Duration {
	ctx, stop := context.WithCancel(context.Background())
	var mu sync.Mutex
	var waited []time.Duration
	var crowd sync.WaitGroup
	for i := range people {
		crowd.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				took := w.signUp(w.apps[n%len(w.apps)])
				mu.Lock()
				waited = append(waited, took)
				mu.Unlock()
				time.Sleep(rand.N(100 * time.Millisecond)) //nolint:forbidigo // people do not come in step
			}
		})
	}
	f()
	stop()
	crowd.Wait()
	return waited
}

// signUp returns how long somebody waits for the intent of a new row.
func (w *world) signUp(app string) time.Duration {
	row, err := w.rows.Open(context.Background(), w.db, fmt.Sprint("person ", rand.Uint64()))
	if err != nil {
		w.failed.Add(1)
		return 0
	}
	began := time.Now()
	res, err := w.client.Post(app+"/signup/"+row.ID+"/setup-intent", "", nil)
	if err != nil {
		w.failed.Add(1)
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		w.failed.Add(1)
	}
	return time.Since(began)
}

// sweep has a process sweep.
func (w *world) sweep(t *testing.T, app, how string) (report setupintent.Report) {
	res, err := w.client.Post(app+"/sweep?"+how, "", nil)
	if err != nil {
		t.Error(err)
		return report
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, &report)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("sweep: %d %s %v", res.StatusCode, body, err)
	}
	return report
}

func add(total *setupintent.Report, r setupintent.Report) {
	total.Looked += r.Looked
	total.Abandoned += r.Abandoned
	total.Pending += r.Pending
	total.Lost += r.Lost
	total.Failed += r.Failed
}

// most is how many calls of process i came within a second, at most.
func (w *world) most(i int) int {
	most, first := 0, 0
	for n, at := range w.calls[i] {
		for at.Sub(w.calls[i][first]) >= time.Second {
			first++
		}
		most = max(most, n-first+1)
	}
	return most
}

func p99(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)*99/100]
}
