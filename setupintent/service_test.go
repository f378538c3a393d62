package setupintent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

// failing makes the calls of a method fail with what next returns, which is
// asked each time.
func failing(method string, next func() error) func(string, string) error {
	return func(m, _ string) error {
		if m != method {
			return nil
		}
		return next()
	}
}

func always(err error) func() error { return func() error { return err } }

// first fails n times.
func first(n int, err error) func() error {
	return func() error {
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, o := range []setupintent.Options{
		{TTL: -1},
		{MaxAttempts: -1},
		{MaxDeclines: -1},
		{OnActiveTimeout: -1},
		{Recheck: []time.Duration{0}},
		{MetadataKey: strings.Repeat("x", 41)},
		{MetadataKey: "cardonfile_key"},
		{MetadataKey: "a[b]"},
		{MetadataKey: "\xff"},
		{Namespace: strings.Repeat("x", 501)},
		{Namespace: "\xff"},
		{Rate: -1},
		{Rate: math.NaN()},
		{CreateRate: -1},
		{CreateRate: math.NaN()},
	} {
		_, err := setupintent.New(b.rows, b.provider, &o)
		require.Error(t, err, "%+v", o)
	}
	_, err := setupintent.New(nil, b.provider, nil)
	require.Error(t, err)
	_, err = setupintent.New(b.rows, nil, nil)
	require.Error(t, err)
}

func TestBeginAgainIsOneReadAndOneGet(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	made, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 1, 0}, b.count("Load", "Swap", "CreateIntent", "GetIntent"), "the first costs one read and two writes")

	b.restart(nil)
	for range 5 {
		in, err := b.svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		require.Equal(t, made.ID, in.ID)
		require.Equal(t, made.ClientSecret.Reveal(), in.ClientSecret.Reveal())
	}
	require.Equal(t, []int{5, 0, 0, 5}, b.count("Load", "Swap", "CreateIntent", "GetIntent"))
}

func (b *bench) count(methods ...string) []int {
	var n []int
	for _, m := range methods {
		n = append(n, b.rows.Calls(m)+b.provider.Calls(m))
	}
	return n
}

func TestBeginAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	svc, err := setupintent.New(b.rows, b.provider, &setupintent.Options{Now: b.clock.now}) // really waits
	require.NoError(t, err)
	var wg sync.WaitGroup
	ids := make([]string, 64)
	for i := range ids {
		wg.Add(1)
		go func() {
			defer wg.Done()
			in, err := svc.Begin(ctx, "42", nil)
			if err != nil {
				ids[i] = err.Error()
				return
			}
			ids[i] = in.ID + in.ClientSecret.Reveal()
		}()
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, "seti_1seti_1_secret_test", id)
	}
	require.Equal(t, 1, b.provider.Calls("CreateIntent"))
	require.Len(t, b.backend.Intents(), 1)
}

// A caller who goes away while the provider works does not stop it.
func TestBeginOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ctx, leave := context.WithCancel(ctx)
	b.provider.Before = failing("CreateIntent", func() error { leave(); return nil })
	_, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, setupintent.Attached, b.row().Progress.Phase())

	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, context.Canceled, "nothing new is begun for somebody who has left")
}

func TestBeginWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	// This process loses sight of its create: for the others it is under way.
	b.rows.Before = failing("Swap", func() error {
		if b.rows.Calls("Swap") > 1 {
			return errors.New("the database is gone")
		}
		return nil
	})
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)

	began := b.clock.now()
	b.restart(nil)
	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrBusy)
	var e *setupintent.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, time.Second, e.RetryAfter)
	require.InDelta(t, 3, b.clock.now().Sub(began).Seconds(), 0.2, "it waits for as long as Options.Wait says")

	b.clock.advance(setupintent.Lease)
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err, "the lease is over: it takes over")
	require.Equal(t, "seti_1", in.ID, "with the same key")

	none := newBench(t, &setupintent.Options{Wait: -1})
	none.rows.Before = failing("Swap", func() error {
		if none.rows.Calls("Swap") > 1 {
			return errors.New("the database is gone")
		}
		return nil
	})
	_, err = none.svc.Begin(ctx, "42", nil)
	require.Error(t, err)
	began = none.clock.now()
	_, err = none.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrBusy)
	require.Equal(t, began, none.clock.now())
}

// What each error of a create means for the row and for the caller.
func TestCreateErrors(t *testing.T) {
	t.Parallel()
	unknown := errors.New("connection reset")
	tests := []struct {
		name     string
		fail     func() error
		want     error
		retry    time.Duration
		phase    setupintent.Phase
		attempts int
		spent    bool
	}{
		{"refused", always(setupintent.ErrRefused), setupintent.ErrRefused, 0, setupintent.None, 1, false},
		{"unknown, then well", first(2, unknown), nil, 0, setupintent.Attached, 1, false},
		{"unknown for long", always(unknown), setupintent.ErrUnresolved, 2 * time.Second, setupintent.Claimed, 1, false},
		{"throttled for long", always(setupintent.ErrThrottled), setupintent.ErrThrottled, 2 * time.Second, setupintent.Claimed, 1, false},
		{"credentials", always(setupintent.ErrCredentials), setupintent.ErrCredentials, 0, setupintent.Claimed, 1, false},
		{"spent", always(setupintent.ErrKeySpent), setupintent.ErrKeySpent, setupintent.MaxFlight, setupintent.Claimed, 1, true},
		{"unknown, then refused", func() func() error {
			n := 0
			return func() error {
				if n++; n == 1 {
					return unknown
				}
				return setupintent.ErrRefused
			}
		}(), setupintent.ErrRefused, 0, setupintent.Claimed, 1, true},
		{"throttled, then refused", func() func() error {
			n := 0
			return func() error {
				if n++; n == 1 {
					return setupintent.ErrThrottled
				}
				return setupintent.ErrRefused
			}
		}(), setupintent.ErrRefused, 0, setupintent.None, 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.provider.Before = failing("CreateIntent", test.fail)
			began := b.clock.now()
			_, err := b.svc.Begin(ctx, "42", nil)
			require.Less(t, b.clock.now().Sub(began), 25*time.Second)
			a := setupintent.Read(b.row().Progress)
			require.Equal(t, test.phase, a.Phase)
			require.Equal(t, test.attempts, a.Attempts)
			require.Equal(t, test.spent, a.Intent.Spent)
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
			var e *setupintent.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, test.retry, e.RetryAfter)

			// Whatever it was, it must not be for ever.
			b.restart(nil)
			b.clock.advance(setupintent.MaxFlight)
			in, err := b.svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.NotEmpty(t, in.ID)
			require.Equal(t, 1, b.live())
		})
	}
}

type creatorFunc func(context.Context, setupintent.IntentRequest) (setupintent.Intent, error)

func (f creatorFunc) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	return f(ctx, req)
}

// Again marks a create that may have been sent before, and no other.
func TestAgain(t *testing.T) {
	t.Parallel()
	unknown := errors.New("connection reset")
	for name, test := range map[string]struct {
		answers []error
		want    []bool
	}{
		"at once":              {[]error{nil}, []bool{false}},
		"unknown":              {[]error{unknown, nil}, []bool{false, true}},
		"throttled":            {[]error{setupintent.ErrThrottled, setupintent.ErrThrottled, nil}, []bool{false, false, false}},
		"credentials":          {[]error{setupintent.ErrCredentials, nil}, []bool{false, false}},
		"throttled in between": {[]error{unknown, setupintent.ErrThrottled, nil}, []bool{false, true, true}},
		"unknown after all":    {[]error{setupintent.ErrThrottled, unknown, setupintent.ErrThrottled, nil}, []bool{false, false, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			var got []bool
			b.svc = b.service(b.rows, setupintent.CreateOnly(creatorFunc(func(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
				got = append(got, req.Again)
				if err := test.answers[len(got)-1]; err != nil {
					return setupintent.Intent{}, err
				}
				return b.backend.CreateIntent(ctx, req)
			})), nil)
			for range test.answers {
				if _, err := b.svc.Begin(ctx, "42", nil); err == nil {
					break
				}
				b.clock.advance(time.Minute)
			}
			require.Equal(t, test.want, got)
		})
	}
}

