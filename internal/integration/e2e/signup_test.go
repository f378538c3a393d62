//go:build e2e

package e2e_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

const confirmRoute = "POST /v1/setup_intents/:id/confirm"

// look takes screenshots of the page, and checks that everybody can use it.
func (b *tab) look(name string) {
	b.Helper()
	b.shot(name)
	b.accessibleToAll()
}

// begin fills in the e-mail, and waits for the payment element.
func (b *tab) begin(d *demo) {
	b.Helper()
	b.open(d.site)
	b.until(shown("#details"))
	b.fill("#email", "ada@example.com")
	b.press("\r")
	b.paymentElement()
}

func (b *tab) paymentElement() {
	b.Helper()
	b.until(shown("[name=number]"))
	b.until(ready("#save"))
}

// card fills in a card, as somebody does who types it all at once: a full field
// hands on to the next.
func (b *tab) card(number string) {
	b.Helper()
	b.fill("[name=cvc]", "")
	b.fill("[name=expiry]", "")
	b.fill("[name=number]", number+"1234"+"567")
	b.fill("[name=postalCode]", "94107")
}

// done waits for the end, and checks that it is one.
func (b *tab) done(d *demo) {
	b.Helper()
	b.until(shown("#done"))
	require.Contains(b, b.text("#done"), "ada@example.com")
	require.Empty(b, eval[map[string]string](b, "({...sessionStorage})"))
	_, status := d.intent()
	require.Equal(b, "succeeded", status)
	b.noLeak(d.site)
}

func TestDeclinedThenSaved(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.open(d.site)
	b.until(shown("#details"))
	b.look("1-details")
	b.begin(d)
	b.look("2-payment")
	id, status := d.intent()
	require.Equal(t, "requires_payment_method", status)

	b.click("#save")
	b.until(`document.activeElement.classList.contains('__StripeStandIn')`)
	require.Contains(t, b.text(".Form"), "Your card number is incomplete.")
	require.False(t, eval[bool](b, "!!"+shown("#notice")))
	require.Zero(t, d.calls(confirmRoute), "what the page can tell itself is not asked")
	b.look("3-incomplete")

	b.card("4000000000000002")
	d.control("latency", `{"ms": 2500, "method": "POST", "path": "/v1/setup_intents/:id/confirm"}`)
	b.click("#save")
	b.until("(" + at("#save") + ").disabled")
	b.press("\r\r") // to no avail: one is under way
	b.run(evaluate(`document.querySelector('#payment').requestSubmit()`))
	b.look("4-saving")
	b.until(shown("#notice"))
	require.Contains(t, b.text("#notice"), "Your card was declined.")
	require.Contains(t, b.text(".Form"), "Your card was declined.")
	require.Equal(t, "true", eval[string](b, "("+at("[name=number]")+").getAttribute('aria-invalid')"))
	require.Equal(t, 1, d.calls(confirmRoute))
	b.look("5-declined")

	b.card("4242424242424242")
	b.press("\r")
	b.done(d)
	after, _ := d.intent()
	require.Equal(t, id, after, "the same intent took both cards")
	require.Equal(t, 2, d.calls(confirmRoute))
	require.Equal(t, 1, d.calls("POST /v1/setup_intents"))
	b.look("6-done")
}

func TestDark(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	b.scheme("dark")
	b.card("4000000000000002")
	b.press("\r")
	b.until(shown("#notice"))
	b.look("dark-declined")
	b.card("4000002500003155")
	b.press("\r")
	b.until(shown("dialog"))
	require.Equal(t, "rgb(24, 28, 40)", eval[string](b, "getComputedStyle("+at("dialog")+").backgroundColor"))
	b.look("dark-3ds")
	b.click("[name=complete]")
	b.done(d)
	b.look("dark-done")
}

func TestThreeDSecure(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	id, _ := d.intent()

	for name, fail := range map[string]func(){
		"button": func() { b.click("[name=fail]") },
		"Escape": func() { b.press(kb.Escape) },
	} {
		b.card("4000002500003155")
		b.press("\r")
		b.until(shown("dialog"))
		_, status := d.intent()
		require.Equal(t, "requires_action", status)
		b.look("3ds-dialog")
		fail()
		b.until(shown("#notice"))
		require.Contains(t, b.text("#notice"), "We are unable to authenticate your payment method.", name)
		require.False(t, eval[bool](b, "!!"+shown("dialog")))
		_, status = d.intent()
		require.Equal(t, "requires_payment_method", status)
	}
	b.look("3ds-failed")

	b.card("4000002500003155")
	b.press("\r")
	b.until(shown("dialog"))
	b.click("[name=complete]")
	b.done(d)
	after, _ := d.intent()
	require.Equal(t, id, after)
}

