package stripetest_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

const (
	keyHeader = "Idempotency-Key"
	intentsOf = "/v1/setup_intents"
	card      = "payment_method_types[]=card"
)

func replayed(r reply) bool { return r.header.Get("Idempotent-Replayed") == "true" }

func TestReplay(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	first := post(t, s, intentsOf, card+"&metadata[a]=b", keyHeader, "k")
	again := post(t, s, intentsOf, "metadata[a]=b&payment_method_types[0]=card", keyHeader, "k")
	require.False(t, replayed(first))
	require.True(t, replayed(again), "the same parameters, in other words")
	require.Equal(t, first.raw, again.raw)
	require.Equal(t, "k", again.header.Get(keyHeader))
	require.Equal(t, first.header.Get("Request-Id"), again.header.Get("Original-Request"))
	require.NotEqual(t, first.header.Get("Request-Id"), again.header.Get("Request-Id"))
	require.Len(t, s.SetupIntents(), 1)

	// The first answer is replayed, whatever became of the object.
	post(t, s, intentsOf+"/"+first.str("id")+"/cancel", "")
	require.Equal(t, "requires_payment_method", post(t, s, intentsOf, card+"&metadata[a]=b", keyHeader, "k").str("status"))
}

func TestMismatch(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	id := post(t, s, intentsOf, card, keyHeader, "K").str("id")
	got := post(t, s, intentsOf, card+"&description=x", keyHeader, "K")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "idempotency_error", got.str("error.type"))
	require.Equal(t, "Keys for idempotent requests can only be used with the same parameters they were first used with."+
		" Try using a key other than 'K' if you meant to execute a different request.", got.str("error.message"))
	got = post(t, s, intentsOf+"/"+id+"/cancel", card, keyHeader, "K")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "idempotency_error", got.str("error.type"))
	require.Equal(t, "Keys for idempotent requests can only be used for the same endpoint they were first used for"+
		" ('/v1/setup_intents' vs '/v1/setup_intents/"+id+"/cancel'). Try using a key other than 'K' if you meant to execute a different request.",
		got.str("error.message"))
	require.True(t, replayed(post(t, s, intentsOf, card, keyHeader, "K")), "and the first answer is still there")
}

// A key is its caller's: the answer to one class of API key is not replayed to
// another, also not from a state file.
func TestKeysOfOtherCallers(t *testing.T) {
	t.Parallel()
	opts := &stripetest.Options{StateFile: filepath.Join(t.TempDir(), "state")}
	s := newFakeWith(t, opts)
	intent := create(t, s, "&metadata[a]=b")
	path, body := intentsOf+"/"+intent.str("id")+"/confirm", "payment_method=pm_card_visa&client_secret="+intent.str("client_secret")
	confirmed := post(t, s, path, body, keyHeader, "k")
	require.Equal(t, "b", confirmed.str("metadata.a"))
	attach := func(customer, key string) reply {
		return send(t, s, http.MethodPost, "/v1/payment_methods/"+confirmed.str("payment_method")+"/attach", key, "customer="+customer, keyHeader, "k2")
	}
	owner, other := post(t, s, "/v1/customers", "").str("id"), post(t, s, "/v1/customers", "").str("id")
	appKey := func(customer string) string {
		return post(t, s, "/v1/ephemeral_keys", "customer="+customer, "Stripe-Version", "2024-06-20").str("secret")
	}
	ownerKey, otherKey := appKey(owner), appKey(other)
	require.Equal(t, http.StatusOK, attach(owner, ownerKey).status)

	for range 2 {
		got := send(t, s, http.MethodPost, path, publishable, body, keyHeader, "k")
		require.Equal(t, http.StatusBadRequest, got.status, got.raw)
		require.Equal(t, "You cannot confirm this SetupIntent because it has already succeeded.", got.str("error.message"))
		require.NotContains(t, got.raw, "metadata")
		require.Equal(t, confirmed.raw, post(t, s, path, body, keyHeader, "k").raw, "the first answer is still there")

		require.True(t, replayed(attach(owner, ownerKey)))
		require.Equal(t, http.StatusForbidden, attach(owner, otherKey).status)

		require.NoError(t, s.Close())
		s = newFakeWith(t, opts)
	}
}

func TestADeclineIsStored(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	path := intentsOf + "/" + create(t, s, "").str("id") + "/confirm"
	first := post(t, s, path, "payment_method=pm_card_chargeDeclined", keyHeader, "k")
	again := post(t, s, path, "payment_method=pm_card_chargeDeclined", keyHeader, "k")
	require.Equal(t, http.StatusPaymentRequired, again.status)
	require.True(t, replayed(again))
	require.Equal(t, first.raw, again.raw)
	require.Equal(t, []string{"setup_intent.created", "setup_intent.setup_failed"}, eventTypes(t, s), "one attempt")
}

