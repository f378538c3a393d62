package stripetest

import (
	"slices"
	"sync"
	"time"
)

// schedule holds what is to happen at a time on the server's clock: when the
// clock is moved past it, or when it gets there by itself.
type schedule struct {
	clock *clock

	mu      sync.Mutex
	jobs    []job // the first due comes first
	timer   *time.Timer
	stopped bool
}

type job struct {
	due time.Time
	run func()
}

// later runs a job when the clock is d further, with no lock held. Jobs that
// are due at the same time run in the order that they were given in.
func (s *schedule) later(d time.Duration, run func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.clock.now().Add(d)
	at, _ := slices.BinarySearchFunc(s.jobs, due, func(j job, due time.Time) int {
		if j.due.After(due) {
			return 1
		}
		return -1
	})
	s.jobs = slices.Insert(s.jobs, at, job{due, run})
	s.arm()
}

// arm sets the timer for the first job. The caller holds mu.
func (s *schedule) arm() {
	if s.timer != nil {
		s.timer.Stop()
	}
	if len(s.jobs) > 0 && !s.stopped {
		s.timer = time.AfterFunc(max(s.jobs[0].due.Sub(s.clock.now()), time.Millisecond), s.run)
	}
}

// run runs the jobs that are due, in order.
func (s *schedule) run() {
	for {
		s.mu.Lock()
		if s.stopped || len(s.jobs) == 0 || s.clock.now().Before(s.jobs[0].due) {
			s.arm()
			s.mu.Unlock()
			return
		}
		next := s.jobs[0]
		s.jobs = slices.Delete(s.jobs, 0, 1)
		s.mu.Unlock()
		next.run()
	}
}

func (s *schedule) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = nil
	s.arm()
}

func (s *schedule) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.arm()
}
