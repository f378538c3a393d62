package canary

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

// faults are the fake's, each of which hits a few calls. What they say holds
// secrets wherever a provider is free to say what it wants.
var faults = []stripetest.Fault{
	{Status: 500, Message: "Failed at " + looseSecret},
	{Status: 500, Stored: true, Message: "Failed at " + looseSecret},
	{Status: 500, After: true},
	{Status: 429, Message: "Too many requests by " + apiKey},
	{Status: 409, Code: "idempotency_key_in_use"},
	{Status: 401, Message: "Invalid API Key provided: " + apiKey},
	{Status: 400, Code: "parameter_unknown", Message: "Received unknown parameter: " + looseSecret},
	{Kind: stripetest.FaultHTML, After: true, Body: "<h1>502</h1>" + looseSecret},
	{Kind: stripetest.FaultMalformed, After: true},
	{Kind: stripetest.FaultClose},
	{Kind: stripetest.FaultClose, After: true},
}

// play lets rows live through faults on every wire, and calls all that there is.
func (w *world) play(rows int) {
	w.t.Helper()
	form, js := "application/x-www-form-urlencoded", "application/json"
	for n := range rows {
		w.row(n)
		for range 6 {
			if w.draw(3) > 0 {
				f := faults[w.draw(len(faults))]
				f.Count = 1 + w.draw(4)
				require.NoError(w.t, w.fake.Inject(f))
			}
			switch w.draw(6) {
			case 0:
				w.ask("/signup/", http.MethodPost, w.current+"/setup-intent", "", "")
			case 1:
				w.ask("/v2/signup/pending/", http.MethodPost, w.current+"/setup-intent", "", "")
			case 2:
				w.ask("/api/", http.MethodPost, "setup-intent", js, "{}")
			case 3:
				if answer := w.ask("/v1/", http.MethodPost, "setup_intents", form, "payment_method_types[]=card"); answer != nil {
					w.ask("/v1/", http.MethodGet, fmt.Sprint("setup_intents/", answer["id"]), "", "")
					w.ask("/v1/", http.MethodPost, fmt.Sprint("setup_intents/", answer["id"]), form, "metadata[a]=1")
				}
			case 4:
				w.ask("/api/v2/storefront/stripe/", http.MethodPost, "setup_intents", "", "")
			case 5:
				w.ask("/signup/", http.MethodPost, w.current+"/setup-intent", js, `{"broken":"`+w.shown)
				w.ask("/signup/", http.MethodPost, w.current+"/activate", js, `{"setupIntentId":"`+w.shown+`"}`) // somebody mixes them up
				for mount := range secretFields {
					w.ask(mount, http.MethodGet, w.current+"/setup-intent?client_secret="+w.shown, "", "")
				}
				w.ask("/v1/", http.MethodPost, "setup_intents?client_secret="+w.shown, form, "client_secret="+w.shown)
			}
			w.fake.ClearFaults()
		}
		w.ask("/signup/", http.MethodPost, w.current+"/setup-intent", "", "")
		w.life()
	}
	w.well(rows)
	w.sweep(rows + 1)
	w.ports()
	require.NoError(w.t, w.fake.WaitWebhooks(w.t.Context()))
	w.dump()
}

// sweep has the sweeper look at a row, and a process check what it has at its
// start, with a provider that fails and with one that does so once.
func (w *world) sweep(n int) {
	w.t.Helper()
	require.NoError(w.t, w.fake.WaitWebhooks(w.t.Context()))
	for i, f := range []stripetest.Fault{{Status: 401, Message: "Invalid API Key provided: " + apiKey}, {Count: 1}} {
		w.row(n + i)
		_, err := w.svc.Begin(w.t.Context(), w.current, nil)
		require.NoError(w.t, err)
		require.NoError(w.t, w.fake.Inject(f))
		ctx, cancel := context.WithCancel(w.t.Context())
		failed := false
		err = w.svc.Run(ctx, w.due, time.Nanosecond, &setupintent.SweepOptions{OnReport: func(r setupintent.Report, err error) {
			w.tap.show("report", r)
			w.tap.show("error", err)
			if failed { // and has been logged
				cancel()
			}
			failed = failed || r.Failed > 0
			if !failed { // another's call may have had the fault
				w.fake.ClearFaults()
				require.NoError(w.t, w.fake.Inject(f))
			}
		}})
		require.ErrorIs(w.t, err, context.Canceled)
		w.tap.show("error", w.svc.Check(w.t.Context()))
		w.fake.ClearFaults()
	}
}

// well is the life of a row that turns active, with a store that works, and an
// effect that panics at first.
func (w *world) well(n int) {
	w.t.Helper()
	require.NoError(w.t, w.fake.WaitWebhooks(w.t.Context()))
	w.row(n)
	w.mu.Lock()
	w.calm, w.acted = true, false
	w.mu.Unlock()
	w.ask("/signup/", http.MethodPost, w.current+"/setup-intent", "", "")
	in, err := w.svc.Begin(context.Background(), w.current, nil)
	require.NoError(w.t, err)
	require.Equal(w.t, in.ClientSecret.Reveal(), w.shown)
	w.tap.show("value", in)
	require.NoError(w.t, w.fake.Resolve(in.ID, stripetest.OutcomeSucceed))
	for range 100 {
		r, err := w.svc.Activate(context.Background(), w.current, in.ID)
		w.tap.show("row", r)
		if err == nil {
			return
		}
		w.tap.show("error", err)
	}
	require.Fail(w.t, "the row does not turn active")
}

