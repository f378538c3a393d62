package documents

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

// The documents, and what is in them.
const (
	stripeDocument = "Stripe"
	wooshDocument  = "WooshPay"

	create   = "create"
	update   = "update"
	retrieve = "retrieve"
	object   = "object"
)

// listed is what the documents have: by document and part, the notes on each
// name.
func listed(t *testing.T) map[[2]string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/documents.tsv")
	require.NoError(t, err)
	all := map[[2]string]map[string]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, f, 4, line)
		key := [2]string{f[0], f[1]}
		if all[key] == nil {
			all[key] = map[string]string{}
		}
		require.NotContains(t, all[key], f[2])
		all[key][f[2]] = f[3]
	}
	return all
}

// A row is one of the table in docs/parameters.md.
type row struct{ name, stripe, woosh, how, tested string }

// table is the rows of each part of docs/parameters.md.
func table(t *testing.T) map[string][]row {
	t.Helper()
	text, err := os.ReadFile("../../../docs/parameters.md")
	require.NoError(t, err)
	parts := map[string]string{"## To create": create, "## To update": update, "## To retrieve": retrieve, "## The object": object}
	rows, part := map[string][]row{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## ") {
			part = parts[line]
		}
		if part == "" || !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		require.Len(t, cells, 5, line)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[part] = append(rows[part], row{strings.Trim(cells[0], "`"), cells[1], cells[2], cells[3], cells[4]})
	}
	return rows
}

// TestTable: the table has a row for every name of the documents and for nothing
// else, says what they say of it, and names a test that there is.
func TestTable(t *testing.T) {
	t.Parallel()
	all, rows := listed(t), table(t)
	tests := map[string]map[string]string{create: {}, update: {}, retrieve: {"client_secret": "TestRetrieve"}, object: {}}
	for name := range creates {
		tests[create][name] = "TestCreate/" + name
	}
	for name := range updates {
		tests[update][name] = "TestUpdate/" + name
	}
	for name := range attributes {
		tests[object][name] = "TestObject/" + name
	}
	count := 0
	for part, named := range tests {
		have := map[string]bool{}
		for _, r := range rows[part] {
			require.False(t, have[r.name], "%s %s is there twice", part, r.name)
			have[r.name] = true
			for document, cell := range map[string]string{stripeDocument: r.stripe, wooshDocument: r.woosh} {
				want, documented := all[[2]string{document, part}][r.name]
				if !documented {
					want = "–"
				}
				require.Equal(t, want, cell, "%s: %s %s", document, part, r.name)
			}
			require.False(t, r.stripe == "–" && r.woosh == "–", "%s %s is in no document", part, r.name)
			require.NotEmpty(t, r.how, "%s %s", part, r.name)
			require.Equal(t, "`"+named[r.name]+"`", r.tested, "%s %s", part, r.name)
			count++
		}
		for _, document := range []string{stripeDocument, wooshDocument} {
			for name := range all[[2]string{document, part}] {
				require.True(t, have[name], "%s: %s %s has no row", document, part, name)
			}
		}
		for name := range named {
			require.True(t, have[name], "%s %s has a test, and no row", part, name)
		}
	}
	t.Logf("%d rows, and %d names in the documents", count, total(all))
}

func total(all map[[2]string]map[string]string) (n int) {
	for _, names := range all {
		n += len(names)
	}
	return n
}

// A side is one provider over the fake, and a service over it. What is sent is
// written down.
type side struct {
	*testing.T
	fake     *stripetest.Server
	provider setupintent.Provider
	stripe   *stripeport.Provider // of the same fake
	woosh    *wooshport.Provider  // nil on Stripe's side
	svc      *setupintent.Service

	mu   sync.Mutex
	sent []string // bodies
}

