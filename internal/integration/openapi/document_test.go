package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// dialects are all of them, by the names that httpadapter's tests use.
var dialects = map[string]httpadapter.Dialect{
	"default":    nil,
	"LoyaltyDog": httpadapter.LoyaltyDog{},
	"OrbitKit":   httpadapter.OrbitKit{},
	"Spree":      httpadapter.Spree{EphemeralKey: noKey},
	"Stripe":     httpadapter.Stripe{Update: noUpdate},
}

// served is the document as the handler serves it.
func served(t *testing.T, dialect httpadapter.Dialect) []byte {
	t.Helper()
	svc, err := setupintent.New(memstore.New(), new(setupintenttest.Provider), nil)
	require.NoError(t, err)
	h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: dialect})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.OpenAPI(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.Bytes()
}

// A document is what a dialect says of itself.
type document struct {
	spec *openapi3.T // as it is
	// closed is the same, but no object in an answer has a member that is not
	// listed: to a client more is no harm, here it is a mistake.
	closed *openapi3.T
	tails  map[string]string // of the paths, by the path
}

func load(t *testing.T, raw []byte) *document {
	t.Helper()
	d := &document{spec: parse(t, raw), tails: map[string]string{}}
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	closeObjects(v)
	closed, err := json.Marshal(v)
	require.NoError(t, err)
	d.closed = parse(t, closed)
	return d
}

func parse(t *testing.T, raw []byte) *openapi3.T {
	t.Helper()
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	require.NoError(t, err)
	require.NoError(t, spec.Validate(t.Context()))
	return spec
}

// closeObjects forbids the members that a schema does not list, where it says
// nothing of others.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			closeObjects(element)
		}
	case map[string]any:
		_, lists := v["properties"].(map[string]any)
		if _, says := v["additionalProperties"]; lists && !says && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	}
}

// listed notes the tail of a path that the dialect serves, and reports whether
// the document has it.
func (d *document) listed(method, tail string) error {
	for _, path := range d.spec.Paths.InMatchingOrder() {
		if strings.HasSuffix(anonymous(path), anonymous("/"+tail)) {
			d.tails[path] = tail
			if d.spec.Paths.Value(path).GetOperation(method) == nil {
				return fmt.Errorf("%s has no %s", path, method)
			}
			return nil
		}
	}
	return fmt.Errorf("no path ends in %s", tail)
}

// anonymous is a path whose parameters have no names.
func anonymous(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// find returns the path that the handler takes a request's for, or none. Its
// rules are those of Handler.Routes: the tail decides, and a parameter is one
// segment, which is not empty.
func (d *document) find(escaped string) (path string) {
	have := strings.Split(escaped, "/")
	for i, segment := range have {
		if plain, err := url.PathUnescape(segment); err == nil {
			have[i] = plain
		}
	}
	for _, path := range d.spec.Paths.InMatchingOrder() { // the concrete before the parametrised
		want := strings.Split(d.tails[path], "/")
		if len(have) < len(want) {
			continue
		}
		if slices.EqualFunc(want, have[len(have)-len(want):], func(want, have string) bool {
			return have != "" && (want == have || strings.HasPrefix(want, "{"))
		}) {
			return path
		}
	}
	return ""
}

// An operation is one of a document, or of its webhooks.
type operation struct {
	name string // such as POST /v1/setup_intents
	item *openapi3.PathItem
	op   *openapi3.Operation
}

func (d *document) operations(spec *openapi3.T) (all []operation) {
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, operation{method + " " + path, item, op})
		}
	}
	for name, item := range spec.Webhooks {
		for method, op := range item.Operations() {
			all = append(all, operation{method + " webhook " + name, item, op})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	return all
}

// answer checks an answer against an operation.
func (d *document) answer(o operation, e exchange) error {
	r := e.request()
	err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: d.input(d.closed, o, r),
		Status:                 e.Status,
		Header:                 e.Header,
		Body:                   io.NopCloser(bytes.NewReader(e.Body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	if documented := o.op.Responses.Status(e.Status); len(documented.Value.Content) == 0 && len(e.Body) > 0 {
		return fmt.Errorf("%s: %d has a body: %s", o.name, e.Status, e.Body)
	}
	return nil
}

// body checks a request's body against an operation.
func (d *document) body(o operation, e exchange) error {
	r := e.request()
	return openapi3filter.ValidateRequestBody(r.Context(), d.input(d.spec, o, r), o.op.RequestBody.Value)
}

func (d *document) input(spec *openapi3.T, o operation, r *http.Request) *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{
		Request: r,
		Route:   &routers.Route{Spec: spec, PathItem: o.item, Operation: o.op, Method: r.Method},
		Options: &openapi3filter.Options{MultiError: true, SkipSettingDefaults: true},
	}
}

func noKey(context.Context, string, string) (setupintent.ClientSecret, error) {
	return setupintent.ClientSecret{}, errors.ErrUnsupported
}

func noUpdate(context.Context, string, map[string]any) (setupintent.Intent, error) {
	return setupintent.Intent{}, errors.ErrUnsupported
}
