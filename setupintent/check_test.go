package setupintent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	noIndex, noHook := errors.New("the index is missing"), errors.New("no webhook endpoint")
	fine := func(context.Context) error { return nil }
	fails := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	tests := []struct {
		name   string
		opts   setupintent.Options
		list   error
		only   bool // the provider can only create
		begun  bool
		checks []func(context.Context) error
		want   []error
		told   []string
	}{
		{name: "all is well", begun: true, checks: []func(context.Context) error{fine, fine}},
		{name: "nothing there yet"},
		{name: "a provider that can only create", only: true},
		{name: "the key is not accepted", list: setupintent.ErrCredentials, want: []error{setupintent.ErrCredentials}, told: []string{"config"}},
		{name: "the other mode", opts: setupintent.Options{Live: true}, begun: true, want: []error{setupintent.ErrMismatch}, told: []string{"config"}},
		{name: "a check that is nil", checks: []func(context.Context) error{nil}, want: []error{setupintent.ErrInvalidRequest}, told: []string{"config"}},
		{
			name: "all that is wrong is said", list: errors.New("down"), checks: []func(context.Context) error{fails(noIndex), fine, fails(noHook)},
			want: []error{noIndex, noHook}, told: []string{"config", "config", "config"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			if test.begun {
				begun(b)
			}
			var told []string
			opts := test.opts
			opts.Observe = func(_ context.Context, e setupintent.Event) {
				if e.Move == "" && e.Call == "" {
					told = append(told, e.Class)
				}
			}
			b.restart(nil)
			b.provider.Before = failing("ListIntents", always(test.list))
			var provider setupintent.Provider = b.provider
			if test.only {
				provider = setupintent.CreateOnly(b.provider)
			}
			err := b.service(b.rows, provider, &opts).Check(ctx, test.checks...)
			require.Equal(t, len(test.told) > 0, err != nil, "%v", err)
			for _, want := range test.want {
				require.ErrorIs(t, err, want)
			}
			require.Equal(t, test.told, told)
			require.Equal(t, []int{0, 0}, b.count("Load", "Swap"), "it looks at no row, and writes nothing")
		})
	}
}

// A check that hangs does not keep the process from starting for ever.
func TestCheckHasATimeLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	require.NoError(t, b.svc.Check(ctx, func(ctx context.Context) error {
		until, ok := ctx.Deadline()
		require.True(t, ok)
		require.LessOrEqual(t, time.Until(until), setupintent.CallTimeout)
		return nil
	}))
}
