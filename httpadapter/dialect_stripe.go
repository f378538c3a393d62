package httpadapter

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Stripe is the wire of Stripe's own /v1/setup_intents, for one row: mount it
// there, or at /v1/, and point a client of Stripe's at it. Routes serves
//
//	POST setup_intents            creates the row's intent, or returns the one that it has
//	GET  setup_intents/{intent}   retrieves it
//	POST setup_intents/{intent}   updates it
//
// and answers with the provider's object, whole. Parameters are form-encoded;
// much metadata needs a larger Options.MaxBodyBytes than the default.
//
// The path names no row: identify finds out by the credential, which is no
// secret key but a token ([Bearer], [Tokens]), and returns the row that it
// stands for. Where that is an account's, it is the pending row or a new one for
// a create, and the latest for the others, for which r.PathValue("intent") is
// not empty: what has just succeeded is retrieved all the same. An intent that
// is not the row's is Stripe's 404.
//
// What the caller may set is a closed list: description, payment_method_types
// and metadata; on a create also usage and automatic_payment_methods, on an
// update also payment_method. Of metadata, the service's own keys can be neither
// set nor unset, and metadata= unsets those of the caller. Whatever else is sent
// is an error. A create that sets something asks for that instead of what
// Options.Request of the service would, and, repeated, must set the same; one
// that sets nothing returns whatever there is.
//
// Every answer has a Request-Id: that which was set outside, on the
// ResponseWriter, or a new one; the log has it, too. An Idempotency-Key is
// checked, and has no effect, for the row is what a request is repeated for. A
// Stripe-Version is accepted and has no effect either: the object is of the
// version that the provider speaks to the application.
//
// A Handler reads it on every request: do not change it after New.
type Stripe struct {
	// Update changes the intent at the provider and returns it as it is then.
	// The params are what the caller sets, by the provider's names; stripeport's
	// UpdateIntent takes them as its Extra. An error that wraps ErrRefused says
	// that it is the params that are wrong; any other is a 503. It is called with
	// the row's own intent alone, and has 10 s. Nil: there is no update.
	Update func(ctx context.Context, intentID string, params map[string]any) (setupintent.Intent, error)

	// AllowParams names more documented parameters that a create may set, as
	// payment_method_options or payment_method_options[card][network]: with one,
	// all that it holds. An update may set them, too, but for customer. Those
	// that no claim may carry, such as confirm, can't be allowed. Nil: none.
	AllowParams []string
}

func (d Stripe) check() error {
	for _, name := range d.AllowParams {
		switch name {
		case "customer", "payment_method":
			continue
		}
		if err := mayHave(name, map[string]any{}); err != nil {
			return fmt.Errorf("Stripe.AllowParams: %w", err)
		}
	}
	return nil
}

// mayHave returns an error if no document has a parameter of that name which may
// have the value; the empty hash may be that of any name that there is.
func mayHave(name string, value any) error {
	for _, name := range slices.Backward(splitName(name)) {
		value = map[string]any{name: value}
	}
	extra, _ := value.(map[string]any)
	return setupintent.IntentRequest{Extra: extra}.Validate()
}

func (d Stripe) routes() []route {
	routes := []route{
		{http.MethodPost, "setup_intents", d.begin},
		{http.MethodGet, "setup_intents/{intent}", d.retrieve},
	}
	if d.Update != nil {
		routes = append(routes, route{http.MethodPost, "setup_intents/{intent}", d.update})
	}
	return routes
}

//go:embed openapi/stripe.json
var stripeDocument []byte

func (Stripe) document() []byte { return stripeDocument }

func (Stripe) receive(q *request) error {
	q.nameIt("Request-Id")
	if version := q.Header.Get(versionHeader); isVersion(version) {
		q.w.Header().Set(versionHeader, version)
	}
	if q.Method != http.MethodPost {
		return nil
	}
	err := q.checkKey()
	if key := q.Header.Get("Idempotency-Key"); err == nil && key != "" {
		q.w.Header().Set("Idempotency-Key", key)
	}
	return err
}

func (d Stripe) begin(q *request) (reply, error) {
	params, err := q.form()
	if err != nil {
		return reply{}, err
	}
	req, err := d.request(params, q.h.svc.OwnsMetadata)
	if err != nil {
		return reply{}, err
	}
	id, err := q.row()
	if err != nil {
		return reply{}, err
	}
	in, err := q.h.svc.Begin(q.Context(), id, req)
	switch {
	case req != nil && errors.Is(err, setupintent.ErrRefused):
		return reply{}, fmt.Errorf("%w: %w", paramError{fault: refusedParams}, err)
	case err != nil:
		return reply{}, err
	case in.ClientSecret.Reveal() == "":
		return reply{}, fmt.Errorf("the provider returned intent %s without its client secret", in.ID)
	}
	return stripeObject(in), nil
}

