package observe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	metricsdk "go.opentelemetry.io/otel/sdk/metric"
	tracesdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/cardonfile/cardonfile/examples/observe"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// both makes one of each, and what they export to.
func both(t *testing.T, rows setupintent.DueStore) (observers map[string]observe.Observer, registries map[string]*prometheus.Registry, spans *tracetest.SpanRecorder) {
	t.Helper()
	registries = map[string]*prometheus.Registry{"Prometheus": prometheus.NewRegistry(), "OpenTelemetry": prometheus.NewRegistry()}
	p, err := observe.NewPrometheus(registries["Prometheus"], rows)
	require.NoError(t, err)
	reader, err := exporter.New(exporter.WithRegisterer(registries["OpenTelemetry"]), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	require.NoError(t, err)
	spans = tracetest.NewSpanRecorder()
	o, err := observe.NewOpenTelemetry(
		metricsdk.NewMeterProvider(metricsdk.WithReader(reader)).Meter("cardonfile"),
		tracesdk.NewTracerProvider(tracesdk.WithSpanProcessor(spans)).Tracer("cardonfile"), rows)
	require.NoError(t, err)
	return map[string]observe.Observer{"Prometheus": p, "OpenTelemetry": o}, registries, spans
}

// scrape returns the lines of a registry that are the same on every run: not how
// long something took.
func scrape(t *testing.T, r *prometheus.Registry) (lines []string, all string) {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "_bucket{") && !strings.Contains(line, "_seconds_sum{") && !strings.HasPrefix(line, "cardonfile_oldest_due_seconds ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines, w.Body.String()
}

// A life of good and bad days, told to both.
func TestObservers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rows := memstore.New()
	observers, registries, spans := both(t, rows)
	backend := new(setupintenttest.Provider)
	var down error
	provider := &setupintenttest.FaultyProvider{Provider: backend, Hooks: setupintenttest.Hooks{Before: func(string, string) error { return down }}}
	svc, err := setupintent.New(rows, provider, &setupintent.Options{
		Namespace: "test", CreateRate: 1e-9, CreateBurst: 3, Wait: -1,
		Observe: func(ctx context.Context, e setupintent.Event) {
			for _, o := range observers {
				o.Observe(ctx, e)
			}
		},
	})
	require.NoError(t, err)
	for i := range 4 {
		require.NoError(t, rows.Insert(fmt.Sprintf("row-%d", i), time.Time{}))
	}

	in, err := svc.Begin(ctx, "row-0", nil)
	require.NoError(t, err)
	secret := in.ClientSecret.Reveal()
	require.NoError(t, backend.Confirm(in.ID, "pm_1"))
	_, err = svc.Activate(ctx, "row-0", in.ID)
	require.NoError(t, err)
	down = setupintent.ErrCredentials
	_, err = svc.Begin(ctx, "row-1", nil)
	require.ErrorIs(t, err, setupintent.ErrCredentials)
	down = fmt.Errorf("no such parameter: gold: %w", setupintent.ErrRefused)
	_, err = svc.Begin(ctx, "row-2", nil)
	require.ErrorIs(t, err, setupintent.ErrRefused)
	_, err = svc.Begin(ctx, "row-3", nil)
	require.ErrorIs(t, err, setupintent.ErrLimited, "the budget")
	for _, o := range observers {
		o.Swept(setupintent.Report{Looked: 3, Expired: 2, Failed: 1}, nil)
		o.Swept(setupintent.Report{}, errors.New("the store is away"))
		o.Audited(make([]setupintent.Orphan, 2), nil)
		o.Audited(nil, errors.New("the provider is away"))
	}

	lines, all := scrape(t, registries["Prometheus"])
	for _, want := range []string{
		`cardonfile_moves_total{from="none",move="claim",to="claimed"} 3`,
		`cardonfile_moves_total{from="attached",move="activate",to="active"} 1`,
		`cardonfile_move_duration_seconds_count{move="claim"} 3`,
		`cardonfile_call_duration_seconds_count{call="get"} 1`,
		`cardonfile_errors_total{call="create",class="config"} 1`,
		`cardonfile_errors_total{call="create",class="refused"} 1`,
		`cardonfile_errors_total{call="budget",class="limited"} 1`,
		`cardonfile_attention_total{class="config"} 1`,
		`cardonfile_attention_total{class="refused"} 1`,
		`cardonfile_attention_total{class="mismatch"} 0`,
		`cardonfile_sweeps_total{result="ok"} 1`,
		`cardonfile_sweeps_total{result="error"} 1`,
		`cardonfile_sweep_rows_total{outcome="expired"} 2`,
		`cardonfile_audits_total{result="error"} 1`,
		`cardonfile_audit_orphans 2`,
		`cardonfile_stuck_rows{at="claimed"} 0`,
		`cardonfile_rows_readable 1`,
	} {
		require.Contains(t, lines, want)
	}
	require.Contains(t, all, "\ncardonfile_oldest_due_seconds ")
	same, text := scrape(t, registries["OpenTelemetry"])
	require.ElementsMatch(t, lines, same, "the two differ")
	for _, id := range []string{"row-", in.ID, secret, "seti_", "pm_", "gold"} {
		require.NotContains(t, all+text, id)
	}

	names := map[string]int{}
	for _, s := range spans.Ended() {
		names[s.Name()]++
		require.NotContains(t, fmt.Sprint(s), secret)
		require.False(t, s.EndTime().Before(s.StartTime()))
	}
	require.Equal(t, 3, names["cardonfile move claim"])
	require.Equal(t, 1, names["cardonfile get"])
	require.Equal(t, 2, names["cardonfile attention"])
}

