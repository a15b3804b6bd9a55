// Package rtnetlink asks the kernel about interfaces, addresses and routes
// (rtnetlink(7)) through one socket that is opened once.
//
// The socket belongs to the network namespace in which it was opened, whatever
// namespace its user's thread is in later. It is connected to the kernel, and each
// question is a write(2) and some read(2): a process that may make no socket and
// send to no address, as package sandbox leaves it, can still ask. That is why
// netlink.Handle of vishvananda/netlink does not do: it sends with sendto(2) and
// an address. Its encoders and decoders are used here.
//
// Nothing here changes anything.
package rtnetlink