// A row whose key created nothing, surely, ends at once.
func TestCloseOfAnUnusedClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.Before = failing("CreateIntent", always(setupintent.ErrCredentials))
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrCredentials)
	calls := b.provider.Calls("CreateIntent")
	r, err := b.svc.Cancel(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, setupintent.Cancelled, r.Status)
	require.Equal(t, calls, b.provider.Calls("CreateIntent"))
}

// News of an intent that was created, and nobody was told of: its metadata says
// whose it is.
func TestNewsOfALostCreate(t *testing.T) {
	t.Parallel()
	lost := func(t *testing.T, what error) *bench {
		b := newBench(t, nil)
		b.provider.After = failing("CreateIntent", always(what))
		_, err := b.svc.Begin(ctx, "42", nil)
		require.Error(t, err)
		b.provider.After = nil
		return b
	}
	for name, what := range map[string]error{"spent": setupintent.ErrKeySpent, "unknown": errors.New("connection reset")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := lost(t, what)
			creates := b.provider.Calls("CreateIntent")
			require.NoError(t, b.svc.Notify(ctx, setupintent.Intent{ID: "seti_1"}))
			require.Equal(t, setupintent.Attached, b.row().Progress.Phase())
			in, err := b.svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.Equal(t, "seti_1", in.ID)
			require.Equal(t, creates, b.provider.Calls("CreateIntent"))
			require.Zero(t, b.provider.Calls("ListIntents"))
		})
	}
	t.Run("of a row that is being closed", func(t *testing.T) {
		t.Parallel()
		b := lost(t, setupintent.ErrKeySpent)
		r, err := b.svc.Cancel(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Pending, r.Status)
		require.NoError(t, b.svc.Notify(ctx, setupintent.Intent{ID: "seti_1"}))
		require.Equal(t, setupintent.Cancelled, b.row().Status)
		require.Zero(t, b.live())
	})
	t.Run("of another key", func(t *testing.T) {
		t.Parallel()
		b := lost(t, setupintent.ErrKeySpent)
		_, err := b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: "another", Metadata: map[string]string{"pending_user_id": "42"}})
		require.NoError(t, err)
		require.NoError(t, b.svc.Notify(ctx, setupintent.Intent{ID: "seti_2"}))
		require.Equal(t, setupintent.Claimed, b.row().Progress.Phase())
	})
}

// A provider that can't list leaves a spent key to a person, and says so; the
// row is looked at less and less often.
func TestSpentKeyWithoutList(t *testing.T) {
	t.Parallel()
	var reports []error
	b := newBench(t, nil)
	svc := b.service(b.rows, setupintent.CreateOnly(b.provider), &setupintent.Options{
		TTL: 48 * time.Hour,
		Observe: func(_ context.Context, e setupintent.Event) {
			if e.Move == "" && e.Call == "" {
				reports = append(reports, e.Err)
			}
		},
	})
	b.provider.After = failing("CreateIntent", always(setupintent.ErrKeySpent))
	_, err := svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	b.clock.advance(setupintent.MaxFlight)
	_, err = svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	for range 20 {
		b.clock.advance(b.row().Due.Sub(b.clock.now()))
		_, err := svc.Refresh(ctx, "42")
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	require.Equal(t, time.Hour, b.row().Due.Sub(b.clock.now()))
	require.Len(t, reports, 21)
	require.ErrorContains(t, reports[0], "pass its id to Notify")
	require.Equal(t, 1, b.provider.Calls("CreateIntent"))
	require.Equal(t, setupintent.Pending, b.row().Status)
}

// A long outage spends no key: no list is needed afterwards.
func TestOutageNeedsNoList(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.Before = failing("CreateIntent", always(errors.New("500")))
	for range 5 {
		_, err := b.svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrUnresolved)
		b.clock.advance(4 * time.Second)
	}
	b.provider.Before = nil
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, "seti_1", in.ID)
	require.Zero(t, b.provider.Calls("ListIntents"))
}

// A provider that does not mark its stored answers spends the key with the
// third of them, over at least a minute.
func TestSuspectKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{Wait: -1})
	b.provider.Before = failing("CreateIntent", always(setupintent.ErrKeySuspect))
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	a := setupintent.Read(b.row().Progress)
	require.False(t, a.Intent.Spent, "many within a minute are an outage")
	require.GreaterOrEqual(t, a.Intent.Errors, 3)
	b.clock.advance(time.Minute)
	_, err = b.svc.Refresh(ctx, "42")
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	require.True(t, setupintent.Read(b.row().Progress).Intent.Spent)
}

// The intent of a spent key is found by the list, and only there.
func TestSpentKeyIsLookedUp(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		b := newBench(t, &setupintent.Options{Namespace: "prod"})
		hook := failing("CreateIntent", always(setupintent.ErrKeySpent))
		if made {
			b.provider.After = hook
		} else {
			b.provider.Before = hook
		}
		_, err := b.svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrUnresolved)
		for range 12 { // others, on several pages
			_, err := b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: fmt.Sprint(b.backend.Intents()), Metadata: map[string]string{"pending_user_id": "42"}})
			require.NoError(t, err)
		}
		b.restart(&setupintent.Options{Namespace: "prod"})
		_, err = b.svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrUnresolved)
		require.Zero(t, b.provider.Calls("ListIntents"), "a request may still be on its way")
		b.clock.advance(setupintent.MaxFlight)
		in, err := b.svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		require.Positive(t, b.provider.Calls("ListIntents"))
		if made {
			require.Equal(t, "seti_1", in.ID)
			require.Zero(t, b.provider.Calls("CreateIntent"))
		} else {
			require.Equal(t, 1, b.provider.Calls("CreateIntent"))
			require.Equal(t, 2, setupintent.Read(b.row().Progress).Attempts)
		}
	}
}

func TestFrozenRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	req := &setupintent.IntentRequest{Usage: "on_session", Extra: map[string]any{"attach_to_self": true}}
	_, err := b.svc.Begin(ctx, "42", req)
	require.NoError(t, err)
	_, err = b.svc.Begin(ctx, "42", req)
	require.NoError(t, err, "the same again")
	_, err = b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err, "no wish")
	_, err = b.svc.Begin(ctx, "42", &setupintent.IntentRequest{Usage: "off_session"})
	require.ErrorIs(t, err, setupintent.ErrFrozen)
	var frozen *setupintent.Error
	require.ErrorAs(t, err, &frozen)
	require.Zero(t, frozen.RetryAfter, "trying again does not help")
	require.Len(t, b.backend.Intents(), 1)
}

