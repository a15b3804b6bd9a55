// Package webguard is the policy for what tcplab serves over TCP to people and
// programs, such as --metrics: where it may listen, and who may ask.
//
//   - An address without a host, ":9100", is that port on loopback.
//   - On a loopback address nobody needs a token, but the Host header has to name
//     loopback, so that no page of the web can ask under a name of its own (DNS
//     rebinding).
//   - Any other address has to be given explicitly, 0.0.0.0 for all of them, and
//     then each request needs the token: as "Authorization: Bearer TOKEN", or as
//     "?token=TOKEN", which a browser exchanges for a cookie.
//   - A request that changes something must not come from a page of another
//     origin (net/http.CrossOriginProtection), whatever it knows.
//
// The token is made at each start, or taken from the environment variable
// TCPLAB_TOKEN by those who have to know it beforehand.
//
// # Concurrency
//
// A Guard is safe for concurrent use. Serve starts one goroutine, which Close
// ends and waits for.
package webguard
