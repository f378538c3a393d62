package contract

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// The samples that the documents print: docs.stripe.com/api/setup_intents, and
// WooshPay's "Create a SetupIntent" (docs.wooshpay.com). The latter has "string",
// 0 and true in the place of values.
func sample(t *testing.T, name string) map[string]any {
	t.Helper()
	var v map[string]any
	decodeFile(t, "testdata/samples/"+name+".json", &v)
	return v
}

// attributes collects the attributes of v by their paths, each with the kinds of
// value that were seen; [] is any element of a list. What an empty hash may hold
// is not said.
func attributes(v any, path string, seen map[string]map[string]bool) {
	kind := "null"
	switch v := v.(type) {
	case map[string]any:
		kind = "hash"
		for name, member := range v {
			attributes(member, strings.TrimPrefix(path+"."+name, "."), seen)
		}
	case []any:
		kind = "list"
		for _, element := range v {
			attributes(element, path+"[]", seen)
		}
	case string:
		kind = "text"
	case float64:
		kind = "number"
	case bool:
		kind = "boolean"
	}
	if seen[path] == nil {
		seen[path] = map[string]bool{}
	}
	seen[path][kind] = true
}

// ask sends a request to the fake, JSON to WooshPay and a form to Stripe.
func ask(t *testing.T, fake *stripetest.Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	return askAs(t, fake, stripetest.DefaultSecretKey, method, path, body)
}

func askAs(t *testing.T, fake *stripetest.Server, key, method, path, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequest(method, "http://fake.test"+path, strings.NewReader(body))
	require.NoError(t, err)
	r.SetBasicAuth(key, "")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(path, "/wooshpay/") {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := fake.Client().Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	var object map[string]any
	require.NoError(t, json.Unmarshal(raw, &object), string(raw))
	return answer.StatusCode, object
}

// Stripe's sample is what its request is answered, value for value but for ids,
// secret and time; the fake has what is newer than the sample besides.
func TestStripeSample(t *testing.T) {
	t.Parallel()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	status, got := ask(t, fake, http.MethodPost, "/v1/setup_intents", "payment_method_types[]=card")
	require.Equal(t, http.StatusOK, status)
	want := sample(t, "stripe-object")
	for _, name := range []string{"id", "client_secret", "created"} {
		require.IsType(t, want[name], got[name], name)
		want[name] = got[name]
	}
	require.Regexp(t, `^seti_1\w{23}_secret_\w{31}$`, got["client_secret"])
	newer := slices.DeleteFunc(slices.Sorted(maps.Keys(got)), func(name string) bool { _, ok := want[name]; return ok })
	require.Equal(t, []string{"automatic_payment_methods", "payment_method_configuration_details"}, newer)
	for _, name := range newer {
		require.Nil(t, got[name])
		delete(got, name)
	}
	require.Equal(t, want, got)
}

// Every attribute of WooshPay's sample is one of the fake's, with a value of the
// same kind, and the fake has no other.
func TestWooshPaySample(t *testing.T) {
	t.Parallel()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	const intents = "/wooshpay/v1/setup_intents"
	seen := map[string]map[string]bool{}
	look := func(id string) {
		status, object := ask(t, fake, http.MethodGet, intents+"/"+id, "")
		require.Equal(t, http.StatusOK, status)
		attributes(object, "", seen)
	}
	_, customer := ask(t, fake, http.MethodPost, "/v1/customers", "")
	create := func(body string) string {
		status, object := ask(t, fake, http.MethodPost, intents, body)
		require.Equal(t, http.StatusOK, status, object)
		id, _ := object["id"].(string)
		return id
	}
	cus, _ := customer["id"].(string)
	full := `{"customer":"` + cus + `","description":"d","metadata":{"a":"1"}}`

	// A card with all that a page may send, and one that a customer has, declined.
	declined := create(full)
	_, object := ask(t, fake, http.MethodGet, intents+"/"+declined, "")
	status, _ := askAs(t, fake, stripetest.DefaultPublishableKey, http.MethodPost, intents+"/"+declined+"/confirm", `{
		"client_secret":"`+text(object, "client_secret")+`","return_url":"https://app.example","payment_method_data":{"type":"card",
		"card":{"number":"4000000000000069","exp_month":"01","exp_year":"2040","cvc":"123"},
		"billing_details":{"email":"e@example.com","name":"n","phone":"1","address":
		{"city":"c","country":"DE","line1":"1","line2":"2","postal_code":"p","state":"s"}}}}`)
	require.Equal(t, http.StatusPaymentRequired, status)
	look(declined)
	_, saved := ask(t, fake, http.MethodPost, "/v1/payment_methods/pm_card_visa/attach", "customer="+cus)
	again := create(`{"customer":"` + cus + `","payment_method":"` + text(saved, "id") + `"}`)
	require.NoError(t, fake.Resolve(again, stripetest.OutcomeDecline))
	look(again)
	canceled := create(full)
	require.NoError(t, fake.Resolve(canceled, stripetest.OutcomeCancel))
	look(canceled)
	look(create(`{"confirm":true,"return_url":"https://app.example","payment_method_types":["sepa_debit"],"payment_method_data":{"type":"sepa_debit"}}`))
	want := sample(t, "wooshpay-object")
	for name := range want["next_action"].(map[string]any) {
		if name != "type" {
			id := create(`{"confirm":true,"payment_method":"pm_card_authenticationRequired","return_url":"https://app.example"}`)
			require.NoError(t, fake.Resolve(id, stripetest.OutcomeFailAuthentication))
			require.NoError(t, fake.Resolve(id, stripetest.Outcome(name)), name)
			look(id)
		}
	}

	documented := map[string]map[string]bool{}
	attributes(want, "", documented)
	// What nothing that can be asked of WooshPay, or of a test card, leads to.
	onlyNull := []string{"single_use_mandate"}
	for _, path := range slices.Sorted(maps.Keys(documented)) {
		require.Contains(t, seen, path, "the fake has no such attribute")
		for kind := range documented[path] {
			if slices.Contains(onlyNull, path) {
				require.Equal(t, map[string]bool{"null": true}, seen[path], path)
				continue
			}
			require.Contains(t, seen[path], kind, "%s", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(seen)) {
		if !strings.HasPrefix(path, "metadata.") {
			require.Contains(t, documented, path, "the document has no such attribute")
		}
	}
	t.Logf("%d attributes, all of them the fake's", len(documented))
}

// WooshPay's own request is answered as it is printed, but for its raw card, which
// is refused with the reason.
func TestWooshPayRequest(t *testing.T) {
	t.Parallel()
	fake, err := stripetest.New(nil)
	require.NoError(t, err)
	request := sample(t, "wooshpay-create")
	post := func() (int, map[string]any) {
		body, err := json.Marshal(request)
		require.NoError(t, err)
		return ask(t, fake, http.MethodPost, "/wooshpay/v1/setup_intents", string(bytes.TrimSpace(body)))
	}
	status, refused := post()
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "payment_method_data[card]", text(refused, "error", "param"))
	require.Contains(t, text(refused, "error", "message"), "Card numbers must not pass through a server")
	delete(hash(request, "payment_method_data"), "card")
	status, got := post()
	require.Equal(t, http.StatusOK, status, got)
	require.Equal(t, "setup_intent succeeded", text(got, "object")+" "+text(got, "status"))
	require.Len(t, fake.SetupIntents(), 1)
}
