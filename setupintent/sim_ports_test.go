package setupintent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// ports is the world in which the provider is the port itself.
type ports struct {
	*sim
	made     []*setupintent.Intent
	bought   []setupintent.CustomerRequest // their Key is that of the customer's id
	kept     map[string]keptAnswer
	open     map[string]bool // keys that were sent as new, and may have made an intent
	events   []*event
	attempts int
}

type keptAnswer struct {
	at time.Time
	id string // empty: a 5xx
}

func newPorts(s *sim) *ports {
	return &ports{sim: s, kept: map[string]keptAnswer{}, open: map[string]bool{}}
}

func (w *ports) provider(p *process) (setupintent.Provider, setupintent.CustomerProvider) {
	if w.on == "keyless" {
		return keylessProvider{portsProvider{w, p}}, nil
	}
	return portsProvider{w, p}, portsProvider{w, p}
}

func (w *ports) state() ([]standing, int) {
	intents := make([]standing, len(w.made))
	for i, in := range w.made {
		intents[i] = standing{in.ID, in.Status}
	}
	return intents, len(w.bought)
}

func (w *ports) tick() {}

func (w *ports) intent(id string) *setupintent.Intent {
	i := slices.IndexFunc(w.made, func(in *setupintent.Intent) bool { return in.ID == id })
	if i < 0 {
		return nil
	}
	return w.made[i]
}

func (w *ports) resolve(id string, to outcome) {
	in := w.intent(id)
	switch {
	case in.Status == setupintent.Succeeded || in.Status == setupintent.Canceled:
		return
	case to == cancels && in.Status == setupintent.Processing:
		return
	case to == cancels:
		in.Status = setupintent.Canceled
	default:
		w.attempts++
		in.LatestAttempt, in.ErrorCode = fmt.Sprintf("setatt_%d", w.attempts), ""
	}
	switch to {
	case saves:
		in.Status, in.PaymentMethod = setupintent.Succeeded, "pm_1"
	case declines:
		in.Status, in.ErrorCode = setupintent.RequiresPaymentMethod, "card_declined"
	case takesLong:
		in.Status = setupintent.Processing
	case challenges:
		in.Status = setupintent.RequiresAction
	}
	w.events = append(w.events, &event{id: id})
	w.say("page", id+" becomes "+string(in.Status))
	w.changed()
}

func (w *ports) news() []*event { return w.events }

func (w *ports) deliver(ctx context.Context, p *process, e *event) error {
	return p.svc.Notify(ctx, setupintent.Intent{ID: e.id})
}

// once is what the provider does with a create: what it has done for the same
// key, or what do does.
func (w *ports) once(key string, do func() (id string)) (id string, stored bool, err error) {
	now := w.clock.now()
	kept, known := w.kept[key]
	switch {
	case known && now.Sub(kept.at) >= 24*time.Hour:
		w.hits[keyPruned]++
	case known && kept.id == "":
		w.hits[replayed]++
		return "", true, w.stored()
	case known:
		w.hits[replayed]++
		return kept.id, true, nil
	}
	failed, made := w.fault(stored5xx), false
	if !failed {
		made = w.fault(stored5xxMade)
	}
	if !failed {
		id = do()
	}
	if failed || made {
		w.kept[key] = keptAnswer{at: now}
		return "", false, w.failed()
	}
	w.kept[key] = keptAnswer{now, id}
	return id, false, nil
}

// stored is a 5xx that was stored, and failed one that is new.
func (w *ports) stored() error {
	if w.unmarked {
		return w.failed()
	}
	return setupintent.ErrKeySpent
}

func (w *ports) failed() error {
	if w.unmarked {
		w.hits[unmarked]++
		return setupintent.ErrKeySuspect
	}
	return errSim
}

// answer is what comes of a request that goes wrong.
func (w *ports) answer(kind int) error {
	switch kind {
	case throttled429:
		return setupintent.ErrThrottled
	case credentials401:
		return setupintent.ErrCredentials
	case refusedOnce, refusedForEver:
		return setupintent.ErrRefused
	case unstored5xx, unstored5xxMade:
		return w.failed()
	case otherAccount:
		return setupintent.ErrNotFound
	}
	return errSim
}

type portsProvider struct {
	*ports
	p *process
}

// ask makes the request r; what goes wrong is answered with an error.
func ask[T any](ctx context.Context, w *ports, r request[T]) (T, error) {
	r.answer = func(kind int) (T, error) {
		var none T
		err := w.answer(kind)
		if !r.creates && errors.Is(err, setupintent.ErrKeySuspect) {
			err = errSim // there is no key
		}
		return none, err
	}
	return carry(ctx, w.sim, r)
}

