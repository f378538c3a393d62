package stripeport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
)

// param is a create parameter as stripe-go has it.
type param struct {
	name  string // a[b]
	value any    // as decoded JSON
	wire  string // name on the wire; empty: it can't be written
	sent  string
}

// stripeParams derives the parameters from the form tags of a struct.
func stripeParams(t *testing.T, typ reflect.Type, prefix string) (all []param) {
	t.Helper()
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("form"), ",")
		switch {
		case name == "-" || field.Type == reflect.TypeFor[*stripe.ExtraValues]():
			continue
		case name == "*":
			all = append(all, stripeParams(t, field.Type, prefix)...)
			continue
		case prefix != "":
			name = prefix + "[" + name + "]"
		}
		require.NotEmpty(t, name, "%s.%s", typ, field.Name)
		ft := field.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		switch ft.Kind() {
		case reflect.Struct:
			inner := stripeParams(t, ft, name)
			if len(inner) == 0 {
				inner = []param{{name: name, value: map[string]any{}}}
			}
			all = append(all, inner...)
		case reflect.String:
			all = append(all, param{name, "té &x", name, "té &x"})
		case reflect.Bool:
			all = append(all, param{name, false, name, "false"})
		case reflect.Int64, reflect.Float64:
			all = append(all, param{name, json.Number("1000000000000000000000"), name, "1000000000000000000000"})
		case reflect.Slice:
			all = append(all, param{name, []any{"x", ""}, name + "[1]", ""})
		case reflect.Map:
			all = append(all, param{name, map[string]any{"k": "v"}, name + "[k]", "v"})
		default:
			require.Fail(t, "a parameter of a new kind", "%s: %s", name, field.Type)
		}
	}
	return all
}

// extra nests the value under its name.
func extra(name string, value any) map[string]any {
	path := strings.Split(strings.ReplaceAll(name, "]", ""), "[")
	for i := len(path) - 1; i > 0; i-- {
		value = map[string]any{path[i]: value}
	}
	return map[string]any{path[0]: value}
}

// Every create parameter of stripe-go is accepted, or refused for a reason, and
// reaches Stripe under its own name.
func TestEveryCreateParameter(t *testing.T) {
	t.Parallel()
	fields := map[string]bool{
		"customer": true, "description": true, "metadata": true, "payment_method": true, "payment_method_types": true, "usage": true,
	}
	refused := map[string]bool{
		"confirm": true, "confirmation_token": true, "mandate_data": true, "return_url": true, "client_secret": true,
	}
	params := stripeParams(t, reflect.TypeFor[stripe.SetupIntentParams](), "")
	require.Greater(t, len(params), 100)
	send := newSender(t)
	for _, p := range params {
		req := setupintent.IntentRequest{Extra: extra(p.name, p.value)}
		top, _, _ := strings.Cut(p.name, "[")
		if refused[top] || fields[top] {
			require.ErrorIs(t, req.Validate(), setupintent.ErrInvalidRequest, p.name)
			continue
		}
		require.NoError(t, req.Validate(), p.name)
		form := send(req)
		if p.wire != "" {
			require.Equal(t, []string{p.sent}, form[p.wire], "%s: %v", p.name, form)
		}
	}
	for _, p := range []string{"payment_method_data[card]", "payment_method_data[card][number]"} {
		req := setupintent.IntentRequest{Extra: extra(p, "4242424242424242")}
		require.ErrorIs(t, req.Validate(), setupintent.ErrInvalidRequest)
	}
}

// The same for every parameter of the list, which other documents than
// stripe-go's went into.
func TestEveryDocumentedParameter(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../setupintent/params.txt")
	require.NoError(t, err)
	send := newSender(t)
	for _, name := range strings.Fields(string(list)) {
		name = strings.ReplaceAll(name, "*", "any")
		req := setupintent.IntentRequest{Extra: extra(name, "x")}
		require.NoError(t, req.Validate(), name)
		require.Equal(t, []string{"x"}, send(req)[name], name)
	}
}

