package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// stripeWire is a Handler that speaks as Stripe does, over the fake. The
// credential right stands for the row.
type stripeWire struct {
	*testing.T
	fake   *stripetest.Server
	stripe *stripeport.Provider
	rows   *memstore.Store
	svc    *setupintent.Service
	routes http.Handler
	log    *bytes.Buffer
}

func newStripeWire(t *testing.T, dialect httpadapter.Stripe, opts *setupintent.Options) *stripeWire {
	t.Helper()
	w := &stripeWire{T: t, rows: memstore.New(), log: new(bytes.Buffer)}
	var err error
	w.fake, err = stripetest.New(nil)
	require.NoError(t, err)
	w.stripe, err = stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{HTTPClient: w.fake.Client()})
	require.NoError(t, err)
	require.NoError(t, w.rows.Insert(rowID, time.Time{}))
	require.NoError(t, w.rows.Insert("other", time.Time{}))
	w.svc, err = setupintent.New(w.rows, w.stripe, opts)
	require.NoError(t, err)
	if dialect.Update == nil {
		dialect.Update = updateBy(w.stripe)
	}
	logger := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h, err := httpadapter.New(w.svc, &httpadapter.Options{Dialect: dialect, Logger: logger})
	require.NoError(t, err)
	w.routes = recorded(dialect, "", h.Routes(httpadapter.Bearer(func(_ context.Context, credential string) (string, error) {
		switch credential {
		case "right":
			return rowID, nil
		case "other":
			return "other", nil
		case "nobody":
			return "nobody", nil
		case "forbidden":
			return "", httpadapter.ErrForbidden
		}
		return "", httpadapter.ErrUnauthenticated
	})))
	return w
}

func updateBy(stripe *stripeport.Provider) func(context.Context, string, map[string]any) (setupintent.Intent, error) {
	return func(ctx context.Context, id string, params map[string]any) (setupintent.Intent, error) {
		return stripe.UpdateIntent(ctx, id, stripeport.UpdateRequest{Extra: params})
	}
}

func noUpdate(context.Context, string, map[string]any) (setupintent.Intent, error) {
	return setupintent.Intent{}, errInternal
}

