package setupintent

import (
	"sync"
	"time"
)

// budget is how many claims this process may still make: a bucket that fills at
// a rate.
type budget struct {
	rate, burst float64

	mu   sync.Mutex
	left float64
	at   time.Time
}

// newBudget returns nil for a rate of 0, which is no limit.
func newBudget(rate float64, burst int) *budget {
	if rate == 0 {
		return nil
	}
	return &budget{rate: rate, burst: float64(burst), left: float64(burst)}
}

// take takes one from the budget, or says when there will be one.
func (b *budget) take(now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	elapsed := max(0, now.Sub(b.at).Seconds()) // less: the clock was set back
	b.left = min(b.burst, b.left+elapsed*b.rate)
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / b.rate * float64(time.Second))
	}
	b.left--
	return 0
}
