package stripeport_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// customerJSON is a Customer as Stripe sends it.
func customerJSON(id, metadata string) string {
	return `{"id":"` + id + `","object":"customer","created":1700000000,"email":"jo@example.com","livemode":false,"metadata":` + metadata + `}`
}

func TestCreateCustomer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := serve(t, answer(200, customerJSON("cus_1", `{"row":"1"}`)))
	p := s.provider(t)
	id, err := p.CreateCustomer(ctx, setupintent.CustomerRequest{
		Key: "k", Email: "jo@example.com", Name: "Jo Müller", Metadata: map[string]string{"row": "1", "a": "b"},
		Extra: map[string]any{"address": map[string]any{"country": "DE"}, "preferred_locales": []any{"de"}, "email": "typed fields go before", "source": "tok_1"},
	})
	require.NoError(t, err)
	require.Equal(t, "cus_1", id)
	require.Equal(t, "POST", s.seen()[0].method)
	require.Equal(t, "/v1/customers", s.seen()[0].uri)
	require.Equal(t, "k", s.seen()[0].header.Get("Idempotency-Key"))
	require.Equal(t, "address[country]=DE&email=jo%40example.com&metadata[a]=b&metadata[row]=1&name=Jo+M%C3%BCller&preferred_locales[0]=de&source=tok_1", s.seen()[0].body)

	_, err = p.CreateCustomer(ctx, setupintent.CustomerRequest{})
	require.NoError(t, err)
	require.Empty(t, s.seen()[1].body)
	require.Len(t, s.seen()[1].header.Get("Idempotency-Key"), 32)

	n := len(s.seen())
	for _, req := range []setupintent.CustomerRequest{
		{Key: "a b"},
		{Extra: map[string]any{"source": map[string]any{"object": "card", "number": "4242424242424242"}}},
		{Extra: map[string]any{"card": map[string]any{"number": "4242424242424242"}}},
		{Extra: map[string]any{"bank_account": map[string]any{"account_number": "000123456789"}}},
	} {
		_, err := p.CreateCustomer(ctx, req)
		require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
		require.NotContains(t, err.Error(), "42")
	}
	require.Len(t, s.seen(), n)

	late := s.provider(t, func(o *stripeport.Options) { o.Now = time1700 })
	_, err = late.CreateCustomer(ctx, setupintent.CustomerRequest{Key: "k", NotAfter: time1700().Add(-time.Second)})
	require.ErrorContains(t, err, "later than NotAfter")
	require.NotErrorIs(t, err, setupintent.ErrRefused)
	require.Len(t, s.seen(), n)
}

// The answers mean what they mean for an intent: it is the same table.
func TestCreateCustomerErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		script   []reply
		want     error // nil: unknown
		attempts int
	}{
		{"refused", []reply{answer(400, failWith(invalidRequest, "email_invalid"))}, setupintent.ErrRefused, 1},
		{"declined", []reply{answer(402, failWith(cardError, "card_declined"))}, setupintent.ErrRefused, 1},
		{"credentials", []reply{answer(403, failWith(invalidRequest, ""))}, setupintent.ErrCredentials, 1},
		{"throttled", []reply{answer(429, failWith(invalidRequest, "rate_limit"))}, setupintent.ErrThrottled, 1},
		{"spent", []reply{answer(400, failWith("idempotency_error", ""))}, setupintent.ErrKeySpent, 1},
		{"stored", []reply{answer(500, failWith(apiError, ""), "Idempotent-Replayed", "true")}, setupintent.ErrKeySpent, 1},
		{"outage", []reply{answer(500, failWith(apiError, ""))}, nil, 3},
		{"lost, then refused", []reply{hangUp, answer(400, failWith(invalidRequest, ""))}, nil, 2},
		{"another object", []reply{answer(200, intentJSON())}, nil, 1},
		{"deleted", []reply{answer(200, `{"id":"cus_1","object":"deleted"}`)}, nil, 1},
		{"no id", []reply{answer(200, `{"object":"customer"}`)}, nil, 1},
		{"secret as id", []reply{answer(200, customerJSON(canary, `{}`))}, nil, 1},
		{"proxy", []reply{answer(200, "<html>"+canary)}, nil, 1},
	} {
		s := serve(t, tc.script...)
		id, err := s.provider(t).CreateCustomer(context.Background(), setupintent.CustomerRequest{Key: "k"})
		require.Error(t, err, tc.name)
		require.Empty(t, id, tc.name)
		require.Len(t, s.seen(), tc.attempts, tc.name)
		for _, known := range []error{setupintent.ErrRefused, setupintent.ErrCredentials, setupintent.ErrThrottled, setupintent.ErrKeySpent, setupintent.ErrNotFound} {
			require.Equal(t, known == tc.want, errorIs(err, known), "%s: %v", tc.name, err) //nolint:errorlint // it compares sentinels
		}
		requireNoSecret(t, err.Error(), tc.name)
	}
}

