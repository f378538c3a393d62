package httpadapter_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
)

var (
	tokenKey    = []byte("CANARY-01234567890123456789012345")
	oldTokenKey = []byte("another key, of 32 bytes or more.")
)

// tokens returns Tokens, and the clock that they go by.
func tokens(t testing.TB, keys ...[]byte) (*httpadapter.Tokens, *time.Time) {
	t.Helper()
	now := time.Unix(1_700_000_000, 0)
	tk, err := httpadapter.NewTokens(keys, &httpadapter.TokenOptions{Now: func() time.Time { return now }})
	require.NoError(t, err)
	return tk, &now
}

func TestNewTokens(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][][]byte{
		"none":       {},
		"nil":        {nil},
		"short":      {tokenKey[:31]},
		"one short":  {tokenKey, tokenKey[:31]},
		"one is nil": {tokenKey, nil},
	} {
		tk, err := httpadapter.NewTokens(keys, nil)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "CANARY")
		require.Nil(t, tk)
	}
	key := append([]byte(nil), tokenKey...)
	tk, err := httpadapter.NewTokens([][]byte{key}, nil)
	require.NoError(t, err)
	token, err := tk.Issue("42", time.Hour)
	require.NoError(t, err)
	clear(key) // it has its own
	id, err := tk.Verify(token)
	require.NoError(t, err)
	require.Equal(t, "42", id)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	tk, now := tokens(t, tokenKey)
	for _, id := range []string{"1", rowID, "alice@example.com", "ключ", strings.Repeat("x", 255)} {
		token, err := tk.Issue(id, time.Minute)
		require.NoError(t, err)
		require.Regexp(t, `^[A-Za-z0-9_-]{1,400}$`, token)
		got, err := tk.Verify(token)
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
	for _, id := range []string{"", "a/b", "a\x00", "a\n", "\xff", strings.Repeat("x", 256)} {
		_, err := tk.Issue(id, time.Minute)
		require.Error(t, err, "%q", id)
	}
	for _, ttl := range []time.Duration{0, -time.Hour, time.Second - 1} {
		_, err := tk.Issue("42", ttl)
		require.Error(t, err, ttl)
	}

	token, err := tk.Issue("42", time.Minute)
	require.NoError(t, err)
	*now = now.Add(time.Minute - time.Second)
	_, err = tk.Verify(token)
	require.NoError(t, err)
	*now = now.Add(time.Second)
	_, err = tk.Verify(token)
	require.ErrorIs(t, err, httpadapter.ErrUnauthenticated)
	require.ErrorContains(t, err, "expired")

	*now = now.Add(999 * time.Millisecond)
	token, err = tk.Issue("42", time.Second)
	require.NoError(t, err)
	*now = now.Add(time.Second - time.Millisecond)
	_, err = tk.Verify(token)
	require.NoError(t, err, "a second is not less for beginning late in another")
}

// Whoever knows the key is everybody.
func TestTokensPrintNoKey(t *testing.T) {
	t.Parallel()
	tk, _ := tokens(t, tokenKey)
	hidden := struct{ tokens *httpadapter.Tokens }{tk}
	for _, v := range []any{tk, *tk, hidden, &hidden, []any{tk}} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&log, verb, v)
		}
		for _, form := range []string{"%s", "%x", "%d", "%v"} {
			require.NotContains(t, log.String(), strings.Trim(fmt.Sprintf(form, tokenKey), "[]"))
		}
	}
}

// Keys are rotated: a new one in front, the old one taken away later.
func TestTokenKeys(t *testing.T) {
	t.Parallel()
	before, _ := tokens(t, oldTokenKey)
	during, _ := tokens(t, tokenKey, oldTokenKey)
	after, _ := tokens(t, tokenKey)
	old, err := before.Issue("42", time.Hour)
	require.NoError(t, err)
	next, err := during.Issue("42", time.Hour)
	require.NoError(t, err)
	require.NotEqual(t, old, next)
	for _, c := range []struct {
		tk    *httpadapter.Tokens
		token string
		ok    bool
	}{
		{before, old, true},
		{during, old, true},
		{after, old, false},
		{before, next, false},
		{during, next, true},
		{after, next, true},
	} {
		_, err := c.tk.Verify(c.token)
		require.Equal(t, c.ok, err == nil)
	}
}