func (Stripe) retrieve(q *request) (reply, error) {
	params, err := q.form()
	if err != nil {
		return reply{}, err
	}
	if names := params.leaves(""); len(names) > 0 {
		return reply{}, paramError{names[0], unknown}
	}
	_, in, err := q.own()
	if err != nil {
		return reply{}, err
	}
	return stripeObject(in), nil
}

// own returns the row that the request may act on, and its intent, which is the
// one that the path names.
func (q *request) own() (setupintent.Row, setupintent.Intent, error) {
	intentID := q.PathValue("intent")
	if !isIntentID(intentID) {
		return setupintent.Row{}, setupintent.Intent{}, setupintent.ErrMismatch
	}
	id, err := q.row()
	if err != nil {
		return setupintent.Row{}, setupintent.Intent{}, err
	}
	return q.h.svc.Retrieve(q.Context(), id, intentID)
}

const updateTimeout = 10 * time.Second

func (d Stripe) update(q *request) (reply, error) {
	params, err := q.form()
	if err != nil {
		return reply{}, err
	}
	change, err := d.change(params, q.h.svc.OwnsMetadata)
	if err != nil {
		return reply{}, err
	}
	row, in, err := q.own()
	switch {
	case err != nil:
		return reply{}, err
	case row.Status != setupintent.Pending:
		return reply{}, &setupintent.Error{RowID: row.ID, Status: row.Status, IntentID: in.ID, Err: setupintent.ErrNotPending}
	case row.Progress.Phase() == setupintent.Closing:
		return reply{}, &setupintent.Error{RowID: row.ID, Status: row.Status, IntentID: in.ID, Err: setupintent.ErrClosing}
	}
	if change["metadata"] == "" { // all of the caller's
		change["metadata"] = unset(in.Metadata, q.h.svc.OwnsMetadata)
	}
	if hash, ok := change["metadata"].(map[string]any); ok && len(hash) == 0 {
		delete(change, "metadata")
	}
	if len(change) == 0 {
		return stripeObject(in), nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(q.Context()), updateTimeout)
	defer cancel()
	changed, err := d.Update(ctx, in.ID, change)
	switch {
	case errors.Is(err, setupintent.ErrRefused):
		return reply{}, fmt.Errorf("%w: %w", paramError{fault: refusedParams}, err)
	case err != nil:
		return reply{}, fmt.Errorf("%w: Stripe.Update: %w", setupintent.ErrHook, err)
	case changed.ID != in.ID:
		return reply{}, fmt.Errorf("Stripe.Update returned intent %s instead of %s", changed.ID, in.ID)
	}
	return stripeObject(changed), nil
}

// unset returns what unsets the metadata that is not the service's.
func unset(metadata map[string]string, owned func(string) bool) map[string]any {
	hash := map[string]any{}
	for key := range metadata {
		if !owned(key) {
			hash[key] = ""
		}
	}
	return hash
}

// request returns what a create sets; nil if that is nothing.
func (d Stripe) request(f form, owned func(string) bool) (*setupintent.IntentRequest, error) {
	if err := d.known(f, "description", "usage", "payment_method_types", "automatic_payment_methods", "metadata"); err != nil {
		return nil, err
	}
	var req setupintent.IntentRequest
	var errs [7]error
	req.Customer, errs[0] = f.text("customer")
	req.Description, errs[1] = f.description()
	req.PaymentMethod, errs[2] = f.text("payment_method")
	req.Usage, errs[3] = f.oneOf("usage", "off_session", "on_session")
	req.PaymentMethodTypes, errs[4] = f.list("payment_method_types")
	req.Metadata, errs[5] = f.metadata(owned)
	errs[6] = f.automatic()
	if err := cmp.Or(errs[:]...); err != nil {
		return nil, err
	}
	maps.DeleteFunc(req.Metadata, func(_, value string) bool { return value == "" }) // there is nothing to unset
	for name, value := range f {
		if !slices.Contains(typedParams, name) {
			if req.Extra == nil {
				req.Extra = map[string]any{}
			}
			req.Extra[name] = plain(value)
		}
	}
	if err := req.Validate(); err != nil {
		return nil, f.culprit()
	}
	if req.Customer+req.Description+req.PaymentMethod+req.Usage == "" && len(req.PaymentMethodTypes)+len(req.Metadata)+len(req.Extra) == 0 {
		return nil, nil //nolint:nilnil // it leaves the request to the service
	}
	return &req, nil
}

