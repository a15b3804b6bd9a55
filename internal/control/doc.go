// Package control is how the tcplab command talks to a running endpoint: HTTP
// with JSON over a unix socket.
//
//	GET  /v1/status?limit=N     endpoint.Status
//	GET  /v1/counters           endpoint.Counters
//	GET  /v1/sockets?limit=N    endpoint.Sockets
//	POST /v1/accept {"n": 3}    endpoint.Taken
//	POST /v1/set {"name": …}    endpoint.Status
//	GET  /v1/events?kinds=…     events.Record, one a line, until somebody ends it;
//	                            &keep=N&every=D: the newest N, each D;
//	                            &recent=too|only: the last ones first, or nothing else
//	GET  /v1/capture?snaplen=N  a pcapng stream, until somebody ends it
//	POST /v1/down               Stopped, when the endpoint and the socket are gone
//
// What fails is answered with a status of 400 or more and {"error": "…"}.
//
// # The socket
//
// It lies in RunDir, in the directory of the user who called sudo, and belongs to
// that user, mode 0600: whoever may connect to it may control the endpoint. Its name
// has the network namespace and the interface, since equally named interfaces in
// different namespaces share the directory. A socket that nobody listens at was left
// by an instance that was killed, and the next one of that user removes it.
//
// # Other users
//
// Nothing in RunDir is reached by a path: openRunDir goes there a step at a time, and
// from then on descriptors lead on, so that nobody can exchange what was looked at.
// What belongs to the user who called sudo is done with that user's rights. Clients
// ask nobody who is neither root nor the owner of the directory, by SO_PEERCRED of
// the connection that they use, and name the instance that they mean.
//
// # Concurrency
//
// Server and Client are safe for concurrent use. A client that neither sends
// nor reads is cut off after a while and holds up nobody.
package control
