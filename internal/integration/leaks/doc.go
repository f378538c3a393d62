// Package leaks holds tests alone: whatever of ours starts a goroutine, or has
// net/http or database/sql start one, has ended it when it is closed, and leaves
// none behind where a call goes wrong.
package leaks
