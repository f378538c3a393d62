package setupintent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

const (
	beginTimeout = 25 * time.Second // of Begin in all
	patience     = 10 * time.Second // after which Begin starts no further create
)

// Begin returns the row's one live intent, with its client secret: it creates
// it, or fetches it if the row has one. However often it is called, in however
// many processes, it is the same intent until that one is canceled. A nil req
// leaves the request to Options.Request; another than the frozen one is
// ErrFrozen.
//
// The intent's Status may be Processing: then there is nothing to confirm. A
// row whose intent turns out to have succeeded is activated, and Begin returns
// ErrNotPending with Error.Status Active.
//
// A caller who goes away does not stop a create that is under way; it is
// finished and recorded for the next one. Begin takes 25 s at most, of which the
// hooks that it calls hear by their context.
func (s *Service) Begin(ctx context.Context, id string, req *IntentRequest) (Intent, error) {
	return s.beginWith(ctx, id, &begin{Service: s, req: req, started: s.now()})
}

// BeginFor is Begin for callers that also need something for the intent's
// customer, such as the ephemeral key of a mobile SDK. Issue is called with the id
// of the intent's customer, before the intent is created, if it is yet to be; the
// id is empty if the intent has none. When BeginFor has returned an intent, the last call
// of issue was for its customer. The error of issue ends BeginFor; one that
// wraps ErrRefused or ErrInvalidRequest says that trying again does not help.
// It has 10 s, outside any lock, and where the row had its intent already these
// come after the 25 of Begin. With a nil issue BeginFor is Begin.
func (s *Service) BeginFor(ctx context.Context, id string, req *IntentRequest, issue func(ctx context.Context, customer string) error) (Intent, error) {
	b := &begin{Service: s, req: req, started: s.now(), issue: issue}
	in, err := s.beginWith(ctx, id, b)
	if err != nil {
		return Intent{}, err
	}
	if err := b.issueFor(ctx, Row{ID: id, Status: Pending}, in.Customer); err != nil {
		return Intent{}, err
	}
	return in, nil
}

func (s *Service) beginWith(ctx context.Context, id string, b *begin) (Intent, error) {
	ctx, leave := context.WithTimeout(ctx, beginTimeout) // for the application's hooks, and for sleep
	defer leave()
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), beginTimeout)
	defer cancel()

	for waited := time.Duration(0); ; {
		r, err := s.load(work, id)
		if err != nil {
			return Intent{}, asError(Row{ID: id}, err)
		}
		if err := ctx.Err(); err != nil { // nothing is begun for somebody who has left
			return Intent{}, asError(r, err)
		}
		if err := s.ended(r); err != nil {
			return Intent{}, err
		}
		var in Intent
		var again bool
		switch step, until := s.rules.next(r, s.now()); step {
		case rest:
			if err = b.admit(ctx, r); err == nil {
				in, again, err = b.flyOrJoin(ctx, work, r, step, &waited)
			}
		case send, list:
			in, again, err = b.flyOrJoin(ctx, work, r, step, &waited)
		case fetch:
			in, again, err = b.reuse(ctx, work, r)
		case wait:
			in, again, err = b.await(ctx, r, until, &waited)
		default: // end, restore
			_, _, err = s.advance(work, r)
			again = err == nil
		}
		if !again || err != nil {
			return in, asError(r, err)
		}
	}
}

// begin is one call of Begin.
type begin struct {
	*Service
	req     *IntentRequest
	started time.Time

	admitted bool // by the guard, which is asked for every caller, once
	paid     bool // out of the budget, which is for claims

	issue  func(ctx context.Context, customer string) error // nil: nothing to issue
	issued *string                                          // for which customer it was, last
	failed bool                                             // the last issue was, which is no other caller's trouble
}

// fly creates the intent of a row that nobody holds, and tries again under the
// same key while time is left. Again means that the row has moved on.
func (b *begin) fly(ctx, work context.Context, r Row, step step) (in Intent, again bool, err error) {
	for n := 0; ; n++ {
		var won bool
		var claimed *IntentRequest
		switch step {
		case rest:
			r, claimed, won, err = b.claim(ctx, work, r)
		case send:
			r, won, err = b.takeOver(work, r)
		case list:
			r, _, err = b.look(work, r)
		}
		if err != nil || !won {
			return Intent{}, err == nil, asError(r, err)
		}
		r, in, err = b.send(work, r, claimed)
		if err == nil {
			return b.answer(work, r, in)
		}
		if !soon(err) || b.now().Sub(b.started) > patience {
			return Intent{}, false, err
		}
		if sleepErr := b.sleep(ctx, grow(500*time.Millisecond, n, 4*time.Second)); sleepErr != nil {
			return Intent{}, false, fail(r, fmt.Errorf("%w, after: %w", sleepErr, cause(err)), time.Second)
		}
		now, loadErr := b.load(work, r.ID)
		if loadErr != nil {
			return Intent{}, false, asError(r, fmt.Errorf("%w, after: %w", loadErr, cause(err)))
		}
		r = now
		if step, _ = b.rules.next(r, b.now()); step != send || b.ended(r) != nil {
			if step == wait && b.ended(r) == nil {
				return Intent{}, false, err // the key is spent, or somebody else has it
			}
			return Intent{}, true, nil
		}
	}
}