func TestInvalidRequestsWriteNothing(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint(i)] = ""
	}
	extra := func(name string, value any) setupintent.IntentRequest {
		return setupintent.IntentRequest{Extra: map[string]any{name: value}}
	}
	tests := []struct {
		says string
		req  setupintent.IntentRequest
	}{
		{"a replay", extra("x", nil)},
		{"must not confirm the card of somebody who left", extra("confirm", true)},
		{"confirm=true", extra("confirmation_token", "ctoken_1")},
		{"confirm=true", extra("mandate_data", map[string]any{})},
		{"confirm=true", extra("return_url", "https://example.com")},
		{"card numbers must not pass", extra("payment_method_data", map[string]any{"type": "card", "card": map[string]any{"number": "4242424242424242"}})},
		{"not a documented parameter", extra("payment_method_data", map[string]any{"card][number": "4242424242424242"})},
		{"not a documented parameter", extra("client_secrets", "x")},
		{"not a parameter of a create", extra("client_secret", "x")},
		{"field of IntentRequest", extra("customer", "cus_1")},
		{"not a documented parameter", extra("payment_method_options", map[string]any{"card": map[string]any{"request_four_d_secure": "any"}})},
		{"holds other parameters", extra("payment_method_options", "card")},
		{"float64", extra("single_use", map[string]any{"amount": 1.5})},
		{"json.Number", extra("single_use", map[string]any{"amount": json.Number("1.5")})},
		{"json.Number", extra("single_use", map[string]any{"amount": json.Number("")})},
		{"struct", extra("on_behalf_of", struct{}{})},
		{"map[", extra("flow_directions", []any{map[string]any{}})},
		{"metadata keys", setupintent.IntentRequest{Metadata: many}},
		{"metadata", setupintent.IntentRequest{Metadata: map[string]string{strings.Repeat("k", 41): ""}}},
		{"metadata", setupintent.IntentRequest{Metadata: map[string]string{"k": strings.Repeat("v", 501)}}},
		{"metadata", setupintent.IntentRequest{Metadata: map[string]string{"a[b]": ""}}},
		{"the service's own", setupintent.IntentRequest{Metadata: map[string]string{"pending_user_id": "1"}}},
		{"the service's own", setupintent.IntentRequest{Metadata: map[string]string{"cardonfile_key": "1"}}},
	}
	tests[0].says = "not a documented parameter"
	for _, test := range tests {
		b := newBench(t, nil)
		_, err := b.svc.Begin(ctx, "42", &test.req)
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
		require.ErrorContains(t, err, test.says)
		require.NotContains(t, err.Error(), "4242", "card data in an error")
		require.True(t, b.row().Progress.IsZero(), "%v was written for", test.req)
		require.Empty(t, b.backend.Intents())
	}
	ok := setupintent.IntentRequest{Extra: map[string]any{
		"payment_method_options": map[string]any{"card": map[string]any{"request_three_d_secure": "any", "mandate_options": map[string]any{"supported_types": []string{"india"}}}},
		"payment_method_data":    map[string]any{"type": "sepa_debit", "billing_details": map[string]any{"name": "A"}, "metadata": map[string]any{"k": "v"}, "alipay": map[string]any{}},
		"flow_directions":        []any{"inbound"},
	}}
	require.NoError(t, ok.Validate())
}

func TestHooksOfAClaim(t *testing.T) {
	t.Parallel()
	no := errors.New("not today")
	b := newBench(t, &setupintent.Options{Guard: func(_ context.Context, r setupintent.Row) error {
		require.Equal(t, "42", r.ID)
		return no
	}})
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrLimited)
	require.ErrorIs(t, err, no)
	require.True(t, b.row().Progress.IsZero(), "the guard comes before the claim")

	asked := 0
	request := &setupintent.Options{Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
		asked++
		return setupintent.IntentRequest{Customer: "cus_1"}, nil
	}}
	b = newBench(t, request)
	for range 3 {
		in, err := b.svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		require.Equal(t, "cus_1", in.Customer)
	}
	require.Equal(t, 1, asked, "it is asked once per attempt")

	b = newBench(t, &setupintent.Options{Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
		return setupintent.IntentRequest{}, no
	}})
	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, no)
	require.True(t, b.row().Progress.IsZero())
}

func TestRearmAndExhaust(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range 3 {
		in, err := b.svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("seti_", i+1), in.ID)
		_, err = b.backend.CancelIntent(ctx, in.ID, "") // in the Dashboard
		require.NoError(t, err)
	}
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrExhausted)
	require.Equal(t, setupintent.Abandoned, b.sweep(b.svc).Status)
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	require.NoError(t, b.memory.Insert("untouched", b.clock.now().Add(time.Hour)))
	_, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)

	b.clock.advance(13 * time.Hour)
	_, err = b.svc.Begin(ctx, "untouched", nil)
	require.ErrorIs(t, err, setupintent.ErrNotPending)
	untouched, err := b.memory.Load(ctx, "untouched")
	require.NoError(t, err)
	require.Equal(t, setupintent.Abandoned, untouched.Status)
	require.True(t, untouched.Progress.IsZero())

	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrClosing)
	r, err := b.svc.Refresh(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, setupintent.Abandoned, r.Status)
	require.Zero(t, b.live())
}

func TestActivate(t *testing.T) {
	t.Parallel()
	var ran []string
	b := newBench(t, &setupintent.Options{OnActive: func(_ context.Context, r setupintent.Row, in setupintent.Intent) error {
		ran = append(ran, r.ID+" "+in.ID+" "+in.PaymentMethod)
		require.Empty(t, in.ClientSecret.Reveal())
		return nil
	}})
	_, err := b.svc.Activate(ctx, "42", "seti_1")
	require.ErrorIs(t, err, setupintent.ErrMismatch, "nothing was begun")
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	_, err = b.svc.Activate(ctx, "42", in.ID)
	require.ErrorIs(t, err, setupintent.ErrNotSucceeded)
	require.NoError(t, b.backend.Process(in.ID, "pm_1"))
	_, err = b.svc.Activate(ctx, "42", in.ID)
	var e *setupintent.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 30*time.Second, e.RetryAfter)
	begun, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, setupintent.Processing, begun.Status)

	gets := b.provider.Calls("GetIntent")
	_, err = b.svc.Activate(ctx, "42", "seti_2")
	require.ErrorIs(t, err, setupintent.ErrMismatch)
	require.Equal(t, gets, b.provider.Calls("GetIntent"), "another id is refused without asking")

	require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
	r, err := b.svc.Activate(ctx, "42", in.ID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, r.Status)
	require.Equal(t, "pm_1", r.Progress.PaymentMethodID())
	require.True(t, r.Due.IsZero())
	require.Equal(t, []string{"42 seti_1 pm_1"}, ran)

	b.restart(nil)
	again, err := b.svc.Activate(ctx, "42", in.ID)
	require.NoError(t, err)
	require.Equal(t, r, again)
	_, err = b.svc.Activate(ctx, "42", "seti_2")
	require.ErrorIs(t, err, setupintent.ErrMismatch)
	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrNotPending)
	require.Equal(t, []int{0, 0, 0}, b.count("CreateIntent", "GetIntent", "Swap"))
}

func TestBeginFindsTheCardSaved(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrNotPending)
	var e *setupintent.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, setupintent.Active, e.Status)
}

// storing answers a create that it knows as it answered it first.
type storing struct {
	*setupintenttest.FaultyProvider
}

func (p storing) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	in, err := p.FaultyProvider.CreateIntent(ctx, req)
	if in.Replayed {
		in.Status, in.PaymentMethod = setupintent.RequiresPaymentMethod, ""
	}
	return in, err
}

// A stored answer may be out of date, and is not handed out.
func TestBeginFindsTheCardSavedBehindAStoredAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.svc = b.service(b.rows, storing{b.provider}, nil)
	b.provider.After = failing("CreateIntent", always(errors.New("answer lost")))
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	b.provider.After = nil
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrNotPending)
	var e *setupintent.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, setupintent.Active, e.Status)
}

// Before the intent is recorded, the hash of its key tells whose it is.
func TestActivateBeforeRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.After = failing("CreateIntent", always(errors.New("answer lost")))
	_, err := b.svc.Begin(ctx, "42", nil)
	require.Error(t, err)
	_, err = b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: "x", Metadata: map[string]string{"pending_user_id": "42", "cardonfile_key": "forged"}})
	require.NoError(t, err)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	require.NoError(t, b.backend.Confirm("seti_2", "pm_2"))
	_, err = b.svc.Activate(ctx, "42", "seti_2")
	require.ErrorIs(t, err, setupintent.ErrMismatch)
	r, err := b.svc.Activate(ctx, "42", "seti_1")
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, r.Status)
}

