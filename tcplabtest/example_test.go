package tcplabtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"tcplab/tcplabtest"
)

// newClient is what a program under test might have. Its timeout is a connect
// timeout: without DialContext the test below would hang for two minutes.
func newClient() *http.Client {
	dialer := &net.Dialer{Timeout: 250 * time.Millisecond}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, ResponseHeaderTimeout: time.Minute}}
}

// TestClientGivesUpConnecting is such a program's test.
func TestClientGivesUpConnecting(t *testing.T) {
	addr := tcplabtest.FullListener(t)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := newClient().Do(request)
	if err == nil {
		response.Body.Close()
	}
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("at a full listener: %v, want a timeout", err)
	}
}

func ExampleFullListener() {
	test := func(t testing.TB) {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_, err := new(net.Dialer).DialContext(ctx, "tcp", tcplabtest.FullListener(t))
		timeout, ok := errors.AsType[net.Error](err)
		fmt.Println("timeout:", ok && timeout.Timeout())
	}
	testing.Benchmark(func(b *testing.B) { // any testing.TB will do
		if b.N == 1 {
			test(b)
		}
	})
	// Output: timeout: true
}
