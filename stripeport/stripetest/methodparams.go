package stripetest

// methodTypes are the types of payment method of version 2024-06-20.
func methodTypes() []string {
	return []string{
		"acss_debit", "affirm", "afterpay_clearpay", "alipay", "amazon_pay", "au_becs_debit", "bacs_debit", "bancontact",
		"blik", "boleto", "card", "cashapp", "customer_balance", "eps", "fpx", "giropay", "grabpay", "ideal", "klarna",
		"konbini", "link", "mobilepay", "multibanco", "oxxo", "p24", "paynow", "paypal", "pix", "promptpay", "revolut_pay",
		"sepa_debit", "sofort", "swish", "twint", "us_bank_account", "wechat_pay", "zip",
	}
}

// methodData is the schema of payment_method_data. Stripe's own leaves the
// card out, which Stripe.js sends all the same.
func methodData() param { return hashOf(describeMethod()) }

// describeMethod is the schema of a payment method to be made.
func describeMethod() params {
	fields := params{
		"allow_redisplay": oneOf("always", "limited", "unspecified"),
		"billing_details": billingParams(),
		"metadata":        metadata(),
		"radar_options":   hashOf(params{"session": word()}),
		"type":            oneOf(methodTypes()...).must(),
		// What Stripe.js adds of its own accord.
		"client_attribution_metadata": anything(),
		"guid":                        text(5000),
		"muid":                        text(5000),
		"pasted_fields":               text(5000),
		"payment_user_agent":          text(5000),
		"referrer":                    text(5000),
		"sid":                         text(5000),
		"time_on_page":                text(5000),
	}
	return fields.with(typeParams())
}

// anything is a parameter whose content does not matter.
func anything() param {
	return param{check: func(string, *value) error { return nil }}
}

// typeParams are the hashes that describe a method, by type.
func typeParams() params {
	fields := params{}
	for _, name := range methodTypes() {
		fields[name] = hashOf(params{})
	}
	bank := hashOf(params{"bank": word()})
	return fields.with(params{
		"interac_present": hashOf(params{}),
		"acss_debit":      hashOf(params{"account_number": word().must(), "institution_number": word().must(), "transit_number": word().must()}),
		"au_becs_debit":   hashOf(params{"account_number": word().must(), "bsb_number": word().must()}),
		"bacs_debit":      hashOf(params{"account_number": word(), "sort_code": word()}),
		"boleto":          hashOf(params{"tax_id": word().must()}),
		"card": hashOf(params{
			"cvc": word(), "exp_month": integer(), "exp_year": integer(), "number": word(), "token": word(),
			"networks": hashOf(params{"preferred": oneOf("cartes_bancaires", "mastercard", "visa")}),
		}),
		"eps": bank, "fpx": hashOf(params{"account_holder_type": oneOf("company", "individual"), "bank": word().must()}), "ideal": bank, "p24": bank,
		"klarna":     hashOf(params{"dob": hashOf(params{"day": integer().must(), "month": integer().must(), "year": integer().must()})}),
		"sepa_debit": hashOf(params{"iban": word().must()}),
		"sofort":     hashOf(params{"country": oneOf("AT", "BE", "DE", "ES", "IT", "NL").must()}),
		"us_bank_account": hashOf(params{
			"account_holder_type": oneOf("company", "individual"), "account_number": word(),
			"account_type": oneOf("checking", "savings"), "financial_connections_account": word(), "routing_number": word(),
		}),
	})
}

func addressParams() param {
	line := text(5000)
	return hashOf(params{"city": line, "country": line, "line1": line, "line2": line, "postal_code": line, "state": line})
}

func billingParams() param {
	return hashOf(params{"address": addressParams(), "email": text(512), "name": text(5000), "phone": text(5000)})
}