func (b *begin) takeOver(work context.Context, r Row) (Row, bool, error) {
	if err := b.frozen(r); err != nil {
		return r, false, err
	}
	return b.write(work, moveTakeOver, r, facts{})
}

// claim writes the intention to create before anything is sent.
func (b *begin) claim(ctx, work context.Context, r Row) (Row, *IntentRequest, bool, error) {
	if err := b.pay(ctx, r); err != nil {
		return r, nil, false, err
	}
	var req IntentRequest
	switch {
	case b.req != nil:
		req = *b.req
	case b.opts.Request != nil:
		began := b.opts.Now()
		var err error
		req, err = b.opts.Request(ctx, r)
		b.called(ctx, r, "request", began, "hook", err)
		if err != nil {
			return r, nil, false, fail(r, fmt.Errorf("%w: Options.Request: %w", ErrHook, err), 2*time.Second)
		}
	}
	customer := ""
	if b.opts.Customer != nil && req.Customer == "" {
		var err error
		if r, customer, err = b.customer(ctx, work, r); err != nil || customer == "" {
			return r, nil, false, err
		}
		req.Customer = customer
	}
	if req.Customer != "" {
		if err := b.issueFor(work, r, req.Customer); err != nil {
			if c := r.Progress.read().Customer; c.underWay() { // made, and not taken down: the next caller asks again
				r, _, _ = b.write(work, moveCustomerFree, r, facts{key: c.Key})
			}
			return r, nil, false, err
		}
	}
	key := newKey()
	req, frozen, err := b.freeze(req, r.ID, key)
	if err != nil {
		return r, nil, false, fail(r, err, 0)
	}
	r, won, err := b.write(work, moveClaim, r, facts{key: key, request: frozen, customer: customer})
	return r, &req, won, err
}

// admit returns why the caller may not claim the row, or nil.
func (b *begin) admit(ctx context.Context, r Row) error {
	if r.Progress.read().Attempts >= b.opts.MaxAttempts {
		return fail(r, ErrExhausted, 0)
	}
	if b.opts.Guard == nil || b.admitted {
		return nil
	}
	began := b.opts.Now()
	err := b.opts.Guard(ctx, r)
	b.called(ctx, r, "guard", began, "limited", err)
	if err != nil {
		return fail(r, fmt.Errorf("%w: Options.Guard: %w", ErrLimited, err), time.Minute)
	}
	b.admitted = true
	return nil
}

// pay takes a claim out of the budget, once. It comes after the guard, or whom
// that refuses would use up the budget of the others.
func (b *begin) pay(ctx context.Context, r Row) error {
	if b.paid {
		return nil
	}
	if wait := b.budget.take(b.opts.Now()); wait > 0 {
		err := fmt.Errorf("%w: Options.CreateRate: too many claims in this process", ErrLimited)
		b.called(ctx, r, "budget", b.opts.Now(), "limited", err)
		return fail(r, err, wait)
	}
	b.paid = true
	return nil
}

// issueFor issues what the caller needs for the customer, unless that was done.
func (b *begin) issueFor(ctx context.Context, r Row, customer string) error {
	if b.issue == nil || b.issued != nil && *b.issued == customer {
		return nil
	}
	_, err := call(ctx, b.Service, r, "issue", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.issue(ctx, customer)
	})
	switch b.failed = err != nil; {
	case !b.failed:
		b.issued = &customer
		return nil
	case errors.Is(err, ErrRefused), errors.Is(err, ErrInvalidRequest):
		return fail(r, err, 0)
	}
	return b.unresolved(ctx, r, err)
}

func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}

func newSender() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// answer returns the intent that was just created and recorded. A replayed
// answer may be out of date: the row is looked at again.
func (b *begin) answer(ctx context.Context, r Row, in Intent) (Intent, bool, error) {
	switch {
	case in.Live != b.opts.Live:
		err := fmt.Errorf("%w: the provider's intent has live mode %t, and Options.Live is %t", ErrMismatch, in.Live, b.opts.Live)
		b.report(ctx, r, "mismatch", err)
		return Intent{}, false, fail(r, err, 0)
	case r.Progress.Phase() != Attached:
		return Intent{}, true, nil
	case in.Replayed:
		return Intent{}, true, nil
	}
	return in, false, nil
}