// newSender returns a function that creates an intent of a request that has
// been frozen and thawed, as a Service does, and returns the form that arrives.
func newSender(t *testing.T) func(setupintent.IntentRequest) url.Values {
	t.Helper()
	var body []byte
	p, err := stripeport.New(testKey, &stripeport.Options{HTTPClient: &http.Client{
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			var err error
			body, err = io.ReadAll(r.Body)
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(intentJSON()))}, err
		}),
	}})
	require.NoError(t, err)
	return func(req setupintent.IntentRequest) url.Values {
		frozen, err := json.Marshal(req)
		require.NoError(t, err)
		var thawed setupintent.IntentRequest
		dec := json.NewDecoder(bytes.NewReader(frozen))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&thawed))
		_, err = p.CreateIntent(context.Background(), thawed)
		require.NoError(t, err)
		form, err := url.ParseQuery(string(body))
		require.NoError(t, err)
		return form
	}
}

func TestCreateBody(t *testing.T) {
	t.Parallel()
	const automatic = "automatic_payment_methods[allow_redirects]=never&automatic_payment_methods[enabled]=true"
	for _, tc := range []struct {
		name string
		req  setupintent.IntentRequest
		want string
	}{
		{"defaults", setupintent.IntentRequest{}, automatic + "&usage=off_session"},
		{
			"fields",
			setupintent.IntentRequest{
				Customer: "cus_1", Description: "a b&c", PaymentMethod: "pm_1", Usage: "on_session",
				Metadata: map[string]string{"b": "é", "a": "1", "c": ""},
			},
			automatic + "&customer=cus_1&description=a+b%26c&metadata[a]=1&metadata[b]=%C3%A9&metadata[c]=&payment_method=pm_1&usage=on_session",
		},
		{
			"types",
			setupintent.IntentRequest{PaymentMethodTypes: []string{"card", "sepa_debit"}},
			"payment_method_types[0]=card&payment_method_types[1]=sepa_debit&usage=off_session",
		},
		{
			"automatic in Extra",
			setupintent.IntentRequest{Extra: map[string]any{"automatic_payment_methods": map[string]any{"enabled": true}}},
			"automatic_payment_methods[enabled]=true&usage=off_session",
		},
		{
			"automatic in Extra, and nothing in it",
			setupintent.IntentRequest{Extra: map[string]any{"automatic_payment_methods": map[string]any{}}},
			automatic + "&usage=off_session",
		},
		{
			"kinds",
			setupintent.IntentRequest{Extra: map[string]any{
				"z": 1, "y": int64(-2), "x": uint64(1 << 63), "w": json.Number("1e21"), "v": true, "u": 1e21, "t": 0.5,
				"s": []string{"a", ""}, "r": []any{}, "q": []string{}, "p": nil, "o": map[string]any{},
				"n": []any{map[string]any{"b": 0, "a": false}, []any{""}},
			}},
			automatic + "&n[0][a]=false&n[0][b]=0&n[1][0]=&p=&q=&r=&s[0]=a&s[1]=&t=0.5&u=1000000000000000000000&usage=off_session&v=true&w=1e21&x=9223372036854775808&y=-2&z=1",
		},
		{
			"a field goes before Extra",
			setupintent.IntentRequest{Customer: "cus_1", Extra: map[string]any{"customer": "cus_2", "usage": "on_session"}},
			automatic + "&customer=cus_1&usage=on_session",
		},
	} {
		s := serve(t, ok())
		p := s.provider(t)
		extra := maps.Clone(tc.req.Extra)
		for range 20 { // maps have no order
			_, err := p.CreateIntent(context.Background(), tc.req)
			require.NoError(t, err)
		}
		for _, r := range s.seen() {
			require.Equal(t, "/v1/setup_intents", r.uri)
			require.Equal(t, tc.want, r.body, tc.name)
		}
		require.Equal(t, extra, tc.req.Extra, "the request belongs to the caller")
	}
}
