package stripeport_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const createRoute = "POST /v1/setup_intents"

// fakeProvider returns a Provider of a fake Stripe that does not sleep.
func fakeProvider(t testing.TB, transport http.RoundTripper) (*stripeport.Provider, *stripetest.Server) {
	t.Helper()
	fake := stripetest.NewServer(t, nil)
	o := &stripeport.Options{BaseURL: fake.URL}
	if transport != nil {
		o.HTTPClient = &http.Client{Transport: transport}
	}
	p, err := stripeport.New(stripetest.DefaultSecretKey, o)
	require.NoError(t, err)
	p.SetSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return p, fake
}

// The contract of a provider, over a Stripe that keeps state.
func TestProviderContract(t *testing.T) {
	t.Parallel()
	setupintenttest.TestProvider(t, func(t testing.TB) setupintenttest.ProviderHarness {
		t.Helper()
		w := new(wire)
		p, fake := fakeProvider(t, w)
		f := &faulty{Provider: p, fake: fake, wire: w}
		return setupintenttest.ProviderHarness{
			Provider: f,
			Succeed:  func(id string) error { return fake.Resolve(id, stripetest.OutcomeSucceed) },
			Forget:   func(id string) error { w.forget.Store("/v1/setup_intents/"+id, true); return nil },
			Fail:     f.fail,
		}
	})
}

// faulty plays a fault on the next create.
type faulty struct {
	setupintent.Provider
	fake *stripetest.Server
	wire *wire

	mu   sync.Mutex
	next *setupintenttest.Fault
}

func (f *faulty) fail(fault setupintenttest.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = &fault
}

func (f *faulty) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	f.mu.Lock()
	fault := f.next
	f.next = nil
	f.mu.Unlock()
	if fault == nil {
		return f.Provider.CreateIntent(ctx, req)
	}
	var faults []stripetest.Fault
	switch refusal := (stripetest.Fault{Status: 400, Code: "parameter_unknown"}); *fault {
	case setupintenttest.Refuse:
		faults = []stripetest.Fault{refusal}
	case setupintenttest.TimeoutThenRefuse:
		faults = []stripetest.Fault{{Kind: stripetest.FaultClose, Count: 1}, refusal}
	case setupintenttest.StoredFailure:
		faults = []stripetest.Fault{{Stored: true, Count: 1}}
	case setupintenttest.Outage:
		faults = []stripetest.Fault{{}}
	case setupintenttest.LostAnswer:
		faults = []stripetest.Fault{{Kind: stripetest.FaultClose, After: true}}
	case setupintenttest.Throttle:
		faults = []stripetest.Fault{{Status: 429}}
	case setupintenttest.Unauthorized:
		faults = []stripetest.Fault{{Status: 401}}
	case setupintenttest.Garbage:
		faults = []stripetest.Fault{{Kind: stripetest.FaultMalformed, After: true}}
	case setupintenttest.ErrorWithIntent:
		f.wire.decline.Store(true)
	}
	for i := range faults {
		faults[i].Route = createRoute
	}
	if err := f.fake.Inject(faults...); err != nil {
		return setupintent.Intent{}, err
	}
	defer f.fake.ClearFaults()
	defer f.wire.decline.Store(false)
	return f.Provider.CreateIntent(ctx, req)
}

// wire does what the fake can't be told to.
type wire struct {
	forget  sync.Map    // paths that are gone
	decline atomic.Bool // answers become declines that carry the object
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	replace := func(status int, body string) {
		_ = res.Body.Close()
		res.StatusCode, res.Body = status, io.NopCloser(strings.NewReader(body))
	}
	if _, gone := w.forget.Load(r.URL.Path); gone {
		replace(404, failWith(invalidRequest, "resource_missing"))
	}
	if w.decline.Load() {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		replace(402, failWith(cardError, "card_declined", `"setup_intent":`+string(bytes.TrimSpace(body))))
	}
	return res, nil
}

func TestAgainstFake(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)

	in, err := p.CreateIntent(ctx, setupintent.IntentRequest{
		Key: "k", Description: "d", Metadata: map[string]string{"row": "1"}, Extra: map[string]any{"expand": []any{"latest_attempt"}},
	})
	require.NoError(t, err)
	require.Equal(t, setupintent.RequiresPaymentMethod, in.Status)
	require.True(t, strings.HasPrefix(in.ClientSecret.Reveal(), in.ID+"_secret_"))
	require.NotContains(t, string(in.Raw), "_secret_")
	require.Contains(t, string(in.Raw), `"allow_redirects":"never"`)
	require.Contains(t, string(in.Raw), `"usage":"off_session"`)

	in, err = p.ConfirmIntent(ctx, in.ID, stripeport.ConfirmRequest{PaymentMethod: "pm_card_chargeDeclined"})
	require.NoError(t, err, "a declined card is an answer")
	require.Equal(t, setupintent.RequiresPaymentMethod, in.Status)
	require.Equal(t, "card_declined", in.ErrorCode)
	require.NotEmpty(t, in.LatestAttempt)
	first := in.LatestAttempt

	in, err = p.UpdateIntent(ctx, in.ID, stripeport.UpdateRequest{Metadata: map[string]string{"row": "", "other": "2"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"other": "2"}, in.Metadata)

	in, err = p.ConfirmIntent(ctx, in.ID, stripeport.ConfirmRequest{PaymentMethod: "pm_card_visa"})
	require.NoError(t, err)
	require.Equal(t, setupintent.Succeeded, in.Status)
	require.NotEmpty(t, in.PaymentMethod)
	require.NotEqual(t, first, in.LatestAttempt)
	require.Empty(t, in.ErrorCode)

	_, err = p.ConfirmIntent(ctx, in.ID, stripeport.ConfirmRequest{PaymentMethod: "pm_card_visa"})
	var e *stripeport.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "setup_intent_unexpected_state", e.Code)

	canceled, err := p.CancelIntent(ctx, in.ID, "abandoned")
	require.NoError(t, err)
	require.Equal(t, setupintent.Succeeded, canceled.Status)

	for _, call := range []func() error{
		func() error { _, err := p.GetIntent(ctx, "seti_none"); return err },
		func() error { _, err := p.CancelIntent(ctx, "seti_none", ""); return err },
		func() error { _, err := p.UpdateIntent(ctx, "seti_none", stripeport.UpdateRequest{}); return err },
		func() error { _, err := p.ConfirmIntent(ctx, "seti_none", stripeport.ConfirmRequest{}); return err },
	} {
		require.ErrorIs(t, call(), setupintent.ErrNotFound)
	}
	require.Equal(t, 1, fake.Count(createRoute))

	other, err := stripeport.New("sk_test_other", &stripeport.Options{BaseURL: fake.URL})
	require.NoError(t, err)
	_, err = other.CreateIntent(ctx, setupintent.IntentRequest{Key: "k2"})
	require.ErrorIs(t, err, setupintent.ErrCredentials)
	require.NotContains(t, err.Error(), "sk_test")

	_, err = p.CreateIntent(ctx, setupintent.IntentRequest{Key: "k3", Customer: "cus_none"})
	require.ErrorIs(t, err, setupintent.ErrRefused)
	require.ErrorAs(t, err, &e)
	require.Equal(t, "resource_missing", e.Code)
	require.Equal(t, "customer", e.Param)
}

