package setupintenttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Fault is something that the backend behind a provider does to the creates of
// one call of CreateIntent.
type Fault int

// The faults that a harness plays.
const (
	// Refuse answers that the parameters are wrong; nothing is created.
	Refuse Fault = iota
	// TimeoutThenRefuse does not answer the first attempt, and refuses the
	// ones that follow in the same call.
	TimeoutThenRefuse
	// StoredFailure answers a 5xx and keeps it under the key: every later
	// attempt with the key, in any call, is answered the same.
	StoredFailure
	// Outage answers every attempt of the call with a 5xx that is kept nowhere.
	Outage
	// LostAnswer creates the intent and does not answer, neither this attempt
	// nor the ones that follow in the same call.
	LostAnswer
	// Throttle answers every attempt of the call that there were too many.
	Throttle
	// Unauthorized answers that the credentials are wrong.
	Unauthorized
	// ErrorWithIntent creates the intent, and answers an error that carries it.
	ErrorWithIntent
	// Garbage creates the intent, and answers with something unreadable that
	// has the client secret in it.
	Garbage
)

// ProviderHarness is a provider under test, with what the port lacks. Each case
// gets a new one.
type ProviderHarness struct {
	Provider setupintent.Provider

	// Succeed saves a card with the intent: it succeeds.
	Succeed func(id string) error

	// Forget makes the backend forget the intent.
	Forget func(id string) error

	// Fail plays the fault on the next call of CreateIntent, and on that call
	// only.
	Fail func(Fault)

	// Request is what the cases create, besides their key and metadata. The zero
	// IntentRequest will do for most.
	Request setupintent.IntentRequest

	// Unsupported names what the provider can't do. The cases that need it are
	// not run, and others are instead, which check that it says so: by
	// errors.ErrUnsupported, or, without idempotency keys, by never sending again
	// what may have been sent before. Nil: it can do all.
	Unsupported []Feature
}

// Feature is something that a provider may not be able to do.
type Feature string

// The features that a provider may lack. None may lack create.
const (
	FeatureKeys   Feature = "idempotency keys" // equal keys have one effect
	FeatureGet    Feature = "get"
	FeatureCancel Feature = "cancel"
	FeatureList   Feature = "list"
)

// TestProvider checks that a provider keeps the contract of
// [setupintent.Provider], and above all that of its errors, which every promise
// of the service rests on. It asks for a new harness for each case; a failure
// prints the rule that was broken.
func TestProvider(t *testing.T, newHarness func(testing.TB) ProviderHarness) {
	t.Helper()
	unsupported := newHarness(t).Unsupported
	run := func(prefix string, c check[*providerCase]) {
		t.Run(prefix+c.name, func(t *testing.T) {
			c.run(&suiteT{t, c.rule}, &providerCase{newHarness(t), context.Background()})
		})
	}
	for _, c := range providerChecks {
		if lacking := lacking(c.needs, unsupported); lacking != "" {
			t.Logf("not run, because the provider has no %s: %s", lacking, c.rule)
			continue
		}
		run("", c.check)
	}
	for _, f := range unsupported {
		checks, known := unsupportedChecks[f]
		if !known {
			t.Errorf("the harness says that the provider has no %q, which is no Feature", f)
		}
		for _, c := range checks {
			run("Unsupported", c)
		}
	}
}

// lacking returns what a case needs and the provider has not, or "".
func lacking(needs, unsupported []Feature) Feature {
	for _, f := range needs {
		if slices.Contains(unsupported, f) {
			return f
		}
	}
	return ""
}

// providerCheck is a case, and what it takes.
type providerCheck struct {
	check[*providerCase]
	needs []Feature
}

// of makes a case that needs the features.
func of(name, rule string, run func(*suiteT, *providerCase), needs ...Feature) providerCheck {
	return providerCheck{check[*providerCase]{name, rule, run}, needs}
}

type providerCase struct {
	ProviderHarness
	ctx context.Context
}

func (c *providerCase) request() setupintent.IntentRequest {
	req := c.Request
	req.Key = randomID()
	req.NotAfter = time.Now().Add(time.Minute)
	req.Metadata = map[string]string{"pending_user_id": req.Key}
	return req
}

func (c *providerCase) create(t *suiteT, req setupintent.IntentRequest) setupintent.Intent {
	t.Helper()
	in, err := c.Provider.CreateIntent(c.ctx, req)
	t.mustf(err == nil, "CreateIntent failed: %v", err)
	t.mustf(in.ID != "", "CreateIntent returned an intent without an id")
	return in
}

