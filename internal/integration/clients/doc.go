// Package clients runs Stripe's own clients, unmodified, over a socket: stripe
// for Node, 16.12.0 and the newest, and stripe-go, v79 and the newest. They go
// through all that examples/fakestripe can do, and one program, which creates,
// retrieves and updates, runs on it and on the Stripe dialect of httpadapter
// alike.
//
// Its tests carry the build tag clients, for they need what npm installs:
// "make clients" in the root sees to it. They never skip.
package clients
