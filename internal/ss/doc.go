// Package ss shows the sockets of an endpoint as ss(8) of iproute2 shows those of
// the kernel: the same columns, the same names of states, the same flags.
//
// Recv-Q and Send-Q mean what they mean there. Of a listening socket they are
// the length of the completed queue and the effective backlog; of a connection,
// the bytes that the application has not read and those that the client has not
// acknowledged. Half-open entries are shown without -a too, which ss(8) does not
// do: to see them is what a listening socket's owner wants.
package ss
