package setupintent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

// customers creates customers in memory.
type customers struct {
	keys    map[string]string
	made    []setupintent.CustomerRequest
	calls   int
	lists   int
	others  int // of others, on either side of ours
	before  func() error
	after   func() error
	listing func(ctx context.Context, after string) error
}

func (c *customers) CreateCustomer(_ context.Context, req setupintent.CustomerRequest) (string, error) {
	c.calls++
	if c.before != nil {
		if err := c.before(); err != nil {
			return "", err
		}
	}
	if c.keys == nil {
		c.keys = map[string]string{}
	}
	if c.keys[req.Key] == "" {
		c.made = append(c.made, req)
		c.keys[req.Key] = fmt.Sprint("cus_", len(c.made))
	}
	if c.after != nil {
		if err := c.after(); err != nil {
			return "", err
		}
	}
	return c.keys[req.Key], nil
}

// ListCustomers has two customers on a page, and around ours those of others.
func (c *customers) ListCustomers(ctx context.Context, _, _ time.Time, after string) ([]setupintent.Customer, error) {
	c.lists++
	if c.listing != nil {
		if err := c.listing(ctx, after); err != nil {
			return nil, err
		}
	}
	var all []setupintent.Customer
	others := func(when string) {
		for i := range c.others {
			all = append(all, setupintent.Customer{ID: fmt.Sprint("cus_", when, i), Metadata: map[string]string{"pending_user_id": "41"}})
		}
	}
	others("newer")
	for i, made := range slices.Backward(c.made) {
		all = append(all, setupintent.Customer{ID: fmt.Sprint("cus_", i+1), Metadata: made.Metadata})
	}
	others("older")
	if i := slices.IndexFunc(all, func(c setupintent.Customer) bool { return c.ID == after }); i >= 0 {
		all = all[i+1:]
	} else if after != "" {
		return nil, errors.New("400: no such customer")
	}
	return all[:min(2, len(all))], nil
}

func withCustomers(c *customers) *setupintent.Options {
	asked := 0
	return &setupintent.Options{Namespace: "prod", Wait: -1, Customers: c, Customer: func(_ context.Context, r setupintent.Row) (setupintent.CustomerRequest, error) {
		asked++
		return setupintent.CustomerRequest{Email: fmt.Sprintf("%s+%d@example.com", r.ID, asked), Extra: map[string]any{"phone": "1"}}, nil
	}}
}

func TestCustomerBeforeTheIntent(t *testing.T) {
	t.Parallel()
	c := new(customers)
	b := newBench(t, withCustomers(c))
	for range 3 {
		in, err := b.svc.Begin(ctx, "42", nil)
		require.NoError(t, err)
		require.Equal(t, "cus_1", in.Customer)
	}
	require.Len(t, c.made, 1)
	require.Equal(t, "42+1@example.com", c.made[0].Email)
	require.Equal(t, map[string]string{"pending_user_id": "42", "cardonfile_namespace": "prod", "cardonfile_key": setupintent.KeyHash(c.made[0].Key)}, c.made[0].Metadata)
	require.Equal(t, "cus_1", b.row().Progress.CustomerID())
	require.Equal(t, 3, b.rows.Calls("Swap"), "the customer, the claim, the record")

	_, err := b.svc.Cancel(ctx, "42")
	require.NoError(t, err)
	next := b.row().Progress.Successor(time.Time{})
	require.Equal(t, "cus_1", next.CustomerID(), "the subject's next row has it")
	require.Empty(t, next.IntentID())
	require.True(t, setupintent.Progress{}.Successor(time.Time{}).IsZero())
	require.True(t, newer(t).Successor(time.Time{}).IsZero())

	own, err := setupintent.New(b.memory, b.backend, &setupintent.Options{Customer: withCustomers(c).Customer})
	require.ErrorContains(t, err, "Customers")
	require.Nil(t, own)
}

func TestCustomerNamedByTheApplication(t *testing.T) {
	t.Parallel()
	c := new(customers)
	b := newBench(t, withCustomers(c))
	in, err := b.svc.Begin(ctx, "42", &setupintent.IntentRequest{Customer: "cus_own"})
	require.NoError(t, err)
	require.Equal(t, "cus_own", in.Customer)
	require.Zero(t, c.calls)
}

