package setupintent

import (
	"fmt"
	"log/slog"
)

// ClientSecret holds the text with which a browser confirms an intent. It
// prints as "[redacted]" under every verb of fmt, in slog and in JSON, also
// deep inside other values. The zero ClientSecret holds "".
//
// Compare what two hold by Reveal: == says whether one is a copy of the other,
// and not whether they hold the same text.
type ClientSecret struct {
	text *string // fmt prints strings in unexported fields, whatever methods a type has
}

// NewClientSecret returns a ClientSecret that holds text; of "" it is the zero
// ClientSecret.
func NewClientSecret(text string) ClientSecret {
	if text == "" {
		return ClientSecret{}
	}
	return ClientSecret{&text}
}

// Reveal returns the text. Call it where the response is written, and nowhere
// else.
func (c ClientSecret) Reveal() string {
	if c.text == nil {
		return ""
	}
	return *c.text
}

const redacted = "[redacted]"

// Format implements [fmt.Formatter].
func (c ClientSecret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer].
func (c ClientSecret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (c ClientSecret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
