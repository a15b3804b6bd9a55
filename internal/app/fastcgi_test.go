package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/app/apptest"
)

// Types of FastCGI records (the specification's section 8).
const (
	fcgiBegin  = 1
	fcgiAbort  = 2
	fcgiEnd    = 3
	fcgiParams = 4
	fcgiStdin  = 5
	fcgiStdout = 6
)

// webServer is the web server's end of a FastCGI connection.
type webServer struct {
	t *testing.T
	net.Conn
}

// record writes a record of request 1.
func (w *webServer) record(kind byte, content []byte) {
	w.t.Helper()
	header := []byte{1, kind, 0, 1, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(header[4:], uint16(len(content)))
	if _, err := w.Write(append(header, content...)); err != nil {
		w.t.Fatal(err)
	}
}

// ask begins a request and ends it with its body; keep keeps the connection.
func (w *webServer) ask(method, uri, body string, keep bool) {
	w.t.Helper()
	flags := byte(0)
	if keep {
		flags = 1
	}
	w.record(fcgiBegin, []byte{0, 1, flags, 0, 0, 0, 0, 0})
	var params bytes.Buffer
	for name, value := range map[string]string{
		"REQUEST_METHOD": method, "REQUEST_URI": uri, "SERVER_PROTOCOL": "HTTP/1.1",
		"CONTENT_LENGTH": strconv.Itoa(len(body)), "HTTP_HOST": "lab.example",
	} {
		params.Write([]byte{byte(len(name)), byte(len(value))})
		params.WriteString(name + value)
	}
	w.record(fcgiParams, params.Bytes())
	w.record(fcgiParams, nil)
	if body != "" {
		w.record(fcgiStdin, []byte(body))
	}
	w.record(fcgiStdin, nil)
}

// answer reads an answer to its end.
func (w *webServer) answer() (status int, body string, err error) {
	var out bytes.Buffer
	for {
		header := make([]byte, 8)
		if _, err := io.ReadFull(w, header); err != nil {
			return 0, "", err
		}
		content := make([]byte, int(binary.BigEndian.Uint16(header[4:]))+int(header[6]))
		if _, err := io.ReadFull(w, content); err != nil {
			return 0, "", err
		}
		switch content = content[:binary.BigEndian.Uint16(header[4:])]; header[1] {
		case fcgiStdout:
			out.Write(content)
		case fcgiEnd:
			text := strings.Replace(out.String(), "Status: ", "HTTP/1.0 ", 1)
			res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
			if err != nil {
				return 0, "", fmt.Errorf("%w in %q", err, out.String())
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			return res.StatusCode, string(b), err
		}
	}
}

// want wants an answer.
func (w *webServer) want(status int, contains string) {
	w.t.Helper()
	got, body, err := w.answer()
	if err != nil || got != status || !strings.Contains(body, contains) {
		w.t.Fatalf("answer %d, %q, %v; want %d with %q", got, body, err, status, contains)
	}
}

// ended wants the connection to be closed.
func (w *webServer) ended() {
	w.t.Helper()
	if _, err := w.Read(make([]byte, 1)); err == nil {
		w.t.Fatal("the connection goes on")
	}
}

func connectFastCGI(t *testing.T, l *apptest.Listener) *webServer {
	w := &webServer{t, l.Connect()}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func TestFastCGIAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "fastcgi", Info: func(local net.Addr) app.Info {
			return app.Info{Profile: "linux", Limit: local.Network()}
		}}, l)
		w := connectFastCGI(t, l)
		for _, c := range []struct {
			method, uri, body string
			status            int
			contains          string
		}{
			{"GET", "/", "", 200, "pipe"},
			{"GET", "/bytes/32", "", 200, "000000000000010\n"},
			{"GET", "/sleep/2s?x=y", "", 200, "slept 2s"},
			{"POST", "/upload", strings.Repeat("x", 3000), 200, `"bytes":3000`},
			{"GET", "/nothing", "", 404, "no such path: /nothing"},
			{"DELETE", "/", "", 405, "takes GET, HEAD"},
		} {
			w.ask(c.method, c.uri, c.body, true)
			w.want(c.status, c.contains)
		}
		s.wantServing(1)
		w.ask("GET", "/", "", false)
		w.want(200, "linux")
		w.ended()
		s.wantServing(0)
		s.end()
	})
}

// A worker of php-fpm is busy until its script is done, whoever waits for it.
func TestFastCGIWorkerOutlastsItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "fastcgi", Workers: 1, Work: 10 * time.Second}, l)
		gone := connectFastCGI(t, l)
		gone.ask("GET", "/", "", false)
		synctest.Wait() // until its worker is at work
		_ = gone.Close()
		w := connectFastCGI(t, l)
		wantQueued(t, l, 1)
		s.wantServing(1)
		start := time.Now()
		w.ask("GET", "/", "", false)
		w.want(200, "")
		if took := time.Since(start); took != 20*time.Second {
			t.Fatalf("answered after %v, want 10s of the one who left and 10s of its own", took)
		}
		w.ended()
		s.end()
	})
}

func TestFastCGIEndsInTheMiddle(t *testing.T) {
	for name, begin := range map[string]func(w *webServer){
		"at work": func(w *webServer) { w.ask("GET", "/sleep/1h", "", true) },
		"in an upload": func(w *webServer) {
			w.ask("POST", "/upload", "", true)
			w.want(200, `"bytes":0`)
			w.record(fcgiBegin, []byte{0, 1, 1, 0, 0, 0, 0, 0})
		},
		"in a record": func(w *webServer) { _, _ = w.Write([]byte{1, fcgiBegin, 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := apptest.NewListener()
				s := serve(t, app.Config{App: "fastcgi"}, l)
				w := connectFastCGI(t, l)
				begin(w)
				s.wantServing(1)
				s.end()
				w.ended()
			})
		})
	}
}

func TestFastCGIOfNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "fastcgi"}, l)
		http := connectFastCGI(t, l)
		_, _ = http.Write([]byte("GET / HTTP/1.1\r\nHost: lab\r\n\r\n")) // a browser's: no version 1
		http.ended()
		s.wantServing(0)
		w := connectFastCGI(t, l)
		w.record(fcgiBegin, []byte{0, 1, 0, 0, 0, 0, 0, 0})
		w.record(fcgiAbort, nil)
		for range 2 { // the header of the end, and its content
			_, _ = w.Read(make([]byte, 16))
		}
		w.ended()
		s.wantServing(0)
		s.end()
	})
}

// The queue of the kernel's own listener drains as web servers are served.
func TestFastCGIOverTCP(t *testing.T) {
	srv, err := app.New(app.Config{App: "fastcgi", Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	for range 20 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		w := &webServer{t, conn}
		w.ask("GET", "/bytes/100k", "", false)
		w.want(200, "0000000000018ff\n"[:8])
		_ = conn.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
