package setupintent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/mock"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
	"go.uber.org/mock/gomock"
)

// Here the call itself is the contract: which is made, with what, before which,
// and above all which is not made.

var pendingRow = setupintent.Row{ID: "42", Status: setupintent.Pending, Version: 7}

func withMocks(t *testing.T, opts *setupintent.Options) (*setupintent.Service, *mock.MockPendingStore, *mock.MockProvider, *clock) {
	ctrl := gomock.NewController(t)
	rows, provider, clock := mock.NewMockPendingStore(ctrl), mock.NewMockProvider(ctrl), newClock()
	var o setupintent.Options
	if opts != nil {
		o = *opts
	}
	o.Now = clock.now
	svc, err := setupintent.New(rows, provider, &o)
	require.NoError(t, err)
	svc.SetSleep(func(context.Context, time.Duration) error { return errors.New("no time to wait") })
	return svc, rows, provider, clock
}

// The mocks fail on a call that no test expects: none of these rows may cause
// one to the provider.
func TestNoCreateForRowsThatHaveEnded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	account := setupintent.NewProgress
	tests := []struct {
		name string
		row  setupintent.Row
		want error
	}{
		{"active", setupintent.Row{Status: setupintent.Active}, setupintent.ErrNotPending},
		{"abandoned", setupintent.Row{Status: setupintent.Abandoned}, setupintent.ErrNotPending},
		{"cancelled", setupintent.Row{Status: setupintent.Cancelled}, setupintent.ErrNotPending},
		{"a word of the application", setupintent.Row{Status: "suspended"}, setupintent.ErrNotPending},
		{"a word in another case", setupintent.Row{Status: "Pending"}, setupintent.ErrNotPending},
		{"no word at all", setupintent.Row{}, setupintent.ErrNotPending},
		{"closing", setupintent.Row{Status: setupintent.Pending, Progress: account(setupintent.Account{
			Phase: setupintent.Closing, Target: setupintent.Abandoned, Intent: setupintent.Effect{ID: "seti_1"},
		})}, setupintent.ErrClosing},
		{"used up", setupintent.Row{Status: setupintent.Pending, Progress: account(setupintent.Account{
			Phase: setupintent.None, Attempts: 3, Deadline: at.Add(time.Hour),
		})}, setupintent.ErrExhausted},
		{"of another namespace", setupintent.Row{Status: setupintent.Pending, Progress: account(setupintent.Account{
			Phase: setupintent.Attached, Namespace: "staging", Deadline: at.Add(time.Hour), Intent: setupintent.Effect{ID: "seti_1"},
		})}, setupintent.ErrMismatch},
		{"of the other mode", setupintent.Row{Status: setupintent.Pending, Progress: account(setupintent.Account{
			Phase: setupintent.Claimed, Live: true, Deadline: at.Add(time.Hour), Intent: setupintent.Effect{Key: "k"},
		})}, setupintent.ErrMismatch},
		{"of a newer release", setupintent.Row{Status: setupintent.Pending, Progress: newer(t)}, setupintent.ErrUnresolved},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			svc, rows, _, _ := withMocks(t, nil)
			test.row.ID = "42"
			rows.EXPECT().Load(gomock.Any(), "42").Return(test.row, nil)
			_, err := svc.Begin(context.Background(), "42", nil)
			require.ErrorIs(t, err, test.want)
			var e *setupintent.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "42", e.RowID)
			require.Equal(t, test.row.Status, e.Status)
		})
	}
}

func newer(t *testing.T) (p setupintent.Progress) {
	require.NoError(t, p.UnmarshalText([]byte(`{"format":2,"phase":"entangled"}`)))
	return p
}

func TestNoCreateWithoutLoad(t *testing.T) {
	t.Parallel()
	svc, rows, _, _ := withMocks(t, nil)
	down := errors.New("the database is down")
	rows.EXPECT().Load(gomock.Any(), "42").Return(setupintent.Row{}, down)
	_, err := svc.Begin(context.Background(), "42", nil)
	require.ErrorIs(t, err, down)

	_, err = svc.Begin(context.Background(), "", nil)
	require.ErrorIs(t, err, setupintent.ErrNotFound)
}

func TestNoCreateWithoutClaim(t *testing.T) {
	t.Parallel()
	svc, rows, _, _ := withMocks(t, nil)
	down := errors.New("the database is down")
	rows.EXPECT().Load(gomock.Any(), "42").Return(pendingRow, nil).Times(2) // the second to see what came of the swap
	rows.EXPECT().Swap(gomock.Any(), pendingRow, gomock.Any()).Return(false, down)
	_, err := svc.Begin(context.Background(), "42", nil)
	require.ErrorIs(t, err, down)
}

