// Package storm holds a test alone: the real service under random deliveries of
// webhooks. "make storm" runs a hundred thousand of them and prints what they
// came to.
package storm