// life takes the row's intent somewhere, and the row after it.
func (w *world) life() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	outcomes := []stripetest.Outcome{stripetest.OutcomeSucceed, stripetest.OutcomeDecline, stripetest.OutcomeChallenge, stripetest.OutcomeCancel, stripetest.OutcomeSucceed}
	for _, in := range w.fake.SetupIntents() {
		if in.Metadata["pending_user_id"] != w.current {
			continue
		}
		_ = w.fake.Resolve(in.ID, outcomes[w.draw(len(outcomes))])
		w.ask("/signup/", http.MethodPost, w.current+"/activate", "application/json", `{"setupIntentId":"`+in.ID+`"}`)
		w.ask("/v2/signup/pending/", http.MethodPost, w.current+"/activate", "application/json", `{"setupIntentId":"`+in.ID+`"}`)
		w.tap.show("error", w.svc.Notify(ctx, setupintent.Intent{ID: in.ID}))
		_, err := w.svc.Import(ctx, w.current, in.ID)
		w.tap.show("error", err)
	}
	for _, call := range []func() (setupintent.Row, error){
		func() (setupintent.Row, error) { return w.svc.Refresh(ctx, w.current) },
		func() (setupintent.Row, error) { return w.svc.Cancel(ctx, w.current) },
	} {
		r, err := call()
		w.tap.show("row", r)
		w.tap.show("error", err)
	}
}

// ports calls the providers themselves, well and with every fault.
func (w *world) ports() {
	ctx := context.Background()
	var calls []func() (any, error)
	req := setupintent.IntentRequest{Key: "direct", Metadata: map[string]string{"a": "1"}}
	var id string
	if w.stripe != nil {
		in, err := w.stripe.CreateIntent(ctx, req)
		require.NoError(w.t, err)
		id = in.ID
		customer, err := w.stripe.CreateCustomer(ctx, setupintent.CustomerRequest{Key: "direct-customer"})
		require.NoError(w.t, err)
		calls = append(calls,
			func() (any, error) { return w.stripe.CreateIntent(ctx, req) },
			func() (any, error) { return w.stripe.GetIntent(ctx, id) },
			func() (any, error) { return w.stripe.GetIntent(ctx, w.shown) }, // somebody mixes them up
			func() (any, error) { return w.stripe.ListIntents(ctx, time.Time{}, time.Time{}, "") },
			func() (any, error) { return w.stripe.UpdateIntent(ctx, id, stripeport.UpdateRequest{Description: "d"}) },
			func() (any, error) {
				return w.stripe.ConfirmIntent(ctx, id, stripeport.ConfirmRequest{PaymentMethod: "pm_card_chargeDeclined"})
			},
			func() (any, error) { return w.stripe.EphemeralKey(ctx, customer, "2024-06-20") },
			func() (any, error) {
				return w.stripe.CustomerSession(ctx, customer, map[string]any{"payment_element": map[string]any{"enabled": true}})
			},
			func() (any, error) { return w.stripe.EnsureWebhookEndpoint(ctx, "https://app.example/hook", nil) },
			func() (any, error) { return w.stripe.CancelIntent(ctx, id, "abandoned") },
			func() (any, error) { return w.svc.Audit(ctx, time.Time{}, time.Now(), false) },
		)
	} else {
		in, err := w.woosh.CreateIntent(ctx, req)
		require.NoError(w.t, err)
		id = in.ID
		calls = append(calls,
			func() (any, error) { return w.woosh.CreateIntent(ctx, req) },
			func() (any, error) { return w.woosh.GetIntent(ctx, id) },
			func() (any, error) { return w.woosh.GetIntent(ctx, w.shown) },
			func() (any, error) {
				return w.woosh.ConfirmIntent(ctx, id, wooshport.ConfirmRequest{PaymentMethod: "pm_card_chargeDeclined", ReturnURL: "https://app.example"})
			},
			func() (any, error) { return w.woosh.CancelIntent(ctx, id, "abandoned") },
			func() (any, error) { return w.svc.Audit(ctx, time.Time{}, time.Now(), false) },
		)
	}
	for i := -1; i < len(faults); i++ {
		if i >= 0 {
			require.NoError(w.t, w.fake.Inject(faults[i]))
		}
		for _, call := range calls {
			v, err := call()
			w.tap.show("value", v)
			w.tap.show("error", err)
			if in, ok := v.(setupintent.Intent); ok {
				w.tap.add("value", string(in.Raw))
			}
		}
		w.fake.ClearFaults()
	}
	for _, header := range []http.Header{{}, {"Stripe-Signature": {"t=1,v1=x"}}, {"Wooshpay-Signature": {"t=1,v1=x"}}} {
		_, err := w.parse(header, []byte("{}"))
		w.tap.show("error", err)
	}
	for _, secret := range []string{webhookSecret + "\n", shortSecret} {
		_, err := stripeport.NewWebhook([]string{secret}, nil)
		require.Error(w.t, err)
		w.tap.show("error", err)
		_, err = wooshport.NewWebhook([]string{secret}, nil)
		require.Error(w.t, err)
		w.tap.show("error", err)
	}
	for _, key := range []string{apiKey + "\n", apiKey + ":", "x" + apiKey} {
		_, err := stripeport.New(key, nil)
		w.tap.show("error", err)
		_, err = wooshport.New(key, nil)
		w.tap.show("error", err)
	}
}