func newSide(t *testing.T, document string) *side {
	t.Helper()
	s := &side{T: t}
	var err error
	s.fake, err = stripetest.New(&stripetest.Options{PaymentMethodTypes: []string{"card", "link"}})
	require.NoError(t, err)
	client := &http.Client{Transport: s}
	s.stripe, err = stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: client})
	require.NoError(t, err)
	s.provider = s.stripe
	if document == wooshDocument {
		s.woosh, err = wooshport.New(stripetest.DefaultSecretKey, &wooshport.Options{BaseURL: "https://fake.test/wooshpay", HTTPClient: client})
		require.NoError(t, err)
		s.provider = s.woosh
	}
	rows := memstore.New()
	require.NoError(t, rows.Insert("42", time.Time{}))
	s.svc, err = setupintent.New(rows, s.provider, nil)
	require.NoError(t, err)
	return s
}

// RoundTrip passes the request on to the fake.
func (s *side) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.sent = append(s.sent, string(body))
		s.mu.Unlock()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.fake.Client().Transport.RoundTrip(r)
}

// last is what was sent last, as names and values: the form's, or those of the
// JSON by the same names.
func (s *side) last() url.Values {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	body := s.sent[len(s.sent)-1]
	if s.woosh == nil {
		values, err := url.ParseQuery(body)
		require.NoError(s, err)
		return values
	}
	var v map[string]any
	require.NoError(s, json.Unmarshal([]byte(body), &v))
	values := url.Values{}
	flatten(values, "", v)
	return values
}

// flatten writes JSON by a form's names.
func flatten(values url.Values, name string, v any) {
	nested := func(key string) string {
		if name == "" {
			return key
		}
		return name + "[" + key + "]"
	}
	switch v := v.(type) {
	case map[string]any:
		for key, element := range v {
			flatten(values, nested(key), element)
		}
	case []any:
		for i, element := range v {
			flatten(values, nested(string(rune('0'+i))), element)
		}
	default:
		text, ok := v.(string)
		if !ok {
			b, _ := json.Marshal(v)
			text = string(b)
		}
		values.Set(name, text)
	}
}

// customer is one that there is.
func (s *side) customer() string {
	s.Helper()
	id, err := s.stripe.CreateCustomer(s.Context(), setupintent.CustomerRequest{})
	require.NoError(s, err)
	return id
}

// begin has the service make the intent of a row, and returns the provider's
// object.
func (s *side) begin(req setupintent.IntentRequest) (setupintent.Intent, map[string]any) {
	s.Helper()
	in, err := s.svc.Begin(s.Context(), "42", &req)
	require.NoError(s, err)
	return in, raw(s.T, in)
}

func raw(t *testing.T, in setupintent.Intent) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal(in.Raw, &object))
	return object
}

// sides are the documents that have the name in the part.
func sides(t *testing.T, part, name string) []string {
	t.Helper()
	var documents []string
	for _, document := range []string{stripeDocument, wooshDocument} {
		if _, ok := listed(t)[[2]string{document, part}][name]; ok {
			documents = append(documents, document)
		}
	}
	return documents
}

// A created is a parameter of a create that is sent with another value than its
// default.
type created struct {
	req  func(*side) setupintent.IntentRequest
	sent map[string]string // in the bytes that the fake received
	back func(*side, map[string]any)

	refused string // why it is not sent, instead of the two above
}

func extra(name string, value any) func(*side) setupintent.IntentRequest {
	return func(*side) setupintent.IntentRequest {
		return setupintent.IntentRequest{Extra: map[string]any{name: value}}
	}
}

func is(name string, want any) func(*side, map[string]any) {
	return func(s *side, object map[string]any) {
		s.Helper()
		require.Equal(s, want, object[name])
	}
}

// hasMethod: the payment method is there, and of the type.
func hasMethod(methodType string) func(*side, map[string]any) {
	return func(s *side, object map[string]any) {
		s.Helper()
		require.Equal(s, "requires_confirmation", object["status"])
		id, _ := object["payment_method"].(string)
		require.Equal(s, methodType, s.method(id)["type"])
	}
}

// method is a payment method, as Stripe shows it.
func (s *side) method(id string) map[string]any {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "https://fake.test/v1/payment_methods/"+id, http.NoBody)
	require.NoError(s, err)
	r.SetBasicAuth(stripetest.DefaultSecretKey, "")
	return s.decode(r)
}

