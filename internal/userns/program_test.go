package userns

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
)

// A signal that comes in the moment in which the program is started reaches the
// program: it is neither lost nor taken for one that calls the program off.
func TestSignalAtTheStart(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		ctx, stop := context.WithCancel(t.Context())
		room := &Room{parent: os.Getppid()}
		p := room.NewProgram([]string{sh, "-c", "trap 'exit 7' TERM; kill -TERM $PPID; while :; do sleep 0.01; done"}, stop)
		if err := p.Start(stop); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done() // by the program's end; a signal that calls it off comes first, where that is wrong
		select {
		case <-p.ended:
		default:
			p.kill()
			_ = p.End()
			t.Fatal("a signal called off a program that was being started")
		}
		exit, ok := errors.AsType[*ExitError](p.End())
		if !ok || exit.Code != 7 {
			t.Fatalf("%v, want exit code 7", exit)
		}
	}
}