func TestClaimThenCreateThenRecord(t *testing.T) {
	t.Parallel()
	svc, rows, provider, clock := withMocks(t, &setupintent.Options{Namespace: "prod"})
	var claim setupintent.Row
	var sent setupintent.IntentRequest
	gomock.InOrder(
		rows.EXPECT().Load(gomock.Any(), "42").Return(pendingRow, nil),
		rows.EXPECT().Swap(gomock.Any(), pendingRow, gomock.Any()).DoAndReturn(func(_ context.Context, _, next setupintent.Row) (bool, error) {
			claim = next
			return true, nil
		}),
		provider.EXPECT().CreateIntent(gomock.Any(), gomock.Any()).DoAndReturn(func(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
			sent = req
			until, ok := ctx.Deadline()
			require.True(t, ok, "a call without a time limit")
			require.LessOrEqual(t, time.Until(until), setupintent.CallTimeout)
			return setupintent.Intent{ID: "seti_1", ClientSecret: setupintent.NewClientSecret("s")}, nil
		}),
		rows.EXPECT().Swap(gomock.Any(), gomock.Any(), gomock.Any()).DoAndReturn(func(_ context.Context, prev, next setupintent.Row) (bool, error) {
			require.Equal(t, claim, prev)
			require.Equal(t, setupintent.Attached, next.Progress.Phase())
			require.Equal(t, "seti_1", next.Progress.IntentID())
			require.Equal(t, clock.now().Add(2*time.Minute), next.Due)
			return true, nil
		}),
	)
	in, err := svc.Begin(context.Background(), "42", &setupintent.IntentRequest{Description: "a card", Metadata: map[string]string{"plan": "pro"}})
	require.NoError(t, err)
	require.Equal(t, "seti_1", in.ID)

	a := setupintent.Read(claim.Progress)
	require.Equal(t, setupintent.Claimed, a.Phase)
	require.Equal(t, 1, a.Attempts)
	require.Equal(t, clock.now().Add(12*time.Hour), a.Deadline)
	require.Equal(t, clock.now().Add(setupintent.Lease), claim.Due)
	require.Len(t, a.Intent.Key, 32, "128 random bits")
	require.Equal(t, a.Intent.Key, sent.Key)
	require.Equal(t, clock.now().Add(setupintent.Lease), sent.NotAfter)
	require.Equal(t, map[string]string{
		"plan": "pro", "pending_user_id": "42", "cardonfile_namespace": "prod", "cardonfile_key": setupintent.KeyHash(sent.Key),
	}, sent.Metadata)
}

// A replay sends what the first one sent, whatever the application says by now,
// and not before it has stamped the row.
func TestReplaySendsTheFrozenRequest(t *testing.T) {
	t.Parallel()
	svc, rows, provider, clock := withMocks(t, &setupintent.Options{
		Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
			return setupintent.IntentRequest{Description: "changed by a deploy"}, nil
		},
	})
	claimed := setupintent.Row{ID: "42", Status: setupintent.Pending, Version: 8, Progress: setupintent.NewProgress(setupintent.Account{
		Phase: setupintent.Claimed, Attempts: 1, Deadline: clock.now().Add(time.Hour),
		Intent: setupintent.Effect{
			Key: "the key", Request: []byte(`{"description":"as it was","extra":{"single_use":{"amount":1e2}}}`),
			Sent: clock.now().Add(-time.Hour), Last: clock.now().Add(-time.Hour),
		},
	})}
	gomock.InOrder(
		rows.EXPECT().Load(gomock.Any(), "42").Return(claimed, nil),
		rows.EXPECT().Swap(gomock.Any(), claimed, gomock.Any()).DoAndReturn(func(_ context.Context, _, next setupintent.Row) (bool, error) {
			a := setupintent.Read(next.Progress)
			require.Equal(t, "the key", a.Intent.Key)
			require.Equal(t, clock.now(), a.Intent.Last)
			require.Equal(t, 1, a.Attempts)
			return true, nil
		}),
		provider.EXPECT().CreateIntent(gomock.Any(), gomock.Any()).DoAndReturn(func(_ context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
			require.Equal(t, "the key", req.Key)
			require.Equal(t, "as it was", req.Description)
			require.Equal(t, "1e2", req.Extra["single_use"].(map[string]any)["amount"].(interface{ String() string }).String())
			return setupintent.Intent{ID: "seti_1", ClientSecret: setupintent.NewClientSecret("s")}, nil
		}),
		rows.EXPECT().Swap(gomock.Any(), gomock.Any(), gomock.Any()).Return(true, nil),
	)
	in, err := svc.Begin(context.Background(), "42", nil)
	require.NoError(t, err)
	require.Equal(t, "seti_1", in.ID)
}

func TestCancelThenAbandon(t *testing.T) {
	t.Parallel()
	svc, rows, provider, clock := withMocks(t, nil)
	attached := setupintent.Row{ID: "42", Status: setupintent.Pending, Version: 9, Due: clock.now(), Progress: setupintent.NewProgress(setupintent.Account{
		Phase: setupintent.Attached, Attempts: 1, Deadline: clock.now(), Intent: setupintent.Effect{ID: "seti_1", Key: "k"},
	})}
	gomock.InOrder(
		rows.EXPECT().Load(gomock.Any(), "42").Return(attached, nil),
		rows.EXPECT().Swap(gomock.Any(), attached, gomock.Any()).DoAndReturn(func(_ context.Context, _, next setupintent.Row) (bool, error) {
			require.Equal(t, setupintent.Pending, next.Status, "abandoned before its intent is canceled")
			require.Equal(t, setupintent.Abandoned, next.Progress.Closing())
			return true, nil
		}),
		provider.EXPECT().CancelIntent(gomock.Any(), "seti_1", "abandoned").Return(setupintent.Intent{ID: "seti_1", Status: setupintent.Canceled}, nil),
		rows.EXPECT().Swap(gomock.Any(), gomock.Any(), gomock.Any()).DoAndReturn(func(_ context.Context, _, next setupintent.Row) (bool, error) {
			require.Equal(t, setupintent.Abandoned, next.Status)
			require.True(t, next.Due.IsZero())
			return true, nil
		}),
	)
	r, err := svc.Refresh(context.Background(), "42")
	require.NoError(t, err)
	require.Equal(t, setupintent.Abandoned, r.Status)
	require.Equal(t, "seti_1", r.Progress.IntentID(), "which intent it was is kept")
}
