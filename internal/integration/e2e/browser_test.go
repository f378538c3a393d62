//go:build e2e

package e2e_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

const patience = 20 * time.Second // for anything that a page is waited for

// chromium is the one browser of the tests; each test has a profile of its own
// in it.
var (
	chromium    context.Context
	errChromium error // why there is none
)

func TestMain(m *testing.M) {
	defer func() { _ = os.RemoveAll(binaries) }()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium")),
		chromedp.NoSandbox, // CI is root
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// Without a screen it takes itself for one with neither mouse nor fingers.
		chromedp.Flag("blink-settings", "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	var quit context.CancelFunc
	chromium, quit = chromedp.NewContext(allocator, chromedp.WithErrorf(complainf)) //nolint:fatcontext // it is as long-lived as the tests
	defer quit()
	errChromium = chromedp.Run(chromium)
	m.Run()
}

func complainf(format string, args ...any) {
	if format != "unhandled node event %T" { // of a Chromium newer than chromedp
		fmt.Fprintf(os.Stderr, "chromedp: "+format+"\n", args...)
	}
}

// A tab is a page open in the browser, and what it has let out.
type tab struct {
	*testing.T
	ctx     context.Context
	profile cdp.BrowserContextID

	mu       sync.Mutex
	console  []string
	requests []request
	answers  map[string]func(url string) (status int64, contentType string, body []byte)
}

type request struct{ method, url string }

// newTab opens a tab in a profile of its own.
func newTab(t *testing.T) *tab {
	t.Helper()
	require.NoError(t, errChromium, "no Chromium; make e2e installs it")
	browser := cdp.WithExecutor(chromium, chromedp.FromContext(chromium).Browser)
	profile, err := target.CreateBrowserContext().Do(browser)
	require.NoError(t, err)
	t.Cleanup(func() { _ = target.DisposeBrowserContext(profile).Do(browser) }) // it ends with the browser, if not before
	return openTab(t, profile)
}

// beside opens another tab of the same profile.
func (b *tab) beside() *tab { return openTab(b.T, b.profile) }

func openTab(t *testing.T, profile cdp.BrowserContextID) *tab {
	t.Helper()
	// A profile's first tab needs a window, which chromedp does not ask for.
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).
		Do(cdp.WithExecutor(chromium, chromedp.FromContext(chromium).Browser))
	require.NoError(t, err)
	ctx, closeTab := chromedp.NewContext(chromium, chromedp.WithTargetID(id))
	t.Cleanup(closeTab)
	b := &tab{T: t, ctx: ctx, profile: profile, answers: map[string]func(string) (int64, string, []byte){}}
	chromedp.ListenTarget(ctx, b.listen)
	b.run(emulation.SetFocusEmulationEnabled(true), // each tab has the focus, as it has when a person looks at it
		network.Enable(), log.Enable(), runtime.Enable(), page.Enable(),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-reduced-motion", Value: "reduce"}, {Name: "prefers-color-scheme", Value: "light"},
		}),
		chromedp.EmulateViewport(desktop.width, desktop.height))
	return b
}

// listen notes what the page says, and asks for. It must not wait for the browser.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			b.console = append(b.console, e.Type.String()+": "+string(arg.Value)+" "+arg.Description)
		}
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, "exception: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		b.console = append(b.console, e.Entry.Text+" "+e.Entry.URL)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, request{e.Request.Method, e.Request.URL})
	case *fetch.EventRequestPaused:
		go b.fulfill(e)
	}
}

// answer has all requests whose URL begins so answered by the test itself. A
// status of 0 is no answer at all.
func (b *tab) answer(urlPrefix string, with func(url string) (status int64, contentType string, body []byte)) {
	b.mu.Lock()
	b.answers[urlPrefix] = with
	var patterns []*fetch.RequestPattern
	for prefix := range b.answers {
		patterns = append(patterns, &fetch.RequestPattern{URLPattern: prefix + "*"})
	}
	b.mu.Unlock()
	b.run(fetch.Enable().WithPatterns(patterns))
}

