package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"tcplab/internal/app/apptest"
)

// A handler that panics loses its connection and its worker's time; the worker
// serves the next client, and the log says what happened.
func TestPanicEndsOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		srv, err := New(Config{Workers: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		srv.app = App{"fragile", "panics", stream(func(_ context.Context, conn net.Conn) {
			first := make([]byte, 1)
			if _, err := conn.Read(first); err == nil && first[0] == '!' {
				panic("out of cheese")
			}
			_, _ = conn.Write(first)
		})}
		l := apptest.NewListener()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- srv.Serve(ctx, l) }()

		for _, test := range []struct{ send, want string }{{"!", ""}, {"x", "x"}} {
			client := l.Connect()
			if _, err := client.Write([]byte(test.send)); err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(client)
			if string(got) != test.want {
				t.Errorf("after %q the client reads %q", test.send, got)
			}
		}
		cancel()
		if err := <-done; err != nil || srv.Serving() != 0 {
			t.Errorf("Serve returns %v, with %d being served", err, srv.Serving())
		}
		for _, want := range []string{"app=fragile", `panic="out of cheese"`, "panic_test.go"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %s: %s", want, &log)
			}
		}
	})
}
