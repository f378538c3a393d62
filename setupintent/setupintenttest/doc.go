// Package setupintenttest helps to test implementations and users of package
// setupintent: conformance suites for a store and a provider of one's own, a
// provider in memory, and wrappers that make either fail.
package setupintenttest
