//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A demo is examples/signup, running.
type demo struct {
	*testing.T
	site, fake string // base URLs
}

// binaries is where the tests build what they run.
var binaries = filepath.Join(os.TempDir(), fmt.Sprintf("cardonfile-e2e-%d", os.Getpid()))

var buildDemo = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(binaries, "signup")
	out, err := exec.Command("go", "build", "-C", "../../../examples", "-o", binary, "./signup").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return binary, nil
})

// startDemo runs the demo on its own fake Stripe until the test ends, and then
// looks for client secrets in what it logged.
func startDemo(t *testing.T, args ...string) *demo {
	t.Helper()
	binary, err := buildDemo()
	require.NoError(t, err)
	cmd := exec.Command(binary, append([]string{"-addr", "127.0.0.1:0", "-fake-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "demo.db")}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no keys
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer stuck.Stop()
		require.NoError(t, cmd.Wait(), stderr.String())
		require.NotContains(t, stderr.String(), "_secret_")
	})
	d := &demo{T: t}
	lines := bufio.NewScanner(stdout)
	for _, line := range []struct {
		prefix string
		url    *string
	}{{"signup page: ", &d.site}, {"fake Stripe: ", &d.fake}} {
		require.True(t, lines.Scan(), "%v %s", lines.Err(), &stderr)
		url, ok := strings.CutPrefix(lines.Text(), line.prefix)
		require.True(t, ok, lines.Text())
		*line.url = strings.TrimSuffix(url, "/")
	}
	return d
}

// intents are the fake's, as its control API tells them.
func (d *demo) intents() (intents []struct {
	ID, Status string
	Metadata   map[string]string
	LastError  string `json:"last_error"`
},
) {
	d.Helper()
	var list struct {
		SetupIntents json.RawMessage `json:"setup_intents"`
	}
	d.call(http.MethodGet, d.fake+"/_stripetest/setup_intents", "", &list)
	require.NoError(d, json.Unmarshal(list.SetupIntents, &intents))
	return intents
}

// intent is the one intent that there is.
func (d *demo) intent() (id, status string) {
	d.Helper()
	all := d.intents()
	require.Len(d, all, 1)
	return all[0].ID, all[0].Status
}

// canceled waits until the sweeper has canceled the one intent.
func (d *demo) canceled() {
	d.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if _, status := d.intent(); status == "canceled" {
			return
		}
	}
	require.FailNow(d, "the intent was not canceled")
}

// calls is how often a route of the fake was called.
func (d *demo) calls(route string) int {
	d.Helper()
	var log struct{ Counts map[string]int }
	d.call(http.MethodGet, d.fake+"/_stripetest/calls", "", &log)
	return log.Counts[route]
}

// control tells the fake something.
func (d *demo) control(path, document string) {
	d.Helper()
	d.call(http.MethodPost, d.fake+"/_stripetest/"+path, document, nil)
}

func (d *demo) call(method, url, document string, v any) {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), method, url, strings.NewReader(document))
	require.NoError(d, err)
	r.Header.Set("Content-Type", "application/json")
	do(d.T, r, v)
}

// do sends a request that must succeed, and decodes the answer into v.
func do(t *testing.T, r *http.Request, v any) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, "%s %s", r.URL, body)
	if v != nil {
		require.NoError(t, json.Unmarshal(body, v))
	}
}

// secret is the client secret that the fake gave to an intent.
func (d *demo) secret(intent string) string {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), http.MethodGet, d.fake+"/v1/setup_intents/"+intent, http.NoBody)
	require.NoError(d, err)
	r.SetBasicAuth("sk_test_demo", "")
	var object struct {
		ClientSecret string `json:"client_secret"`
	}
	do(d.T, r, &object)
	require.NotEmpty(d, object.ClientSecret)
	return object.ClientSecret
}