func TestActivateChecksWhoseIntentItIs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opts   setupintent.Options
		change func(*setupintent.Intent)
	}{
		{"another row", setupintent.Options{}, func(in *setupintent.Intent) { in.Metadata = map[string]string{"pending_user_id": "43"} }},
		{"no metadata", setupintent.Options{}, func(in *setupintent.Intent) { in.Metadata = nil }},
		{"another namespace", setupintent.Options{Namespace: "prod"}, func(in *setupintent.Intent) {
			in.Metadata = map[string]string{"pending_user_id": "42", "cardonfile_namespace": "staging"}
		}},
		{"another customer", setupintent.Options{Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
			return setupintent.IntentRequest{Customer: "cus_1"}, nil
		}}, func(in *setupintent.Intent) { in.Customer = "cus_2" }},
		{"the other mode", setupintent.Options{}, func(in *setupintent.Intent) { in.Live = true }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, &test.opts)
			in, err := b.svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
			svc := b.service(b.memory, changing{b.backend, test.change}, &test.opts)
			_, err = svc.Activate(ctx, "42", in.ID)
			require.ErrorIs(t, err, setupintent.ErrMismatch)
			_, err = svc.Begin(ctx, "42", nil)
			require.ErrorIs(t, err, setupintent.ErrMismatch)
			require.NoError(t, svc.Notify(ctx, setupintent.Intent{ID: in.ID}))
			require.Equal(t, setupintent.Pending, b.row().Status)
			_, err = svc.Refresh(ctx, "42")
			require.ErrorIs(t, err, setupintent.ErrMismatch)
			b.clock.advance(b.row().Due.Sub(b.clock.now()))
			_, err = svc.Refresh(ctx, "42")
			require.ErrorIs(t, err, setupintent.ErrMismatch)
			require.Equal(t, b.clock.now().Add(24*time.Hour), b.row().Due)
			_, err = b.svc.Activate(ctx, "42", in.ID)
			require.NoError(t, err, "unchanged, it is the row's")
		})
	}
}

// changing answers a changed intent.
type changing struct {
	*setupintenttest.Provider
	change func(*setupintent.Intent)
}

func (p changing) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	in, err := p.Provider.GetIntent(ctx, id)
	p.change(&in)
	return in, err
}

// An effect that calls the service for its own row would never end.
func TestOnActiveCallsTheService(t *testing.T) {
	t.Parallel()
	var svc *setupintent.Service
	for name, call := range map[string]func(context.Context, setupintent.Row, setupintent.Intent) error{
		"Begin": func(ctx context.Context, r setupintent.Row, _ setupintent.Intent) error {
			_, err := svc.Begin(ctx, r.ID, nil)
			return err
		},
		"Activate": func(ctx context.Context, r setupintent.Row, in setupintent.Intent) error {
			_, err := svc.Activate(ctx, r.ID, in.ID)
			return err
		},
		"Refresh": func(ctx context.Context, r setupintent.Row, _ setupintent.Intent) error {
			_, err := svc.Refresh(ctx, r.ID)
			return err
		},
		"Cancel": func(ctx context.Context, r setupintent.Row, _ setupintent.Intent) error {
			_, err := svc.Cancel(ctx, r.ID)
			return err
		},
		"Retrieve": func(ctx context.Context, r setupintent.Row, in setupintent.Intent) error {
			_, _, err := svc.Retrieve(ctx, r.ID, in.ID)
			return err
		},
		"Import": func(ctx context.Context, r setupintent.Row, in setupintent.Intent) error {
			_, err := svc.Import(ctx, r.ID, in.ID)
			return err
		},
		"Notify": func(ctx context.Context, _ setupintent.Row, in setupintent.Intent) error { return svc.Notify(ctx, in) },
	} {
		ran := 0
		b := newBench(t, &setupintent.Options{OnActive: func(ctx context.Context, r setupintent.Row, in setupintent.Intent) error {
			if ran++; ran > 2 {
				return nil
			}
			if _, err := svc.Refresh(ctx, "other"); !errors.Is(err, setupintent.ErrNotFound) {
				return fmt.Errorf("another row: %w", err)
			}
			return call(ctx, r, in)
		}})
		svc = b.svc
		begun(b)
		require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
		_, err := b.svc.Activate(ctx, "42", "seti_1")
		require.ErrorIs(t, err, setupintent.ErrHook, name)
		require.ErrorContains(t, err, "for its own row", name)
		require.Equal(t, 1, ran, name)
		require.Equal(t, setupintent.Pending, b.row().Status, name)
	}
}

// Two that take a row over at once, at the same time of the clock: the one whose
// write did not happen does not take the other's for its own.
func TestTakeOverByAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	leaving, leave := context.WithCancel(ctx)
	b.provider.Before = func(string, string) error { leave(); return setupintent.ErrThrottled }
	_, err := b.svc.Begin(leaving, "42", nil)
	require.ErrorIs(t, err, context.Canceled)
	b.clock.advance(5 * time.Second)

	sending, answered := make(chan struct{}), make(chan struct{})
	other := &setupintenttest.FaultyProvider{Provider: b.backend, Hooks: setupintenttest.Hooks{Before: func(string, string) error {
		close(sending)
		<-answered
		return setupintent.ErrThrottled
	}}}
	var sender sync.WaitGroup
	rows := &setupintenttest.FaultyStore{Store: b.memory}
	rows.Before = func(method, _ string) error {
		if method != "Swap" {
			return nil
		}
		rows.Before = nil
		sender.Add(1)
		go func() {
			defer sender.Done()
			_, _ = b.service(b.memory, other, nil).Refresh(ctx, "42")
		}()
		<-sending
		return errors.New("not written")
	}
	sent := 0
	b.provider.Before = func(string, string) error { sent++; return nil }
	_, err = b.service(rows, b.provider, nil).Refresh(ctx, "42")
	close(answered)
	sender.Wait()
	require.NoError(t, err)
	require.Zero(t, sent, "the row is another's")
}

// What the guard says of one caller says nothing of another, and it is asked once.
func TestGuardOfEachCaller(t *testing.T) {
	t.Parallel()
	type solved struct{}
	human := context.WithValue(ctx, solved{}, true)
	asked := 0
	var b *bench
	var in setupintent.Intent
	b = newBench(t, &setupintent.Options{Guard: func(ctx context.Context, _ setupintent.Row) error {
		if asked++; ctx.Value(solved{}) != nil {
			return nil
		}
		var err error // the second click
		in, err = b.svc.Begin(human, "42", nil)
		require.NoError(t, err)
		return errors.New("no challenge was solved")
	}})
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrLimited)
	require.Equal(t, "seti_1", in.ID)
	require.Equal(t, 2, asked)
}

// A claim that somebody else's write came before is made again, for the same
// caller: the guard has let it in, and it has paid.
func TestClaimAgain(t *testing.T) {
	t.Parallel()
	asked := 0
	b := newBench(t, &setupintent.Options{CreateRate: 1e-9, CreateBurst: 1, Guard: func(context.Context, setupintent.Row) error { asked++; return nil }})
	b.rows.Before = func(method, id string) error {
		if method == "Swap" {
			b.rows.Before = nil
			require.NoError(t, b.memory.SetStatus(id, setupintent.Pending))
		}
		return nil
	}
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, "seti_1", in.ID)
	require.Equal(t, 1, asked)
}

