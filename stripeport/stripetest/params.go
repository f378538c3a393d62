package stripetest

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Stripe's documented limits on metadata.
const (
	maxMetadataKeys  = 50
	maxMetadataKey   = 40
	maxMetadataValue = 500
)

// param is the schema of one parameter.
type param struct {
	kind     kind // kindNone: check decides alone
	required bool
	fixed    bool                              // an empty text is refused: there is nothing to unset
	max      int                               // characters
	oneOf    []string                          // the values allowed
	fields   params                            // of a hash
	element  *param                            // of a list
	check    func(name string, v *value) error // what is left to check; of a text that is not empty
}

// params is the schema of a hash: what is not in it is unknown.
type params map[string]param

func text(most int) param          { return param{kind: kindText, max: most} }
func word() param                  { return param{kind: kindText, max: 5000, fixed: true} }
func oneOf(values ...string) param { return param{kind: kindText, oneOf: values, fixed: true} }
func integer() param               { return param{kind: kindInteger} }
func boolean() param               { return param{kind: kindBoolean} }
func hashOf(fields params) param   { return param{kind: kindHash, fields: fields} }
func listOf(element param) param   { return param{kind: kindList, element: &element} }
func link(p param) param           { p.check = checkURL; return p }
func metadata() param              { return param{kind: kindHash, check: checkMetadata} }
func (p param) must() param        { p.required = true; return p }

func (fields params) with(more params) params {
	all := maps.Clone(fields)
	maps.Copy(all, more)
	return all
}

// checkParams holds v against its schema, and turns the texts that stand for
// integers, booleans and lists into what they stand for. As Stripe does, it
// complains of unknown parameters first.
func checkParams(v *value, fields params) error { return v.checkKnown("", fields) }

// checkKnown is checkParams for a hash that is called name.
func (v *value) checkKnown(name string, fields params) error {
	if unknown := v.unknown(name, fields); len(unknown) > 0 {
		return unknownParams(unknown)
	}
	return v.checkHash(name, fields)
}

func unknownParams(names []string) *apiError {
	noun := "parameter"
	if len(names) > 1 {
		noun = "parameters"
	}
	return invalidParam("parameter_unknown", names[0], "Received unknown %s: %s", noun, strings.Join(names, ", "))
}

func (v *value) unknown(name string, fields params) []string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(v.hash)) {
		child, path := v.hash[key], nested(name, key)
		schema, ok := fields[key]
		switch {
		case !ok:
			names = append(names, path)
		case child.kind == kindHash && schema.kind == kindHash && schema.fields != nil:
			names = append(names, child.unknown(path, schema.fields)...)
		}
	}
	return names
}

func nested(name, key string) string {
	if name == "" {
		return key
	}
	return name + "[" + key + "]"
}

func (v *value) checkHash(name string, fields params) error {
	for _, key := range slices.Sorted(maps.Keys(v.hash)) {
		schema, ok := fields[key]
		if !ok { // in a list: unknown does not look there
			return unknownParams([]string{nested(name, key)})
		}
		if err := v.hash[key].checkAgainst(nested(name, key), schema); err != nil {
			return err
		}
	}
	first := ""
	for key, schema := range fields {
		if schema.required && v.hash[key] == nil && (first == "" || key < first) {
			first = key
		}
	}
	if first != "" {
		return missingParam(nested(name, first))
	}
	return nil
}

func missingParam(name string) *apiError {
	return invalidParam("parameter_missing", name, "Missing required param: %s.", name) // [2nd]
}

// checkAgainst is checkHash for one parameter. The texts for values of the
// wrong sort are [U], but for "Invalid string" and the empty one [2nd].
func (v *value) checkAgainst(name string, schema param) error {
	if schema.kind == kindNone {
		return schema.check(name, v)
	}
	if v.kind == kindText && v.text == "" && schema.kind != kindText && schema.kind != kindHash {
		return emptyParam(name)
	}
	switch schema.kind {
	case kindText:
		return v.checkText(name, schema)
	case kindInteger:
		n, err := strconv.ParseInt(v.text, 10, 64)
		if v.kind != kindText || err != nil {
			return invalidParam("parameter_invalid_integer", name, "Invalid integer: %s", v.quoted())
		}
		v.kind, v.integer = kindInteger, n
	case kindBoolean:
		if v.kind != kindText || v.text != "true" && v.text != "false" {
			return invalidParam("", name, "Invalid boolean: %s", v.quoted())
		}
		v.kind, v.boolean = kindBoolean, v.text == "true"
	case kindList:
		elements, ok := v.elements()
		if !ok {
			return invalidParam("", name, "Invalid array")
		}
		*v = value{kind: kindList, list: elements}
		for i, element := range elements {
			if err := element.checkAgainst(nested(name, strconv.Itoa(i)), *schema.element); err != nil {
				return err
			}
		}
	case kindHash:
		if v.kind == kindText && v.text == "" { // unsets the whole
			return nil
		}
		if v.kind != kindHash {
			return invalidParam("", name, "Invalid object")
		}
		if schema.check != nil {
			return schema.check(name, v)
		}
		return v.checkHash(name, schema.fields)
	}
	return nil
}

