package kill_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
	kills  = flag.Int("kills", 5, "how often the application is killed")
	dbName = flag.String("db", "", "postgres, mariadb or sqlite; empty: each")
)

var engines = map[string]dbtest.Engine{"postgres": dbtest.Postgres, "mariadb": dbtest.MariaDB, "sqlite": dbtest.SQLite}

const (
	clients = 16
	maxMore = 20 // kills
	latency = 20 * time.Millisecond
)

func TestKill(t *testing.T) { //nolint:paralleltest // each takes the whole machine
	if *dbName != "" && engines[*dbName].Name == "" {
		t.Fatalf("-db=%s is none of postgres, mariadb and sqlite", *dbName)
	}
	binary := build(t)
	for _, name := range []string{"sqlite", "postgres", "mariadb"} { //nolint:paralleltest // each takes the whole machine
		if *dbName != "" && *dbName != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			k := newTrial(t, engines[name], binary)
			unrecorded := k.run(t, *kills)
			for _, v := range k.violated[:min(len(k.violated), 20)] {
				t.Error(v)
			}
			_, _ = fmt.Fprintf(os.Stdout, "%s: created but unrecorded at a kill: %d\n", k.engine.Name, unrecorded)
			_, _ = fmt.Fprintf(os.Stdout, "%s: violations: %d\n", k.engine.Name, len(k.violated))
			require.NotZero(t, k.activated.Load(), "no row was activated")
			require.NotZero(t, unrecorded, "no intent was unrecorded at a kill: the test proves nothing")
			require.Empty(t, k.violated)
		})
	}
}

// A sweeper that makes up a new key, where it should send the row's own again,
// does not pass.
func TestKillFindsNewKeys(t *testing.T) { //nolint:paralleltest // it takes the whole machine
	k := newTrial(t, dbtest.SQLite, build(t))
	k.flags = []string{"-sweep=false"} // the processes' own sweeper would heal a row before ours is to see it
	k.spoil = func(p setupintent.Provider) setupintent.Provider { return newKeys{p} }
	require.NotZero(t, k.run(t, 5))
	require.NotEmpty(t, k.violated)
}

type newKeys struct{ setupintent.Provider }

func (p newKeys) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	req.Key += "-again"
	return p.Provider.CreateIntent(ctx, req)
}

func build(t *testing.T) string {
	binary := filepath.Join(t.TempDir(), "serve")
	out, err := exec.Command("go", "build", "-o", binary, "./serve").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// trial is an application that is killed again and again, and what watches it.
type trial struct {
	binary string
	flags  []string // of the application, besides
	engine dbtest.Engine
	dsn    string
	db     *sql.DB
	rows   *store.Store
	stripe string                 // URL of the provider, which nobody kills
	app    atomic.Pointer[string] // URL of the application; nil while it is dead
	http   *http.Client
	spoil  func(setupintent.Provider) setupintent.Provider // what the sweep calls; nil: the provider

	answered, confirmed, activated atomic.Int64

	mu       sync.Mutex
	violated []string
}

func newTrial(t *testing.T, e dbtest.Engine, binary string) *trial {
	k := &trial{binary: binary, engine: e, dsn: e.Durable().DSN(t)}
	k.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * clients}, Timeout: 30 * time.Second}
	k.db = dbtest.OpenDSN(t, e.Driver, k.dsn)
	var err error
	k.rows, err = store.New(k.db, e.Dialect, nil)
	require.NoError(t, err)
	require.NoError(t, k.rows.Migrate(context.Background()))
	_, err = k.db.ExecContext(context.Background(), `CREATE TABLE accounts (row_id VARCHAR(64) NOT NULL PRIMARY KEY)`)
	require.NoError(t, err)
	_, k.stripe = k.start(t, "-fake", latency.String())
	return k
}

// start starts a process of ours, and returns the URL that it listens at. It ends
// with the test, and, by its standard input, with this process.
func (k *trial) start(t *testing.T, args ...string) (*exec.Cmd, string) {
	cmd := exec.Command(k.binary, args...)
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { stop(cmd) })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop(cmd)
		require.NoError(t, err, "%s", stderr.String())
	}
	return cmd, strings.TrimSpace(line)
}

// stop is SIGKILL.
func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (k *trial) startApp(t *testing.T) *exec.Cmd {
	cmd, url := k.start(t, append([]string{"-driver", k.engine.Driver, "-dsn", k.dsn, "-stripe", k.stripe}, k.flags...)...)
	k.app.Store(&url)
	return cmd
}

