package documents

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
	"github.com/cardonfile/cardonfile/stripeport/wooshport"
)

// An attribute is one of the object: how it comes to have a value, and how that
// is read. Read gets the intent and, decoded, its Raw.
type attribute struct {
	req  func(*side) setupintent.IntentRequest // nil: none
	then func(*side, string)                   // what happens to the intent; nil: nothing
	read func(*side, setupintent.Intent, map[string]any)
}

// shown: it is in Raw, and is want.
func shown(name string, want any) func(*side, setupintent.Intent, map[string]any) {
	return func(s *side, _ setupintent.Intent, object map[string]any) {
		s.Helper()
		require.Contains(s, object, name)
		require.Equal(s, want, object[name])
	}
}

// resolve takes the intent to an outcome.
func resolve(o stripetest.Outcome) func(*side, string) {
	return func(s *side, id string) { require.NoError(s, s.fake.Resolve(id, o)) }
}

// action is one of the next actions of WooshPay's document, with its members.
func action(name string, members ...string) attribute {
	return attribute{then: resolve(stripetest.Outcome(name)), read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Equal(s, setupintent.RequiresAction, in.Status)
		next := object["next_action"].(map[string]any)
		require.Equal(s, name, next["type"])
		require.Len(s, next, 2)
		require.Equal(s, members, slices.Sorted(maps.Keys(next[name].(map[string]any))))
	}}
}

// failed is a part of the error of a declined confirmation, with its members.
func failed(path []string, members ...string) attribute {
	return attribute{then: resolve("insufficient_funds"), read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Equal(s, "card_declined", in.ErrorCode)
		part := object["last_setup_error"].(map[string]any)
		require.Equal(s, "insufficient_funds", part["decline_code"])
		for _, name := range path {
			part = part[name].(map[string]any)
		}
		if s.woosh != nil {
			require.Equal(s, members, slices.Sorted(maps.Keys(part)))
		}
	}}
}