func (c *providerCase) list(t *suiteT) []setupintent.Intent {
	t.Helper()
	var all []setupintent.Intent
	for after := ""; ; {
		page, err := c.Provider.ListIntents(c.ctx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), after)
		t.mustf(err == nil, "ListIntents failed: %v", err)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		t.mustf(len(all) <= 1000, "the list does not end")
		after = page[len(page)-1].ID
	}
}

// unknown checks that err promises nothing.
func (t *suiteT) unknown(err error) {
	t.Helper()
	t.mustf(err != nil, "there was no error")
	for _, promise := range []error{setupintent.ErrRefused, setupintent.ErrThrottled, setupintent.ErrKeySpent, setupintent.ErrCredentials} {
		t.mustf(!errors.Is(err, promise), "the error says %q: %v", promise, err)
	}
}

// discreet checks that err does not tell the secret.
func (t *suiteT) discreet(err error, secret string) {
	t.Helper()
	if err == nil || secret == "" {
		return
	}
	for _, s := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		t.mustf(!strings.Contains(s, secret), "the error tells the client secret")
	}
	for _, cause := range causes(err) {
		t.discreet(cause, secret)
	}
}

// causes returns what err wraps, in either form.
func causes(err error) []error {
	switch e := err.(type) { //nolint:errorlint // of this error, not of those that it wraps
	case interface{ Unwrap() error }:
		return []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}

var providerChecks = []providerCheck{
	of("Create", "CreateIntent returns a live intent with its id, secret, metadata and time", func(t *suiteT, c *providerCase) {
		req := c.request()
		in := c.create(t, req)
		t.mustf(in.Status == setupintent.RequiresPaymentMethod, "the status is %q", in.Status)
		t.mustf(in.ClientSecret.Reveal() != "", "there is no client secret")
		t.mustf(in.Metadata["pending_user_id"] == req.Key, "the metadata is %v", in.Metadata)
		t.mustf(!in.Replayed, "a first answer says that it is a replay")
		t.mustf(time.Since(in.Created).Abs() < time.Hour, "it was created at %v", in.Created)
	}),
	of("OneEffectPerKey", "equal keys have one effect", func(t *suiteT, c *providerCase) {
		req := c.request()
		first := c.create(t, req)
		req.Again = true
		again := c.create(t, req)
		t.mustf(first.ID == again.ID, "the second intent is %s, not %s", again.ID, first.ID)
		t.mustf(again.ClientSecret.Reveal() == first.ClientSecret.Reveal(), "it has another client secret")
	}, FeatureKeys),
	of("KeysDiffer", "different keys make different intents", func(t *suiteT, c *providerCase) {
		a, b := c.create(t, c.request()), c.create(t, c.request())
		t.mustf(a.ID != b.ID, "both are %s", a.ID)
	}),
	of("OneEffectInParallel", "equal keys have one effect, also at once, and the losers promise nothing", func(t *suiteT, c *providerCase) {
		const racers = 16
		req := c.request()
		var wg sync.WaitGroup
		var ids [racers]string
		var errs [racers]error
		for i := range racers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				in, err := c.Provider.CreateIntent(c.ctx, req)
				ids[i], errs[i] = in.ID, err
			}()
		}
		wg.Wait()
		req.Again = true
		want := c.create(t, req).ID
		for i := range racers {
			if errs[i] != nil {
				t.unknown(errs[i])
				continue
			}
			t.mustf(ids[i] == want, "one got %s, another %s", ids[i], want)
		}
	}, FeatureKeys),
	of("OtherRequest", "a key that was used with another request is spent", func(t *suiteT, c *providerCase) {
		req := c.request()
		c.create(t, req)
		req.Again = true
		req.Metadata = map[string]string{"pending_user_id": "another"}
		_, err := c.Provider.CreateIntent(c.ctx, req)
		t.mustf(errors.Is(err, setupintent.ErrKeySpent), "the error is %v", err)
	}, FeatureKeys),
	of("Refused", "a refusal is ErrRefused, and nothing was created", func(t *suiteT, c *providerCase) {
		c.Fail(Refuse)
		_, err := c.Provider.CreateIntent(c.ctx, c.request())
		t.mustf(errors.Is(err, setupintent.ErrRefused), "the error is %v", err)
		t.mustf(!errors.Is(err, setupintent.ErrKeySpent) && !errors.Is(err, setupintent.ErrThrottled), "the error says more: %v", err)
	}),
	of("TimeoutThenRefused", "a refusal after an attempt without an answer is unknown: that attempt may yet take effect", func(t *suiteT, c *providerCase) {
		c.Fail(TimeoutThenRefuse)
		_, err := c.Provider.CreateIntent(c.ctx, c.request())
		t.unknown(err)
	}, FeatureKeys),
	of("StoredFailure", "a key under which a failure is stored is spent, at the latest the third time it says so", func(t *suiteT, c *providerCase) {
		req := c.request()
		c.Fail(StoredFailure)
		for range 3 {
			_, err := c.Provider.CreateIntent(c.ctx, req)
			req.Again = true
			t.mustf(err != nil, "there was no error")
			t.mustf(!errors.Is(err, setupintent.ErrRefused), "the error says that nothing was created: %v", err)
			if errors.Is(err, setupintent.ErrKeySpent) || errors.Is(err, setupintent.ErrKeySuspect) {
				return
			}
		}
		t.mustf(false, "it never said so")
	}, FeatureKeys),
	of("Outage", "a failure that is stored nowhere is unknown, and the key still works", func(t *suiteT, c *providerCase) {
		req := c.request()
		c.Fail(Outage)
		_, err := c.Provider.CreateIntent(c.ctx, req)
		if !errors.Is(err, setupintent.ErrKeySuspect) {
			t.unknown(err)
		}
		req.Again = true
		c.create(t, req)
	}, FeatureKeys),
	of("LostAnswer", "an answer that does not come is unknown, and the key still leads to the intent", func(t *suiteT, c *providerCase) {
		req := c.request()
		ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
		defer cancel()
		c.Fail(LostAnswer)
		if _, err := c.Provider.CreateIntent(ctx, req); err != nil {
			t.unknown(err)
		}
		req.Again = true
		first, again := c.create(t, req), c.create(t, req)
		t.mustf(first.ID == again.ID, "%s and %s", first.ID, again.ID)
	}, FeatureKeys),
	of("Throttled", "an answer that there were too many is ErrThrottled, and the key still works", func(t *suiteT, c *providerCase) {
		req := c.request()
		c.Fail(Throttle)
		_, err := c.Provider.CreateIntent(c.ctx, req)
		t.mustf(errors.Is(err, setupintent.ErrThrottled), "the error is %v", err)
		t.mustf(!errors.Is(err, setupintent.ErrRefused), "the error says more: %v", err)
		c.create(t, req)
	}),
	of("Unauthorized", "wrong credentials are ErrCredentials, and not the row's fault", func(t *suiteT, c *providerCase) {
		c.Fail(Unauthorized)
		_, err := c.Provider.CreateIntent(c.ctx, c.request())
		t.mustf(errors.Is(err, setupintent.ErrCredentials), "the error is %v", err)
		t.mustf(!errors.Is(err, setupintent.ErrRefused), "the error says that the row was refused: %v", err)
	}),
	of("ErrorWithIntent", "an error that carries an intent is an intent", func(t *suiteT, c *providerCase) {
		c.Fail(ErrorWithIntent)
		c.create(t, c.request())
	}),
	of("Garbage", "an unreadable answer is unknown, and does not show up in the error", func(t *suiteT, c *providerCase) {
		req := c.request()
		c.Fail(Garbage)
		_, err := c.Provider.CreateIntent(c.ctx, req)
		t.unknown(err)
		req.Again = true
		t.discreet(err, c.create(t, req).ClientSecret.Reveal())
	}, FeatureKeys),
	of("NotAfter", "a create is not sent after NotAfter, and nothing is promised", func(t *suiteT, c *providerCase) {
		req := c.request()
		req.NotAfter = time.Now().Add(-time.Second)
		_, err := c.Provider.CreateIntent(c.ctx, req)
		t.unknown(err)
		req.NotAfter = time.Now().Add(time.Minute)
		t.mustf(!c.create(t, req).Replayed, "it had been sent")
	}),
	of("CreateCanceled", "a caller who goes away gets their context's error", func(t *suiteT, c *providerCase) {
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		_, err := c.Provider.CreateIntent(ctx, c.request())
		t.unknown(err)
		t.mustf(errors.Is(err, context.Canceled), "the error is %v", err)
	}),
	of("InTransaction", "while a database transaction is open, nobody is called, and nothing is promised", func(t *suiteT, c *providerCase) {
		open := setupintent.WithTransaction(c.ctx)
		req := c.request()
		_, err := c.Provider.CreateIntent(open, req)
		t.unknown(err)
		made := c.create(t, req)
		t.mustf(!made.Replayed, "the create was sent")
		_, err = c.Provider.GetIntent(open, made.ID)
		t.unknown(err)
		_, err = c.Provider.CancelIntent(open, made.ID, "abandoned")
		t.unknown(err)
		_, err = c.Provider.ListIntents(open, made.Created, made.Created, "")
		t.unknown(err)
		if slices.Contains(c.Unsupported, FeatureGet) {
			return
		}
		in, err := c.Provider.GetIntent(c.ctx, made.ID)
		t.ok(err)
		t.mustf(in.Status == setupintent.RequiresPaymentMethod, "the cancel was sent: the status is %s", in.Status)
	}),
	of("Discreet", "an intent prints, and passes on, everything but its client secret", func(t *suiteT, c *providerCase) {
		in := c.create(t, c.request())
		secret := in.ClientSecret.Reveal()
		for _, s := range []string{fmt.Sprintf("%v", in), fmt.Sprintf("%+v", in), fmt.Sprintf("%#v", in), string(in.Raw)} {
			t.mustf(!strings.Contains(s, secret), "it is in %.100s…", s)
		}
	}),
	of("Get", "GetIntent returns the intent as it is now", func(t *suiteT, c *providerCase) {
		made := c.create(t, c.request())
		in, err := c.Provider.GetIntent(c.ctx, made.ID)
		t.ok(err)
		t.mustf(in.ID == made.ID && in.Status == setupintent.RequiresPaymentMethod, "it is %s, %s", in.ID, in.Status)
		t.mustf(in.ClientSecret.Reveal() == made.ClientSecret.Reveal(), "it has another client secret")
		t.mustf(in.Metadata["pending_user_id"] == made.Metadata["pending_user_id"], "it has other metadata")
		t.ok(c.Succeed(made.ID))
		in, err = c.Provider.GetIntent(c.ctx, made.ID)
		t.ok(err)
		t.mustf(in.Status == setupintent.Succeeded, "the status is %s", in.Status)
		t.mustf(in.PaymentMethod != "", "there is no payment method")
	}, FeatureGet),
	of("GetMissing", "GetIntent returns an error that wraps ErrNotFound if there is none", func(t *suiteT, c *providerCase) {
		made := c.create(t, c.request())
		t.ok(c.Forget(made.ID))
		for _, id := range []string{made.ID, "seti_none", ""} {
			_, err := c.Provider.GetIntent(c.ctx, id)
			t.mustf(errors.Is(err, setupintent.ErrNotFound), "for %q the error is %v", id, err)
		}
	}, FeatureGet),
	of("Cancel", "CancelIntent cancels; an intent that is canceled already is an answer", func(t *suiteT, c *providerCase) {
		made := c.create(t, c.request())
		for range 2 {
			in, err := c.Provider.CancelIntent(c.ctx, made.ID, "abandoned")
			t.ok(err)
			t.mustf(in.ID == made.ID && in.Status == setupintent.Canceled, "it is %s, %s", in.ID, in.Status)
		}
	}, FeatureCancel),
	of("CancelSucceeded", "CancelIntent of an intent that has succeeded returns it, and is no error", func(t *suiteT, c *providerCase) {
		made := c.create(t, c.request())
		t.ok(c.Succeed(made.ID))
		in, err := c.Provider.CancelIntent(c.ctx, made.ID, "abandoned")
		t.ok(err)
		t.mustf(in.Status == setupintent.Succeeded, "the status is %s", in.Status)
	}, FeatureCancel),
	of("CancelMissing", "CancelIntent returns an error that wraps ErrNotFound if there is none", func(t *suiteT, c *providerCase) {
		_, err := c.Provider.CancelIntent(c.ctx, "seti_none", "abandoned")
		t.mustf(errors.Is(err, setupintent.ErrNotFound), "the error is %v", err)
	}, FeatureCancel),
	of("ReplayAfterCancel", "a key whose intent was canceled leads to that intent, and to no new one", func(t *suiteT, c *providerCase) {
		req := c.request()
		made := c.create(t, req)
		_, err := c.Provider.CancelIntent(c.ctx, made.ID, "abandoned")
		t.ok(err)
		req.Again = true
		again := c.create(t, req)
		t.mustf(again.ID == made.ID, "it leads to %s, not %s", again.ID, made.ID)
		t.mustf(again.Replayed || again.Status == setupintent.Canceled, "an answer that may be out of date does not say that it is a replay")
	}, FeatureKeys, FeatureCancel),
	of("List", "ListIntents returns every intent of the window once, newest first, with its metadata", func(t *suiteT, c *providerCase) {
		const n = 23
		var want []string
		for range n {
			want = append(want, c.create(t, c.request()).ID)
		}
		slices.Reverse(want)
		var got []string
		for _, in := range c.list(t) {
			got = append(got, in.ID)
			t.mustf(in.Metadata["pending_user_id"] != "", "%s came without its metadata", in.ID)
		}
		t.mustf(slices.Equal(got, want), "it returned %d intents: %v", len(got), got)
	}, FeatureList),
	of("ListWindow", "ListIntents returns nothing from outside the window", func(t *suiteT, c *providerCase) {
		c.create(t, c.request())
		page, err := c.Provider.ListIntents(c.ctx, time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour), "")
		t.ok(err)
		t.mustf(len(page) == 0, "it returned %d intents", len(page))
	}, FeatureList),
}