func (v *value) checkText(name string, schema param) error {
	switch {
	case v.kind != kindText:
		return invalidParam("", name, "Invalid string: %s", v.quoted())
	case v.text == "" && schema.fixed:
		return emptyParam(name)
	case schema.oneOf != nil && !slices.Contains(schema.oneOf, v.text):
		return invalidParam("", name, "Invalid %s: must be one of %s", name, orList(schema.oneOf)) // [2nd]
	case schema.max > 0 && utf8.RuneCountInString(v.text) > schema.max:
		return invalidParam("", name, "Invalid string: %s; must be at most %d characters", elide(v.text), schema.max) // [U]
	case v.text != "" && schema.check != nil:
		return schema.check(name, v)
	}
	return nil
}

// checkURL lets through where a browser or an app can be sent: the URL of a web
// site, or one of an app's own scheme. The text is [2nd], the rule [U].
func checkURL(name string, v *value) error {
	u, err := url.Parse(v.text)
	if err != nil || !strings.HasPrefix(v.text[len(u.Scheme):], "://") ||
		slices.Contains([]string{"data", "javascript", "vbscript"}, u.Scheme) || // which a browser would run here
		u.Host == "" && (u.Scheme == "http" || u.Scheme == "https") {
		return invalidParam("url_invalid", name, "Not a valid URL")
	}
	return nil
}

func emptyParam(name string) error {
	return invalidParam("parameter_invalid_empty", name, "You passed an empty string for '%s'."+
		" We assume empty values are an attempt to unset a parameter; however '%[1]s' cannot be unset."+
		" You should remove '%[1]s' from your request or supply a non-empty value.", name) // [2nd]
}

// checkMetadata holds one request's metadata against the limits of a single
// key; how many there may be is known only after the merge.
func checkMetadata(name string, v *value) error {
	for _, key := range slices.Sorted(maps.Keys(v.hash)) {
		child := v.hash[key]
		if child.kind != kindText {
			return invalidParam("", nested(name, key), "Invalid string: %s", child.quoted())
		}
		if n := utf8.RuneCountInString(key); n > maxMetadataKey {
			return invalidParam("", name, "Metadata keys can have up to %d characters,"+
				" but you passed in a key that is %d characters. Invalid key: %s", maxMetadataKey, n, key) // [U]
		}
		if n := utf8.RuneCountInString(child.text); n > maxMetadataValue {
			return invalidParam("", nested(name, key), "Metadata values can have up to %d characters,"+
				" but you passed in a value that is %d characters. Invalid value: %s", maxMetadataValue, n, child.text) // [2nd]
		}
	}
	return nil
}

// mergeMetadata returns old with v merged into it: an empty value unsets its
// key, an empty text for the whole unsets them all. It never changes old.
func mergeMetadata(old map[string]string, v *value) (map[string]string, error) {
	merged := make(map[string]string, len(old))
	if v == nil || v.kind != kindText {
		maps.Copy(merged, old)
	}
	if v != nil {
		for key, child := range v.hash {
			if child.text == "" {
				delete(merged, key)
			} else {
				merged[key] = child.text
			}
		}
	}
	if len(merged) > maxMetadataKeys {
		return nil, invalidParam("", "metadata", "You may only specify up to %d metadata keys, but you passed %d.",
			maxMetadataKeys, len(merged)) // [U]
	}
	return merged, nil
}

// quoted is how Stripe shows a value of the wrong sort.
func (v *value) quoted() string {
	switch v.kind {
	case kindList:
		m := make(map[string]any, len(v.list))
		for i, element := range v.list {
			m[strconv.Itoa(i)] = element.plain()
		}
		return elide(strings.TrimSpace(string(encode(m))))
	case kindHash:
		return elide(strings.TrimSpace(string(encode(v.plain()))))
	}
	return elide(v.text)
}

func elide(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	r := []rune(s)
	return string(r[:most]) + "..."
}

func orList(names []string) string {
	switch n := len(names); n {
	case 1:
		return names[0]
	case 2:
		return names[0] + " or " + names[1]
	default:
		return strings.Join(names[:n-1], ", ") + ", or " + names[n-1]
	}
}