// attributes are those of the object, by name.
var attributes = map[string]attribute{
	"id": {read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.NotEmpty(s, in.ID)
		require.Equal(s, in.ID, object["id"])
	}},
	"object": {read: shown("object", "setup_intent")},
	"automatic_payment_methods": {
		req:  func(*side) setupintent.IntentRequest { return setupintent.IntentRequest{} },
		read: shown("automatic_payment_methods", map[string]any{"enabled": true, "allow_redirects": "never"}),
	},
	"client_secret": {read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Contains(s, in.ClientSecret.Reveal(), "_secret_")
		require.NotContains(s, object, "client_secret")
		require.NotContains(s, fmt.Sprintf("%+v %s", in, in.Raw), in.ClientSecret.Reveal())
	}},
	"customer": {
		req: func(s *side) setupintent.IntentRequest { return setupintent.IntentRequest{Customer: s.customer()} },
		read: func(s *side, in setupintent.Intent, object map[string]any) {
			require.NotEmpty(s, in.Customer)
			require.Equal(s, in.Customer, object["customer"])
		},
	},
	"description": {
		req:  func(*side) setupintent.IntentRequest { return setupintent.IntentRequest{Description: "d"} },
		read: shown("description", "d"),
	},
	"last_setup_error": failed(nil, "code", "decline_code", "message", "param", "payment_method", "payment_method_type", "type"),
	"last_setup_error[payment_method]": failed([]string{"payment_method"},
		"billing_details", "card", "created", "customer", "id", "livemode", "metadata", "object", "type"),
	"last_setup_error[payment_method][billing_details]":          failed([]string{"payment_method", "billing_details"}, "address", "email", "name", "phone"),
	"last_setup_error[payment_method][billing_details][address]": failed([]string{"payment_method", "billing_details", "address"}, "city", "country", "line1", "line2", "postal_code", "state"),
	"last_setup_error[payment_method][card]": failed([]string{"payment_method", "card"},
		"brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "metadata"),
	"last_setup_error[payment_method][card][checks]": failed([]string{"payment_method", "card", "checks"}, "address_line1_check", "address_zip_check", "cvc_check"),
	"metadata": {read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Equal(s, "42", in.Metadata["pending_user_id"])
		require.Equal(s, "42", object["metadata"].(map[string]any)["pending_user_id"])
	}},
	"next_action": {then: resolve(stripetest.OutcomeChallenge), read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Equal(s, setupintent.RequiresAction, in.Status)
		next := object["next_action"].(map[string]any)
		require.Contains(s, next, next["type"])
	}},
	"next_action[redirect_to_url]":                    action("redirect_to_url", "return_url", "url"),
	"next_action[ddc_redirect]":                       action("ddc_redirect", "return_url", "url"),
	"next_action[challenge_redirect]":                 action("challenge_redirect", "return_url", "url"),
	"next_action[alipayplus_handle_redirect]":         action("alipayplus_handle_redirect", "applinkUrl", "normalUrl", "return_url", "schemeUrl"),
	"next_action[alipay_handle_redirect]":             action("alipay_handle_redirect", "native_data", "native_url", "return_url", "url"),
	"next_action[wechat_pay_display_qr_code]":         action("wechat_pay_display_qr_code", "data", "data_ur", "image_url_png", "image_url_svg"),
	"next_action[wechat_pay_redirect_to_android_app]": action("wechat_pay_redirect_to_android_app", "native_url"),
	"next_action[wechat_pay_redirect_to_ios_app]":     action("wechat_pay_redirect_to_ios_app", "native_url"),
	"next_action[wechat_pay_redirect_to_web]":         action("wechat_pay_redirect_to_web", "url"),
	"next_action[wechat_pay_official_account_params]": action("wechat_pay_official_account_params", "appId", "nonceStr", "package", "paySign", "signType", "timeStamp"),
	"next_action[truemoney_handle_redirect]":          action("truemoney_handle_redirect", "url"),
	"next_action[akulaku_handle_redirect]":            action("akulaku_handle_redirect", "url"),
	"next_action[bank_transfer_id_handle_redirect]":   action("bank_transfer_id_handle_redirect", "url"),
	"next_action[promptpay_handle_redirect]":          action("promptpay_handle_redirect", "url"),
	"next_action[dana_handle_redirect]":               action("dana_handle_redirect", "url"),
	"next_action[shopeepay_handle_redirect]":          action("shopeepay_handle_redirect", "url"),
	"next_action[gcash_handle_redirect]":              action("gcash_handle_redirect", "url"),
	"next_action[rabbit_line_pay_handle_redirect]":    action("rabbit_line_pay_handle_redirect", "url"),
	"next_action[alipay_hk_handle_redirect]":          action("alipay_hk_handle_redirect", "url"),
	"next_action[bpi_handle_redirect]":                action("bpi_handle_redirect", "url"),
	"payment_method": {then: resolve(stripetest.OutcomeSucceed), read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Contains(s, in.PaymentMethod, "pm_")
		require.Equal(s, in.PaymentMethod, object["payment_method"])
	}},
	"status": {then: resolve(stripetest.OutcomeProcess), read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Equal(s, setupintent.Processing, in.Status)
		require.Equal(s, "processing", object["status"])
	}},
	"usage": {
		req:  func(*side) setupintent.IntentRequest { return setupintent.IntentRequest{Usage: "on_session"} },
		read: shown("usage", "on_session"),
	},
	"application":         {read: shown("application", nil)},
	"attach_to_self":      {req: extra("attach_to_self", true), read: shown("attach_to_self", true)},
	"cancellation_reason": {then: resolve(stripetest.OutcomeCancel), read: shown("cancellation_reason", "abandoned")},
	"created": {read: func(s *side, in setupintent.Intent, object map[string]any) {
		seconds := object["created"].(float64)
		if s.woosh != nil { // which shows milliseconds
			seconds /= 1000
		}
		require.InDelta(s, seconds, float64(in.Created.Unix()), 0.5)
		require.WithinDuration(s, s.fake.Now(), in.Created, 60e9)
	}},
	"flow_directions": {req: extra("flow_directions", []any{"inbound"}), read: shown("flow_directions", []any{"inbound"})},
	"latest_attempt": {then: resolve(stripetest.OutcomeDecline), read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.Contains(s, in.LatestAttempt, "setatt_")
		require.Equal(s, in.LatestAttempt, object["latest_attempt"])
	}},
	"livemode": {read: func(s *side, in setupintent.Intent, object map[string]any) {
		require.False(s, in.Live)
		require.Equal(s, false, object["livemode"])
	}},
	"mandate": {req: debit, then: confirmDebit, read: func(s *side, _ setupintent.Intent, object map[string]any) {
		require.Contains(s, object["mandate"], "mandate_")
		require.Nil(s, object["single_use_mandate"])
	}},
	"on_behalf_of": {req: extra("on_behalf_of", "acct_1"), read: shown("on_behalf_of", "acct_1")},
	"payment_method_configuration_details": {read: func(s *side, _ setupintent.Intent, object map[string]any) {
		require.Contains(s, object["payment_method_configuration_details"].(map[string]any)["id"], "pmc_")
	}},
	"payment_method_options": {
		req: extra("payment_method_options", map[string]any{"card": map[string]any{"request_three_d_secure": "any"}}),
		read: func(s *side, _ setupintent.Intent, object map[string]any) {
			require.Equal(s, "any", object["payment_method_options"].(map[string]any)["card"].(map[string]any)["request_three_d_secure"])
		},
	},
	"payment_method_options[card]": {
		req: extra("payment_method_options", map[string]any{"card": map[string]any{"request_three_d_secure": "any"}}),
		read: func(s *side, _ setupintent.Intent, object map[string]any) {
			require.Equal(s, map[string]any{"request_three_d_secure": "any"}, object["payment_method_options"].(map[string]any)["card"])
		},
	},
	"payment_method_types": {
		req: func(*side) setupintent.IntentRequest {
			return setupintent.IntentRequest{PaymentMethodTypes: []string{"card"}}
		},
		read: shown("payment_method_types", []any{"card"}),
	},
	"single_use_mandate": {
		req: func(s *side) setupintent.IntentRequest {
			req := debit(s)
			if s.woosh == nil {
				req.Extra = map[string]any{"single_use": map[string]any{"amount": 1099, "currency": "eur"}}
			}
			return req
		},
		then: confirmDebit,
		read: func(s *side, _ setupintent.Intent, object map[string]any) {
			if s.woosh != nil { // nothing that can be asked of it leads to one
				require.Contains(s, object, "single_use_mandate")
				return
			}
			require.Contains(s, object["single_use_mandate"], "mandate_")
			require.Nil(s, object["mandate"])
		},
	},
	"return_url": {
		then: func(s *side, id string) {
			_, err := s.woosh.ConfirmIntent(s.Context(), id, wooshConfirm("https://app.test/back"))
			require.NoError(s, err)
		},
		read: shown("return_url", "https://app.test/back"),
	},
}

