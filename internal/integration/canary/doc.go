// Package canary looks for secrets where they must not be. It runs every layer
// under faults, with secrets that it knows, and searches all that comes out: log
// lines, events, errors and values as fmt prints them, panics, the database, the
// bytes of every request to the provider and of every answer to a client. Only
// the one field of an answer that is made for it may hold a client secret or the
// secret of an ephemeral key, and only the header Authorization the API key.
package canary
