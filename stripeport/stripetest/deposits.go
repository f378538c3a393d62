package stripetest

import (
	"net/http"
	"slices"
	"time"
)

// What is told of micro-deposits to try them out. [2nd]
const (
	goodCode    = "SM11AA"
	spentCode   = "SM33CC" // as if it had been guessed too often
	timeoutCode = "SM44DD" // as if it had not been told in time
)

const maxDepositTries = 10 // [U]

func isAmounts(amounts []int64, a, b int64) bool {
	return slices.Equal(amounts, []int64{a, b}) || slices.Equal(amounts, []int64{b, a})
}

func (s *Server) depositsAction(o outcome, base, attempt string) *nextAction {
	kind := "amounts"
	if o == depositsCode {
		kind = "descriptor_code"
	}
	return &nextAction{Type: "verify_with_microdeposits", VerifyWithMicrodeposits: &microdeposits{
		ArrivalDate:   s.clock.now().Add(48 * time.Hour).Unix(),
		HostedURL:     base + challengePrefix + attempt,
		Microdeposits: kind,
	}}
}

// verifyMicrodeposits takes either proof, whichever was asked for.
func verifyMicrodeposits(c *call) (any, error) {
	si, err := c.setupIntent()
	if err != nil {
		return nil, err
	}
	if si.Status != statusNeedsAction || si.NextAction == nil || si.NextAction.VerifyWithMicrodeposits == nil {
		return nil, si.blame(c, refused("intent_invalid_state", "", wrongState, si.Status))
	}
	p, s := c.params, c.srv
	if p.has("amounts") == p.has("descriptor_code") {
		return nil, invalidParam("", "", "You must provide exactly one of amounts, descriptor_code.") // [U]
	}
	var amounts []int64
	if p.has("amounts") {
		for _, element := range p.at("amounts").list {
			amounts = append(amounts, element.integer)
		}
		if len(amounts) != 2 {
			return nil, invalidParam("", "amounts", "You must provide exactly two amounts.") // [U]
		}
	}
	pm, ok := s.state.methods.get(si.PaymentMethod.id)
	if !ok {
		return nil, missing(http.StatusBadRequest, "PaymentMethod", "payment_method", si.PaymentMethod.id)
	}
	code := p.str("descriptor_code")
	switch {
	case code == goodCode || isAmounts(amounts, 32, 45):
		s.succeed(si, pm, c.cause())
		return si, nil
	case code == spentCode || isAmounts(amounts, 10, 11):
		si.hidden.Tries = maxDepositTries
	case code == timeoutCode || isAmounts(amounts, 40, 41):
		return nil, c.failVerification(si, pm, "timeout", "Microdeposit verification timed out."+
			" Customer did not verify with the required information within the 10 day period.") // [U]
	default:
		si.hidden.Tries++
		s.save(si)
	}
	left := maxDepositTries - si.hidden.Tries
	if left <= 0 {
		return nil, c.failVerification(si, pm, "attempts_exceeded", "You have exceeded the number of allowed verification attempts.") // [2nd]
	}
	what, mismatch := "amounts provided do not match the amounts that were sent", "amounts_mismatch"
	if code != "" {
		what, mismatch = "descriptor code provided does not match the one that was sent", "descriptor_code_mismatch"
	}
	return nil, si.blame(c, refused(codeVerification+mismatch, "",
		"The %s to the bank account. You have %d verification attempts remaining.", what, left)) // [2nd]
}

const codeVerification = "payment_method_microdeposit_verification_"

func (c *call) failVerification(si *setupIntent, pm *paymentMethod, code, message string) error {
	e := refused(codeVerification+code, "", message)
	c.srv.fail(si, pm, e, c.cause())
	return e
}
