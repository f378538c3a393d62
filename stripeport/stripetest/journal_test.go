package stripetest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func TestStateFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "state")
	reopen := func() *stripetest.Server {
		return newFakeWith(t, &stripetest.Options{StateFile: name, WebhookTransport: &receiver{}})
	}
	s := reopen()
	s.Advance(time.Hour)
	customer := post(t, s, "/v1/customers", "name=Jenny").str("id")
	declined := create(t, s, "&metadata[a]=b").str("id")
	post(t, s, intentsOf+"/"+declined+"/confirm", "payment_method=pm_card_chargeDeclined")
	saved := post(t, s, intentsOf, card+"&customer="+customer+"&confirm=true&payment_method=pm_card_visa", keyHeader, "k")
	challenged := create(t, s, "&confirm=true&payment_method=pm_card_authenticationRequired&return_url=https://example.com")
	processing := post(t, s, "/v1/setup_intents", "payment_method_types[]=bacs_debit&confirm=true&payment_method=pm_bacsDebit_success&mandate_data[customer_acceptance][type]=offline")
	hook := post(t, s, "/v1/webhook_endpoints", "url=http://app.test&enabled_events[]=*")
	key := post(t, s, "/v1/ephemeral_keys", "customer="+customer, "Stripe-Version", "2024-06-20")
	var before []string
	paths := []string{
		intentsOf + "?expand[]=data.customer&expand[]=data.payment_method&expand[]=data.latest_attempt&expand[]=data.mandate", "/v1/customers",
		"/v1/payment_methods", "/v1/events?limit=100", "/v1/webhook_endpoints", "/v1/setup_attempts?setup_intent=" + declined,
	}
	for _, path := range paths {
		before = append(before, get(t, s, path).raw)
	}
	require.NoError(t, s.Close())

	// What a crash leaves of the last line is cut off.
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`[{"object":{"id":"seti_`)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	for range 2 {
		s = reopen()
		for i, path := range paths {
			require.Equal(t, before[i], get(t, s, path).raw, path)
		}
		require.Equal(t, noon().Add(time.Hour), s.Now())
		require.NoError(t, s.Close())
	}
	s = reopen()
	again := post(t, s, intentsOf, card+"&customer="+customer+"&confirm=true&payment_method=pm_card_visa", keyHeader, "k")
	require.True(t, replayed(again))
	require.Equal(t, saved.raw, again.raw)
	require.Equal(t, http.StatusOK, send(t, s, http.MethodGet, "/v1/customers/"+customer, key.str("secret"), "").status)
	require.Equal(t, http.StatusSeeOther, challenge(t, s, challenged, "complete").status)
	require.Equal(t, http.StatusOK, send(t, s, http.MethodDelete, "/v1/webhook_endpoints/"+hook.str("id"), secret, "").status)
	s.Advance(3 * time.Minute)
	require.Equal(t, "succeeded", get(t, s, intentsOf+"/"+processing.str("id")).str("status"))
	s.Reset()
	require.NoError(t, s.Close())
	s = reopen()
	require.Empty(t, s.SetupIntents())
	require.False(t, replayed(post(t, s, intentsOf, card, keyHeader, "k")))
}

func TestStateFilesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		"hello\n", "{}\n", `[{"object":{"object":"gold"}}]` + "\n", `[{"object":{"object":"setup_intent","created":"x"}}]` + "\n",
		`[{"object":[]}]` + "\n", `[{"key":{"fingerprint":"x"}}]` + "\n", `[{"object":{"object":"customer"},"hidden":[]}]` + "\n",
	} {
		name := filepath.Join(t.TempDir(), "state")
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		_, err := stripetest.New(&stripetest.Options{StateFile: name})
		require.ErrorContains(t, err, "stripetest: state file, line 1", content)
	}
}

// Wherever a kill cuts the file, a create has happened under its key, or has not
// happened.
func TestStateFileCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(name string) *stripetest.Server {
		return newFakeWith(t, &stripetest.Options{StateFile: filepath.Join(dir, name), WebhookTransport: &receiver{}})
	}
	s := open("whole")
	id := post(t, s, intentsOf, card, keyHeader, "k").str("id")
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(filepath.Join(dir, "whole"))
	require.NoError(t, err)
	for cut := 0; cut < len(whole)+53; cut += 53 {
		cut = min(cut, len(whole))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cut"), whole[:cut], 0o600))
		s := open("cut")
		again := post(t, s, intentsOf, card, keyHeader, "k")
		require.Len(t, s.SetupIntents(), 1, "cut at %d", cut)
		require.Equal(t, cut == len(whole), again.str("id") == id)
		require.NoError(t, s.Close())
	}
}

// A fault's answer takes the place of the call's own in the file, too.
func TestStateFileStoredFault(t *testing.T) {
	t.Parallel()
	opts := &stripetest.Options{StateFile: filepath.Join(t.TempDir(), "state")}
	s := newFakeWith(t, opts)
	require.NoError(t, s.Inject(stripetest.Fault{After: true, Stored: true, Count: 1}))
	first := post(t, s, intentsOf, card, keyHeader, "k")
	require.Equal(t, http.StatusInternalServerError, first.status)
	require.NoError(t, s.Close())
	s = newFakeWith(t, opts)
	again := post(t, s, intentsOf, card, keyHeader, "k")
	require.True(t, replayed(again))
	require.Equal(t, first.raw, again.raw)
	require.Len(t, s.SetupIntents(), 1)
	require.NoError(t, s.Close())
}