// errorIs is errors.Is, of the sentinel itself alone.
func errorIs(err, target error) bool { return slices.Contains(tree(err), target) }

func TestListCustomers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	from, to := time1700().Add(-time.Minute), time1700()
	s := serve(t, answer(200, list(true, customerJSON("cus_9", `{"row":"1","ns":"test"}`), customerJSON("cus_8", `null`))), answer(200, list(false)))
	page, err := s.provider(t).ListCustomers(ctx, from, to, "")
	require.NoError(t, err)
	require.Equal(t, []setupintent.Customer{{ID: "cus_9", Metadata: map[string]string{"row": "1", "ns": "test"}}, {ID: "cus_8"}}, page)
	require.Equal(t, "/v1/customers?created[gte]=1699999940&created[lte]=1700000000&limit=100", s.seen()[0].uri)
	page, err = s.provider(t).ListCustomers(ctx, from, to, "cus_8")
	require.NoError(t, err)
	require.Empty(t, page)
	require.Equal(t, s.seen()[0].uri+"&starting_after=cus_8", s.seen()[1].uri)
	_, err = s.provider(t).ListCustomers(ctx, from, to, "../cus_8")
	require.Error(t, err)
	require.Len(t, s.seen(), 2)
}

// What is no list must not pass for an empty one: there would be a second
// customer.
func TestListCustomersProof(t *testing.T) {
	t.Parallel()
	for name, script := range map[string][]reply{
		"404":                    {answer(404, failWith(invalidRequest, "resource_missing"))},
		"no list":                {answer(200, `{}`)},
		"a list of something":    {answer(200, list(false, intentJSON()))},
		"a list with a gap":      {answer(200, list(false, customerJSON("cus_9", `{}`), `null`))},
		"metadata of other form": {answer(200, list(false, customerJSON("cus_9", `[]`)))},
		"more, and nothing":      {answer(200, list(true))},
		"outage":                 {answer(500, failWith(apiError, ""))},
		"no answer":              {hangUp},
		"no rights":              {answer(403, failWith(invalidRequest, ""))},
		"redirect":               {answer(302, "", "Location", "/v1/customers")},
	} {
		page, err := serve(t, script...).provider(t).ListCustomers(context.Background(), time.Time{}, time.Time{}, "cus_10")
		require.Error(t, err, name)
		require.NotErrorIs(t, err, setupintent.ErrNotFound, name)
		require.Empty(t, page, name)
		var e *stripeport.Error
		require.ErrorAs(t, err, &e, name)
	}
}

// findCustomer returns the customer that has the metadata, "" if none has.
func findCustomer(t *testing.T, p *stripeport.Provider, from, to time.Time, metadata map[string]string) string {
	t.Helper()
	for after := ""; ; {
		page, err := p.ListCustomers(context.Background(), from, to, after)
		require.NoError(t, err)
		if len(page) == 0 {
			return ""
		}
		for _, c := range page {
			if after = c.ID; maps.Equal(c.Metadata, metadata) {
				return c.ID
			}
		}
	}
}

