//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// A shop is a page of another origin than the fake's, with the stand-in for
// Stripe.js on it.
type shop struct {
	*tab
	fake *stripetest.Server
	site string
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{tab: newTab(t), fake: stripetest.NewServer(t, nil)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// The strictest of policies: the stand-in needs neither inline styles nor eval.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src "+s.fake.URL+"; connect-src "+s.fake.URL+"; require-trusted-types-for 'script'")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Shop</title><meta name="viewport" content="width=device-width"><main><h1>Shop</h1><form><div id="here"></div><button id="save">Save</button></form></main><script src="%s/v3/"></script>`, s.fake.URL)
	}))
	t.Cleanup(server.Close)
	s.site = server.URL
	s.open(s.site)
	s.run(evaluate(`window.stripe = Stripe('pk_test_demo'); undefined`))
	return s
}

// intent creates a SetupIntent, as the shop's server would.
func (s *shop) intent(params string) (id, clientSecret string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.fake.URL+"/v1/setup_intents", strings.NewReader(params))
	require.NoError(s, err)
	r.SetBasicAuth(stripetest.DefaultSecretKey, "")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var object struct {
		ID           string `json:"id"`
		ClientSecret string `json:"client_secret"`
	}
	do(s.T, r, &object)
	return object.ID, object.ClientSecret
}

const cardsOnly = "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never"

// mount puts a payment element on the page, and waits for it.
func (s *shop) mount(clientSecret, options string) {
	s.Helper()
	s.run(evaluate(`window.events = []; window.elements = stripe.elements({clientSecret: ` + quote(clientSecret) + `, ` + options + `});
		window.element = elements.create('payment');
		for (const name of ['ready', 'change', 'focus', 'blur', 'escape', 'loaderstart', 'loaderror']) element.on(name, (e) => events.push([name, e]));
		element.mount('#here')`))
	s.until(shown("[name=number]"))
}

// tried is what a call of Stripe.js came to: its result, or what it threw.
func (s *shop) tried(call string) string {
	s.Helper()
	return eval[string](s.tab, `(async () => { try { return JSON.stringify(await `+call+`) } catch (err) { return err.name + ': ' + err.message } })()`)
}

func TestTyping(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	past := time.Now().AddDate(0, -1, 0).Format("0106")
	for _, tt := range []struct{ field, keys, value, problem string }{
		{"number", "4242424242424242", "4242 4242 4242 4242", ""},
		{"number", "4242 4242-4242 4242 99", "4242 4242 4242 4242", ""},
		{"number", "378282246310005", "3782 822463 10005", ""},
		{"number", "36227206271667", "3622 720627 1667", ""},
		{"number", "6200000000000005", "6200 0000 0000 0005", ""},
		{"number", "4242424242424241", "4242 4242 4242 4241", "Your card number is invalid."},
		{"number", "4242", "4242", "Your card number is incomplete."},
		{"number", "no digits", "", ""},
		{"expiry", "1240", "12 / 40", ""},
		{"expiry", "1/40", "01 / 40", ""},
		{"expiry", "540", "05 / 40", ""},
		{"expiry", "1340", "01 / 34", ""},
		{"expiry", "12" + kb.Backspace + kb.Backspace + kb.Backspace + "140", "01 / 40", ""},
		{"expiry", "12", "12 / ", "Your card’s expiration date is incomplete."},
		{"expiry", "1220", "12 / 20", "Your card’s expiration year is in the past."},
		{"expiry", "1299", "12 / 99", "Your card’s expiration year is invalid."},
		{"cvc", "123456", "123", ""},
		{"cvc", "12", "12", "Your card’s security code is incomplete."},
		{"postalCode", "94107", "94107", ""},
		{"postalCode", "941", "941", "Your postal code is incomplete."},
	} {
		s.types(tt.field, tt.keys, tt.value, tt.problem)
	}
	if time.Now().Month() != time.January {
		s.types("expiry", past, past[:2]+" / "+past[2:], "Your card’s expiration date is in the past.")
	}
	for number, brand := range map[string]string{
		"4": "Visa", "55": "Mastercard", "2720": "Mastercard", "2721": "Card", "34": "American Express", "6011": "Discover",
		"3056": "Diners Club", "36": "Diners Club", "3530": "JCB", "62": "UnionPay", "9": "Card",
	} {
		s.fill("[name=number]", number)
		require.Contains(t, s.accessible(), "image: "+brand+"\n", number)
	}
}

