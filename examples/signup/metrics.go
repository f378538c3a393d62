package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/cardonfile/cardonfile/examples/observe"
	"github.com/cardonfile/cardonfile/setupintent"
)

// metrics are what the service tells, and the page that they are read from. By
// either library it is the same page.
type metrics struct {
	observe.Observer
	page http.Handler
}

func newMetrics(library string, rows setupintent.DueStore) (m metrics, err error) {
	registry := prometheus.NewRegistry()
	m.page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	switch library {
	case "prometheus":
		m.Observer, err = observe.NewPrometheus(registry, rows)
	case "otel":
		var reader *exporter.Exporter
		if reader, err = exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo()); err != nil {
			return m, err
		}
		meter := metric.NewMeterProvider(metric.WithReader(reader)).Meter("cardonfile")
		m.Observer, err = observe.NewOpenTelemetry(meter, otel.Tracer("cardonfile"), rows) // a tracer of the application's, if it has set one
	default:
		err = errors.New("-metrics must be prometheus or otel")
	}
	return m, err
}

// housekeeping sweeps and audits until ctx ends and what it is at is done. The
// service is the one that can go on with a customer, too.
func (a *app) housekeeping(ctx context.Context, cfg config) {
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = a.withCustomers.Run(ctx, a.rows, cfg.sweep, &setupintent.SweepOptions{Expire: a.rows.Expire, OnReport: a.metrics.Swept}) // ends with ctx
	})
	wg.Go(func() { a.audit(ctx, cfg.audit) })
	wg.Wait()
}

// audit looks for intents of the last days that no row points to. It cancels
// none: that is for a person to say.
func (a *app) audit(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.metrics.Audited(a.svc.Audit(ctx, now.Add(-72*time.Hour), now, false))
		}
	}
}
