// Package redact keeps secrets, and texts that somebody else wrote, out of what
// an adapter passes on: errors and objects.
package redact

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// IsWord reports whether s looks like an id, a code or a key: one word of
// ordinary length.
func IsWord(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// IsVisible reports whether s is made of visible ASCII characters alone.
func IsVisible(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// HasSecret reports whether s may hold a client secret, seti_…_secret_…, an
// ephemeral key, an API key or the secret of a webhook endpoint.
func HasSecret(s string) bool {
	for _, mark := range []string{"_secret_", "ek_test_", "ek_live_", "sk_test_", "sk_live_", "rk_test_", "rk_live_", "whsec_"} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	return false
}

// Word returns s if it is one word, as ids and codes are, and no secret.
func Word(s string) string {
	if !IsWord(s) || HasSecret(s) {
		return ""
	}
	return s
}

// Param returns s if it is the name of a parameter, a[b][0].
func Param(s string) string {
	if Word(strings.NewReplacer("[", "_", "]", "_").Replace(s)) == "" {
		return ""
	}
	return s
}

// Text returns s if it is a short text that holds no secret.
func Text(s string) string {
	if len(s) > 500 || HasSecret(s) {
		return ""
	}
	return s
}

// ContextError returns the error of the context in err, or nil. A timeout of
// the HTTP client is one too.
func ContextError(err error) error {
	for _, target := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, target) {
			return target
		}
	}
	return nil
}

// Reason says in words of our own why there is no answer. The text of err would
// say more, but net/http quotes in it what the server sent.
func Reason(err error) string {
	var (
		cert  *tls.CertificateVerificationError
		dns   *net.DNSError
		op    *net.OpError
		errno syscall.Errno
	)
	if cause := ContextError(err); cause != nil {
		return cause.Error()
	}
	switch {
	case errors.As(err, &cert):
		return "the server's certificate is not trusted"
	case errors.As(err, &dns):
		return "the host could not be looked up"
	case errors.As(err, &op) && errors.As(err, &errno):
		return op.Op + ": " + errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was complete"
	}
	return "the connection failed"
}