// typedParams are the fields of an IntentRequest.
var typedParams = []string{"customer", "description", "payment_method", "usage", "payment_method_types", "metadata"}

// change returns what an update sets.
func (d Stripe) change(f form, owned func(string) bool) (map[string]any, error) {
	if err := d.known(f, "description", "payment_method", "payment_method_types", "metadata"); err != nil {
		return nil, err
	}
	if customer := f["customer"]; customer != nil { // the row is the customer's
		return nil, paramError{form{"customer": customer}.leaves("")[0], unknown}
	}
	var errs [4]error
	var metadata map[string]string
	_, errs[0] = f.description()
	_, errs[1] = f.text("payment_method")
	_, errs[2] = f.list("payment_method_types")
	metadata, errs[3] = f.metadata(owned)
	if err := cmp.Or(errs[:]...); err != nil {
		return nil, err
	}
	change := make(map[string]any, len(f))
	for name, value := range f {
		change[name] = plain(value)
	}
	if metadata != nil {
		hash := make(map[string]any, len(metadata))
		for key, value := range metadata {
			hash[key] = value
		}
		change["metadata"] = hash
	}
	return change, nil
}

// known returns an error that names a parameter which is neither one of the
// given ones nor one of AllowParams.
func (d Stripe) known(f form, given ...string) error {
	for _, top := range slices.Sorted(maps.Keys(f)) {
		if slices.Contains(given, top) {
			continue
		}
		for _, name := range (form{top: f[top]}).leaves("") {
			switch {
			case within(name, "payment_method_data[card]"):
				return paramError{name, rawCard}
			case !slices.ContainsFunc(d.AllowParams, func(allowed string) bool { return within(name, allowed) }):
				return paramError{name, unknown}
			}
		}
	}
	return nil
}

// within reports whether the parameter is the other one, or in it.
func within(name, other string) bool {
	return name == other || strings.HasPrefix(name, other+"[")
}

// culprit returns which of the parameters beside the typed ones is wrong, and how.
func (f form) culprit() paramError {
	for _, name := range f.leaves("") {
		if slices.Contains(typedParams, splitName(name)[0]) {
			continue
		}
		switch element := listIndex.ReplaceAllString(name, ""); {
		case mayHave(element, "") == nil:
		case mayHave(element, map[string]any{}) == nil:
			return paramError{name, wrongKind}
		default:
			return paramError{name, unknown}
		}
	}
	return paramError{f.leaves("")[0], wrongKind}
}

var listIndex = regexp.MustCompile(`\[[0-9]+\]$`)

func (f form) description() (string, error) {
	text, err := f.text("description")
	if err == nil && utf8.RuneCountInString(text) > maxDescription {
		err = paramError{"description", longDescription}
	}
	return text, err
}

// oneOf returns the text of that name, which is one of the values or "".
func (f form) oneOf(name string, values ...string) (string, error) {
	text, err := f.text(name)
	if err == nil && text != "" && !slices.Contains(values, text) {
		err = paramError{name, fault("Invalid " + name + ": must be one of " + strings.Join(values, " or "))}
	}
	return text, err
}

// automatic checks automatic_payment_methods.
func (f form) automatic() error {
	const name = "automatic_payment_methods"
	hash, ok := f[name].(form)
	switch {
	case f[name] == nil:
		return nil
	case !ok:
		return paramError{name, wrongKind}
	case f["payment_method_types"] != nil:
		return paramError{name, exclusive}
	}
	for member, value := range hash {
		full := name + "[" + member + "]"
		switch {
		case member != "enabled" && member != "allow_redirects":
			return paramError{full, unknown}
		case member == "enabled" && value != "true" && value != "false":
			return paramError{full, notBoolean}
		case member == "allow_redirects" && value != "always" && value != "never":
			return paramError{full, badRedirects}
		}
	}
	if hash["enabled"] == nil {
		return paramError{name + "[enabled]", missingParam}
	}
	return nil
}

