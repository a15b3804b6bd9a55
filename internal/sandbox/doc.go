// Package sandbox takes from a process that was started by root what it does not
// need once its interface is up:
//
//   - the user: that of who called sudo, or nobody;
//   - all capabilities, also from the bounding set, and the means to get them
//     back: securebits (capabilities(7)) and no_new_privs, for all threads.
//
// Descriptors that are open stay: the interface, sockets that listen, files that
// are written. There is no way back, and it is the whole process that is
// confined, so that tests do this in a process of their own.
//
// It does not filter system calls, nor what its user may read.
package sandbox