// run kills the application as often as it is told to, and then, living longer
// each time, until a life was long enough for what has to be seen: on a busy
// machine none of the short ones may be. It returns how many intents had been
// made at a kill and not written down.
func (k *trial) run(t *testing.T, kills int) int {
	ctx, cancel := context.WithCancel(context.Background())
	app := k.startApp(t)
	var load sync.WaitGroup
	for range clients {
		load.Go(func() {
			for ctx.Err() == nil {
				k.signUp(ctx)
			}
		})
	}
	defer load.Wait()
	defer cancel()

	provider := k.provider(t, time.Now)
	unrecorded := map[string]bool{}
	started := time.Now()
	done := 0
	for more := 0; done < kills || more < maxMore && (k.activated.Load() == 0 || len(unrecorded) == 0); done++ {
		if done >= kills {
			more++
		}
		since := time.Now()
		pause(ctx, (50*time.Millisecond+rand.N(200*time.Millisecond))*time.Duration(1+more))
		stop(app)
		k.app.Store(nil)
		pause(ctx, 2*latency) // what it has sent takes effect
		k.look(t, provider, since.Add(-2*time.Second), unrecorded)
		app = k.startApp(t)
	}
	took := time.Since(started)
	cancel()
	load.Wait()
	stop(app)
	pause(context.Background(), 2*latency)
	k.look(t, provider, started.Add(-2*time.Second), unrecorded)

	k.sweep(t, time.Minute+2*time.Hour)
	intents, rows := k.settled(t)
	k.sweep(t, 13*time.Hour) // past every deadline, and what was closed is canceled
	k.ended(t)

	_, _ = fmt.Fprintf(os.Stdout, "%s: %d kills in %.0f s; %d rows, %d intents, %d answered, %d cards saved, %d activations answered\n",
		k.engine.Name, done, took.Seconds(), rows, intents, k.answered.Load(), k.confirmed.Load(), k.activated.Load())
	return len(unrecorded)
}

// signUp is one client: a row, its intent, maybe asked for twice, maybe a card,
// maybe the activation.
func (k *trial) signUp(ctx context.Context) {
	if k.app.Load() == nil {
		pause(ctx, time.Millisecond)
		return
	}
	row, err := k.rows.Open(ctx, k.db, fmt.Sprintf("subject %d", rand.Int64()))
	if err != nil {
		return // SQLite may be busy
	}
	var intent struct {
		SetupIntentID string `json:"setupIntentId"`
		ClientSecret  string `json:"clientSecret"`
	}
	answered := ""
	for range 1 + rand.IntN(2) {
		if !k.post(ctx, "/"+row.ID+"/setup-intent", nil, &intent) {
			return // the page is closed; the sweeper's business
		}
		k.answered.Add(1)
		if answered != "" && answered != intent.SetupIntentID {
			k.violatef("row %s: answered with %s, then with %s", row.ID, answered, intent.SetupIntentID)
		}
		answered = intent.SetupIntentID
	}
	if rand.IntN(3) == 0 {
		return
	}
	form := url.Values{"client_secret": {intent.ClientSecret}, "payment_method": {"pm_card_visa"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.stripe+"/v1/setup_intents/"+intent.SetupIntentID+"/confirm", strings.NewReader(form.Encode()))
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+stripetest.DefaultPublishableKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !k.do(req, nil) {
		return
	}
	k.confirmed.Add(1)
	if rand.IntN(4) > 0 && k.post(ctx, "/"+row.ID+"/activate", strings.NewReader(`{"setupIntentId":"`+intent.SetupIntentID+`"}`), nil) {
		k.activated.Add(1)
	}
}

func (k *trial) post(ctx context.Context, path string, body io.Reader, answer any) bool {
	app := k.app.Load()
	if app == nil {
		return false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, *app+path, body)
	if err != nil {
		return false
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return k.do(req, answer)
}

func (k *trial) do(req *http.Request, answer any) bool {
	res, err := k.http.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK && (answer == nil || decode(res.Body, answer) == nil)
}

func (k *trial) provider(t *testing.T, now func() time.Time) *stripeport.Provider {
	p, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: k.stripe, Now: now})
	require.NoError(t, err)
	return p
}

// list returns the provider's intents created since, by row.
func (k *trial) list(t *testing.T, p setupintent.Provider, since time.Time) (all []setupintent.Intent) {
	for after := ""; ; {
		page, err := p.ListIntents(context.Background(), since, time.Now().Add(time.Hour), after)
		require.NoError(t, err)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1].ID
	}
}

// look finds, while the application is dead, what it has made and not written
// down; and whether any row has two intents.
func (k *trial) look(t *testing.T, p setupintent.Provider, since time.Time, unrecorded map[string]bool) {
	live := map[string]string{}
	for _, in := range k.list(t, p, since) {
		id := in.Metadata["pending_user_id"]
		if in.Status != setupintent.Succeeded && in.Status != setupintent.Canceled {
			if other := live[id]; other != "" {
				k.violatef("row %s has two live intents, %s and %s", id, other, in.ID)
			}
			live[id] = in.ID
		}
		row, err := k.rows.Load(context.Background(), id)
		require.NoError(t, err)
		if row.Progress.IntentID() == "" {
			unrecorded[in.ID] = true
		}
	}
}