func (s *side) decode(r *http.Request) map[string]any {
	s.Helper()
	answer, err := s.fake.Client().Do(r)
	require.NoError(s, err)
	defer func() { _ = answer.Body.Close() }()
	var object map[string]any
	require.NoError(s, json.NewDecoder(answer.Body).Decode(&object))
	require.Equal(s, http.StatusOK, answer.StatusCode, object)
	return object
}

// billing is a part of the billing details that WooshPay's document has.
func billing(path ...string) created {
	var value any = "DE"
	name := "payment_method_data[billing_details]"
	for _, key := range slices.Backward(path) {
		value = map[string]any{key: value}
	}
	for _, key := range path {
		name += "[" + key + "]"
	}
	return created{
		req: extra("payment_method_data", map[string]any{"type": "card", "billing_details": value}), sent: map[string]string{name: "DE"},
		back: func(s *side, object map[string]any) {
			v := s.method(object["payment_method"].(string))["billing_details"]
			for _, key := range path {
				v = v.(map[string]any)[key]
			}
			require.Equal(s, "DE", v)
		},
	}
}

// rawCard is a part of the data of a card.
func rawCard(name string, value any) created {
	return created{
		req:     extra("payment_method_data", map[string]any{"type": "card", "card": map[string]any{name: value}}),
		refused: "card numbers must not pass through this server; let the browser collect them",
	}
}

const confirming = "it goes only with confirm=true, and a replay must not confirm"