func (b *tab) fulfill(e *fetch.EventRequestPaused) {
	b.mu.Lock()
	var with func(string) (int64, string, []byte)
	for prefix, f := range b.answers {
		if strings.HasPrefix(e.Request.URL, prefix) {
			with = f
		}
	}
	b.mu.Unlock()
	var action chromedp.Action = fetch.ContinueRequest(e.RequestID)
	if with != nil && e.Request.Method != http.MethodOptions { // whether it may ask is not the matter
		status, contentType, body := with(e.Request.URL)
		if status == 0 {
			action = fetch.FailRequest(e.RequestID, network.ErrorReasonConnectionRefused)
		} else {
			action = fulfillment(e.RequestID, status, contentType, body)
		}
	}
	_ = chromedp.Run(b.ctx, action) // the tab may be gone
}

func (b *tab) run(actions ...chromedp.Action) {
	b.Helper()
	// Not a context with a deadline: the first run's context is the tab's life.
	require.NoError(b, chromedp.Run(b.ctx, actions...))
}

func (b *tab) open(url string) {
	b.Helper()
	b.run(chromedp.Navigate(url))
}

// eval returns what an expression or a promise of the page comes to.
func eval[T any](b *tab, expression string) (v T) {
	b.Helper()
	await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	b.run(chromedp.Evaluate(expression, &v, await))
	return v
}

// until waits for an expression to be true, across navigations.
func (b *tab) until(expression string) {
	b.Helper()
	var last error
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		ok := false
		if last = chromedp.Run(b.ctx, chromedp.Evaluate("!!("+expression+")", &ok)); ok {
			return
		}
	}
	require.FailNow(b, "waited in vain", "for %s\nerror: %v\npage: %s\nconsole: %q", expression, last, eval[string](b, "document.body.innerText"), b.said())
}

// at is an expression for the first element of a selector, in the page or in
// the stand-in's shadow roots.
func at(selector string) string {
	quoted := quote(selector)
	return `[document, ...[...document.querySelectorAll('.__StripeStandIn, .__StripeStandInChallenge')].map((host) => host.shadowRoot)]` +
		`.map((root) => root.querySelector(` + quoted + `)).find(Boolean)`
}

func quote(s string) string {
	quoted, _ := json.Marshal(s) // a string always encodes
	return string(quoted)
}

func shown(selector string) string { return "(" + at(selector) + ")?.checkVisibility()" }
func ready(selector string) string {
	return shown(selector) + " && !(" + at(selector) + ").disabled"
}

func (b *tab) text(selector string) string {
	b.Helper()
	return eval[string](b, "("+at(selector)+").innerText")
}

// click clicks as a mouse does, at the middle of the element.
func (b *tab) click(selector string) {
	b.Helper()
	b.until(ready(selector))
	middle := eval[[]float64](b, `(() => { const node = `+at(selector)+`; node.scrollIntoView({block: 'center'}); const r = node.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`)
	b.run(chromedp.MouseClickXY(middle[0], middle[1]))
}

// fill clicks into a field, empties it and types.
func (b *tab) fill(selector, text string) {
	b.Helper()
	b.click(selector)
	if eval[bool](b, "("+at(selector)+").value !== ''") {
		b.run(evaluate("(" + at(selector) + ").select()"))
		b.press(kb.Backspace)
	}
	b.press(text)
}

// press presses keys, one after the other.
func (b *tab) press(keys string) {
	b.Helper()
	b.run(chromedp.KeyEvent(keys))
}

// insert is a paste: all of a text at once.
func (b *tab) insert(text string) {
	b.Helper()
	b.run(input.InsertText(text))
}

func (b *tab) said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.console)
}

func (b *tab) asked() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// A size is one that screenshots are taken at.
type size struct {
	name          string
	width, height int64
	scale         float64
	phone         bool
}

var (
	desktop = size{"desktop", 1180, 860, 1, false}
	phone   = size{"phone", 390, 844, 2, true}
)

// shot takes screenshots of the whole page, or of what is in view under a
// dialog, at a desktop's size and at a phone's.
func (b *tab) shot(name string) {
	b.Helper()
	dir := os.Getenv("ARTIFACTS")
	if dir == "" {
		return
	}
	require.NoError(b, os.MkdirAll(dir, 0o755))
	for _, s := range []size{phone, desktop} {
		options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(s.scale)}
		if s.phone {
			options = append(options, chromedp.EmulateMobile)
		}
		var png []byte
		var capture chromedp.Action = chromedp.FullScreenshot(&png, 100)
		if eval[bool](b, "!!"+shown("dialog")) {
			capture = chromedp.CaptureScreenshot(&png)
		}
		b.run(chromedp.EmulateViewport(s.width, s.height, options...),
			chromedp.Evaluate("scrollTo(0, 0)", nil),
			chromedp.Sleep(150*time.Millisecond), // a frame or two in the new size
			capture)
		require.NoError(b, os.WriteFile(filepath.Join(dir, name+"-"+s.name+".png"), png, 0o644))
	}
	b.run(chromedp.EmulateViewport(desktop.width, desktop.height))
}

func (b *tab) scheme(name string) {
	b.Helper()
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-reduced-motion", Value: "reduce"}, {Name: "prefers-color-scheme", Value: name},
	}))
}

// noLeak checks that no client secret is where one may be found: in the tab's
// URLs, its storage, its console, the page's own markup, or a request to the
// site. It checks too that the page broke none of its own rules.
func (b *tab) noLeak(site string) {
	b.Helper()
	const mark = "_secret_"
	storage := eval[string](b, `JSON.stringify([location.href, {...sessionStorage}, {...localStorage}, document.cookie, history.state, document.documentElement.outerHTML])`)
	require.NotContains(b, storage, mark)
	var history string
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, entries, err := page.GetNavigationHistory().Do(ctx)
		for _, entry := range entries {
			history += entry.URL + "\n"
		}
		return err
	}))
	require.NotContains(b, history, mark)
	for _, r := range b.asked() {
		if strings.HasPrefix(r.url, site) {
			require.NotContains(b, r.url, mark)
		}
	}
	for _, line := range b.said() {
		require.NotContains(b, line, mark)
		require.NotContains(b, line, "Content Security Policy")
		require.NotContains(b, line, "exception: ")
	}
}

func fulfillment(id fetch.RequestID, status int64, contentType string, body []byte) chromedp.Action {
	return fetch.FulfillRequest(id, status).
		WithResponseHeaders([]*fetch.HeaderEntry{{Name: "Content-Type", Value: contentType}, {Name: "Access-Control-Allow-Origin", Value: "*"}}).
		WithBody(base64.StdEncoding.EncodeToString(body))
}

// evaluate runs a script whose result does not matter.
func evaluate(script string) chromedp.Action { return chromedp.Evaluate(script, nil) }

// accessible is the page as a screen reader finds it: a line for each node, of
// its role and its name.
func (b *tab) accessible() string {
	b.Helper()
	type named struct {
		Value any `json:"value"`
	}
	var tree struct { // cdproto's own does not know all that this Chromium says
		Nodes []struct {
			Ignored bool  `json:"ignored"`
			Role    named `json:"role"`
			Name    named `json:"name"`
		} `json:"nodes"`
	}
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree)
	}))
	var lines strings.Builder
	for _, node := range tree.Nodes {
		if !node.Ignored {
			fmt.Fprintf(&lines, "%v: %v\n", node.Role.Value, node.Name.Value)
		}
	}
	return lines.String()
}

// accessibleToAll has axe look at the page as it is, against WCAG 2.2 AA.
func (b *tab) accessibleToAll() {
	b.Helper()
	axe, err := os.ReadFile("web/node_modules/axe-core/axe.min.js")
	require.NoError(b, err, "installed by npm ci, in web/ (make e2e does it)")
	b.run(evaluate(string(axe)))
	require.Empty(b, eval[[]string](b, `axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(({violations}) =>
		violations.flatMap((v) => v.nodes.map((n) => [v.id, n.target.join(' '), n.failureSummary].join(': '))))`))
}