func TestCustomersAgainstFake(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)
	req := func(i int) setupintent.CustomerRequest {
		return setupintent.CustomerRequest{
			Key: fmt.Sprint("k", i), Email: "jo@example.com", Name: "Jo", Metadata: map[string]string{"row": fmt.Sprint(i)},
		}
	}
	ids := map[string]bool{}
	for i := range 130 {
		id, err := p.CreateCustomer(ctx, req(i))
		require.NoError(t, err)
		again, err := p.CreateCustomer(ctx, req(i))
		require.NoError(t, err)
		require.Equal(t, id, again)
		ids[id] = true
	}
	require.Len(t, ids, 130)
	now := fake.Now()
	for _, i := range []int{0, 29, 30, 129} {
		id := findCustomer(t, p, now.Add(-time.Hour), now.Add(time.Hour), req(i).Metadata)
		again, err := p.CreateCustomer(ctx, req(i))
		require.NoError(t, err)
		require.Equal(t, again, id)
	}
	require.Empty(t, findCustomer(t, p, now.Add(-time.Hour), now.Add(time.Hour), req(130).Metadata))
	require.Empty(t, findCustomer(t, p, now.Add(-2*time.Hour), now.Add(-time.Hour), req(1).Metadata))

	changed := req(7)
	changed.Name = "Another"
	_, err := p.CreateCustomer(ctx, changed)
	require.ErrorIs(t, err, setupintent.ErrKeySpent)
	_, err = p.CreateCustomer(ctx, setupintent.CustomerRequest{Email: "no e-mail"})
	require.ErrorIs(t, err, setupintent.ErrRefused)
}

// The core makes a customer of its own before the intent, once.
func TestServiceWithCustomer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := setupintent.New(rows, p, &setupintent.Options{
		Namespace: "test",
		Customers: p,
		Customer: func(_ context.Context, r setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{Email: "jo@example.com", Metadata: map[string]string{"user": r.ID}}, nil
		},
	})
	require.NoError(t, err)
	require.NoError(t, fake.Inject(stripetest.Fault{Route: "POST /v1/customers", Kind: stripetest.FaultClose, After: true, Count: 1}))
	in, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(in.Customer, "cus_"))
	made, err := p.ListCustomers(ctx, time.Time{}, time.Time{}, "")
	require.NoError(t, err)
	require.Len(t, made, 1)
	require.Equal(t, in.Customer, made[0].ID)
	require.Equal(t, "42", made[0].Metadata["user"])
	require.Equal(t, 2, fake.Count("POST /v1/customers"), "and one was a replay")
}

// A customer whose create Stripe answers with an error for ever was made all the
// same: it is found behind a hundred others.
func TestServiceFindsItsCustomer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := fakeProvider(t, nil)
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	svc, err := setupintent.New(rows, p, &setupintent.Options{
		Now:       fake.Now,
		Wait:      -1,
		Customers: p,
		Customer: func(context.Context, setupintent.Row) (setupintent.CustomerRequest, error) {
			return setupintent.CustomerRequest{Email: "jo@example.com"}, nil
		},
	})
	require.NoError(t, err)
	require.NoError(t, fake.Inject(stripetest.Fault{Route: "POST /v1/customers", Kind: stripetest.FaultError, After: true, Stored: true, Count: 1}))
	_, err = svc.Begin(ctx, "42", nil)
	require.ErrorIs(t, err, setupintent.ErrUnresolved)
	for i := range 130 {
		_, err := p.CreateCustomer(ctx, setupintent.CustomerRequest{Key: fmt.Sprint("other", i), Email: "jo@example.com"})
		require.NoError(t, err)
	}
	fake.Advance(10 * time.Minute)
	in, err := svc.Begin(ctx, "42", nil)
	require.NoError(t, err)
	require.Equal(t, 2, fake.Count("GET /v1/customers"))
	require.Equal(t, 132, fake.Count("POST /v1/customers"), "130, and one twice")
	page, err := p.ListCustomers(ctx, time.Time{}, time.Time{}, "")
	require.NoError(t, err)
	page, err = p.ListCustomers(ctx, time.Time{}, time.Time{}, page[99].ID)
	require.NoError(t, err)
	require.Equal(t, page[30].ID, in.Customer)
}

