// Package tun creates the TUN interface between the host and the endpoint: the
// host routes the endpoint's subnet into it, and its packets are read and
// written here.
//
// The interface is not persistent. The kernel removes it with its descriptor, so
// that even a crash leaves nothing behind. With offload there are some
// microseconds in which it is; what a crash leaves just then, the next Create
// removes (attach.go).
package tun
