// Package tun creates the TUN interface between the host and the endpoint: the
// host routes the endpoint's subnet into it, and its packets are read and
// written here.
//
// The interface is not persistent. The kernel removes it with the descriptor
// that made it, so that even a crash leaves nothing behind.
package tun
