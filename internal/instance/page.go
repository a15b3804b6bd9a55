package instance

import (
	"net/netip"

	"tcplab/internal/ui"
	"tcplab/internal/webguard"
)

// page is the instance's page in a browser. Nil is none.
type page struct {
	guard  *webguard.Guard
	server *ui.Server // nil before serve
}

// openPage takes the page's address, in the network namespace of the calling
// thread; nil if addr is none.
func openPage(addr netip.AddrPort) (*page, error) {
	if !addr.IsValid() {
		return nil, nil
	}
	guard, err := webguard.ListenPage("--ui", addr)
	if err != nil {
		return nil, err
	}
	return &page{guard: guard}, nil
}

// serve begins to serve the page of an instance.
func (p *page) serve(instance ui.Instance) {
	if p != nil {
		p.server = ui.New(instance)
		p.guard.Serve(p.server)
	}
}

// url is what to open in a browser, with the token; "" if there is no page.
func (p *page) url() string {
	if p == nil {
		return ""
	}
	return p.guard.LoginURL()
}

// close says goodbye to browsers and gives the address back.
func (p *page) close() error {
	if p == nil {
		return nil
	}
	if p.server != nil {
		p.server.Close()
	}
	return p.guard.Close()
}
