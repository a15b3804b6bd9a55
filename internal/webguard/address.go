package webguard

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// loopback is where an address without a host is.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Parse reads the address of a flag: "127.0.0.1:9100", "[::1]:9100", ":9100" and
// "9100" for that port on loopback, "0.0.0.0:9100" for all addresses. Port 0 is
// any free one.
func Parse(text string) (netip.AddrPort, error) {
	if port, err := strconv.ParseUint(text, 10, 16); err == nil {
		return netip.AddrPortFrom(loopback, uint16(port)), nil
	}
	host, number, err := net.SplitHostPort(text)
	port, portErr := strconv.ParseUint(number, 10, 16)
	if err != nil || portErr != nil {
		return netip.AddrPort{}, fmt.Errorf("give an address and port like 127.0.0.1:9100, or :9100 for loopback")
	}
	switch host {
	case "", "localhost":
		return netip.AddrPortFrom(loopback, uint16(port)), nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%s is a name: give an address like 127.0.0.1, or 0.0.0.0 for all addresses", host)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}