func (s *shop) types(field, keys, value, problem string) {
	s.Helper()
	selector := "[name=" + field + "]"
	s.fill(selector, "")
	s.press(keys)
	require.Equal(s, value, eval[string](s.tab, "("+at(selector)+").value"), "%s %q", field, keys)
	s.run(evaluate("element.blur()"))
	describedBy := eval[string](s.tab, "("+at(selector)+").getAttribute('aria-describedby')")
	require.Equal(s, problem, eval[string](s.tab, "("+at("#"+describedBy)+").textContent"), "%s %q", field, keys)
	require.Equal(s, fmt.Sprint(problem != ""), eval[string](s.tab, "("+at(selector)+").getAttribute('aria-invalid')"))
}

func TestPaste(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	for _, tt := range []struct{ field, text, value string }{
		{"number", "4242-4242-4242-4242", "4242 4242 4242 4242"},
		{"expiry", "12/2040", "12 / 40"},
		{"expiry", "122040", "12 / 40"},
		{"expiry", "1.40", "01 / 40"},
		{"cvc", " 123 ", "123"},
	} {
		s.fill("[name="+tt.field+"]", "")
		s.insert(tt.text)
		require.Equal(t, tt.value, eval[string](s.tab, "("+at("[name="+tt.field+"]")+").value"), tt.text)
	}
}