// unsupportedChecks are the cases of a provider that lacks the feature.
var unsupportedChecks = map[Feature][]check[*providerCase]{
	FeatureGet: {{"Get", "GetIntent returns errors.ErrUnsupported", func(t *suiteT, c *providerCase) {
		_, err := c.Provider.GetIntent(c.ctx, c.create(t, c.request()).ID)
		t.unsupported(err)
	}}},
	FeatureCancel: {{"Cancel", "CancelIntent of a live intent returns errors.ErrUnsupported; of one that has succeeded, that or the intent", func(t *suiteT, c *providerCase) {
		made := c.create(t, c.request())
		_, err := c.Provider.CancelIntent(c.ctx, made.ID, "abandoned")
		t.unsupported(err)
		t.ok(c.Succeed(made.ID))
		in, err := c.Provider.CancelIntent(c.ctx, made.ID, "abandoned")
		if err != nil {
			t.unsupported(err)
			return
		}
		t.mustf(in.ID == made.ID && in.Status == setupintent.Succeeded, "it is %s, %s", in.ID, in.Status)
	}}},
	FeatureList: {{"List", "ListIntents returns errors.ErrUnsupported; an empty list would say that there is nothing", func(t *suiteT, c *providerCase) {
		c.create(t, c.request())
		_, err := c.Provider.ListIntents(c.ctx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "")
		t.unsupported(err)
	}}},
	FeatureKeys: {
		{"KeysAgain", "what may have been sent before is not sent: its key is spent", func(t *suiteT, c *providerCase) {
			req := c.request()
			c.create(t, req)
			c.spent(t, req)
		}},
		{"KeysOpenOutcome", "after an outcome that is not known nothing is promised, and the key is spent", func(t *suiteT, c *providerCase) {
			for fault, name := range map[Fault]string{
				TimeoutThenRefuse: "TimeoutThenRefuse", StoredFailure: "StoredFailure", Outage: "Outage", LostAnswer: "LostAnswer", Garbage: "Garbage",
			} {
				req := c.request()
				ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
				c.Fail(fault)
				_, err := c.Provider.CreateIntent(ctx, req)
				cancel()
				t.mustf(err != nil, "there was no error: %s", name)
				for _, promise := range []error{setupintent.ErrRefused, setupintent.ErrThrottled, setupintent.ErrCredentials} {
					t.mustf(!errors.Is(err, promise), "%s: the error says %q: %v", name, promise, err)
				}
				c.spent(t, req)
			}
		}},
	},
}

func (t *suiteT) unsupported(err error) {
	t.Helper()
	t.mustf(errors.Is(err, errors.ErrUnsupported), "the error is %v", err)
}

// spent checks that req is not sent again. The backend would refuse it.
func (c *providerCase) spent(t *suiteT, req setupintent.IntentRequest) {
	t.Helper()
	req.Again = true
	c.Fail(Refuse)
	_, err := c.Provider.CreateIntent(c.ctx, req)
	t.mustf(errors.Is(err, setupintent.ErrKeySpent), "the error is %v", err)
	t.mustf(!errors.Is(err, setupintent.ErrRefused), "it was sent: %v", err)
}
