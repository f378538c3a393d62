package setupintenttest

import (
	"crypto/rand"
	"encoding/hex"
	"testing"
)

// check is one case of a suite: the sentence that it enforces, and how.
type check[H any] struct {
	name string
	rule string
	run  func(*suiteT, H)
}

// suiteT is what a case reports to: a failure prints the rule that was broken.
type suiteT struct {
	*testing.T
	rule string
}

// mustf fails the case unless ok.
func (t *suiteT) mustf(ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Errorf("rule: %s", t.rule)
		t.Fatalf("but "+format, args...)
	}
}

// ok fails the case if err is not nil.
func (t *suiteT) ok(err error) {
	t.Helper()
	t.mustf(err == nil, "got the error: %v", err)
}

func runChecks[H any](t *testing.T, checks []check[H], newHarness func(testing.TB) H) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			c.run(&suiteT{t, c.rule}, newHarness(t))
		})
	}
}

func randomID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
