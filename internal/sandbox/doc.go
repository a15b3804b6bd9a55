// Package sandbox takes from a process that was started by root what it does not
// need once its interface is up:
//
//   - the user: that of who called sudo, or nobody;
//   - all capabilities, also from the bounding set, and the means to get them
//     back: securebits (capabilities(7)) and no_new_privs, for all threads;
//   - the file system, but for what Config names (landlock(7));
//   - system calls that it never makes: exec, new sockets, ptrace, mount, bpf
//     and the like (seccomp(2)). They fail with EPERM.
//
// Descriptors that are open stay: the interface, sockets that listen, files that
// are written. There is no way back, and it is the whole process that is
// confined, so that tests do this in a process of their own.
//
// Kernels without landlock or seccomp do without; the rest is always done, or
// Enter fails.
package sandbox
