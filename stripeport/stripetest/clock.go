package stripetest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// clock is the base clock moved by an offset that can be set.
type clock struct {
	base   func() time.Time
	offset atomic.Int64
}

func (c *clock) now() time.Time { return c.base().Add(time.Duration(c.offset.Load())) }

func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// alphabet is what Stripe's ids are written in.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// source draws the ids and secrets of one server.
type source struct {
	mu  sync.Mutex
	rng *rand.ChaCha8
}

// id returns prefix followed by n characters of the alphabet.
func (s *source) id(prefix string, n int) string {
	b := make([]byte, len(prefix), len(prefix)+n)
	copy(b, prefix)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(b) < cap(b) {
		// Ten characters of six bits each; those past the alphabet are drawn again.
		for bits, left := s.rng.Uint64(), 10; left > 0 && len(b) < cap(b); left-- {
			if i := bits & 63; int(i) < len(alphabet) {
				b = append(b, alphabet[i])
			}
			bits >>= 6
		}
	}
	return string(b)
}

// digits returns prefix followed by a number of n digits.
func (s *source) digits(prefix string, n int) string {
	b := make([]byte, len(prefix), len(prefix)+n)
	copy(b, prefix)
	s.mu.Lock()
	defer s.mu.Unlock()
	b = append(b, byte('1'+s.rng.Uint64()%9))
	for len(b) < cap(b) {
		b = append(b, byte('0'+s.rng.Uint64()%10))
	}
	return string(b)
}

// object returns an id as Stripe's newer objects have it.
func (s *source) object(prefix string) string { return s.id(prefix+"_1", 23) }
