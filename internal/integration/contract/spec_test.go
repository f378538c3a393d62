package contract

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-mock/embedded"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

//go:generate go test . -run ^TestTestdata$ -update

// What is left of stripe-mock's specification and fixtures, which are Stripe's
// own. Its licence is beside them.
const (
	specFile     = "testdata/spec.json"
	fixturesFile = "testdata/fixtures.json"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestTestdata sees to it that testdata is what stripe-mock embeds, less what
// the fake does not serve.
func TestTestdata(t *testing.T) {
	t.Parallel()
	spec, fixtures := prune(t, fullSpec())
	if *update {
		require.NoError(t, os.WriteFile(specFile, spec, 0o600))
		require.NoError(t, os.WriteFile(fixturesFile, fixtures, 0o600))
	}
	for name, want := range map[string][]byte{specFile: spec, fixturesFile: fixtures} {
		have, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, have), "%s is not what go generate makes", name)
	}
	doc := loadSpec(t)
	require.NoError(t, doc.Validate(t.Context()))
	t.Logf("%s: %d bytes, %d operations, %d schemas of version %s",
		specFile, len(spec), len(operations(doc)), len(doc.Components.Schemas), doc.Info.Version)
}

// fullSpec is the whole specification of stripe-mock, as plain JSON.
var fullSpec = sync.OnceValue(func() map[string]any {
	var spec map[string]any
	if err := json.Unmarshal(embedded.OpenAPISpec, &spec); err != nil {
		panic(err)
	}
	return spec
})

func at(v any, names ...string) any {
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func hash(v any, names ...string) map[string]any {
	m, _ := at(v, names...).(map[string]any)
	return m
}

var pathParam = regexp.MustCompile(`\{[^}]*\}`)

// serves reports whether the fake has an operation of Stripe's.
func serves(fake http.Handler, method, path string) bool {
	w := httptest.NewRecorder()
	fake.ServeHTTP(w, httptest.NewRequest(strings.ToUpper(method), pathParam.ReplaceAllString(path, "x"), http.NoBody))
	return w.Code != http.StatusNotFound // which precedes the complaint of the missing key
}

// prune reduces the specification to the responses of the operations that the
// fake serves, and to what tells a right object from a wrong one: no prose, no
// objects of other parts of Stripe. A hash has no members but those listed.
func prune(t *testing.T, full map[string]any) (spec, fixtures []byte) {
	t.Helper()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	p := pruner{full: hash(full, "components", "schemas"), kept: map[string]bool{}, schemas: map[string]any{}}
	served := map[string]map[string]any{}
	for path, methods := range hash(full, "paths") {
		for method, operation := range hash(methods) {
			if serves(fake, method, path) {
				if served[path] == nil {
					served[path] = map[string]any{}
				}
				served[path][method] = operation
				p.keep(at(operation, "responses"))
			}
		}
	}
	paths := map[string]any{}
	for path, methods := range served {
		pruned := map[string]any{}
		for method, operation := range methods {
			pruned[method] = map[string]any{"parameters": pathParameters(operation), "responses": p.schema(at(operation, "responses"))}
		}
		paths[path] = pruned
	}
	info := map[string]any{"title": "Stripe's API, as far as package stripetest goes", "version": at(full, "info", "version")}
	spec = lines(map[string]any{
		"openapi": "3.0.0", "info": info, "paths": paths, "components": map[string]any{"schemas": p.schemas},
	})

	var all struct {
		Resources map[string]any `json:"resources"`
	}
	require.NoError(t, json.Unmarshal(embedded.OpenAPIFixtures, &all))
	maps.DeleteFunc(all.Resources, func(name string, _ any) bool { return !p.kept[name] })
	return spec, lines(all.Resources)
}

func pathParameters(operation any) []any {
	parameters, _ := at(operation, "parameters").([]any)
	pruned := []any{}
	for _, parameter := range parameters {
		if at(parameter, "in") == "path" {
			pruned = append(pruned, map[string]any{
				"in": "path", "name": at(parameter, "name"), "required": true, "schema": map[string]any{"type": "string"},
			})
		}
	}
	return pruned
}

type pruner struct {
	full    map[string]any
	kept    map[string]bool // the resources that operations answer with
	schemas map[string]any
}

// reference returns the name of the schema that v refers to, if it does.
func reference(v any) (name string, ok bool) {
	ref, ok := at(v, "$ref").(string)
	return path.Base(ref), ok
}

// keep notes the resources that v refers to.
func (p *pruner) keep(v any) {
	if name, ok := reference(v); ok {
		p.kept[name] = true
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, element := range v {
			p.keep(element)
		}
	case []any:
		for _, element := range v {
			p.keep(element)
		}
	}
}

// foreign reports whether v refers to a resource that the fake has not.
func (p *pruner) foreign(v any) bool {
	name, ok := reference(v)
	return ok && at(p.full[name], "x-resourceId") != nil && !p.kept[name]
}

// schema returns what is left of v.
func (p *pruner) schema(v any) any {
	switch v := v.(type) {
	case []any:
		pruned := []any{}
		for _, element := range v {
			if !p.foreign(element) {
				pruned = append(pruned, p.schema(element))
			}
		}
		return pruned
	case map[string]any:
		if name, ok := reference(v); ok {
			if p.foreign(v) {
				return map[string]any{"type": "object"}
			}
			if p.schemas[name] == nil {
				p.schemas[name] = true // for those that refer to themselves
				p.schemas[name] = p.schema(p.full[name])
			}
			return v
		}
		return p.members(v)
	}
	return v
}

func (p *pruner) members(v map[string]any) map[string]any {
	pruned := map[string]any{}
	for name, value := range v {
		switch _, isText := value.(string); {
		case name == "properties":
			properties := map[string]any{}
			for property, schema := range hash(value) {
				properties[property] = p.schema(schema)
			}
			pruned[name] = properties
			if v["additionalProperties"] == nil {
				pruned["additionalProperties"] = false
			}
		case strings.HasPrefix(name, "x-"), isText && slices.Contains([]string{"title", "format"}, name):
		case name == "description" && isText && v["content"] == nil: // that of a response is obligatory
		default:
			pruned[name] = p.schema(value)
		}
	}
	if alternatives, ok := pruned["anyOf"].([]any); ok && len(alternatives) == 0 {
		delete(pruned, "anyOf")
		pruned["type"] = "object"
	}
	return pruned
}

// lines is v as JSON, in one order, with a line for each member of a member.
func lines(v map[string]any) []byte {
	var b bytes.Buffer
	b.WriteString("{\n")
	for i, name := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(encode(name))
		b.WriteString(": ")
		if members := hash(v[name]); name == "components" || name == "paths" || name == "schemas" {
			b.Write(bytes.TrimSuffix(lines(members), []byte("\n")))
			continue
		}
		b.Write(encode(v[name]))
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

func decode(t *testing.T, document []byte, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(document, v), string(document))
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// loadSpec reads the pruned specification.
func loadSpec(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(specFile)
	require.NoError(t, err)
	return doc
}

// operations are the operations of doc, as "POST /v1/setup_intents/:id".
func operations(doc *openapi3.T) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			all[method+" "+pathParam.ReplaceAllString(path, ":id")] = operation
		}
	}
	return all
}
