package stripetest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// FuzzForm holds the decoder against itself: what it makes of a text is what
// it makes of that written anew, and the fingerprint says so too.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "a=b", "a[]=1&a[]=2", "a[1]=x&a[0]=y", "a[b][c]=1&a[b][d]=2", "a[][b]=1&a[][c]=2&a[][b]=3", "a=1&a[b]=2",
		"a[=1", "a]=1", "[a]=1", "a[b]c=1", "a[[b]]=1", "=1", "&&", "a=%2B+%20", "a=%zz", "metadata[]=", "a[4294967296]=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		decoded, fingerprint, err := stripetest.DecodeForm(text)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		written, ok := write(decoded, "")
		if !ok {
			return // a name that cannot be written with brackets around it
		}
		again, same, err := stripetest.DecodeForm(strings.Join(written, "&"))
		require.NoError(t, err)
		require.Equal(t, fingerprint, same)
		if len(written) > 0 {
			require.True(t, reflect.DeepEqual(decoded, again), "%v, %v", decoded, again)
		}
	})
}

// write is the opposite of the decoder.
func write(v any, name string) (pairs []string, ok bool) {
	switch v := v.(type) {
	case string:
		return []string{url.QueryEscape(name) + "=" + url.QueryEscape(v)}, true
	case []any:
		for _, element := range v {
			if _, text := element.(string); !text {
				return nil, false
			}
			more, _ := write(element, name+"[]")
			pairs = append(pairs, more...)
		}
	case map[string]any:
		for key, element := range v {
			if strings.ContainsAny(key, "[]") || key == "" {
				return nil, false
			}
			path := key
			if name != "" {
				path = name + "[" + key + "]"
			}
			more, ok := write(element, path)
			if !ok {
				return nil, false
			}
			pairs = append(pairs, more...)
		}
	}
	return pairs, true
}

// FuzzServer sends any bytes to any endpoint: nothing panics, and every
// failure is an error object of Stripe's shape.
func FuzzServer(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "/v1/setup_intents", "payment_method_types[]=card&confirm=true&payment_method=pm_card_visa"},
		{"POST", "/v1/setup_intents", "payment_method_data[type]=card&payment_method_data[card]=&confirm=true"},
		{"POST", "/v1/setup_intents", "single_use=&mandate_data=&confirm=true&payment_method=pm_bacsDebit_success&payment_method_types[]=bacs_debit"},
		{"GET", "/v1/setup_intents?created[gte]=1&limit=1&expand[]=data.customer", ""},
		{"POST", "/v1/customers", "address=&shipping[address]=&shipping[name]=x&invoice_settings=&tax_id_data[][type]=x"},
		{"POST", "/v1/payment_methods", "type=us_bank_account&us_bank_account=&billing_details="},
		{"POST", "/v1/webhook_endpoints", "url=http://127.0.0.1:1&enabled_events="},
		{"POST", "/v1/customer_sessions", "components=&customer=x"},
		{"POST", "/_stripetest/faults", `{"faults":[{"kind":"error"}]}`},
		{"POST", "/redirect/authenticate/x", "outcome=complete"},
		{"DELETE", "/v1/customers/%2e%2e", "\x00"},
		{"POST", "/wooshpay/v1/setup_intents", `{"confirm":true,"payment_method":"pm_card_visa","metadata":{"a":1,"b":null}}`},
		{"POST", "/wooshpay/v1/setup_intents", `{"payment_method_types":[["card"]],"payment_method_data":{"type":"alipay","card":[]},"customer":{}}`},
		{"POST", "/wooshpay/v1/setup_intents/seti_1/confirm", `{"return_url":"string","payment_method_options":{"card":true}}`},
		{"GET", "/wooshpay/v1/setup_intents/seti_1?client_secret=x", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(method, " \t\r\n") || method == "" || !strings.HasPrefix(target, "/") {
			return
		}
		if strings.Contains(body, "late") || strings.Contains(body, "ms") {
			return // the control API does as it is told
		}
		s, err := stripetest.New(nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		r := httptest.NewRequest(http.MethodGet, "http://stripe.test/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set("Authorization", "Bearer "+stripetest.DefaultSecretKey)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(u.Path, "/wooshpay/") {
			r.SetBasicAuth(stripetest.DefaultSecretKey, "")
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code < 400 || strings.HasPrefix(u.Path, "/redirect/") {
			return
		}
		var got struct {
			Error struct{ Type, Message string }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), w.Body.String())
		require.NotEmpty(t, got.Error.Type)
		require.NotEmpty(t, got.Error.Message)
	})
}

// FuzzStateFile: a state file that was written by somebody else, or only in part,
// is read or refused, and a server that has read it answers.
func FuzzStateFile(f *testing.F) {
	file := filepath.Join(f.TempDir(), "state")
	s, err := stripetest.New(&stripetest.Options{StateFile: file})
	require.NoError(f, err)
	for _, body := range []string{"payment_method_types[]=card", "confirm=true&payment_method=pm_card_chargeDeclined&payment_method_types[]=card"} {
		r := httptest.NewRequest(http.MethodPost, "/v1/setup_intents", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+stripetest.DefaultSecretKey)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Idempotency-Key", body)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.NoError(f, s.Close())
	written, err := os.ReadFile(file)
	require.NoError(f, err)
	for _, line := range bytes.SplitAfter(written, []byte("\n")) {
		f.Add(line)
	}
	f.Add(written)
	f.Add([]byte("{}\n{\"object\":{\"object\":\"setup_intent\"}}\n{\"key\":{}}\n{\"clock\":-1}\n{\"reset\":true}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "state")
		require.NoError(t, os.WriteFile(file, content, 0o600))
		s, err := stripetest.New(&stripetest.Options{StateFile: file, Webhooks: nil, RetrySchedule: []time.Duration{}})
		if err != nil {
			require.ErrorContains(t, err, "state file")
			return
		}
		for _, path := range []string{"/v1/setup_intents?limit=100&expand[]=data.customer", "/v1/events?limit=100", "/v1/customers", "/v1/webhook_endpoints", "/_stripetest/setup_intents"} {
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			r.Header.Set("Authorization", "Bearer "+stripetest.DefaultSecretKey)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			require.Less(t, w.Code, 500, "%s: %s", path, w.Body)
		}
		require.NoError(t, s.Close())
	})
}
