package contract

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// A checker holds objects against Stripe's schemas, and counts them.
type checker struct {
	schemas    openapi3.Schemas
	operations map[string]*openapi3.Operation
	fixtures   map[string]map[string]any
	objects    map[string]int // by kind and status
	answers    map[string]int // of operations, with 200
	refusals   int            // answers that are errors
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	doc := loadSpec(t)
	c := &checker{schemas: doc.Components.Schemas, operations: operations(doc), objects: map[string]int{}, answers: map[string]int{}}
	unlisted(c.schemas)
	decodeFile(t, fixturesFile, &c.fixtures)
	return c
}

// answer checks the answer of an operation, and each object that is in it. With
// public it is for a page.
func (c *checker) answer(operation string, status int, v any, public bool) error {
	op := c.operations[operation]
	if op == nil {
		return fmt.Errorf("Stripe has no %s", operation)
	}
	response := op.Responses.Default()
	if status == http.StatusOK {
		response = op.Responses.Status(status)
		c.answers[operation]++
	} else {
		c.refusals++
	}
	schema := response.Value.Content["application/json"].Schema.Value
	if err := schema.VisitJSON(v, openapi3.MultiErrors()); err != nil {
		return err
	}
	return c.inside(v, public)
}

// inside checks each object in v by its kind; an event may hold any.
func (c *checker) inside(v any, public bool) error {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			if err := c.inside(element, public); err != nil {
				return err
			}
		}
	case map[string]any:
		if kind, ok := v["object"].(string); ok && kind != "list" {
			if err := c.object(kind, v, public); err != nil {
				return fmt.Errorf("%s %v: %w", kind, v["id"], err)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if err := c.inside(v[name], public); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// publicFields are what a page sees of a SetupIntent.
var publicFields = []string{
	"cancellation_reason", "client_secret", "created", "description", "id", "last_setup_error", "livemode",
	"next_action", "object", "payment_method", "payment_method_types", "status", "usage",
}

func (c *checker) object(kind string, v map[string]any, public bool) error {
	name := kind
	if v["deleted"] == true {
		name = "deleted_" + kind
	}
	schema, ok := c.schemas[name]
	if !ok {
		return fmt.Errorf("an object of no kind: %q", name)
	}
	if err := schema.Value.VisitJSON(v, openapi3.MultiErrors()); err != nil {
		return err
	}
	status, _ := v["status"].(string)
	c.objects[name+" "+status]++
	if kind == "setup_intent" && public {
		if have := slices.Sorted(maps.Keys(v)); !slices.Equal(have, publicFields) {
			return fmt.Errorf("a page sees %v", have)
		}
		return nil
	}
	lacking := lacking(schema.Value, v, "")
	for member := range c.fixtures[name] {
		if _, ok := v[member]; !ok && !optional[kind+"."+member] {
			lacking = append(lacking, member)
		}
	}
	lacking = slices.DeleteFunc(lacking, func(member string) bool { return optional[kind+"."+member] })
	if len(lacking) > 0 {
		return fmt.Errorf("it lacks %v", lacking)
	}
	return nil
}

// optional are the members that are in Stripe's fixtures, or may be null, and
// yet need not be there.
var optional = map[string]bool{
	"customer.cash_balance":             true, // shown only when expanded
	"customer.shipping.carrier":         true, // of a charge, which shares the schema
	"customer.shipping.tracking_number": true,
	"mandate.multi_use":                 true, // of the other type
	"payment_method.card":               true, // of another type

	"customer.invoice_settings.rendering_options.template": true, // newer than 2024-06-20
}

// unlisted adds to the schemas what Stripe shows and they leave out.
func unlisted(schemas openapi3.Schemas) {
	// The mobile SDKs read it.
	schemas["ephemeral_key"].Value.WithPropertyRef("associated_objects", openapi3.NewArraySchema().WithItems(
		openapi3.NewObjectSchema().WithProperty("id", openapi3.NewStringSchema()).WithProperty("type", openapi3.NewStringSchema()),
	).NewRef())
	// In 2024-06-20, see stripe-go v79, and not in 2024-09-30.
	schemas["payment_method_fpx"].Value.WithProperty("account_holder_type", openapi3.NewStringSchema().WithNullable())
	schemas["setup_intent_payment_method_options_link"].Value.WithProperty("persistent_token", openapi3.NewStringSchema().WithNullable())
}

// lacking lists the members of v that may be null and are not there. That
// Stripe shows them all the same is not in the schemas; TestFixtures bears it
// out.

func lacking(schema *openapi3.Schema, v any, path string) (names []string) {
	for _, alternative := range schema.AnyOf {
		if alternative.Value.VisitJSON(v) == nil {
			schema = alternative.Value
			break
		}
	}
	m, ok := v.(map[string]any)
	if !ok || path != "" && m["object"] != nil { // an object of its own
		return nil
	}
	for name, property := range schema.Properties {
		switch value, ok := m[name]; {
		case ok:
			names = append(names, lacking(property.Value, value, path+name+".")...)
		case property.Value.Nullable:
			names = append(names, path+name)
		}
	}
	return names
}

// TestFixtures holds Stripe's own objects against the rules for the fake's, and
// spoilt ones.
func TestFixtures(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	for kind, fixture := range c.fixtures {
		object, _ := fixture["object"].(string)
		if kind == "event" {
			hash(fixture, "data")["object"] = map[string]any{} // it was a plan, which the fake has not
		}
		require.NoError(t, c.object(object, fixture, false), kind)

		for what, spoil := range map[string]func(map[string]any){
			"a member too many":   func(m map[string]any) { m["surprise"] = nil },
			"a member too few":    func(m map[string]any) { delete(m, "id"); delete(m, "client_secret") },
			"a number for a text": func(m map[string]any) { m["object"] = 1.0 },
		} {
			spoilt := maps.Clone(fixture)
			spoil(spoilt)
			require.Error(t, c.object(object, spoilt, false), "%s: %s", kind, what)
		}
	}
	for what, spoil := range map[string]func(map[string]any){
		"status":          func(m map[string]any) { m["status"] = "requires_luck" },
		"null":            func(m map[string]any) { m["livemode"] = nil },
		"metadata":        func(m map[string]any) { m["metadata"] = map[string]any{"a": 1.0} },
		"nullable, gone":  func(m map[string]any) { delete(m, "last_setup_error") },
		"deep inside":     func(m map[string]any) { m["next_action"] = map[string]any{"type": "x", "redirect": nil} },
		"another's error": func(m map[string]any) { m["last_setup_error"] = map[string]any{"type": "luck_error"} },
	} {
		spoilt := maps.Clone(c.fixtures["setup_intent"])
		spoil(spoilt)
		require.Error(t, c.object("setup_intent", spoilt, false), what)
	}
}

func decodeFile(t *testing.T, name string, v any) {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	decode(t, content, v)
}
