package webguard

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// keyHeader is the request header with the page's key.
const keyHeader = "Tcplab-Key"

// protect answers what the policy forbids, and hands the rest to next.
func (g *Guard) protect(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		onLoopback := g.addr.Addr().IsLoopback()
		switch {
		case onLoopback && !namesLoopback(r.Host):
			refuse(w, http.StatusForbidden, "this address is served under "+g.addr.String()+" and localhost only")
		case onLoopback && !g.page:
			sameOrigin.ServeHTTP(w, r)
		case g.hasBearer(r):
			g.strangers.known(r)
			sameOrigin.ServeHTTP(w, r)
		case !g.page:
			unauthorized(w, "send Authorization: Bearer TOKEN; tcplab up has printed the token")
		case r.URL.Path == "/" && r.URL.Query().Has("token"):
			g.exchange(w, r)
		case !g.hasCookie(r):
			unauthorized(w, "open the address that tcplab up has printed, or send Authorization: Bearer TOKEN")
		case g.key.is(r.Header.Get(keyHeader)):
			g.strangers.known(r)
			sameOrigin.ServeHTTP(w, r)
		case isFile(r):
			sameOrigin.ServeHTTP(w, r)
		default:
			unauthorized(w, "a cookie is not enough here: open the address that tcplab up has printed, in this tab, or send Authorization: Bearer TOKEN")
		}
	})
}

// refuse answers and has the connection closed.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, why, status)
}

func unauthorized(w http.ResponseWriter, do string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="tcplab"`)
	refuse(w, http.StatusUnauthorized, "the token is missing or wrong: "+do)
}

// namesLoopback reports whether a Host header is a loopback address or
// localhost, with any port.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// isFile reports whether a request asks for one of the page's files, which have
// no secrets.
func isFile(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.HasPrefix(r.URL.Path, "/api")
}

// hasBearer reports whether a request has the token in its header (RFC 6750,
// section 2.1).
func (g *Guard) hasBearer(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && g.token.is(strings.TrimSpace(token))
}

// hasCookie reports whether a request has the cookie. It may have others of
// that name, which a server at another port has set.
func (g *Guard) hasCookie(r *http.Request) bool {
	for _, cookie := range r.CookiesNamed(g.cookieName()) {
		if g.cookie.is(cookie.Value) {
			return true
		}
	}
	return false
}

// cookieName tells instances on one host apart: cookies do not know ports.
func (g *Guard) cookieName() string { return "tcplab-" + strconv.Itoa(int(g.addr.Port())) }

// exchange gives a browser the cookie and the key for the token of its URL. The
// browser asks again without the token, so that the token is neither in the
// address bar nor in a Referer.
func (g *Guard) exchange(w http.ResponseWriter, r *http.Request) {
	if !g.token.is(r.URL.Query().Get("token")) || r.Method != http.MethodGet && r.Method != http.MethodHead {
		unauthorized(w, "open the address that tcplab up has printed; each start makes a new token")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: g.cookieName(), Value: string(g.cookie), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", (&url.URL{Path: "/", Fragment: "key=" + string(g.key)}).String())
	w.WriteHeader(http.StatusSeeOther) // without a body that names the key
}
