package setupintent

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"strings"
	"sync"
	"unicode/utf8"
)

// Stripe's limits on metadata (docs.stripe.com/metadata).
const (
	maxMetadata      = 50
	maxMetadataKey   = 40
	maxMetadataValue = 500
)

// freeze returns the request as it will be sent, now and on every replay: with
// our metadata, checked, and in one canonical form, and as that form reads.
func (s *Service) freeze(req IntentRequest, rowID, key string) (IntentRequest, json.RawMessage, error) {
	var err error
	if req.Metadata, err = s.mark(req.Metadata, rowID, key); err != nil {
		return req, nil, err
	}
	if err := req.Validate(); err != nil {
		return req, nil, err
	}
	if len(req.PaymentMethodTypes) == 0 {
		req.PaymentMethodTypes = nil
	}
	frozen, err := json.Marshal(req)
	if err != nil {
		return req, nil, fmt.Errorf("%w: Extra can't be written as JSON", ErrInvalidRequest)
	}
	if req.Extra != nil { // numbers and slices read differently
		req = thaw(frozen)
	}
	return req, frozen, nil
}

// mark adds to metadata what says whose the object is.
func (s *Service) mark(metadata map[string]string, rowID, key string) (map[string]string, error) {
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = make(map[string]string, 3)
	}
	for _, k := range []string{s.opts.MetadataKey, namespaceMetadata, keyHashMetadata} {
		if _, taken := metadata[k]; taken {
			return nil, fmt.Errorf("%w: the metadata key %q is the service's own; choose another", ErrInvalidRequest, k)
		}
	}
	metadata[s.opts.MetadataKey] = rowID
	metadata[keyHashMetadata] = keyHash(key)
	if s.opts.Namespace != "" {
		metadata[namespaceMetadata] = s.opts.Namespace
	}
	return metadata, nil
}

// thaw returns the request as it was frozen.
func thaw(frozen json.RawMessage) IntentRequest {
	var req IntentRequest
	dec := json.NewDecoder(bytes.NewReader(frozen))
	dec.UseNumber() // 1e21 must be sent the way it was the first time
	_ = dec.Decode(&req)
	return req
}

// Validate returns an error that wraps ErrInvalidRequest if r can't be sent: a
// name in Extra that no document has, or one that a claim must not carry, a
// value that is no form value, or more metadata than Stripe accepts. The
// service calls it before it writes anything.
func (r IntentRequest) Validate() error {
	if err := checkMetadata(r.Metadata); err != nil {
		return err
	}
	for _, text := range append([]string{r.Customer, r.Description, r.Usage, r.PaymentMethod}, r.PaymentMethodTypes...) {
		if !utf8.ValidString(text) {
			return fmt.Errorf("%w: its text must be UTF-8", ErrInvalidRequest)
		}
	}
	for name, value := range r.Extra {
		if err := checkParam(name, name, value); err != nil {
			return fmt.Errorf("%w: Extra: %w", ErrInvalidRequest, err)
		}
	}
	return nil
}

func checkMetadata(metadata map[string]string) error {
	if len(metadata) > maxMetadata {
		return fmt.Errorf("%w: %d metadata keys, and %d are allowed, the service's own among them", ErrInvalidRequest, len(metadata), maxMetadata)
	}
	for k, v := range metadata {
		tooLong := utf8.RuneCountInString(k) > maxMetadataKey || utf8.RuneCountInString(v) > maxMetadataValue
		if k == "" || tooLong || strings.ContainsAny(k, "[]") || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("%w: metadata %.40q: keys have 1 to %d characters, no square brackets, values at most %d, in UTF-8", ErrInvalidRequest, k, maxMetadataKey, maxMetadataValue)
		}
	}
	return nil
}

// paramText lists the create parameters of the Stripe and WooshPay documents,
// less those that are fields of IntentRequest, less the refused ones.
//
//go:embed params.txt
var paramText string

// params maps each parameter, and each hash that holds some, to whether it may
// itself have a value.
var params = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, name := range strings.Fields(paramText) {
		all[name] = true
		for i := strings.LastIndexByte(name, '['); i > 0; i = strings.LastIndexByte(name[:i], '[') {
			if _, ok := all[name[:i]]; !ok {
				all[name[:i]] = false
			}
		}
	}
	return all
})

// refusedParams says why a parameter that a document has may not be sent.
var refusedParams = map[string]string{
	"confirm":                   "a create is replayed after a crash, and must not confirm the card of somebody who left; confirm in the browser",
	"confirmation_token":        "it goes only with confirm=true, and a replay must not confirm",
	"mandate_data":              "it goes only with confirm=true, and a replay must not confirm",
	"return_url":                "it goes only with confirm=true, and a replay must not confirm; the browser passes it to confirmSetup",
	"payment_method_data[card]": "card numbers must not pass through this server; let the browser collect them",
	"client_secret":             "it is the provider's answer, not a parameter of a create",
	"customer":                  "it is a field of IntentRequest",
	"description":               "it is a field of IntentRequest",
	"metadata":                  "it is a field of IntentRequest",
	"payment_method":            "it is a field of IntentRequest",
	"payment_method_types":      "it is a field of IntentRequest",
	"usage":                     "it is a field of IntentRequest",
}

// checkParam checks one value of Extra, whose name is path in the list and
// shown in messages.
func checkParam(path, shown string, value any) error {
	if why := refusedParams[path]; why != "" {
		return fmt.Errorf("%s is refused: %s", shown, why)
	}
	hasValue, known := params()[path]
	if !known {
		if i := strings.LastIndexByte(path, '['); i > 0 && params()[path[:i]+"[*]"] {
			hasValue, known = true, true
		}
	}
	if !known {
		return fmt.Errorf("%.80s is not a documented parameter of a create", shown)
	}
	switch v := value.(type) {
	case map[string]any:
		for name, value := range v {
			if err := checkParam(path+"["+name+"]", shown+"["+name+"]", value); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for _, e := range v {
			if !isScalar(e) {
				return fmt.Errorf("%s holds %T; only text, whole numbers and booleans can be sent", shown, e)
			}
		}
	case []string:
	default:
		if !isScalar(v) {
			return fmt.Errorf("%s is %T; only text, whole numbers, booleans, slices and map[string]any can be sent", shown, v)
		}
	}
	if !hasValue {
		return fmt.Errorf("%s holds other parameters; give it a map[string]any", shown)
	}
	return nil
}

func isScalar(v any) bool {
	switch v := v.(type) {
	case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return true
	case json.Number:
		_, whole := new(big.Int).SetString(v.String(), 10)
		return whole
	case float64: // what encoding/json makes of a number
		return v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return false
}
