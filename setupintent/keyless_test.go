package setupintent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

// keylessProvider is a provider as its document leaves it: it can create and
// fetch, and equal keys have as many effects as there are sends.
type keylessProvider struct{ portsProvider }

func (w keylessProvider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	if req.Again {
		w.pause("does not send create again")
		return setupintent.Intent{}, setupintent.ErrKeySpent
	}
	if _, sent := w.kept[req.Key]; sent {
		w.fail("a create was sent twice", "")
	}
	in, err := w.portsProvider.CreateIntent(ctx, req)
	if err == nil || errors.Is(err, setupintent.ErrRefused) || errors.Is(err, setupintent.ErrThrottled) {
		return in, err
	}
	return setupintent.Intent{}, setupintent.ErrKeySpent
}

func (w keylessProvider) CancelIntent(ctx context.Context, id, _ string) (setupintent.Intent, error) {
	in, err := w.GetIntent(ctx, id)
	if err == nil && in.Status == setupintent.RequiresPaymentMethod {
		return setupintent.Intent{}, errors.ErrUnsupported
	}
	return in, err
}

func (keylessProvider) ListIntents(context.Context, time.Time, time.Time, string) ([]setupintent.Intent, error) {
	return nil, errors.ErrUnsupported
}

// Without idempotency keys, a cancel and a list, a row may be left waiting for
// ever. It never has two live intents all the same, and an ended one none whose
// card was saved.
func TestSimulationWithoutKeys(t *testing.T) {
	t.Parallel()
	o := simulate("keyless", max(*schedules/20, 1000), nil)
	if o.broken >= 0 {
		short, lines := explain("keyless", o.broken, nil)
		broke(t, layerKeyless, short, lines...)
	}
	for _, i := range []int{answerLost, requestLate, lateLanded, throttled429, refusedOnce, processKilled, ackLost, callerGone, dashboardCancel, cardSaved, secondAttempt} {
		require.Positive(t, o.hits[i], "%q never happened", windowsOf[i].name)
	}
	require.Zero(t, o.hits[replayed])
	found(t, layerKeyless, o.short())
}
