package setupintent

import "context"

type transactionKey struct{}

type backgroundKey struct{}

// InBackground reports whether nobody waits for the call that ctx is for: a sweep
// or an audit makes it, at its rate, and makes it again later if need be. An
// adapter then sends one request, and leaves trying again to its caller.
func InBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }

// WithTransaction returns a context that says that a database transaction is
// open. A store gives it to the effect that it runs in the transaction that
// turns a row active.
func WithTransaction(ctx context.Context) context.Context {
	return context.WithValue(ctx, transactionKey{}, true)
}

// InTransaction reports whether ctx comes from [WithTransaction]. A provider
// refuses calls under such a context, and so does a store: the one would hold
// the transaction for as long as the network likes, and the other would wait for
// a second connection while it keeps the first.
func InTransaction(ctx context.Context) bool { return ctx.Value(transactionKey{}) != nil }
