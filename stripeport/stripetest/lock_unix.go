//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package stripetest

import (
	"os"
	"syscall"
)

// lock takes the file for this process, for as long as it is open.
func lock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
