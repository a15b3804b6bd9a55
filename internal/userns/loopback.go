package userns

import (
	"github.com/vishvananda/netlink"
)

func bringLoopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}
