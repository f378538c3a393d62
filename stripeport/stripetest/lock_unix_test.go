//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package stripetest_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// What lock_other.go is for has no lock.
func TestStateFileTaken(t *testing.T) {
	t.Parallel()
	opts := &stripetest.Options{StateFile: filepath.Join(t.TempDir(), "state")}
	s, err := stripetest.New(opts)
	require.NoError(t, err)
	_, err = stripetest.New(opts)
	require.ErrorContains(t, err, "another process has it")
	require.NoError(t, s.Close())
	s, err = stripetest.New(opts)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}