// stripeError is Stripe's error object.
type stripeError struct {
	Type    string `json:"type"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Param   string `json:"param"`
	DocURL  string `json:"doc_url"`
}

// checkStripe checks an answer by Stripe's document, and returns its error.
func checkStripe(t testing.TB, w *httptest.ResponseRecorder) stripeError {
	t.Helper()
	if w.Code == http.StatusOK {
		var object struct{ ID, Object, Status string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &object))
		require.Equal(t, "setup_intent", object.Object)
		require.NotEmpty(t, object.ID)
		require.NotEmpty(t, object.Status)
		require.Equal(t, 1, strings.Count(w.Body.String(), "_secret_"), w.Body.String())
		return stripeError{}
	}
	require.GreaterOrEqual(t, w.Code, 400)
	var body struct{ Error stripeError }
	strictly(t, w, &body)
	require.Contains(t, []string{"invalid_request_error", "idempotency_error", "api_error"}, body.Error.Type)
	require.NotEmpty(t, body.Error.Message)
	return body.Error
}

// stripeAnswer is an answer in Stripe's shape.
type stripeAnswer struct {
	*httptest.ResponseRecorder
	object map[string]any
	err    stripeError
}

func (w *stripeWire) post(path, form string) stripeAnswer {
	w.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("right", "")
	return w.serve(r)
}

func (w *stripeWire) get(path string) stripeAnswer {
	w.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer right")
	return w.serve(r)
}

const stripePath = "/v1/setup_intents"

// serve returns the answer, after looking at what is true of every one.
func (w *stripeWire) serve(r *http.Request) stripeAnswer {
	w.Helper()
	a := stripeAnswer{ResponseRecorder: httptest.NewRecorder()}
	w.routes.ServeHTTP(a, r)
	require.Regexp(w, `^req_\w+$`, a.Header().Get("Request-Id"))
	require.Equal(w, "no-store", a.Header().Get("Cache-Control"))
	require.NotContains(w, w.log.String(), "_secret_", "a client secret was logged")
	if a.Code == http.StatusNoContent {
		return a
	}
	require.Equal(w, "application/json", a.Header().Get("Content-Type"))
	require.NoError(w, json.Unmarshal(a.Body.Bytes(), &a.object), a.Body.String())
	a.err = checkStripe(w.T, a.ResponseRecorder)
	require.Equal(w, a.Code == http.StatusOK, a.err == stripeError{})
	return a
}

func (a stripeAnswer) text(name string) string {
	s, _ := a.object[name].(string)
	return s
}

// TestStripe is Stripe's document, with a token instead of a key.
func TestStripe(t *testing.T) {
	t.Parallel()
	w := newStripeWire(t, httpadapter.Stripe{}, nil)
	made := w.post(stripePath, "payment_method_types[]=card")
	require.Equal(t, 200, made.Code, made.Body.String())
	id := made.text("id")
	require.True(t, strings.HasPrefix(made.text("client_secret"), id+"_secret_"))
	require.Equal(t, []any{"card"}, made.object["payment_method_types"])
	require.Equal(t, "off_session", made.text("usage"))

	// It is the provider's object, member by member.
	theirs, err := w.fake.Client().Do(secretGet(t, stripePath+"/"+id))
	require.NoError(t, err)
	defer theirs.Body.Close()
	var object map[string]any
	require.NoError(t, json.NewDecoder(theirs.Body).Decode(&object))
	require.Equal(t, object, made.object)

	got := w.get(stripePath + "/" + id)
	require.Equal(t, made.object, got.object)
	again := w.post(stripePath, "payment_method_types[0]=card")
	require.Equal(t, made.object, again.object)
	require.Equal(t, made.object, w.post(stripePath, "").object, "what is not said may be anything")

	changed := w.post(stripePath+"/"+id, "metadata[order_id]=6735")
	require.Equal(t, 200, changed.Code, changed.Body.String())
	require.Equal(t, "6735", changed.object["metadata"].(map[string]any)["order_id"])
	require.Equal(t, made.object, w.without(changed, "order_id"))
	require.Equal(t, changed.object, w.get(stripePath+"/"+id).object)

	// Others' are not there.
	require.NoError(t, err)
	in, err := w.svc.Begin(context.Background(), "other", nil)
	require.NoError(t, err)
	for _, path := range []string{stripePath + "/" + in.ID, stripePath + "/seti_none"} {
		for _, a := range []stripeAnswer{w.get(path), w.post(path, "description=mine")} {
			require.Equal(t, 404, a.Code)
			require.Equal(t, "resource_missing", a.err.Code)
			require.Equal(t, "intent", a.err.Param)
			require.Equal(t, "No such setupintent: '"+path[len(stripePath)+1:]+"'", a.err.Message)
		}
	}

	// The card is saved: the next look at it finds out, and nothing changes then.
	require.NoError(t, w.fake.Resolve(id, stripetest.OutcomeSucceed))
	got = w.get(stripePath + "/" + id)
	require.Equal(t, 200, got.Code)
	require.Equal(t, "succeeded", got.text("status"))
	row, err := w.rows.Load(context.Background(), rowID)
	require.NoError(t, err)
	require.Equal(t, setupintent.Active, row.Status)
	require.Equal(t, "succeeded", w.get(stripePath+"/"+id).text("status"), "and later, too")
	for _, a := range []stripeAnswer{w.post(stripePath+"/"+id, "description=late"), w.post(stripePath, "")} {
		require.Equal(t, 400, a.Code)
		require.Equal(t, "setup_intent_unexpected_state", a.err.Code)
		require.Equal(t, "You cannot update this SetupIntent because it has already succeeded.", a.err.Message)
		require.Equal(t, "false", a.Header().Get("Stripe-Should-Retry"))
	}
}

func secretGet(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "https://stripe.test"+path, http.NoBody)
	require.NoError(t, err)
	r.SetBasicAuth(stripetest.DefaultSecretKey, "")
	return r
}

// without is the answer's object without one key of its metadata.
func (w *stripeWire) without(a stripeAnswer, key string) map[string]any {
	w.Helper()
	var object map[string]any
	require.NoError(w, json.Unmarshal(a.Body.Bytes(), &object))
	delete(object["metadata"].(map[string]any), key)
	return object
}

const rawCardText = "Card numbers must not pass through this server: let the browser collect them."

// TestStripeNames: what was sent for a name, and is none, is neither shown nor
// logged; curl -d makes one of all that it is given.
func TestStripeNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, secret string }{
		"a card, as JSON":     {`{"payment_method_data":{"card":{"number":"4242424242424242","cvc":"123"}}}`, "42424242"},
		"a card":              {"4242424242424242", "42424242"},
		"a card as an index":  {"number[4242 4242 4242 4242]=1", "4242 4242"},
		"a card, with dashes": {"metadata[4242-4242-4242-4242][x]=1", "4242-4242"},
		"a client secret":     {"seti_123_secret_hushhush", "hushhush"},
		"one in brackets":     {"metadata[x_secret_hushhush][a]=1", "hushhush"},
		"one in JSON":         {`{"cs":"seti_123_secret_hushhush"}`, "hushhush"},
		"an API key":          {"sk_test_4eC39HqLyjWDarjtT1zdp7dc", "4eC39"},
		"a token":             {"y0WfX4hmJxL9K6vBn1cQe8rTz3sUaPdGiHoN7bMlKjE", "y0WfX4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStripeWire(t, httpadapter.Stripe{}, nil)
			a := w.post(stripePath, c.body)
			require.Equal(t, 400, a.Code)
			require.NotContains(t, a.Body.String(), c.secret)
			require.Contains(t, w.log.String(), "invalid_parameter")
			require.NotContains(t, w.log.String(), c.secret)
		})
	}
}

// TestStripeCreate: what a create may set, and what it may not.
func TestStripeCreate(t *testing.T) {
	t.Parallel()
	allow := []string{"payment_method_options[card]", "flow_directions", "customer", "payment_method"}
	for name, c := range map[string]struct {
		form  string
		allow []string
		want  string // of the object, as JSON; empty: an error
		code  string
		param string
		text  string
	}{
		"nothing":              {form: "", want: `{"usage":"off_session","description":null,"payment_method_types":["card"]}`},
		"description":          {form: "description=%C3%A4+%26+%3D", want: `{"description":"ä & ="}`},
		"empty description":    {form: "description=", want: `{"description":null}`},
		"usage":                {form: "usage=on_session", want: `{"usage":"on_session"}`},
		"types":                {form: "payment_method_types[]=card&payment_method_types[]=link", want: `{"payment_method_types":["card","link"],"automatic_payment_methods":null}`},
		"types by index":       {form: "payment_method_types[1]=link&payment_method_types[0]=card", want: `{"payment_method_types":["card","link"]}`},
		"escaped brackets":     {form: "payment_method_types%5B%5D=card", want: `{"payment_method_types":["card"]}`},
		"automatic":            {form: "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=always", want: `{"automatic_payment_methods":{"enabled":true,"allow_redirects":"always"}}`},
		"metadata":             {form: "metadata[a]=1&metadata[b]=&metadata[0]=c&metadata[sp+ace]=%C3%A9", want: `{"metadata":{"a":"1","0":"c","sp ace":"é"}}`},
		"metadata, characters": {form: "metadata[a]=" + strings.Repeat("%C3%A9", 500), want: `{"metadata":{"a":"` + strings.Repeat("é", 500) + `"}}`},
		"metadata, nothing":    {form: "metadata=", want: `{"metadata":{}}`},
		"twice":                {form: "description=a&description=b", want: `{"description":"b"}`},
		"empty pairs":          {form: "&&description=a&", want: `{"description":"a"}`},
		"allowed":              {form: "payment_method_options[card][request_three_d_secure]=any", allow: allow, want: `{"payment_method_options":{"card":{"request_three_d_secure":"any","mandate_options":null,"network":null}}}`},
		"allowed, a list":      {form: "flow_directions[0]=inbound", allow: allow, want: `{"flow_directions":["inbound"]}`},
		"allowed, not its kin": {form: "payment_method_options[link][persistent_token]=x", allow: allow, code: "parameter_unknown", param: "payment_method_options[link][persistent_token]"},

		"unknown":                {form: "foo=1", code: "parameter_unknown", param: "foo", text: "Received unknown parameter: foo"},
		"confirm":                {form: "confirm=true", code: "parameter_unknown", param: "confirm"},
		"customer":               {form: "customer=cus_1", code: "parameter_unknown", param: "customer"},
		"payment method":         {form: "payment_method=pm_card_visa", code: "parameter_unknown", param: "payment_method"},
		"raw card":               {form: "payment_method_data[type]=card&payment_method_data[card][number]=4242424242424242", param: "payment_method_data[card][number]", text: rawCardText},
		"raw card, allowed":      {form: "description=x&payment_method_data[type]=card&payment_method_data[card][number]=4242424242424242", allow: []string{"payment_method_data"}, param: "payment_method_data[card][number]", text: rawCardText},
		"allowed, invented":      {form: "description=x&payment_method_options[card][bogus]=1", allow: allow, code: "parameter_unknown", param: "payment_method_options[card][bogus]"},
		"allowed, not a hash":    {form: "description=x&payment_method_options[card]=1", allow: allow, param: "payment_method_options[card]"},
		"client secret":          {form: "client_secret=x", code: "parameter_unknown", param: "client_secret"},
		"expand":                 {form: "expand[]=customer", code: "parameter_unknown", param: "expand[0]"},
		"our row":                {form: "metadata[pending_user_id]=other", code: "parameter_unknown", param: "metadata[pending_user_id]"},
		"our key":                {form: "metadata[cardonfile_key]=", code: "parameter_unknown", param: "metadata[cardonfile_key]"},
		"our namespace":          {form: "metadata[cardonfile_namespace]=x", code: "parameter_unknown", param: "metadata[cardonfile_namespace]"},
		"usage, invented":        {form: "usage=never", param: "usage", text: "Invalid usage: must be one of off_session or on_session"},
		"a text as a list":       {form: "payment_method_types=card", param: "payment_method_types"},
		"a list as a text":       {form: "description[]=card", param: "description"},
		"a hash as a list":       {form: "payment_method_types[a]=card", param: "payment_method_types"},
		"a list of lists":        {form: "payment_method_types[0][0]=card", param: "payment_method_types[0]"},
		"a text and a hash":      {form: "metadata=&metadata[a]=1", param: "metadata[a]"},
		"a hash and a text":      {form: "metadata[a]=1&metadata=", param: "metadata"},
		"metadata, a text":       {form: "metadata=x", param: "metadata"},
		"description, long":      {form: "description=" + strings.Repeat("d", 1001), param: "description", text: "Invalid string: must be at most 1000 characters."},
		"no such type":           {form: "payment_method_types[]=gold", text: "The payment provider refused the parameters."},
		"metadata, deep":         {form: "metadata[a][b]=1", param: "metadata[a]"},
		"metadata, long key":     {form: "metadata[" + strings.Repeat("k", 41) + "]=1", param: "metadata"},
		"metadata, long value":   {form: "metadata[a]=" + strings.Repeat("v", 501), param: "metadata[a]"},
		"metadata, many keys":    {form: manyKeys(48), param: "metadata"},
		"automatic, a text":      {form: "automatic_payment_methods=true", param: "automatic_payment_methods"},
		"automatic, not enabled": {form: "automatic_payment_methods[allow_redirects]=never", code: "parameter_missing", param: "automatic_payment_methods[enabled]"},
		"automatic, perhaps":     {form: "automatic_payment_methods[enabled]=yes", param: "automatic_payment_methods[enabled]"},
		"automatic, redirects":   {form: "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=x", param: "automatic_payment_methods[allow_redirects]"},
		"automatic, more":        {form: "automatic_payment_methods[enabled]=true&automatic_payment_methods[x]=1", code: "parameter_unknown", param: "automatic_payment_methods[x]"},
		"automatic, and types":   {form: "automatic_payment_methods[enabled]=true&payment_method_types[]=card", param: "automatic_payment_methods", text: "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."},
		"not a form":             {form: "description=%zz", text: "Invalid request: the parameters are not URL-encoded."},
		"not UTF-8":              {form: "description=%ff", text: "Invalid request: the parameters are not URL-encoded."},
		"deep":                   {form: "a" + strings.Repeat("[b]", 100) + "=1", code: "parameter_unknown", param: "…"},
		"long name":              {form: strings.Repeat("n", 3000) + "=1", code: "parameter_unknown", param: "…"},
		"odd brackets":           {form: "metadata[[a]]=1", code: "parameter_unknown", param: "…"},
		"no name":                {form: "=1", code: "parameter_unknown", param: "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStripeWire(t, httpadapter.Stripe{AllowParams: c.allow}, &setupintent.Options{Namespace: "test"})
			a := w.post(stripePath, c.form)
			if c.want == "" {
				require.Equal(t, 400, a.Code, a.Body.String())
				require.Equal(t, "invalid_request_error", a.err.Type)
				require.Equal(t, c.code, a.err.Code)
				require.Equal(t, c.param, a.err.Param)
				if c.text != "" {
					require.Equal(t, c.text, a.err.Message)
				}
				require.Equal(t, name == "no such type", w.fake.Count("POST /v1/setup_intents") == 1)
				return
			}
			require.Equal(t, 200, a.Code, a.Body.String())
			var want map[string]any
			require.NoError(t, json.Unmarshal([]byte(c.want), &want))
			for _, key := range []string{"pending_user_id", "cardonfile_key", "cardonfile_namespace"} {
				delete(a.object["metadata"].(map[string]any), key)
			}
			for member, value := range want {
				require.Equal(t, value, a.object[member], member)
			}
			require.Equal(t, a.text("id"), w.post(stripePath, c.form).text("id"), "it can be repeated")
		})
	}
}

func manyKeys(n int) string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("metadata[k%d]=1", i))
	}
	return strings.Join(pairs, "&")
}

// TestStripeFrozen: the row is the idempotency key.
func TestStripeFrozen(t *testing.T) {
	t.Parallel()
	w := newStripeWire(t, httpadapter.Stripe{}, nil)
	require.Equal(t, 200, w.post(stripePath, "description=a").Code)
	a := w.post(stripePath, "description=b")
	require.Equal(t, 400, a.Code)
	require.Equal(t, "idempotency_error", a.err.Type)
	require.Contains(t, a.err.Message, "Keys for idempotent requests can only be used with the same parameters they were first used with.")
}

// TestStripeUpdate: what an update may set and unset, and what it may not.
func TestStripeUpdate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		form  string
		allow []string
		want  string // of the object, as JSON; empty: an error
		code  string
		param string
	}{
		"nothing":           {form: "", want: `{"description":"d","metadata":{"a":"1","b":"2"}}`},
		"description":       {form: "description=e", want: `{"description":"e"}`},
		"no description":    {form: "description=", want: `{"description":null}`},
		"one key":           {form: "metadata[a]=x", want: `{"metadata":{"a":"x","b":"2"}}`},
		"one key unset":     {form: "metadata[a]=", want: `{"metadata":{"b":"2"}}`},
		"all unset":         {form: "metadata=", want: `{"metadata":{}}`},
		"payment method":    {form: "payment_method=pm_card_visa", want: `{"status":"requires_confirmation"}`},
		"types":             {form: "payment_method_types[]=card&payment_method_types[]=link", want: `{"payment_method_types":["card","link"]}`},
		"allowed":           {form: "payment_method_options[card][request_three_d_secure]=any", allow: []string{"payment_method_options"}, want: `{"payment_method_options":{"card":{"request_three_d_secure":"any","mandate_options":null,"network":null}}}`},
		"customer, allowed": {form: "customer=cus_1", allow: []string{"customer"}, code: "parameter_unknown", param: "customer"},
		"customer and more": {form: "customer=cus_1&automatic_payment_methods[enabled]=true", allow: []string{"customer", "automatic_payment_methods"}, code: "parameter_unknown", param: "customer"},
		"usage":             {form: "usage=on_session", code: "parameter_unknown", param: "usage"},
		"automatic":         {form: "automatic_payment_methods[enabled]=true", code: "parameter_unknown", param: "automatic_payment_methods[enabled]"},
		"our row":           {form: "metadata[pending_user_id]=other", code: "parameter_unknown", param: "metadata[pending_user_id]"},
		"our row, unset":    {form: "metadata[pending_user_id]=", code: "parameter_unknown", param: "metadata[pending_user_id]"},
		"a text as a list":  {form: "payment_method_types=card", param: "payment_method_types"},
		"a list as a text":  {form: "payment_method[]=card", param: "payment_method"},
		"description, long": {form: "description=" + strings.Repeat("d", 1001), param: "description"},
		"no such method":    {form: "payment_method=pm_none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStripeWire(t, httpadapter.Stripe{AllowParams: c.allow}, nil)
			made := w.post(stripePath, "payment_method_types[]=card&description=d&metadata[a]=1&metadata[b]=2")
			path := stripePath + "/" + made.text("id")
			a := w.post(path, c.form)
			if c.want == "" {
				require.Equal(t, 400, a.Code, a.Body.String())
				require.Equal(t, c.code, a.err.Code)
				require.Equal(t, c.param, a.err.Param)
				require.Equal(t, made.object, w.get(path).object)
				return
			}
			require.Equal(t, 200, a.Code, a.Body.String())
			require.Equal(t, a.object, w.get(path).object)
			require.Equal(t, rowID, a.object["metadata"].(map[string]any)["pending_user_id"])
			var want map[string]any
			require.NoError(t, json.Unmarshal([]byte(c.want), &want))
			for _, key := range []string{"pending_user_id", "cardonfile_key"} {
				delete(a.object["metadata"].(map[string]any), key)
			}
			for member, value := range want {
				require.Equal(t, value, a.object[member], member)
			}
		})
	}
}

// TestStripeCredentials are told from one another in Stripe's words.
func TestStripeCredentials(t *testing.T) {
	t.Parallel()
	w := newStripeWire(t, httpadapter.Stripe{}, nil)
	const none = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/."
	for _, c := range []struct {
		header string
		status int
		text   string
	}{
		{"", 401, none},
		{"Bearer sk_test_51H8aVnRfLk9WmXq", 401, "Invalid API Key provided: ********************WmXq"},
		{"Basic c2tfdGVzdF9hYmNkZWZnaDo=", 401, "Invalid API Key provided: ************efgh"},
		{"Bearer x", 401, "Invalid API Key provided: *"},
		{"Digest whatever-it-is", 401, "Invalid API Key provided: *****************t-is"},
		{"Bearer forbidden", 404, "No such setupintent"},
		{"Bearer nobody", 404, "No such setupintent"},
	} {
		r := httptest.NewRequest(http.MethodPost, stripePath, nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		a := w.serve(r)
		require.Equal(t, c.status, a.Code, c.header)
		require.Equal(t, c.text, a.err.Message)
		require.Equal(t, "invalid_request_error", a.err.Type)
		if c.status == 401 {
			require.Equal(t, `Bearer realm="Stripe"`, a.Header().Get("WWW-Authenticate"))
		}
	}
	require.Zero(t, w.fake.Count("POST /v1/setup_intents"))
}

// TestStripeHeaders are those that Stripe's clients read.
func TestStripeHeaders(t *testing.T) {
	t.Parallel()
	w := newStripeWire(t, httpadapter.Stripe{}, nil)
	ask := func(header ...string) stripeAnswer {
		r := httptest.NewRequest(http.MethodPost, stripePath, nil)
		r.Header.Set("Authorization", "Bearer right")
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return w.serve(r)
	}
	for _, version := range []string{"2024-06-20", "2026-08-26.dahlia"} {
		a := ask("Stripe-Version", version, "Idempotency-Key", "key-1")
		require.Equal(t, 200, a.Code)
		require.Equal(t, version, a.Header().Get("Stripe-Version"))
		require.Equal(t, "key-1", a.Header().Get("Idempotency-Key"))
	}
	a := ask("Stripe-Version", "2024-06-20; custom_beta=v1", "Idempotency-Key", `"quoted"`)
	require.Equal(t, 200, a.Code)
	require.Empty(t, a.Header().Get("Stripe-Version"))
	a = ask("Idempotency-Key", strings.Repeat("k", 256))
	require.Equal(t, 400, a.Code)
	require.Equal(t, "Idempotency keys have 1 to 255 printable ASCII characters.", a.err.Message)
	require.NotEqual(t, a.Header().Get("Request-Id"), ask().Header().Get("Request-Id"))
	require.Contains(t, w.log.String(), a.Header().Get("Request-Id"), "the log has it, too")
}

// TestStripeHostile: whatever comes, the answer is Stripe's error object, and
// Stripe itself hears nothing.
func TestStripeHostile(t *testing.T) {
	t.Parallel()
	w := newStripeWire(t, httpadapter.Stripe{}, nil)
	id := w.post(stripePath, "").text("id")
	for name, c := range map[string]struct {
		method, path, contentType, body string
		want                            int
	}{
		"no route":               {"POST", "/v1/customers", "", "", 404},
		"confirm":                {"POST", stripePath + "/" + id + "/confirm", "", "", 404},
		"cancel":                 {"POST", stripePath + "/" + id + "/cancel", "", "", 404},
		"list":                   {"GET", stripePath, "", "", 405},
		"trailing slash":         {"GET", stripePath + "/", "", "", 404},
		"delete":                 {"DELETE", stripePath + "/" + id, "", "", 405},
		"put":                    {"PUT", stripePath, "", "", 405},
		"invented":               {"BREW", stripePath + "/" + id, "", "", 405},
		"preflight":              {"OPTIONS", stripePath + "/" + id, "", "", 204},
		"client secret":          {"GET", stripePath + "/" + id + "?client_secret=" + id + "_secret_x", "", "", 400},
		"expand":                 {"GET", stripePath + "/" + id + "?expand[]=customer", "", "", 400},
		"many parameters":        {"GET", stripePath + "/" + id + "?" + strings.Repeat("a[]&", 501), "", "", 400},
		"many in the body":       {"POST", stripePath, "application/x-www-form-urlencoded", strings.Repeat("a[]&", 501), 400},
		"query that is no form":  {"GET", stripePath + "/" + id + "?a=%zz", "", "", 400},
		"unknown in the query":   {"POST", stripePath + "?foo=1", "", "", 400},
		"secret as an id":        {"GET", stripePath + "/" + id + "_secret_x", "", "", 404},
		"secret as a path":       {"GET", "/v1/" + id + "_secret_x/confirm", "", "", 404},
		"escaped slash":          {"GET", stripePath + "/x%2F" + id, "", "", 404},
		"dots":                   {"GET", stripePath + "/..", "", "", 404},
		"escaped dots":           {"GET", stripePath + "/%2e%2e%2fcustomers", "", "", 404},
		"NUL":                    {"GET", stripePath + "/" + id + "%00", "", "", 404},
		"10,000 characters":      {"GET", stripePath + "/" + strings.Repeat("s", 10000), "", "", 404},
		"other alphabet":         {"GET", stripePath + "/s%D0%B5ti_1", "", "", 404},
		"not UTF-8":              {"GET", stripePath + "/%ff%fe", "", "", 404},
		"percent":                {"GET", stripePath + "/%25", "", "", 404},
		"question mark":          {"GET", stripePath + "/a%3Fb", "", "", 404},
		"JSON":                   {"POST", stripePath, "application/json", `{"description":"x"}`, 415},
		"no type":                {"POST", stripePath, "", "description=x", 415},
		"multipart":              {"POST", stripePath, "multipart/form-data; boundary=x", "--x--", 415},
		"nonsense type":          {"POST", stripePath, ";;;", "description=x", 415},
		"too large":              {"POST", stripePath, "application/x-www-form-urlencoded", "description=" + strings.Repeat("x", 5000), 413},
		"binary":                 {"POST", stripePath, "application/x-www-form-urlencoded", "\x00\xff", 400},
		"no body, JSON":          {"POST", stripePath, "application/json", "", 200},
		"no body, nonsense":      {"POST", stripePath, ";;;", "", 200},
		"form with a charset":    {"POST", stripePath, "application/x-www-form-urlencoded; charset=utf-8", "&", 200},
		"update, unknown":        {"POST", stripePath + "/" + id, "application/x-www-form-urlencoded", "customer=cus_1", 400},
		"update, client secret":  {"POST", stripePath + "/" + id, "application/x-www-form-urlencoded", "client_secret=x", 400},
		"update, JSON":           {"POST", stripePath + "/" + id, "application/json", `{"description":"x"}`, 415},
		"update, another's":      {"POST", stripePath + "/seti_2", "application/x-www-form-urlencoded", "description=x", 404},
		"update, secret as id":   {"POST", stripePath + "/" + id + "_secret_x", "application/x-www-form-urlencoded", "description=x", 404},
		"two slashes":            {"GET", "/v1//setup_intents/" + id, "", "", 200},
		"mounted somewhere else": {"GET", "/a/b/setup_intents/" + id, "", "", 200},
	} {
		r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		r.Method = c.method
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		r.Header.Set("Authorization", "Bearer right")
		created := w.fake.Count("POST /v1/setup_intents")
		a := w.serve(r)
		require.Equal(t, c.want, a.Code, "%s: %s", name, a.Body)
		require.Equal(t, created, w.fake.Count("POST /v1/setup_intents"), name)
		require.Zero(t, w.fake.Count("POST /v1/setup_intents/:id"), name)
		if strings.HasPrefix(name, "many ") {
			require.Equal(t, "The request has more than 500 parameters.", a.err.Message, name)
		}
		if c.want == 404 && strings.Contains(c.path, "confirm") {
			require.Contains(t, a.err.Message, "Unrecognized request URL (")
		}
	}
	require.NotContains(t, w.post(stripePath+"/"+url.PathEscape(id+"_secret_x"), "").Body.String(), "secret")
}

// TestStripeStates are the outcomes of the service, as Stripe would tell them.
func TestStripeStates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do    func(w *stripeWire) stripeAnswer
		opts  setupintent.Options
		want  int
		code  string
		kind  string
		retry string // Stripe-Should-Retry
		after string // Retry-After
	}{
		"processing": {do: func(w *stripeWire) stripeAnswer {
			id := w.post(stripePath, "").text("id")
			require.NoError(w, w.fake.Resolve(id, stripetest.OutcomeProcess))
			a := w.post(stripePath, "")
			require.Equal(w, "processing", a.text("status"))
			return w.get(stripePath + "/" + id)
		}, want: 200},
		"cancelled": {do: func(w *stripeWire) stripeAnswer {
			id := w.post(stripePath, "").text("id")
			_, err := w.svc.Cancel(context.Background(), rowID)
			require.NoError(w, err)
			require.Equal(w, "canceled", w.get(stripePath+"/"+id).text("status"))
			require.Equal(w, 400, w.post(stripePath+"/"+id, "description=x").Code)
			return w.post(stripePath, "")
		}, want: 400, code: "setup_intent_unexpected_state", kind: "invalid_request_error", retry: "false"},
		"closing": {do: func(w *stripeWire) stripeAnswer {
			id := w.post(stripePath, "").text("id")
			require.NoError(w, w.fake.Inject(stripetest.Fault{Route: "POST /v1/setup_intents/:id/cancel", Status: 503, Count: 3}))
			_, err := w.svc.Cancel(context.Background(), rowID)
			require.Error(w, err)
			require.Equal(w, 200, w.get(stripePath+"/"+id).Code)
			require.Equal(w, 400, w.post(stripePath, "").Code)
			return w.post(stripePath+"/"+id, "description=x")
		}, want: 400, code: "setup_intent_unexpected_state", kind: "invalid_request_error", retry: "false"},
		"guard": {do: func(w *stripeWire) stripeAnswer { return w.post(stripePath, "") }, opts: setupintent.Options{
			Guard: func(context.Context, setupintent.Row) error { return errors.New("no") },
		}, want: 429, code: "rate_limit", kind: "invalid_request_error", after: "60"},
		"refused": {do: func(w *stripeWire) stripeAnswer { return w.post(stripePath, "") }, opts: setupintent.Options{
			Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
				return setupintent.IntentRequest{Customer: "cus_none"}, nil
			},
		}, want: 500, kind: "api_error", retry: "false"},
		"used up": {do: func(w *stripeWire) stripeAnswer {
			w.post(stripePath, "")
			return w.post(stripePath, "")
		}, opts: setupintent.Options{MaxAttempts: 1, Request: func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
			return setupintent.IntentRequest{Customer: "cus_none"}, nil
		}}, want: 400, code: "setup_intent_unexpected_state", kind: "invalid_request_error", retry: "false"},
		"effect": {do: func(w *stripeWire) stripeAnswer {
			id := w.post(stripePath, "").text("id")
			require.NoError(w, w.fake.Resolve(id, stripetest.OutcomeSucceed))
			return w.get(stripePath + "/" + id)
		}, opts: setupintent.Options{OnActive: func(context.Context, setupintent.Row, setupintent.Intent) error {
			return errInternal
		}}, want: 503, kind: "api_error", after: "5"},
		"no answer to a retrieve": {do: func(w *stripeWire) stripeAnswer {
			id := w.post(stripePath, "").text("id")
			require.NoError(w, w.fake.Inject(stripetest.Fault{Route: "GET /v1/setup_intents/:id", Status: 401, Count: 1}))
			return w.get(stripePath + "/" + id)
		}, want: 500, kind: "api_error", retry: "false"},
		"gone at the provider": {do: func(w *stripeWire) stripeAnswer {
			id := w.post(stripePath, "").text("id")
			w.fake.Reset()
			return w.get(stripePath + "/" + id)
		}, want: 404, code: "resource_missing", kind: "invalid_request_error", retry: "false"},
		"another's by its metadata": {do: func(w *stripeWire) stripeAnswer {
			id := w.post(stripePath, "").text("id")
			_, err := w.stripe.UpdateIntent(context.Background(), id, stripeport.UpdateRequest{Metadata: map[string]string{"pending_user_id": "other"}})
			require.NoError(w, err)
			return w.get(stripePath + "/" + id)
		}, want: 404, code: "resource_missing", kind: "invalid_request_error", retry: "false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStripeWire(t, httpadapter.Stripe{}, &c.opts)
			a := c.do(w)
			require.Equal(t, c.want, a.Code, a.Body.String())
			require.Equal(t, c.code, a.err.Code)
			require.Equal(t, c.kind, a.err.Type)
			require.Equal(t, c.retry, a.Header().Get("Stripe-Should-Retry"))
			require.Equal(t, c.after, a.Header().Get("Retry-After"))
		})
	}
}

// TestStripeUpdateFails: an error of the application's function may wrap
// anything, and is worth another try, unless it says that the parameters are
// wrong.
func TestStripeUpdateFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   setupintent.Intent
		err  error
		want int
	}{
		"refused":        {err: fmt.Errorf("%w: %w", setupintent.ErrRefused, errInternal), want: 400},
		"unknown":        {err: errInternal, want: 503},
		"forbidden":      {err: fmt.Errorf("%w: %w", httpadapter.ErrForbidden, errInternal), want: 503},
		"another intent": {in: setupintent.Intent{ID: "seti_other"}, want: 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStripeWire(t, httpadapter.Stripe{Update: func(context.Context, string, map[string]any) (setupintent.Intent, error) {
				return c.in, c.err
			}}, nil)
			a := w.post(stripePath+"/"+w.post(stripePath, "").text("id"), "description=x")
			require.Equal(t, c.want, a.Code, a.Body.String())
			require.NotContains(t, a.Body.String(), canary)
		})
	}
}

// TestStripeWithoutUpdate: without the function, there is no such route.
func TestStripeWithoutUpdate(t *testing.T) {
	t.Parallel()
	b := newBench(t, httpadapter.Stripe{})
	b.identify = func(*http.Request) (string, error) { return rowID, nil }
	b.start()
	w := httptest.NewRecorder()
	b.routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, stripePath+"/seti_1", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, http.MethodGet, w.Header().Get("Allow"))

	// A provider that shows no object has one made of what is known.
	w = httptest.NewRecorder()
	b.routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, stripePath, nil))
	require.Equal(t, http.StatusOK, w.Code)
	var object map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &object))
	require.Equal(t, "seti_1_secret_test", object["client_secret"])
	require.Equal(t, "requires_payment_method", object["status"])
	require.Contains(t, object, "latest_attempt")
}

// TestStripeOptions: what no create may carry can't be allowed either.
func TestStripeOptions(t *testing.T) {
	t.Parallel()
	svc, err := setupintent.New(memstore.New(), new(provider), nil)
	require.NoError(t, err)
	for name, ok := range map[string]bool{
		"payment_method_options": true, "payment_method_options[card][network]": true, "customer": true, "payment_method": true,
		"flow_directions": true, "expand": true,
		"confirm": false, "return_url": false, "payment_method_data[card]": false, "client_secret": false, "metadata": false,
		"surprise": false, "payment_method_options[card][surprise]": false, "": false,
	} {
		_, err := httpadapter.New(svc, &httpadapter.Options{Dialect: httpadapter.Stripe{AllowParams: []string{name}}})
		require.Equal(t, ok, err == nil, "%s: %v", name, err)
	}
}

// stripeObject is an answer of the examples.
type stripeObject struct {
	status       int
	ID           string
	Object       string
	Status       string
	ClientSecret string   `json:"client_secret"`
	Types        []string `json:"payment_method_types"`
	Metadata     map[string]string
	Error        struct{ Message string }
}

func decodeObject(w *httptest.ResponseRecorder) stripeObject {
	o := stripeObject{status: w.Code}
	_ = json.Unmarshal(w.Body.Bytes(), &o)
	return o
}
