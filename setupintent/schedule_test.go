package setupintent_test

import (
	"iter"
	"math/rand/v2"
)

// choices are what a schedule is made of, step by step. They are drawn from a
// seed; or they are those of an earlier schedule, some left out, and the tame
// choice, which is always the zero, where there is none left.
type choices struct {
	rng    *rand.Rand // nil: by script
	script [][]int
	at     int // steps begun
	used   int // of the script's step

	record bool
	steps  [][]int // as they were made
}

// step begins the next step.
func (c *choices) step() {
	c.at, c.used = c.at+1, 0
	if c.record {
		c.steps = append(c.steps, nil)
	}
}

// choose returns what draw draws, or what the script says.
func (c *choices) choose(n int, draw func(*rand.Rand) int) int {
	v := 0
	switch {
	case c.rng != nil:
		v = draw(c.rng)
	case c.at <= len(c.script) && c.used < len(c.script[c.at-1]):
		if v = c.script[c.at-1][c.used]; v >= n {
			v = 0
		}
		c.used++
	}
	if c.record {
		last := &c.steps[len(c.steps)-1]
		*last = append(*last, v)
	}
	return v
}

// pick returns one of 0 to n-1.
func (c *choices) pick(n int) int {
	return c.choose(n, func(rng *rand.Rand) int { return rng.IntN(n) })
}

// chance reports whether something happens that has so many chances in a
// thousand.
func (c *choices) chance(permille int) bool {
	return c.choose(2, func(rng *rand.Rand) int {
		if rng.IntN(1000) < permille {
			return 1
		}
		return 0
	}) == 1
}

// weighted returns an index into weights.
func (c *choices) weighted(weights []int) int {
	return c.choose(len(weights), func(rng *rand.Rand) int {
		total := 0
		for _, w := range weights {
			total += w
		}
		left := rng.IntN(total)
		for i, w := range weights {
			if left -= w; left < 0 {
				return i
			}
		}
		return 0
	})
}

// shorten returns the script with as little in it as still fails: without whole
// steps, without choices that are not the tame one.
func shorten(script [][]int, fails func([][]int) bool) [][]int {
	try := func(shorter [][]int) bool {
		if !fails(shorter) {
			return false
		}
		script = shorter
		return true
	}
	for size := -1; size != measure(script); {
		size = measure(script)
		for n := len(script) / 2; n > 0; n /= 2 {
			for at := len(script) - 1 - n; at > 0; at -= n { // the first step sets up, the last is the calm
				try(append(append([][]int(nil), script[:at]...), script[at+n:]...))
				at = min(at, len(script)-1)
			}
		}
		for i := range script {
			try(replace(script, i, nil))
			for j := range len(script[i]) {
				if script[i][j] == 0 {
					continue
				}
				tamer := append([]int(nil), script[i]...)
				tamer[j] = 0
				try(replace(script, i, tamer))
			}
		}
	}
	return script
}

func replace(script [][]int, i int, step []int) [][]int {
	script = append([][]int(nil), script...)
	script[i] = step
	return script
}

func measure(script [][]int) int {
	n := len(script)
	for _, step := range script {
		for _, v := range step {
			n += min(v, 1)
		}
	}
	return n
}

// coroutine runs one thing after the other, each of which stops wherever it
// pauses, until it is resumed or killed there.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	do    func()
	busy  bool // with do
	begun bool
	dead  bool

	panicked any // what do has panicked with
}

type killed struct{}

func newCoroutine() *coroutine {
	c := new(coroutine)
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		for more := true; more; more = yield(struct{}{}) {
			c.run()
		}
	})
	return c
}

func (c *coroutine) run() {
	defer func() {
		c.busy = false
		if p := recover(); p != nil && p != any(killed{}) {
			c.panicked = p
		}
	}()
	c.do()
}

func (c *coroutine) start(do func()) {
	c.do, c.busy, c.begun, c.dead, c.panicked = do, true, false, false, nil
}

func (c *coroutine) resume() {
	c.begun = true
	c.next()
}

// pause is where a coroutine may be left for another one, or for good.
func (c *coroutine) pause() {
	if !c.dead {
		c.yield(struct{}{})
	}
	if c.dead {
		panic(killed{})
	}
}

func (c *coroutine) kill() {
	c.dead = true
	if c.busy && c.begun {
		c.next() // where the panic is recovered, the next pause is another one
	}
	c.busy = false
}
