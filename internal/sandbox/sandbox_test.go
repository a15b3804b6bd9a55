package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// confined has this program be the process that is confined, and look around.
const confined = "TCPLAB_TEST_CONFINED"

func TestMain(m *testing.M) {
	if os.Getenv(attacker) != "" {
		if err := attackMain(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(confined); dir != "" {
		if err := lookAround(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// lookAround says what a confined process can still do that it should not, or
// cannot that it should.
func lookAround(dir string) error {
	writable := filepath.Join(dir, "writable")
	// A thread that waits in a system call is confined as well.
	read, _, err := os.Pipe()
	if err != nil {
		return err
	}
	go func() { _, _ = syscall.Read(int(read.Fd()), make([]byte, 1)) }()
	if err := readsElsewhere(dir); err != nil {
		return fmt.Errorf("before: %w", err)
	}
	notes, err := Enter(writable)
	if err != nil || len(notes) > 0 {
		return fmt.Errorf("%q: %w", notes, err)
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if got, want := os.Getuid(), Target().UID; got != want {
		wrong("user %d, want %d", got, want)
	}
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) < 2 {
		wrong("threads %v, %w", threads, err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			wrong("%w", err)
		}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimSpace(value)
			if strings.HasPrefix(name, "Cap") && strings.Trim(value, "0") != "" ||
				name == "NoNewPrivs" && value != "1" || name == "Seccomp" && value != "2" {
				wrong("%s: %s", thread, line)
			}
		}
	}
	if err := syscall.Setuid(0); err == nil {
		wrong("it is root again")
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); !errors.Is(err, fs.ErrPermission) {
		wrong("writing a file in root's directory: %w", err)
	}
	// What is its own it can change; it can read nothing else.
	if err := os.WriteFile(filepath.Join(writable, "new"), nil, 0o600); err != nil {
		wrong("writing a file where it may: %w", err)
	} else if err := os.Rename(filepath.Join(writable, "new"), filepath.Join(writable, "newer")); err != nil {
		wrong("renaming it: %w", err)
	} else if err := os.Remove(filepath.Join(writable, "newer")); err != nil {
		wrong("removing it: %w", err)
	}
	if err := readsElsewhere(dir); !errors.Is(err, fs.ErrPermission) {
		wrong("reading a file of everybody's: %w", err)
	}
	// It starts no program, least of all a setuid one.
	if out, err := exec.Command(filepath.Join(dir, "id"), "-u").CombinedOutput(); !errors.Is(err, fs.ErrPermission) {
		wrong("a program runs: %s, %w", out, err)
	}
	if _, err := net.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, fs.ErrPermission) {
		wrong("listening: %w", err)
	}
	if _, err := net.Dial("udp", "127.0.0.1:9"); !errors.Is(err, fs.ErrPermission) {
		wrong("connecting: %w", err)
	}
	if err := syscall.Unshare(syscall.CLONE_NEWUSER); !errors.Is(err, fs.ErrPermission) {
		wrong("making a user namespace: %w", err)
	}
	return errors.Join(errs...)
}

// readsElsewhere reads a file that everybody may read.
func readsElsewhere(dir string) error {
	_, err := os.ReadFile(filepath.Join(dir, "id"))
	return err
}

func TestEnter(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test gives up root: run it as root, with scripts/test.sh")
	}
	for _, caller := range []string{"", "1234", "0"} {
		t.Run("SUDO_UID="+caller, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "tcplab") // that of the test is root's alone
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			id, err := exec.LookPath("id")
			if err != nil {
				t.Fatal(err)
			}
			program, err := os.ReadFile(id)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir+"/id", program, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir+"/id", 0o4755); err != nil {
				t.Fatal(err)
			}
			writable := filepath.Join(dir, "writable")
			if err := errors.Join(os.Mkdir(writable, 0o777), os.Chmod(writable, 0o777)); err != nil {
				t.Fatal(err)
			}
			child := exec.CommandContext(t.Context(), "/proc/self/exe")
			child.Env = append(os.Environ(), confined+"="+dir, "SUDO_UID="+caller, "SUDO_GID="+caller)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestMapped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uid_map")
	if err := os.WriteFile(file, []byte("         0       1000          1\n     10     100000         20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int]bool{0: true, 1: false, 9: false, 10: true, 29: true, 30: false, nobody: false} {
		if got := mapped(file, id); got != want {
			t.Errorf("id %d: %v, want %v", id, got, want)
		}
	}
	for id, want := range map[int]int{0: 1000, 10: 100000, 29: 100019} {
		if got, ok := outside(file, id); got != want || !ok {
			t.Errorf("id %d is %d outside, %v, want %d", id, got, ok, want)
		}
	}
	if !mapped(file+".none", nobody) {
		t.Error("a kernel without user namespaces has every user")
	}
}