// An empty list reads as none when it is sent again.
func TestEmptyTypesAreNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.After = failing("CreateIntent", first(1, errors.New("answer lost")))
	in, err := b.svc.Begin(ctx, "42", &setupintent.IntentRequest{PaymentMethodTypes: []string{}})
	require.NoError(t, err)
	require.Equal(t, "seti_1", in.ID)
	require.Equal(t, 2, b.provider.Calls("CreateIntent"))
}

func TestCancelInAnotherNamespace(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{Namespace: "ours"})
	begun(b)
	b.provider.Before = failing("CancelIntent", always(errors.New("no answer")))
	b.clock.advance(13 * time.Hour)
	_, err := b.svc.Refresh(ctx, "42")
	require.Error(t, err)
	require.Equal(t, setupintent.Abandoned, b.row().Progress.Closing())
	_, err = b.service(b.memory, b.provider, &setupintent.Options{Namespace: "theirs"}).Cancel(ctx, "42")
	require.ErrorIs(t, err, setupintent.ErrMismatch, "and not that others are at it")
}

// A card that is saved after the intent was listed makes it no orphan.
func TestAuditSavedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{Namespace: "ours", Rate: 1000})
	begun(b)
	b.provider.After = func(method, _ string) error {
		if method == "ListIntents" {
			b.provider.After = nil
			require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
			_, err := b.svc.Activate(ctx, "42", "seti_1")
			require.NoError(t, err)
		}
		return nil
	}
	orphans, err := b.svc.Audit(ctx, b.clock.now().Add(-time.Hour), b.clock.now().Add(time.Hour), false)
	require.NoError(t, err)
	require.Empty(t, orphans)
	require.Equal(t, setupintent.Active, b.row().Status)
}

// Whoever leaves while the intent is fetched does not put the row off.
func TestBeginLeftWhileFetching(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	before := b.row()
	b.clock.advance(before.Due.Sub(b.clock.now()))
	leaving, leave := context.WithCancel(ctx)
	b.provider.Before = func(string, string) error { leave(); return context.Canceled }
	_, err := b.svc.Begin(leaving, "42", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, before, b.row())
}

// An application that takes the row out of pending while its effect runs is told
// that the row is not active.
func TestActivateSuspendedMeanwhile(t *testing.T) {
	t.Parallel()
	var b *bench
	b = newBench(t, &setupintent.Options{OnActive: func(_ context.Context, r setupintent.Row, _ setupintent.Intent) error {
		return b.memory.SetStatus(r.ID, "suspended")
	}})
	begun(b)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	_, err := b.svc.Activate(ctx, "42", "seti_1")
	require.ErrorIs(t, err, setupintent.ErrNotPending)
}

func TestOnActiveFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("the mail server is down")
	for name, effect := range map[string]func(context.Context) error{
		"error":                         func(context.Context) error { return boom },
		"panic":                         func(context.Context) error { panic("boom") },
		"too late":                      func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"too late, and does not say so": func(ctx context.Context) error { <-ctx.Done(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails := true
			b := newBench(t, &setupintent.Options{OnActiveTimeout: time.Millisecond, OnActive: func(ctx context.Context, _ setupintent.Row, _ setupintent.Intent) error {
				if fails {
					return effect(ctx)
				}
				return nil
			}})
			in, err := b.svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
			_, err = b.svc.Activate(ctx, "42", in.ID)
			require.ErrorContains(t, err, "its effect failed")
			require.Equal(t, setupintent.Pending, b.row().Status)
			require.Equal(t, b.clock.now().Add(30*time.Second), b.row().Due)
			fails = false
			require.Equal(t, setupintent.Active, b.sweep(b.svc).Status, "the sweeper repeats it")
		})
	}
}

func TestDeclinesCloseTheRow(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	for i := range 5 {
		require.NoError(t, b.backend.Decline(in.ID, "card_declined"))
		for range 3 { // seen again is not failed again
			require.NoError(t, b.svc.Notify(ctx, setupintent.Intent{ID: in.ID}))
		}
		if i < 4 {
			require.Equal(t, setupintent.Pending, b.row().Status, "after %d", i+1)
		}
	}
	require.Equal(t, setupintent.Abandoned, b.row().Status)
	require.Zero(t, b.live())
}

func TestCancel(t *testing.T) {
	t.Parallel()
	t.Run("untouched", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		r, err := b.svc.Cancel(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Cancelled, r.Status)
		require.Equal(t, []int{0, 0}, b.count("CreateIntent", "CancelIntent"))
		again, err := b.svc.Cancel(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
	t.Run("attached", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		begun(b)
		r, err := b.svc.Cancel(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Cancelled, r.Status)
		require.Zero(t, b.live())
	})
	t.Run("the card was saved first", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		begun(b)
		require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
		r, err := b.svc.Cancel(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Active, r.Status)
	})
	t.Run("while it is being abandoned", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		begun(b)
		b.clock.advance(13 * time.Hour)
		b.provider.Before = failing("CancelIntent", first(2, errors.New("500")))
		_, err := b.svc.Refresh(ctx, "42")
		require.Error(t, err)
		require.Equal(t, setupintent.Abandoned, b.row().Progress.Closing())
		r, err := b.svc.Cancel(ctx, "42")
		require.Error(t, err)
		require.Equal(t, setupintent.Cancelled, r.Progress.Closing())
		require.Equal(t, setupintent.Cancelled, b.sweep(b.svc).Status)
	})
	t.Run("while it is being created", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		b.provider.Before = failing("CreateIntent", func() error {
			r, err := b.svc.Cancel(ctx, "42")
			require.NoError(t, err)
			require.Equal(t, setupintent.Pending, r.Status)
			require.Equal(t, setupintent.Closing, r.Progress.Phase())
			b.provider.Before = nil
			return nil
		})
		_, err := b.svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrClosing)
		require.Equal(t, "seti_1", b.row().Progress.IntentID(), "the creator tells the closer which intent it is")
		require.Equal(t, setupintent.Cancelled, b.sweep(b.svc).Status)
		require.Zero(t, b.live())
		require.Equal(t, 1, b.provider.Calls("CreateIntent"))
	})
	t.Run("a status of the application", func(t *testing.T) {
		t.Parallel()
		for _, was := range []func(b *bench){
			func(*bench) {},
			begun,
			func(b *bench) { // it is being ended
				begun(b)
				b.provider.Before = failing("CancelIntent", always(errors.New("500")))
				_, err := b.svc.Cancel(ctx, "42")
				require.Error(t, err)
			},
		} {
			b := newBench(t, nil)
			was(b)
			require.NoError(t, b.memory.SetStatus("42", "suspended"))
			before := b.row()
			b.restart(nil)
			_, err := b.svc.Cancel(ctx, "42")
			require.ErrorIs(t, err, setupintent.ErrNotPending)
			require.Equal(t, before, b.row(), "the sweeper sees to its intent")
			require.Zero(t, b.provider.Calls("CancelIntent"))
		}
	})
}

func TestTakenOutOfPending(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	require.NoError(t, b.memory.SetStatus("42", "suspended"))
	r, err := b.svc.Refresh(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, setupintent.Status("suspended"), r.Status)
	require.Zero(t, b.live(), "its intent is canceled")
	require.True(t, r.Due.IsZero())

	b = newBench(t, nil)
	begun(b)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	require.NoError(t, b.memory.SetStatus("42", "suspended"))
	var events []setupintent.Event
	svc := b.service(b.memory, b.backend, &setupintent.Options{Observe: func(_ context.Context, e setupintent.Event) { events = append(events, e) }})
	r, err = svc.Refresh(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, "seti_1", r.Progress.IntentID(), "its intent is kept")
	require.ErrorContains(t, events[len(events)-1].Err, "its intent succeeded")
	require.NoError(t, b.memory.SetStatus("42", setupintent.Pending))
	_, err = svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrNotPending)
	require.Equal(t, setupintent.Active, b.row().Status, "should the application take it back, it is activated")
}