// sweep looks at everything that is due by then, once.
func (k *trial) sweep(t *testing.T, later time.Duration) {
	now := func() time.Time { return time.Now().Add(later) }
	rows, err := store.New(k.db, k.engine.Dialect, &store.Options{OnActive: func(ctx context.Context, tx *sql.Tx, r setupintent.Row) error {
		insert := `INSERT INTO accounts (row_id) VALUES (?)`
		if k.engine.Dialect == store.PostgreSQL {
			insert = `INSERT INTO accounts (row_id) VALUES ($1)`
		}
		_, err := tx.ExecContext(ctx, insert, r.ID)
		return err
	}})
	require.NoError(t, err)
	var p setupintent.Provider = k.provider(t, now)
	if k.spoil != nil {
		p = k.spoil(p)
	}
	svc, err := setupintent.New(rows, p, &setupintent.Options{Namespace: "kill", Now: now, Rate: 1e6})
	require.NoError(t, err)
	report, err := svc.Sweep(context.Background(), rows, &setupintent.SweepOptions{Expire: rows.Expire})
	require.NoError(t, err)
	require.Zero(t, report.Failed, "%+v", report)
	require.False(t, report.Left)
}

// settled checks the promise after one sweep.
func (k *trial) settled(t *testing.T) (intents, rows int) {
	ctx := context.Background()
	byRow := map[string][]setupintent.Intent{}
	all := k.list(t, k.provider(t, time.Now), time.Time{})
	for _, in := range all {
		id := in.Metadata["pending_user_id"]
		byRow[id] = append(byRow[id], in)
		row, err := k.rows.Load(ctx, id)
		if !errors.Is(err, setupintent.ErrNotFound) {
			require.NoError(t, err)
		}
		switch {
		case in.Status == setupintent.Succeeded && row.Status == setupintent.Pending:
			k.violatef("row %s is pending, and its intent %s succeeded", id, in.ID)
		case in.Status == setupintent.Succeeded && row.Status != setupintent.Active:
			k.violatef("row %s is %s, and its intent %s succeeded", id, row.Status, in.ID)
		case in.Status == setupintent.Succeeded && row.Progress.IntentID() != in.ID:
			k.violatef("row %s is active by %s, and %s succeeded, too", id, row.Progress.IntentID(), in.ID)
		case in.Status != setupintent.Succeeded && in.Status != setupintent.Canceled && (row.Status != setupintent.Pending || row.Progress.IntentID() != in.ID):
			k.violatef("intent %s is live, and its row %s, %s, does not point to it", in.ID, id, row.Status)
		}
	}
	for id, intents := range byRow {
		live := 0
		for _, in := range intents {
			if in.Status != setupintent.Succeeded && in.Status != setupintent.Canceled {
				live++
			}
		}
		if live > 1 {
			k.violatef("row %s has %d live intents", id, live)
		}
	}
	k.effects(t)
	require.NoError(t, k.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM cardonfile_rows`).Scan(&rows))
	return len(all), rows
}

// effects checks that the effect ran once for every active row, and for no
// other; that it did not run twice, the table sees to.
func (k *trial) effects(t *testing.T) {
	for query, what := range map[string]string{
		`SELECT COUNT(*) FROM cardonfile_rows WHERE status = 'active' AND id NOT IN (SELECT row_id FROM accounts)`:   "active rows have no account",
		`SELECT COUNT(*) FROM accounts WHERE row_id NOT IN (SELECT id FROM cardonfile_rows WHERE status = 'active')`: "accounts have no active row",
	} {
		var n int
		require.NoError(t, k.db.QueryRowContext(context.Background(), query).Scan(&n))
		if n > 0 {
			k.violatef("%d %s", n, what)
		}
	}
}

// ended checks what must hold past every deadline: nothing is left to be swept.
func (k *trial) ended(t *testing.T) {
	for _, in := range k.list(t, k.provider(t, time.Now), time.Time{}) {
		if in.Status != setupintent.Succeeded && in.Status != setupintent.Canceled {
			k.violatef("intent %s of row %s is %s past the deadline", in.ID, in.Metadata["pending_user_id"], in.Status)
		}
	}
	var n int
	require.NoError(t, k.db.QueryRowContext(context.Background(),
		`SELECT COUNT(*) FROM cardonfile_rows WHERE status = 'pending' AND progress IS NOT NULL`).Scan(&n))
	if n > 0 {
		k.violatef("%d rows that were claimed are pending past the deadline", n)
	}
	k.effects(t)
}

func (k *trial) violatef(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.violated = append(k.violated, fmt.Sprintf(format, args...))
}

// pause lets other processes go on for a while.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func decode(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }
