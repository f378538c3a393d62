package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

const adapter = "../../../httpadapter"

// An exchange is what httpadapter's tests write down of one: see exchange_test.go
// there.
type exchange struct {
	Hostile    bool        `json:"hostile"`
	Dialect    string      `json:"dialect"`
	Configured bool        `json:"configured"`
	Endpoint   string      `json:"endpoint"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Asked      http.Header `json:"asked"`
	Sent       []byte      `json:"sent"`
	Status     int         `json:"status"`
	Header     http.Header `json:"header"`
	Body       []byte      `json:"body"`
}

func (e exchange) request() *http.Request {
	r, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(e.Sent))
	if err != nil {
		panic(err)
	}
	r.Header = e.Asked
	return r
}

func (e exchange) String() string {
	return fmt.Sprintf("%s: %s %s %.100q was answered with %d %v %s", e.Dialect, e.Method, e.Path, e.Sent, e.Status, e.Header, e.Body)
}

// exchanges are those of all of httpadapter's tests, which it runs.
var exchanges = sync.OnceValues(func() (all []exchange, err error) {
	dir, err := os.MkdirTemp("", "exchanges")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "exchanges")
	cmd := exec.Command("go", "test", "-count=1", "-timeout=5m", ".", "-args", "-exchanges="+file)
	cmd.Dir = adapter
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	for lines := json.NewDecoder(f); ; {
		var e exchange
		switch err := lines.Decode(&e); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, e)
	}
})

// A ledger is what was seen of a dialect.
type ledger struct {
	*document
	words   map[string]bool // as entry has them, of what was answered
	set     map[string]bool // the parameters of forms, by operation
	checked int
	bodies  int
	hostile int
}

// TestExchanges holds what every handler in httpadapter's tests was asked and
// answered against the document of its dialect.
func TestExchanges(t *testing.T) {
	t.Parallel()
	all, err := exchanges()
	require.NoError(t, err)
	seen := ledgers(t, all)
	for _, e := range all {
		if e.Endpoint == "listed" || e.Configured {
			continue
		}
		require.NoError(t, seen[e.Dialect].check(e), "%s", e)
		if e.Hostile {
			seen[e.Dialect].hostile++
		}
	}
	for name, l := range seen {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.complete(t)
		})
		require.GreaterOrEqual(t, l.hostile, 25)
		t.Logf("%s: %d answers, %d of them to the hostile table, and %d bodies of requests: none outside the document",
			name, l.checked, l.hostile, l.bodies)
	}
}

// ledgers are those of all dialects, which have their routes in the exchanges.
func ledgers(t *testing.T, all []exchange) map[string]*ledger {
	t.Helper()
	seen := map[string]*ledger{}
	for name, dialect := range dialects {
		seen[name] = &ledger{document: load(t, served(t, dialect)), words: map[string]bool{}, set: map[string]bool{}}
	}
	for _, e := range all {
		if e.Endpoint == "listed" {
			require.Contains(t, seen, e.Dialect)
			require.NoError(t, seen[e.Dialect].listed(e.Method, e.Path), e.Dialect)
		}
	}
	return seen
}

// TestSpoilt: what is not in the document is found.
func TestSpoilt(t *testing.T) {
	t.Parallel()
	all, err := exchanges()
	require.NoError(t, err)
	seen := ledgers(t, all)
	spoilt := 0
	for _, e := range all {
		if e.Configured || !e.Hostile || !strings.HasPrefix(e.Header.Get("Content-Type"), "application/") {
			continue
		}
		var body map[string]any
		require.NoError(t, json.Unmarshal(e.Body, &body))
		for what, spoil := range map[string]func(e *exchange, body map[string]any){
			"status":            func(e *exchange, _ map[string]any) { e.Status = http.StatusTeapot },
			"content type":      func(e *exchange, _ map[string]any) { e.Header.Set("Content-Type", "text/plain") },
			"a member too many": func(_ *exchange, body map[string]any) { body["surprise"] = true },
			"no members":        func(_ *exchange, body map[string]any) { clear(body) },
			"numbers": func(_ *exchange, body map[string]any) {
				for name := range body {
					body[name] = 1.5
				}
			},
		} {
			if _, isDocument := body["openapi"]; isDocument && what == "a member too many" {
				continue
			}
			other, members := e, maps.Clone(body)
			other.Header = e.Header.Clone()
			spoil(&other, members)
			other.Body, err = json.Marshal(members)
			require.NoError(t, err)
			require.Error(t, seen[e.Dialect].check(other), "%s: %s", what, other)
			spoilt++
		}
	}
	t.Logf("%d spoilt answers", spoilt)
}

// numbered are the headers that name the request, in every answer but those to
// webhooks.
var numbered = map[string]string{"OrbitKit": "X-Request-Id", "Stripe": "Request-Id"}

// check finds the operation that the exchange is of, and checks it.
func (l *ledger) check(e exchange) error {
	l.checked++
	var candidates []operation // all must agree
	item := (*openapi3.PathItem)(nil)
	operations := l.operations(l.closed)
	under := func(prefix string) {
		for _, o := range operations {
			if _, path, _ := strings.Cut(o.name, " "); path == prefix {
				candidates = append(candidates, o)
				item = o.item
			}
		}
	}
	if name := numbered[e.Dialect]; name != "" && e.Endpoint != "any" && e.Endpoint != "webhook" && e.Header.Get(name) == "" {
		return fmt.Errorf("the answer has no %s", name)
	}
	switch e.Endpoint {
	case "any":
		return l.any(operations, e)
	case "webhook":
		under("webhook event")
	case "":
		under(l.find(e.Path))
	default:
		under(l.find("/" + e.Endpoint))
	}
	switch {
	case item == nil:
		// No such path: the answer is as all operations have it, if they do.
		if e.Status < 400 {
			return fmt.Errorf("no path of the document is %s", e.Path)
		}
		candidates = slices.DeleteFunc(operations, func(o operation) bool {
			return strings.Contains(o.name, "webhook") || o.op.Responses.Status(e.Status) == nil
		})
	case item.GetOperation(strings.ToUpper(e.Method)) != nil && e.Method == strings.ToUpper(e.Method):
		candidates = slices.DeleteFunc(candidates, func(o operation) bool { return !strings.HasPrefix(o.name, e.Method+" ") })
	case e.Method == http.MethodOptions:
		return l.any(operations, e) // of a webhook
	default:
		candidates = slices.DeleteFunc(candidates, func(o operation) bool { return strings.HasPrefix(o.name, "OPTIONS ") })
	}
	if len(candidates) == 0 {
		return errors.New("no operation is left")
	}
	for _, o := range candidates {
		if err := l.answer(o, e); err != nil {
			return err
		}
		l.words[entry(o, e.Status, word(e.Body))] = true
		if e.Status < 300 && e.Endpoint != "webhook" && e.Method == http.MethodPost {
			if err := l.request(o, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// request checks the body of a request that had success: it must be what the
// document describes, where it describes something.
func (l *ledger) request(o operation, e exchange) error {
	form := o.op.RequestBody.Value.Content[formType]
	switch {
	case form != nil:
		// kin-openapi knows nothing of a[] and a[b], so it is the names alone.
		values, err := url.ParseQuery(string(e.Sent))
		if err != nil {
			return err
		}
		for name := range values {
			name, _, _ = strings.Cut(name, "[")
			if form.Schema.Value.Properties[name] == nil {
				return fmt.Errorf("%s has no parameter %s", o.name, name)
			}
			l.set[o.name+" "+name] = true
		}
	case o.op.RequestBody.Value.Required:
		if err := l.body(o, e); err != nil {
			return err
		}
	default:
		return nil
	}
	l.bodies++
	return nil
}

const formType = "application/x-www-form-urlencoded"

// any checks an answer that one of the operations must have.
func (l *ledger) any(operations []operation, e exchange) error {
	var all error
	for _, o := range operations {
		err := l.answer(o, e)
		if err == nil {
			return nil
		}
		all = errors.Join(all, err)
	}
	return all
}

func entry(o operation, status int, word string) string {
	return strings.TrimSpace(fmt.Sprint(o.name, " ", status, " ", word))
}

// word is what a client goes by in an error, wherever the dialect has it.
func word(body []byte) string {
	var b struct {
		Code   string          `json:"code"`
		Detail json.RawMessage `json:"detail"`
		Error  json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &b) != nil {
		return ""
	}
	if b.Code != "" {
		return b.Code
	}
	var text string
	if json.Unmarshal(b.Detail, &text) == nil {
		return text
	}
	var inner struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(b.Error, &inner)
	return inner.Code
}

// complete: whatever the document has, a test has seen; and every outcome there
// is, the document has, which check has found out.
func (l *ledger) complete(t *testing.T) {
	t.Helper()
	for path := range l.spec.Paths.Map() {
		require.Contains(t, l.tails, path, "it is documented, and no route")
	}
	var unseen []string
	documented := 0
	for _, o := range l.operations(l.spec) {
		if o.op.RequestBody != nil && o.op.RequestBody.Value.Content[formType] != nil {
			for name := range o.op.RequestBody.Value.Content[formType].Schema.Value.Properties {
				require.True(t, l.set[o.name+" "+name], "%s: no test has set %s", o.name, name)
			}
		}
		for status, response := range o.op.Responses.Map() {
			for _, w := range words(response.Value) {
				documented++
				if e := strings.TrimSpace(o.name + " " + status + " " + w); !l.words[e] {
					unseen = append(unseen, e)
				}
			}
		}
	}
	t.Logf("%d answers are documented", documented)
	slices.Sort(unseen)
	require.Empty(t, unseen, "documented, and no test has seen it: %s", strings.Join(unseen, "\n"))
}

// words are those that a response may have.
func words(r *openapi3.Response) []string {
	found := map[string]bool{}
	for _, media := range r.Content {
		collect(media.Schema, found)
	}
	if len(found) == 0 {
		return []string{""}
	}
	return slices.Sorted(maps.Keys(found))
}

func collect(schema *openapi3.SchemaRef, found map[string]bool) {
	for _, part := range schema.Value.AllOf {
		collect(part, found)
	}
	for _, name := range []string{"code", "detail"} {
		property := schema.Value.Properties[name]
		if property == nil || property.Ref != "" {
			continue
		}
		for _, value := range append(property.Value.Enum, property.Value.Const) {
			if text, ok := value.(string); ok {
				found[text] = true
			}
		}
	}
	if inner := schema.Value.Properties["error"]; inner != nil && inner.Ref == "" {
		collect(inner, found)
	}
}
