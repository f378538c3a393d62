//go:build clients

package clients_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is examples/fakestripe, built.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fakestripe")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "fakestripe")
	// From its own module, which this one does not require.
	build := exec.Command("go", "-C", "../../../examples", "build", "-o", program, "./fakestripe")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	m.Run()
}

// start runs a fake until the test ends, and returns where it is.
func start(t *testing.T, args ...string) (url string) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait(), "an interrupt ends it well")
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "fake Stripe: ")
	require.True(t, ok, line)
	return url
}

// control calls the fake's control API.
func control(t *testing.T, url, path, document string) {
	t.Helper()
	response, err := http.Post(url+"/_stripetest/"+path, "application/json", strings.NewReader(document))
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
}

// A delivered event is what came to an endpoint.
type delivered struct {
	body      []byte
	signature string
}

// listen is an endpoint for events.
func listen(t *testing.T) (url string, events <-chan delivered) {
	t.Helper()
	came := make(chan delivered, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		came <- delivered{body, r.Header.Get("Stripe-Signature")}
	}))
	t.Cleanup(s.Close)
	return s.URL, came
}

// take returns the next event that came.
func take(t *testing.T, events <-chan delivered) delivered {
	t.Helper()
	select {
	case d := <-events:
		return d
	default:
		require.Fail(t, "no event")
		return delivered{}
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"stripe-16", "stripe-newest"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=tap", "client.test.mjs")
			cmd.Dir = "../node"
			cmd.Env = append(os.Environ(), "FAKE_STRIPE="+start(t), "STRIPE="+client)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out)) // also if there is no Node.js
			t.Log(summary(string(out)))
		})
	}
}

// summary is the lines of node's that count.
func summary(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "# pass") || strings.HasPrefix(line, "# fail") || strings.HasPrefix(line, "# skipped") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, ", ")
}
