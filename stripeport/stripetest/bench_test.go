package stripetest_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// BenchmarkCreate is creates in process, each with an event.
func BenchmarkCreate(b *testing.B) {
	s, err := stripetest.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPost, "/v1/setup_intents", strings.NewReader("payment_method_types[]=card&metadata[pending_user_id]=42"))
			r.Header.Set("Authorization", "Bearer "+stripetest.DefaultSecretKey)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Error(w.Body)
			}
		}
	})
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "B/intent")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
	runtime.KeepAlive(s)
}

// BenchmarkNew is how long it takes until a server is ready.
func BenchmarkNew(b *testing.B) {
	for range b.N {
		if _, err := stripetest.New(nil); err != nil {
			b.Fatal(err)
		}
	}
}
