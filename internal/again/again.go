// Package again is for a program that starts itself again to play a part, as
// "up --detach" does in the background and exec inside its namespaces.
//
// The process that was started has to know its part, and nothing that somebody
// sets or types may make it believe in one: no environment variable, no
// argument. The process that starts it hands it one end of a pair of sockets
// (unix(7), SOCK_SEQPACKET), in which the part is written already:
//
//	Start(cmd, part, …) ── fork, exec ──► As(part): the environment names a descriptor.
//	  writes the part into                  Is that a socket with the part in it, made by
//	  a pair of sockets                     the parent of this process (SO_PEERCRED)?
//
// The environment variable is a hint where to look, and changes nothing by
// itself: a descriptor that is not the socket is left as it was found, unread.
// The socket keeps the number that it has in the first process, so that a
// program gets all other descriptors that its user has opened for it.
package again

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// variable names the descriptor of the socket.
const variable = "TCPLAB_AGAIN"

// header begins the message in the socket. The part follows, and a text.
const header = "tcplab again\n"

const (
	maxMessage = 8 << 10 // bytes
	maxFiles   = 4
)

// Command is this program with the same arguments.
func Command() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	return cmd
}

// Start starts cmd by start, which is cmd.Start or calls it, to play a part.
// The process gets text and files; the files stay the caller's. What it writes
// to Origin.Socket can be read from the socket that is returned, which is the
// caller's to close, and ends with the process.
func Start(cmd *exec.Cmd, start func() error, part, text string, files ...*os.File) (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a pair of sockets: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "again"), os.NewFile(uintptr(pair[1]), "again")
	defer theirs.Close()
	fds := make([]int, len(files))
	for i, file := range files {
		fds[i] = int(file.Fd())
	}
	message := header + part + "\n" + text
	if err := unix.Sendmsg(pair[0], []byte(message), unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL); err != nil {
		return nil, errors.Join(fmt.Errorf("writing to the process that is started: %w", err), ours.Close())
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, variable+"="+strconv.Itoa(pair[1]))
	if _, err := unix.FcntlInt(uintptr(pair[1]), unix.F_SETFD, 0); err != nil { // not close-on-exec
		return nil, errors.Join(err, ours.Close())
	}
	if err := start(); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return ours, nil
}

// Origin is what the process that plays a part was given.
type Origin struct {
	Parent int        // process that started it
	Text   string     // that it was given
	Files  []*os.File // likewise; whoever takes one closes it
	Socket *os.File   // to the parent
}

// As returns what this process was given to play a part; nil if it was not
// started for that part, or the part was taken already. Programs that it starts
// are told nothing of it.
func As(part string) (*Origin, error) {
	fd := hint()
	if fd < 3 || !isOurs(fd, part) {
		return nil, nil
	}
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, fmt.Errorf("asking who has started this process: %w", err)
	}
	if int(peer.Pid) != os.Getppid() {
		return nil, fmt.Errorf("process %d, which is said to have started this one, is not its parent, or is gone: start tcplab again", peer.Pid)
	}
	unix.CloseOnExec(fd)
	data, rights := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, m, _, _, err := unix.Recvmsg(fd, data, rights, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("reading what the process that started this one has written: %w", err)
	}
	_ = os.Unsetenv(variable)
	o := &Origin{Parent: int(peer.Pid), Text: strings.TrimPrefix(string(data[:n]), header+part+"\n"), Socket: os.NewFile(uintptr(fd), "again")}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	if err != nil {
		return nil, fmt.Errorf("reading descriptors of the process that started this one: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, fmt.Errorf("reading descriptors of the process that started this one: %w", err)
		}
		for _, fd := range fds {
			o.Files = append(o.Files, os.NewFile(uintptr(fd), "again"))
		}
	}
	return o, nil
}

// hint is the descriptor that the environment names, -1 if it names none.
func hint() int {
	fd, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		return -1
	}
	return fd
}

// isOurs reports whether a descriptor is a socket that Start has written this
// part into. It reads nothing from any other.
func isOurs(fd int, part string) bool {
	for option, want := range map[int]int{unix.SO_DOMAIN: unix.AF_UNIX, unix.SO_TYPE: unix.SOCK_SEQPACKET} {
		if value, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil || value != want {
			return false
		}
	}
	want := header + part + "\n"
	data := make([]byte, len(want))
	n, _, err := unix.Recvfrom(fd, data, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && string(data[:n]) == want
}
