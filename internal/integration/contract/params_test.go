package contract

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// A parameters is the schema of a request, as the whole specification has it.
type parameters map[string]any

// requestOf returns what an operation takes: the form of a POST, or else what
// is in the query.
func requestOf(operation any) parameters {
	if form := hash(operation, "requestBody", "content", "application/x-www-form-urlencoded", "schema"); form["properties"] != nil {
		return form
	}
	properties := map[string]any{}
	all, _ := at(operation, "parameters").([]any)
	for _, parameter := range all {
		if name := text(parameter, "name"); at(parameter, "in") == "query" {
			properties[name] = at(parameter, "schema")
		}
	}
	return parameters{"properties": properties}
}

// choice is the alternative of p that sets something.
func (p parameters) choice() parameters {
	alternatives, _ := p["anyOf"].([]any)
	for _, alternative := range alternatives {
		if choice := parameters(hash(alternative)); fmt.Sprint(choice["enum"]) != "[]" {
			return choice.choice()
		}
	}
	return p
}

// field is the schema of a member of p, nil if it has none of the name.
func (p parameters) field(name string) parameters {
	p = p.choice()
	if schema := hash(map[string]any(p), "properties", name); schema != nil {
		return schema
	}
	return hash(map[string]any(p), "additionalProperties") // as of metadata
}

// paths lists the parameters of p that have a value, each as the names that
// lead there. "*" is any name.
func (p parameters) paths() (paths [][]string) {
	p = p.choice()
	properties := hash(map[string]any(p), "properties")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		for _, rest := range parameters(hash(properties[name])).paths() {
			paths = append(paths, append([]string{name}, rest...))
		}
	}
	switch {
	case len(properties) > 0:
		return paths
	case p["additionalProperties"] != nil && p["additionalProperties"] != false:
		return [][]string{{"*"}}
	}
	return [][]string{nil}
}

// value is a value for p with the parameter that path leads to, and with what
// is required beside it. It is nil if there is no such parameter.
func (p parameters) value(path []string) any {
	p = p.choice()
	if values, ok := p["enum"].([]any); ok {
		return values[len(values)-1]
	}
	switch p["type"] {
	case "boolean":
		return true
	case "integer":
		return 1
	case "number":
		return "1.5"
	case "string":
		return "x"
	case "array":
		return []any{parameters(hash(p["items"])).value(nil)}
	}
	m := map[string]any{}
	required, _ := p["required"].([]any)
	for _, name := range required {
		m[name.(string)] = p.field(name.(string)).value(nil)
	}
	switch {
	case len(path) == 0:
	case path[0] == "expand":
		m["expand"] = []any{"customer"}
	default:
		field := p.field(path[0])
		if field == nil {
			return nil
		}
		if m[path[0]] = field.value(path[1:]); m[path[0]] == nil {
			return nil
		}
	}
	return m
}

// form writes v as Stripe's clients do.
func form(values url.Values, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, element := range v {
			if name != "" {
				key = name + "[" + key + "]"
			}
			form(values, key, element)
		}
		if len(v) == 0 {
			values.Add(name, "")
		}
	case []any:
		for i, element := range v {
			form(values, name+"["+strconv.Itoa(i)+"]", element)
		}
	default:
		values.Add(name, fmt.Sprint(v))
	}
}

// TestParameters sees to it that the fake knows every parameter of Stripe's, and
// complains of none of them.
func TestParameters(t *testing.T) {
	t.Parallel()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	parameterCount, operationCount := 0, 0
	for path, methods := range hash(fullSpec(), "paths") {
		for method, operation := range hash(methods) {
			if !serves(fake, method, path) {
				continue
			}
			operationCount++
			request := requestOf(operation)
			for _, names := range request.paths() {
				if len(names) == 0 {
					continue
				}
				parameterCount++
				values := url.Values{}
				form(values, "", request.value(names))
				what := fmt.Sprintf("%s %s %s", method, path, values.Encode())
				r, err := http.NewRequest(strings.ToUpper(method), "http://stripe.test"+pathParam.ReplaceAllString(path, "x")+"?"+values.Encode(), http.NoBody)
				require.NoError(t, err)
				r.Header.Set("Authorization", "Bearer "+stripetest.DefaultSecretKey)
				answer, err := fake.Client().Do(r)
				require.NoError(t, err)
				var body map[string]any
				decodeBody(t, answer, &body)
				switch code := text(body, "error", "code"); code {
				case "email_invalid", "url_invalid": // the schema does not say that it is one
				default:
					require.NotEqual(t, "parameter_unknown", code, "%s: %v", what, body)
					require.False(t, strings.HasPrefix(text(body, "error", "message"), "Invalid "), "%s: %v", what, body)
				}
			}
		}
	}
	t.Logf("the fake knows all %d parameters of %d operations", parameterCount, operationCount)
}