func wooshConfirm(returnURL string) wooshport.ConfirmRequest {
	return wooshport.ConfirmRequest{PaymentMethod: "pm_card_visa", ReturnURL: returnURL}
}

func debit(*side) setupintent.IntentRequest {
	return setupintent.IntentRequest{PaymentMethodTypes: []string{"sepa_debit"}}
}

func confirmDebit(s *side, id string) { s.confirmDebit(id) }

// TestObject brings every attribute to a value, and reads that after a GET.
func TestObject(t *testing.T) {
	t.Parallel()
	for name, a := range attributes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			documents := sides(t, object, name)
			require.NotEmpty(t, documents)
			for _, document := range documents {
				s := newSide(t, document)
				var req setupintent.IntentRequest
				if a.req != nil {
					req = a.req(s)
				}
				in, _ := s.begin(req)
				if a.then != nil {
					a.then(s, in.ID)
				}
				in, err := s.provider.GetIntent(t.Context(), in.ID)
				require.NoError(t, err)
				a.read(s, in, raw(t, in))
			}
		})
	}
}

// TestMembers: what the document says of an object's members is what the tests
// look for.
func TestMembers(t *testing.T) {
	t.Parallel()
	count := 0
	for name, notes := range listed(t)[[2]string{wooshDocument, object}] {
		_, members, ok := strings.Cut(notes, ": ")
		if !ok || name == "next_action" || name == "payment_method_options[card]" {
			continue
		}
		count++
		require.True(t, slices.IsSorted(strings.Split(members, ", ")), name)
		require.Contains(t, attributes, name)
	}
	require.Equal(t, 26, count)
}
