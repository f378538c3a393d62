package conformance_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

var report = flag.Bool("report", false, "print how many cases of the suites ran on which store")

var cases = struct {
	mu          sync.Mutex
	ran, failed map[string]int
}{ran: map[string]int{}, failed: map[string]int{}}

// counted counts a case: a suite asks for a harness for each.
func counted(t testing.TB, store string) {
	t.Cleanup(func() {
		cases.mu.Lock()
		defer cases.mu.Unlock()
		cases.ran[store]++
		if t.Failed() {
			cases.failed[store]++
		}
	})
}

func printReport() {
	if !*report {
		return
	}
	for _, store := range slices.Sorted(maps.Keys(cases.ran)) {
		line := fmt.Sprintf("%s %s %4d cases", store, strings.Repeat(".", max(2, 68-len(store))), cases.ran[store])
		if n := cases.failed[store]; n > 0 {
			line += fmt.Sprintf(", %d FAILED", n)
		}
		_, _ = fmt.Fprintln(os.Stdout, line)
	}
}
