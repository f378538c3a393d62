package wooshport_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

// FuzzParse: whatever is signed, nothing panics, and what comes out has an id that
// can go into a URL, and no secret.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		event("setup_intent.succeeded", intentJSON()), event("setup_intent.created", intentJSON(`"customer":{"id":"cus_1"}`, `"created":"1"`)),
		`{"type":"setup_intent.x","data":{"object":{"id":"seti_1","object":"setup_intent"}}}`, `{"type":"a"}`, `[]`, ``,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		in, err := newWebhook(t, nil).Parse(signed(body), []byte(body))
		if err != nil {
			require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
			require.Equal(t, setupintent.Intent{}, in)
			return
		}
		require.True(t, json.Valid([]byte(body)))
		harmless(t, in)
		require.Empty(t, in.ClientSecret.Reveal())
		require.Empty(t, in.Raw)
	})
}

// harmless checks what goes into URLs.
func harmless(t *testing.T, in setupintent.Intent) {
	t.Helper()
	require.Empty(t, strings.Trim(in.ID, "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	require.NotContains(t, in.ID, "_secret_")
}

// FuzzSignature: what is accepted is signed, and of about now.
func FuzzSignature(f *testing.F) {
	const body = `{"type":"ping"}`
	right := mac(webhookSecret, "1700000000", body)
	for _, line := range []string{
		"t=1700000000,v1=" + right, "t=1700000000,v1=0,v1=" + right, "v1=" + right + ",t=1700000000", "t=1700000000,v0=" + right, ",=,", "t=,v1=",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		_, err := newWebhook(t, nil).Parse(signature(line), []byte(body))
		if err != nil {
			require.ErrorIs(t, err, setupintent.ErrUnverified)
			return
		}
		require.Contains(t, line, "t=1700000000") // the only time that there is a signature of
		require.True(t, strings.Contains(line, "v1="+right) || strings.Contains(line, "v1="+mac(oldSecret, "1700000000", body)))
	})
}

// FuzzAnswer: whatever WooshPay answers, nothing panics; what passes for an intent
// has an id that can go into a URL; and the raw object is without the secret.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		intentJSON(), intentJSON(`"customer":{"id":"cus_1"}`, `"metadata":{"a":1}`, `"created":"x"`), failWith(invalidRequest, "x"),
		failWith(cardError, "x", `"setup_intent":`+intentJSON()), `{"type":"card_error"}`, `{"id":"a","object":"setup_intent","status":"b","client_secret":"c\"\\"}`,
		`null`, `[]`, `"x"`, ``, `{"secret":{"a":[]},"id":"a","object":"setup_intent","status":"b"}`,
	} {
		for _, status := range []int{200, 400, 402, 500} {
			f.Add(status, body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		p, err := wooshport.New(testKey, &wooshport.Options{Sleep: noSleep, HTTPClient: &http.Client{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			}),
		}})
		require.NoError(t, err)
		in, err := p.CreateIntent(context.Background(), setupintent.IntentRequest{Key: "k"})
		if err != nil {
			require.NotContains(t, err.Error(), "_secret_")
			return
		}
		harmless(t, in)
		require.NotEmpty(t, in.ID)
		require.True(t, json.Valid(in.Raw))
		var members map[string]any
		require.NoError(t, json.Unmarshal(in.Raw, &members))
		require.NotContains(t, members, "client_secret")
		if secret := in.ClientSecret.Reveal(); len(secret) > 8 {
			require.NotContains(t, string(in.Raw), secret)
		}
	})
}

// FuzzID: an id that somebody sent us reaches the path of a request as it is, or
// not at all, and a client secret never.
func FuzzID(f *testing.F) {
	for _, id := range []string{intent, "", "../customers", "a/b", "a%2Fb", "a?b", "a b", "é", "\x00", canary, strings.Repeat("x", 300), "sk_test_x"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		path := ""
		p, err := wooshport.New(testKey, &wooshport.Options{Sleep: noSleep, HTTPClient: &http.Client{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				path = r.URL.RequestURI()
				return &http.Response{StatusCode: 404, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(failWith(invalidRequest, "x"))), Request: r}, nil
			}),
		}})
		require.NoError(t, err)
		_, err = p.ConfirmIntent(context.Background(), id, wooshport.ConfirmRequest{ReturnURL: "https://app.example"})
		require.ErrorIs(t, err, setupintent.ErrNotFound)
		if path != "" {
			require.Equal(t, "/v1/setup_intents/"+id+"/confirm", path)
			require.NotContains(t, id, "_secret_")
			harmless(t, setupintent.Intent{ID: id})
		}
	})
}
