package setupintent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// CustomerProvider creates customers. Its methods are safe for concurrent use,
// and its errors say the same as those of an [IntentCreator].
type CustomerProvider interface {
	// CreateCustomer creates a customer and returns its id. Equal keys have one
	// effect.
	CreateCustomer(ctx context.Context, req CustomerRequest) (id string, err error)

	// ListCustomers returns one page of the customers created in [from, to],
	// newest first, that follow the customer with the id after; an empty after
	// begins at the newest, and an empty page ends the list.
	ListCustomers(ctx context.Context, from, to time.Time, after string) ([]Customer, error)
}

// Customer is a provider's customer, as far as the service looks at it. It knows
// the one that it made by the hash of the key in its metadata, and by nothing
// else: an e-mail is no proof. It is a value: nobody changes what its map holds.
type Customer struct {
	ID       string
	Metadata map[string]string
}

// CustomerRequest is one create of a customer, the same on every replay.
type CustomerRequest struct {
	Key      string    `json:"-"` // idempotency key; set by the service
	NotAfter time.Time `json:"-"` // an adapter compares it, by wall clock, right before every send; set by the service

	Email    string            `json:"email,omitempty"`
	Name     string            `json:"name,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Extra    map[string]any    `json:"extra,omitempty"` // other parameters, under the provider's own names
}

// customer returns the id of the row's customer, and makes it first if there is
// none. An empty id without an error means that the row has moved on.
func (b *begin) customer(ctx, work context.Context, r Row) (Row, string, error) {
	c := b.rules.customerOf(r.Progress.read())
	fresh := false
	var won bool
	var err error
	switch {
	case c != nil && c.ID != "":
		return r, c.ID, nil
	case !c.underWay():
		r, won, err = b.claimCustomer(ctx, work, r)
		fresh = true
	case c.usable(b.now()):
		r, won, err = b.write(work, moveCustomerAgain, r, facts{})
	default:
		return b.findCustomer(work, r, *c)
	}
	if err != nil || !won {
		return r, "", asError(r, err)
	}
	e := *r.Progress.read().Customer
	req := thawCustomer(e)
	req.Key, req.NotAfter = e.Key, e.Last.Add(lease)
	id, err := call(work, b.Service, r, "create customer", func(ctx context.Context) (string, error) {
		id, err := b.opts.Customers.CreateCustomer(ctx, req)
		if err == nil && id == "" {
			err = errors.New("the provider answered without a customer id")
		}
		return id, err
	})
	if err != nil {
		return b.noCustomer(work, r, e.Key, err, fresh)
	}
	return r, id, nil
}

// claimCustomer writes the intention to create before anything is sent.
func (b *begin) claimCustomer(ctx, work context.Context, r Row) (Row, bool, error) {
	began := b.opts.Now()
	req, err := b.opts.Customer(ctx, r)
	b.called(ctx, r, "customer", began, "hook", err)
	if err != nil {
		return r, false, fail(r, fmt.Errorf("%w: Options.Customer: %w", ErrHook, err), 2*time.Second)
	}
	key := newKey()
	if req.Metadata, err = b.mark(req.Metadata, r.ID, key); err != nil {
		return r, false, fail(r, err, 0)
	}
	if err := checkMetadata(req.Metadata); err != nil {
		return r, false, fail(r, err, 0)
	}
	frozen, err := json.Marshal(req)
	if err != nil {
		return r, false, fail(r, fmt.Errorf("%w: the customer's Extra can't be written as JSON", ErrInvalidRequest), 0)
	}
	return b.write(work, moveCustomer, r, facts{key: key, request: frozen})
}

// noCustomer writes down what an error of a create means.
func (b *begin) noCustomer(work context.Context, r Row, key string, err error, fresh bool) (Row, string, error) {
	f := facts{key: key, suspect: errors.Is(err, ErrKeySuspect)}
	switch {
	case errors.Is(err, ErrRefused):
		ok := false
		if fresh {
			r, ok, _ = b.write(work, moveCustomerNone, r, f)
		}
		if !ok {
			r, _, _ = b.settle(work, moveCustomerSpend, r, f)
		}
		b.report(work, r, "refused", fmt.Errorf("customer: %w", err))
		return r, "", fail(r, err, 0)
	case errors.Is(err, ErrKeySpent):
		r, _, _ = b.settle(work, moveCustomerSpend, r, f)
		return r, "", fail(r, fmt.Errorf("%w: customer: %w", ErrUnresolved, err), maxFlight)
	}
	r, _, _ = b.write(work, moveCustomerFree, r, f)
	return r, "", b.unresolved(work, r, fmt.Errorf("customer: %w", err))
}

// findCustomer looks for the customer of a key that tells no more, page by page.
// A list that is longer than somebody wants to wait is taken up again by the next
// call, where this one stopped: what it has seen can't change any more, for no
// request is on its way.
func (b *begin) findCustomer(work context.Context, r Row, e effect) (Row, string, error) {
	ours := keyHash(e.Key)
	from, to := e.Sent.Add(-listMargin), e.Last.Add(maxFlight+listMargin)
	for after := e.After; ; {
		page, err := call(work, b.Service, r, "list customers", func(ctx context.Context) ([]Customer, error) {
			return b.opts.Customers.ListCustomers(ctx, from, to, after)
		})
		switch {
		case err != nil && after != "" && after == e.After:
			after, e.After = "", "" // the one that it stopped at may have been deleted since
			continue
		case err != nil:
			return r, "", b.unresolved(work, r, fmt.Errorf("customer: %w", err))
		case len(page) == 0:
			r, _, err = b.write(work, moveCustomerNone, r, facts{key: e.Key, listed: true})
			return r, "", asError(r, err)
		}
		for _, c := range page {
			if c.Metadata[keyHashMetadata] == ours {
				return r, c.ID, nil
			}
		}
		if last := page[len(page)-1].ID; last != after {
			after = last
		} else {
			return r, "", b.unresolved(work, r, errors.New("customer: the provider's list does not move on"))
		}
		if b.now().Sub(b.started) > patience {
			r, _, err = b.write(work, moveCustomerSeen, r, facts{key: e.Key, customer: after})
			if err == nil {
				err = fail(r, fmt.Errorf("%w: the customer is still being looked for", ErrUnresolved), time.Second)
			}
			return r, "", asError(r, err)
		}
	}
}

func thawCustomer(e effect) CustomerRequest {
	var req CustomerRequest
	dec := json.NewDecoder(bytes.NewReader(e.Request))
	dec.UseNumber()
	_ = dec.Decode(&req)
	return req
}
