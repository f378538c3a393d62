// Package setupintent collects a payment method for something that is still
// pending: a signup, or an account that adds or replaces its card.
//
// A [Row] is one such collection. It is born pending, has at most one live
// SetupIntent, and ends active, abandoned or cancelled, for good. Only pending
// rows advance: an intent of a row that has ended would be an orphan.
//
// A [Service] runs that rule over two ports: a [PendingStore] that keeps the
// rows, and a [Provider] that makes the intents. [Service.Begin] hands out the
// row's one live intent, [Service.Activate] turns the row active once the card
// is saved, and [Service.Refresh] makes whatever move a row can make by itself.
//
// Every move is one conditional write, and the intention to create is written
// before the create is sent. So a process may die at any point, and any other
// carries on: with the same idempotency key and the same request.
package setupintent
