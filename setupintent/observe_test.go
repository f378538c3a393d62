package setupintent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

// eventLog is what an observer was told, a line per event.
type eventLog []string

func (l *eventLog) observe(_ context.Context, e setupintent.Event) {
	kind := "needs a person:"
	switch {
	case e.Move != "":
		kind = "move " + e.Move
	case e.Call != "":
		kind = "call " + e.Call
	}
	line := fmt.Sprintf("%s/%d %s %s→%s %s %s", e.RowID, e.Attempts, kind, e.From, e.To, e.Duration, e.Class)
	if (e.Err != nil) != (e.Class != "") {
		line += fmt.Sprintf(" but the error is %v", e.Err)
	}
	*l = append(*l, strings.TrimSpace(line))
}

// observed returns a bench whose provider takes a second for each call.
func observed(t *testing.T, opts *setupintent.Options) (*bench, *eventLog) {
	t.Helper()
	var log eventLog
	if opts == nil {
		opts = new(setupintent.Options)
	}
	opts.Observe = log.observe
	b := newBench(t, opts)
	b.provider.Before = func(string, string) error { b.clock.advance(time.Second); return nil }
	return b, &log
}

// fails makes the provider fail once in a method.
func (b *bench) fails(method string, err error) {
	fail := failing(method, first(1, err))
	b.provider.Before = func(m, id string) error { b.clock.advance(time.Second); return fail(m, id) }
}

func TestObserve(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	tests := []struct {
		name string
		opts *setupintent.Options
		do   func(b *bench)
		want []string
	}{
		{"from the first request to the saved card", &setupintent.Options{OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error { return nil }}, func(b *bench) {
			begun(b)
			require.NoError(b.t, b.backend.Confirm("seti_1", "pm_1"))
			_, err := b.svc.Activate(ctx, "42", "seti_1")
			require.NoError(b.t, err)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s",
			"42/1 move record claimed→attached 0s",
			"42/1 call get attached→attached 1s",
			"42/1 call effect attached→attached 0s",
			"42/1 move activate attached→active 0s",
		}},
		{"our key is not accepted", nil, func(b *bench) {
			b.fails("CreateIntent", setupintent.ErrCredentials)
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(b.t, err, setupintent.ErrCredentials)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s config",
			"42/1 move give back claimed→claimed 0s",
			"42/1 needs a person: claimed→claimed 0s config",
		}},
		{"a webhook comes while our key is not accepted: nothing moves", nil, func(b *bench) {
			b.fails("GetIntent", setupintent.ErrCredentials)
			require.ErrorIs(b.t, b.svc.Notify(ctx, setupintent.Intent{ID: "seti_1"}), setupintent.ErrCredentials)
		}, []string{
			"/0 call get → 1s config",
			"/0 needs a person: → 0s config",
		}},
		{"refused", nil, func(b *bench) {
			b.fails("CreateIntent", setupintent.ErrRefused)
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(b.t, err, setupintent.ErrRefused)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s refused",
			"42/1 move refuse claimed→none 0s",
			"42/1 needs a person: none→none 0s refused",
		}},
		{"asked to wait, and no answer", nil, func(b *bench) {
			answers := []error{setupintent.ErrThrottled, no, nil}
			b.provider.Before = failing("CreateIntent", func() error {
				err := answers[0]
				answers = answers[1:]
				return err
			})
			begun(b)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 0s throttled",
			"42/1 move give back claimed→claimed 0s",
			"42/1 move take over claimed→claimed 0s",
			"42/1 call create claimed→claimed 0s unknown",
			"42/1 move give back claimed→claimed 0s",
			"42/1 move take over claimed→claimed 0s",
			"42/1 call create claimed→claimed 0s",
			"42/1 move record claimed→attached 0s",
		}},
		{"the key is spent, and looked for", nil, func(b *bench) {
			b.fails("CreateIntent", setupintent.ErrKeySpent)
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(b.t, err, setupintent.ErrUnresolved)
			b.clock.advance(setupintent.MaxFlight)
			_, err = b.svc.Refresh(ctx, "42")
			require.NoError(b.t, err)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s spent",
			"42/1 move spend claimed→claimed 0s",
			"/0 call list → 1s",
			"42/1 move next claimed→none 0s",
		}},
		{"the application can't say what to ask for", &setupintent.Options{
			Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
				return setupintent.IntentRequest{}, no
			},
		}, func(b *bench) {
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(b.t, err, setupintent.ErrHook)
		}, []string{
			"42/0 call request none→none 0s hook",
		}},
		{"the effect panics", &setupintent.Options{OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error { panic(no) }}, func(b *bench) {
			begun(b)
			require.NoError(b.t, b.backend.Confirm("seti_1", "pm_1"))
			_, err := b.svc.Refresh(ctx, "42")
			require.ErrorContains(b.t, err, "it panicked")
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s",
			"42/1 move record claimed→attached 0s",
			"42/1 call get attached→attached 1s",
			"42/1 call effect attached→attached 0s hook",
			"42/1 needs a person: attached→attached 0s hook",
			"42/1 move back off attached→attached 0s",
		}},
		{"the guard refuses", &setupintent.Options{Guard: func(context.Context, setupintent.Row) error { return no }}, func(b *bench) {
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(b.t, err, setupintent.ErrLimited)
		}, []string{"42/0 call guard none→none 0s limited"}},
		{"the budget refuses", &setupintent.Options{CreateRate: 1e-9, CreateBurst: 1}, func(b *bench) {
			b.insert("43", 0)
			_, err := b.svc.Begin(ctx, "43", nil)
			require.NoError(b.t, err)
			_, err = b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(b.t, err, setupintent.ErrLimited)
		}, []string{
			"43/1 move claim none→claimed 0s",
			"43/1 call create claimed→claimed 1s",
			"43/1 move record claimed→attached 0s",
			"42/0 call budget none→none 0s limited",
		}},
		{"the database is down", nil, func(b *bench) {
			b.rows.Before = failing("Swap", always(no))
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(b.t, err, no)
		}, []string{"42/0 move claim none→none 0s store"}},
		{"the intent is unknown", nil, func(b *bench) {
			begun(b)
			b.fails("GetIntent", setupintent.ErrNotFound)
			b.clock.advance(b.row().Due.Sub(b.clock.now()))
			_, err := b.svc.Refresh(ctx, "42")
			require.ErrorIs(b.t, err, setupintent.ErrMismatch)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s",
			"42/1 move record claimed→attached 0s",
			"42/1 call get attached→attached 1s not_found",
			"42/1 needs a person: attached→attached 0s mismatch",
			"42/1 move unknown attached→attached 0s",
		}},
		{"a stale save", nil, func(b *bench) {
			begun(b)
			require.NoError(b.t, b.backend.Confirm("seti_1", "pm_1"))
			_, err := b.svc.Refresh(ctx, "42")
			require.NoError(b.t, err)
			require.NoError(b.t, b.memory.SetStatus("42", setupintent.Pending))
			_, err = b.svc.Refresh(ctx, "42")
			require.NoError(b.t, err)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s",
			"42/1 move record claimed→attached 0s",
			"42/1 call get attached→attached 1s",
			"42/1 move activate attached→active 0s",
			"42/1 move restore done→active 0s",
			"42/1 needs a person: active→active 0s conflict",
		}},
		{"the caller has left", nil, func(b *bench) {
			begun(b)
			b.fails("GetIntent", context.Canceled)
			_, err := b.svc.Begin(ctx, "42", nil)
			require.Error(b.t, err)
		}, []string{
			"42/1 move claim none→claimed 0s",
			"42/1 call create claimed→claimed 1s",
			"42/1 move record claimed→attached 0s",
			"42/1 call get attached→attached 1s canceled",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, log := observed(t, test.opts)
			test.do(b)
			require.Equal(t, test.want, []string(*log))
		})
	}
}

