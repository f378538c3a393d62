package redact

import (
	"bytes"
	"encoding/json"
)

// JSON returns the valid JSON src in compact form, without the members
// that hold secrets, at any depth, and with any other text that holds secret,
// such as a URL, redacted.
func JSON(src []byte, secret string) json.RawMessage {
	c := cutter{src: src, dst: make([]byte, 0, len(src)), secret: []byte(secret)}
	c.value()
	return c.dst
}

// isSecret reports whether a member of that name, in its quotes, holds a secret:
// the client secret of an intent or of a source, the secret of an ephemeral key.
func isSecret(quoted []byte) bool {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var s string
		_ = json.Unmarshal(quoted, &s)
		name = []byte(s)
	}
	return bytes.EqualFold(name, []byte("client_secret")) || bytes.EqualFold(name, []byte("secret"))
}

// cutter copies one JSON value that is known to be valid.
type cutter struct {
	src, dst []byte
	secret   []byte
	i        int
	mute     bool // nothing is copied
}

func (c *cutter) emit(b ...byte) {
	if !c.mute {
		c.dst = append(c.dst, b...)
	}
}

// peek skips white space.
func (c *cutter) peek() byte {
	for c.src[c.i] <= ' ' {
		c.i++
	}
	return c.src[c.i]
}

func (c *cutter) value() {
	switch c.peek() {
	case '{':
		c.list('}', c.member)
	case '[':
		c.list(']', c.value)
	case '"':
		text := c.text()
		if c.tells(text) {
			text = []byte(`"[redacted]"`)
		}
		c.emit(text...)
	default:
		start := c.i
		for c.i < len(c.src) && c.src[c.i] > ' ' && c.src[c.i] != ',' && c.src[c.i] != ']' && c.src[c.i] != '}' {
			c.i++
		}
		c.emit(c.src[start:c.i]...)
	}
}

// list copies an object or an array, without its separators where nothing was
// copied between them.
func (c *cutter) list(end byte, element func()) {
	c.emit(c.src[c.i])
	c.i++
	for empty := len(c.dst); c.peek() != end; {
		if c.src[c.i] == ',' {
			c.i++
			continue
		}
		before := len(c.dst)
		if before > empty {
			c.emit(',')
		}
		start := len(c.dst)
		element()
		if len(c.dst) == start {
			c.dst = c.dst[:before]
		}
	}
	c.emit(end)
	c.i++
}

func (c *cutter) member() {
	quoted := c.text()
	c.peek()
	c.i++ // the colon
	outer := c.mute
	c.mute = outer || isSecret(quoted) || c.tells(quoted)
	c.emit(quoted...)
	c.emit(':')
	c.value()
	c.mute = outer
}

// tells reports whether a text has the secret in it.
func (c *cutter) tells(text []byte) bool {
	return len(c.secret) > 0 && bytes.Contains(text, c.secret)
}

// text returns a string with its quotes.
func (c *cutter) text() []byte {
	start := c.i
	for c.i++; c.src[c.i] != '"'; c.i++ {
		if c.src[c.i] == '\\' {
			c.i++
		}
	}
	c.i++
	return c.src[start:c.i]
}
