package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
)

// outcomes is the table of outcomes. Each case ends with the request whose
// answer it is about.
var outcomes = []struct {
	name    string
	do      func(b *bench) *httptest.ResponseRecorder
	status  int    // of our own dialect
	code    string // of a problem
	body    string // of a success
	dog     int    // LoyaltyDog's status
	dogBody string
	spree   string // Spree's status and body; empty: the wire has no such request
	kit     string // OrbitKit's
	stripe  string // Stripe's status, and the object's status or the error's type and code
	retry   string // Retry-After, in both
	calls   int64  // of the provider, by that request
}{
	{
		name:   "intent, new",
		do:     (*bench).setupIntent,
		status: 200, body: `{"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}`,
		dog: 200, dogBody: `{"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1"}`, calls: 1,
		spree:  `200 {"customer_id":"cus_1","ephemeral_key_secret":"ek_secret_cus_1_2024-06-20","setup_intent_client_secret":"seti_1_secret_test"}`,
		kit:    `201 {"clientSecret":"seti_1_secret_test"}`,
		stripe: "200 requires_payment_method",
	},
	{
		name: "intent, again",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.begun()
			return b.setupIntent()
		},
		status: 200, body: `{"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}`,
		dog: 200, dogBody: `{"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1"}`, calls: 1,
		spree:  `200 {"customer_id":"cus_1","ephemeral_key_secret":"ek_secret_cus_1_2024-06-20","setup_intent_client_secret":"seti_1_secret_test"}`,
		kit:    `201 {"clientSecret":"seti_1_secret_test"}`,
		stripe: "200 requires_payment_method",
	},
	{
		name: "intent, after a decline",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.provider.Decline(b.begun(), "card_declined"))
			return b.setupIntent()
		},
		status: 200, body: `{"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}`,
		dog: 200, dogBody: `{"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1"}`, calls: 1,
		spree:  `200 {"customer_id":"cus_1","ephemeral_key_secret":"ek_secret_cus_1_2024-06-20","setup_intent_client_secret":"seti_1_secret_test"}`,
		kit:    `201 {"clientSecret":"seti_1_secret_test"}`,
		stripe: "200 requires_payment_method",
	},
	{
		name: "activated",
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.begun()
			require.NoError(b, b.provider.Confirm(id, "pm_1"))
			return b.activate(id)
		},
		status: 200, body: `{"status":"active","userId":"` + rowID + `"}`,
		dog: 200, dogBody: `{"userId":"` + rowID + `"}`, calls: 1,
	},
	{
		name: "activated, again",
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.begun()
			require.NoError(b, b.provider.Confirm(id, "pm_1"))
			b.activate(id)
			return b.activate(id)
		},
		status: 200, body: `{"status":"active","userId":"` + rowID + `"}`,
		dog: 200, dogBody: `{"userId":"` + rowID + `"}`,
	},
	{
		name: "row found succeeded just now",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.provider.Confirm(b.begun(), "pm_1"))
			w := b.setupIntent()
			row, err := b.rows.Load(context.Background(), rowID)
			require.NoError(b, err)
			require.Equal(b, setupintent.Active, row.Status)
			return w
		},
		status: 409, code: "already_active", dog: 400, dogBody: `{"detail":"already_active"}`, calls: 1,
		spree:  `422 {"error":"A payment method was saved already."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "row active",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.rows.SetStatus(rowID, setupintent.Active))
			return b.setupIntent()
		},
		status: 409, code: "already_active", dog: 400, dogBody: `{"detail":"already_active"}`,
		spree:  `422 {"error":"A payment method was saved already."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "intent processing",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.provider.Process(b.begun(), "pm_1"))
			return b.setupIntent()
		},
		status: 409, code: "processing", dog: 400, dogBody: `{"detail":"processing"}`, retry: "30", calls: 1,
		spree:  `422 {"error":"The payment method is being set up, which can take days. There is nothing to confirm."}`,
		kit:    `429 {"error":{"code":"RATE_LIMITED","message":"The payment method is being set up, which can take days. There is nothing to confirm."}}`,
		stripe: "200 processing",
	},
	{
		name: "intent processing, activate",
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.begun()
			require.NoError(b, b.provider.Process(id, "pm_1"))
			return b.activate(id)
		},
		status: 409, code: "processing", dog: 400, dogBody: `{"detail":"processing"}`, retry: "30", calls: 1,
	},
	{
		name: "intent not confirmed, activate",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.activate(b.begun())
		},
		status: 409, code: "not_succeeded", dog: 400, dogBody: `{"detail":"not_succeeded"}`, calls: 1,
	},
	{
		name: "another row's intent",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.begun()
			require.NoError(b, b.rows.Insert("other", time.Time{}))
			in, err := b.svc.Begin(context.Background(), "other", nil)
			require.NoError(b, err)
			require.NoError(b, b.provider.Confirm(in.ID, "pm_1"))
			return b.activate(in.ID)
		},
		status: 409, code: "mismatch", dog: 400, dogBody: `{"detail":"mismatch"}`,
	},
	{
		name: "live intent in test mode",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.provider.Live = true
			return b.setupIntent()
		},
		status: 409, code: "mismatch", dog: 400, dogBody: `{"detail":"mismatch"}`, calls: 1,
		spree:  `422 {"error":"The SetupIntent does not belong here."}`,
		kit:    `400 {"error":{"code":"PAYMENT_ERROR","message":"The SetupIntent does not belong here."}}`,
		stripe: "404 invalid_request_error resource_missing",
	},
	{
		name: "malformed id",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(b.request("a%2Fb"))
		},
		status: 404, code: "not_found", dog: 422,
		dogBody: `{"detail":[{"type":"value_error","loc":["path","pending_id"],"msg":"Value error, Id must be of type PydanticObjectId","input":"a/b","ctx":{"error":{}}}]}`,
		spree:   `404 {"error":"The resource you were looking for could not be found."}`,
		kit:     `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe:  "404 invalid_request_error resource_missing",
	},
	{
		name: "no credential",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = refuse(fmt.Errorf("%w: %w", httpadapter.ErrUnauthenticated, errInternal))
			return b.setupIntent()
		},
		status: 401, code: "unauthenticated", dog: 401, dogBody: `{"detail":"unauthenticated"}`,
		spree:  `401 {"error":"The access token is invalid"}`,
		kit:    `401 {"error":{"code":"UNAUTHORIZED","message":"Invalid or expired token"}}`,
		stripe: "401 invalid_request_error",
	},
	{
		name: "not allowed",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = refuse(fmt.Errorf("%w: %w", httpadapter.ErrForbidden, errInternal))
			return b.setupIntent()
		},
		status: 403, code: "forbidden", dog: 400, dogBody: `{"detail":"forbidden"}`,
		spree:  `403 {"error":"You are not authorized to access this page."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "404 invalid_request_error resource_missing",
	},
	{
		name: "no identify",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = nil
			return b.setupIntent()
		},
		status: 403, code: "forbidden", dog: 400, dogBody: `{"detail":"forbidden"}`,
		spree:  `403 {"error":"You are not authorized to access this page."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "404 invalid_request_error resource_missing",
	},
	{
		name: "identify failed",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = refuse(errInternal)
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2",
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "identify found no row",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = refuse(fmt.Errorf("%w: %w", setupintent.ErrNotFound, errInternal))
			return b.setupIntent()
		},
		status: 404, code: "not_found", dog: 404, dogBody: `{"detail":"pending_not_found"}`,
		spree:  `404 {"error":"The resource you were looking for could not be found."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "404 invalid_request_error resource_missing",
	},
	{
		name: "identify is busy",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = refuse(setupintent.ErrBusy)
			return b.setupIntent()
		},
		status: 409, code: "in_progress", dog: 400, dogBody: `{"detail":"in_progress"}`, retry: "1",
		spree:  `503 {"error":"Another request is doing the same. Try again shortly."}`,
		kit:    `429 {"error":{"code":"RATE_LIMITED","message":"Another request is doing the same. Try again shortly."}}`,
		stripe: "409 invalid_request_error idempotency_key_in_use",
	},
	{
		name: "identify says not pending",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = refuse(setupintent.ErrNotPending)
			return b.setupIntent()
		},
		status: 409, code: "not_pending", dog: 400, dogBody: `{"detail":"not_pending"}`,
		spree:  `422 {"error":"No payment method can be saved here any more."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "identify limits",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = refuse(setupintent.ErrLimited)
			return b.setupIntent()
		},
		status: 429, code: "rate_limited", dog: 429, dogBody: `{"error":"Rate limit exceeded: try again in 60 seconds"}`, retry: "60",
		spree:  `429 {"error":"There were too many requests. Try again later."}`,
		kit:    `429 {"error":{"code":"RATE_LIMITED","message":"There were too many requests. Try again later."}}`,
		stripe: "429 invalid_request_error rate_limit",
	},
	{
		name: "identify returns no id",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.identify = func(*http.Request) (string, error) { return "", nil }
			return b.setupIntent()
		},
		status: 404, code: "not_found", dog: 422,
		dogBody: `{"detail":[{"type":"value_error","loc":["path","pending_id"],"msg":"Value error, Id must be of type PydanticObjectId","input":"` + rowID + `","ctx":{"error":{}}}]}`,
		spree:   `404 {"error":"The resource you were looking for could not be found."}`,
		kit:     `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe:  "404 invalid_request_error resource_missing",
	},
	{
		name: "unknown row",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(b.request("000000000000000000000000"))
		},
		status: 404, code: "not_found", dog: 404, dogBody: `{"detail":"pending_not_found"}`,
		spree:  `404 {"error":"The resource you were looking for could not be found."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "404 invalid_request_error resource_missing",
	},
	{
		name: "unknown row, activate",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.rows.Delete(rowID)
			return b.activate("seti_1")
		},
		status: 404, code: "not_found", dog: 404, dogBody: `{"detail":"pending_not_found"}`,
	},
	{
		name: "abandoned",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.rows.SetStatus(rowID, setupintent.Abandoned))
			return b.setupIntent()
		},
		status: 409, code: "abandoned", dog: 400, dogBody: `{"detail":"abandoned"}`,
		spree:  `422 {"error":"The time for saving a payment method is over. Start again."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "abandoned just now",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.rows.Insert("late", time.Now().Add(-time.Hour)))
			return b.serve(b.request("late"))
		},
		status: 409, code: "abandoned", dog: 400, dogBody: `{"detail":"abandoned"}`,
		spree:  `422 {"error":"The time for saving a payment method is over. Start again."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "abandoned, activate",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.rows.SetStatus(rowID, setupintent.Abandoned))
			return b.activate("seti_1")
		},
		status: 409, code: "abandoned", dog: 400, dogBody: `{"detail":"abandoned"}`,
	},
	{
		name: "cancelled",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.begun()
			_, err := b.svc.Cancel(context.Background(), rowID)
			require.NoError(b, err)
			return b.setupIntent()
		},
		status: 409, code: "cancelled", dog: 400, dogBody: `{"detail":"cancelled"}`,
		spree:  `422 {"error":"This was cancelled. Start again."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "ended by the application's own word",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.rows.SetStatus(rowID, "suspended-"+canary))
			return b.setupIntent()
		},
		status: 409, code: "not_pending", dog: 400, dogBody: `{"detail":"not_pending"}`,
		spree:  `422 {"error":"No payment method can be saved here any more."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "closing",
		do: func(b *bench) *httptest.ResponseRecorder {
			require.NoError(b, b.provider.Process(b.begun(), "pm_1"))
			row, err := b.svc.Cancel(context.Background(), rowID)
			require.NoError(b, err)
			require.Equal(b, setupintent.Closing, row.Progress.Phase())
			return b.setupIntent()
		},
		status: 409, code: "closing", dog: 400, dogBody: `{"detail":"closing"}`,
		spree:  `422 {"error":"This is being ended. Start again."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "in flight, wait over",
		do: func(b *bench) *httptest.ResponseRecorder {
			sent, answer := make(chan bool), make(chan bool)
			b.provider.create = func() error {
				close(sent)
				<-answer
				return nil
			}
			b.core.Wait = -1
			b.start()
			var first sync.WaitGroup
			first.Add(1)
			go func() {
				defer first.Done()
				b.h.SetupIntent(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil), rowID)
			}()
			<-sent
			defer first.Wait()
			defer close(answer)
			return b.setupIntent()
		},
		status: 409, code: "in_progress", dog: 400, dogBody: `{"detail":"in_progress"}`, retry: "1",
		spree:  `503 {"error":"Another request is doing the same. Try again shortly."}`,
		kit:    `429 {"error":{"code":"RATE_LIMITED","message":"Another request is doing the same. Try again shortly."}}`,
		stripe: "409 invalid_request_error idempotency_key_in_use",
	},
	{
		name: "guard",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.Guard = func(context.Context, setupintent.Row) error { return errInternal }
			return b.setupIntent()
		},
		status: 429, code: "rate_limited", dog: 429, dogBody: `{"error":"Rate limit exceeded: try again in 60 seconds"}`, retry: "60",
		spree:  `429 {"error":"There were too many requests. Try again later."}`,
		kit:    `429 {"error":{"code":"RATE_LIMITED","message":"There were too many requests. Try again later."}}`,
		stripe: "429 invalid_request_error rate_limit",
	},
	{
		name: "generations used up",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.MaxAttempts = 1
			_, err := b.provider.CancelIntent(context.Background(), b.begun(), "")
			require.NoError(b, err)
			return b.setupIntent()
		},
		status: 409, code: "too_many_attempts", dog: 400, dogBody: `{"detail":"too_many_attempts"}`, calls: 1,
		spree:  `422 {"error":"There were too many attempts. Start again."}`,
		kit:    `400 {"error":{"code":"PAYMENT_ERROR","message":"There were too many attempts. Start again."}}`,
		stripe: "400 invalid_request_error setup_intent_unexpected_state",
	},
	{
		name: "provider refuses the parameters",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.provider.create = func() error { return fmt.Errorf("%w: %w", setupintent.ErrRefused, errInternal) }
			return b.setupIntent()
		},
		status: 502, code: "provider_refused", dog: 502, dogBody: `{"detail":"provider_refused"}`, calls: 1,
		spree:  `422 {"error":"The payment provider refused. Trying again does not help."}`,
		kit:    `400 {"error":{"code":"PAYMENT_ERROR","message":"The payment provider refused. Trying again does not help."}}`,
		stripe: "500 api_error",
	},
	{
		name: "provider refuses our credentials",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.provider.create = func() error { return fmt.Errorf("%w: %w", setupintent.ErrCredentials, errInternal) }
			return b.setupIntent()
		},
		status: 502, code: "provider_refused", dog: 502, dogBody: `{"detail":"provider_refused"}`, calls: 1,
		spree:  `422 {"error":"The payment provider refused. Trying again does not help."}`,
		kit:    `400 {"error":{"code":"PAYMENT_ERROR","message":"The payment provider refused. Trying again does not help."}}`,
		stripe: "500 api_error",
	},
	{
		name: "provider refuses our credentials, activate",
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.begun()
			b.provider.get = func() error { return fmt.Errorf("%w: %w", setupintent.ErrCredentials, errInternal) }
			return b.activate(id)
		},
		status: 502, code: "provider_refused", dog: 502, dogBody: `{"detail":"provider_refused"}`, calls: 1,
	},
	{
		name: "provider down, first",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.slow(errInternal)
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1,
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "provider throttles, first",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.slow(fmt.Errorf("%w: %w", setupintent.ErrThrottled, errInternal))
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1,
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "provider stored a failure",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.provider.create = func() error { return fmt.Errorf("%w: %w", setupintent.ErrKeySpent, errInternal) }
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "600", calls: 1,
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "provider down, again",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.begun()
			b.provider.get = func() error { return errInternal }
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		stripe: "503 api_error",
	},
	{
		name: "provider down, activate",
		do: func(b *bench) *httptest.ResponseRecorder {
			id := b.begun()
			b.provider.get = func() error { return errInternal }
			return b.activate(id)
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1,
	},
	{
		name: "provider does not know the intent",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.begun()
			b.provider.get = func() error { return fmt.Errorf("%w: %w", setupintent.ErrNotFound, errInternal) }
			return b.setupIntent()
		},
		status: 409, code: "mismatch", dog: 400, dogBody: `{"detail":"mismatch"}`, calls: 1,
		spree:  `422 {"error":"The SetupIntent does not belong here."}`,
		kit:    `400 {"error":{"code":"PAYMENT_ERROR","message":"The SetupIntent does not belong here."}}`,
		stripe: "404 invalid_request_error resource_missing",
	},
	{
		name: "provider answers without a secret",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.begun()
			b.port = secretless{provider: b.provider}
			b.svc = nil
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1,
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "provider answers with an empty secret",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.begun()
			b.port = secretless{b.provider, setupintent.NewClientSecret("")}
			b.svc = nil
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2", calls: 1,
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "provider can only create",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.port = setupintent.CreateOnly(b.provider)
			return b.activate(b.begun())
		},
		status: 501, code: "unsupported", dog: 501, dogBody: `{"detail":"unsupported"}`,
	},
	{
		name: "store down",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.store = brokenStore{b.rows}
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2",
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "store down, activate",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.store = brokenStore{b.rows}
			return b.activate("seti_1")
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2",
	},
	{
		name: "effect failed",
		do: func(b *bench) *httptest.ResponseRecorder {
			// Whatever its error wraps, it says nothing about this row.
			b.core.OnActive = func(context.Context, setupintent.Row, setupintent.Intent) error {
				return errors.Join(errInternal, setupintent.ErrNotFound, setupintent.ErrRefused, setupintent.ErrLimited, errors.ErrUnsupported,
					httpadapter.ErrForbidden, httpadapter.ErrUnauthenticated, httpadapter.ErrMalformedID)
			}
			id := b.begun()
			require.NoError(b, b.provider.Confirm(id, "pm_1"))
			return b.activate(id)
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "5", calls: 1,
	},
	{
		name: "request could not be made up",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.Request = func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
				return setupintent.IntentRequest{}, errInternal
			}
			return b.setupIntent()
		},
		status: 503, code: "unavailable", dog: 503, dogBody: `{"detail":"unavailable"}`, retry: "2",
		spree:  `503 {"error":"This is not possible at the moment. Try again shortly."}`,
		kit:    `503 {"error":{"code":"INTERNAL_ERROR","message":"This is not possible at the moment. Try again shortly."}}`,
		stripe: "503 api_error",
	},
	{
		name: "request can't be sent",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.core.Request = func(context.Context, setupintent.Row) (setupintent.IntentRequest, error) {
				return setupintent.IntentRequest{Extra: map[string]any{canary: 1}}, nil
			}
			return b.setupIntent()
		},
		status: 500, code: "internal", dog: 500, dogBody: `{"detail":"Internal Server Error"}`,
		spree:  `500 {"error":"Something is wrong on our side."}`,
		kit:    `500 {"error":{"code":"INTERNAL_ERROR","message":"Something is wrong on our side."}}`,
		stripe: "500 api_error",
	},
	{
		name: "panic in the provider",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.provider.create = func() error { panic(canary) }
			return b.setupIntent()
		},
		status: 500, code: "internal", dog: 500, dogBody: `{"detail":"Internal Server Error"}`, calls: 1,
		spree:  `500 {"error":"Something is wrong on our side."}`,
		kit:    `500 {"error":{"code":"INTERNAL_ERROR","message":"Something is wrong on our side."}}`,
		stripe: "500 api_error",
	},
	{
		name: "no route",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(httptest.NewRequest(http.MethodPost, "/signup/"+rowID+"/nothing", nil))
		},
		status: 404, code: "not_found", dog: 404, dogBody: `{"detail":"Not Found"}`,
		spree:  `404 {"error":"The resource you were looking for could not be found."}`,
		kit:    `404 {"error":{"code":"NOT_FOUND","message":"Resource not found"}}`,
		stripe: "404 invalid_request_error",
	},
	{
		name: "method",
		do: func(b *bench) *httptest.ResponseRecorder {
			r := b.request(rowID)
			r.Method = http.MethodGet
			return b.serve(r)
		},
		status: 405, code: "method_not_allowed", dog: 405, dogBody: `{"detail":"Method Not Allowed"}`,
		spree:  `405 {"error":"The header Allow has the method to use."}`,
		kit:    `405 {"error":{"code":"VALIDATION_FAILED","message":"The header Allow has the method to use."}}`,
		stripe: "405 invalid_request_error",
	},
	{
		name: "type",
		do: func(b *bench) *httptest.ResponseRecorder {
			r := activateRequest("setupIntentId=seti_1")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return b.serve(r)
		},
		status: 415, code: "unsupported_media_type", dog: 415, dogBody: `{"detail":"Unsupported Media Type"}`,
	},
	{
		name: "size",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(activateRequest(`{"setupIntentId":"` + strings.Repeat("x", 5000) + `"}`))
		},
		status: 413, code: "body_too_large", dog: 413, dogBody: `{"detail":"Request Entity Too Large"}`,
	},
	{
		name: "no body",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(activateRequest(""))
		},
		status: 400, code: "invalid_request", dog: 422,
		dogBody: `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}]}`,
	},
	{
		name: "no JSON",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(activateRequest(`{"setupIntentId":`))
		},
		status: 400, code: "invalid_request", dog: 422,
		dogBody: `{"detail":[{"type":"json_invalid","loc":["body"],"msg":"JSON decode error","ctx":{"error":"Invalid JSON"}}]}`,
	},
	{
		name: "no object",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(activateRequest(`["setupIntentId"]`))
		},
		status: 400, code: "invalid_request", dog: 422,
		dogBody: `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from"}]}`,
	},
	{
		name: "no setupIntentId",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(activateRequest(`{"SetupIntentID":"seti_1"}`))
		},
		status: 400, code: "invalid_request", dog: 422,
		dogBody: `{"detail":[{"type":"missing","loc":["body","setupIntentId"],"msg":"Field required"}]}`,
	},
	{
		name: "setupIntentId not a string",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.serve(activateRequest(`{"setupIntentId":null}`))
		},
		status: 400, code: "invalid_request", dog: 422,
		dogBody: `{"detail":[{"type":"string_type","loc":["body","setupIntentId"],"msg":"Input should be a valid string"}]}`,
	},
	{
		name: "setupIntentId empty",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.activate("")
		},
		status: 400, code: "invalid_request", dog: 422,
		dogBody: `{"detail":[{"type":"string_too_short","loc":["body","setupIntentId"],"msg":"String should have at least 1 character","ctx":{"min_length":1}}]}`,
	},
	{
		name: "setupIntentId too long",
		do: func(b *bench) *httptest.ResponseRecorder {
			return b.activate(strings.Repeat("x", 201))
		},
		status: 400, code: "invalid_request", dog: 422,
		dogBody: `{"detail":[{"type":"string_too_long","loc":["body","setupIntentId"],"msg":"String should have at most 200 characters","ctx":{"max_length":200}}]}`,
	},
	{
		name: "setupIntentId no id",
		do: func(b *bench) *httptest.ResponseRecorder {
			b.provider.create = func() error { return errInternal }
			b.slow(errInternal)
			b.setupIntent() // claimed, and its id unknown: any id would be fetched
			return b.activate("../customers/cus_1")
		},
		status: 409, code: "mismatch", dog: 400, dogBody: `{"detail":"mismatch"}`,
	},
}