// methodOptions is the schema of payment_method_options.
func methodOptions() param {
	verification := oneOf("automatic", "instant", "microdeposits")
	return hashOf(params{
		"acss_debit": hashOf(params{
			"currency": oneOf("cad", "usd"),
			"mandate_options": hashOf(params{
				"custom_mandate_url": link(text(5000)), "default_for": listOf(oneOf("invoice", "subscription")),
				"interval_description": text(500), "payment_schedule": oneOf("combined", "interval", "sporadic"),
				"transaction_type": oneOf("business", "personal"),
			}),
			"verification_method": verification,
		}),
		"amazon_pay": hashOf(params{}),
		"bacs_debit": hashOf(params{"mandate_options": hashOf(params{})}),
		"card": hashOf(params{
			"mandate_options": hashOf(params{
				"amount": integer().must(), "amount_type": oneOf("fixed", "maximum").must(), "currency": word().must(),
				"description": text(200), "end_date": integer(), "interval": oneOf("day", "month", "sporadic", "week", "year").must(),
				"interval_count": integer(), "reference": text(80).must(), "start_date": integer().must(),
				"supported_types": listOf(oneOf("india")),
			}),
			"moto": boolean(),
			"network": oneOf("amex", "cartes_bancaires", "diners", "discover", "eftpos_au", "girocard", "interac", "jcb",
				"mastercard", "unionpay", "unknown", "visa"),
			"request_three_d_secure": oneOf("any", "automatic", "challenge"),
			"three_d_secure": hashOf(params{
				"ares_trans_status": oneOf("A", "C", "I", "N", "R", "U", "Y"), "cryptogram": word(),
				"electronic_commerce_indicator": oneOf("01", "02", "05", "06", "07"),
				"network_options": hashOf(params{"cartes_bancaires": hashOf(params{
					"cb_avalgo": oneOf("0", "1", "2", "3", "4", "A").must(), "cb_exemption": text(4), "cb_score": integer(),
				})}),
				"requestor_challenge_indicator": text(2), "transaction_id": word(), "version": oneOf("1.0.2", "2.1.0", "2.2.0"),
			}),
		}),
		"card_present": hashOf(params{}),
		"link":         hashOf(params{"persistent_token": word()}),
		"paypal":       hashOf(params{"billing_agreement_id": word()}),
		"sepa_debit":   hashOf(params{"mandate_options": hashOf(params{})}),
		"us_bank_account": hashOf(params{
			"financial_connections": hashOf(params{
				"filters":     hashOf(params{"account_subcategories": listOf(oneOf("checking", "savings"))}),
				"permissions": listOf(oneOf("balances", "ownership", "payment_method", "transactions")),
				"prefetch":    listOf(oneOf("balances", "ownership", "transactions")), "return_url": link(word()),
			}),
			"mandate_options":     hashOf(params{"collection_method": param{kind: kindText, oneOf: []string{"", "paper"}}}),
			"networks":            hashOf(params{"requested": listOf(oneOf("ach", "us_domestic_wire"))}),
			"verification_method": verification,
		}),
	})
}

// mandateData is the schema of mandate_data. At confirmation Stripe may infer
// who accepts from who calls.
func mandateData(confirming bool) param {
	online := params{"ip_address": word().must(), "user_agent": word().must()}
	if confirming {
		online = params{"infer_from_client": boolean(), "ip_address": word(), "user_agent": word()}
	}
	return hashOf(params{"customer_acceptance": hashOf(params{
		"accepted_at": integer(), "offline": hashOf(params{}), "online": hashOf(online), "type": oneOf("offline", "online").must(),
	}).must()})
}

// defaultOptions are the options that an intent shows when none were given,
// nil for a type that shows none.
func defaultOptions(name string) map[string]any {
	switch name {
	case "card":
		return map[string]any{"mandate_options": nil, "network": nil, "request_three_d_secure": "automatic"}
	case "acss_debit":
		return map[string]any{"currency": nil, "mandate_options": map[string]any{}, "verification_method": "automatic"}
	case "link":
		return map[string]any{"persistent_token": nil}
	case "us_bank_account":
		return map[string]any{"verification_method": "automatic"}
	case "sepa_debit", "bacs_debit":
		return map[string]any{"mandate_options": map[string]any{}}
	case "paypal":
		return map[string]any{"billing_agreement_id": nil}
	case "amazon_pay", "card_present":
		return map[string]any{}
	}
	return nil
}

// completeOptions makes what is shown of a type's options of what was given:
// some is only for writing, and what may be null is there.
func completeOptions(name string, option map[string]any) {
	switch name {
	case "card":
		delete(option, "moto")
		delete(option, "three_d_secure")
		addNulls(option["mandate_options"], "description", "end_date", "interval_count", "supported_types")
	case "acss_debit":
		addNulls(option["mandate_options"], "interval_description", "payment_schedule", "transaction_type")
	case "us_bank_account":
		delete(option, "networks")
		addNulls(option["financial_connections"], "prefetch")
	}
}

// addNulls adds the members that v lacks, if it is a hash.
func addNulls(v any, names ...string) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for _, name := range names {
		if _, ok := m[name]; !ok {
			m[name] = nil
		}
	}
}