// More than a page of intents, page by page.
func TestListPages(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)
	var want []string
	for i := range 203 {
		in, err := p.CreateIntent(ctx, setupintent.IntentRequest{Key: fmt.Sprint("k", i)})
		require.NoError(t, err)
		want = append([]string{in.ID}, want...)
	}
	var got []string
	now := fake.Now()
	for after := ""; ; after = got[len(got)-1] {
		page, err := p.ListIntents(ctx, now.Add(-time.Hour), now.Add(time.Hour), after)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, in := range page {
			got = append(got, in.ID)
		}
	}
	require.Equal(t, want, got)
	require.Equal(t, 4, fake.Count("GET /v1/setup_intents"))
}

// The core over this adapter: one row, one intent, whatever Stripe does.
func TestService(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	setup := func(t *testing.T) (*setupintent.Service, *memstore.Store, *stripetest.Server) {
		p, fake := fakeProvider(t, nil)
		rows := memstore.New()
		require.NoError(t, rows.Insert("42", time.Time{}))
		svc, err := setupintent.New(rows, p, &setupintent.Options{Namespace: "test", Live: p.Live()})
		require.NoError(t, err)
		return svc, rows, fake
	}

	t.Run("from pending to active", func(t *testing.T) {
		t.Parallel()
		svc, rows, fake := setup(t)
		var wg sync.WaitGroup
		ids := make([]string, 64)
		for i := range ids {
			wg.Add(1)
			go func() {
				defer wg.Done()
				in, err := svc.Begin(ctx, "42", nil)
				if err == nil && in.ClientSecret.Reveal() != "" {
					ids[i] = in.ID
				}
			}()
		}
		wg.Wait()
		require.Len(t, fake.SetupIntents(), 1)
		made := fake.SetupIntents()[0]
		for _, id := range ids {
			require.Equal(t, made.ID, id)
		}
		require.Equal(t, "42", made.Metadata["pending_user_id"])

		_, err := svc.Activate(ctx, "42", made.ID)
		require.ErrorIs(t, err, setupintent.ErrNotSucceeded)
		require.NoError(t, fake.Resolve(made.ID, stripetest.OutcomeDecline)) //nolint:contextcheck // the fake's webhooks outlive the call
		in, err := svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		require.Equal(t, made.ID, in.ID)
		require.NoError(t, fake.Resolve(made.ID, stripetest.OutcomeSucceed)) //nolint:contextcheck // the fake's webhooks outlive the call
		_, err = svc.Activate(ctx, "42", made.ID)
		require.NoError(t, err)
		row, err := rows.Load(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Active, row.Status)

		before := fake.Counts()
		_, err = svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrNotPending)
		require.Equal(t, before, fake.Counts())
	})

	for name, fault := range map[string]stripetest.Fault{
		"5xx":         {Status: 503, Count: 2},
		"lost answer": {Kind: stripetest.FaultClose, After: true, Count: 1},
		"html":        {Kind: stripetest.FaultHTML, Count: 1},
		"no answer":   {Kind: stripetest.FaultClose, Count: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _, fake := setup(t)
			fault.Route = createRoute
			require.NoError(t, fake.Inject(fault))
			in, err := svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.Len(t, fake.SetupIntents(), 1)
			require.Equal(t, fake.SetupIntents()[0].ID, in.ID)
			require.Zero(t, fake.Count("GET /v1/setup_intents"), "no list")
		})
	}

	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		svc, rows, fake := setup(t)
		_, err := svc.Begin(ctx, "42", &setupintent.IntentRequest{Customer: "cus_none"})
		require.ErrorIs(t, err, setupintent.ErrRefused)
		var e *stripeport.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "customer", e.Param)
		require.Empty(t, fake.SetupIntents())
		row, err := rows.Load(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Pending, row.Status)
		_, err = svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
	})

	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		svc, _, fake := setup(t)
		in, err := svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		row, err := svc.Cancel(ctx, "42")
		require.NoError(t, err)
		require.Equal(t, setupintent.Cancelled, row.Status)
		made, _ := fake.SetupIntent(in.ID)
		require.Equal(t, "canceled", made.Status)
		require.Equal(t, "requested_by_customer", made.CancellationReason)
	})
}
