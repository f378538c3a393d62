// Package contract holds package stripetest and stripeport against what Stripe
// publishes: every object that the fake shows against Stripe's OpenAPI schemas,
// and every parameter that stripeport sends, or the fake knows, against
// stripe-mock and its specification.
//
// go test -v prints how much was looked at.
package contract
