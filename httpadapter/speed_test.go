package httpadapter_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	stripeintent "github.com/stripe/stripe-go/v79/setupintent"
)

// BenchmarkBesideBare serves first requests, 64 at a time, by the handler and by
// one that calls stripe-go and nothing else, in turn, over the fake without any
// latency. It reports the medians of nine rounds.
func BenchmarkBesideBare(b *testing.B) {
	const rounds, clients = 9, 64
	each := max(b.N, 4000)

	fake, err := stripetest.New(nil)
	require.NoError(b, err)
	client := fake.Client()
	ours, rows := ourHandler(b, fake)
	bare := bareHandler(client)
	id := new(atomic.Int64)
	next := func() string {
		id := strconv.FormatInt(id.Add(1), 10)
		require.NoError(b, rows.Insert(id, time.Time{}))
		return id
	}

	var ratios, allocs, bytes []float64
	b.ResetTimer()
	for range rounds {
		ids := make([]string, each)
		for i := range ids {
			ids[i] = next()
		}
		a, o := serve(b, bare, ids, clients), serve(b, ours, ids, clients)
		ratios = append(ratios, a.took.Seconds()/o.took.Seconds())
		allocs = append(allocs, o.allocs-a.allocs)
		bytes = append(bytes, o.bytes-a.bytes)
	}
	b.ReportMetric(median(ratios), "of-bare-req/s")
	b.ReportMetric(median(allocs), "more-allocs/req")
	b.ReportMetric(median(bytes), "more-B/req")
	b.ReportMetric(0, "ns/op")
}

type served struct {
	took          time.Duration
	allocs, bytes float64
}

func serve(b *testing.B, h http.Handler, ids []string, clients int) served {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	var wg sync.WaitGroup
	queue := make(chan string, len(ids))
	for _, id := range ids {
		queue <- id
	}
	close(queue)
	for range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for id := range queue {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/signup/"+id+"/setup-intent", nil))
				if w.Code != http.StatusOK {
					b.Errorf("%d %s", w.Code, w.Body)
				}
			}
		}()
	}
	wg.Wait()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	n := float64(len(ids))
	return served{took, float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

func ourHandler(tb testing.TB, fake *stripetest.Server) (http.Handler, *memstore.Store) {
	stripe, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: fake.Client()})
	require.NoError(tb, err)
	rows := memstore.New()
	svc, err := setupintent.New(rows, stripe, nil)
	require.NoError(tb, err)
	h, err := httpadapter.New(svc, nil)
	require.NoError(tb, err)
	mux := http.NewServeMux()
	mux.Handle("/signup/", h.Routes(httpadapter.PathID))
	return mux, rows
}

// bareHandler is what a team would write first.
func bareHandler(client *http.Client) http.Handler {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		HTTPClient: client, EnableTelemetry: stripe.Bool(false), MaxNetworkRetries: stripe.Int64(0),
	})
	intents := stripeintent.Client{B: backend, Key: stripetest.DefaultSecretKey}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /signup/{id}/setup-intent", func(w http.ResponseWriter, r *http.Request) {
		in, err := intents.New(&stripe.SetupIntentParams{
			Params:                  stripe.Params{Context: r.Context()},
			AutomaticPaymentMethods: &stripe.SetupIntentAutomaticPaymentMethodsParams{Enabled: stripe.Bool(true), AllowRedirects: stripe.String("never")},
			Usage:                   stripe.String("off_session"),
			Metadata:                map[string]string{"pending_user_id": r.PathValue("id")},
		})
		if err != nil {
			http.Error(w, "stripe", http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"clientSecret": in.ClientSecret, "setupIntentId": in.ID, "status": string(in.Status)})
	})
	return mux
}

// The benchmark's two handlers answer alike.
func TestBareAnswersAlike(t *testing.T) {
	t.Parallel()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	ours, rows := ourHandler(t, fake)
	require.NoError(t, rows.Insert("1", time.Time{}))
	for _, h := range []http.Handler{ours, bareHandler(fake.Client())} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/signup/1/setup-intent", nil))
		require.Equal(t, http.StatusOK, w.Code, fmt.Sprint(w.Body))
		var answer map[string]string
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		require.Len(t, answer, 3)
	}
}