// slow makes every create fail, and take so long that Begin does not try again.
func (b *bench) slow(err error) {
	now := time.Now()
	b.core.Now = func() time.Time { return now }
	b.provider.create = func() error {
		now = now.Add(11 * time.Second)
		return err
	}
}

// secretless is a provider whose intents come with another secret: an empty one.
type secretless struct {
	*provider
	secret setupintent.ClientSecret
}

func (p secretless) GetIntent(ctx context.Context, id string) (setupintent.Intent, error) {
	in, err := p.provider.GetIntent(ctx, id)
	in.ClientSecret = p.secret
	return in, err
}

// refuse is an identify that lets nobody in.
func refuse(err error) func(*http.Request) (string, error) {
	return func(*http.Request) (string, error) { return "", err }
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range outcomes {
		t.Run("default/"+c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			w := c.do(b)
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Equal(t, c.retry, w.Header().Get("Retry-After"))
			require.Equal(t, c.calls, b.asked)
			if c.body != "" {
				require.Equal(t, c.body+"\n", w.Body.String())
				return
			}
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.Equal(t, c.code, member(t, w, "code"))
			require.Equal(t, "about:blank", member(t, w, "type"))
		})
		for name, wire := range map[string]struct {
			dialect     httpadapter.Dialect
			answer      string
			contentType string
		}{
			"LoyaltyDog": {httpadapter.LoyaltyDog{}, fmt.Sprint(c.dog, " ", c.dogBody), "application/json"},
			"Spree":      {httpadapter.Spree{}, c.spree, "application/vnd.api+json"},
			"OrbitKit":   {httpadapter.OrbitKit{}, c.kit, "application/json"},
		} {
			if wire.answer == "" {
				continue // the wire has no such request
			}
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, wire.dialect)
				w := c.do(b)
				require.Equal(t, wire.answer+"\n", fmt.Sprint(w.Code, " ", w.Body))
				require.Equal(t, c.retry, w.Header().Get("Retry-After"))
				require.Equal(t, c.calls, b.asked)
				require.Equal(t, wire.contentType, w.Header().Get("Content-Type"))
			})
		}
		if c.stripe == "" {
			continue
		}
		t.Run("Stripe/"+c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, httpadapter.Stripe{Update: noUpdate})
			w := c.do(b)
			answer := fmt.Sprint(w.Code, " ", member(t, w, "status"))
			if w.Code >= http.StatusBadRequest {
				e := checkStripe(t, w)
				answer = strings.TrimSpace(fmt.Sprint(w.Code, " ", e.Type, " ", e.Code))
				require.Equal(t, c.retry, w.Header().Get("Retry-After"))
			}
			require.Equal(t, c.stripe, answer)
			require.Equal(t, c.calls, b.asked)
		})
	}
}
