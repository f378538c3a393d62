//go:build !race

package setupintent_test

const (
	defaultSchedules = 20_000
	defaultWired     = 3_000
)
