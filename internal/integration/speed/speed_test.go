// Package speed_test compares a handler over PostgreSQL with one that calls
// Stripe and nothing else, in turn, in one process. Only ratios of one run mean
// anything.
package speed_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	stripeintent "github.com/stripe/stripe-go/v79/setupintent"
)

const (
	latency = 150 * time.Millisecond // of the provider, on average: 100 to 200, for people do not come in step
	pool    = 10                     // connections
	waves   = 20                     // requests of each client
	rounds  = 3
)

// BenchmarkPostgres reports, for 64, 256 and 1024 clients, requests per second
// of those of the bare handler, and what an unrelated query on the same pool
// takes meanwhile, of what it takes idle. Where the bare handler is faster than
// the database can read and write its rows, on the same cores, it is the
// database that the handler is compared with, too.
func BenchmarkPostgres(b *testing.B) {
	for _, clients := range []int{64, 256, 1024} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			var ratios, probes, possible []float64
			for range rounds {
				db := dbtest.Postgres.Durable().Open(b)
				db.SetMaxOpenConns(pool)
				db.SetMaxIdleConns(pool)
				ours, ids := ourHandler(b, db, clients*(waves+1))
				serve(b, ours, ids[:clients], clients) // opens the connections, which an application's pool has
				ids = ids[clients:]
				idle := probe(b, db, func() { time.Sleep(300 * time.Millisecond) }) //nolint:forbidigo // nothing happens meanwhile
				bare := serve(b, bareHandler(), ids, clients)
				var took time.Duration
				busy := probe(b, db, func() { took = serve(b, ours, ids, clients) })
				ratios = append(ratios, bare.Seconds()/took.Seconds())
				probes = append(probes, busy.Seconds()/idle.Seconds())
				possible = append(possible, max(bare, alone(b, len(ids))).Seconds()/took.Seconds())
			}
			b.ReportMetric(median(ratios), "of-bare-req/s")
			b.ReportMetric(median(possible), "of-possible-req/s")
			b.ReportMetric(median(probes), "of-idle-query")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// alone returns what the database takes for the reads and the writes of n first
// requests, with nothing else to do.
func alone(b *testing.B, n int) time.Duration {
	db := dbtest.Postgres.Durable().Open(b)
	db.SetMaxOpenConns(pool)
	db.SetMaxIdleConns(pool)
	_, ids := ourHandler(b, db, n)
	rows, err := store.New(db, store.PostgreSQL, nil)
	require.NoError(b, err)
	queue := make(chan string, n)
	for _, id := range ids {
		queue <- id
	}
	close(queue)
	began := time.Now()
	var running sync.WaitGroup
	for range pool {
		running.Go(func() {
			for id := range queue {
				r, err := rows.Load(context.Background(), id)
				for range 2 {
					next := r
					next.Due = time.Now()
					if err == nil {
						_, err = rows.Swap(context.Background(), r, next)
					}
					r.Version++
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	running.Wait()
	return time.Since(began)
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// probe returns the median time of an unrelated query while f runs.
func probe(b *testing.B, db *sql.DB, f func()) time.Duration {
	var took []time.Duration
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			began := time.Now()
			var one int
			if err := db.QueryRowContext(context.Background(), `SELECT 1`).Scan(&one); err != nil {
				b.Error(err)
			}
			took = append(took, time.Since(began))
		}
	}()
	f()
	close(stop)
	<-done
	slices.Sort(took)
	return took[len(took)/2]
}

// serve serves a first request for each of the rows.
func serve(b *testing.B, h http.Handler, ids []string, clients int) time.Duration {
	queue := make(chan string, len(ids))
	for _, id := range ids {
		queue <- id
	}
	close(queue)
	began := time.Now()
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for id := range queue {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/signup/"+id+"/setup-intent", nil))
				if w.Code != http.StatusOK {
					b.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	running.Wait()
	return time.Since(began)
}

// slow answers a create after the latency, with an intent that nobody keeps.
type slow struct{ created atomic.Int64 }

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(latency*2/3 + rand.N(latency*2/3)) //nolint:forbidigo // this is the network
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	metadata := map[string]string{}
	for name, values := range r.PostForm {
		if len(name) > 10 && name[:9] == "metadata[" {
			metadata[name[9:len(name)-1]] = values[0]
		}
	}
	id := "seti_" + strconv.FormatInt(s.created.Add(1), 10)
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_"+id)
	err := json.NewEncoder(w).Encode(map[string]any{
		"id": id, "object": "setup_intent", "client_secret": id + "_secret_x", "status": "requires_payment_method",
		"metadata": metadata, "created": time.Now().Unix(), "livemode": false, "usage": "off_session", "payment_method_types": []string{"card"},
	})
	return w.Result(), err
}

func ourHandler(b *testing.B, db *sql.DB, n int) (http.Handler, []string) {
	rows, err := store.New(db, store.PostgreSQL, nil)
	require.NoError(b, err)
	require.NoError(b, rows.Migrate(context.Background()))
	_, err = db.ExecContext(context.Background(), `INSERT INTO cardonfile_rows (id, subject) SELECT n::text, n::text FROM generate_series(1, $1) n`, n)
	require.NoError(b, err)
	p, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: &http.Client{Transport: new(slow)}})
	require.NoError(b, err)
	svc, err := setupintent.New(rows, p, nil)
	require.NoError(b, err)
	h, err := httpadapter.New(svc, nil)
	require.NoError(b, err)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(i + 1)
	}
	mux := http.NewServeMux()
	mux.Handle("/signup/", h.Routes(httpadapter.PathID))
	return mux, ids
}

// bareHandler is what a team would write first.
func bareHandler() http.Handler {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		HTTPClient: &http.Client{Transport: new(slow)}, EnableTelemetry: stripe.Bool(false), MaxNetworkRetries: stripe.Int64(0),
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