// metadata returns what is set and, by an empty text, unset; nil if it is not
// there, or if it is the empty text itself.
func (f form) metadata(owned func(string) bool) (map[string]string, error) {
	hash, ok := f["metadata"].(form)
	if !ok {
		if f["metadata"] != nil && f["metadata"] != "" {
			return nil, paramError{"metadata", wrongKind}
		}
		return nil, nil //nolint:nilnil // there is none
	}
	metadata := make(map[string]string, len(hash))
	for _, key := range slices.Sorted(maps.Keys(hash)) {
		value, ok := hash[key].(string)
		full := "metadata[" + key + "]"
		switch {
		case owned(key):
			return nil, paramError{full, unknown}
		case !ok:
			return nil, paramError{full, wrongKind}
		case key == "" || utf8.RuneCountInString(key) > maxMetadataKey || strings.ContainsAny(key, "[]"):
			return nil, paramError{"metadata", badKeyName}
		case utf8.RuneCountInString(value) > maxMetadataValue:
			return nil, paramError{full, badValue}
		}
		metadata[key] = value
	}
	if len(metadata) > maxMetadata {
		return nil, paramError{"metadata", tooManyKeys}
	}
	return metadata, nil
}

// Stripe's limits, those of metadata less the keys that the service may have.
const (
	maxDescription   = 1000
	maxMetadata      = 50 - 3
	maxMetadataKey   = 40
	maxMetadataValue = 500
)

// What may be wrong with a parameter, as Stripe words it where it does.
const (
	missingParam    fault = "it is missing"
	longDescription fault = "Invalid string: must be at most 1000 characters."
	exclusive       fault = "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."
	badRedirects    fault = "Invalid automatic_payment_methods[allow_redirects]: must be one of always or never"
	badKeyName      fault = "Metadata keys can have up to 40 characters, and no square brackets."
	badValue        fault = "Metadata values can have up to 500 characters."
	tooManyKeys     fault = "You may only specify up to 47 metadata keys here."
	rawCard         fault = "Card numbers must not pass through this server: let the browser collect them."
	refusedParams   fault = "The payment provider refused the parameters."
)

// stripeObject answers with the provider's object.
func stripeObject(in setupintent.Intent) reply {
	object := bytes.TrimSpace(in.Raw)
	if len(object) < 2 || object[0] != '{' {
		object = plainObject(in)
	}
	secret, _ := json.Marshal(in.ClientSecret.Reveal()) //nolint:errchkjson // a text
	if string(secret) == `""` {
		secret = []byte("null")
	}
	body := append([]byte(`{"client_secret":`), secret...)
	if rest := bytes.TrimSpace(object[1:]); rest[0] != '}' {
		body = append(body, ',')
	}
	body = append(append(body, object[1:]...), '\n')
	return reply{status: http.StatusOK, contentType: "application/json", body: body}
}

// plainObject is the object of a provider that shows none, as far as it is
// known.
func plainObject(in setupintent.Intent) []byte {
	known := map[string]any{
		"id": in.ID, "object": "setup_intent", "status": in.Status, "livemode": in.Live, "created": in.Created.Unix(),
		"metadata": in.Metadata, "payment_method_types": []string{}, "usage": "off_session",
	}
	for _, name := range []string{
		"application", "cancellation_reason", "customer", "description", "flow_directions", "last_setup_error", "latest_attempt", "mandate",
		"next_action", "on_behalf_of", "payment_method", "payment_method_options", "single_use_mandate",
	} {
		known[name] = nil
	}
	for name, id := range map[string]string{"customer": in.Customer, "payment_method": in.PaymentMethod, "latest_attempt": in.LatestAttempt} {
		if id != "" {
			known[name] = id
		}
	}
	object, _ := json.Marshal(known) //nolint:errchkjson // texts, numbers and maps of them
	return object
}

func (Stripe) activated(a account) reply { return problemJSON{}.activated(a) }

// stripeError is Stripe's error object.
type stripeError struct {
	Code    string `json:"code,omitempty"`
	DocURL  string `json:"doc_url,omitempty"`
	Message string `json:"message"`
	Param   string `json:"param,omitempty"`
	Type    string `json:"type"`
}

const invalidRequest = "invalid_request_error"

func (Stripe) failure(f failure) reply {
	status, e := stripeOutcome(f)
	if e.Code != "" && f.docsURL != "" {
		e.DocURL = docsURL(f.docsURL, strings.ReplaceAll(e.Code, "_", "-"))
	}
	rep := jsonReply(status, "application/json", struct {
		Error stripeError `json:"error"`
	}{e})
	rep.header = http.Header{}
	switch {
	case status == http.StatusUnauthorized:
		rep.header.Set("WWW-Authenticate", `Bearer realm="Stripe"`)
	case f.retryAfter <= 0: // Stripe's clients repeat what is a 409 or a 5xx, unless they are told not to
		rep.header.Set("Stripe-Should-Retry", "false")
	}
	return rep
}