// reuse returns the intent of an attached row.
func (b *begin) reuse(ctx, work context.Context, r Row) (Intent, bool, error) {
	if err := b.frozen(r); err != nil {
		return Intent{}, false, err
	}
	in, err := b.get(ctx, r, r.Progress.IntentID())
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return b.replay(work, r)
	case err != nil && ctx.Err() != nil: // the caller has left, which says nothing of the intent
		return Intent{}, false, asError(r, err)
	case err != nil:
		_, err = b.noIntent(work, r, err)
		return Intent{}, false, asError(r, err)
	}
	if err := b.belongs(r, in); err != nil {
		b.report(work, r, "mismatch", err)
		return Intent{}, false, fail(r, err, 0)
	}
	_, moved, err := b.news(work, r, in)
	if moved || err != nil {
		return Intent{}, true, asError(r, err)
	}
	return in, false, nil
}

// replay is reuse where the provider can only create.
func (b *begin) replay(work context.Context, r Row) (Intent, bool, error) {
	if !r.Progress.read().Intent.usable(b.now()) {
		return Intent{}, false, fail(r, unsupported("get"), 0)
	}
	r, won, err := b.write(work, moveReplay, r, facts{})
	if err != nil || !won {
		return Intent{}, true, asError(r, err)
	}
	r, in, err := b.send(work, r, nil)
	return in, false, asError(r, err)
}

// frozen returns ErrFrozen if the caller asks for another intent than the row's.
func (b *begin) frozen(r Row) error {
	e := r.Progress.read().Intent
	if b.req == nil || e.Request == nil {
		return nil
	}
	req := *b.req
	if req.Customer == "" && b.opts.Customer != nil {
		req.Customer = r.Progress.CustomerID()
	}
	_, asked, err := b.freeze(req, r.ID, e.Key)
	switch {
	case err != nil:
		return fail(r, err, 0)
	case !bytes.Equal(asked, e.Request):
		return fail(r, ErrFrozen, 0)
	}
	return nil
}

// flight is the creation of one row's intent by one goroutine; others in the
// process wait for it, instead of asking the store. It is an economy, as a lease
// is: when it takes longer than one, another may take off.
type flight struct {
	began time.Time
	done  bool // the rest is read under Service.mu, after done
	in    Intent
	again bool
	err   error
}

func (b *begin) flyOrJoin(ctx, work context.Context, r Row, step step, waited *time.Duration) (in Intent, again bool, err error) {
	b.mu.Lock()
	f, taken := b.flights[r.ID]
	if taken = taken && b.now().Before(f.began.Add(lease)); !taken {
		f = &flight{began: b.now()}
		b.flights[r.ID] = f
	}
	b.mu.Unlock()
	if taken {
		return b.join(ctx, r, f, waited)
	}
	landed := flight{done: true, again: true} // what the others see if this one panics
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		*f = landed
		if b.flights[r.ID] == f {
			delete(b.flights, r.ID)
		}
	}()
	in, again, err = b.fly(ctx, work, r, step)
	landed = flight{done: true, in: in, again: again || b.failed, err: err}
	return in, again, err
}

// join waits for the flight of another goroutine.
func (b *begin) join(ctx context.Context, r Row, f *flight, waited *time.Duration) (Intent, bool, error) {
	for n := 0; ; n++ {
		b.mu.Lock()
		landed := *f
		b.mu.Unlock()
		if landed.done {
			// The others may have come with another request, or another
			// caller's context error.
			again := landed.again || b.req != nil || errors.Is(landed.err, context.Canceled) || errors.Is(landed.err, context.DeadlineExceeded)
			if again {
				return Intent{}, true, nil
			}
			return landed.in, false, landed.err
		}
		if err := b.pause(ctx, r, grow(5*time.Millisecond, n, 50*time.Millisecond), waited); err != nil {
			return Intent{}, false, err
		}
	}
}

// await waits for whoever holds the row, in this process or in another.
func (b *begin) await(ctx context.Context, r Row, until time.Time, waited *time.Duration) (Intent, bool, error) {
	if err := b.frozen(r); err != nil {
		return Intent{}, false, err
	}
	b.mu.Lock()
	f := b.flights[r.ID]
	b.mu.Unlock()
	if f != nil {
		return b.join(ctx, r, f, waited)
	}
	if left := until.Sub(b.now()); left > lease {
		return Intent{}, false, fail(r, ErrUnresolved, left)
	}
	err := b.pause(ctx, r, 100*time.Millisecond, waited)
	return Intent{}, err == nil, err
}

// pause waits for d, unless Options.Wait is used up by it.
func (b *begin) pause(ctx context.Context, r Row, d time.Duration, waited *time.Duration) error {
	if *waited+d > b.opts.Wait {
		return fail(r, ErrBusy, time.Second)
	}
	*waited += d
	if err := b.sleep(ctx, d); err != nil {
		return fail(r, err, time.Second)
	}
	return nil
}

// soon reports whether err is one that trying again in a moment may clear up.
func soon(err error) bool {
	var e *Error
	return errors.Is(err, ErrUnresolved) && errors.As(err, &e) && e.RetryAfter < lease
}
