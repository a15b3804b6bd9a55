package netns

import (
	"context"
	"net"
	"net/http"
	"net/netip"
)

// Transport is for an http.Client whose requests all go to addr, from inside the
// namespace, each over a connection of its own. ctx bounds the dialing: a
// Transport goes on with it when the request's context has ended.
func (n *Namespace) Transport(ctx context.Context, addr netip.AddrPort) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return n.Dial(ctx, addr) },
	}
}