func TestOverwrittenByAStaleSave(t *testing.T) {
	t.Parallel()
	ran := 0
	b := newBench(t, &setupintent.Options{OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error { ran++; return nil }})
	begun(b)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	_, err := b.svc.Activate(ctx, "42", "seti_1")
	require.NoError(t, err)
	for name, heal := range map[string]func() error{
		"Activate": func() error { _, err := b.svc.Activate(ctx, "42", "seti_1"); return err },
		"Refresh":  func() error { _, err := b.svc.Refresh(ctx, "42"); return err },
		"Retrieve": func() error { _, _, err := b.svc.Retrieve(ctx, "42", "seti_1"); return err },
		"Cancel":   func() error { _, err := b.svc.Cancel(ctx, "42"); return err },
		"Notify":   func() error { return b.svc.Notify(ctx, setupintent.Intent{ID: "seti_1"}) },
	} {
		require.NoError(t, b.memory.SetStatus("42", setupintent.Pending))
		require.NoError(t, heal(), name)
		require.Equal(t, setupintent.Active, b.row().Status, name)
	}
	require.Equal(t, 1, ran)
}

// An older copy of the row was saved over it, without the progress: versions come
// again, so that no swap proves anything. Nobody writes until a person has looked.
func TestVersionTakenBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	r := b.row()
	b.memory.Delete("42")
	require.NoError(t, b.memory.Insert("42", r.Due))
	_, err := b.memory.Swap(ctx, setupintent.Row{ID: "42", Status: setupintent.Pending, Version: 1}, setupintent.Row{Status: setupintent.Pending, Due: r.Due, Progress: r.Progress})
	require.NoError(t, err)
	was := b.row()
	require.Less(t, was.Version, r.Version)
	var told []setupintent.Event
	b.restart(&setupintent.Options{Observe: func(_ context.Context, e setupintent.Event) { told = append(told, e) }})

	want := fmt.Sprintf(`row "42": its version is %d, and its progress was written with version %d: `, was.Version, r.Version)
	for _, call := range []func() error{
		func() error { _, err := b.svc.Begin(ctx, "42", nil); return err },
		func() error { _, err := b.svc.Activate(ctx, "42", "seti_1"); return err },
		func() error { _, err := b.svc.Refresh(ctx, "42"); return err },
		func() error { _, err := b.svc.Cancel(ctx, "42"); return err },
		func() error { _, err := b.svc.Import(ctx, "42", "seti_1"); return err },
	} {
		require.ErrorContains(t, call(), want)
	}
	b.clock.advance(24 * time.Hour)
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Failed)
	require.Len(t, told, 1)
	require.Equal(t, "conflict", told[0].Class)
	require.Equal(t, was, b.row())
	require.Equal(t, []int{0, 0, 0}, b.count("Swap", "CreateIntent", "CancelIntent"))
}

// replica shows every row as it was when it was first loaded.
type replica struct {
	setupintent.PendingStore
	seen map[string]setupintent.Row
}

func (s replica) Load(ctx context.Context, id string) (setupintent.Row, error) {
	if r, ok := s.seen[id]; ok {
		return r, nil
	}
	r, err := s.PendingStore.Load(ctx, id)
	s.seen[id] = r
	return r, err
}

func TestReplica(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	lagging := replica{b.rows, map[string]setupintent.Row{}}
	_, err := lagging.Load(ctx, "42")
	require.NoError(t, err)
	begun(b)
	was := b.row()

	_, err = b.service(lagging, b.provider, nil).Begin(ctx, "42", nil)
	require.ErrorContains(t, err, `row "42": the store refuses a write at version 1, and still shows that version: does it read from a replica?`)
	require.Equal(t, 1, b.provider.Calls("CreateIntent"))
	require.Equal(t, was, b.row())
}

func TestRowDeletedWhileItsIntentIsMade(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.Before = failing("CreateIntent", func() error { b.memory.Delete("42"); return nil })
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrNotFound)
	require.Zero(t, b.live())
}

func TestLostAcknowledgements(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.rows.After = failing("Swap", always(errors.New("connection reset after COMMIT")))
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err, "the row tells that the writes were made")
	require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
	r, err := b.svc.Activate(ctx, "42", in.ID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, r.Status)
	require.Equal(t, 1, b.provider.Calls("CreateIntent"))
}

func TestUnknownAtTheProvider(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	b.provider.Before = failing("GetIntent", always(setupintent.ErrNotFound))
	before := b.row()
	for range 2 {
		_, err := b.svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrMismatch, "never a second intent")
	}
	require.Equal(t, before, b.row(), "however often the page asks")
	b.clock.advance(before.Due.Sub(b.clock.now()))
	report, err := b.svc.Sweep(ctx, b.memory, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Failed)
	require.Equal(t, b.clock.now().Add(24*time.Hour), b.row().Due)
	require.Equal(t, 1, b.provider.Calls("CreateIntent"))
}

func TestCreateOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	svc := b.service(b.memory, setupintent.CreateOnly(b.provider), nil)
	for range 3 {
		in, err := svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		require.Equal(t, "seti_1", in.ID)
		require.NotEmpty(t, in.ClientSecret.Reveal())
	}
	_, err := svc.Activate(ctx, "42", "seti_1")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	r, err := svc.Cancel(ctx, "42")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.Equal(t, setupintent.Closing, r.Progress.Phase())

	b = newBench(t, nil)
	svc = b.service(b.memory, setupintent.CreateOnly(b.provider), &setupintent.Options{TTL: 48 * time.Hour})
	_, err = svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	b.clock.advance(setupintent.KeyLife)
	_, err = svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, errors.ErrUnsupported, "the key is too old to be sent again")
	require.Len(t, b.backend.Intents(), 1)
}

func TestImport(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i, metadata := range []map[string]string{{"pending_user_id": "42"}, {"pending_user_id": "43"}, nil} {
		_, err := b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: fmt.Sprint(i), Metadata: metadata})
		require.NoError(t, err)
	}
	for id, why := range map[string]string{"seti_2": "metadata", "seti_3": "metadata", "seti_4": "does not know", "": "no intent"} {
		_, err := b.svc.Import(ctx, "42", id)
		require.ErrorIs(t, err, setupintent.ErrMismatch, id)
		require.ErrorContains(t, err, why)
	}
	r, err := b.svc.Import(ctx, "42", "seti_1")
	require.NoError(t, err)
	require.Equal(t, setupintent.Attached, r.Progress.Phase())
	_, err = b.svc.Import(ctx, "42", "seti_1")
	require.NoError(t, err)
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, "seti_1", in.ID)
	_, err = b.svc.Import(ctx, "42", "seti_2")
	require.ErrorIs(t, err, setupintent.ErrMismatch, "from none only")
}

// An old intent is not forgotten because its row's deadline is over: its card
// counts if it was saved, and it is canceled if not.
func TestImportAfterTheDeadline(t *testing.T) {
	t.Parallel()
	for _, saved := range []bool{true, false} {
		b := newBench(t, nil)
		b.insert("late", time.Hour)
		old, err := b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: "x", Metadata: map[string]string{"pending_user_id": "late"}})
		require.NoError(t, err)
		if saved {
			require.NoError(t, b.backend.Confirm(old.ID, "pm_1"))
		}
		b.clock.advance(2 * time.Hour)
		r, err := b.svc.Import(ctx, "late", old.ID)
		require.NoError(t, err)
		want := map[bool]setupintent.Status{true: setupintent.Active, false: setupintent.Abandoned}[saved]
		require.Equal(t, want, r.Status)
		require.Zero(t, b.live())
		_, err = b.svc.Import(ctx, "late", old.ID)
		require.ErrorIs(t, err, setupintent.ErrNotPending)
	}
}

