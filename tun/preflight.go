package tun

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// devicePath is the character device through which TUN interfaces are made.
const devicePath = "/dev/net/tun"

// Problem is something that keeps Create from working on this machine.
type Problem struct {
	What string `json:"what"` // what was looked at
	Why  string `json:"why"`  // what is wrong with it
	Fix  string `json:"fix"`  // how to mend it
}

// Preflight looks for what would keep Create from working, and changes nothing.
// It finds as many problems as it can.
func Preflight(cfg Config) []Problem {
	var problems []Problem
	add := func(what, why, fix string) { problems = append(problems, Problem{what, why, fix}) }
	if err := cfg.Check(); err != nil {
		add("configuration", err.Error(), "give other values")
		return problems
	}
	if fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		add(devicePath, err.Error(), hintFor(err))
	} else {
		_ = unix.Close(fd) // nothing was made with it
	}
	if ok, err := netAdmin(); err != nil {
		add("CAP_NET_ADMIN", err.Error(), hintRoot)
	} else if !ok {
		add("CAP_NET_ADMIN", fmt.Sprintf("this process, user %d, does not have it", os.Geteuid()), hintRoot)
	}
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		add("netlink", err.Error(), "use a kernel with CONFIG_NETLINK")
		return problems
	}
	defer links.Close()
	if err := nameFree(links, cfg.Name); err != nil {
		add("interface name "+cfg.Name, err.Error(), hintName)
	}
	if err := addressesFree(links, cfg.Host); err != nil {
		add(fmt.Sprintf("addresses %v", cfg.Host), err.Error(), hintAddr)
	}
	return problems
}

// netAdmin reports whether the process may configure its network namespace.
func netAdmin() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, err
	}
	return data[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0, nil
}
