package httpadapter

import (
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// form is a decoded form: texts, and hashes of them.
type form map[string]any

const (
	notForm     fault = "the body is not form-encoded"
	unknown     fault = "it is not known, or not the caller's to set"
	wrongKind   fault = "it is a text where there should be a hash or a list, or the other way round"
	notBoolean  fault = "it is neither true nor false"
	tooMany     fault = "it has more than 500 parameters"
	maxBrackets       = 16
	maxParams         = 500
)

// form returns the parameters of the request, those of the query and those of
// the body, which is a form by its type if it is not empty.
func (q *request) form() (form, error) {
	f := form{}
	if err := f.decode(q.URL.RawQuery); err != nil || q.Method == http.MethodGet {
		return f, err
	}
	body, err := q.read(q.h.opts.MaxBodyBytes)
	switch {
	case err != nil:
		return nil, err
	case len(body) > 0 && !isForm(q.Header):
		return nil, bodyError{outcome: badType}
	}
	return f, f.decode(string(body))
}

func isForm(header http.Header) bool {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return false
	}
	t, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && t == "application/x-www-form-urlencoded"
}

// decode adds to f what text says: a=1, a[b]=1, a[0]=1, and a[]=1, which is
// a[0]=1 the first time. What is said twice is what it was said to be last.
func (f form) decode(text string) error {
	for n := 0; text != ""; n++ {
		if n == maxParams {
			return bodyError{badBody, tooMany}
		}
		var pair string
		if pair, text, _ = strings.Cut(text, "&"); pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, keyErr := url.QueryUnescape(key)
		value, valueErr := url.QueryUnescape(value)
		switch {
		case keyErr != nil, valueErr != nil:
			return bodyError{badBody, notForm}
		case !utf8.ValidString(key), !utf8.ValidString(value):
			return bodyError{badBody, notForm}
		}
		if err := f.set(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (f form) set(key, value string) error {
	names := splitName(key)
	if len(names) > maxBrackets {
		return paramError{key, unknown}
	}
	for _, name := range names[:len(names)-1] {
		child, ok := f.child(name)
		if !ok {
			return paramError{key, wrongKind}
		}
		f = child
	}
	last := f.index(names[len(names)-1])
	if _, isHash := f[last].(form); isHash {
		return paramError{key, wrongKind}
	}
	f[last] = value
	return nil
}

// child returns the hash of that name, which is made if there is none.
func (f form) child(name string) (form, bool) {
	name = f.index(name)
	if f[name] == nil {
		f[name] = form{}
	}
	child, ok := f[name].(form)
	return child, ok
}

// index returns the name, which is the next number if it is empty, as in a[].
func (f form) index(name string) string {
	if name != "" {
		return name
	}
	for n := len(f); ; n++ {
		if name := strconv.Itoa(n); f[name] == nil {
			return name
		}
	}
}

// splitName splits a[b][] into a, b and "". A name whose brackets do not match
// is one like any other.
func splitName(key string) []string {
	first, rest, ok := strings.Cut(key, "[")
	inner, closed := strings.CutSuffix(rest, "]")
	if !ok || !closed || first == "" {
		return []string{key}
	}
	names := append([]string{first}, strings.Split(inner, "][")...)
	if strings.ContainsAny(strings.Join(names, ""), "[]") {
		return []string{key}
	}
	return names
}

// leaves returns the full names of all texts in f, in order.
func (f form) leaves(prefix string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		full := name
		if prefix != "" {
			full = prefix + "[" + name + "]"
		}
		if child, ok := f[name].(form); ok {
			names = append(names, child.leaves(full)...)
			continue
		}
		names = append(names, full)
	}
	return names
}

// text returns the text of that name, and "" if there is none.
func (f form) text(name string) (string, error) {
	switch v := f[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", paramError{name, wrongKind}
}

// list returns the texts of the list of that name, and none if there is no list.
func (f form) list(name string) ([]string, error) {
	hash, ok := f[name].(form)
	if !ok {
		if f[name] != nil {
			return nil, paramError{name, wrongKind}
		}
		return nil, nil
	}
	elements, ok := hash.elements()
	if !ok {
		return nil, paramError{name, wrongKind}
	}
	texts := make([]string, len(elements))
	for i, e := range elements {
		if texts[i], ok = e.(string); !ok {
			return nil, paramError{fmt.Sprintf("%s[%d]", name, i), wrongKind}
		}
	}
	return texts, nil
}

// elements returns what f holds in the order of its names, if they are all
// numbers.
func (f form) elements() ([]any, bool) {
	numbers := make([]int, 0, len(f))
	for name := range f {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || strconv.Itoa(n) != name {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	elements := make([]any, len(numbers))
	for i, n := range numbers {
		elements[i] = f[strconv.Itoa(n)]
	}
	return elements, true
}

// plain returns v as maps and slices.
func plain(v any) any {
	f, ok := v.(form)
	if !ok {
		return v
	}
	if elements, ok := f.elements(); ok {
		for i, e := range elements {
			elements[i] = plain(e)
		}
		return elements
	}
	hash := make(map[string]any, len(f))
	for name, v := range f {
		hash[name] = plain(v)
	}
	return hash
}
