package userns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is a system with these files.
func machine(t *testing.T, files map[string]string) system {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return system{root}
}

// Each prohibition is told with what allows it.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		err   error
		want  string
	}{
		{map[string]string{"proc/sys/user/max_user_namespaces": "0"}, unix.ENOSPC, "sudo sysctl -w user.max_user_namespaces=10000"},
		{map[string]string{"proc/sys/user/max_net_namespaces": "0"}, unix.ENOSPC, "sudo sysctl -w user.max_net_namespaces=10000"},
		{map[string]string{"proc/sys/kernel/unprivileged_userns_clone": "0"}, unix.EPERM, "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		{map[string]string{"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"}, unix.EACCES, "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{map[string]string{".dockerenv": "", "proc/sys/user/max_user_namespaces": "100"}, unix.EPERM, "the container forbids it: start it with --cap-add"},
		{map[string]string{"proc/sys/user/max_user_namespaces": "100"}, unix.EPERM, "a seccomp filter forbids it"},
		{nil, unix.ENOSPC, "too many namespaces"},
		{nil, unix.EINVAL, "CONFIG_USER_NS"},
	} {
		err := machine(t, c.files).explain(fmt.Errorf("making a namespace: %w", c.err))
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v on a system with %v: %v, want %q in it", c.err, c.files, err, c.want)
		}
	}
	if err := machine(t, nil).explain(nil); err != nil {
		t.Errorf("no error is explained with %v", err)
	}
	if err := machine(t, nil).explain(os.ErrClosed); err.Error() != os.ErrClosed.Error() {
		t.Errorf("another error becomes %v", err)
	}
}

func TestCheckTUN(t *testing.T) {
	if err := checkTUN(filepath.Join(t.TempDir(), "tun")); err == nil || !strings.Contains(err.Error(), "sudo modprobe tun") {
		t.Errorf("a missing device: %v", err)
	}
	if err := checkTUN(os.DevNull); err != nil {
		t.Errorf("a device that can be opened: %v", err)
	}
}
