// Package stripetest is a stateful fake of Stripe's API: SetupIntents and what
// belongs to them, over net/http, with the standard library alone. Any Stripe
// client, in any language, can be pointed at it.
//
//	fake := stripetest.NewServer(t, nil)
//	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{URL: &fake.URL})
//	intents := setupintent.Client{B: backend, Key: stripetest.DefaultSecretKey}
//
// Without a listener, [New] makes a [Server] that is an [net/http.Handler], and
// [Server.Client] an [net/http.Client] that calls it with no socket between.
//
// # What it does
//
// SetupIntents (create, retrieve, update, list, confirm, cancel, verify
// micro-deposits), setup attempts, mandates, customers, payment methods,
// ephemeral keys, customer sessions, events and webhook endpoints, as of API
// version 2024-06-20; other versions are accepted and echoed. Objects have
// Stripe's fields, transitions and errors Stripe's texts and codes; a comment
// beside a text says how sure it is: [2nd] for another project's recording or
// quotation of the real API, [U] for what nobody has verified.
//
// Every call needs a key, as Bearer token or as the user name of Basic
// authentication: [DefaultSecretKey] and [DefaultPublishableKey], if not others
// by [Options]. With the publishable key and the client secret a page retrieves
// and confirms an intent, and sees thirteen of its fields.
//
// A server is ready in about a millisecond and answers more than 10,000 creates
// a second; an intent takes about 5 kB with its event, and 1 kB more with the
// answer that is kept under an idempotency key (go test ./stripeport/stripetest
// -run '^$' -bench . -benchmem).
//
// Idempotency keys work as Stripe documents them: the first answer is stored
// once execution began, also a 402 or 500, and replayed for 24 hours with
// Idempotent-Replayed: true; validation failures are not stored.
//
// # WooshPay
//
// The same account is served as WooshPay serves it, under /wooshpay/v1: to
// create, retrieve and confirm a SetupIntent, in JSON and with Basic
// authentication, and events to an endpoint that is added for them. It is for
// package wooshport; docs/fakestripe.md has the differences.
//
// # Stripe.js
//
// The server has a stand-in for Stripe.js at /v3/ and at /{train}/stripe.js, with
// a payment element for cards, for a page under test; @stripe/stripe-js and
// @stripe/react-stripe-js run on it. It is not for real cards, and refuses live
// keys. Its surface is in the head of stripejs/stripe.js.
//
// # Magic values
//
// A payment method's id or its card's number decides what happens to the
// intent that it is confirmed with:
//
//	succeeds              pm_card_visa 4242424242424242, pm_card_mastercard 5555555555554444, pm_card_amex, …
//	                      pm_card_chargeCustomerFail 4000000000000341
//	with a check failed   pm_card_cvcCheckFail 4000000000000101, pm_card_avsFail 4000000000000010
//	of another country    pm_card_de 4000002760000016, and so on
//	card_declined         pm_card_chargeDeclined 4000000000000002
//	insufficient_funds    pm_card_chargeDeclinedInsufficientFunds 4000000000009995
//	lost_card             pm_card_chargeDeclinedLostCard 4000000000009987
//	stolen_card           pm_card_chargeDeclinedStolenCard 4000000000009979
//	expired_card          pm_card_chargeDeclinedExpiredCard 4000000000000069
//	incorrect_cvc         pm_card_chargeDeclinedIncorrectCvc 4000000000000127
//	processing_error      pm_card_chargeDeclinedProcessingError 4000000000000119
//	velocity exceeded     pm_card_chargeDeclinedVelocityLimitExceeded 4000000000006975
//	fraudulent            pm_card_radarBlock 4100000000000019
//	3D Secure             pm_card_authenticationRequiredOnSetup 4000002500003155
//	                      pm_card_authenticationRequired 4000002760003184
//	                      pm_card_threeDSecure2Required 4000000000003220
//	3D Secure, declined   pm_card_threeDSecureRequiredChargeDeclined 4000008400001629
//	processing            pm_bacsDebit_success, pm_usBankAccount_processing; any bacs_debit
//	micro-deposits        any us_bank_account (descriptor code) or acss_debit (amounts) with an account_number
//	verified bank account pm_usBankAccount_success
//
// 3D Secure, and every method that is paid on a page of its own, ends on a page
// that the fake serves, whose URL is in next_action: POST outcome=complete or
// outcome=fail to it. Amounts 32 and 45 or descriptor code SM11AA verify
// micro-deposits, 10 and 11 or SM33CC use up the tries, 40 and 41 or SM44DD are
// too late. Processing settles after three minutes on the server's clock.
// [Server.Resolve] takes any intent to any outcome without all that.
//
// # Control API
//
// What a test does to the server, it can do from Go, or over HTTP under
// /_stripetest/, which needs no key. A document is one JSON object; an error is a
// 400 with an error object.
//
//	GET  calls               → {"counts": {"POST /v1/setup_intents": 3, "GET /v1/setup_intents/:id": 1},
//	                            "calls": [{"time", "method", "path", "status", "request_id",
//	                                       "idempotency_key", "replayed", "fault"}]}
//	POST reset
//	GET  clock               → {"now": "2024-06-20T12:00:00Z"}
//	POST clock               {"now": "2024-06-20T12:00:00Z"} or {"advance": "24h"} or both
//	POST latency             {"ms": 1000}, of some calls with "method", "path" or both
//	GET  faults              → {"faults": […]}
//	POST faults              one fault, added to those in force:
//	                         {"method": "POST", "path": "/v1/setup_intents",   neither: every call
//	                          "kind": "error",       error, html, malformed, close, hang, late
//	                          "when": "before",      or after the effect
//	                          "stored": false,       under the idempotency key
//	                          "status": 500, "code": "", "message": "", "body": "",
//	                          "skip": 0, "count": 1, "duration_ms": 0, "delay_ms": 0}
//	                         or {"faults": […]}, which replaces those in force
//	GET  setup_intents       → {"setup_intents": [{"id", "status", …}]}, without client secrets
//	POST setup_intents/:id   {"outcome": "succeed"}: challenge, fail_authentication, process,
//	                         micro_deposits, cancel, the decline_code of a decline, or the type of a
//	                         next action of WooshPay's
//	GET  webhooks            → {"mode", "delay_ms", "lose", "endpoints", "deliveries"}
//	POST webhooks            {"mode": "deliver"}: drop, duplicate, reorder, delay; the last two with "delay_ms";
//	                         {"lose": ["setup_intent.succeeded"]}: events that never come into being;
//	                         {"resend": "evt_…"};
//	                         {"endpoint": {"url": "http://…", "secret": "whsec_…", "enabled_events": ["*"],
//	                                       "wooshpay": false}}
//	POST webhooks/wait       answers when every delivery that is due was made
//
// The record of calls holds no parameters and no bodies, so no secrets either.
package stripetest