// However a create of a customer ends, there is never a second one.
func TestOneCustomer(t *testing.T) {
	t.Parallel()
	lost := errors.New("answer lost")
	tests := []struct {
		name          string
		before, after func() error
		want          error
		wait          time.Duration // before trying again
		lists         int
	}{
		{"answer lost", nil, first(1, lost), setupintent.ErrUnresolved, 0, 0},
		{"request lost", first(1, lost), nil, setupintent.ErrUnresolved, 0, 0},
		{"key too old", nil, first(1, lost), setupintent.ErrUnresolved, setupintent.KeyLife, 1},
		{"spent, made", nil, first(1, setupintent.ErrKeySpent), setupintent.ErrKeySpent, setupintent.MaxFlight, 1},
		{"spent, not made", first(1, setupintent.ErrKeySpent), nil, setupintent.ErrKeySpent, setupintent.MaxFlight, 1},
		{"refused", first(1, setupintent.ErrRefused), nil, setupintent.ErrRefused, 0, 0},
		{"credentials", first(1, setupintent.ErrCredentials), nil, setupintent.ErrCredentials, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &customers{before: test.before, after: test.after}
			opts := withCustomers(c)
			opts.TTL = 48 * time.Hour
			b := newBench(t, opts)
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(t, err, test.want)
			require.Empty(t, b.backend.Intents())
			require.Zero(t, setupintent.Read(b.row().Progress).Attempts)
			b.clock.advance(test.wait)
			in, err := b.svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.Equal(t, "cus_1", in.Customer)
			require.Len(t, c.made, 1)
			require.Equal(t, test.lists, c.lists)
		})
	}
}

func TestCustomerUnderWayElsewhere(t *testing.T) {
	t.Parallel()
	c := new(customers)
	b := newBench(t, withCustomers(c))
	c.before = func() error {
		c.before = nil
		_, err := b.service(b.memory, b.backend, withCustomers(c)).Begin(ctx, "42", nil)
		require.ErrorIs(t, err, setupintent.ErrBusy, "another process waits")
		b.clock.advance(setupintent.Lease)
		in, err := b.service(b.memory, b.backend, withCustomers(c)).Begin(ctx, "42", nil)
		require.NoError(t, err, "and takes over when the lease is over, with the same key")
		require.Equal(t, "cus_1", in.Customer)
		return nil
	}
	in, err := b.svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, "cus_1", in.Customer)
	require.Len(t, c.made, 1)
	require.Len(t, b.backend.Intents(), 1)
}

// A row whose customer is under way ends without waiting for it: its successor
// carries on.
func TestCustomerCarriedOn(t *testing.T) {
	t.Parallel()
	c := &customers{after: first(1, errors.New("answer lost"))}
	b := newBench(t, withCustomers(c))
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	require.Equal(t, setupintent.Abandoned, b.sweep(b.svc).Status)

	successor := b.row().Progress.Successor(b.clock.now().Add(time.Hour))
	require.NoError(t, b.memory.Insert("43", time.Time{}))
	r, err := b.memory.Load(ctx, "43")
	require.NoError(t, err)
	next := r
	next.Progress, next.Due = successor, b.clock.now().Add(time.Hour)
	ok, err := b.memory.Swap(ctx, r, next)
	require.NoError(t, err)
	require.True(t, ok)
	in, err := b.svc.Begin(ctx, "43", nil)
	require.NoError(t, err)
	require.Equal(t, "cus_1", in.Customer)
	require.Len(t, c.made, 1)
}

// A customer of test mode, or of another namespace, says nothing to a live key.
func TestCustomerOfAnotherMode(t *testing.T) {
	t.Parallel()
	for _, lost := range []error{nil, errors.New("answer lost")} {
		c := &customers{after: first(1, lost)}
		b := newBench(t, withCustomers(c))
		_, err := b.svc.Begin(ctx, "42", nil)
		require.ErrorIs(t, err, lost)
		require.NoError(t, b.memory.Insert("43", time.Time{}))
		r := b.load("43")
		next := r
		next.Progress = b.row().Progress.Successor(time.Time{})
		ok, err := b.memory.Swap(ctx, r, next)
		require.NoError(t, err)
		require.True(t, ok)

		opts := withCustomers(c)
		opts.Namespace = "elsewhere"
		in, err := b.service(b.memory, b.provider, opts).Begin(ctx, "43", nil)
		require.NoError(t, err)
		require.Equal(t, "cus_2", in.Customer)
		require.Equal(t, "cus_2", b.load("43").Progress.CustomerID())
	}
}

// A key that turns too old while the guard is asked does not make a list say
// anything sooner.
func TestCustomerKeyTurnsOldMeanwhile(t *testing.T) {
	t.Parallel()
	c := &customers{before: first(2, errors.New("lost"))}
	opts := withCustomers(c)
	opts.TTL = 48 * time.Hour
	var b *bench
	old := false
	opts.Guard = func(context.Context, setupintent.Row) error {
		if old {
			b.clock.advance(2 * time.Second)
		}
		return nil
	}
	b = newBench(t, opts)
	_, err := b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	b.clock.advance(setupintent.KeyLife - 30*time.Second)
	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	old = true
	b.clock.advance(29 * time.Second)
	_, err = b.svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved, "the second send may still be on its way")
	require.Empty(t, c.made)
}

