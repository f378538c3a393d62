package loud

import (
	"fmt"
	"os"
	"syscall"
)

// The same on every architecture that Go runs on.
const (
	pidfdOpen  = 434
	pidfdGetfd = 438
)

// stderr returns the standard error of the process; nil if it can't be had. The
// descriptor itself is better than its file opened anew: into a file, the two
// would write over one another.
func stderr(pid int) *os.File {
	if process, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0); errno == 0 {
		defer syscall.Close(int(process)) //nolint:errcheck // it was only read
		if fd, _, errno := syscall.Syscall(pidfdGetfd, process, uintptr(syscall.Stderr), 0); errno == 0 {
			return os.NewFile(fd, "stderr")
		}
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/2", pid), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil
	}
	return f
}
