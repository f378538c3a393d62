package setupintent

import "time"

// Status is the word in a row's status column. Only pending rows advance; any
// other word, ours or the application's, means "not pending" and is left alone.
type Status string

// The statuses that the service writes. A row is born Pending and ends in one
// of the others, for good.
const (
	Pending   Status = "pending"   // leaves by Begin's intent succeeding, its deadline, or Cancel
	Active    Status = "active"    // its intent succeeded
	Abandoned Status = "abandoned" // its deadline passed; every intent of the row is canceled
	Cancelled Status = "cancelled" // the application cancelled it; every intent of the row is canceled
)

// Row is one collection of a payment method, as a value.
type Row struct {
	ID      string
	Status  Status
	Version int64 // every write of the row, by anybody, adds 1

	// Due is when the row must be looked at next. With a zero Progress it is
	// the row's deadline, written by the application at insert; zero means that
	// the untouched row never expires. Microseconds are kept.
	Due time.Time

	// Progress is the service's own account of the row.
	Progress Progress
}