// creates are the parameters of a create, by name.
var creates = map[string]created{
	"automatic_payment_methods": {
		req:  extra("automatic_payment_methods", map[string]any{"enabled": true, "allow_redirects": "always"}),
		sent: map[string]string{"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "always"},
		back: is("automatic_payment_methods", map[string]any{"enabled": true, "allow_redirects": "always"}),
	},
	"confirm": {
		req:     extra("confirm", true),
		refused: "a create is replayed after a crash, and must not confirm the card of somebody who left; confirm in the browser",
	},
	"customer": {
		req: func(s *side) setupintent.IntentRequest { return setupintent.IntentRequest{Customer: s.customer()} },
		back: func(s *side, object map[string]any) {
			require.NotEmpty(s, object["customer"])
			require.Equal(s, object["customer"], s.last().Get("customer"))
		},
	},
	"description": {
		req:  func(*side) setupintent.IntentRequest { return setupintent.IntentRequest{Description: "ä & = +"} },
		sent: map[string]string{"description": "ä & = +"}, back: is("description", "ä & = +"),
	},
	"metadata": {
		req: func(*side) setupintent.IntentRequest {
			return setupintent.IntentRequest{Metadata: map[string]string{"with space": "é"}}
		},
		sent: map[string]string{"metadata[with space]": "é", "metadata[pending_user_id]": "42"},
		back: func(s *side, object map[string]any) {
			require.Equal(s, "é", object["metadata"].(map[string]any)["with space"])
			require.Equal(s, "42", object["metadata"].(map[string]any)["pending_user_id"])
		},
	},
	"payment_method": {
		req:  func(*side) setupintent.IntentRequest { return setupintent.IntentRequest{PaymentMethod: "pm_card_visa"} },
		sent: map[string]string{"payment_method": "pm_card_visa"}, back: hasMethod("card"),
	},
	"usage": {
		req:  func(*side) setupintent.IntentRequest { return setupintent.IntentRequest{Usage: "on_session"} },
		sent: map[string]string{"usage": "on_session"},
		back: func(s *side, object map[string]any) {
			if s.woosh == nil { // WooshPay's object does not show it
				require.Equal(s, "on_session", object["usage"])
			}
		},
	},
	"attach_to_self": {req: extra("attach_to_self", true), sent: map[string]string{"attach_to_self": "true"}, back: is("attach_to_self", true)},
	"confirmation_token": {
		req: extra("confirmation_token", "ctoken_1"), refused: confirming,
	},
	"flow_directions": {
		req:  extra("flow_directions", []any{"inbound", "outbound"}),
		sent: map[string]string{"flow_directions[0]": "inbound", "flow_directions[1]": "outbound"},
		back: is("flow_directions", []any{"inbound", "outbound"}),
	},
	"mandate_data": {
		req: extra("mandate_data", map[string]any{"customer_acceptance": map[string]any{"type": "offline"}}), refused: confirming,
	},
	"on_behalf_of": {req: extra("on_behalf_of", "acct_1"), sent: map[string]string{"on_behalf_of": "acct_1"}, back: is("on_behalf_of", "acct_1")},
	"payment_method_configuration": {
		req: extra("payment_method_configuration", "pmc_1"), sent: map[string]string{"payment_method_configuration": "pmc_1"},
		back: is("payment_method_configuration_details", map[string]any{"id": "pmc_1", "parent": nil}),
	},
	"payment_method_data": {
		req:  extra("payment_method_data", map[string]any{"type": "link", "billing_details": map[string]any{"email": "a@example.com"}}),
		sent: map[string]string{"payment_method_data[type]": "link", "payment_method_data[billing_details][email]": "a@example.com"},
		back: hasMethod("link"),
	},
	"payment_method_options": {
		req:  extra("payment_method_options", map[string]any{"card": map[string]any{"request_three_d_secure": "any", "network": "visa"}}),
		sent: map[string]string{"payment_method_options[card][request_three_d_secure]": "any", "payment_method_options[card][network]": "visa"},
		back: func(s *side, object map[string]any) {
			require.Equal(s, map[string]any{"request_three_d_secure": "any", "network": "visa", "mandate_options": nil},
				object["payment_method_options"].(map[string]any)["card"])
		},
	},
	"payment_method_types": {
		req: func(s *side) setupintent.IntentRequest {
			return setupintent.IntentRequest{PaymentMethodTypes: []string{"card", s.otherType()}}
		},
		back: func(s *side, object map[string]any) {
			require.Equal(s, []any{"card", s.otherType()}, object["payment_method_types"])
			require.Equal(s, "card", s.last().Get("payment_method_types[0]"))
			require.Equal(s, s.otherType(), s.last().Get("payment_method_types[1]"))
			require.Empty(s, s.last().Get("automatic_payment_methods[enabled]"))
		},
	},
	"return_url": {req: extra("return_url", "https://app.test/"), refused: confirming},
	"single_use": {
		req: func(*side) setupintent.IntentRequest {
			return setupintent.IntentRequest{PaymentMethodTypes: []string{"sepa_debit"}, Extra: map[string]any{
				"single_use": map[string]any{"amount": 1099, "currency": "eur"},
			}}
		},
		sent: map[string]string{"single_use[amount]": "1099", "single_use[currency]": "eur"},
		back: func(s *side, object map[string]any) {
			confirmed := raw(s.T, s.confirmDebit(object["id"].(string)))
			require.NotEmpty(s, confirmed["single_use_mandate"])
			require.Nil(s, confirmed["mandate"])
		},
	},
	"use_stripe_sdk": {
		req: extra("use_stripe_sdk", true), sent: map[string]string{"use_stripe_sdk": "true"},
		back: func(s *side, object map[string]any) {
			require.Nil(s, object["next_action"], "there is no attribute for it")
		},
	},

	"payment_method_options[card][request_three_d_secure]": {
		req:  extra("payment_method_options", map[string]any{"card": map[string]any{"request_three_d_secure": "any"}}),
		sent: map[string]string{"payment_method_options[card][request_three_d_secure]": "any"},
		back: is("payment_method_options", map[string]any{"card": map[string]any{"request_three_d_secure": "any"}}),
	},
	"payment_method_data[type]": {
		req: func(*side) setupintent.IntentRequest {
			return setupintent.IntentRequest{PaymentMethodTypes: []string{"dana"}, Extra: map[string]any{"payment_method_data": map[string]any{"type": "dana"}}}
		},
		sent: map[string]string{"payment_method_data[type]": "dana"}, back: hasMethod("dana"),
	},
	"payment_method_data[billing_details][address][city]":        billing("address", "city"),
	"payment_method_data[billing_details][address][country]":     billing("address", "country"),
	"payment_method_data[billing_details][address][line1]":       billing("address", "line1"),
	"payment_method_data[billing_details][address][line2]":       billing("address", "line2"),
	"payment_method_data[billing_details][address][postal_code]": billing("address", "postal_code"),
	"payment_method_data[billing_details][address][state]":       billing("address", "state"),
	"payment_method_data[billing_details][email]":                billing("email"),
	"payment_method_data[billing_details][name]":                 billing("name"),
	"payment_method_data[billing_details][phone]":                billing("phone"),
	"payment_method_data[card][exp_month]":                       rawCard("exp_month", "12"),
	"payment_method_data[card][exp_year]":                        rawCard("exp_year", "2034"),
	"payment_method_data[card][number]":                          rawCard("number", "4242424242424242"),
	"payment_method_data[card][cvc]":                             rawCard("cvc", "123"),
	"payment_method_data[card][name]":                            rawCard("name", "A"),
	"payment_method_data[wechat_pay][payment_code]":              paymentCode("wechat_pay"),
	"payment_method_data[alipayplus][payment_code]":              paymentCode("alipayplus"),
}

func paymentCode(methodType string) created {
	return created{
		req: func(*side) setupintent.IntentRequest {
			return setupintent.IntentRequest{PaymentMethodTypes: []string{methodType}, Extra: map[string]any{
				"payment_method_data": map[string]any{"type": methodType, methodType: map[string]any{"payment_code": "28763443825664394"}},
			}}
		},
		sent: map[string]string{"payment_method_data[" + methodType + "][payment_code]": "28763443825664394"},
		back: hasMethod(methodType),
	}
}

// otherType is a type of payment method besides card.
func (s *side) otherType() string {
	if s.woosh != nil {
		return "dana"
	}
	return "link"
}

// confirmDebit confirms an intent with a bank account.
func (s *side) confirmDebit(id string) setupintent.Intent {
	s.Helper()
	in, err := s.stripe.ConfirmIntent(s.Context(), id, stripeport.ConfirmRequest{ReturnURL: "https://app.test/", Extra: map[string]any{
		"payment_method_data": map[string]any{
			"type": "sepa_debit", "sepa_debit": map[string]any{"iban": "DE89370400440532013000"},
			"billing_details": map[string]any{"name": "A", "email": "a@example.com"},
		},
		"mandate_data": map[string]any{"customer_acceptance": map[string]any{
			"type": "online", "online": map[string]any{"ip_address": "127.0.0.1", "user_agent": "x"},
		}},
	}})
	require.NoError(s, err)
	return in
}

// TestCreate sends every parameter through Begin, with another value than its
// default, and looks at the bytes that the fake received and at the attribute
// that came back; or at the reason for which it is not sent.
func TestCreate(t *testing.T) {
	t.Parallel()
	for name, c := range creates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			documents := sides(t, create, name)
			require.NotEmpty(t, documents)
			for _, document := range documents {
				s := newSide(t, document)
				req := c.req(s)
				if c.refused != "" {
					_, err := s.svc.Begin(t.Context(), "42", &req)
					require.ErrorIs(t, err, setupintent.ErrInvalidRequest, document)
					require.ErrorContains(t, err, c.refused, document)
					require.NotContains(t, err.Error(), "4242")
					require.Empty(t, s.sent)
					continue
				}
				_, object := s.begin(req)
				values := s.last()
				for name, want := range c.sent {
					require.Equal(t, []string{want}, values[name], "%s: %s in %v", document, name, values)
				}
				c.back(s, object)
			}
		})
	}
}

