package openapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"
)

// TestStripeSource holds the answers of Stripe's wire against Stripe's own
// schemas, as far as package contract has them.
func TestStripeSource(t *testing.T) {
	t.Parallel()
	all, err := exchanges()
	require.NoError(t, err)
	source, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "contract", "testdata", "spec.json"))
	require.NoError(t, err)
	// As in package contract: Stripe shows it in this version, and no schema has it.
	source.Components.Schemas["setup_intent_payment_method_options_link"].Value.
		WithProperty("persistent_token", openapi3.NewStringSchema().WithNullable())
	seen := map[string]int{}
	for _, e := range all {
		if e.Dialect != "Stripe" || e.Endpoint != "" || len(e.Body) == 0 {
			continue
		}
		var body map[string]any
		require.NoError(t, json.Unmarshal(e.Body, &body))
		name := "error"
		if e.Status == http.StatusOK {
			if name, _ = body["object"].(string); name == "" {
				continue // the document
			}
		}
		require.Contains(t, source.Components.Schemas, name)
		require.NoError(t, source.Components.Schemas[name].Value.VisitJSON(body, openapi3.MultiErrors()), "%s", e)
		seen[name]++
	}
	require.Len(t, seen, 2)
	t.Logf("%v", seen)
}

// TestSources holds our documents, and every answer of the tests, against what
// the systems publish themselves, as far as they do so in OpenAPI. They document
// a success and one error; of other statuses they say nothing.
func TestSources(t *testing.T) {
	t.Parallel()
	all, err := exchanges()
	require.NoError(t, err)
	for dialect, file := range map[string]string{"LoyaltyDog": "loyaltydog.yaml", "Spree": "spree.yaml"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			source, err := openapi3.NewLoader().LoadFromFile(filepath.Join("testdata", file))
			require.NoError(t, err)
			require.NoError(t, source.Validate(t.Context()))
			ours := load(t, served(t, dialects[dialect]))
			for _, e := range all {
				if e.Dialect == dialect && e.Endpoint == "listed" {
					require.NoError(t, ours.listed(e.Method, e.Path))
				}
			}
			require.Equal(t, 1, source.Paths.Len())
			for path, item := range source.Paths.Map() {
				mine := ours.spec.Paths.Value(path)
				require.NotNil(t, mine, path)
				for _, parameter := range item.Post.Parameters {
					have := mine.Parameters.GetByInAndName(parameter.Value.In, parameter.Value.Name)
					require.NotNil(t, have)
					require.Equal(t, parameter.Value.Required, have.Required)
					require.Equal(t, parameter.Value.Schema.Value.Pattern, have.Schema.Value.Pattern)
				}
				var statuses []int
				for status := range item.Post.Responses.Map() {
					require.NotNil(t, mine.Post.Responses.Value(status))
					n, err := strconv.Atoi(status)
					require.NoError(t, err)
					statuses = append(statuses, n)
				}
				seen := map[int]int{}
				for _, e := range all {
					if e.Dialect != dialect || e.Method != "POST" || e.Configured || e.Endpoint != "" ||
						ours.find(e.Path) != path || !slices.Contains(statuses, e.Status) {
						continue
					}
					seen[e.Status]++
					r := e.request()
					require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
						RequestValidationInput: &openapi3filter.RequestValidationInput{
							Request: r,
							Route:   &routers.Route{Spec: source, PathItem: item, Operation: item.Post, Method: e.Method},
						},
						Status:  e.Status,
						Header:  e.Header,
						Body:    io.NopCloser(bytes.NewReader(e.Body)),
						Options: &openapi3filter.Options{IncludeResponseStatus: true},
					}), "%s", e)
				}
				for _, status := range statuses {
					require.Positive(t, seen[status], "no answer was %d", status)
				}
				t.Logf("%s: answers by status: %v", path, seen)
			}
		})
	}
}
