//go:build race

package setupintent_test

// The race detector makes a schedule ten times as long.
const (
	defaultSchedules = 4_000
	defaultWired     = 1_500
)