// An updated is a parameter of an update.
type updated struct {
	req  stripeport.UpdateRequest
	sent map[string]string
	back func(*side, map[string]any)
}

func changeExtra(name string, value any) stripeport.UpdateRequest {
	return stripeport.UpdateRequest{Extra: map[string]any{name: value}}
}

// updates are the parameters of an update, by name. WooshPay's document has none.
var updates = map[string]updated{
	"customer": {back: func(s *side, object map[string]any) {
		cus := s.customer()
		in, err := s.stripe.UpdateIntent(s.Context(), object["id"].(string), stripeport.UpdateRequest{Customer: cus})
		require.NoError(s, err)
		require.Equal(s, cus, in.Customer)
		require.Equal(s, cus, s.last().Get("customer"))
	}},
	"description":    {req: stripeport.UpdateRequest{Description: "d"}, sent: map[string]string{"description": "d"}, back: is("description", "d")},
	"payment_method": {req: stripeport.UpdateRequest{PaymentMethod: "pm_card_visa"}, sent: map[string]string{"payment_method": "pm_card_visa"}, back: hasMethod("card")},
	"metadata": {
		req:  stripeport.UpdateRequest{Metadata: map[string]string{"a": "", "c": "3"}},
		sent: map[string]string{"metadata[a]": "", "metadata[c]": "3"},
		back: func(s *side, object map[string]any) {
			metadata := object["metadata"].(map[string]any)
			require.NotContains(s, metadata, "a", "an empty value unsets its key")
			require.Equal(s, []any{"2", "3"}, []any{metadata["b"], metadata["c"]}, "a key not named stays")
			in, err := s.stripe.UpdateIntent(s.Context(), object["id"].(string), changeExtra("metadata", nil))
			require.NoError(s, err)
			require.Empty(s, in.Metadata, "an empty value unsets them all")
			require.Equal(s, []string{""}, s.last()["metadata"])
		},
	},
	"attach_to_self": {req: changeExtra("attach_to_self", true), sent: map[string]string{"attach_to_self": "true"}, back: is("attach_to_self", true)},
	"flow_directions": {
		req: changeExtra("flow_directions", []any{"outbound"}), sent: map[string]string{"flow_directions[0]": "outbound"},
		back: is("flow_directions", []any{"outbound"}),
	},
	"payment_method_configuration": {
		req: changeExtra("payment_method_configuration", "pmc_1"), sent: map[string]string{"payment_method_configuration": "pmc_1"},
		back: is("payment_method_configuration_details", map[string]any{"id": "pmc_1", "parent": nil}),
	},
	"payment_method_data": {
		req: changeExtra("payment_method_data", map[string]any{"type": "link"}), sent: map[string]string{"payment_method_data[type]": "link"},
		back: hasMethod("link"),
	},
	"payment_method_options": {
		req:  changeExtra("payment_method_options", map[string]any{"card": map[string]any{"request_three_d_secure": "challenge"}}),
		sent: map[string]string{"payment_method_options[card][request_three_d_secure]": "challenge"},
		back: func(s *side, object map[string]any) {
			require.Equal(s, "challenge", object["payment_method_options"].(map[string]any)["card"].(map[string]any)["request_three_d_secure"])
		},
	},
	"payment_method_types": {
		req: changeExtra("payment_method_types", []string{"link"}), sent: map[string]string{"payment_method_types[0]": "link"},
		back: is("payment_method_types", []any{"link"}),
	},
}

