package observe

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/cardonfile/cardonfile/setupintent"
)

var _ Observer = (*OpenTelemetry)(nil)

// OpenTelemetry counts what it is told, and makes a span of each call and each
// move, below the span of the request that it was made for.
type OpenTelemetry struct {
	tracer       trace.Tracer
	moves        metric.Int64Counter
	moveDuration metric.Float64Histogram
	callDuration metric.Float64Histogram
	errors       metric.Int64Counter
	attention    metric.Int64Counter
	sweeps       metric.Int64Counter
	sweepRows    metric.Int64Counter
	audits       metric.Int64Counter
	orphans      metric.Int64Gauge
}

// NewOpenTelemetry makes the instruments. The rows are read whenever the metrics
// are collected.
func NewOpenTelemetry(meter metric.Meter, tracer trace.Tracer, rows setupintent.DueStore) (*OpenTelemetry, error) {
	var errs []error
	counter := func(name, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	seconds := func(name, description string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(buckets...))
		errs = append(errs, err)
		return h
	}
	o := &OpenTelemetry{
		tracer:       tracer,
		moves:        counter("cardonfile.moves", "Moves of rows, as docs/protocol.md names them."),
		moveDuration: seconds("cardonfile.move.duration", "How long the store took for a move."),
		callDuration: seconds("cardonfile.call.duration", "How long the provider, or the application, took for a call."),
		errors:       counter("cardonfile.errors", "Calls that failed, by kind of error."),
		attention:    counter("cardonfile.attention", "What needs a person, by kind of trouble."),
		sweeps:       counter("cardonfile.sweeps", "Sweeps that have ended."),
		sweepRows:    counter("cardonfile.sweep.rows", "Rows that sweeps have looked at."),
		audits:       counter("cardonfile.audits", "Audits that have ended."),
	}
	orphans, err := meter.Int64Gauge("cardonfile.audit.orphans", metric.WithDescription("Live intents that no row points to, as the last audit has found."))
	o.orphans = orphans
	errs = append(errs, err, observeFigures(meter, rows))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	ctx := context.Background()
	for _, class := range classes {
		o.attention.Add(ctx, 0, metric.WithAttributes(attribute.String("class", class)))
	}
	o.errors.Add(ctx, 0, metric.WithAttributes(attribute.String("call", refusal[0]), attribute.String("class", refusal[1])))
	o.orphans.Record(ctx, 0)
	return o, nil
}

// Observe implements [Observer].
func (o *OpenTelemetry) Observe(ctx context.Context, e setupintent.Event) {
	o.span(ctx, e)
	switch {
	case e.Move == "" && e.Call == "":
		o.attention.Add(ctx, 1, metric.WithAttributes(attribute.String("class", e.Class)))
		return
	case e.Move != "" && e.Class == "":
		o.moves.Add(ctx, 1, metric.WithAttributes(attribute.String("move", e.Move), attribute.String("from", e.From), attribute.String("to", e.To)))
	case e.Class != "":
		o.errors.Add(ctx, 1, metric.WithAttributes(attribute.String("call", at(e)), attribute.String("class", e.Class)))
	}
	if e.Move != "" {
		o.moveDuration.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(attribute.String("move", e.Move)))
	} else {
		o.callDuration.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(attribute.String("call", e.Call)))
	}
}

// span is of what is over by now.
func (o *OpenTelemetry) span(ctx context.Context, e setupintent.Event) {
	name, kind := "cardonfile attention", trace.SpanKindInternal
	switch {
	case e.Move != "":
		name = "cardonfile move " + e.Move
	case e.Call != "":
		name, kind = "cardonfile "+e.Call, trace.SpanKindClient
	}
	end := time.Now()
	_, span := o.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(end.Add(-e.Duration)), trace.WithAttributes(
		attribute.String("cardonfile.row", e.RowID),
		attribute.String("cardonfile.intent", e.IntentID),
		attribute.String("cardonfile.from", e.From),
		attribute.String("cardonfile.to", e.To),
		attribute.Int("cardonfile.attempts", e.Attempts),
	))
	if e.Err != nil {
		span.SetAttributes(attribute.String("error.type", e.Class))
		span.SetStatus(codes.Error, e.Err.Error())
	}
	span.End(trace.WithTimestamp(end))
}

// Swept implements [Observer].
func (o *OpenTelemetry) Swept(r setupintent.Report, err error) {
	ctx := context.Background()
	o.sweeps.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result(err))))
	for outcome, n := range outcomes(r) {
		o.sweepRows.Add(ctx, int64(n), metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}

// Audited implements [Observer].
func (o *OpenTelemetry) Audited(orphans []setupintent.Orphan, err error) {
	ctx := context.Background()
	o.audits.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result(err))))
	if err == nil || len(orphans) > 0 { // or it is not known
		o.orphans.Record(ctx, int64(len(orphans)))
	}
}

// observeFigures has them read whenever the metrics are collected.
func observeFigures(meter metric.Meter, rows setupintent.DueStore) error {
	stuckRows, err1 := meter.Int64ObservableGauge("cardonfile.stuck.rows", metric.WithDescription("Rows that have been at it for too long."))
	oldestDue, err2 := meter.Float64ObservableGauge("cardonfile.oldest.due", metric.WithUnit("s"), metric.WithDescription("By how much the row that is due the longest is overdue."))
	readable, err3 := meter.Int64ObservableGauge("cardonfile.rows.readable", metric.WithDescription("1 if the rows could be read for these figures."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(ctx context.Context, ob metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		now, err := Look(ctx, rows, time.Now())
		if err != nil {
			ob.ObserveInt64(readable, 0)
			return nil // it is in the figure, and the others are read all the same
		}
		ob.ObserveInt64(readable, 1)
		ob.ObserveFloat64(oldestDue, now.OldestDue.Seconds())
		for at, n := range now.stuck() {
			ob.ObserveInt64(stuckRows, int64(n), metric.WithAttributes(attribute.String("at", at)))
		}
		return nil
	}, stuckRows, oldestDue, readable)
	return err
}