// A span lies below that of the request, and is as long as the call was.
func TestSpan(t *testing.T) {
	t.Parallel()
	observers, _, spans := both(t, memstore.New())
	provider := tracesdk.NewTracerProvider(tracesdk.WithSpanProcessor(spans))
	ctx, request := provider.Tracer("test").Start(context.Background(), "request")
	observers["OpenTelemetry"].Observe(ctx, setupintent.Event{
		RowID: "42", IntentID: "seti_1", Call: "cancel", From: "closing", To: "closing", Attempts: 2,
		Duration: 3 * time.Second, Class: "throttled", Err: setupintent.ErrThrottled,
	})
	s := spans.Ended()[0]
	require.Equal(t, "cardonfile cancel", s.Name())
	require.Equal(t, request.SpanContext().SpanID(), s.Parent().SpanID())
	require.Equal(t, 3*time.Second, s.EndTime().Sub(s.StartTime()))
	require.Equal(t, setupintent.ErrThrottled.Error(), s.Status().Description)
	attrs := map[string]any{}
	for _, kv := range s.Attributes() {
		attrs[string(kv.Key)] = kv.Value.AsInterface()
	}
	require.Equal(t, map[string]any{
		"cardonfile.row": "42", "cardonfile.intent": "seti_1", "cardonfile.from": "closing", "cardonfile.to": "closing",
		"cardonfile.attempts": int64(2), "error.type": "throttled",
	}, attrs)
}

// due is a store of rows that are due, in their order.
type due struct {
	rows []setupintent.Row
	err  error
}

func (d due) Due(_ context.Context, now time.Time, after setupintent.Row, limit int) ([]setupintent.Row, error) {
	var found []setupintent.Row
	for _, r := range d.rows {
		if !r.Due.After(now) && (r.Due.After(after.Due) || r.Due.Equal(after.Due) && r.ID > after.ID) && len(found) < limit {
			found = append(found, r)
		}
	}
	return found, d.err
}

func TestLook(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	rows := due{}
	add := func(n int, due time.Duration, phase, intent string, deadline time.Duration) {
		for range n {
			var p setupintent.Progress
			text := fmt.Sprintf(`{"format":1,"phase":%q,"intent":{%s},"deadline":%q}`, phase, intent, now.Add(deadline).Format(time.RFC3339))
			require.NoError(t, p.UnmarshalText([]byte(text)))
			rows.rows = append(rows.rows, setupintent.Row{ID: fmt.Sprint(len(rows.rows)), Status: setupintent.Pending, Due: now.Add(due), Progress: p})
		}
	}
	sent := func(ago time.Duration, more string) string {
		return fmt.Sprintf(`"key":"k","sent":%q%s`, now.Add(-ago).Format(time.RFC3339), more)
	}
	add(1, -50*time.Second, "attached", sent(time.Hour, `,"id":"seti_1"`), time.Hour)
	add(2, 5*time.Second, "claimed", sent(10*time.Second, ""), time.Hour)
	add(3, 6*time.Second, "claimed", sent(61*time.Second, ""), time.Hour)
	add(4, 7*time.Second, "claimed", sent(14*time.Minute, `,"spent":true`), time.Hour)
	add(5, 8*time.Second, "claimed", sent(16*time.Minute, `,"spent":true`), time.Hour)
	add(6, 9*time.Second, "closing", sent(16*time.Minute, `,"spent":true`), -time.Minute)
	add(7, 10*time.Minute, "closing", sent(time.Hour, `,"id":"seti_1"`), -59*time.Minute)
	add(8, 11*time.Minute, "closing", sent(time.Hour, `,"id":"seti_1"`), -61*time.Minute)
	add(900, 12*time.Minute, "attached", sent(time.Hour, `,"id":"seti_1"`), time.Hour)
	slices.SortFunc(rows.rows, func(a, b setupintent.Row) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	got, err := observe.Look(context.Background(), rows, now)
	require.NoError(t, err)
	require.Equal(t, observe.Figures{Claimed: 3, Spent: 11, Closing: 8, OldestDue: 50 * time.Second}, got)
}

// Without a database the other metrics are there, and this is one, too.
func TestRowsUnreadable(t *testing.T) {
	t.Parallel()
	_, registries, _ := both(t, due{err: errors.New("the store is away")})
	for name, r := range registries {
		lines, _ := scrape(t, r)
		require.Contains(t, lines, "cardonfile_rows_readable 0", name)
		require.Contains(t, lines, "cardonfile_audit_orphans 0", name)
		require.NotContains(t, strings.Join(lines, "\n"), "cardonfile_stuck_rows", name)
	}
}

// The runbook speaks of nothing that is not there.
func TestRunbook(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	require.NoError(t, err)
	observers, registries, _ := both(t, memstore.New())
	for _, o := range observers {
		o.Observe(context.Background(), setupintent.Event{Move: "claim"})
		o.Observe(context.Background(), setupintent.Event{Call: "get"})
		o.Swept(setupintent.Report{}, nil)
		o.Audited(nil, nil)
	}
	told := regexp.MustCompile(`cardonfile_[a-z_]*[a-z]`)
	for name, r := range registries {
		exported := map[string]bool{"cardonfile_namespace": true, "cardonfile_rows": true} // no metrics, but metadata and a table
		families, err := r.Gather()
		require.NoError(t, err)
		for _, f := range families {
			exported[f.GetName()] = true
			require.Contains(t, string(text), f.GetName(), "the runbook does not say what it is for")
		}
		for _, metric := range told.FindAllString(string(text), -1) {
			require.Contains(t, exported, metric, name)
		}
	}
}
