package httpadapter

import (
	"errors"
	"strings"
)

var errBadKey = errors.New("the Idempotency-Key is not one")

const maxKey = 255 // bytes, as at Stripe and OrbitKit

// checkKey checks the request's Idempotency-Key, if there is one: bare, as
// clients send it, or quoted, as RFC 8941 has strings. It is not kept: the row
// is what a request is repeated for, and no request has a payload that could
// differ.
func (q *request) checkKey() error {
	switch keys := q.Header["Idempotency-Key"]; {
	case len(keys) == 0:
		return nil
	case len(keys) > 1 || !isKey(keys[0]):
		return errBadKey
	}
	return nil
}

func isKey(s string) bool {
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		if s, ok = unquote(quoted); !ok {
			return false
		}
	}
	return s != "" && len(s) <= maxKey && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// unquote returns the string that a closing quote ends (RFC 8941, 3.3.3).
func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i == len(s)-1
		case '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}
