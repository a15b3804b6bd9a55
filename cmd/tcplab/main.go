// Command tcplab serves real clients through a listener of its own, whose
// backlog behaves as that of the operating system one chooses.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
