package stripetest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"strconv"
)

// The texts for a body that is no JSON object. [U]
const (
	badJSON     = "Invalid request: the body is not a JSON object."
	badJSONType = "Invalid request: the Content-Type must be application/json."
)

// placeholder is what a document's sample has for a text. It counts as not given,
// so that the sample itself can be sent.
const placeholder = "string"

// decodeJSON decodes a JSON object, with its numbers and booleans as the texts
// that a form would have for them. What is null is not given. The result is added
// to v.
func (v *value) decodeJSON(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil {
		return invalidParam("", "", badJSON)
	}
	if _, err := d.Token(); err != io.EOF {
		return invalidParam("", "", badJSON)
	}
	decoded, err := fromJSON(object, maxNesting)
	if err != nil {
		return err
	}
	if v.hash == nil {
		v.hash = decoded.hash
		return nil
	}
	maps.Copy(v.hash, decoded.hash)
	return nil
}

// fromJSON returns an empty value for what counts as not given.
func fromJSON(decoded any, depth int) (*value, error) {
	if depth == 0 {
		return nil, invalidParam("", "", badNesting)
	}
	v := new(value)
	switch decoded := decoded.(type) {
	case string:
		if decoded != placeholder {
			v.kind, v.text = kindText, decoded
		}
	case json.Number:
		v.kind, v.text = kindText, decoded.String()
	case bool:
		v.kind, v.text = kindText, strconv.FormatBool(decoded)
	case []any:
		v.kind = kindList
		for _, element := range decoded {
			child, err := fromJSON(element, depth-1)
			if err != nil {
				return nil, err
			}
			if child.kind != kindNone {
				v.list = append(v.list, child)
			}
		}
	case map[string]any:
		v.kind, v.hash = kindHash, make(map[string]*value, len(decoded))
		for name, member := range decoded {
			child, err := fromJSON(member, depth-1)
			if err != nil {
				return nil, err
			}
			if child.kind != kindNone {
				v.hash[name] = child
			}
		}
	}
	return v, nil
}
