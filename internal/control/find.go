package control

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// found is a control socket in a user's directory, and what came of connecting to it.
type found struct {
	path string
	uid  int           // whose directory it is in
	conn *net.UnixConn // nil: not connected, and err says why
	err  error         // errDead: nobody listens
	peer unix.Ucred    // who listens, if conn
}

// errDead says that nobody listens at a socket, or that it is none.
var errDead = errors.New("nobody listens there")

// close hangs up.
func (f *found) close() {
	if f.conn != nil {
		_ = f.conn.Close()
	}
}

// find connects to the sockets of an instance, in the directories of all users.
func find(run *folder, a address) []*found {
	var all []*found
	for _, uid := range users(run) {
		dir, err := openUserDir(run, uid)
		if err != nil {
			continue // whoever made it is not the user: nothing in it counts
		}
		if f := connect(dir, a.file()); f != nil {
			all = append(all, f)
		}
		dir.close()
	}
	return all
}

// connect connects to a socket in a user's directory; nil if there is none. It
// follows no link, as that could lead to a socket of another service, and opens
// nothing that could keep it waiting.
func connect(dir *folder, name string) *found {
	fd, err := openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	f := &found{path: join(dir, name), uid: dir.uid, err: err}
	if err != nil {
		return f
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	f.err = unix.Fstat(fd, &st)
	switch {
	case f.err != nil:
		return f
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK, st.Nlink > 1:
		f.err = errDead
		return f
	}
	f.conn, f.err = net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("/proc/self/fd/%d", fd)})
	if errors.Is(f.err, unix.ECONNREFUSED) {
		f.err = errDead
	}
	if f.err != nil {
		return f
	}
	if cred := peer(f.conn); cred != nil {
		f.peer = *cred
		return f
	}
	f.close()
	f.conn, f.err = nil, errors.New("the kernel does not say who listens there")
	return f
}

// Standing is what speaks for a server, the least first.
type standing int

const (
	impostor standing = iota // neither root nor the user whose directory the socket is in
	stranger                 // another user, in a directory of that user's
	theirs                   // root, in another user's directory: who called sudo there
	ours                     // root or this user, in a directory of ours
	roots                    // root, in the directory for what is nobody's
)

// nobody is whose directory the sockets of root's own instances are in. Services of
// all kinds are this user: none of them counts as its owner.
const nobody = 65534

// standing is that of a socket that this process is connected to.
func (f *found) standing() standing {
	root, me := f.peer.Uid == 0, isMe(int(f.peer.Uid))
	switch {
	case root && f.uid == nobody:
		return roots
	case isMe(f.uid) && (root || me):
		return ours
	case root:
		return theirs
	case int(f.peer.Uid) == f.uid && f.uid != nobody:
		return stranger
	}
	return impostor
}

// isMe reports whether a user is this process's, or called sudo for it.
func isMe(uid int) bool {
	caller, ok := sandbox.Caller()
	return uid == os.Geteuid() || ok && uid == caller.UID
}

// dial connects to the instance at an address, and to nobody else. The error is
// errDead if there is none.
func dial(a address) (*found, error) {
	run, err := openRunDir(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errDead
	}
	if err != nil {
		return nil, err
	}
	defer run.close()
	all := find(run, a)
	slices.SortStableFunc(all, func(x, y *found) int { return cmp.Compare(y.worth(), x.worth()) })
	if len(all) == 0 {
		return nil, errDead
	}
	for _, f := range all[1:] {
		f.close()
	}
	return all[0].judge(a)
}

// worth orders what find has found: who may be talked to, then what an error says
// about the instance, then who is dead.
func (f *found) worth() int {
	switch {
	case f.conn != nil && f.standing() > impostor:
		return 10 + int(f.standing())
	case errors.Is(f.err, fs.ErrPermission):
		return 3
	case f.conn != nil:
		return 2
	case !errors.Is(f.err, errDead):
		return 4
	}
	return 1
}

// judge refuses a server that this process has no business with.
func (f *found) judge(a address) (*found, error) {
	switch {
	case f.err != nil:
		return nil, f.fault(a)
	case f.standing() == impostor:
		f.close()
		return nil, &ImpostorError{Dev: a.dev, Path: f.path, Owner: f.uid, UID: int(f.peer.Uid), PID: int(f.peer.Pid)}
	case f.standing() == stranger && os.Geteuid() != 0:
		f.close()
		return nil, fmt.Errorf("the instance on %s, process %d, belongs to user %d: use sudo", a.dev, f.peer.Pid, f.peer.Uid)
	}
	return f, nil
}

// fault is what an error of connecting means.
func (f *found) fault(a address) error {
	switch {
	case errors.Is(f.err, errDead):
		return errDead
	case errors.Is(f.err, fs.ErrPermission):
		return fmt.Errorf("the control socket %s belongs to another user: use sudo: %w", f.path, f.err)
	case errors.Is(f.err, unix.EAGAIN): // the queue of those who wait for accept is full
		return &SilentError{Dev: a.dev}
	}
	return fmt.Errorf("talking to the instance on %s: %w", a.dev, f.err)
}

// Running are the interfaces of the instances that run in the network namespace
// of the calling thread.
func Running() []string {
	here, _ := running()
	return here
}

// running are the instances that run in this namespace, and how many in others.
func running() (here []string, elsewhere int) {
	namespace, err := currentNamespace()
	if err != nil {
		return nil, 0
	}
	run, err := openRunDir(false)
	if err != nil {
		return nil, 0
	}
	defer run.close()
	for _, uid := range users(run) {
		dir, err := openUserDir(run, uid)
		if err != nil {
			continue
		}
		for _, name := range names(dir) {
			a, ok := parseAddress(name)
			if !ok {
				continue
			}
			f := connect(dir, name)
			switch {
			case f == nil || !f.runs():
			case a.namespace == namespace:
				here = append(here, a.dev)
			default:
				elsewhere++
			}
			if f != nil {
				f.close()
			}
		}
		dir.close()
	}
	slices.Sort(here)
	return slices.Compact(here), elsewhere
}

// runs reports whether an instance is there, as far as can be known: one of another
// user does not say who it is.
func (f *found) runs() bool {
	if f.conn == nil {
		return !errors.Is(f.err, errDead)
	}
	return f.standing() > impostor
}
