package browser

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// inside says that the tests run in a network namespace of their own.
const inside = "TCPLAB_UI_TEST_INSIDE"

// TestMain runs the tests in a network namespace of their own: the pages and the
// browser talk over its loopback interface, and reach nothing else.
func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(runInside())
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ui: bringing lo up:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func runInside() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "ui: these tests make network namespaces and TUN devices: run them as root, with scripts/test.sh:", err)
		return 1
	}
	return 0
}