func TestAttachPaymentMethod(t *testing.T) {
	t.Parallel()
	method := func(customer string) reply {
		return answer(200, `{"id":"pm_1","object":"payment_method","type":"card","customer":`+customer+`}`)
	}
	taken := answer(400, failWith(invalidRequest, "resource_already_exists"))
	for _, tc := range []struct {
		name   string
		script []reply
		ok     bool
		want   error // nil: unknown
		calls  int
	}{
		{"attached", []reply{method(`"cus_1"`)}, true, nil, 1},
		{"attached, expanded", []reply{method(`{"id":"cus_1","object":"customer"}`)}, true, nil, 1},
		{"attached already", []reply{taken, method(`"cus_1"`)}, true, nil, 2},
		{"attached in the lost attempt", []reply{hangUp, taken, method(`"cus_1"`)}, true, nil, 3},
		{"another's", []reply{taken, method(`"cus_2"`)}, false, setupintent.ErrRefused, 2},
		{"used before", []reply{taken, method(`null`)}, false, setupintent.ErrRefused, 2},
		{"no such customer", []reply{answer(400, failWith(invalidRequest, "resource_missing")), method(`null`)}, false, setupintent.ErrRefused, 2},
		{"lost, then another's", []reply{hangUp, taken, method(`"cus_2"`)}, false, nil, 3},
		{"not known whose", []reply{taken, answer(403, failWith(invalidRequest, ""))}, false, setupintent.ErrRefused, 2},
		{"no such method", []reply{answer(404, failWith(invalidRequest, "resource_missing"))}, false, setupintent.ErrRefused, 1},
		{"declined", []reply{answer(402, failWith(cardError, "card_declined"))}, false, setupintent.ErrRefused, 1},
		{"throttled", []reply{answer(429, failWith(invalidRequest, "rate_limit"))}, false, setupintent.ErrThrottled, 1},
		{"credentials", []reply{answer(401, failWith(invalidRequest, ""))}, false, setupintent.ErrCredentials, 1},
		{"outage", []reply{answer(500, failWith(apiError, ""))}, false, nil, 3},
		{"nobody's after all", []reply{method(`null`)}, false, nil, 1},
		{"another object", []reply{answer(200, customerJSON("cus_1", `{}`))}, false, nil, 1},
	} {
		s := serve(t, tc.script...)
		err := s.provider(t).AttachPaymentMethod(context.Background(), "pm_1", "cus_1")
		require.Len(t, s.seen(), tc.calls, tc.name)
		require.Equal(t, "POST /v1/payment_methods/pm_1/attach customer=cus_1", s.seen()[0].method+" "+s.seen()[0].uri+" "+s.seen()[0].body)
		if tc.ok {
			require.NoError(t, err, tc.name)
			continue
		}
		require.Error(t, err, tc.name)
		for _, known := range []error{setupintent.ErrRefused, setupintent.ErrCredentials, setupintent.ErrThrottled, setupintent.ErrNotFound} {
			require.Equal(t, known == tc.want, errorIs(err, known), "%s: %v", tc.name, err) //nolint:errorlint // it compares sentinels
		}
	}

	s := serve(t, answer(http.StatusOK, "{}"))
	for _, ids := range [][2]string{{"", "cus_1"}, {"pm_1", ""}, {"pm_1/../x", "cus_1"}, {"pm_1", "cus 1"}, {canary, "cus_1"}, {"pm_1", canary}} {
		err := s.provider(t).AttachPaymentMethod(context.Background(), ids[0], ids[1])
		require.ErrorIs(t, err, setupintent.ErrRefused)
		require.NotContains(t, err.Error(), canary)
	}
	require.Empty(t, s.seen())
}
