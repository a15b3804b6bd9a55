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
// attack it makes, in which directory, and whether it is confined before.
const (
	attacker       = "TCPLAB_TEST_ATTACK"
	attackerDir    = "TCPLAB_TEST_ATTACK_DIR"
	attackConfined = "TCPLAB_TEST_ATTACK_CONFINED"
)

// An attack prepares what a process may have from before it was confined, and
// returns what it tries afterwards, when it was taken over.
type attack func(*victim) (try func() error)

// TestAttacks has a process that was taken over try to get out. Each attack is
// made in a process of its own, first as a control without a sandbox: there it has
// to succeed, or to reach a kernel that does not know it. In the sandbox it has
// to be refused, or to end the process.
func TestAttacks(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test gives up root: run it as root, with scripts/test.sh")
	}
	all := attacks()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch got := runAttack(t, name, false); got {
			case "succeeded", unix.ENOSYS.Error(), unix.EAFNOSUPPORT.Error(), unix.EPROTONOSUPPORT.Error():
			default:
				t.Errorf("without a sandbox: %s: this attack shows nothing", got)
			}
			refused := []string{unix.EPERM.Error(), unix.EACCES.Error(), unix.SIGSYS.String()}
			if name == "clone3" { // so that the C library takes clone
				refused = []string{unix.ENOSYS.Error()}
			}
			if got := runAttack(t, name, true); !slices.Contains(refused, got) {
				t.Errorf("in the sandbox: %s", got)
			}
		})
	}
}

// runAttack says what came of an attack: "succeeded", an error, or the signal
// that ended the process.
func runAttack(t *testing.T, name string, inSandbox bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tcplab") // that of the test is root's alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	writable := filepath.Join(dir, "writable")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(writable, 0o777), os.Chmod(writable, 0o777),
		os.WriteFile(filepath.Join(dir, "file"), []byte("theirs"), 0o666), os.Chmod(filepath.Join(dir, "file"), 0o666)); err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), "/proc/self/exe")
	child.Env = append(os.Environ(), attacker+"="+name, attackerDir+"="+dir, "SUDO_UID=4321", "SUDO_GID=4321",
		"GORACE=atexit_sleep_ms=0")
	if inSandbox {
		child.Env = append(child.Env, attackConfined+"=1")
	}
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWUTS, Setsid: true}
	var out, diagnosis bytes.Buffer
	child.Stdout, child.Stderr = &out, &diagnosis
	err = child.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return status.Signal().String()
		}
	}
	if err != nil {
		t.Fatalf("the attacker: %v: %s%s", err, &out, &diagnosis)
	}
	if out.Len() == 0 { // it became another program
		return "succeeded"
	}
	return out.String()
}

// attackMain is the process that is taken over.
func attackMain() error {
	v := &victim{dir: os.Getenv(attackerDir)}
	if err := errors.Join(loopbackUp(), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		return err
	}
	try := attacks()[os.Getenv(attacker)](v)
	if len(v.faults) > 0 {
		return fmt.Errorf("preparing: %w", errors.Join(v.faults...))
	}
	if os.Getenv(attackConfined) != "" {
		if notes, err := Enter(filepath.Join(v.dir, "writable")); err != nil || len(notes) > 0 {
			return fmt.Errorf("%q: %w", notes, err)
		}
	}
	err := try()
	errno, isErrno := errors.AsType[unix.Errno](err)
	switch {
	case err == nil:
		fmt.Print("succeeded")
	case isErrno:
		fmt.Print(errno.Error())
	default:
		fmt.Print(err)
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
	dir    string // a file of everybody's, "file", and the directory "writable"
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

// file is a path that everybody may read and write.
func (v *victim) file() string { return filepath.Join(v.dir, "file") }

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
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
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