// A full field hands on to the next, an empty one back; in the middle of a
// field the caret stays where it is.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	focused := func() string {
		return eval[string](s.tab, "document.activeElement.shadowRoot?.activeElement?.name ?? document.activeElement.id")
	}
	value := func(field string) string { return eval[string](s.tab, "("+at("[name="+field+"]")+").value") }
	s.run(evaluate("element.focus()"))
	s.press("4242424242424242" + "1240" + "123")
	require.Equal(t, []string{"4242 4242 4242 4242", "12 / 40", "123"}, []string{value("number"), value("expiry"), value("cvc")})
	require.Equal(t, "cvc", focused())
	s.press(kb.Backspace + kb.Backspace + kb.Backspace)
	require.Equal(t, "cvc", focused())
	s.press(kb.Backspace)
	require.Equal(t, "expiry", focused())

	s.fill("[name=number]", "42424242")
	s.press(kb.ArrowLeft + kb.ArrowLeft + kb.ArrowLeft + "5" + "6")
	require.Equal(t, "4242 4562 42", value("number"))
	s.press(kb.Backspace)
	require.Equal(t, "4242 4524 2", value("number"))

	s.run(evaluate("element.blur()"), evaluate("("+at("[name=number]")+").focus()"))
	for _, next := range []string{"expiry", "cvc", "country", "postalCode", "save"} {
		s.press(kb.Tab)
		require.Equal(t, next, focused())
	}
	s.run(evaluate(`document.querySelector('form').addEventListener('submit', (e) => { e.preventDefault(); window.submitted = true })`))
	s.click("[name=number]")
	s.press(kb.Enter)
	s.until("window.submitted")
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	s.run(evaluate("element.focus()"))
	s.press("4242424242424242" + "1240" + "123")
	s.fill("[name=postalCode]", "94107")
	s.press(kb.Escape)
	s.run(evaluate("element.blur()"), evaluate("element.clear()"))
	change := func(empty, complete bool) string {
		return fmt.Sprintf(`["change",{"elementType":"payment","empty":%t,"complete":%t,"collapsed":false,"value":{"type":"card"}}]`, empty, complete)
	}
	plain := func(name string) string { return `["` + name + `",{"elementType":"payment"}]` }
	require.Equal(t, "["+strings.Join([]string{
		plain("loaderstart"), plain("ready"), plain("focus"), change(false, false), change(false, true),
		plain("escape"), plain("blur"), change(true, false),
	}, ",")+"]", eval[string](s.tab, "JSON.stringify(events)"))

	require.Equal(t, "1 1 0", eval[string](s.tab, `(() => {
		const n = {on: 0, once: 0, off: 0};
		const off = () => n.off++;
		const chained = element.on('change', () => n.on++).once('change', () => n.once++).on('change', off).off('change', off);
		element.collapse();
		return chained === element && Object.values(n).join(' ');
	})()`))
	require.True(t, eval[bool](s.tab, "events.findLast(([name]) => name === 'change')[1].collapsed"))
	s.click(".Tab")
	require.False(t, eval[bool](s.tab, "events.findLast(([name]) => name === 'change')[1].collapsed"))
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	s.fill("[name=number]", "4242")
	require.Equal(t, "4242", eval[string](s.tab, `(() => { element.unmount(); const gone = !document.querySelector('#here').firstChild; element.mount(document.querySelector('#here')); return gone && `+at("[name=number]")+`.value })()`))
	require.True(t, eval[bool](s.tab, "elements.getElement('payment') === element && elements.getElement('card') === null"))
	for call, want := range map[string]string{
		"elements.create('payment')": "IntegrationError: Can only create one Element of type payment.",
		"elements.create('address')": "IntegrationError: elements.create('address') is not supported by the stand-in for Stripe.js.",
		"element.mount('#nowhere')":  "IntegrationError: The selector you specified (#nowhere) applies to no DOM elements that are currently on the page.",
		"elements.fetchUpdates()":    "{}",
		"elements.submit()":          `{"error":{"type":"validation_error","code":"incomplete_number","message":"Your card number is incomplete."}}`,
	} {
		require.Equal(t, want, s.tried(call), call)
	}
	require.Equal(t, "number", eval[string](s.tab, "document.activeElement.shadowRoot.activeElement.name"), "submit goes to what is wrong")
	s.run(evaluate("element.destroy()"))
	require.Equal(t, "IntegrationError: This Element has been destroyed. Please create a new one.", s.tried("element.mount('#here')"))
	require.True(t, eval[bool](s.tab, "elements.getElement('payment') === null"))
	s.run(evaluate("elements.create('payment').mount('#here')"))
	s.until(shown("[name=number]"))
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	canceled, secret := s.intent(cardsOnly)
	require.NoError(t, s.fake.Resolve(canceled, stripetest.OutcomeCancel))
	bank, bankSecret := s.intent("payment_method_types[]=us_bank_account")
	for given, want := range map[string]string{
		secret:             "terminal state",
		bankSecret:         "A SetupIntent without cards is not supported",
		bank + "_secret_x": "The client_secret provided does not match",
		"seti_1_secret_x":  "No such setupintent: 'seti_1'",
	} {
		require.Contains(t, eval[string](s.tab, `new Promise((done) => {
			const element = stripe.elements({clientSecret: `+quote(given)+`}).create('payment');
			element.on('loaderror', ({elementType, error}) => done(elementType + ' ' + error.message));
			element.mount('#here');
		})`), want)
		require.Contains(t, s.accessible(), "alert:")
	}
}

func TestConfirmDeclined(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	id, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	for number, want := range map[string]string{
		"4000000000000002": "card_error card_declined generic_decline", "4000000000009995": "card_error card_declined insufficient_funds",
		"4000000000000069": "card_error expired_card expired_card", "4000000000000127": "card_error incorrect_cvc incorrect_cvc",
	} {
		s.card(number)
		require.Equal(t, want+" "+id, eval[string](s.tab, `stripe.confirmSetup({elements, redirect: 'if_required'})
			.then(({error: e}) => [e.type, e.code, e.decline_code, e.setup_intent.id].join(' '))`))
	}
	require.Contains(t, s.text(".Form"), "Your card")
	s.card("4242424242424242")
	require.Equal(t, id+" succeeded object", eval[string](s.tab, `stripe.confirmSetup({elements, redirect: 'if_required'}).then(({setupIntent: i}) => [i.id, i.status, typeof i].join(' '))`))
	intent, ok := s.fake.SetupIntent(id)
	require.True(t, ok)
	require.Equal(t, "succeeded", intent.Status)
}

