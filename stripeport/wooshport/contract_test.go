package wooshport_test

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

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

const createRoute = "POST /wooshpay/v1/setup_intents"

// newFake returns a fake WooshPay and a Provider of it that does not sleep.
func newFake(t testing.TB, keys bool, transport http.RoundTripper) (*wooshport.Provider, *stripetest.Server) {
	t.Helper()
	fake := stripetest.NewServer(t, &stripetest.Options{WooshPayIdempotencyKeys: keys})
	return newProvider(t, fake, keys, transport), fake
}

func newProvider(t testing.TB, fake *stripetest.Server, keys bool, transport http.RoundTripper) *wooshport.Provider {
	t.Helper()
	o := &wooshport.Options{
		BaseURL: fake.URL + "/wooshpay", IdempotencyKeys: keys,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	if transport != nil {
		o.HTTPClient = &http.Client{Transport: transport}
	}
	p, err := wooshport.New(stripetest.DefaultSecretKey, o)
	require.NoError(t, err)
	return p
}

// The contract of a provider: as WooshPay's documents have it, and with what
// they leave open.
func TestProviderContract(t *testing.T) {
	t.Parallel()
	harness := func(keys bool, unsupported ...setupintenttest.Feature) func(testing.TB) setupintenttest.ProviderHarness {
		return func(t testing.TB) setupintenttest.ProviderHarness {
			t.Helper()
			w := new(wire)
			p, fake := newFake(t, keys, w)
			f := &faulty{Provider: p, fake: fake, wire: w}
			return setupintenttest.ProviderHarness{
				Provider:    f,
				Succeed:     func(id string) error { return fake.Resolve(id, stripetest.OutcomeSucceed) },
				Forget:      func(id string) error { w.forget.Store("/wooshpay/v1/setup_intents/"+id, true); return nil },
				Fail:        f.fail,
				Unsupported: unsupported,
			}
		}
	}
	t.Run("documented", func(t *testing.T) {
		t.Parallel()
		setupintenttest.TestProvider(t, harness(false, setupintenttest.FeatureKeys, setupintenttest.FeatureCancel, setupintenttest.FeatureList))
	})
	t.Run("with idempotency keys", func(t *testing.T) {
		t.Parallel()
		setupintenttest.TestProvider(t, harness(true, setupintenttest.FeatureCancel, setupintenttest.FeatureList))
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
		replace(404, failWith("invalid_request_error", "resource_missing"))
	}
	if w.decline.Load() {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		replace(402, failWith("card_error", "card_declined", `"setup_intent":`+string(bytes.TrimSpace(body))))
	}
	return res, nil
}

// failWith is WooshPay's error object; fields are further JSON members of it.
func failWith(typ, code string, fields ...string) string {
	return fmt.Sprintf(`{"error":{"type":%q,"code":%q,"message":"A text."%s}}`, typ, code, strings.Join(append([]string{""}, fields...), ","))
}
