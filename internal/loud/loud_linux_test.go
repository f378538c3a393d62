package loud_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/internal/loud"
)

const role = "CARDONFILE_LOUD"

// A parent, whose standard error is a file or a pipe, writes before and after a
// child whose own is thrown away. Only on Linux can a parent's be had.
func TestPrintln(t *testing.T) {
	t.Parallel()
	switch os.Getenv(role) {
	case "child":
		loud.Println("*** left out ***")
		return
	case "parent":
		_, _ = os.Stderr.WriteString("before\n")
		require.NoError(t, again("child").Run())
		_, _ = os.Stderr.WriteString("after\n")
		return
	}
	const want = "before\n\n*** left out ***\n\nafter\n"

	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	parent := again("parent")
	parent.Stderr = file
	require.NoError(t, parent.Run())
	require.NoError(t, file.Close())
	got, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.Equal(t, want, string(got))

	var pipe bytes.Buffer
	parent = again("parent")
	parent.Stderr = &pipe
	require.NoError(t, parent.Run())
	require.Equal(t, want, pipe.String())
}

func again(as string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestPrintln$")
	cmd.Env = append(os.Environ(), role+"="+as)
	return cmd
}
