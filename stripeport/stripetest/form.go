package stripetest

import (
	"cmp"
	"crypto/sha256"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxNesting is how deep a[b][c] may go; Stripe's own limit is not documented.
const maxNesting = 16

// The texts for a body that is no form. [U]
const (
	badEncoding = "Invalid request: the parameters are not URL-encoded."
	badNesting  = "Invalid request: the parameters are nested too deeply."
	badConflict = "Invalid request: a parameter was given as two different types."
)

// kind says what a value is.
type kind uint8

const (
	kindNone kind = iota // nothing was written here yet
	kindText
	kindList
	kindHash
	// The check against a schema turns texts into these.
	kindInteger
	kindBoolean
)

// value is one node of a decoded form.
type value struct {
	kind    kind
	text    string
	list    []*value
	hash    map[string]*value
	integer int64
	boolean bool
}

// decodeForm decodes an application/x-www-form-urlencoded text with Stripe's
// brackets: a[], a[0], a[b], a[b][c], a[][b]. An index makes a hash with
// numbers for keys, since only the schema knows which of the two was meant.
// A scalar given twice is what it was given last. The result is added to v.
func (v *value) decodeForm(text string) error {
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		rawKey, rawValue, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(rawKey)
		if err != nil {
			return invalidParam("", "", badEncoding)
		}
		val, err := url.QueryUnescape(rawValue)
		if err != nil {
			return invalidParam("", "", badEncoding)
		}
		path, err := splitKey(key)
		if err != nil {
			return err
		}
		if err := v.set(path, val); err != nil {
			return err
		}
	}
	return nil
}

// splitKey splits a[b][] into "a", "b", "". A key whose brackets do not match
// is a name like any other.
func splitKey(key string) ([]string, error) {
	open := strings.IndexByte(key, '[')
	if open <= 0 || !strings.HasSuffix(key, "]") {
		return []string{key}, nil
	}
	path := []string{key[:open]}
	for rest := key[open:]; rest != ""; {
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			return []string{key}, nil
		}
		path = append(path, rest[1:end])
		rest = rest[end+1:]
		if len(path) > maxNesting {
			return nil, invalidParam("", path[0], badNesting)
		}
	}
	return path, nil
}

func (v *value) set(path []string, text string) error {
	if len(path) == 0 {
		if v.kind != kindNone && v.kind != kindText {
			return invalidParam("", "", badConflict)
		}
		v.kind, v.text = kindText, text
		return nil
	}
	name, rest := path[0], path[1:]
	if name == "" {
		if v.kind != kindNone && v.kind != kindList {
			return invalidParam("", "", badConflict)
		}
		v.kind = kindList
		// a[][b]=1&a[][c]=2 is one element; the next b starts another.
		if n := len(v.list); len(rest) > 0 && n > 0 && !v.list[n-1].holds(rest) {
			return v.list[n-1].set(rest, text)
		}
		element := new(value)
		v.list = append(v.list, element)
		return element.set(rest, text)
	}
	if v.kind != kindNone && v.kind != kindHash {
		return invalidParam("", "", badConflict)
	}
	v.kind = kindHash
	if v.hash == nil {
		v.hash = make(map[string]*value)
	}
	child := v.hash[name]
	if child == nil {
		child = new(value)
		v.hash[name] = child
	}
	return child.set(rest, text)
}

// holds reports whether something was written at path already.
func (v *value) holds(path []string) bool {
	if len(path) == 0 {
		return true
	}
	if path[0] == "" || v.kind != kindHash {
		return v.kind == kindText
	}
	child := v.hash[path[0]]
	return child != nil && child.holds(path[1:])
}

// fingerprint is a digest of everything in v, the same for a[]=x and a[0]=x
// and for any order of the parameters.
func (v *value) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	v.digest(h, "")
	return [sha256.Size]byte(h.Sum(nil))
}

func (v *value) digest(w io.Writer, path string) {
	switch v.kind {
	case kindHash:
		for _, name := range slices.Sorted(maps.Keys(v.hash)) {
			v.hash[name].digest(w, path+strconv.Quote(name))
		}
	case kindList:
		for i, element := range v.list {
			element.digest(w, path+strconv.Quote(strconv.Itoa(i)))
		}
	case kindText:
		_, _ = io.WriteString(w, path+"="+strconv.Quote(v.text)+"\n")
	}
}

// at returns the value at path, nil if there is none. A nil value has nothing.
func (v *value) at(path ...string) *value {
	for _, name := range path {
		if v == nil {
			return nil
		}
		v = v.hash[name]
	}
	return v
}

// has reports whether path was given at all, be it as an empty text.
func (v *value) has(path ...string) bool { return v.at(path...) != nil }

// str returns the text at path, or "".
func (v *value) str(path ...string) string {
	if at := v.at(path...); at != nil {
		return at.text
	}
	return ""
}

// yes returns the boolean at path, or false.
func (v *value) yes(path ...string) bool {
	at := v.at(path...)
	return at != nil && at.boolean
}

// strs returns the texts of the list at path.
func (v *value) strs(path ...string) []string {
	at := v.at(path...)
	if at == nil {
		return nil
	}
	texts := make([]string, 0, len(at.list))
	for _, element := range at.list {
		texts = append(texts, element.text)
	}
	return texts
}

// elements returns a list's elements, also those given by index: they count
// in the order of their numbers, with no room made for the numbers left out.
func (v *value) elements() ([]*value, bool) {
	if v.kind == kindList {
		return v.list, true
	}
	if v.kind != kindHash {
		return nil, false
	}
	type indexed struct {
		index uint64
		value *value
	}
	sorted := make([]indexed, 0, len(v.hash))
	for name, element := range v.hash {
		index, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return nil, false
		}
		sorted = append(sorted, indexed{index, element})
	}
	slices.SortFunc(sorted, func(a, b indexed) int { return cmp.Compare(a.index, b.index) })
	list := make([]*value, len(sorted))
	for i, element := range sorted {
		list[i] = element.value
	}
	return list, true
}

// plain returns v as encoding/json would have decoded it, with the integers
// and booleans that the schema found.
func (v *value) plain() any {
	switch v.kind {
	case kindHash:
		m, _ := v.plainHash()
		return m
	case kindList:
		list := make([]any, len(v.list))
		for i, element := range v.list {
			list[i] = element.plain()
		}
		return list
	case kindInteger:
		return v.integer
	case kindBoolean:
		return v.boolean
	}
	return v.text
}

// plainHash is plain for a hash; ok is false for anything else, and for nil.
func (v *value) plainHash() (m map[string]any, ok bool) {
	if v == nil || v.kind != kindHash {
		return nil, false
	}
	m = make(map[string]any, len(v.hash))
	for name, child := range v.hash {
		m[name] = child.plain()
	}
	return m, true
}