// stripeOutcome words an outcome. What the caller may not see is not told from
// what is not there.
func stripeOutcome(f failure) (int, stripeError) {
	e := stripeError{Type: invalidRequest, Message: f.text()}
	switch f.outcome {
	case unauthenticated:
		e.Message = noAPIKey
		if key := f.key(); key != "" {
			e.Message = "Invalid API Key provided: " + mask(key)
		}
	case forbidden, unknownRow, malformedID, mismatch:
		e.Code, e.Message, e.Param = "resource_missing", f.noSuchIntent(), "intent"
		return http.StatusNotFound, e
	case noRoute, badMethod:
		e.Message = "Unrecognized request URL" + f.url() + ". Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
	case alreadyActive, notSucceeded:
		e.Code, e.Message = unexpectedState, "You cannot update this SetupIntent because it has already succeeded."
		if f.outcome == notSucceeded {
			e.Message = f.text()
		}
		return http.StatusBadRequest, e
	case abandoned, cancelled, closing, notPending:
		e.Code, e.Message = unexpectedState, "You cannot update this SetupIntent because it has been canceled."
		return http.StatusBadRequest, e
	case tooManyAttempts:
		e.Code = unexpectedState
		return http.StatusBadRequest, e
	case processing: // of Activate
		e.Code = unexpectedState
		return http.StatusBadRequest, e
	case badParam:
		return http.StatusBadRequest, stripeParam(f, e)
	case frozen:
		e.Type = "idempotency_error"
		e.Message = "Keys for idempotent requests can only be used with the same parameters they were first used with." +
			" This SetupIntent was created with other parameters."
		return http.StatusBadRequest, e
	case inProgress:
		e.Code = "idempotency_key_in_use"
		e.Message = "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice," +
			" and the other request is still going through). Please try again later."
	case rateLimited:
		e.Code = "rate_limit"
		e.Message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
	case badKey:
		e.Message = "Idempotency keys have 1 to 255 printable ASCII characters."
	case badType:
		e.Message = "Invalid request (check that your POST content type is application/x-www-form-urlencoded)." +
			" If you have any questions, we can help at https://support.stripe.com/."
	case badBody:
		if e.Message = problemFaults[f.fault]; e.Message == "" {
			e.Message = "Invalid request: the parameters are not URL-encoded."
		}
	case unavailable, unsupported, internal:
		e.Type = apiError
	case providerRefused:
		e.Type = apiError
		return http.StatusInternalServerError, e
	}
	return f.status(), e
}

const (
	apiError        = "api_error"
	unexpectedState = "setup_intent_unexpected_state"

	noAPIKey = "You did not provide an API key. You need to provide your API key in the Authorization header," +
		" using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')." +
		" See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/."
)

// key is the credential that was not accepted; empty if there was none.
func (f failure) key() string {
	if f.asked == nil {
		return ""
	}
	key, err := Credential(f.asked)
	if err != nil {
		return f.asked.Header.Get("Authorization")
	}
	return key
}

func (f failure) noSuchIntent() string {
	const text = "No such setupintent"
	if f.asked == nil || f.asked.PathValue("intent") == "" {
		return text
	}
	return text + ": '" + shorten(f.asked.PathValue("intent")) + "'"
}

func (f failure) url() string {
	if f.asked == nil {
		return ""
	}
	return " (" + shorten(f.asked.Method) + ": " + shorten(f.asked.URL.Path) + ")"
}

// stripeParam words what is wrong with a parameter.
func stripeParam(f failure, e stripeError) stripeError {
	e.Param = f.param
	switch f.fault {
	case unknown:
		e.Code, e.Message = "parameter_unknown", "Received unknown parameter: "+e.Param
	case missingParam:
		e.Code, e.Message = "parameter_missing", "Missing required param: "+e.Param+"."
	case wrongKind:
		e.Message = "Invalid " + e.Param
	case notBoolean:
		e.Message = "Invalid boolean: " + e.Param
	default:
		e.Message = cmp.Or(string(f.fault), e.Message)
	}
	return e
}

// mask shows the end of a credential only, as Stripe does of a key.
func mask(credential string) string {
	const shown = 4
	hidden := max(len(credential)-shown, 0)
	if hidden < shown {
		return strings.Repeat("*", len(credential))
	}
	return strings.Repeat("*", min(hidden, 40)) + credential[hidden:]
}