func TestImportIntoAnExhaustedRow(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{MaxAttempts: 1})
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	_, err = b.backend.CancelIntent(ctx, in.ID, "")
	require.NoError(t, err)
	_, err = b.svc.Refresh(ctx, "42")
	require.NoError(t, err)
	old, err := b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: "x", Metadata: map[string]string{"pending_user_id": "42"}})
	require.NoError(t, err)
	_, err = b.svc.Import(ctx, "42", old.ID)
	require.ErrorIs(t, err, setupintent.ErrExhausted, "to try again would be in vain")
}

func TestNotify(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	notify := func(id string) { t.Helper(); require.NoError(t, b.svc.Notify(ctx, setupintent.Intent{ID: id})) }
	notify("seti_foreign")
	notify("seti_1")
	require.Equal(t, setupintent.Pending, b.row().Status)
	_, err := b.backend.CreateIntent(ctx, setupintent.IntentRequest{Key: "x", Metadata: map[string]string{"pending_user_id": "nobody"}})
	require.NoError(t, err)
	notify("seti_2")
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	notify("seti_1")
	notify("seti_1")
	require.Equal(t, setupintent.Active, b.row().Status)
	gets := b.provider.Calls("GetIntent")
	require.NoError(t, b.svc.Notify(ctx, setupintent.Intent{ID: "seti_1", Metadata: map[string]string{"pending_user_id": "42"}}))
	require.Equal(t, gets, b.provider.Calls("GetIntent"), "news for a row that has ended costs no call")
	require.ErrorIs(t, b.svc.Notify(ctx, setupintent.Intent{}), setupintent.ErrInvalidRequest)

	b = newBench(t, nil)
	begun(b)
	_, err = b.backend.CancelIntent(ctx, "seti_1", "")
	require.NoError(t, err)
	require.NoError(t, b.svc.Notify(ctx, setupintent.Intent{ID: "seti_1"}))
	require.Equal(t, setupintent.None, b.row().Progress.Phase(), "re-armed")
	b.provider.Before = failing("GetIntent", always(errors.New("500")))
	require.ErrorIs(t, b.svc.Notify(ctx, setupintent.Intent{ID: "seti_1"}), setupintent.ErrUnresolved)
}

// News costs one read and one write, and nobody is asked about a row that there is
// not, or that can't be read.
func TestNotifyCosts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.NoError(t, b.backend.Confirm(in.ID, "pm_1"))
	b.restart(nil)
	news := setupintent.Intent{ID: in.ID, Metadata: map[string]string{"pending_user_id": "nobody"}}
	require.NoError(t, b.svc.Notify(ctx, news))
	require.Equal(t, []int{1, 0, 0}, b.count("Load", "Swap", "GetIntent"))

	news.Metadata = in.Metadata
	b.rows.Before = failing("Load", first(1, errors.New("db down")))
	require.ErrorContains(t, b.svc.Notify(ctx, news), "db down")
	require.Equal(t, []int{2, 0, 0}, b.count("Load", "Swap", "GetIntent"))

	require.NoError(t, b.svc.Notify(ctx, news))
	require.Equal(t, []int{3, 1, 1}, b.count("Load", "Swap", "GetIntent"))
	require.Equal(t, setupintent.Active, b.row().Status)
}

// The times at which an attached row is looked at, and nobody else tells of it.
func TestRecheck(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	tests := []struct {
		name string
		opts setupintent.Options
		want []time.Duration
	}{
		{"by default", setupintent.Options{}, []time.Duration{2 * time.Minute, 12 * time.Minute, 72 * time.Minute, 252 * time.Minute, 612 * time.Minute, 12 * h}},
		{"for days", setupintent.Options{TTL: 30 * h}, []time.Duration{
			2 * time.Minute, 12 * time.Minute, 72 * time.Minute, 252 * time.Minute, 612 * time.Minute, 972 * time.Minute, 1332 * time.Minute, 1692 * time.Minute, 30 * h,
		}},
		{"as the application wants", setupintent.Options{TTL: 3 * h, Recheck: []time.Duration{h / 2, h}}, []time.Duration{h / 2, 3 * h / 2, 5 * h / 2, 3 * h}},
		{"at the deadline alone", setupintent.Options{Recheck: []time.Duration{}}, []time.Duration{12 * h}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, &test.opts)
			began := b.clock.now()
			begun(b)
			var at []time.Duration
			for b.row().Status == setupintent.Pending {
				due := b.row().Due
				at = append(at, due.Sub(began))
				b.clock.advance(due.Sub(b.clock.now()))
				_, err := b.svc.Refresh(ctx, "42")
				require.NoError(t, err)
			}
			require.Equal(t, test.want, at)
			require.Equal(t, setupintent.Abandoned, b.row().Status)
		})
	}
}

// A decline that the sweeper finds is one write, and the next look is as far off
// as after any other.
func TestRecheckFindsADecline(t *testing.T) {
	t.Parallel()
	recheck := []time.Duration{time.Minute, time.Hour}
	b := newBench(t, &setupintent.Options{Recheck: recheck})
	recheck[1] = time.Second // is the application's
	begun(b)
	require.NoError(t, b.backend.Decline("seti_1", "card_declined"))
	b.clock.advance(time.Minute)
	_, err := b.svc.Refresh(ctx, "42")
	require.NoError(t, err)
	require.Equal(t, b.clock.now().Add(time.Hour), b.row().Due)
	require.Equal(t, []int{3, 1}, b.count("Swap", "GetIntent"), "of them two for the claim")
}

// A marked secret must turn up nowhere but in the answer.
func TestNoSecretLeaks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opts := &setupintent.Options{Logger: logger, Observe: func(_ context.Context, e setupintent.Event) { fmt.Fprintf(&out, "%v %+v %#v\n", e, e, e) }}
	b := newBench(t, opts)
	b.provider.After = failing("CreateIntent", first(2, errors.New("answer lost")))
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	b.provider.After = failing("GetIntent", first(1, errors.New("answer lost")))
	_, err = b.svc.Begin(ctx, "42", nil)
	fmt.Fprintf(&out, "%v %+v %#v\n", err, err, err)
	require.NoError(t, b.backend.Decline(in.ID, "card_declined"))
	_, _ = b.svc.Begin(ctx, "42", nil)
	r, err := b.svc.Cancel(ctx, "42")
	require.NoError(t, err)
	stored, err := r.Progress.MarshalText()
	require.NoError(t, err)
	fmt.Fprintf(&out, "%s\n%v %+v %#v\n%v %+v %#v\n", stored, r, r, r, in, in, in)
	logger.Info("in", "intent", in, "secret", in.ClientSecret)
	require.NotContains(t, out.String(), "_secret_")
	require.Equal(t, "seti_1_secret_test", in.ClientSecret.Reveal())
}

func TestCreateBudget(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{CreateRate: 2, CreateBurst: 3})
	refused := 0
	for i := range 10 {
		id := fmt.Sprint("row", i)
		b.insert(id, 0)
		if _, err := b.svc.Begin(ctx, id, nil); err != nil {
			require.ErrorIs(t, err, setupintent.ErrLimited)
			var e *setupintent.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, 500*time.Millisecond, e.RetryAfter)
			r, err := b.memory.Load(ctx, id)
			require.NoError(t, err)
			require.True(t, r.Progress.IsZero())
			refused++
		}
	}
	require.Equal(t, 7, refused)
	_, err := b.svc.Begin(ctx, "row0", nil)
	require.NoError(t, err, "asking again is free")
	b.clock.advance(time.Second)
	for i := range 3 {
		_, err = b.svc.Begin(ctx, fmt.Sprint("row", 5+i), nil)
		require.Equal(t, i == 2, err != nil)
	}
	b.clock.advance(-time.Hour)
	_, err = b.svc.Begin(ctx, "row8", nil)
	require.ErrorIs(t, err, setupintent.ErrLimited)
	b.clock.advance(time.Second)
	_, err = b.svc.Begin(ctx, "row8", nil)
	require.NoError(t, err, "a clock that is set back does not stop claims for as long")
}

