package setupintent_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

// FuzzRequest: whatever a request asks for, it is refused before anything is
// written, or sent, and sent the same again by whoever takes over. Card numbers
// and what confirms never get through.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"customer":"cus_1","description":"d","usage":"on_session","payment_method":"pm_1","payment_method_types":["card"],"metadata":{"a":"1"}}`,
		`{"extra":{"payment_method_options":{"card":{"request_three_d_secure":"any"}},"expand":["customer"],"single_use":{"amount":1e21,"currency":"eur"}}}`,
		`{"extra":{"payment_method_data":{"type":"card","metadata":{"a":1},"card":{"number":"4242"}}}}`, `{"extra":{"confirm":true}}`,
		`{"extra":{"flow_directions":[[1]],"on_behalf_of":{}}}`, `{"metadata":{"pending_user_id":"43"}}`, `{"metadata":{"":""}}`, `{"extra":null}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var req setupintent.IntentRequest
		if json.Unmarshal([]byte(text), &req) != nil {
			return
		}
		rows := memstore.New()
		require.NoError(t, rows.Insert("42", time.Time{}))
		var sent []string
		provider := setupintent.CreateOnly(creatorFunc(func(_ context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
			text, err := json.Marshal(req)
			require.NoError(t, err)
			if sent = append(sent, string(text)); len(sent) == 1 {
				return setupintent.Intent{}, errors.New("no answer")
			}
			return setupintent.Intent{ID: "seti_1", Status: setupintent.RequiresPaymentMethod, Metadata: req.Metadata}, nil
		}))
		svc, err := setupintent.New(rows, provider, nil)
		require.NoError(t, err)
		svc.SetSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
		_, err = svc.Begin(context.Background(), "42", &req)
		if err != nil {
			require.ErrorIs(t, err, setupintent.ErrInvalidRequest)
			require.Empty(t, sent)
			row, err := rows.Load(context.Background(), "42")
			require.NoError(t, err)
			require.True(t, row.Progress.IsZero())
			return
		}
		require.Len(t, sent, 2)
		require.Equal(t, sent[0], sent[1])
		require.NotContains(t, req.Extra, "confirm")
		if data, ok := req.Extra["payment_method_data"].(map[string]any); ok {
			require.NotContains(t, data, "card")
		}
	})
}
