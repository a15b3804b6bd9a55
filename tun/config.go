package tun

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// Config is what an interface is created with.
type Config struct {
	// Name of the interface, at most 15 bytes.
	Name string
	// Host are the addresses of the host's end, each with its subnet, as in
	// 192.0.2.1/24: at least one.
	Host []netip.Prefix
	// Peers are addresses and ports of the endpoint: Device.State says when the
	// host's packets for them go elsewhere. It may be empty.
	Peers []netip.AddrPort
	// MTU in bytes; zero is 1500.
	MTU int
	// QueueLen is how many packets the kernel keeps for a reader that is busy;
	// zero is 10,000. The kernel's own default of 500 loses SYNs in a flood
	// before anybody has seen them.
	QueueLen int
	// Offload asks for segments larger than the MTU and unfinished checksums; see
	// Device.Offload.
	Offload bool
}

const (
	defaultMTU      = 1500
	defaultQueueLen = 10000
	minMTU          = 576   // RFC 1122 section 3.3.3: what every IPv4 host takes
	minMTU6         = 1280  // RFC 8200 section 5
	maxMTU          = 65521 // of a TUN interface (tun.c: MAX_MTU less its header)
)

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	if c.MTU == 0 {
		c.MTU = defaultMTU
	}
	if c.QueueLen == 0 {
		c.QueueLen = defaultQueueLen
	}
	return c
}

// Check says what is wrong with c, without looking at the machine.
func (c *Config) Check() error {
	full := c.withDefaults()
	least := minMTU
	for _, host := range c.Host {
		if !host.IsValid() {
			return fmt.Errorf("interface %s: an address of the host's end is not valid: give one like 192.0.2.1/24", c.Name)
		}
		if host.Addr().Is6() {
			least = minMTU6
		}
	}
	switch {
	case c.Name == "":
		return fmt.Errorf("the interface has no name: give one like tcplab0")
	case len(c.Name) >= unix.IFNAMSIZ:
		return fmt.Errorf("interface name %q has %d bytes: give at most %d", c.Name, len(c.Name), unix.IFNAMSIZ-1)
	case c.Name == "." || c.Name == ".." || strings.ContainsAny(c.Name, "/:% \t\n\x00"):
		return fmt.Errorf("interface name %q: give one without slash, colon, percent sign or space", c.Name)
	case len(c.Host) == 0:
		return fmt.Errorf("interface %s: no address for the host's end: give one like 192.0.2.1/24", c.Name)
	case full.MTU < least || full.MTU > maxMTU:
		return fmt.Errorf("interface %s: MTU %d: give %d to %d", c.Name, full.MTU, least, maxMTU)
	case c.QueueLen < 0:
		return fmt.Errorf("interface %s: queue length %d: give a positive number", c.Name, c.QueueLen)
	}
	return nil
}
