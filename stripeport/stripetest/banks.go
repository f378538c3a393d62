package stripetest

import (
	"maps"
	"slices"
)

// needsMandate reports whether a type of method is debited by mandate.
func needsMandate(methodType string) bool {
	switch methodType {
	case "acss_debit", "au_becs_debit", "bacs_debit", "sepa_debit", "us_bank_account":
		return true
	}
	return false
}

// bankMethod is one of Stripe's payment methods for tests that is no card.
type bankMethod struct {
	methodType, number string
	outcome            outcome
}

// testBank finds such a method by its id. What they do to a SetupIntent is
// partly a guess. [U]
func testBank(id string) (bankMethod, bool) {
	switch id {
	case "pm_usBankAccount_success", "pm_usBankAccount":
		return bankMethod{"us_bank_account", "000123456789", succeeds}, true
	case "pm_usBankAccount_processing":
		return bankMethod{"us_bank_account", "000000000009", processes}, true
	case "pm_bacsDebit_success":
		return bankMethod{"bacs_debit", "00012345", processes}, true
	}
	return bankMethod{}, false
}

// describedMethod makes a method that is no card. Those that are not debited
// by mandate send the customer to another page.
func (c *call) describedMethod(methodType string, v *value, name string) (*paymentMethod, error) {
	pm := c.srv.newMethod(methodType)
	given, _ := v.plainHash()
	if !needsMandate(methodType) {
		pm.hidden.Outcome, pm.hidden.Details = challenges, otherDetails(methodType, given)
		return pm, nil
	}
	if v == nil {
		return nil, missingParam(name)
	}
	numberField := "account_number"
	if methodType == "sepa_debit" {
		numberField = "iban"
	}
	number := v.str(numberField)
	if number == "" && !v.has("financial_connections_account") {
		return nil, missingParam(nested(name, numberField))
	}
	pm.hidden.Details = bankDetails(methodType, number, given)
	switch methodType {
	case "us_bank_account":
		if pm.hidden.Outcome = depositsCode; number == "" {
			pm.hidden.Outcome = succeeds // the bank itself vouched for it
		}
	case "acss_debit":
		pm.hidden.Outcome = deposits
	case "bacs_debit":
		pm.hidden.Outcome = processes
	}
	return pm, nil
}

// bankDetails is what is shown of a bank account.
func bankDetails(methodType, number string, given map[string]any) map[string]any {
	details := map[string]any{"fingerprint": fingerprintOf(number), "last4": last4(number)}
	defaults := map[string]any{}
	switch methodType {
	case "us_bank_account":
		defaults = map[string]any{
			"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
			"financial_connections_account": nil, "routing_number": "110000000", "status_details": nil,
			"networks": map[string]any{"preferred": "ach", "supported": []string{"ach"}},
		}
	case "acss_debit":
		defaults = map[string]any{"bank_name": "STRIPE TEST BANK", "institution_number": nil, "transit_number": nil}
	case "au_becs_debit":
		defaults = map[string]any{"bsb_number": nil}
	case "bacs_debit":
		defaults = map[string]any{"sort_code": "108800"}
	case "sepa_debit":
		country := ""
		if len(number) > 2 {
			country = number[:2]
		}
		defaults = map[string]any{"bank_code": nil, "branch_code": "", "country": country, "generated_from": map[string]any{"charge": nil, "setup_attempt": nil}}
	}
	maps.Copy(details, defaults)
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if _, shown := defaults[key]; shown {
			details[key] = given[key]
		}
	}
	return details
}

// otherDetails is what is shown of a method that is neither a card nor a bank
// account.
func otherDetails(methodType string, given map[string]any) map[string]any {
	details := maps.Clone(given)
	if details == nil {
		details = map[string]any{}
	}
	switch methodType {
	case "cashapp":
		addNulls(details, "buyer_id", "cashtag")
	case "eps", "p24":
		addNulls(details, "bank")
	case "fpx":
		addNulls(details, "account_holder_type")
	case "ideal":
		addNulls(details, "bank", "bic")
	case "klarna":
		addNulls(details, "dob")
	case "link":
		addNulls(details, "email")
	case "paypal":
		addNulls(details, "payer_email", "payer_id")
	case "sofort":
		addNulls(details, "country")
	}
	return details
}