func TestConfirmAlwaysRedirects(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	id, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	s.card("4242424242424242")
	s.run(evaluate(`stripe.confirmSetup({elements, confirmParams: {return_url: location.origin + '/back?a=b'}}); undefined`))
	s.until("location.pathname === '/back'")
	u, err := url.Parse(eval[string](s.tab, "location.href"))
	require.NoError(t, err)
	require.Equal(t, url.Values{"a": {"b"}, "setup_intent": {id}, "setup_intent_client_secret": {secret}, "redirect_status": {"succeeded"}}, u.Query())
}

func TestConfirmDeferred(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	id, secret := s.intent(cardsOnly)
	s.run(evaluate(`window.elements = stripe.elements({mode: 'setup', currency: 'usd'}); elements.create('payment').mount('#here')`))
	s.until(shown("[name=number]"))
	s.card("4242424242424242")
	confirm := `stripe.confirmSetup({elements, clientSecret: ` + quote(secret) + `, redirect: 'if_required', confirmParams: {payment_method_data: {billing_details: {name: 'Ada'}}}})`
	require.Equal(t, "IntegrationError: elements.submit() must be called before stripe.confirmSetup().", s.tried(confirm))
	require.JSONEq(t, `{"selectedPaymentMethod":"card"}`, s.tried("elements.submit()"))
	require.Contains(t, s.tried(confirm), `"status":"succeeded"`)
	intent, _ := s.fake.SetupIntent(id)
	require.Contains(t, s.tried("stripe.createPaymentMethod({elements, params: {billing_details: {name: 'Ada'}}})"), `"name":"Ada"`)
	require.NotEmpty(t, intent.PaymentMethod)
}

func TestConfirmWithoutElements(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for call, want := range map[string]string{
		`stripe.confirmCardSetup(SECRET, {payment_method: 'pm_card_visa'})`:                                                           `"status":"succeeded"`,
		`stripe.confirmCardSetup(SECRET, {payment_method: {card: {token: 'tok_visa'}, billing_details: {name: 'Ada'}}})`:              `"status":"succeeded"`,
		`stripe.confirmCardSetup(SECRET, {payment_method: 'pm_card_chargeDeclined'})`:                                                 `"code":"card_declined"`,
		`stripe.confirmCardSetup(SECRET, {payment_method: 'pm_card_authenticationRequiredOnSetup'}, {handleActions: false})`:          `"status":"requires_action"`,
		`stripe.confirmSetup({clientSecret: SECRET, redirect: 'if_required', confirmParams: {payment_method: 'pm_card_mastercard'}})`: `"status":"succeeded"`,
		`stripe.retrieveSetupIntent(SECRET)`:                                    `"status":"requires_payment_method"`,
		`stripe.handleNextAction({clientSecret: SECRET})`:                       `"status":"requires_payment_method"`,
		`stripe.createPaymentMethod({type: 'card', card: {token: 'tok_amex'}})`: `{"paymentMethod":{"id":"pm_`,
	} {
		_, secret := s.intent(cardsOnly)
		require.Contains(t, s.tried(strings.ReplaceAll(call, "SECRET", quote(secret))), want, call)
	}
}

func TestConfirmCardElement(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.run(evaluate(`window.card = stripe.elements().create('card'); card.mount('#here')`))
	s.until(shown("[name=number]"))
	s.fill("[name=number]", "42424242424242421240123")
	require.Contains(t, s.tried(`stripe.confirmCardSetup(`+quote(secret)+`, {payment_method: {card, billing_details: {address: {postal_code: '94107'}}}})`), `"status":"succeeded"`)
}