// Whatever is changed about a token, it is none any more.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	tk, _ := tokens(t, tokenKey, oldTokenKey)
	token, err := tk.Issue("42", time.Hour)
	require.NoError(t, err)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. "
	for i := range token {
		for _, c := range letters {
			forged := token[:i] + string(c) + token[i+1:]
			if forged == token {
				continue
			}
			_, err := tk.Verify(forged)
			require.ErrorIs(t, err, httpadapter.ErrUnauthenticated, forged)
		}
		_, err := tk.Verify(token[:i])
		require.ErrorIs(t, err, httpadapter.ErrUnauthenticated)
	}
	other, _ := tokens(t, []byte("a key that is somebody else's entirely"))
	theirs, err := other.Issue("42", time.Hour)
	require.NoError(t, err)
	for _, forged := range []string{theirs, token + "=", token + "A", token + "\n", token + token, strings.Repeat("A", 401), strings.Repeat("A", 1<<20)} {
		_, err := tk.Verify(forged)
		require.ErrorIs(t, err, httpadapter.ErrUnauthenticated)
		require.NotContains(t, err.Error(), token)
	}
}

func TestTokensIdentify(t *testing.T) {
	t.Parallel()
	tk, _ := tokens(t, tokenKey)
	token, err := tk.Issue(rowID, time.Hour)
	require.NoError(t, err)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(token+":"))
	for name, c := range map[string]struct {
		authorization string
		path          string
		status        int
	}{
		"bearer":       {"Bearer " + token, rowID, 200},
		"basic":        {basic, rowID, 200},
		"another row":  {"Bearer " + token, "000000000000000000000000", 403},
		"none":         {"", rowID, 401},
		"wrong":        {"Bearer " + token[1:], rowID, 401},
		"other scheme": {"Token " + token, rowID, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.identify = tk.Identify
			r := b.request(c.path)
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			w := b.serve(r)
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.NotContains(t, b.log.String(), token[1:])
			if c.status != http.StatusOK {
				require.Zero(t, b.asked)
			}
		})
	}
	r := httptest.NewRequest(http.MethodPost, "/api/setup-intent", nil) // the path names nothing
	r.Header.Set("Authorization", "Bearer "+token)
	id, err := tk.Identify(r)
	require.NoError(t, err)
	require.Equal(t, rowID, id)
}

// FuzzTokens: what is accepted is what was issued, to the byte.
func FuzzTokens(f *testing.F) {
	tk, now := tokens(f, tokenKey, oldTokenKey)
	old, _ := tokens(f, oldTokenKey)
	for _, by := range []*httpadapter.Tokens{tk, old} {
		for _, id := range []string{"42", rowID, "ключ"} {
			token, err := by.Issue(id, time.Hour)
			require.NoError(f, err)
			f.Add(token, id, int64(3600))
			f.Add(token[:len(token)-1], id, int64(1))
			f.Add(token+"=", id, int64(0))
		}
	}
	f.Add("", "", int64(-1))
	f.Add(strings.Repeat("A", 400), "a/b", int64(1<<40))
	issued := map[string]bool{}
	f.Fuzz(func(t *testing.T, forged, id string, seconds int64) {
		ttl := time.Duration(min(max(seconds, -1), 1<<30)) * time.Second
		if token, err := tk.Issue(id, ttl); err == nil {
			got, err := tk.Verify(token)
			require.NoError(t, err)
			require.Equal(t, id, got)
			issued[token] = true
			*now = now.Add(ttl)
			_, err = tk.Verify(token)
			require.ErrorIs(t, err, httpadapter.ErrUnauthenticated)
			*now = now.Add(-ttl)
		}
		got, err := tk.Verify(forged)
		if err != nil {
			require.ErrorIs(t, err, httpadapter.ErrUnauthenticated)
			require.Empty(t, got)
			return
		}
		again, err := tk.Issue(got, time.Hour)
		require.NoError(t, err)
		oldAgain, err := old.Issue(got, time.Hour)
		require.NoError(t, err)
		require.True(t, forged == again || forged == oldAgain || issued[forged], "accepted: %s", forged)
	})
}
