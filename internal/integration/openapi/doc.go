// Package openapi holds the OpenAPI documents of package httpadapter against
// what its handlers do: every exchange of httpadapter's own tests against the
// document of its dialect, the routes and the words of the errors against those
// that are documented, both ways, and the answers against what the systems
// themselves publish. A client in TypeScript is typed by the documents.
//
// go test -v prints how much was looked at. It does not know that a test of
// httpadapter has changed: -count=1, as make openapi has it, runs them again.
package openapi