func TestNextActions(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, tt := range []struct{ number, button, want string }{
		{"4000002500003155", "complete", `"status":"succeeded"`},
		{"4000002500003155", "fail", `{"error":{"code":"setup_intent_authentication_failure"`},
		{"4000008400001629", "complete", `{"error":{"code":"card_declined"`},
	} {
		_, secret := s.intent(cardsOnly)
		s.mount(secret, "")
		s.card(tt.number)
		s.run(evaluate(`window.outcome = ''; stripe.confirmSetup({elements, redirect: 'if_required'}).then((o) => { outcome = JSON.stringify(o) }); undefined`))
		s.click("[name=" + tt.button + "]")
		s.until("outcome")
		require.Contains(t, eval[string](s.tab, "outcome"), tt.want)
		require.Equal(t, 0, eval[int](s.tab, "document.querySelectorAll('.__StripeStandInChallenge').length"))
	}
}

func TestBankDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	s.card("4000002500003155")
	s.run(evaluate(`window.outcome = ''; stripe.confirmSetup({elements, redirect: 'if_required'}).then((o) => { outcome = JSON.stringify(o) }); undefined`))
	s.until(shown("dialog"))
	s.answer(s.fake.URL+"/redirect/", func(string) (int64, string, []byte) { return 0, "", nil })
	s.click("[name=complete]")
	s.until(at(".problem") + ".textContent.includes('connection')")
	s.answer(s.fake.URL+"/redirect/", nil)
	s.click("[name=complete]")
	s.until("outcome")
	require.Contains(t, eval[string](s.tab, "outcome"), `"status":"succeeded"`)
}

func TestRedirectToBank(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	back := s.site + "/back"
	_, secret := s.intent(cardsOnly + "&confirm=true&payment_method=pm_card_authenticationRequired&return_url=" + url.QueryEscape(back))
	s.run(evaluate(`stripe.handleNextAction({clientSecret: ` + quote(secret) + `}); undefined`))
	s.until("location.href.startsWith(" + quote(s.fake.URL+"/redirect/") + ")")
	s.click("button[value=complete]")
	s.until("location.pathname === '/back'")
	require.Contains(t, eval[string](s.tab, "location.search"), "redirect_status=succeeded")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	for call, want := range map[string]string{
		"Stripe('pk_live_1')":                                   "IntegrationError: This is a stand-in for Stripe.js, for tests: it takes pk_test_ keys alone.",
		"Stripe('sk_test_1')":                                   "IntegrationError: You should not use your secret key with Stripe.js.",
		"Stripe()":                                              "IntegrationError: Missing value for Stripe(): apiKey should be a string.",
		"stripe.confirmPayment()":                               `"code":"stand_in_unsupported"`,
		"stripe.createConfirmationToken()":                      `{"error":{"type":"invalid_request_error","code":"stand_in_unsupported","message":"stripe.createConfirmationToken() is not supported by the stand-in for Stripe.js."}}`,
		"stripe.retrieveSetupIntent('" + secret + "!')":         "IntegrationError: Invalid value for stripe.retrieveSetupIntent(): clientSecret should be a client secret of the form ${id}_secret_${secret}.",
		"stripe.elements({mode: 'payment'})":                    "IntegrationError",
		"stripe.confirmSetup({clientSecret: '" + secret + "'})": "IntegrationError: Missing value for stripe.confirmSetup(): confirmParams.return_url",
	} {
		got := s.tried(call)
		require.Contains(t, got, want, call)
		require.NotContains(t, got, "_secret_1")
		require.NotContains(t, got, secret)
	}
	require.Equal(t, "3 true", eval[string](s.tab, "[Stripe.version, Stripe.standIn].join(' ')"))
	s.answer(s.fake.URL+"/v1/", func(string) (int64, string, []byte) { return 502, "text/html", []byte("<html>") })
	require.Contains(t, s.tried(`stripe.retrieveSetupIntent(`+quote(secret)+`)`), `{"error":{"type":"api_error"`)
	s.answer(s.fake.URL+"/v1/", func(string) (int64, string, []byte) { return 0, "", nil })
	require.Contains(t, s.tried(`stripe.retrieveSetupIntent(`+quote(secret)+`)`), `{"error":{"type":"api_connection_error"`)
}