// What is issued for a customer comes after the customer and before the intent,
// once.
func TestBeginFor(t *testing.T) {
	t.Parallel()
	c := new(customers)
	b := newBench(t, withCustomers(c))
	var order []string
	c.before = func() error { order = append(order, "customer"); return nil }
	issue := func(_ context.Context, customer string) error {
		order = append(order, fmt.Sprintf("key for %s, %d intents", customer, len(b.backend.Intents())))
		return nil
	}
	for range 2 {
		in, err := b.svc.BeginFor(ctx, "42", nil, issue)
		require.NoError(t, err)
		require.Equal(t, "cus_1", in.Customer)
	}
	require.Equal(t, []string{"customer", "key for cus_1, 0 intents", "key for cus_1, 1 intents"}, order)
	require.Len(t, b.backend.Intents(), 1)
}

// An intent without a customer has one issued without.
func TestBeginForNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var issued []string
	issue := func(_ context.Context, customer string) error { issued = append(issued, customer); return nil }
	_, err := b.svc.BeginFor(ctx, "42", nil, issue)
	require.NoError(t, err)
	_, err = b.svc.BeginFor(ctx, "42", &setupintent.IntentRequest{Customer: "cus_other"}, issue)
	require.ErrorIs(t, err, setupintent.ErrFrozen)
	require.Equal(t, []string{""}, issued)
}

// If nothing can be issued, there is no intent, and the next caller goes on with
// the same customer at once.
func TestBeginForFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		want  error
		later bool
	}{
		"refused":     {setupintent.ErrRefused, setupintent.ErrRefused, false},
		"invalid":     {setupintent.ErrInvalidRequest, setupintent.ErrInvalidRequest, false},
		"credentials": {setupintent.ErrCredentials, setupintent.ErrCredentials, false},
		"unknown":     {errors.New("timeout"), setupintent.ErrUnresolved, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := new(customers)
			b := newBench(t, withCustomers(made))
			_, err := b.svc.BeginFor(ctx, "42", nil, func(context.Context, string) error { return c.err })
			require.ErrorIs(t, err, c.want)
			var e *setupintent.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.later, e.RetryAfter > 0)
			require.Empty(t, b.backend.Intents())

			in, err := b.svc.Begin(ctx, "42", nil)
			require.NoError(t, err)
			require.Equal(t, "cus_1", in.Customer)
			require.Len(t, made.made, 1)

			_, err = b.svc.BeginFor(ctx, "42", nil, func(context.Context, string) error { return c.err })
			require.ErrorIs(t, err, c.want, "also for an intent that there is")
			require.Len(t, b.backend.Intents(), 1)
		})
	}
}

// One caller's failing issue is not another's: who waits for the same flight
// goes on alone.
func TestBeginForTogether(t *testing.T) {
	t.Parallel()
	o := withCustomers(new(customers))
	o.Wait = 1000 * time.Hour // the bench's time flies
	b := newBench(t, o)
	holding, release := make(chan bool), make(chan bool)
	failed := make(chan error, 1)
	go func() {
		_, err := b.svc.BeginFor(ctx, "42", nil, func(context.Context, string) error {
			close(holding)
			<-release
			return setupintent.ErrRefused
		})
		failed <- err
	}()
	<-holding
	waiting := make(chan error, 1)
	go func() {
		_, err := b.svc.Begin(ctx, "42", nil)
		waiting <- err
	}()
	close(release)
	require.ErrorIs(t, <-failed, setupintent.ErrRefused)
	require.NoError(t, <-waiting)
	require.Len(t, b.backend.Intents(), 1)
}

// A list that takes longer than somebody waits is looked through by one request
// after the other, each page by a call of its own.
func TestLongListOfCustomers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		made    bool
		deleted bool // the customer that the list was to go on from
		lists   int
	}{
		{name: "found at last", made: true, lists: 21},
		{name: "not there", lists: 41},
		{name: "begun anew", made: true, deleted: true, lists: 4 + 1 + 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &customers{others: 40}
			lost := first(1, setupintent.ErrKeySpent)
			if c.before = lost; test.made {
				c.before, c.after = nil, lost
			}
			b := newBench(t, withCustomers(c))
			_, err := b.svc.Begin(ctx, "42", nil)
			require.ErrorIs(t, err, setupintent.ErrKeySpent)
			b.clock.advance(setupintent.MaxFlight)
			c.listing = func(ctx context.Context, _ string) error {
				_, ok := ctx.Deadline()
				require.True(t, ok, "a call without a time limit")
				b.clock.advance(3 * time.Second)
				return nil
			}
			requests := 0
			for {
				began := b.clock.now()
				in, err := b.svc.Begin(ctx, "42", nil)
				requests++
				require.Less(t, b.clock.now().Sub(began), 25*time.Second)
				if err == nil {
					require.Equal(t, "cus_1", in.Customer)
					break
				}
				require.ErrorIs(t, err, setupintent.ErrUnresolved)
				if test.deleted && requests == 1 {
					c.others = 0
				}
			}
			require.Equal(t, test.lists, c.lists)
			require.Len(t, c.made, 1)
			require.Equal(t, "cus_1", b.row().Progress.CustomerID())
		})
	}
}