// sendCreate makes a request of a create, unless it is too late for it.
func sendCreate[T any](ctx context.Context, w portsProvider, what, key string, notAfter time.Time, execute func() (T, error)) (T, error) {
	if w.verbose {
		what += ", " + w.key(key)
	}
	w.pause("is about to send " + what)
	if w.p.now().After(notAfter) {
		var none T
		w.hits[tooLateToSend]++
		w.say("", "it is too late to send it")
		return none, errSim
	}
	return ask(ctx, w.ports, request[T]{what: what, creates: true, execute: execute})
}

func (w portsProvider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	if req.Again {
		return w.createIntent(ctx, req)
	}
	if w.open[req.Key] {
		w.fail("a create is sent again as if it were the first of its key", "")
	}
	w.open[req.Key] = true
	in, err := w.createIntent(ctx, req)
	if errors.Is(err, setupintent.ErrThrottled) || errors.Is(err, setupintent.ErrCredentials) || errors.Is(err, setupintent.ErrRefused) {
		w.open[req.Key] = false
	}
	return in, err
}

func (w portsProvider) createIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	return sendCreate(ctx, w, "create", req.Key, req.NotAfter, func() (setupintent.Intent, error) {
		id, stored, err := w.once(req.Key, func() string {
			id := fmt.Sprintf("seti_%d", len(w.made)+1)
			w.made = append(w.made, &setupintent.Intent{
				ID: id, Status: setupintent.RequiresPaymentMethod, ClientSecret: setupintent.NewClientSecret(id + "_secret_canary"),
				Metadata: req.Metadata, Customer: req.Customer, Created: w.clock.now(),
			})
			w.say("", "the provider has made "+id)
			w.changed()
			return id
		})
		if err != nil {
			return setupintent.Intent{}, err
		}
		in := *w.intent(id)
		if in.Replayed = stored; stored {
			in.Status, in.PaymentMethod, in.LatestAttempt, in.ErrorCode = setupintent.RequiresPaymentMethod, "", "", "" // as it was then
		}
		return in, nil
	})
}

func (w portsProvider) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	return ask(ctx, w.ports, request[setupintent.Intent]{what: "get " + id, reads: true, named: true, execute: func() (setupintent.Intent, error) {
		in := w.intent(id)
		if in == nil {
			return setupintent.Intent{}, setupintent.ErrNotFound
		}
		w.say("", "it is "+string(in.Status))
		return *in, nil
	}})
}

func (w portsProvider) CancelIntent(ctx context.Context, id, _ string) (setupintent.Intent, error) {
	return ask(ctx, w.ports, request[setupintent.Intent]{what: "cancel " + id, named: true, execute: func() (setupintent.Intent, error) {
		in := w.intent(id)
		if in == nil {
			return setupintent.Intent{}, setupintent.ErrNotFound
		}
		w.resolve(id, cancels)
		w.say("", "it is "+string(in.Status))
		return *in, nil
	}})
}

func (w portsProvider) ListIntents(ctx context.Context, from, to time.Time, after string) ([]setupintent.Intent, error) {
	w.hits[listMade]++
	return ask(ctx, w.ports, request[[]setupintent.Intent]{what: "list", reads: true, execute: func() ([]setupintent.Intent, error) {
		var page []setupintent.Intent
		follows := after == ""
		for _, in := range slices.Backward(w.made) {
			if follows && !in.Created.Before(from) && !in.Created.After(to) && len(page) < 2 {
				page = append(page, *in)
			}
			follows = follows || in.ID == after
		}
		return page, nil
	}})
}

func (w portsProvider) CreateCustomer(ctx context.Context, req setupintent.CustomerRequest) (string, error) {
	return sendCreate(ctx, w, "create customer", req.Key, req.NotAfter, func() (string, error) {
		id, _, err := w.once(req.Key, func() string {
			w.bought = append(w.bought, req)
			w.hits[customerMade]++
			id := fmt.Sprintf("cus_%d", len(w.bought))
			w.say("", "the provider has made "+id)
			w.changed()
			return id
		})
		return id, err
	})
}

// ListCustomers has one customer on a page, takes 6 s for it, and the first two
// are other people's.
func (w portsProvider) ListCustomers(ctx context.Context, _, _ time.Time, after string) ([]setupintent.Customer, error) {
	return ask(ctx, w.ports, request[[]setupintent.Customer]{what: "list customers", reads: true, execute: func() ([]setupintent.Customer, error) {
		w.clock.advance(6 * time.Second)
		all := []setupintent.Customer{{ID: "cus_b"}, {ID: "cus_a"}}
		for i, c := range slices.Backward(w.bought) {
			all = append(all, setupintent.Customer{ID: fmt.Sprintf("cus_%d", i+1), Metadata: c.Metadata})
		}
		next := 1 + slices.IndexFunc(all, func(c setupintent.Customer) bool { return c.ID == after })
		return all[next:min(next+1, len(all))], nil
	}})
}
