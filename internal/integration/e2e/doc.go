// Package e2e tests what a person sees, in a real browser: the signup page, the
// stand-in for Stripe.js, and Stripe's own React components on it.
//
// Its tests carry the build tag e2e, for they need Debian's Chromium and a page
// that npm has built: "make e2e" in the root sees to both. They never skip.
// ARTIFACTS names a directory for their screenshots; without it there are none.
package e2e
