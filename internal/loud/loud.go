// Package loud tells what the tests of a package left out. Go shows nothing of
// what a package prints that passes, so it is told past it, on the standard error
// of the go command.
package loud

import "os"

// Println writes the line to the standard error of the process that started this
// one, where that can be reached, and else to its own.
func Println(line string) {
	f := stderr(os.Getppid())
	if f == nil {
		f = os.Stderr
	} else {
		defer f.Close() //nolint:errcheck // nothing is buffered
	}
	_, _ = f.WriteString("\n" + line + "\n\n")
}
