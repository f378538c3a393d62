package stripetest

import "strings"

// outcome is what happens when a payment method is set up.
type outcome string

const (
	succeeds       outcome = "succeed"
	declines       outcome = "decline"
	challenges     outcome = "challenge"       // 3D Secure, then success
	challengesFail outcome = "challenge_fail"  // 3D Secure, then a decline
	processes      outcome = "process"         // settles later
	deposits       outcome = "micro_deposits"  // two amounts to be told
	depositsCode   outcome = "descriptor_code" // one code to be told
)

// decline is an issuer's refusal. Codes, messages and params are the
// documentation's and recordings'. [2nd]
type decline struct {
	code, reason, message, param string
}

// declineOf returns the decline of a reason: one of the decline codes of
// docs.stripe.com/declines/codes, all 50 of them, or live_mode_test_card. Where
// no other text is known, it is the one of most.
func declineOf(reason string) (decline, bool) {
	switch reason {
	case "insufficient_funds":
		return decline{"card_declined", reason, "Your card has insufficient funds.", ""}, true
	case "card_velocity_exceeded":
		return decline{"card_declined", reason, "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.", ""}, true
	case "expired_card":
		return decline{"expired_card", reason, "Your card has expired.", "exp_month"}, true
	case "incorrect_cvc":
		return decline{"incorrect_cvc", reason, "Your card's security code is incorrect.", "cvc"}, true
	case "processing_error":
		return decline{"processing_error", reason, "An error occurred while processing your card. Try again in a little bit.", ""}, true
	case "authentication_required":
		return decline{"authentication_required", reason, "Your card was declined. This transaction requires authentication.", ""}, true
	case "approve_with_id", "authentication_not_handled", "call_issuer", "card_not_supported", "currency_not_supported", "do_not_honor",
		"do_not_try_again", "duplicate_transaction", "fraudulent", "generic_decline", "incorrect_address", "incorrect_number",
		"incorrect_pin", "incorrect_zip", "invalid_account", "invalid_amount", "invalid_cvc", "invalid_expiry_month",
		"invalid_expiry_year", "invalid_number", "invalid_pin", "issuer_not_available", "live_mode_test_card", "lost_card",
		"merchant_blacklist", "mobile_device_authentication_required", "new_account_information_available", "no_action_taken",
		"not_permitted", "offline_pin_required", "online_or_offline_pin_required", "pickup_card", "pin_try_exceeded",
		"reenter_transaction", "restricted_card", "revocation_of_all_authorizations", "revocation_of_authorization",
		"security_violation", "service_not_allowed", "stolen_card", "stop_payment_order", "testmode_decline",
		"transaction_not_allowed", "try_again_later", "withdrawal_count_limit_exceeded":
		return decline{"card_declined", reason, "Your card was declined.", ""}, true // but for a few, [U]
	}
	return decline{}, false
}

// testCard is one of Stripe's cards for tests.
type testCard struct {
	plainCard
	country string     // of its issuer; empty: US
	network string     // of a co-branded card, besides its brand
	checks  cardChecks // what comes of those that are no pass
}

type plainCard struct {
	number  string
	brand   string
	funding string
	outcome outcome
	reason  string   // of a decline
	ids     []string // the payment methods that stand for it
}

