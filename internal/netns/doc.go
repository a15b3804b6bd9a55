// Package netns makes network namespaces and runs code, programs and TCP clients
// in them: the machines of labs, tables and tests.
//
// A namespace belongs to a thread. Do runs a function on a thread that has
// entered the namespace; what that function creates, a socket or an interface,
// stays in the namespace wherever it is used later.
package netns
