package httpadapter_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// FuzzBody: whatever the body, the answer is in the dialect's shape, and an
// intent is looked for only under the id that the body has.
func FuzzBody(f *testing.F) {
	for _, c := range hostile {
		f.Add(strings.TrimPrefix(c.body, "chunked:"), c.contentType)
	}
	f.Fuzz(func(t *testing.T, body, contentType string) {
		for _, dialect := range []httpadapter.Dialect{nil, httpadapter.LoyaltyDog{}} {
			rows := memstore.New()
			require.NoError(t, rows.Insert(rowID, time.Time{}))
			svc, err := setupintent.New(rows, new(setupintenttest.Provider), nil)
			require.NoError(t, err)
			h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: dialect})
			require.NoError(t, err)
			r := activateRequest(body)
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			h.Activate(w, r, rowID)
			checkAnswer(t, w)
			switch w.Code {
			case http.StatusConflict: // an id that is not the row's
				require.Nil(t, dialect)
				var members map[string]json.RawMessage
				require.NoError(t, json.Unmarshal([]byte(body), &members))
				require.Equal(t, `"`, string(members["setupIntentId"][:1]))
			case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge:
			default:
				require.Fail(t, w.Body.String())
			}
		}
	})
}

// FuzzAsk: whatever the body, its type and the key of a request for an intent,
// the answer is in the wire's shape, and the intent, if there is one, is the
// row's and has nothing of the caller's in it. Stripe's wire has a target of its
// own.
func FuzzAsk(f *testing.F) {
	for _, c := range hostile {
		f.Add(strings.TrimPrefix(c.body, "chunked:"), c.contentType, c.header.Get("Idempotency-Key"))
	}
	f.Fuzz(func(t *testing.T, body, contentType, key string) {
		for _, wire := range wires[:4] {
			rows, provider := memstore.New(), new(provider)
			require.NoError(t, rows.Insert(rowID, time.Time{}))
			svc, err := setupintent.New(rows, provider, &setupintent.Options{Customers: provider, Customer: someCustomer})
			require.NoError(t, err)
			h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: dialects[wire.name]})
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, wire.ask, strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			if key != "" {
				r.Header.Set("Idempotency-Key", key)
			}
			w := httptest.NewRecorder()
			h.Routes(func(*http.Request) (string, error) { return rowID, nil }).ServeHTTP(w, r)
			checkAnswer(t, w)
			intents := provider.Intents()
			switch w.Code {
			case http.StatusOK, http.StatusCreated:
				require.Len(t, intents, 1)
				require.Equal(t, rowID, intents[0].Metadata["pending_user_id"])
				require.Equal(t, "cus_1", intents[0].Customer)
				require.Empty(t, intents[0].PaymentMethod)
			case http.StatusBadRequest:
				require.Equal(t, "OrbitKit", wire.name) // the key
				require.Empty(t, intents)
			default:
				require.Contains(t, []int{http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge}, w.Code)
				require.Empty(t, intents)
			}
		}
	})
}

func someCustomer(context.Context, setupintent.Row) (setupintent.CustomerRequest, error) {
	return setupintent.CustomerRequest{}, nil
}

// FuzzRoutes: whatever the path and the method, the answer is in the dialect's
// shape, and identify gets an id that a database can take.
func FuzzRoutes(f *testing.F) {
	for _, c := range hostile {
		r, _ := c.request(wires[0])
		f.Add(r.Method, r.URL.EscapedPath())
	}
	for _, path := range []string{"x/activate", "/%61ctivate", "/x/%61ctivate", "//activate", "%2F%2Factivate"} {
		f.Add(http.MethodPost, path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		u := &url.URL{Path: path}
		if unescaped, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = unescaped, path
		}
		svc, err := setupintent.New(memstore.New(), new(setupintenttest.Provider), nil)
		require.NoError(t, err)
		h, err := httpadapter.New(svc, nil)
		require.NoError(t, err)
		asked := false
		routes := h.Routes(func(r *http.Request) (string, error) {
			asked = true
			id := r.PathValue("id")
			require.NotEmpty(t, id)
			require.LessOrEqual(t, len(id), 255)
			require.True(t, utf8.ValidString(id))
			require.NotContains(t, id, "/")
			require.NotContains(t, id, "\x00")
			require.Contains(t, path, "/")
			return id, nil
		})
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Method, r.URL = method, u
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, r)
		checkAnswer(t, w)
		switch w.Code {
		case http.StatusMethodNotAllowed, http.StatusNoContent:
			require.NotEqual(t, w.Header().Get("Allow"), method)
		case http.StatusOK:
			require.Contains(t, w.Body.String(), `"openapi"`)
		case http.StatusBadRequest: // activate, without a body
			require.True(t, asked)
		default:
			require.Equal(t, http.StatusNotFound, w.Code) // there is no row
		}
	})
}

// FuzzStripe: whatever the parameters, the answer is Stripe's object or its
// error; and an intent, if there is one, is the row's, and has nothing that only
// the application may set.
func FuzzStripe(f *testing.F) {
	for _, form := range []string{
		"", "payment_method_types[]=card", "payment_method_types[0]=card&description=x&usage=on_session", "metadata[a]=1&metadata[b]=", "metadata=",
		"metadata[pending_user_id]=x", "metadata[[pending_user_id]]=x", "metadata%5Bpending_user_id%5D=x", "metadata[pending_user_id][]=x",
		"automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never", "customer=cus_1", "customer[]=cus_1",
		"payment_method=pm_1", "confirm=true", "a[b]=1&a=1", "a=1&a[b]=1", "a[][b]=1&a[][c]=2", "%zz", "a[", "]a[", "[a]=1", "&&=&=", "client_secret=x",
	} {
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, form string) {
		rows, provider := memstore.New(), new(provider)
		require.NoError(t, rows.Insert(rowID, time.Time{}))
		svc, err := setupintent.New(rows, provider, nil)
		require.NoError(t, err)
		h, err := httpadapter.New(svc, &httpadapter.Options{Dialect: httpadapter.Stripe{Update: noUpdate}})
		require.NoError(t, err)
		routes := h.Routes(func(*http.Request) (string, error) { return rowID, nil })
		for _, path := range []string{"/v1/setup_intents", "/v1/setup_intents/seti_1"} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			routes.ServeHTTP(w, r)
			checkStripe(t, w)
			require.Contains(t, []int{200, 400, 404, 413, 503}, w.Code)
		}
		for _, in := range provider.Intents() {
			require.Equal(t, rowID, in.Metadata["pending_user_id"])
			require.Empty(t, in.Customer)
			require.Empty(t, in.PaymentMethod)
		}
	})
}
