package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/examples/internal/databases"
)

func TestMain(m *testing.M) { databases.Main(m, "examples/signup") }

// What a signup had before kill -9 it has after it, on every database: whether
// the fake dies with the demo, alone, or not at all.
func TestKill(t *testing.T) {
	t.Parallel()
	binaries := t.TempDir()
	out, err := exec.Command("go", "build", "-o", binaries, ".", "../fakestripe").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, dsn := range map[string]func(testing.TB) string{
		"SQLite":     func(testing.TB) string { return "demo.db" },
		"PostgreSQL": databases.Postgres,
		"MariaDB":    databases.MariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t, binaries)
			db := dsn(t)
			d, kill := p.demo(t, "-db", db)
			id, intent, secret := d.signup(t, "a@example.com")
			kill()

			d, kill = p.demo(t, "-db", db)
			d.hasKept(t, id, intent)
			require.Equal(t, []string{intent}, d.intents(t, id))
			require.Equal(t, 1, d.endpoints(t), "an endpoint for each start")
			d.saveCard(t, intent, secret)
			eventually(t, "its webhook is verified", func() bool { return d.look(t, id).text("status") == "active" })
			kill()
		})
		t.Run(name+", Stripe elsewhere", func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t, binaries)
			db := dsn(t)
			fake, killFake := p.fake(t)
			d, kill := p.demo(t, "-db", db, "-stripe-url", fake)
			id, intent, _ := d.signup(t, "a@example.com")
			killFake()
			require.Equal(t, http.StatusServiceUnavailable, d.post(t, prefix+"/"+id+"/setup-intent", "").status)
			_, killFake = p.fake(t)
			d.hasKept(t, id, intent)
			kill()
			d, kill = p.demo(t, "-db", db, "-stripe-url", fake)
			d.hasKept(t, id, intent)
			require.Equal(t, []string{intent}, d.intents(t, id))
			kill()
			killFake()
		})
	}
}

// hasKept requires that the row has the intent that it had, and nobody else's
// e-mail.
func (d *demo) hasKept(t *testing.T, id, intent string) {
	t.Helper()
	again := d.post(t, prefix, `{"email":"a@example.com"}`)
	require.Equal(t, http.StatusOK, again.status, again)
	require.Equal(t, id, again.text("pendingId"))
	got := d.post(t, prefix+"/"+id+"/setup-intent", "")
	require.Equal(t, http.StatusOK, got.status, got)
	require.Equal(t, intent, got.text("setupIntentId"))
}

// processes are programs in a directory of their own.
type processes struct {
	binaries, dir  string
	addr, fakeAddr string // the same after a restart
}

func newProcesses(t *testing.T, binaries string) *processes {
	return &processes{binaries, t.TempDir(), freeAddr(t), freeAddr(t)}
}

// drawn are the ports that tests of this run have, listening or not.
var (
	drawnMu sync.Mutex
	drawn   = map[int]bool{}
)

// freeAddr is an address that nobody else takes before it is used again: its port
// is below those that are given out, and drawn once.
func freeAddr(t *testing.T) string {
	t.Helper()
	drawnMu.Lock()
	defer drawnMu.Unlock()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		if drawn[port] {
			continue
		}
		drawn[port] = true
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			require.NoError(t, l.Close())
			return l.Addr().String()
		}
	}
	require.Fail(t, "no free port")
	return ""
}

// demo starts the demo on a free port.
func (p *processes) demo(t *testing.T, args ...string) (d *demo, kill func()) {
	t.Helper()
	lines, kill := p.start(t, 3, "signup", append([]string{"-addr", p.addr}, args...))
	return &demo{
		site:    strings.TrimSuffix(strings.TrimPrefix(lines[0], "signup page: "), "/"),
		fakeURL: strings.TrimPrefix(strings.TrimPrefix(lines[1], "fake "), "Stripe: "),
	}, kill
}

// fake starts a fake Stripe of its own, and returns its URL.
func (p *processes) fake(t *testing.T) (url string, kill func()) {
	t.Helper()
	lines, kill := p.start(t, 2, "fakestripe", []string{"-addr", p.fakeAddr, "-state", "fakestripe.state"})
	return strings.TrimPrefix(lines[0], "fake Stripe: "), kill
}

// start runs a program until it is killed, and returns the lines that it prints
// first.
func (p *processes) start(t *testing.T, n int, name string, args []string) (lines []string, kill func()) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.binaries, name), args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no keys
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		require.NotContains(t, stderr.String(), "_secret_")
	})
	t.Cleanup(kill)
	for out := bufio.NewScanner(stdout); len(lines) < n; lines = append(lines, out.Text()) {
		if !out.Scan() {
			kill()
			require.Fail(t, "it ended", "%s: %s", name, &stderr)
		}
	}
	return lines, kill
}
