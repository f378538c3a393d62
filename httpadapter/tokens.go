package httpadapter

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Tokens issues and checks capability tokens: whoever holds one may act on what
// it names, a row or an account, until it expires. They are signed and not kept
// anywhere, so that one that is not right costs nothing but a computation; and
// none can be taken back before it expires, but all of them at once, by taking
// their key away.
//
// A token can be read by whoever holds it: the id in it is no secret. It has
// letters, digits, - and _, and is at most 400 characters long.
//
// Tokens are safe for concurrent use.
type Tokens struct {
	keys func() [][]byte // fmt can't look into a function
	now  func() time.Time
}

// TokenOptions of Tokens. The zero TokenOptions works.
type TokenOptions struct {
	Now func() time.Time // nil: time.Now
}

const (
	minTokenKey = 32
	maxToken    = 400 // characters

	// What is signed begins with this, so that nothing else that was signed with
	// the same key is a token.
	tokenDomain = "cardonfile token 1\n"
)

// NewTokens returns Tokens that sign with the first key and accept all of them.
// To change keys, put a new one in front, and take the last one away when the
// tokens that it signed have expired. A key has at least 32 bytes, from a random
// source. A nil opts is the zero TokenOptions.
func NewTokens(keys [][]byte, opts *TokenOptions) (*Tokens, error) {
	if len(keys) == 0 {
		return nil, errors.New("httpadapter: NewTokens needs a key")
	}
	t := &Tokens{now: time.Now}
	if opts != nil && opts.Now != nil {
		t.now = opts.Now
	}
	own := make([][]byte, len(keys))
	for i, key := range keys {
		if len(key) < minTokenKey {
			return nil, fmt.Errorf("httpadapter: key %d has %d bytes, and %d are needed; draw them from crypto/rand", i, len(key), minTokenKey)
		}
		own[i] = bytes.Clone(key)
	}
	t.keys = func() [][]byte { return own }
	return t, nil
}

// Issue returns a token for the id, which is good for ttl, rounded up to a whole
// second of the clock. It returns an error if the id can't be a row's or the ttl is
// less than a second.
func (t *Tokens) Issue(id string, ttl time.Duration) (string, error) {
	switch {
	case !wellFormed(id):
		return "", fmt.Errorf("httpadapter: a token is for an id of 1 to %d bytes of UTF-8, without control characters and slashes", maxID)
	case ttl < time.Second:
		return "", fmt.Errorf("httpadapter: a token must be good for a second at least, not for %s", ttl)
	}
	payload := binary.BigEndian.AppendUint64(nil, uint64(t.now().Add(ttl+time.Second-1).Unix()))
	payload = append(payload, id...)
	return tokenText.EncodeToString(append(sign(t.keys()[0], payload), payload...)), nil
}

var tokenText = base64.RawURLEncoding.Strict() // one text for one token

func sign(key, payload []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(tokenDomain))
	mac.Write(payload)
	return mac.Sum(nil)
}

// Verify returns the id that the token is for. Its error wraps
// ErrUnauthenticated: the token is none of ours, or has expired. How long it
// takes tells nothing of the signature that it should have.
func (t *Tokens) Verify(token string) (id string, err error) {
	if len(token) > maxToken {
		return "", fmt.Errorf("%w: the token is too long", ErrUnauthenticated)
	}
	text, err := tokenText.DecodeString(token)
	if err != nil || len(text) <= sha256.Size+8 || strings.ContainsAny(token, "\r\n") { // which base64 skips
		return "", fmt.Errorf("%w: the token is malformed", ErrUnauthenticated)
	}
	signature, payload := text[:sha256.Size], text[sha256.Size:]
	signed := false
	for _, key := range t.keys() {
		signed = hmac.Equal(signature, sign(key, payload)) || signed
	}
	switch {
	case !signed:
		return "", fmt.Errorf("%w: the token is not signed by us", ErrUnauthenticated)
	case t.now().Unix() >= int64(binary.BigEndian.Uint64(payload)):
		return "", fmt.Errorf("%w: the token has expired", ErrUnauthenticated)
	}
	return string(payload[8:]), nil
}

// Identify identifies the row by the token that is the request's [Credential];
// without one, the error wraps ErrUnauthenticated. If the path has an id, too,
// and it is another one, the error wraps ErrForbidden. It is for Routes where
// tokens are for rows; where they are for accounts, call Verify in your own.
func (t *Tokens) Identify(r *http.Request) (string, error) {
	token, err := Credential(r)
	if err != nil {
		return "", err
	}
	if token == "" {
		return "", fmt.Errorf("%w: there is no token", ErrUnauthenticated)
	}
	id, err := t.Verify(token)
	if err != nil {
		return "", err
	}
	if asked := r.PathValue("id"); asked != "" && asked != id {
		return "", fmt.Errorf("%w: the token is for another id", ErrForbidden)
	}
	return id, nil
}
