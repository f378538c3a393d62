package stripetest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// Every parameter of every route, in every shape that it should not have: the
// answer is an object, or an error of Stripe's shape.
func TestEveryParameterInEveryShape(t *testing.T) {
	t.Parallel()
	all, err := stripetest.Parameters()
	require.NoError(t, err)
	require.Greater(t, len(all), 30)
	for route, names := range all {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			s := newFake(t)
			customer := post(t, s, "/v1/customers", "payment_method=pm_card_visa").str("id")
			ids := map[string]string{
				"customers":         customer,
				"payment_methods":   ids(get(t, s, "/v1/customers/"+customer+"/payment_methods"))[0],
				"webhook_endpoints": post(t, s, "/v1/webhook_endpoints", "url=http://127.0.0.1:1&enabled_events[]=customer.nothing").str("id"),
				"ephemeral_keys":    post(t, s, "/v1/ephemeral_keys", "customer="+customer, "Stripe-Version", "2024-06-20").str("id"),
				"events":            data(get(t, s, "/v1/events"))[0]["id"].(string),
				"mandates":          "mandate_x",
			}
			method, path, _ := strings.Cut(route, " ")
			segments := strings.Split(path, "/")
			for i := 3; i < len(segments); i += 2 {
				segments[i] = ids[segments[i-1]]
			}
			for _, name := range names {
				for _, shape := range []string{"=", "=x", "=1", "=true", "[]=", "[]=x", "[a]=x", "[a]=", "[a][b]=x", "[][a]=x", "[0][a]=x", "[0]=1", "[999999999999999999999]=1", "=%00%ff"} {
					segments := segments
					if path == "/v1/setup_intents/:id" || strings.HasPrefix(path, "/v1/setup_intents/:id/") {
						segments = strings.Split(strings.Replace(path, ":id", create(t, s, "&payment_method=pm_card_authenticationRequired").str("id"), 1), "/")
					}
					target, body := strings.Join(segments, "/"), name+shape
					if method != http.MethodPost {
						target, body = target+"?"+body, ""
					}
					got := send(t, s, method, target, secret, body, "Stripe-Version", "2024-06-20")
					require.NotNil(t, got.body, "%s %s: %s", route, name+shape, got.raw)
					require.Less(t, got.status, 500, "%s %s: %s", route, name+shape, got.raw)
					if got.status >= 400 {
						require.NotEmpty(t, got.str("error.message"), "%s %s: %s", route, name+shape, got.raw)
						require.NotEmpty(t, got.str("error.type"))
					}
				}
			}
		})
	}
}