// Whom the guard refuses does not use up the budget of the others.
func TestGuardBeforeBudget(t *testing.T) {
	t.Parallel()
	bots := 5
	b := newBench(t, &setupintent.Options{CreateRate: 0.001, CreateBurst: 1, Guard: func(context.Context, setupintent.Row) error {
		if bots--; bots >= 0 {
			return errors.New("no human")
		}
		return nil
	}})
	for range 5 {
		_, err := b.svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrLimited)
		require.ErrorContains(t, err, "Options.Guard: no human")
	}
	begun(b)
	b.insert("43", 0)
	_, err := b.svc.Begin(ctx, "43", nil)
	require.ErrorContains(t, err, "Options.CreateRate")
}

// A call that never returns holds the row for as long as a lease, in its own
// process too.
func TestHungFlight(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"CreateIntent", "Swap"} {
		t.Run(port, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			hung, free := make(chan struct{}), make(chan struct{})
			hang := failing(port, first1(func() { close(hung); <-free }))
			if port == "Swap" {
				b.rows.After = hang
			} else {
				b.provider.After = hang
			}
			returned := make(chan struct{})
			go func() {
				_, _ = b.svc.Begin(ctx, "42", nil)
				close(returned)
			}()
			<-hung
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(t, err, setupintent.ErrBusy)
			b.clock.advance(setupintent.Lease)
			in, err := b.svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.Equal(t, "seti_1", in.ID)
			close(free)
			<-returned
			require.Len(t, b.backend.Intents(), 1)
		})
	}
}

// first1 does something the first time, and never fails.
func first1(do func()) func() error {
	var done atomic.Bool
	return func() error {
		if !done.Swap(true) {
			do()
		}
		return nil
	}
}

// Whatever is taken for an intent's id gets into no error.
func TestActivateByASecret(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.After = failing("CreateIntent", always(errors.New("answer lost")))
	_, err := b.svc.Begin(ctx, "42", nil)
	require.Error(t, err)
	_, err = b.svc.Activate(ctx, "42", "seti_1_secret_test")
	require.ErrorIs(t, err, setupintent.ErrMismatch)
	require.NotContains(t, err.Error(), "_secret_")
}

// The error of a begin says what went wrong first, and with which row.
func TestBeginFailsTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.provider.Before = failing("CreateIntent", func() error {
		b.rows.Before = failing("Load", always(errors.New("db down")))
		return errors.New("stripe down")
	})
	_, err := b.svc.Begin(ctx, "42", nil)
	var e *setupintent.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "42", e.RowID)
	require.Equal(t, setupintent.Pending, e.Status)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	require.ErrorContains(t, err, "db down")
	require.ErrorContains(t, err, "stripe down")
}

// The application's hooks hear that a begin takes 25 s at most.
func TestHooksHaveADeadline(t *testing.T) {
	t.Parallel()
	asked := 0
	has := func(ctx context.Context) {
		asked++
		_, ok := ctx.Deadline()
		require.True(t, ok)
	}
	b := newBench(t, &setupintent.Options{
		Guard: func(ctx context.Context, _ setupintent.Row) error { has(ctx); return nil },
		Request: func(ctx context.Context, _ setupintent.Row) (setupintent.IntentRequest, error) {
			has(ctx)
			return setupintent.IntentRequest{}, nil
		},
	})
	begun(b)
	require.Equal(t, 2, asked)
}

func TestTrustNews(t *testing.T) {
	t.Parallel()
	opts := &setupintent.Options{TrustNews: true}
	b := newBench(t, opts)
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	gets := b.provider.Calls("GetIntent")
	news := setupintent.Intent{ID: in.ID, Status: setupintent.Succeeded, Metadata: in.Metadata, PaymentMethod: "pm_1"}

	foreign, live, thin, failed := news, news, news, news
	foreign.Metadata = map[string]string{"pending_user_id": "43"}
	live.Live = true
	require.NoError(t, b.svc.Notify(ctx, foreign))
	require.NoError(t, b.svc.Notify(ctx, live))
	require.Equal(t, gets, b.provider.Calls("GetIntent"))
	thin.Metadata = nil
	failed.Status = setupintent.RequiresPaymentMethod
	require.NoError(t, b.svc.Notify(ctx, thin))
	require.NoError(t, b.svc.Notify(ctx, failed))
	require.Equal(t, gets+2, b.provider.Calls("GetIntent"), "these are fetched, and are not true")
	require.Equal(t, setupintent.Pending, b.row().Status)

	require.NoError(t, b.svc.Notify(ctx, news))
	require.Equal(t, gets+2, b.provider.Calls("GetIntent"))
	require.Equal(t, setupintent.Active, b.row().Status)
}

// The effect of a store, in its transaction, fails like the service's own:
// whatever its error wraps says nothing about the row, and the row is put off by
// growing steps.
func TestEffectOfTheStoreFails(t *testing.T) {
	t.Parallel()
	var log eventLog
	b := newBench(t, &setupintent.Options{Observe: log.observe})
	begun(b)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	b.rows.Before = failing("Swap", first(1, fmt.Errorf("%w: %w", setupintent.ErrHook, setupintent.ErrNotFound)))
	log = nil
	_, err := b.svc.Activate(ctx, "42", "seti_1")
	require.ErrorIs(t, err, setupintent.ErrHook)
	var e *setupintent.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 5*time.Second, e.RetryAfter)
	require.Equal(t, setupintent.Pending, b.row().Status)
	require.Equal(t, b.clock.now().Add(30*time.Second), b.row().Due)
	require.Equal(t, eventLog{
		"42/1 call get attached→attached 0s",
		"42/1 move activate attached→attached 0s hook",
		"42/1 needs a person: attached→attached 0s hook",
		"42/1 move back off attached→attached 0s",
	}, log)
	require.Equal(t, setupintent.Active, b.sweep(b.svc).Status, "the sweeper repeats it")
}

// A store whose transaction can't be committed is left for longer each time, too.
func TestActivationThatIsNotCommitted(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	begun(b)
	require.NoError(t, b.backend.Confirm("seti_1", "pm_1"))
	b.clock.advance(2 * time.Minute)
	broken := map[setupintent.Status]error{setupintent.Active: errors.New("deferred constraint")}
	svc := b.service(refusing{b.memory, broken}, b.provider, nil)
	var waits []time.Duration
	for range 3 {
		report, err := svc.Sweep(ctx, b.memory, nil)
		require.NoError(t, err)
		require.Equal(t, 1, report.Failed)
		waits = append(waits, b.row().Due.Sub(b.clock.now()))
		b.clock.advance(waits[len(waits)-1])
	}
	require.Equal(t, []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute}, waits)
}

// refusing is a store that can't write some statuses.
type refusing struct {
	setupintent.PendingStore
	statuses map[setupintent.Status]error
}

func (s refusing) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	if err := s.statuses[next.Status]; err != nil {
		return false, err
	}
	return s.PendingStore.Swap(ctx, prev, next)
}

// A store that says "not found" of a write does not have an intent canceled that
// its row points to.
func TestSwapThatFindsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.rows.Before = failing("Swap", func() error {
		if b.rows.Calls("Swap") == 2 { // the record
			return setupintent.ErrNotFound
		}
		return nil
	})
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	require.NotErrorIs(t, err, setupintent.ErrNotFound)
	require.Zero(t, b.provider.Calls("CancelIntent"))
	require.Equal(t, 1, b.live())
}
