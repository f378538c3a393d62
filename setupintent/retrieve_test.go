package setupintent_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
)

// What a Retrieve returns, whatever has become of the row, and what it costs.
func TestRetrieve(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	_, _, err := b.svc.Retrieve(ctx, "42", "seti_1")
	require.ErrorIs(t, err, setupintent.ErrMismatch, "the row has none")
	_, _, err = b.svc.Retrieve(ctx, "42", "")
	require.ErrorIs(t, err, setupintent.ErrMismatch)
	_, _, err = b.svc.Retrieve(ctx, "none", "seti_1")
	require.ErrorIs(t, err, setupintent.ErrNotFound)

	made, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	b.restart(nil)
	_, _, err = b.svc.Retrieve(ctx, "42", "seti_other")
	require.ErrorIs(t, err, setupintent.ErrMismatch)
	require.Zero(t, b.count("GetIntent")[0])
	row, in, err := b.svc.Retrieve(ctx, "42", made.ID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Pending, row.Status)
	require.Equal(t, made.ClientSecret.Reveal(), in.ClientSecret.Reveal())
	require.Equal(t, []int{2, 0, 1}, b.count("Load", "Swap", "GetIntent"))

	require.NoError(t, b.backend.Confirm(made.ID, "pm_1"))
	for range 2 {
		row, in, err = b.svc.Retrieve(ctx, "42", made.ID)
		require.NoError(t, err)
		require.Equal(t, setupintent.Active, row.Status)
		require.Equal(t, setupintent.Succeeded, in.Status)
	}
}

// A row that has ended still shows its intent.
func TestRetrieveCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	made, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	_, err = b.svc.Cancel(ctx, "42")
	require.NoError(t, err)
	row, in, err := b.svc.Retrieve(ctx, "42", made.ID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Cancelled, row.Status)
	require.Equal(t, setupintent.Canceled, in.Status)
}

func TestRetrieveErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		get   error
		want  error
		retry bool
	}{
		"unknown to the provider": {setupintent.ErrNotFound, setupintent.ErrMismatch, false},
		"credentials":             {setupintent.ErrCredentials, setupintent.ErrCredentials, false},
		"create only":             {errors.ErrUnsupported, errors.ErrUnsupported, false},
		"no answer":               {errors.New("timeout"), setupintent.ErrUnresolved, true},
	} {
		b := newBench(t, nil)
		made, err := b.svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		b.provider.Before = failing("GetIntent", always(c.get))
		_, _, err = b.svc.Retrieve(ctx, "42", made.ID)
		require.ErrorIs(t, err, c.want, name)
		var e *setupintent.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, c.retry, e.RetryAfter > 0, name)
	}
}

// An intent of the row's id that names another row is not shown.
func TestRetrieveForeign(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	made, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	b.restart(&setupintent.Options{Namespace: "elsewhere"})
	_, in, err := b.svc.Retrieve(ctx, "42", made.ID)
	require.ErrorIs(t, err, setupintent.ErrMismatch)
	require.Zero(t, in)
}

func TestOwnsMetadata(t *testing.T) {
	t.Parallel()
	b := newBench(t, &setupintent.Options{MetadataKey: "signup", Namespace: "test", Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
		return setupintent.IntentRequest{Metadata: map[string]string{"plan": "pro"}}, nil
	}})
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Len(t, in.Metadata, 4)
	for key := range in.Metadata {
		require.Equal(t, key != "plan", b.svc.OwnsMetadata(key), key)
	}
	require.False(t, b.svc.OwnsMetadata("pending_user_id"))
	require.False(t, b.svc.OwnsMetadata(""))
}
