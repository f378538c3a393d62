package stripetest

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

type card struct {
	Brand             string          `json:"brand"`
	Checks            cardChecks      `json:"checks"`
	Country           string          `json:"country"`
	DisplayBrand      string          `json:"display_brand"`
	ExpMonth          int64           `json:"exp_month"`
	ExpYear           int64           `json:"exp_year"`
	Fingerprint       string          `json:"fingerprint"`
	Funding           string          `json:"funding"`
	GeneratedFrom     *struct{}       `json:"generated_from"`
	Last4             string          `json:"last4"`
	Networks          cardNetworks    `json:"networks"`
	ThreeDSecureUsage map[string]bool `json:"three_d_secure_usage"`
	Wallet            *struct{}       `json:"wallet"`
}

type cardChecks struct {
	AddressLine1 *string `json:"address_line1_check"`
	AddressZip   *string `json:"address_postal_code_check"`
	CVC          *string `json:"cvc_check"`
}

type cardNetworks struct {
	Available []string `json:"available"`
	Preferred *string  `json:"preferred"`
}

// newCard makes a payment method of a test card.
func (s *Server) newCard(test *testCard, month, year int64) *paymentMethod {
	pm := s.newMethod("card")
	pm.hidden.Outcome, pm.hidden.Reason = test.outcome, test.reason
	if test.checks != (cardChecks{}) {
		pm.hidden.Checks = &test.checks
	}
	pm.Card = &card{
		Brand: test.brand, Country: cmp.Or(test.country, "US"), DisplayBrand: displayBrand(test.brand), ExpMonth: month, ExpYear: year,
		Fingerprint: fingerprintOf(test.number), Funding: test.funding, Last4: last4(test.number),
		Networks: cardNetworks{Available: []string{test.brand}}, ThreeDSecureUsage: map[string]bool{"supported": true},
	}
	if test.network != "" {
		pm.Card.Networks.Available = []string{test.network, test.brand} // the order is [U]
	}
	return pm
}

// knownCard makes a payment method of a test card that was named by an id. It
// has what its checks are of.
func (s *Server) knownCard(test *testCard) *paymentMethod {
	now := s.clock.now()
	pm := s.newCard(test, int64(now.Month()), int64(now.Year()+1))
	for i, result := range test.checks.all() {
		if *result != nil {
			*pm.Card.Checks.all()[i] = pointer("unchecked")
		}
	}
	return pm
}

func displayBrand(brand string) string {
	switch brand {
	case "amex":
		return "american_express"
	case "diners":
		return "diners_club"
	case "unionpay":
		return "union_pay"
	}
	return brand
}

func (c *cardChecks) all() [3]**string { return [...]**string{&c.AddressLine1, &c.AddressZip, &c.CVC} }

func last4(number string) string { return number[max(0, len(number)-4):] }

// fingerprintOf is the same for the same number, as Stripe's is.
func fingerprintOf(number string) string {
	sum := (&value{kind: kindText, text: number}).fingerprint()
	b := make([]byte, 16)
	for i := range b {
		b[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(b)
}

// verified notes that the issuer had a look at the card.
func (pm *paymentMethod) verified() {
	if pm.Card == nil {
		return
	}
	checked, results := *pm.Card, cardChecks{}
	if pm.hidden.Checks != nil {
		results = *pm.hidden.Checks
	}
	for i, check := range checked.Checks.all() {
		if *check != nil {
			*check = cmp.Or(*results.all()[i], pointer("pass"))
		}
	}
	pm.Card = &checked
}

// cardError is a refusal of a card's own data.
func cardError(code, param, message string) *apiError {
	e := newError(http.StatusPaymentRequired, code, param, message)
	e.Type = typeCard
	return e
}

// describedCard makes a card of a number, or of one of Stripe's test tokens.
// The texts are [2nd].
func (c *call) describedCard(v *value, name string) (*paymentMethod, error) {
	s, now := c.srv, c.srv.clock.now()
	if v == nil {
		return nil, missingParam(name)
	}
	if token := v.str("token"); token != "" {
		test, ok := s.deck.byID["pm_card_"+strings.TrimPrefix(token, "tok_")]
		if !ok || !strings.HasPrefix(token, "tok_") {
			return nil, missing(http.StatusBadRequest, "token", nested(name, "token"), token)
		}
		return s.knownCard(test), nil
	}
	for _, field := range []string{"number", "exp_month", "exp_year"} {
		if !v.has(field) {
			return nil, missingParam(nested(name, field))
		}
	}
	number := strings.NewReplacer(" ", "", "-", "").Replace(v.str("number"))
	month, year := v.at("exp_month").integer, v.at("exp_year").integer
	if year >= 0 && year < 100 {
		year += 2000
	}
	cvc := v.str("cvc")
	switch {
	case !validNumber(number):
		return nil, cardError("incorrect_number", "number", "Your card number is incorrect.")
	case month < 1 || month > 12:
		return nil, cardError("invalid_expiry_month", "exp_month", "Your card's expiration month is invalid.")
	case year < int64(now.Year()) || year > int64(now.Year())+50:
		return nil, cardError("invalid_expiry_year", "exp_year", "Your card's expiration year is invalid.")
	case year == int64(now.Year()) && month < int64(now.Month()):
		return nil, cardError("invalid_expiry_month", "exp_month", "Your card's expiration month is invalid.")
	case cvc != "" && (len(cvc) < 3 || len(cvc) > 4 || strings.Trim(cvc, "0123456789") != ""):
		return nil, cardError("invalid_cvc", "cvc", "Your card's security code is invalid.")
	}
	test, ok := s.deck.byNumber[number]
	if !ok {
		e := cardError("card_declined", "", "Your card was declined. Your request was in test mode, but used a non test (live) card."+
			" For a list of valid test cards, visit: https://stripe.com/docs/testing.")
		e.DeclineCode = "test_mode_live_card"
		return nil, e
	}
	pm := s.newCard(test, month, year)
	if cvc != "" {
		pm.Card.Checks.CVC = pointer("unchecked")
	}
	pm.Card.Networks.Preferred = v.optional("networks", "preferred")
	return pm, nil
}

// expired reports whether a card's last month is over at now.
func expired(month, year int64, now time.Time) bool {
	return year < int64(now.Year()) || year == int64(now.Year()) && month < int64(now.Month())
}
