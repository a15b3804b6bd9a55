// Package tcplabtest gives Go tests the addresses that tests of network clients
// need and that are hard to come by: one where connect(2) hangs, one where it is
// refused. It needs no root, no device and no network.
//
//	func TestGivesUp(t *testing.T) {
//		client := NewClient(tcplabtest.FullListener(t), WithConnectTimeout(time.Second))
//		if err := client.Ping(t.Context()); !isTimeout(err) {
//			t.Errorf("at a full listener: %v, want a timeout", err)
//		}
//	}
//
// # How
//
// FullListener is a listening socket of the kernel's, at 127.0.0.1, with backlog
// 0, whose accept queue is full: one connection, made by the test itself, that
// nobody accepts. The kernel drops every further SYN without an answer
// (tcp_conn_request, net/ipv4/tcp_input.c), whatever tcp_syncookies and
// tcp_abort_on_overflow say, for as long as the test lasts. That is what
// "tcplab up --profile linux --backlog 0 --accept off" does, without a choice of
// systems, without the reasons, and without root: it works in any container.
//
// What else is tried for this does not do it. A server that accepts and says
// nothing is connected at once: its client waits in read, not in connect. An
// address that nobody has, as 192.0.2.1 or 10.255.255.1, is answered by some
// networks with "unreachable", by some proxies with a connection.
//
// # What to expect of a client
//
// Its kernel sends the SYN again, on Linux for 127 s or so (tcp_syn_retries = 6),
// until connect(2) fails with ETIMEDOUT. Only a connect timeout ends the wait
// before: net.Dialer.Timeout, a context, or curl's --connect-timeout. A timeout
// for reads does not begin until there is a connection.
//
// # Concurrency
//
// The functions may be called from tests that run in parallel; each call has a
// listener of its own, which the test's Cleanup closes. Clients that still wait
// then are refused when they send their next SYN.
package tcplabtest
