package stripetest

import (
	"fmt"
	"maps"
	"time"
)

// SetupIntent is what a test may want to know of a stored intent. The client
// secret is not among it.
type SetupIntent struct {
	ID                 string            `json:"id"`
	Status             string            `json:"status"`
	Created            time.Time         `json:"created"`
	Customer           string            `json:"customer,omitempty"`
	PaymentMethod      string            `json:"payment_method,omitempty"`
	CancellationReason string            `json:"cancellation_reason,omitempty"`
	LastError          string            `json:"last_error,omitempty"` // decline code, or code
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// SetupIntents returns the stored intents, the oldest first.
func (s *Server) SetupIntents() []SetupIntent {
	s.mu.Lock()
	defer s.mu.Unlock()
	intents := make([]SetupIntent, 0, len(s.state.intents.rows))
	for _, si := range s.state.intents.rows {
		intents = append(intents, si.summary())
	}
	return intents
}

// SetupIntent returns the stored intent of an id; ok is false if there is none.
func (s *Server) SetupIntent(id string) (intent SetupIntent, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	si, ok := s.state.intents.get(id)
	if !ok {
		return SetupIntent{}, false
	}
	return si.summary(), true
}

func (si *setupIntent) summary() SetupIntent {
	sum := SetupIntent{
		ID: si.ID, Status: si.Status, Created: time.Unix(si.Created, 0), Customer: si.Customer.id,
		PaymentMethod: si.PaymentMethod.id, Metadata: maps.Clone(si.Metadata),
	}
	if si.CancellationReason != nil {
		sum.CancellationReason = *si.CancellationReason
	}
	if e := si.LastSetupError; e != nil {
		if sum.LastError = e.DeclineCode; sum.LastError == "" {
			sum.LastError = e.Code
		}
	}
	return sum
}

// Outcome is a way for a SetupIntent to go on: one of those named here, the
// decline_code of a decline, such as insufficient_funds, or the type of a next
// action of WooshPay's, such as challenge_redirect.
type Outcome string

// Outcomes other than declines.
const (
	OutcomeSucceed            Outcome = "succeed"
	OutcomeChallenge          Outcome = "challenge"           // requires_action: 3D Secure
	OutcomeFailAuthentication Outcome = "fail_authentication" // the customer fails it
	OutcomeProcess            Outcome = "process"             // processing; settles by itself in three minutes
	OutcomeMicroDeposits      Outcome = "micro_deposits"      // requires_action: amounts to be verified
	OutcomeCancel             Outcome = "cancel"              // by Stripe itself, as abandoned
	OutcomeDecline            Outcome = "generic_decline"
)

// Resolve takes a SetupIntent to an outcome, whatever it waits for, as though
// its customer, the bank or Stripe itself had acted: no request is named in the
// events. An intent without a payment method gets a Visa card. One that has
// succeeded or been canceled stays as it is, and that is an error.
func (s *Server) Resolve(intent string, o Outcome) error { return s.resolve(intent, o, s.URL) }

// resolve is Resolve for a server that was reached at base.
func (s *Server) resolve(intent string, o Outcome, base string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	si, ok := s.state.intents.get(intent)
	switch {
	case !ok:
		return fmt.Errorf("stripetest: no SetupIntent %q", intent)
	case si.Status == statusSucceeded || si.Status == statusCanceled:
		return fmt.Errorf("stripetest: SetupIntent %s is %s", intent, si.Status)
	}
	if wooshActions()[string(o)] != nil {
		si.hidden.Action, o = string(o), OutcomeChallenge
	}
	_, isDecline := declineOf(string(o))
	switch o {
	case OutcomeSucceed, OutcomeChallenge, OutcomeFailAuthentication, OutcomeProcess, OutcomeMicroDeposits, OutcomeCancel:
	default:
		if !isDecline {
			return fmt.Errorf("stripetest: unknown outcome %q", o)
		}
	}
	if o == OutcomeCancel {
		s.cancel(si, pointer("abandoned"), cause{})
		return nil
	}
	pm, ok := s.state.methods.get(si.PaymentMethod.id)
	if !ok {
		pm = s.knownCard(s.deck.byID["pm_card_visa"])
		s.save(pm)
	}
	si.PaymentMethod = ref{id: pm.ID}
	underWay := si.Status == statusNeedsAction || si.Status == statusProcessing
	switch {
	case o == OutcomeSucceed && underWay:
		s.succeed(si, pm, cause{})
	case isDecline && underWay:
		s.fail(si, pm, declineError(string(o)), cause{})
	case o == OutcomeFailAuthentication:
		if !underWay {
			s.attempt(si, pm, statusNeedsAction)
		}
		s.fail(si, pm, authenticationError(), cause{})
	case o == OutcomeProcess && underWay: // the same attempt, now with the bank
		si.Status, si.NextAction = statusProcessing, nil
		s.save(si)
		s.settleLater(si, processingTime)
	default:
		si.hidden.InPage = si.hidden.ReturnURL == ""
		_ = s.attemptOutcome(si, pm, o.internal(), string(o), base, cause{})
	}
	return nil
}

// internal is the outcome as payment methods have it.
func (o Outcome) internal() outcome {
	switch o {
	case OutcomeSucceed:
		return succeeds
	case OutcomeChallenge:
		return challenges
	case OutcomeProcess:
		return processes
	case OutcomeMicroDeposits:
		return deposits
	}
	return declines
}
