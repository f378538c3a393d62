package setupintenttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

var _ setupintent.Provider = (*Provider)(nil)

// Provider is a payment provider in memory, for the tests of an application:
// one effect per key, the transitions of a SetupIntent, no network. It is safe
// for concurrent use, once its fields are set. The zero Provider has no intents and is ready; its
// methods Confirm, Decline and Process play the browser's part.
//
// To have it fail, wrap it in a [FaultyProvider]. To test what is on the wire,
// too, use stripetest.
type Provider struct {
	Now  func() time.Time // nil: time.Now
	Live bool             // the intents have live mode

	mu      sync.Mutex
	intents []*setupintent.Intent // oldest first
	keys    map[string]created
	tries   int
}

type created struct {
	req    setupintent.IntentRequest
	intent *setupintent.Intent
}

// CreateIntent implements [setupintent.Provider].
func (p *Provider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	if err := ready(ctx); err != nil {
		return setupintent.Intent{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if !req.NotAfter.IsZero() && now.After(req.NotAfter) {
		return setupintent.Intent{}, fmt.Errorf("setupintenttest: not sent, it is later than NotAfter: %w", context.DeadlineExceeded)
	}
	key := req.Key
	req.Key, req.NotAfter, req.Again = "", time.Time{}, false
	if first, ok := p.keys[key]; ok && key != "" {
		if !reflect.DeepEqual(first.req, req) {
			return setupintent.Intent{}, fmt.Errorf("setupintenttest: the key was used with other parameters: %w", setupintent.ErrKeySpent)
		}
		in := *first.intent
		in.Replayed = true
		return in, nil
	}
	id := fmt.Sprintf("seti_%d", len(p.intents)+1)
	in := &setupintent.Intent{
		ID:            id,
		Status:        setupintent.RequiresPaymentMethod,
		ClientSecret:  setupintent.NewClientSecret(id + "_secret_test"),
		Customer:      req.Customer,
		PaymentMethod: req.PaymentMethod,
		Metadata:      maps.Clone(req.Metadata),
		Live:          p.Live,
		Created:       now,
	}
	if req.PaymentMethod != "" {
		in.Status = setupintent.RequiresConfirmation
	}
	p.intents = append(p.intents, in)
	if p.keys == nil {
		p.keys = map[string]created{}
	}
	p.keys[key] = created{req, in}
	return *in, nil
}

// GetIntent implements [setupintent.Provider].
func (p *Provider) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	return p.change(ctx, id, func(*setupintent.Intent) error { return nil })
}

// CancelIntent implements [setupintent.Provider].
func (p *Provider) CancelIntent(ctx context.Context, id, _ string) (setupintent.Intent, error) {
	return p.change(ctx, id, func(in *setupintent.Intent) error {
		if open(in) {
			in.Status = setupintent.Canceled
		}
		return nil
	})
}

// ListIntents implements [setupintent.Provider]. A page has 10 intents.
func (p *Provider) ListIntents(ctx context.Context, from, to time.Time, after string) ([]setupintent.Intent, error) {
	if err := ready(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var page []setupintent.Intent
	follows := after == ""
	for i := len(p.intents) - 1; i >= 0 && len(page) < 10; i-- {
		in := *p.intents[i]
		if follows && !in.Created.Before(from) && !in.Created.After(to) {
			in.ClientSecret = setupintent.ClientSecret{}
			page = append(page, in)
		}
		follows = follows || in.ID == after
	}
	return page, nil
}

// Intents returns all intents, oldest first.
func (p *Provider) Intents() []setupintent.Intent {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]setupintent.Intent, len(p.intents))
	for i, in := range p.intents {
		all[i] = *in
	}
	return all
}

// Confirm saves a card: the intent succeeds with the payment method. It returns
// an error that wraps ErrNotFound if there is no such intent, and another if the
// intent can't be confirmed any more.
func (p *Provider) Confirm(id, paymentMethod string) error {
	return p.attempt(id, func(in *setupintent.Intent) {
		in.Status, in.PaymentMethod, in.ErrorCode = setupintent.Succeeded, paymentMethod, ""
	})
}

// Decline is a confirmation that fails with the code, such as card_declined.
// Errors are as for Confirm.
func (p *Provider) Decline(id, code string) error {
	return p.attempt(id, func(in *setupintent.Intent) {
		in.Status, in.PaymentMethod, in.ErrorCode = setupintent.RequiresPaymentMethod, "", code
	})
}

// Process is a confirmation that takes days, as of a bank debit; Confirm or
// Decline ends it. Errors are as for Confirm.
func (p *Provider) Process(id, paymentMethod string) error {
	return p.attempt(id, func(in *setupintent.Intent) {
		in.Status, in.PaymentMethod, in.ErrorCode = setupintent.Processing, paymentMethod, ""
	})
}

func (p *Provider) attempt(id string, do func(*setupintent.Intent)) error {
	_, err := p.change(context.Background(), id, func(in *setupintent.Intent) error {
		if !open(in) && in.Status != setupintent.Processing {
			return fmt.Errorf("setupintenttest: intent %s is %s and can't be confirmed", in.ID, in.Status)
		}
		p.tries++
		in.LatestAttempt = fmt.Sprintf("setatt_%d", p.tries)
		do(in)
		return nil
	})
	return err
}

func (p *Provider) change(ctx context.Context, id string, do func(*setupintent.Intent) error) (setupintent.Intent, error) {
	if err := ready(ctx); err != nil {
		return setupintent.Intent{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.intents {
		if in.ID == id {
			err := do(in)
			return *in, err
		}
	}
	return setupintent.Intent{}, fmt.Errorf("setupintenttest: intent %q: %w", id, setupintent.ErrNotFound)
}

// ready refuses calls of which nobody waits for the answer, and those for which
// a transaction would have to wait.
func ready(ctx context.Context) error {
	if setupintent.InTransaction(ctx) {
		return errors.New("setupintenttest: called while a database transaction is open")
	}
	return ctx.Err()
}

func (p *Provider) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

func open(in *setupintent.Intent) bool {
	switch in.Status {
	case setupintent.RequiresPaymentMethod, setupintent.RequiresConfirmation, setupintent.RequiresAction:
		return true
	}
	return false
}