// TestUpdate sends every parameter of an update, and looks at the bytes and at
// the attribute.
func TestUpdate(t *testing.T) {
	t.Parallel()
	for name, c := range updates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSide(t, stripeDocument)
			in, _ := s.begin(setupintent.IntentRequest{Metadata: map[string]string{"a": "1", "b": "2"}})
			in, err := s.stripe.UpdateIntent(t.Context(), in.ID, c.req)
			require.NoError(t, err)
			values := s.last()
			for name, want := range c.sent {
				require.Equal(t, []string{want}, values[name], "%s in %v", name, values)
			}
			c.back(s, raw(t, in))
		})
	}
}

// TestRetrieve: with a publishable key and the client secret, a page sees what
// the documents mark, and nothing else. We retrieve with the secret key, and
// never send a client secret.
func TestRetrieve(t *testing.T) {
	t.Parallel()
	for _, document := range []string{stripeDocument, wooshDocument} {
		s := newSide(t, document)
		in, all := s.begin(setupintent.IntentRequest{Customer: s.customer(), Description: "d"})
		path := map[string]string{stripeDocument: "/v1", wooshDocument: "/wooshpay/v1"}[document] + "/setup_intents/" + in.ID
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://fake.test"+path+"?client_secret="+in.ClientSecret.Reveal(), http.NoBody)
		require.NoError(t, err)
		r.SetBasicAuth(stripetest.DefaultPublishableKey, "")
		seen := s.decode(r)
		marked := 0
		for name, notes := range listed(t)[[2]string{document, object}] {
			if strings.Contains(name, "[") {
				continue
			}
			pk := strings.Contains(notes, ", pk")
			if pk {
				marked++
			}
			_, shown := seen[name]
			require.Equal(t, pk, shown, "%s: %s", document, name)
			if name != "attach_to_self" && name != "client_secret" {
				require.Contains(t, all, name, "%s: with the secret key, all is there", document)
			}
		}
		require.Len(t, seen, marked)
		require.Equal(t, map[string]int{stripeDocument: 13, wooshDocument: 11}[document], marked)
	}
}

