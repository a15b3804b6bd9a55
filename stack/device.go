package stack

// Device carries whole IP packets between the endpoint and the host. Write is
// safe for concurrent use; Read is called from one goroutine. Close ends a
// blocked Read.
type Device interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	MTU() int
	Close() error
}
