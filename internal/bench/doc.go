// Package bench measures tcplab against two others under the same load: gVisor's
// own listener (gonet.ListenTCP on fdbased, with gVisor's defaults) behind a TUN
// interface without offload, and the host kernel's listen(2) across a veth pair.
//
// Each of them is a site: a process that serves, in a network namespace of its
// own. The load is a process too, in the namespace on the host's side. In each
// round every site gets the same load, one after another, and the figure is the
// median of the rounds: what a busy machine takes away, it takes from all, so
// that ratios say more than the figures themselves.
//
// Both kinds of processes are this program again, started as a worker (Work).
// They end when their standard input does: with whoever started them, however
// that ended. Nothing that they made outlives them.
package bench
