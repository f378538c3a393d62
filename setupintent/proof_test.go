package setupintent_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// "make prove" prints what each layer of the proof has found as soon as it has,
// and all of it in short in the end.
var printProof = flag.Bool("proof", false, "print what each layer of the proof has found")

var proof struct {
	mu     sync.Mutex
	broken [layers]bool
	short  [layers]string
}

// The layers of the proof.
const (
	layerModel = iota
	layerCustomers
	layerAblations
	layerPorts
	layerStripe
	layerKeyless
	layerMutants
	layerDead
	layerMoves
	layers
)

var layerNames = [layers]string{"model", "customers", "ablations", "simulation", "over Stripe", "without keys", "mutants", "dead flights", "moves"}

func TestMain(m *testing.M) {
	flag.Parse()
	began := time.Now()
	code := m.Run()
	if *printProof {
		printShort(code == 0, time.Since(began))
	}
	os.Exit(code) //nolint:forbidigo // it is how TestMain says what came of the tests
}

func printShort(proved bool, took time.Duration) {
	fmt.Println("# In short")
	for i, short := range proof.short {
		if short != "" {
			fmt.Printf("%-13s %s\n", layerNames[i], short)
		}
	}
	verdict := "PROVED"
	if !proved {
		verdict = "NOT PROVED, see above,"
	}
	fmt.Printf("%s in %v\n", verdict, took.Round(time.Second))
}

// found tells what a layer has found: in short, and line by line.
func found(t *testing.T, layer int, short string, lines ...string) {
	t.Helper()
	if t.Failed() {
		return
	}
	tell(t, layer, short, lines)
}

// broke tells what is broken, and how it comes to that, and ends the test. Of one
// layer one way there is told; of the others, the tests that fail have the names.
func broke(t *testing.T, layer int, short string, lines ...string) {
	t.Helper()
	proof.mu.Lock()
	told := proof.broken[layer] && len(lines) > 0
	proof.broken[layer] = true
	proof.mu.Unlock()
	if !told || !*printProof {
		tell(t, layer, "BROKEN: "+short, lines)
	}
	t.FailNow()
}

func tell(t *testing.T, layer int, short string, lines []string) {
	t.Helper()
	if !*printProof {
		t.Log(strings.Join(append([]string{short}, lines...), "\n"))
		return
	}
	proof.mu.Lock()
	defer proof.mu.Unlock()
	if proof.short[layer] == "" {
		proof.short[layer] = short
	}
	fmt.Printf("# %s: %s\n%s\n", strings.ToUpper(layerNames[layer][:1])+layerNames[layer][1:], short, strings.Join(append(lines, ""), "\n"))
}

// findings are what the parallel subtests of one layer have found.
type findings struct {
	mu    sync.Mutex
	lines []finding
}

type finding struct {
	at    int // its place in the table
	lines []string
}

func (f *findings) add(at int, lines ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, finding{at, lines})
}

// all returns them in the order of the table.
func (f *findings) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortFunc(f.lines, func(a, b finding) int { return a.at - b.at })
	var all []string
	for _, l := range f.lines {
		all = append(all, l.lines...)
	}
	return all
}

// folded returns the lines of a way there, indented, and what repeats itself once.
func folded(lines []string) []string {
	var out []string
	for len(lines) > 0 {
		block, times := repeated(lines)
		for _, l := range lines[:block] {
			out = append(out, "      "+l)
		}
		if times > 1 {
			out = append(out, fmt.Sprintf("      … %d more alike", times-1))
		}
		lines = lines[block*times:]
	}
	return out
}

var durations = regexp.MustCompile(`-?(\d+(\.\d+)?[hms])+`)

// repeated returns how many lines at the beginning come three times or more, but
// for their times, and how often; one line, once, if there are none.
func repeated(lines []string) (block, times int) {
	alike := func(a, b string) bool {
		return strings.TrimSpace(durations.ReplaceAllString(a, "")) == strings.TrimSpace(durations.ReplaceAllString(b, ""))
	}
	for block = 1; block <= len(lines)/3; block++ {
		times = 1
		for rest := lines[block:]; len(rest) >= block && slices.EqualFunc(lines[:block], rest[:block], alike); rest = rest[block:] {
			times++
		}
		if times > 2 {
			return block, times
		}
	}
	return 1, 1
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
