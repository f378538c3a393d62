package observe

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cardonfile/cardonfile/setupintent"
)

var _ Observer = (*Prometheus)(nil)

// Prometheus counts what it is told.
type Prometheus struct {
	moves        *prometheus.CounterVec
	moveDuration *prometheus.HistogramVec
	callDuration *prometheus.HistogramVec
	errors       *prometheus.CounterVec
	attention    *prometheus.CounterVec
	sweeps       *prometheus.CounterVec
	sweepRows    *prometheus.CounterVec
	audits       *prometheus.CounterVec
	orphans      prometheus.Gauge
}

// NewPrometheus registers the metrics. The rows are read at every scrape.
func NewPrometheus(reg prometheus.Registerer, rows setupintent.DueStore) (*Prometheus, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	seconds := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	p := &Prometheus{
		moves:        counter("cardonfile_moves_total", "Moves of rows, as docs/protocol.md names them.", "move", "from", "to"),
		moveDuration: seconds("cardonfile_move_duration_seconds", "How long the store took for a move.", "move"),
		callDuration: seconds("cardonfile_call_duration_seconds", "How long the provider, or the application, took for a call.", "call"),
		errors:       counter("cardonfile_errors_total", "Calls that failed, by kind of error.", "call", "class"),
		attention:    counter("cardonfile_attention_total", "What needs a person, by kind of trouble.", "class"),
		sweeps:       counter("cardonfile_sweeps_total", "Sweeps that have ended.", "result"),
		sweepRows:    counter("cardonfile_sweep_rows_total", "Rows that sweeps have looked at.", "outcome"),
		audits:       counter("cardonfile_audits_total", "Audits that have ended.", "result"),
		orphans:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "cardonfile_audit_orphans", Help: "Live intents that no row points to, as the last audit has found."}),
	}
	for _, class := range classes {
		p.attention.WithLabelValues(class)
	}
	p.errors.WithLabelValues(refusal[0], refusal[1])
	var err error
	for _, c := range []prometheus.Collector{
		p.moves, p.moveDuration, p.callDuration, p.errors, p.attention, p.sweeps, p.sweepRows, p.audits, p.orphans, &figures{rows},
	} {
		err = errors.Join(err, reg.Register(c))
	}
	return p, err
}

// Observe implements [Observer].
func (p *Prometheus) Observe(_ context.Context, e setupintent.Event) {
	switch {
	case e.Move == "" && e.Call == "":
		p.attention.WithLabelValues(e.Class).Inc()
		return
	case e.Move != "" && e.Class == "":
		p.moves.WithLabelValues(e.Move, e.From, e.To).Inc()
	case e.Class != "":
		p.errors.WithLabelValues(at(e), e.Class).Inc()
	}
	if e.Move != "" {
		p.moveDuration.WithLabelValues(e.Move).Observe(e.Duration.Seconds())
	} else {
		p.callDuration.WithLabelValues(e.Call).Observe(e.Duration.Seconds())
	}
}

// Swept implements [Observer].
func (p *Prometheus) Swept(r setupintent.Report, err error) {
	p.sweeps.WithLabelValues(result(err)).Inc()
	for outcome, n := range outcomes(r) {
		p.sweepRows.WithLabelValues(outcome).Add(float64(n))
	}
}

// Audited implements [Observer].
func (p *Prometheus) Audited(orphans []setupintent.Orphan, err error) {
	p.audits.WithLabelValues(result(err)).Inc()
	if err == nil || len(orphans) > 0 { // or it is not known
		p.orphans.Set(float64(len(orphans)))
	}
}

// figures are read when they are asked for.
type figures struct{ rows setupintent.DueStore }

var (
	stuckRows    = prometheus.NewDesc("cardonfile_stuck_rows", "Rows that have been at it for too long.", []string{"at"}, nil)
	oldestDue    = prometheus.NewDesc("cardonfile_oldest_due_seconds", "By how much the row that is due the longest is overdue.", nil, nil)
	rowsReadable = prometheus.NewDesc("cardonfile_rows_readable", "1 if the rows could be read for these figures.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	ch <- stuckRows
	ch <- oldestDue
	ch <- rowsReadable
}

// Collect implements [prometheus.Collector]. What fails leaves the other metrics
// alone.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	now, err := Look(ctx, f.rows, time.Now())
	if err != nil {
		gauge(rowsReadable, 0)
		return
	}
	gauge(rowsReadable, 1)
	gauge(oldestDue, now.OldestDue.Seconds())
	for at, n := range now.stuck() {
		gauge(stuckRows, float64(n), at)
	}
}