// Where the stand-in finds the API, when it was not loaded from there.
func TestWhereTheAPIIs(t *testing.T) {
	t.Parallel()
	fake := stripetest.NewServer(t, nil)
	for name, tt := range map[string]struct{ before, attributes, want string }{
		"from Stripe's URL": {want: "resource_missing"},
		"a variable":        {before: "window.STRIPE_STAND_IN_API = " + quote(fake.URL+"/") + ";", want: "resource_missing"},
		"an attribute":      {attributes: `data-api="` + fake.URL + `"`, want: "resource_missing"},
		"never Stripe's":    {attributes: `data-api="https://api.stripe.com"`, want: "no Stripe"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t)
			site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `<script>%s</script><script src="https://js.stripe.com/v3/" %s></script>`, tt.before, tt.attributes)
			}))
			t.Cleanup(site.Close)
			b.answer("https://js.stripe.com/", func(string) (int64, string, []byte) {
				script, err := fetchFrom(fake.URL + "/v3/")
				if err != nil {
					return 0, "", nil
				}
				return 200, "text/javascript", script
			})
			b.open(site.URL)
			require.Equal(t, tt.want, eval[string](b, `window.Stripe
				? Stripe('pk_test_demo').retrieveSetupIntent('seti_1_secret_1').then(({error}) => error.code)
				: 'no Stripe'`))
		})
	}
}

func TestAppearance(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	style := func(property string) string {
		return eval[string](s.tab, "getComputedStyle("+at("[name=number]")+")[`"+property+"`]")
	}
	_, secret := s.intent(cardsOnly)
	s.mount(secret, `appearance: {theme: 'night', variables: {borderRadius: '9px', fontFamily: 'Georgia', colorText: 'rgb(1, 2, 3)'},
		rules: {'.Input': {paddingTop: '21px'}, 'body .Input': {paddingTop: '99px'}, '.Label': {color: 'red'}}}`)
	require.Equal(t, []string{"9px", "Georgia", "rgb(1, 2, 3)", "rgb(48, 49, 61)", "21px"},
		[]string{style("borderTopLeftRadius"), style("fontFamily"), style("color"), style("backgroundColor"), style("paddingTop")})
	s.run(evaluate(`elements.update({appearance: {theme: 'flat'}})`))
	require.Equal(t, []string{"5px", "rgb(241, 242, 245)", "12px"}, []string{style("borderTopLeftRadius"), style("backgroundColor"), style("paddingTop")})
	s.run(evaluate(`element.update({business: {name: 'Analytical Engines'}, fields: {billingDetails: {address: 'never'}}})`))
	require.Contains(t, s.text(".Terms"), "you allow Analytical Engines to charge your card")
	require.False(t, eval[bool](s.tab, shown("[name=country]")))
	s.run(evaluate(`element.update({fields: {}, terms: {card: 'never'}})`))
	require.False(t, eval[bool](s.tab, shown(".Terms")))
	s.run(evaluate(`(() => { const c = ` + at("[name=country]") + `; c.value = 'DE'; c.dispatchEvent(new Event('input')) })()`))
	require.False(t, eval[bool](s.tab, shown("[name=postalCode]")), "Germany's is not asked for")
	for _, line := range s.said() {
		require.NotContains(t, line, "Content Security Policy")
	}
}

func TestElementIsAccessible(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, secret := s.intent(cardsOnly)
	s.mount(secret, "")
	tree := s.accessible()
	for _, want := range []string{
		"group: Card\n", "textbox: Card number\n", "textbox: Expiration date\n", "textbox: Security code\n", "combobox: Country\n", "textbox: ZIP code\n",
	} {
		require.Contains(t, tree, want)
	}
	for theme, page := range map[string]string{"stripe": "white", "flat": "white", "night": "#1a1b25"} {
		s.run(evaluate(`document.querySelector('main').style = 'max-width: 25rem; margin: 2rem auto; padding: 1rem; color: gray; background: ` + page + `'; elements.update({appearance: {theme: '` + theme + `'}})`))
		s.tried("elements.submit()")
		s.look("theme-" + theme)
	}
	require.Equal(t, 4, eval[int](s.tab, `document.querySelector('.__StripeStandIn').shadowRoot.querySelectorAll('[aria-invalid=true]').length`))
}

func fetchFrom(u string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}