// TestExpand: what is marked as expandable comes as an object, if that is asked
// for, and as an id otherwise.
func TestExpand(t *testing.T) {
	t.Parallel()
	count := 0
	for name, notes := range listed(t)[[2]string{stripeDocument, object}] {
		if !strings.Contains(notes, "expandable") {
			continue
		}
		count++
		s := newSide(t, stripeDocument)
		_, object := s.begin(setupintent.IntentRequest{Customer: s.customer(), PaymentMethod: "pm_card_visa", Extra: map[string]any{"expand": []any{name}}})
		require.Equal(t, name, s.last().Get("expand[0]"))
		require.Contains(t, object, name)
		switch name {
		case "customer", "payment_method":
			require.Equal(t, name, object[name].(map[string]any)["object"])
		case "latest_attempt":
			in, err := s.stripe.ConfirmIntent(t.Context(), object["id"].(string), stripeport.ConfirmRequest{Extra: map[string]any{"expand": []any{name}}})
			require.NoError(t, err)
			require.Equal(t, "setup_attempt", raw(t, in)[name].(map[string]any)["object"])
			require.NotEmpty(t, in.LatestAttempt, "its id is read all the same")
		default: // nothing that has just been created has one
			require.Nil(t, object[name])
		}
	}
	require.Equal(t, 7, count)
}

// TestDefaults are sent, so that no change of theirs changes what is asked for.
func TestDefaults(t *testing.T) {
	t.Parallel()
	s := newSide(t, stripeDocument)
	_, object := s.begin(setupintent.IntentRequest{})
	require.Equal(t, "off_session", s.last().Get("usage"))
	require.Equal(t, "true", s.last().Get("automatic_payment_methods[enabled]"))
	require.Equal(t, "never", s.last().Get("automatic_payment_methods[allow_redirects]"))
	require.Empty(t, s.last().Get("confirm"))
	require.Equal(t, "off_session", object["usage"])
	require.Equal(t, "requires_payment_method", object["status"])

	s = newSide(t, wooshDocument)
	_, object = s.begin(setupintent.IntentRequest{})
	require.Equal(t, "off_session", s.last().Get("usage"))
	require.Equal(t, "card", s.last().Get("payment_method_types[0]"))
	require.Equal(t, "requires_payment_method", object["status"])
}

// TestOnlyWithConfirm: the fake holds who calls it directly to it, too.
func TestOnlyWithConfirm(t *testing.T) {
	t.Parallel()
	for _, document := range []string{stripeDocument, wooshDocument} {
		count := 0
		for name, notes := range listed(t)[[2]string{document, create}] {
			if !strings.Contains(notes, "only when confirm=true") {
				continue
			}
			count++
			s := newSide(t, document)
			_, err := s.provider.CreateIntent(t.Context(), setupintent.IntentRequest{Key: "k", Extra: map[string]any{name: map[string]any{
				"confirmation_token": "ctoken_1", "return_url": "https://app.test/",
				"mandate_data": map[string]any{"customer_acceptance": map[string]any{"type": "offline"}},
			}[name]}})
			require.ErrorIs(t, err, setupintent.ErrRefused, "%s: %s", document, name)
		}
		require.Equal(t, map[string]int{stripeDocument: 3, wooshDocument: 1}[document], count)
	}
}
