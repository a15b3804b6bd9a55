// Package webguard is the policy for what tcplab serves over TCP, --metrics and
// --ui: where it may listen, and who may ask.
//
// An address without a host, ":9100", is that port on loopback. Any other
// address has to be given explicitly, 0.0.0.0 for all of them. On a loopback
// address the Host header has to name loopback, so that no page of the web can
// ask under a name of its own (DNS rebinding). A request that changes something
// must not come from a page of another origin
// (net/http.CrossOriginProtection), whatever else the request has.
//
// # Programs: Listen
//
// On loopback anybody may ask. At any other address each request needs the
// token, as "Authorization: Bearer TOKEN".
//
// # A page for browsers: ListenPage
//
// Every user of the machine reaches loopback, so that each request needs the
// token there, too. A browser cannot send a header of its own when it opens a
// page, and exchanges the token of the printed URL:
//
//	GET /?token=TOKEN ──► 303 to /#key=KEY, Set-Cookie: tcplab-PORT=COOKIE
//	GET /             ──► the page: it keeps KEY in its sessionStorage
//	GET /api/…            with the cookie and "Tcplab-Key: KEY"
//
// The cookie alone opens the page's files, which are the same for everybody. It
// does not open what is below /api/: browsers send cookies to every port of a
// host (RFC 6265, 8.5), hence also to the server of another user on another
// port, once the browser visits that one. The key stays with the page's origin,
// which has the port, and never is in a URL that is sent. COOKIE and KEY are
// made anew at each start.
//
// # The token
//
// The token is made at each start, of at least 128 random bits, or taken from
// the environment variable TCPLAB_TOKEN by those who have to know it
// beforehand. All secrets are compared in constant time. No answer, error or
// log has the token; LoginURL and Token hand it to the caller.
//
// # Concurrency
//
// A Guard is safe for concurrent use. Serve starts one goroutine, which Close
// ends and waits for. Clients that have not shown that they may ask hold a
// bounded number of connections.
package webguard