func TestValidationFailuresAreNotStored(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	for _, bad := range []string{"foo=1", "usage=never", "confirm=x", "expand[]=foo", "customer="} {
		require.Equal(t, http.StatusBadRequest, post(t, s, intentsOf, bad, keyHeader, "k").status)
	}
	got := post(t, s, intentsOf, card, keyHeader, "k")
	require.Equal(t, http.StatusOK, got.status)
	require.False(t, replayed(got), "the key was as good as new")
}

func TestKeysAreForPost(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	create(t, s, "")
	for range 2 {
		got := send(t, s, http.MethodGet, intentsOf, secret, "", keyHeader, "k")
		require.False(t, replayed(got))
	}
	require.False(t, replayed(post(t, s, intentsOf, card, keyHeader, "k")))
}

func TestKeyLength(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	require.Equal(t, http.StatusOK, post(t, s, intentsOf, card, keyHeader, strings.Repeat("k", 255)).status)
	require.Equal(t, http.StatusBadRequest, post(t, s, intentsOf, card, keyHeader, strings.Repeat("k", 256)).status)
}

func TestKeysLastADay(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	first := post(t, s, intentsOf, card, keyHeader, "k")
	s.Advance(24*time.Hour - time.Second)
	require.True(t, replayed(post(t, s, intentsOf, card, keyHeader, "k")))
	s.Advance(time.Second)
	again := post(t, s, intentsOf, card, keyHeader, "k")
	require.False(t, replayed(again))
	require.NotEqual(t, first.str("id"), again.str("id"))
}

func TestInFlight(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	require.NoError(t, s.SetLatency("POST "+intentsOf, time.Hour))
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://stripe.test"+intentsOf, strings.NewReader(card))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set(keyHeader, "K")
	gone := make(chan error, 1)
	go func() {
		_, err := s.Client().Do(r) //nolint:bodyclose // there is no response
		gone <- err
	}()
	require.Eventually(t, func() bool { return s.Count("POST "+intentsOf) == 1 }, 30*time.Second, time.Millisecond)

	got := post(t, s, intentsOf, card, keyHeader, "K")
	require.Equal(t, http.StatusConflict, got.status)
	require.Equal(t, "idempotency_key_in_use", got.str("error.code"))
	require.Equal(t, "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice,"+
		" and the other request is still going through): K. Please try again later.", got.str("error.message"))
	require.Equal(t, http.StatusBadRequest, post(t, s, intentsOf, card+"&description=x", keyHeader, "K").status, "other parameters are that all the same")
	require.Empty(t, s.SetupIntents(), "the effect comes at the end")

	leave()
	require.ErrorIs(t, <-gone, context.Canceled)
	require.Eventually(t, func() bool {
		got, err := try(s, http.MethodPost, intentsOf, secret, card, keyHeader, "K") // post would end a goroutine that is not the test's
		return err == nil && replayed(got)
	}, 30*time.Second, time.Millisecond, "who goes away does not stop what they asked for")
	require.Len(t, s.SetupIntents(), 1)
}

func TestOneKeyManyCallers(t *testing.T) {
	t.Parallel()
	s := newFake(t)
	var callers sync.WaitGroup
	for range 32 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			_, err := try(s, http.MethodPost, intentsOf, secret, card, keyHeader, "k")
			if err != nil {
				t.Error(err)
			}
		}()
	}
	callers.Wait()
	require.Len(t, s.SetupIntents(), 1)
	require.Equal(t, 32, s.Count("POST "+intentsOf))
}

// The four ways for a 500 to be, and what a second try with the same key gets.
func TestStoredAndUnstored(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		after, stored bool
		made          int // by the first call
		replayed      bool
		status        int // of the second
	}{
		{"before, not stored", false, false, 0, false, http.StatusOK},
		{"before, stored", false, true, 0, true, http.StatusInternalServerError},
		{"after, not stored", true, false, 1, true, http.StatusOK},
		{"after, stored", true, true, 1, true, http.StatusInternalServerError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			require.NoError(t, s.Inject(stripetest.Fault{Route: "POST " + intentsOf, After: tt.after, Stored: tt.stored, Count: 1}))
			first := post(t, s, intentsOf, card, keyHeader, "k")
			require.Equal(t, http.StatusInternalServerError, first.status)
			require.Equal(t, "api_error", first.str("error.type"))
			require.False(t, replayed(first))
			require.Len(t, s.SetupIntents(), tt.made)
			again := post(t, s, intentsOf, card, keyHeader, "k")
			require.Equal(t, tt.status, again.status)
			require.Equal(t, tt.replayed, replayed(again))
			if tt.stored {
				require.Equal(t, first.raw, again.raw)
			}
			require.LessOrEqual(t, len(s.SetupIntents()), 1)
		})
	}
}