// The logger is told the same, with levels to filter by.
func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b := newBench(t, &setupintent.Options{Logger: logger})
	b.provider.Before = failing("CreateIntent", first(1, errors.New("no answer")))
	begun(b)
	b.provider.Before = failing("GetIntent", always(setupintent.ErrCredentials))
	_, err := b.svc.Refresh(ctx, "42")
	require.Error(t, err)
	require.Equal(t, `
level=DEBUG msg="setupintent: move" row=42 move=claim from=none to=claimed attempts=1 duration=0s
level=WARN msg="setupintent: call" row=42 call=create from=claimed to=claimed attempts=1 duration=0s class=unknown err="no answer"
level=DEBUG msg="setupintent: move" row=42 move="give back" from=claimed to=claimed attempts=1 duration=0s
level=DEBUG msg="setupintent: move" row=42 move="take over" from=claimed to=claimed attempts=1 duration=0s
level=DEBUG msg="setupintent: call" row=42 call=create from=claimed to=claimed attempts=1 duration=0s
level=DEBUG msg="setupintent: move" row=42 intent=seti_1 move=record from=claimed to=attached attempts=1 duration=0s
level=WARN msg="setupintent: call" row=42 intent=seti_1 call=get from=attached to=attached attempts=1 duration=0s class=config err="the provider does not accept our credentials"
level=ERROR msg="setupintent: needs a person" row=42 intent=seti_1 from=attached to=attached attempts=1 duration=0s class=config err="the provider does not accept our credentials"
`, "\n"+regexp.MustCompile(`time=\S+ `).ReplaceAllString(out.String(), ""))
}

// Run tells of every sweep, how far behind it is included.
func TestOnReport(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.insert("expired", time.Hour)
	b.clock.advance(90 * time.Minute)
	ctx, stop := context.WithCancel(ctx)
	var reports []setupintent.Report
	_ = b.svc.Run(ctx, b.memory, time.Minute, &setupintent.SweepOptions{OnReport: func(r setupintent.Report, err error) {
		require.NoError(t, err)
		if reports = append(reports, r); len(reports) == 2 {
			stop()
		}
	}})
	require.Equal(t, []setupintent.Report{{Looked: 1, Expired: 1, Lag: 30 * time.Minute}, {}}, reports)
}

// What a hook panics with may be a secret: an error says only its type.
func TestPanicIsDiscreet(t *testing.T) {
	t.Parallel()
	const secret = "sk_live_hooksecret"
	var log bytes.Buffer
	b := newBench(t, &setupintent.Options{
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error { panic(secret) },
	})
	in, err := b.svc.Begin(context.Background(), "42", nil)
	require.NoError(t, err)
	require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
	_, err = b.svc.Activate(context.Background(), "42", in.ID)
	require.ErrorIs(t, err, setupintent.ErrHook)
	require.ErrorContains(t, err, "it panicked with a string")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
	require.Contains(t, log.String(), "it panicked")
	require.NotContains(t, log.String(), secret)
}
