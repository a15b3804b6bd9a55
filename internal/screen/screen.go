// Package screen is a terminal for tests: a pseudo-terminal whose other end is an
// emulator, so that a test can read what somebody at it would see, and type.
//
// A Screen is safe for concurrent use. It has two goroutines, which end with
// Close.
package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// Screen is a terminal.
type Screen struct {
	TTY *os.File // the end that programs use

	master   *os.File
	emulator *vt.SafeEmulator
	wg       sync.WaitGroup

	mu      sync.Mutex    // guards the following
	drawn   chan struct{} // closed and replaced when something was written
	written []byte
}

// New makes a terminal of a size.
func New(width, height int) (*Screen, error) {
	opened, tty, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("opening a pseudo-terminal: %w", err)
	}
	master, err := pollable(opened)
	if err != nil {
		return nil, errors.Join(err, tty.Close())
	}
	s := &Screen{TTY: tty, master: master, emulator: vt.NewSafeEmulator(width, height), drawn: make(chan struct{})}
	if err := s.Resize(width, height); err != nil {
		return nil, errors.Join(err, tty.Close(), master.Close())
	}
	s.wg.Go(s.draw)
	s.wg.Go(s.answer)
	return s, nil
}

// pollable is f, which it closes, as a file whose Close ends a Read.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("preparing a pseudo-terminal: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// draw gives the emulator what programs write.
func (s *Screen) draw() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.master.Read(buf)
		if n > 0 {
			_, _ = s.emulator.Write(buf[:n])
			s.mu.Lock()
			s.written = append(s.written, buf[:n]...)
			close(s.drawn)
			s.drawn = make(chan struct{})
			s.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// answer types what a terminal answers to questions.
func (s *Screen) answer() {
	buf := make([]byte, 4096)
	for {
		n, err := s.emulator.Read(buf)
		if err != nil {
			return
		}
		_, _ = s.master.Write(buf[:n]) // hung up, perhaps: the emulator waits for us nevertheless
	}
}

// Attach makes the terminal the controlling one of a program that is not started
// yet, and its input and outputs.
func (s *Screen) Attach(cmd *exec.Cmd) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.TTY, s.TTY, s.TTY
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}

// Type types text.
func (s *Screen) Type(text string) error {
	_, err := s.master.WriteString(text)
	return err
}

// Resize changes the size, of which programs are told.
func (s *Screen) Resize(width, height int) error {
	s.emulator.Resize(width, height)
	return s.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)})
	})
}

// Text is what is seen.
func (s *Screen) Text() string { return ansi.Strip(s.emulator.Render()) }

// Written is all that programs have written, escape sequences included.
func (s *Screen) Written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.written)
}

// Alternate reports that a program draws on the alternate screen.
func (s *Screen) Alternate() bool { return s.emulator.IsAltScreen() }

// CursorHidden reports that a program has hidden the cursor.
func (s *Screen) CursorHidden() bool { return s.emulator.CursorHidden() }

// Modes are the terminal's modes, which a program may change and has to restore.
func (s *Screen) Modes() (unix.Termios, error) {
	var modes unix.Termios
	err := s.control(func(fd int) error {
		now, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			modes = *now
		}
		return err
	})
	return modes, err
}

// control calls fn with the user's end, which Fd would make a blocking file.
func (s *Screen) control(fn func(fd int) error) error {
	conn, err := s.master.SyscallConn()
	if err != nil {
		return err
	}
	controlErr := conn.Control(func(fd uintptr) { err = fn(int(fd)) })
	return errors.Join(controlErr, err)
}

// Await waits until all of texts are seen at once. The error says what is seen
// instead.
func (s *Screen) Await(ctx context.Context, texts ...string) error {
	return s.AwaitThat(ctx, func(seen string) bool {
		for _, text := range texts {
			if !strings.Contains(seen, text) {
				return false
			}
		}
		return true
	})
}

// AwaitThat waits until what is seen is as it should be.
func (s *Screen) AwaitThat(ctx context.Context, ok func(seen string) bool) error {
	for {
		s.mu.Lock()
		drawn := s.drawn
		s.mu.Unlock()
		if ok(s.Text()) {
			return nil
		}
		select {
		case <-drawn:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the screen: %w; it is\n%s", ctx.Err(), s.Text())
		}
	}
}

// HangUp closes the user's end, as closing a terminal's window does.
func (s *Screen) HangUp() error { return s.master.Close() }

// Close gives the terminal up.
func (s *Screen) Close() {
	_ = s.TTY.Close()
	_ = s.master.Close() // hung up already, perhaps
	if questions, ok := s.emulator.InputPipe().(io.Closer); ok {
		_ = questions.Close()
	}
	s.wg.Wait()
}
