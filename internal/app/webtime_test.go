package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/app/apptest"
)

// request sends the head of a request and as much of a body as is given. A pipe
// has no buffer, so it is written by a goroutine, which the connection's end
// ends.
func request(c net.Conn, lines ...string) {
	go func() { _, _ = io.WriteString(c, strings.Join(lines, "\r\n")) }()
}

// wantAnswerAfter wants an answer d after the call.
func wantAnswerAfter(t *testing.T, c net.Conn, d time.Duration, status int) {
	t.Helper()
	start := time.Now()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != status || time.Since(start) != d {
		t.Fatalf("%s after %v, want %d after %v", res.Status, time.Since(start), status, d)
	}
}

// wantEndAfter wants the connection closed d after the call, without a word.
func wantEndAfter(t *testing.T, c net.Conn, d time.Duration) {
	t.Helper()
	start := time.Now()
	if got, err := io.ReadAll(c); err != nil || len(got) > 0 || time.Since(start) != d {
		t.Fatalf("%q, %v after %v, want nothing after %v", got, err, time.Since(start), d)
	}
}

func TestWorkDelaysEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{Work: 3 * time.Second}, l)
		c := l.Connect()
		for range 2 {
			request(c, "GET /bytes/5 HTTP/1.1", "Host: x", "", "")
			wantAnswerAfter(t, c, 3*time.Second, 200)
		}
		request(c, "GET /sleep/1m HTTP/1.1", "Host: x", "", "")
		wantAnswerAfter(t, c, time.Minute+3*time.Second, 200)
		_ = c.Close()
		s.end()
	})
}

// An application at work does not notice that its client has left.
func TestWorkOutlivesTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{Work: 3 * time.Second}, l)
		c := l.Connect()
		request(c, "GET / HTTP/1.1", "Host: x", "", "")
		synctest.Wait()
		_ = c.Close()
		time.Sleep(3*time.Second - time.Nanosecond)
		s.wantServing(1)
		time.Sleep(time.Nanosecond)
		s.wantServing(0)
		s.end()
	})
}

func TestSleepEndsWhenTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{Workers: 1}, l)
		c := l.Connect()
		request(c, "GET /sleep/1h HTTP/1.1", "Host: x", "", "")
		s.wantServing(1)
		_ = c.Close()
		s.wantServing(0)
		s.end()
	})
}

func TestSilentClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{}, l)

		wantEndAfter(t, l.Connect(), time.Minute)

		c := l.Connect()
		request(c, "GET / HTTP/1.1", "Host: ")
		wantEndAfter(t, c, time.Minute)

		c = l.Connect()
		request(c, "GET /bytes/0 HTTP/1.1", "Host: x", "", "")
		wantAnswerAfter(t, c, 0, 200)
		wantEndAfter(t, c, time.Minute)

		s.wantServing(0)
		s.end()
	})
}

// An upload may take any time as long as it moves, and not much longer.
func TestUploadStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{}, l)
		c := l.Connect()
		request(c, "POST /upload HTTP/1.1", "Host: x", "Content-Length: 100", "", "")
		for range 99 {
			time.Sleep(5*time.Minute - time.Nanosecond)
			request(c, "x")
			s.wantServing(1)
		}
		wantAnswerAfter(t, c, 5*time.Minute, 400)
		_ = c.Close()
		time.Sleep(time.Second) // net/http waits so before it closes
		s.wantServing(0)
		s.end()
	})
}

// Whatever connections are doing, the end does not wait for it.
func TestEndInTheMiddle(t *testing.T) {
	for name, lines := range map[string][]string{
		"nothing sent": {""},
		"half a head":  {"GET / HT"},
		"sleeping":     {"GET /sleep/1h HTTP/1.1", "Host: x", "", ""},
		"downloading":  {"GET /bytes/1G HTTP/1.1", "Host: x", "", ""},
		"uploading":    {"POST /upload HTTP/1.1", "Host: x", "Content-Length: 1000000", "", "abc"},
		"continuing":   {"POST /upload HTTP/1.1", "Host: x", "Content-Length: 10", "Expect: 100-continue", "", ""},
		"pipelining":   {strings.Repeat("GET /sleep/1h HTTP/1.1\r\nHost: x\r\n\r\n", 3)},
	} {
		for _, work := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprintf("%s, work %v", name, work), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := apptest.NewListener()
					s := serve(t, app.Config{Work: work}, l)
					request(l.Connect(), lines...)
					s.wantServing(1)
					s.end()
				})
			})
		}
	}
}

func TestEndBetweenRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{}, l)
		c := l.Connect()
		request(c, "GET /bytes/0 HTTP/1.1", "Host: x", "", "")
		wantAnswerAfter(t, c, 0, 200)
		s.wantServing(1)
		s.end()
	})
}
