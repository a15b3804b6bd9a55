// Package userns runs a program in a network namespace of its own, with an
// endpoint in it, for a user who is not root.
//
//	tcplab exec ─── Enter ──► the same command line, in the namespaces
//	  │ waits, forwards           │ brings the endpoint up
//	  │ signals                   └── Program ──► CMD
//	  ◄─────────── exit code ─────────── exit code ──┘
//
// # Namespaces
//
// A user namespace gives its first process all capabilities over what belongs to
// it, here a network namespace (user_namespaces(7)). The user keeps his number in
// it, so that files stay his and tcpdump does not try to become another user; the
// capabilities that networks need are passed on to CMD as ambient ones
// (capabilities(7)). Who has CAP_SYS_ADMIN already needs no user namespace, and
// gets the network namespace alone.
//
// # The end
//
// Both processes outlive CMD and nothing else: the interface and the namespaces
// go with the process that made them, and the folder of the control socket is
// removed. If the first process is killed, the second one kills CMD and ends, too.
package userns