func TestNoSecretGetsOut(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct{ woosh, sqlite bool }{
		"Stripe, memory": {false, false}, "Stripe, SQLite": {false, true}, "WooshPay, memory": {true, false}, "WooshPay, SQLite": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(2) {
				w := newWorld(t, seed, of.woosh, of.sqlite)
				w.play(8)
				require.Empty(t, w.tap.search(), "seed %d", seed)

				// That nothing was found says something only if there was much to find,
				// and everywhere.
				kinds := map[string]int{}
				for _, kind := range w.tap.secrets {
					kinds[kind]++
				}
				require.Greater(t, kinds["client_secret"], 2)
				require.NotEmpty(t, w.shown)
				require.Contains(t, w.tap.secrets, w.shown)
				sinks := []string{
					"log", "event", "error", "value", "hook", "report", "provider URL", "provider header", "provider body",
					"answer status", "answer header", "answer body", "database",
				}
				if !of.woosh {
					require.Positive(t, kinds["secret"], "ephemeral keys and endpoints")
				}
				if of.sqlite {
					sinks = append(sinks, "database file")
				}
				bytes := 0
				for _, sink := range sinks {
					require.Contains(t, w.tap.sinks, sink, "seed %d: nothing came out there", seed)
					bytes += w.tap.sinks[sink].Len()
				}
				require.Contains(t, w.tap.sinks["log"].String(), "panicked", "no hook has panicked")
				require.Contains(t, w.tap.sinks["log"].String(), "setupintent: sweep", "no sweep has failed")
				t.Logf("seed %d: %d secrets, not found in %d sinks with %d bytes", seed, len(w.tap.secrets), len(w.tap.sinks), bytes)
			}
		})
	}
}

// One leak, at any place, is found, and where it is.
func TestDeliberateLeak(t *testing.T) {
	t.Parallel()
	for sink, leak := range map[string]func(*world){
		"log":   func(w *world) { w.log.Info("begun", "secret", w.shown) },
		"event": func(w *world) { w.observe(context.Background(), setupintent.Event{RowID: w.shown}) },
		"error": func(w *world) { w.tap.show("error", fmt.Errorf("no answer: %w", fmt.Errorf("of %s", w.shown))) },
		"value": func(w *world) {
			w.tap.show("value", setupintent.Intent{Raw: []byte(`{"client_secret":"` + w.shown + `"}`), ID: w.shown})
		},
		"provider URL": func(w *world) {
			res, err := (&http.Client{Transport: w.wire}).Get("http://127.0.0.1/v1/setup_intents/x?client_secret=" + w.shown)
			require.NoError(w.t, err)
			require.NoError(w.t, res.Body.Close())
		},
		"provider header": func(w *world) {
			r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1/v1/customers", http.NoBody)
			require.NoError(w.t, err)
			r.Header.Set("X-Key", apiKey)
			res, err := (&http.Client{Transport: w.wire}).Do(r)
			require.NoError(w.t, err)
			require.NoError(w.t, res.Body.Close())
		},
		"answer body": func(w *world) {
			w.mux.HandleFunc("/leak", func(rw http.ResponseWriter, _ *http.Request) {
				_, _ = rw.Write([]byte(`{"debug":"` + webhookSecret + `"}`))
			})
			w.ask("/leak", http.MethodGet, "", "", "")
		},
		"answer header": func(w *world) {
			w.mux.HandleFunc("/leak", func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Location", "/?s="+w.shown) })
			w.ask("/leak", http.MethodGet, "", "", "")
		},
		"database": func(w *world) {
			_, err := w.db.Exec(`CREATE TABLE notes (note TEXT)`)
			require.NoError(w.t, err)
			_, tail, _ := strings.Cut(w.shown, "_secret_")
			_, err = w.db.Exec(`INSERT INTO notes VALUES (?)`, tail)
			require.NoError(w.t, err)
			w.dump()
		},
	} {
		t.Run(sink, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, false, true)
			w.well(0)
			w.dump()
			require.Empty(t, w.tap.search())
			require.NotEmpty(t, w.shown)
			leak(w)
			found := w.tap.search()
			require.NotEmpty(t, found, "the leak was not found")
			require.True(t, strings.HasPrefix(found[0], sink+":"), "%v", found)
		})
	}
}
