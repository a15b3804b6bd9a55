package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Variables that have this program be the process that is taken over: which
// attacks it makes, in which directory, and whether it is confined before.
const (
	attacker       = "TCPLAB_TEST_ATTACK"
	attackerDir    = "TCPLAB_TEST_ATTACK_DIR"
	attackConfined = "TCPLAB_TEST_ATTACK_CONFINED"
)

// An attack prepares what a process may have from before it was confined, and
// returns what it tries afterwards, when it was taken over.
type attack func(*victim) (try func() error)

// TestAttacks has a process that was taken over try to get out. Each attack is
// made without a sandbox first, as a control: there it has to succeed, or to reach
// a kernel that does not know it. In the sandbox it has to be refused, or to end
// the process.
func TestAttacks(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test gives up root: run it as root, with scripts/test.sh")
	}
	succeeded := []string{success, unix.ENOSYS.Error(), unix.EAFNOSUPPORT.Error(), unix.EPROTONOSUPPORT.Error()}
	refused := []string{unix.EPERM.Error(), unix.EACCES.Error()}
	killed := []string{unix.SIGSYS.String()}
	notThere := []string{unix.ENOSYS.Error()} // so that the C library takes clone

	var free, confined [][]string // the attacks of one process each
	var together, inSandbox []string
	names := slices.Sorted(maps.Keys(attacks()))
	for _, name := range names {
		if changesItself(name) {
			free = append(free, []string{name})
		} else {
			together = append(together, name)
		}
		if foreign(name) {
			confined = append(confined, []string{name})
		} else {
			inSandbox = append(inSandbox, name)
		}
	}
	for _, group := range append(free, together) {
		t.Run("control/"+group[0], func(t *testing.T) {
			t.Parallel()
			for name, got := range runAttacks(t, group, false) {
				if !slices.Contains(succeeded, got) {
					t.Errorf("%s without a sandbox: %s: this attack shows nothing", name, got)
				}
			}
		})
	}
	for _, group := range append(confined, inSandbox) {
		t.Run("sandbox/"+group[0], func(t *testing.T) {
			t.Parallel()
			for name, got := range runAttacks(t, group, true) {
				want := refused
				switch {
				case foreign(name):
					want = killed
				case name == "clone3":
					want = notThere
				}
				if !slices.Contains(want, got) {
					t.Errorf("%s in the sandbox: %s, want %q", name, got, want)
				}
			}
		})
	}
}

// success is what becomes of an attack that gets out.
const success = "succeeded"

// foreign reports whether an attack uses another ABI, which ends the process.
func foreign(name string) bool {
	return strings.HasPrefix(name, "int80-") || strings.HasPrefix(name, "x32-")
}

// changesItself reports whether a process cannot make other attacks after one
// that succeeded.
func changesItself(name string) bool {
	for _, prefix := range []string{"exec", "int80-", "x32-", "setuid", "chroot", "chdir", "unshare-", "setns", "capset", "personality"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// runAttacks has one process make attacks, and says what came of each: success,
// an error, or the signal that ended the process.
func runAttacks(t *testing.T, names []string, inSandbox bool) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tcplab") // that of the test is root's alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	writable := filepath.Join(dir, "writable")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(writable, 0o777), os.Chmod(writable, 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("theirs"), 0o666), os.Chmod(path, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	child := exec.CommandContext(t.Context(), "/proc/self/exe")
	child.Env = append(os.Environ(), attacker+"="+strings.Join(names, " "), attackerDir+"="+dir, "SUDO_UID=4321", "SUDO_GID=4321",
		"GORACE=atexit_sleep_ms=0",
		// No signal of the runtime's interrupts an attack: a connect of MPTCP that is
		// restarted fails with EINVAL.
		"GODEBUG=asyncpreemptoff=1")
	if inSandbox {
		child.Env = append(child.Env, attackConfined+"=1")
	}
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWUTS, Setsid: true}
	var out, diagnosis bytes.Buffer
	child.Stdout, child.Stderr = &out, &diagnosis
	err = child.Run()
	end := success // of an attack that says nothing: it became another program
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signaled() {
		end = exit.Sys().(syscall.WaitStatus).Signal().String()
	} else if err != nil {
		t.Fatalf("the attacker: %v: %s%s", err, &out, &diagnosis)
	}
	results := make(map[string]string)
	for line := range strings.Lines(out.String()) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
		results[name] = result
	}
	for _, name := range names {
		if _, said := results[name]; !said {
			results[name], end = end, "not tried, after one that ended the process"
		}
	}
	return results
}