// plainCards returns the numbers and ids that docs.stripe.com/testing lists, but
// for those that testCards adds. What a card does to a SetupIntent is the
// documentation's, not observed. [2nd]
func plainCards() []plainCard {
	const (
		visa   = "visa"
		credit = "credit"
	)
	return []plainCard{
		{"4242424242424242", visa, credit, succeeds, "", []string{"pm_card_visa", "pm_card_us"}},
		{"4000056655665556", visa, "debit", succeeds, "", []string{"pm_card_visa_debit"}},
		{"5555555555554444", "mastercard", credit, succeeds, "", []string{"pm_card_mastercard"}},
		{"2223003122003222", "mastercard", credit, succeeds, "", nil},
		{"5200828282828210", "mastercard", "debit", succeeds, "", []string{"pm_card_mastercard_debit"}},
		{"5105105105105100", "mastercard", "prepaid", succeeds, "", []string{"pm_card_mastercard_prepaid"}},
		{"378282246310005", "amex", credit, succeeds, "", []string{"pm_card_amex"}},
		{"371449635398431", "amex", credit, succeeds, "", nil},
		{"6011111111111117", "discover", credit, succeeds, "", []string{"pm_card_discover"}},
		{"6011000990139424", "discover", credit, succeeds, "", nil},
		{"6011981111111113", "discover", "debit", succeeds, "", nil},
		{"6555900000604105", "discover", credit, succeeds, "", nil}, // BCcard and DinaCard; the brand is [U]
		{"3056930009020004", "diners", credit, succeeds, "", []string{"pm_card_diners"}},
		{"36227206271667", "diners", credit, succeeds, "", nil},
		{"3566002020360505", "jcb", credit, succeeds, "", []string{"pm_card_jcb"}},
		{"6200000000000005", "unionpay", credit, succeeds, "", []string{"pm_card_unionpay"}},
		{"6200000000000047", "unionpay", "debit", succeeds, "", nil},
		{"6205500000000000004", "unionpay", credit, succeeds, "", nil},

		// Saved well, refused only when charged later.
		{"4000000000000341", visa, credit, succeeds, "", []string{"pm_card_chargeCustomerFail"}},
		// Saved well; what they are for comes with the charge.
		{"4000000000004954", visa, credit, succeeds, "", []string{"pm_card_riskLevelHighest"}}, // unless Radar is set to block it
		{"4000000000009235", visa, credit, succeeds, "", []string{"pm_card_riskLevelElevated"}},
		{"4000000000000259", visa, credit, succeeds, "", []string{"pm_card_createDispute"}},
		{"4000000000002685", visa, credit, succeeds, "", []string{"pm_card_createDisputeProductNotReceived"}},
		{"4000000000001976", visa, credit, succeeds, "", []string{"pm_card_createDisputeInquiry"}},
		{"4000000000005423", visa, credit, succeeds, "", []string{"pm_card_createIssuerFraudRecord"}},
		{"4000000404000079", visa, credit, succeeds, "", []string{"pm_card_createMultipleDisputes"}},
		{"4000000000007726", visa, credit, succeeds, "", []string{"pm_card_pendingRefund"}},
		{"4000000000005126", visa, credit, succeeds, "", []string{"pm_card_refundFail"}},
		{"4000000000000077", visa, credit, succeeds, "", []string{"pm_card_bypassPending"}},
		{"4000003720000278", visa, credit, succeeds, "", []string{"pm_card_bypassPendingInternational"}},
		// 3D Secure is supported, but not asked for.
		{"4000000000003055", visa, credit, succeeds, "", []string{"pm_card_threeDSecureOptional"}},
		{"4000000000003097", visa, credit, succeeds, "", []string{"pm_card_threeDSecureOptionalProcessingError"}},
		{"378282246310005", "amex", credit, succeeds, "", []string{"pm_card_amex_threeDSecureNotSupported"}},

		{"4000000000000002", visa, credit, declines, "generic_decline", []string{"pm_card_chargeDeclined", "pm_card_visa_chargeDeclined"}},
		{"4000000000009995", visa, credit, declines, "insufficient_funds", []string{"pm_card_chargeDeclinedInsufficientFunds", "pm_card_visa_chargeDeclinedInsufficientFunds"}},
		{"4000000000009987", visa, credit, declines, "lost_card", []string{"pm_card_chargeDeclinedLostCard", "pm_card_visa_chargeDeclinedLostCard"}},
		{"4000000000009979", visa, credit, declines, "stolen_card", []string{"pm_card_chargeDeclinedStolenCard", "pm_card_visa_chargeDeclinedStolenCard"}},
		{"4000000000000069", visa, credit, declines, "expired_card", []string{"pm_card_chargeDeclinedExpiredCard"}},
		{"4000000000000127", visa, credit, declines, "incorrect_cvc", []string{"pm_card_chargeDeclinedIncorrectCvc"}},
		{"4000000000000119", visa, credit, declines, "processing_error", []string{"pm_card_chargeDeclinedProcessingError"}},
		{"4000000000006975", visa, credit, declines, "card_velocity_exceeded", []string{"pm_card_chargeDeclinedVelocityLimitExceeded", "pm_card_visa_chargeDeclinedVelocityLimitExceeded"}},
		{"4100000000000019", visa, credit, declines, "fraudulent", []string{"pm_card_chargeDeclinedFraudulent", "pm_card_radarBlock"}},

		{"4000002500003155", visa, credit, challenges, "", []string{"pm_card_authenticationRequiredOnSetup"}},
		{"4000002760003184", visa, credit, challenges, "", []string{"pm_card_authenticationRequired"}},
		{"4000000000003220", visa, credit, challenges, "", []string{"pm_card_threeDSecure2Required"}},
		{"4000000000003063", visa, credit, challenges, "", []string{"pm_card_threeDSecureRequired"}},
		{"4000008260003178", visa, credit, challenges, "", []string{"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"}},
		{"4000003800000446", visa, credit, challenges, "", []string{"pm_card_authenticationRequiredSetupForOffSession"}}, // on-session, as a setup is [U]
		{"4000000000003238", visa, credit, challenges, "", nil},
		{"4000000000003246", visa, credit, challenges, "", nil},
		{"4000000000003253", visa, credit, challenges, "", nil},
		{"4000008400001280", visa, credit, declines, "generic_decline", []string{"pm_card_threeDSecureRequiredProcessingError"}}, // the bank cannot be asked
		{"4000008400001629", visa, credit, challengesFail, "generic_decline", []string{"pm_card_threeDSecureRequiredChargeDeclined"}},
	}
}

