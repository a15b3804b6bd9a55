// Package e2e tests the whole with real clients: the kernel's TCP, curl, ab,
// ping and tcpdump, each test in a network namespace of its own. It holds
// nothing but tests.
package e2e
