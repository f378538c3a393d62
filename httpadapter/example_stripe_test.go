package httpadapter_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// Whatever speaks to Stripe can speak to this handler: the host is another one,
// and the key is a token that is good for one row.
func ExampleStripe() {
	fake, err := stripetest.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	stripe, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: fake.Client()})
	if err != nil {
		log.Fatal(err)
	}
	rows := memstore.New()
	svc, err := setupintent.New(rows, stripe, nil)
	if err != nil {
		log.Fatal(err)
	}
	h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: httpadapter.Stripe{
		Update: func(ctx context.Context, id string, params map[string]any) (setupintent.Intent, error) {
			return stripe.UpdateIntent(ctx, id, stripeport.UpdateRequest{Extra: params})
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := httpadapter.NewTokens([][]byte{[]byte("32 bytes or more, from crypto/rand")}, nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", h.Routes(tokens.Identify))

	_ = rows.Insert("42", time.Time{})
	token, _ := tokens.Issue("42", time.Hour)
	ask := func(method, path, form string) stripeObject {
		r := httptest.NewRequest(method, path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(token, "") // curl -u "$TOKEN:"
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return decodeObject(w)
	}
	made := ask(http.MethodPost, "/v1/setup_intents", "payment_method_types[]=card")
	fmt.Println(made.status, made.Object, made.Types, made.Status)
	changed := ask(http.MethodPost, "/v1/setup_intents/"+made.ID, "metadata[order_id]=6735")
	fmt.Println(changed.status, changed.Metadata["order_id"], changed.Metadata["pending_user_id"])
	fmt.Println(ask(http.MethodGet, "/v1/setup_intents/"+made.ID, "").ClientSecret == made.ClientSecret)
	refused := ask(http.MethodPost, "/v1/setup_intents/"+made.ID, "metadata[pending_user_id]=43")
	fmt.Println(refused.status, refused.Error.Message)
	// Output:
	// 200 setup_intent [card] requires_payment_method
	// 200 6735 42
	// true
	// 400 Received unknown parameter: metadata[pending_user_id]
}