// On a small phone, what went wrong is in view, and where the keyboard is.
func TestNoticeIsInView(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fail func(*tab, *demo)
		want string
	}{
		"3D Secure": {func(b *tab, _ *demo) {
			b.card("4000002500003155")
			b.click("#save")
			b.until(shown("dialog"))
			require.False(b, eval[bool](b, "!!"+shown("dialog .hint")), "there is no Esc")
			b.click("[name=fail]")
		}, "Nothing was saved. Try again, or use another card."},
		"500": {func(b *tab, d *demo) {
			b.card("4242424242424242")
			d.control("faults", `{"method": "POST", "path": "/v1/setup_intents/:id/confirm"}`)
			b.click("#save")
		}, "The payment service does not answer right now."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, b := startDemo(t), newTab(t)
			b.run(chromedp.EmulateViewport(360, 640, chromedp.EmulateMobile, chromedp.EmulateTouch))
			b.begin(d)
			tt.fail(b, d)
			b.until(shown("#notice"))
			b.until(ready("#save"))
			require.Contains(t, b.text("#notice"), tt.want)
			require.Equal(t, "notice", eval[string](b, "document.activeElement.id"))
			place := eval[[]float64](b, "(({top, bottom}) => [top, bottom])("+at("#notice")+".getBoundingClientRect())")
			require.GreaterOrEqual(t, place[0], 0.0)
			require.LessOrEqual(t, place[1], 640.0)
		})
	}
}

// What a keyboard and a screen reader find in the dialog.
func TestDialogIsAccessible(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	b.card("4000000000003220")
	b.press("\r")
	b.until(shown("dialog"))
	b.until(shown("dialog .hint"))
	root := at("dialog") + ".getRootNode()"
	for _, want := range []string{"complete", "fail", "complete", "fail"} {
		require.Equal(t, want, eval[string](b, root+".activeElement.name"))
		b.press("\t")
	}
	require.Contains(t, b.accessible(), "dialog: Confirm that it’s you")
	require.NotContains(t, b.accessible(), "textbox: Card number", "the page behind it is inert")
	b.press("\r") // on Complete
	b.done(d)
}

func TestReload(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	id, _ := d.intent()
	b.card("4000002500003155")
	reload := func() {
		b.open(d.site)
		b.paymentElement()
		require.Contains(t, b.text("#payment"), "ada@example.com")
		require.Empty(t, eval[string](b, "("+at("[name=number]")+").value"))
		again, _ := d.intent()
		require.Equal(t, id, again)
		b.noLeak(d.site)
	}
	reload() // before anything is sent

	b.card("4000000000000002")
	b.press("\r")
	b.until(shown("#notice"))
	reload() // after a decline

	b.card("4000002500003155")
	b.press("\r")
	b.until(shown("dialog"))
	reload() // while the bank waits

	b.card("5555555555554444")
	b.press("\r")
	b.done(d)
	require.Equal(t, 1, d.calls("POST /v1/setup_intents"))
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	other := b.beside()
	other.begin(d) // the same e-mail
	b.card("4242424242424242")
	b.press("\r")
	b.done(d)

	other.card("5555555555554444")
	other.press("\r")
	other.done(d)
	require.Equal(t, 1, d.calls("POST /v1/setup_intents"))
}

func TestOver(t *testing.T) {
	t.Parallel()
	for code, message := range map[string]string{
		"pending_not_found": "We do not know this signup any more.",
		"abandoned":         "This signup is no longer open: its time is over, or too many cards were declined.",
		"cancelled":         "This signup was cancelled.",
		"closing":           "This signup is being closed.",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			d, b := startDemo(t), newTab(t)
			b.begin(d)
			if code == "pending_not_found" { // as after a restart of the demo, which keeps all in memory
				b.run(evaluate(`sessionStorage.setItem('pendingId', '0123456789abcdef01234567')`))
			} else {
				b.answer(d.site+"/v2/signup/pending/", func(string) (int64, string, []byte) {
					return 400, "application/json", []byte(`{"detail":"` + code + `"}`)
				})
			}
			b.open(d.site)
			b.until(shown("#notice"))
			require.Contains(t, b.text("#notice"), message)
			require.True(t, eval[bool](b, shown("#details")))
			require.Empty(t, eval[map[string]string](b, "({...sessionStorage})"))
			b.look("over-" + code)
			b.noLeak(d.site)
		})
	}
}

