package userns

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// tunPath is the device through which interfaces are made.
const tunPath = "/dev/net/tun"

// checkTUN says why the device cannot be opened, and how to allow it.
func checkTUN(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		return unix.Close(fd) // nothing was made with it
	}
	fix := ""
	switch {
	case errors.Is(err, unix.EACCES):
		fix = fmt.Sprintf(`allow it with sudo chmod 0666 %s, and for good with the line KERNEL=="tun", MODE="0666" in /etc/udev/rules.d/50-tun.rules`, path)
	case errors.Is(err, unix.EPERM):
		fix = "the container does not have the device: start it with --device " + path
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		fix = "load the driver with sudo modprobe tun; a container is to be started with --device " + path
	}
	return withFix(fmt.Errorf("opening %s: %w", path, err), fix)
}

func withFix(err error, fix string) error {
	if fix == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, fix)
}

// system is where the switches of the system are; tests have one of their own.
type system struct{ root string }

// prohibition is a switch that forbids user namespaces, or what is done in them.
type prohibition struct {
	sysctl    string
	value     string // that forbids
	why, gone string // what it does; what allows it
}

var prohibitions = []prohibition{
	{"user.max_user_namespaces", "0", "no user namespace may be made", "sudo sysctl -w user.max_user_namespaces=10000"},
	{"user.max_net_namespaces", "0", "no network namespace may be made", "sudo sysctl -w user.max_net_namespaces=10000"},
	{"kernel.unprivileged_userns_clone", "0", "users other than root may make no user namespace", "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "AppArmor takes the capabilities away that a user namespace gives",
		"sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or with an AppArmor profile for tcplab that has the rule userns,"},
}

// explain says of an error what in the system forbids it, and how to allow it.
// Other errors it leaves as they are.
func (s system) explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
	case errors.Is(err, unix.EINVAL):
		return withFix(err, "the kernel has no user namespaces (CONFIG_USER_NS): use sudo")
	default:
		return err
	}
	for _, p := range prohibitions {
		value, readErr := os.ReadFile(s.root + "/proc/sys/" + strings.ReplaceAll(p.sysctl, ".", "/"))
		if readErr == nil && strings.TrimSpace(string(value)) == p.value {
			return fmt.Errorf("%w: %s (%s = %s): allow it with %s, or use sudo", err, p.why, p.sysctl, p.value, p.gone)
		}
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS) {
		return withFix(err, "there are too many namespaces, or too many within each other: see user.max_user_namespaces and user.max_net_namespaces")
	}
	if s.contained() {
		return withFix(err, "the container forbids it: start it with --cap-add NET_ADMIN --cap-add SYS_ADMIN --device "+tunPath+", or with --security-opt seccomp=unconfined")
	}
	return withFix(err, "a security module or a seccomp filter forbids it: see dmesg, or use sudo")
}

// contained reports whether this looks like the inside of a container.
func (s system) contained() bool {
	for _, file := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(s.root + file); err == nil {
			return true
		}
	}
	return false
}
