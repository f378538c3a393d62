package stripetest

import (
	"net/http"
	"time"
)

// processingTime is how long a delayed method takes to settle, on the server's
// clock; Stripe's test accounts take as long.
const processingTime = 3 * time.Minute

// Texts of confirmations that fail.
const (
	codeAuthentication = "setup_intent_authentication_failure"
	authenticationFail = "The latest attempt to set up the payment method has failed because authentication failed." // [2nd]
	needsMandateData   = "This SetupIntent requires a mandate, but no existing mandate was found." +
		" Collect mandate acceptance from the customer and try again, providing acceptance data in the mandate_data parameter." // [U]
)

func confirmSetupIntent(c *call) (any, error) {
	si, err := c.setupIntent()
	if err != nil {
		return nil, err
	}
	if err := c.confirmable(si); err != nil {
		return nil, err
	}
	var pm *paymentMethod
	if c.givesMethod() {
		pm, err = c.givenMethod(si)
	} else {
		pm, err = c.storedMethod(si)
	}
	if err != nil {
		return nil, err
	}
	if err := c.mandated(si, pm); err != nil {
		return nil, err
	}
	return c.confirm(si, pm)
}

// confirmable reports why the intent cannot be confirmed with the request's
// parameters. That the method is looked for before the status is as recorded.
func (c *call) confirmable(si *setupIntent) error {
	p := c.params
	if p.has("confirmation_token") { // they are made by Stripe.js alone, and not by this fake
		return missing(http.StatusBadRequest, "confirmationtoken", "confirmation_token", p.str("confirmation_token"))
	}
	if si.PaymentMethod.id == "" && !c.givesMethod() {
		return si.blame(c, refused(unexpectedState, "", confirmWithoutMethod))
	}
	switch si.Status {
	case statusSucceeded:
		return si.blame(c, refused(unexpectedState, "", confirmSucceeded))
	case statusCanceled:
		return si.blame(c, refused(unexpectedState, "", confirmCanceled))
	case statusProcessing:
		return si.blame(c, refused(unexpectedState, "", confirmProcessing))
	}
	if auto := si.AutomaticPaymentMethods; auto != nil && auto.AllowRedirects == "always" && !p.has("return_url") &&
		!(c.public && p.yes("use_stripe_sdk")) { // Stripe.js stays on the page where it can
		return si.blame(c, refused("", "", needsReturnURL))
	}
	return nil
}

// mandated reports that the customer's acceptance is missing; a page gives it
// by being there.
func (c *call) mandated(si *setupIntent, pm *paymentMethod) error {
	if needsMandate(pm.Type) && !c.params.has("mandate_data") && !c.public && si.Mandate.id == "" && si.SingleUseMandate.id == "" {
		return si.blame(c, refused("", "mandate_data", needsMandateData))
	}
	return nil
}

// confirm tries to set pm up.
func (c *call) confirm(si *setupIntent, pm *paymentMethod) (any, error) {
	s := c.srv
	si.PaymentMethod = ref{id: pm.ID}
	si.setOptions(c.params.at("payment_method_options"))
	si.LastSetupError, si.NextAction = nil, nil
	if needsMandate(pm.Type) && si.Mandate.id == "" && si.SingleUseMandate.id == "" {
		c.mandate(si, pm)
	}
	si.hidden.ReturnURL = c.params.str("return_url")
	si.hidden.InPage = si.hidden.ReturnURL == "" || c.params.yes("use_stripe_sdk")
	if failure := s.attemptOutcome(si, pm, pm.hidden.Outcome, pm.hidden.Reason, c.base, c.cause()); failure != nil {
		return nil, failure
	}
	return si, nil
}

// attemptOutcome takes the intent where an attempt with pm leads. The error is
// a decline: the request fails, and yet the state changes.
func (s *Server) attemptOutcome(si *setupIntent, pm *paymentMethod, o outcome, reason, base string, why cause) *apiError {
	switch o {
	case declines:
		s.attempt(si, pm, statusProcessing)
		e := declineError(reason)
		s.fail(si, pm, e, why)
		return e
	case challenges, challengesFail:
		a := s.attempt(si, pm, statusNeedsAction)
		si.NextAction = si.challenge(base, a.ID)
		s.await(si, why)
	case deposits, depositsCode:
		a := s.attempt(si, pm, statusNeedsAction)
		si.NextAction = s.depositsAction(o, base, a.ID)
		si.hidden.Tries = 0
		s.await(si, why)
	case processes:
		s.attempt(si, pm, statusProcessing)
		si.Status, si.NextAction = statusProcessing, nil
		s.save(si)
		s.settleLater(si, processingTime)
	default:
		s.attempt(si, pm, statusProcessing)
		s.succeed(si, pm, why)
	}
	return nil
}

// await leaves the intent to its customer.
func (s *Server) await(si *setupIntent, why cause) {
	si.Status = statusNeedsAction
	s.save(si)
	s.emit("setup_intent.requires_action", si, why)
}

// settleLater ends the processing of the attempt that is under way.
func (s *Server) settleLater(si *setupIntent, after time.Duration) {
	id, attempt := si.ID, si.LatestAttempt.id
	s.jobs.later(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		si, ok := s.state.intents.get(id)
		if !ok || si.Status != statusProcessing || si.LatestAttempt.id != attempt {
			return
		}
		if pm, ok := s.state.methods.get(si.PaymentMethod.id); ok {
			s.succeed(si, pm, cause{})
		}
	})
}

// succeed ends an intent well, and attaches its method to its customer.
func (s *Server) succeed(si *setupIntent, pm *paymentMethod, why cause) {
	pm.verified()
	if cus := si.Customer.id; cus != "" && pm.Customer.id == "" {
		pm.Customer = ref{id: cus}
		s.save(pm)
		s.emit("payment_method.attached", pm, why) // before the intent's own event [2nd]
	} else {
		pm.hidden.Used = pm.hidden.Used || pm.Customer.id == ""
		s.save(pm) // without a customer it can be attached to one later: stripe.com/docs/payments/cards/saving-cards-without-payment
	}
	s.settleAttempt(si, statusSucceeded, nil)
	s.activateMandate(si)
	si.Status, si.NextAction, si.LastSetupError, si.PaymentMethod = statusSucceeded, nil, nil, ref{id: pm.ID}
	s.save(si)
	s.emit("setup_intent.succeeded", si, why)
}

// fail puts the intent back to the start. It adds to e the payment method and
// the intent as it is then.
func (s *Server) fail(si *setupIntent, pm *paymentMethod, e *apiError, why cause) {
	e.PaymentMethod = encode(pm)
	last := *e
	s.settleAttempt(si, attemptFailed, &last)
	si.Status, si.NextAction, si.PaymentMethod, si.LastSetupError = statusNeedsMethod, nil, ref{}, &last
	s.save(si)
	s.emit("setup_intent.setup_failed", si, why)
	e.SetupIntent = si
}

// declineError is the error of a decline, whole but for the objects in it.
func declineError(reason string) *apiError {
	d, _ := declineOf(reason)
	e := newError(http.StatusPaymentRequired, d.code, d.param, d.message)
	e.Type, e.DeclineCode = typeCard, d.reason
	return e
}

func authenticationError() *apiError { return refused(codeAuthentication, "", authenticationFail) }
