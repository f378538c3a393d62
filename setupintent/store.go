package setupintent

import "context"

// PendingStore keeps rows. Its methods are safe for concurrent use. Each
// commits before it returns, and none runs inside a transaction of the caller:
// the service calls the provider between them. setupintenttest.TestStore
// checks an implementation.
type PendingStore interface {
	// Load returns the row, whatever its status, as last committed on the
	// primary. It returns an error that wraps ErrNotFound if there is none.
	Load(ctx context.Context, id string) (Row, error)

	// Swap writes next.Status, next.Due and next.Progress and sets the version
	// to prev.Version+1, if the row still has prev.Status and prev.Version and,
	// where the two statuses differ, prev.Status is Pending. It is one atomic
	// statement. Nothing else of the row is written, and next.ID, next.Version
	// and prev's other fields are not looked at.
	//
	// False means that the condition did not hold (another writer was first, or
	// the row is gone) and that nothing was written. An error means that the
	// outcome is unknown: the service loads the row and decides by what it
	// finds.
	//
	// A store that runs an effect of the application in the same transaction
	// runs it after the write if next.Status is Active, prev.Status is not, and
	// prev.Progress.Phase is not Done; it rolls back on the effect's error, and
	// returns one that wraps it and ErrHook.
	Swap(ctx context.Context, prev, next Row) (bool, error)
}
