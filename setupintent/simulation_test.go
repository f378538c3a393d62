package setupintent_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

var (
	schedules = flag.Int("schedules", defaultSchedules, "schedules of the simulation over the ports")
	wired     = flag.Int("wired", defaultWired, "schedules of the simulation over stripeport and the fake Stripe")
	oneSeed   = flag.Int64("seed", 0, "the schedule that TestSeed plays")
	seedOn    = flag.String("on", "ports", "where TestSeed plays it: ports, stripe or keyless")
)

// rig is what one worker plays its schedules on.
type rig struct {
	on     string // ports, stripe or keyless
	moves  setupintent.Moves
	last   *setupintent.MoveID // the move made last
	clock  *clock
	crew   []*coroutine
	idle   []*coroutine
	office *postOffice
}

func newRig(on string, moves setupintent.Moves) *rig {
	last := new(setupintent.MoveID)
	return &rig{on: on, clock: newClock(), last: last, moves: setupintent.Watched(moves, last)}
}

func (r *rig) coroutine() *coroutine {
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return c
	}
	c := newCoroutine()
	r.crew = append(r.crew, c)
	return c
}

func (r *rig) close() {
	for _, c := range r.crew {
		c.stop()
	}
	if r.office != nil {
		_ = r.office.fake.Close()
	}
}

// play plays the schedule of the choices.
func (r *rig) play(c choices, verbose bool) *sim {
	r.clock.reset()
	s := &sim{
		rig: r, choices: c, memory: memstore.New(),
		shown: map[string]bool{}, keys: map[string]int{}, verbose: verbose,
	}
	s.began = s.clock.now()
	if r.on == "stripe" {
		s.gateway = newStripe(s)
	} else {
		s.gateway = newPorts(s)
	}
	s.play()
	return s
}

func seeded(seed int64) choices {
	return choices{rng: rand.New(rand.NewPCG(uint64(seed), 7))}
}

// explain plays the seed again, looks for the least of it that breaks the same,
// and returns what is to be told of it: in short, and line by line.
func explain(on string, seed int64, moves setupintent.Moves) (short string, lines []string) {
	r := newRig(on, moves)
	defer r.close()
	c := seeded(seed)
	c.record = true
	whole := r.play(c, true)
	if whole.bad == "" {
		return fmt.Sprintf("seed %d broke, and did not when it was played again: not reproducible", seed), nil
	}
	script := shorten(whole.steps, func(script [][]int) bool {
		return r.play(choices{script: script}, false).bad == whole.bad
	})
	least := r.play(choices{script: script}, true)
	if least.bad == "" {
		least = whole
	}
	head := fmt.Sprintf("  seed %d (make seed SEED=%d ON=%s), with what does not matter left out:", seed, seed, on)
	return strings.TrimSpace(least.bad + " " + least.more), append([]string{head}, folded(least.log)...)
}

// outcomes are what came of a simulation.
type outcomes struct {
	ran    int64
	broken int64 // the first seed that broke; -1: none
	hits   [windows]int
	made   [setupintent.MoveCount]int
	took   time.Duration
}

// simulate plays n seeds on all processors, until one breaks.
func simulate(on string, n int, moves setupintent.Moves) outcomes {
	var mu sync.Mutex
	var wg sync.WaitGroup
	all := outcomes{broken: -1}
	began := time.Now()
	next := int64(0)
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := newRig(on, moves)
			defer r.close()
			for {
				mu.Lock()
				seed := next
				next++
				stop := seed >= int64(n) || all.broken >= 0
				mu.Unlock()
				if stop {
					return
				}
				s := r.play(seeded(seed), false)
				mu.Lock()
				all.add(seed, s)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	all.took = time.Since(began)
	return all
}

func (o *outcomes) add(seed int64, s *sim) {
	o.ran++
	for i, n := range s.hits {
		o.hits[i] += n
	}
	for i, n := range s.made {
		o.made[i] += n
	}
	if s.bad != "" && (o.broken < 0 || seed < o.broken) {
		o.broken = seed
	}
}

func TestSimulation(t *testing.T) {
	t.Parallel()
	for on, n := range map[string]int{"ports": *schedules, "stripe": *wired} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			o := simulate(on, n, nil)
			layer := layerPorts
			if on == "stripe" {
				layer = layerStripe
			}
			if o.broken >= 0 {
				short, lines := explain(on, o.broken, nil)
				broke(t, layer, short, lines...)
			}
			found(t, layer, o.short(), o.lines(on)...)
			o.complete(t, on)
		})
	}
}

// TestSeed plays one schedule, and prints it: make seed.
func TestSeed(t *testing.T) {
	t.Parallel()
	require.Contains(t, []string{"ports", "stripe", "keyless"}, *seedOn, "there is no such simulation")
	r := newRig(*seedOn, nil)
	defer r.close()
	s := r.play(seeded(*oneSeed), true)
	require.NotEmpty(t, s.log)
	t.Logf("seed %d, %s:\n%s", *oneSeed, *seedOn, strings.Join(s.log, "\n"))
	require.Empty(t, s.bad)
}

func (o *outcomes) short() string {
	faults, kinds := 0, 0
	for i, w := range windowsOf {
		if w.permille > 0 && o.hits[i] > 0 {
			faults += o.hits[i]
			kinds++
		}
	}
	return fmt.Sprintf("%s schedules, %s faults of %d kinds, 0 violations, %v (%.0f/s)",
		thousands(int(o.ran)), thousands(faults), kinds, o.took.Round(time.Second/10), float64(o.ran)/o.took.Seconds())
}

func (o *outcomes) lines(on string) []string {
	lines := []string{"  faults and windows"}
	for i, n := range o.hits {
		if windowsOf[i].in(on) {
			lines = append(lines, fmt.Sprintf("%12s  %s", thousands(n), windowsOf[i].name))
		}
	}
	lines = append(lines, "  moves")
	for id, n := range o.made {
		lines = append(lines, fmt.Sprintf("%12s  %s", thousands(n), setupintent.MoveName(setupintent.MoveID(id))))
	}
	return lines
}

// complete fails the test if something never happened: then the run says nothing
// about it.
func (o *outcomes) complete(t *testing.T, on string) {
	t.Helper()
	require.Zero(t, o.hits[keyPruned], "a key was sent that the provider has forgotten")
	for i, n := range o.hits {
		if i != keyPruned && windowsOf[i].in(on) {
			require.Positive(t, n, "%q never happened: the run says nothing about it", strings.TrimSpace(windowsOf[i].name))
		}
	}
	for id, n := range o.made {
		move := setupintent.MoveID(id)
		switch {
		case move == setupintent.MoveImport: // no schedule begins with an intent that was there before
			continue
		case move == setupintent.MoveSuspect && on != "ports": // Stripe marks what it has stored
			continue
		case move == setupintent.MoveCustomerSeen && on != "ports": // Stripe's page is longer than the list
			continue
		}
		require.Positive(t, n, "the move %q was never made: the run says nothing about it", setupintent.MoveName(move))
	}
}
