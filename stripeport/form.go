package stripeport

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/stripe/stripe-go/v79/form"
)

// encode returns params as a form, in an order that depends on nothing but
// their names: what is sent again is the same, byte for byte. (The extra
// parameters of stripe-go are in random order.)
//
// A map is a[b], a slice a[0]; an empty slice and nil are the empty value, by
// which Stripe unsets a parameter. An empty map can't be written.
func encode(params map[string]any) *form.Values {
	values := new(form.Values)
	for _, name := range sortedKeys(params) {
		add(values, name, params[name])
	}
	return values
}

func add(values *form.Values, name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			add(values, name+"["+k+"]", v[k])
		}
	case map[string]string:
		for _, k := range sortedKeys(v) {
			values.Add(name+"["+k+"]", v[k])
		}
	case []any:
		for i, e := range v {
			add(values, name+"["+strconv.Itoa(i)+"]", e)
		}
		if len(v) == 0 {
			values.Add(name, "")
		}
	case []string:
		for i, e := range v {
			values.Add(name+"["+strconv.Itoa(i)+"]", e)
		}
		if len(v) == 0 {
			values.Add(name, "")
		}
	case nil:
		values.Add(name, "")
	case string:
		values.Add(name, v)
	case float64: // 1e+21 is no number to Stripe
		values.Add(name, strconv.FormatFloat(v, 'f', -1, 64))
	default: // bool, integers, json.Number
		values.Add(name, fmt.Sprint(v))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
