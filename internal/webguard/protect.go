package webguard

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// protect answers what the policy forbids, and hands the rest to next.
func (g *Guard) protect(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		switch {
		case g.token == "" && !namesLoopback(r.Host):
			http.Error(w, "this address is served under "+g.addr.String()+" and localhost only", http.StatusForbidden)
		case g.token == "" || g.authorized(r):
			sameOrigin.ServeHTTP(w, r)
		case g.isToken(r.URL.Query().Get("token")) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			g.exchange(w, r)
		default:
			header.Set("WWW-Authenticate", `Bearer realm="tcplab"`)
			http.Error(w, "the token is missing or wrong: send Authorization: Bearer TOKEN; tcplab up has printed it", http.StatusUnauthorized)
		}
	})
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

// authorized reports whether a request has the token in its header or cookie.
func (g *Guard) authorized(r *http.Request) bool {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return g.isToken(strings.TrimSpace(token))
	}
	cookie, err := r.Cookie(g.cookie())
	return err == nil && g.isToken(cookie.Value)
}

// isToken compares in a time that says nothing about the token.
func (g *Guard) isToken(token string) bool {
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(g.token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// cookie is the cookie's name. Cookies do not know ports: it tells instances on
// one host apart.
func (g *Guard) cookie() string { return "tcplab-" + strconv.Itoa(int(g.addr.Port())) }

// exchange gives a browser a cookie for the token of its URL, and has it ask
// again without, so that the token stays in no history.
func (g *Guard) exchange(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: g.cookie(), Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	query := r.URL.Query()
	query.Del("token")
	path := "/" + strings.TrimLeft(r.URL.Path, "/\\") // not another host's
	target := url.URL{Path: path, RawQuery: query.Encode()}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}
