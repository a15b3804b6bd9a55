package again

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// child has the test's program be the process that is started: it says what it
// was given for the part "this".
const child = "TCPLAB_AGAIN_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) == "" {
		os.Exit(m.Run())
	}
	origin, err := As("this")
	switch {
	case err != nil:
		fmt.Println("error:", err)
	case origin == nil:
		fmt.Println("no part")
	default:
		files := ""
		for _, file := range origin.Files {
			text, err := io.ReadAll(file)
			files += fmt.Sprintf(" %q %v", text, err)
		}
		flags, err := unix.FcntlInt(origin.Socket.Fd(), unix.F_GETFD, 0)
		fmt.Printf("%q parent %t files%s close-on-exec %t %v variable %q\n", origin.Text, origin.Parent == os.Getppid(), files,
			flags&unix.FD_CLOEXEC != 0, err, os.Getenv(variable))
		if again, err := As("this"); again != nil || err != nil {
			fmt.Println("a second time", again, err)
		}
		_, _ = origin.Socket.Write([]byte("ready"))
	}
}

// command runs this program as a child, with what it says kept.
func command(t *testing.T, said *strings.Builder) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), child+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = said, said
	return cmd
}

func TestStart(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := write.WriteString("of a file"); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	var said strings.Builder
	cmd := command(t, &said)
	socket, err := Start(cmd, cmd.Start, "this", "a text\nof two lines", read)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	answer := make([]byte, 10)
	n, err := socket.Read(answer)
	if string(answer[:n]) != "ready" {
		t.Errorf("the process answers %q, %v", answer[:n], err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := socket.Read(answer); err != io.EOF {
		t.Errorf("when the process has ended, its socket is read with %v", err)
	}
	want := `"a text\nof two lines" parent true files "of a file" <nil> close-on-exec true <nil> variable ""` + "\n"
	if said.String() != want {
		t.Errorf("the process was given %s\nwant %s", said.String(), want)
	}
}

// Another part is not taken.
func TestOtherPart(t *testing.T) {
	var said strings.Builder
	cmd := command(t, &said)
	socket, err := Start(cmd, cmd.Start, "that", "")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := cmd.Wait(); err != nil || said.String() != "no part\n" {
		t.Errorf("%v, %s", err, said.String())
	}
}

// An environment variable makes a process believe in no part, and what it
// points at is left as it was: nothing is read from it, or written, or closed.
func TestForgedVariable(t *testing.T) {
	socket := func(kind int, content string) *os.File {
		pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		other := os.NewFile(uintptr(pair[1]), "other")
		t.Cleanup(func() { _ = other.Close() })
		if _, err := other.WriteString(content); err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(pair[0]), "given")
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		value   string
		given   *os.File // as descriptor 3
		content string
		want    string
	}{
		"a directory":                 {value: "/some/dir"},
		"true":                        {value: "1"},
		"negative":                    {value: "-1"},
		"a large number":              {value: "99999999999999999999"},
		"a descriptor that is closed": {value: "999"},
		"no socket":                   {value: "3", given: null},
		"a stream":                    {value: "3", given: socket(unix.SOCK_STREAM, header+"this\n"), content: header + "this\n"},
		"datagrams":                   {value: "3", given: socket(unix.SOCK_DGRAM, header+"this\n"), content: header + "this\n"},
		"another protocol":            {value: "3", given: socket(unix.SOCK_SEQPACKET, "hello"), content: "hello"},
		"a part that begins so":       {value: "3", given: socket(unix.SOCK_SEQPACKET, header+"this one\n"), content: header + "this one\n"},
	} {
		var said strings.Builder
		cmd := command(t, &said)
		cmd.Env = append(cmd.Env, variable+"="+c.value)
		if c.given != nil {
			cmd.ExtraFiles = []*os.File{c.given}
		}
		if err := cmd.Run(); err != nil || said.String() != "no part\n" {
			t.Errorf("%s: %v, %s", name, err, said.String())
		}
		if c.content != "" {
			data := make([]byte, 100)
			n, _, err := unix.Recvfrom(int(c.given.Fd()), data, unix.MSG_DONTWAIT)
			if err != nil || string(data[:n]) != c.content {
				t.Errorf("%s: of %q there is left %q, %v", name, c.content, data[:max(n, 0)], err)
			}
		}
		if c.given != nil {
			_ = c.given.Close()
		}
	}
}

// A socket with the right words in it that the parent has not made, as one that
// was handed on: refused, and nothing is done.
func TestSocketOfAnotherProcess(t *testing.T) {
	var said strings.Builder
	cmd := command(t, &said)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "/proc/" + fmt.Sprint(os.Getpid()) + "/exe; true"}
	socket, err := Start(cmd, cmd.Start, "this", "a text")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "is not its parent, or is gone") {
		t.Errorf("%v, %s", err, said.String())
	}
}