// attackMain is the process that is taken over.
func attackMain() error {
	if err := errors.Join(loopbackUp(), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		return err
	}
	all, names := attacks(), strings.Fields(os.Getenv(attacker))
	dir := os.Getenv(attackerDir)
	var tries []func() error
	for _, name := range names {
		v := &victim{dir: dir, name: name}
		tries = append(tries, all[name](v))
		if len(v.faults) > 0 {
			return fmt.Errorf("preparing %s: %w", name, errors.Join(v.faults...))
		}
	}
	if os.Getenv(attackConfined) != "" {
		if notes, err := Enter(filepath.Join(dir, "writable")); err != nil || len(notes) > 0 {
			return fmt.Errorf("%q: %w", notes, err)
		}
	}
	for i, name := range names {
		result := success
		if err := tries[i](); err != nil {
			result = err.Error()
			if errno, ok := errors.AsType[unix.Errno](err); ok {
				result = errno.Error()
			}
		}
		fmt.Printf("%s: %s\n", name, result)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// victim is what attacks use.
type victim struct {
	dir    string // has a file of everybody's for each attack, and the directory "writable"
	name   string // of the attack
	faults []error
}

// must notes what went wrong in preparing.
func (v *victim) must(err error) {
	if err != nil {
		v.faults = append(v.faults, err)
	}
}

func (v *victim) socket(family, kind, protocol int) int {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	v.must(err)
	return fd
}

func (v *victim) open(path string, flags int) int {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	v.must(err)
	return fd
}

// file is a path that everybody may read and write, for this attack alone.
func (v *victim) file() string { return filepath.Join(v.dir, v.name) }

// listener listens in the process's network namespace.
func (v *victim) listener(protocol int) (addr *unix.SockaddrInet4) {
	fd := v.socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
	v.must(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	v.must(unix.Listen(fd, 8))
	return v.address(fd)
}

// receiver is the address of a UDP socket.
func (v *victim) receiver() *unix.SockaddrInet4 {
	fd := v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	v.must(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	return v.address(fd)
}

func (v *victim) address(fd int) *unix.SockaddrInet4 {
	addr, err := unix.Getsockname(fd)
	v.must(err)
	inet, ok := addr.(*unix.SockaddrInet4)
	if !ok {
		v.must(errors.New("no address"))
		return &unix.SockaddrInet4{}
	}
	return inet
}

// neighbour is another process of the user as whom the attacker goes on.
func (v *victim) neighbour() (pid int) {
	sleep := exec.Command("sleep", "60")
	sleep.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if os.Getenv(attackConfined) != "" {
		user := Target()
		sleep.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user.UID), Gid: uint32(user.GID)}
	}
	v.must(sleep.Start())
	if sleep.Process == nil {
		return 0
	}
	return sleep.Process.Pid
}

// call makes a system call of this processor.
func call1(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

// forks makes a call that returns twice, and ends the second process.
func forks(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	pid, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return nil
}

// attacks are all of them, by name.
func attacks() map[string]attack {
	all := map[string]attack{}
	for _, group := range []map[string]attack{socketAttacks(), fileAttacks(), processAttacks(), kernelAttacks(), foreignAttacks()} {
		for name, a := range group {
			if strings.Contains(name, " ") {
				panic(name)
			}
			all[name] = a
		}
	}
	return all
}