// A signup that takes too long, of which the page hears when it sends the card.
func TestExpired(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t, "-ttl", "6s", "-sweep", "100ms"), newTab(t)
	b.begin(d)
	b.card("4242424242424242")
	d.canceled()
	b.press("\r")
	b.until(shown("#notice"))
	require.Contains(t, b.text("#notice"), "This signup is no longer open: its time is over, or too many cards were declined.")
	b.noLeak(d.site)

	b.fill("#email", "ada@example.com") // again, on another row
	b.press("\r")
	b.paymentElement()
	require.Len(t, d.intents(), 2)
}

// After five cards the row is closed, whatever the sixth is.
func TestTooManyCards(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t, "-sweep", "100ms"), newTab(t)
	b.begin(d)
	b.card("4000000000000002")
	for range 5 {
		b.until(ready("#save"))
		b.press("\r")
		b.until(shown("#notice"))
	}
	d.canceled()
	b.card("4242424242424242")
	b.press("\r")
	b.until(shown("#details"))
	b.until(shown("#notice"))
	require.Contains(t, b.text("#notice"), "This signup is no longer open: its time is over, or too many cards were declined.")
	b.noLeak(d.site)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	b.answer(d.site+"/v2/signup/pending/", func(string) (int64, string, []byte) {
		return 503, "application/json", []byte(`{"detail":"unavailable"}`)
	})
	b.open(d.site)
	b.until(shown("#notice"))
	require.Contains(t, b.text("#notice"), "does not answer right now")
	require.Equal(t, "Try again", b.text("#save"))
	b.look("outage")
	b.answer(d.site+"/v2/signup/pending/", nil)
	b.click("#save")
	b.paymentElement()
	b.card("4242424242424242")
	b.press("\r")
	b.done(d)
}

func TestNoStripeJS(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.answer(d.fake+"/v3/", func(string) (int64, string, []byte) { return 0, "", nil })
	b.open(d.site)
	b.until(shown("#details"))
	b.fill("#email", "ada@example.com")
	b.press("\r")
	b.until(shown("#notice"))
	require.Contains(t, b.text("#notice"), "The payment form could not be loaded.")
	b.answer(d.fake+"/v3/", nil)
	b.click("#save")
	b.paymentElement()
	b.noLeak(d.site)
}

func TestTakenEmail(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	b.card("4242424242424242")
	b.press("\r")
	b.done(d)
	b.click("#done [data-restart]")
	b.fill("#email", "ada@example.com")
	b.press("\r")
	b.until(shown("#notice"))
	require.Contains(t, b.text("#notice"), "There is an account with this e-mail already.")
}

// A bank that takes its time, and Stripe's way back from it.
func TestProcessingAndReturn(t *testing.T) {
	t.Parallel()
	d, b := startDemo(t), newTab(t)
	b.begin(d)
	id, _ := d.intent()
	d.control("setup_intents/"+id, `{"outcome":"process"}`)
	b.open(d.site)
	b.until(shown("#waiting"))
	b.look("waiting")
	b.click("#waiting button")
	b.until(ready("#waiting button"))
	d.control("clock", `{"advance":"4m"}`)

	secret := d.secret(id)
	b.open(d.site + "/?setup_intent=" + id + "&setup_intent_client_secret=" + secret + "&redirect_status=succeeded")
	b.until(shown("#done"))
	require.Equal(t, d.site+"/", eval[string](b, "location.href"))
	require.NotContains(t, eval[string](b, "document.documentElement.outerHTML + JSON.stringify({...sessionStorage})"), "_secret_")
	for _, r := range b.asked() {
		if r.method == "POST" {
			require.NotContains(t, r.url, "_secret_")
		}
	}
	require.NotContains(t, b.said(), "_secret_")
}
