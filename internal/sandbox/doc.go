// Package sandbox takes from a process that was started by root what it does not
// need once its interface is up:
//
//   - the user: that of who called sudo, or nobody;
//   - all capabilities, also from the bounding set, and the means to get them
//     back: securebits (capabilities(7)) and no_new_privs;
//   - the files that it has not open, but for a few (landlock(7));
//   - system calls that it does not need, among them all that make a socket
//     (seccomp(2)): calls.go lists those that stay.
//
// All of it holds for all threads. What the kernel cannot hold is left out, and
// said, right by right.
//
// Descriptors that are open stay: the interface, sockets that listen, files that
// are written. There is no way back, and it is the whole process that is
// confined, so that tests do this in a process of their own.
package sandbox