// testCards returns all of them.
func testCards() []testCard {
	var cards []testCard
	for _, card := range plainCards() {
		cards = append(cards, testCard{plainCard: card})
	}
	with := func(number, brand, funding string, more testCard, ids ...string) {
		more.plainCard = plainCard{number, brand, funding, succeeds, "", ids}
		cards = append(cards, more)
	}

	fail, unavailable := pointer("fail"), pointer("unavailable")
	with("4000000000000101", "visa", "credit", testCard{checks: cardChecks{CVC: fail}}, "pm_card_cvcCheckFail")
	with("4000000000000036", "visa", "credit", testCard{checks: cardChecks{AddressZip: fail}}, "pm_card_avsZipFail")
	with("4000000000000028", "visa", "credit", testCard{checks: cardChecks{AddressLine1: fail}}, "pm_card_avsLine1Fail")
	with("4000000000000010", "visa", "credit", testCard{checks: cardChecks{AddressLine1: fail, AddressZip: fail}}, "pm_card_avsFail")
	with("4000000000000044", "visa", "credit", testCard{checks: cardChecks{AddressLine1: unavailable, AddressZip: unavailable}}, "pm_card_avsUnchecked")

	// The countries of co-branded cards are [U].
	with("4000002500001001", "visa", "credit", testCard{country: "FR", network: "cartes_bancaires"}, "pm_card_visa_cartesBancaires")
	with("5555552500001001", "mastercard", "credit", testCard{country: "FR", network: "cartes_bancaires"}, "pm_card_mastercard_cartesBancaires")
	with("4000050360000001", "visa", "debit", testCard{country: "AU", network: "eftpos_au"}, "pm_card_visa_debit_eftposAuCoBranded")
	with("5555050360000080", "mastercard", "debit", testCard{country: "AU", network: "eftpos_au"}, "pm_card_mastercard_debit_eftposAuCoBranded")

	// One of each country is pm_card_fr, and so on.
	for _, row := range strings.Fields(`AR4000000320000021 BR4000000760000002 CA4000001240000000 CL4000001520000001
		CO4000001700000003 CR4000001880000005 EC4000002180000000 MX4000004840008001 PA4000005910000000 PY4000006000000066
		PE4000006040000068 UY4000008580000003
		AE4000007840000001 AT4000000400000008 BE4000000560000004 BG4000001000000000 BY4000001120000005 HR4000001910000009
		CY4000001960000008 CZ4000002030000002 DK4000002080000001 EE4000002330000009 FI4000002460000001 FR4000002500000003
		DE4000002760000016 GI4000002920000005 GR4000003000000030 HU4000003480000005 IE4000003720000005 IT4000003800000008
		LV4000004280000005 LI4000004380000004 LT4000004400000000 LU4000004420000006 MT4000004700000007 NL4000005280000002
		NO4000005780000007 PL4000006160000005 PT4000006200000007 RO4000006420000001 SI4000007050000006 SK4000007030000001
		ES4000007240000007 SE4000007520000008 CH4000007560000009 GB4000008260000000
		AU4000000360000006 CN4000001560000002 HK4000003440000004 IN4000003560000008 JP4000003920000003 MY4000004580000002
		NZ4000005540000008 SG4000007020000003 TW4000001580000008`) {
		with(row[2:], "visa", "credit", testCard{country: row[:2]}, "pm_card_"+strings.ToLower(row[:2]))
	}
	with("5200007840000022", "mastercard", "credit", testCard{country: "AE"}, "pm_card_ae_mastercard")
	with("4000006820000007", "visa", "credit", testCard{country: "SA"})
	with("4000058260000005", "visa", "debit", testCard{country: "GB"}, "pm_card_gb_debit")
	with("5555558265554449", "mastercard", "credit", testCard{country: "GB"}, "pm_card_gb_mastercard")
	with("3530111333300000", "jcb", "credit", testCard{country: "JP"})
	with("4000007640000003", "visa", "credit", testCard{country: "TH"}, "pm_card_th_credit")
	with("4000057640000008", "visa", "debit", testCard{country: "TH"}, "pm_card_th_debit")
	return cards
}

// deck finds test cards.
type deck struct {
	byNumber, byID map[string]*testCard
}

func newDeck() deck {
	d := deck{make(map[string]*testCard), make(map[string]*testCard)}
	for _, card := range testCards() {
		if d.byNumber[card.number] == nil {
			d.byNumber[card.number] = &card
		}
		for _, id := range card.ids {
			d.byID[id] = &card
		}
	}
	return d
}

// validNumber checks the digit that the Luhn formula gives.
func validNumber(number string) bool {
	if len(number) < 12 || len(number) > 19 || strings.Trim(number, "0123456789") != "" {
		return false
	}
	sum := 0
	for i := range len(number) {
		digit := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return sum%10 == 0
}
