package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The loads.
const (
	loadConnections = "connections" // connect, request, answer, close
	loadKeepAlive   = "keep-alive"  // request, answer
	loadDownload    = "download"
	loadUpload      = "upload"
	loadLatency     = "latency" // connect, one at a time
	loadHold        = "hold"    // connect and stay, until the end
	loadServed      = "served"  // how many of the clients get an answer
)

var (
	requestOnce  = []byte("GET / HTTP/1.0\r\n\r\n")
	requestAgain = []byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
)

func at(port int) string { return net.JoinHostPort(serverSide.Addr().String(), strconv.Itoa(port)) }

func (o *Order) dial(port int) (net.Conn, error) {
	return net.DialTimeout("tcp4", at(port), o.Patience)
}

// runLoad plays a load and answers with its result.
func runLoad(o *Order, encoder *json.Encoder) error {
	play := map[string]func(*Order) (Result, error){
		loadConnections: func(o *Order) (Result, error) { return many(o, connectOnce) },
		loadKeepAlive:   func(o *Order) (Result, error) { return many(o, keepAlive) },
		loadDownload:    func(o *Order) (Result, error) { return bulk(o, sourcePort, io.Reader.Read) },
		loadUpload: func(o *Order) (Result, error) {
			return bulk(o, discardPort, func(conn io.Reader, b []byte) (int, error) { return conn.(io.Writer).Write(b) })
		},
		loadLatency: latency,
		loadServed:  served,
	}[o.Load]
	if o.Load == loadHold {
		return hold(o, encoder)
	}
	if play == nil {
		return fmt.Errorf("no load %q", o.Load)
	}
	result, err := play(o)
	if err != nil {
		return fmt.Errorf("load %s: %w", o.Load, err)
	}
	return encoder.Encode(result)
}

// many has Count clients at once do something again and again for a time.
func many(o *Order, client func(ctx context.Context, o *Order, done *atomic.Int64) error) (Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.For)
	defer cancel()
	var done atomic.Int64
	errs := make([]error, o.Count)
	var clients sync.WaitGroup
	began := time.Now()
	for i := range o.Count {
		clients.Go(func() { errs[i] = client(ctx, o, &done) })
	}
	<-ctx.Done()
	count, elapsed := done.Load(), time.Since(began) // what is under way counts for none
	clients.Wait()
	if count == 0 { // on a machine that is very busy
		count, elapsed = done.Load(), time.Since(began)
	}
	return Result{Count: int(count), Elapsed: elapsed}, errors.Join(errs...)
}

func connectOnce(ctx context.Context, o *Order, done *atomic.Int64) error {
	buf := make([]byte, 4096)
	for ctx.Err() == nil {
		conn, err := o.dial(webPort)
		if err != nil {
			return err
		}
		err = o.exchange(conn, requestOnce, buf)
		if err == nil {
			_, err = io.Copy(io.Discard, conn) // until the server closes
		}
		if err := errors.Join(err, conn.Close()); err != nil {
			return err
		}
		done.Add(1)
	}
	return nil
}

func keepAlive(ctx context.Context, o *Order, done *atomic.Int64) error {
	buf := make([]byte, 4096)
	conn, err := o.dial(webPort)
	if err != nil {
		return err
	}
	defer conn.Close()
	for ctx.Err() == nil {
		if err := o.exchange(conn, requestAgain, buf); err != nil {
			return err
		}
		done.Add(1)
	}
	return nil
}

// exchange sends a request and reads the whole answer.
func (o *Order) exchange(conn net.Conn, request, buf []byte) error {
	if err := conn.SetDeadline(time.Now().Add(o.Patience)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, buf[:len(page)])
	return err
}

// bulk moves bytes over one connection for a time.
func bulk(o *Order, port int, move func(io.Reader, []byte) (int, error)) (Result, error) {
	conn, err := o.dial(port)
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	buf := make([]byte, chunk)
	warm := time.Now().Add(o.For / 4) // windows open first
	for time.Now().Before(warm) {
		if _, err := move(conn, buf); err != nil {
			return Result{}, err
		}
	}
	began, total := time.Now(), 0
	for time.Since(began) < o.For || total == 0 {
		n, err := move(conn, buf)
		if err != nil {
			return Result{}, err
		}
		total += n
	}
	return Result{Count: total, Elapsed: time.Since(began)}, nil
}

// latency connects again and again, one at a time.
func latency(o *Order) (Result, error) {
	var times []time.Duration
	buf := make([]byte, 4096)
	began := time.Now()
	for time.Since(began) < o.For || len(times) == 0 {
		start := time.Now()
		conn, err := o.dial(webPort)
		if err != nil {
			return Result{}, err
		}
		times = append(times, time.Since(start))
		if err := errors.Join(o.exchange(conn, requestOnce, buf), conn.Close()); err != nil {
			return Result{}, err
		}
	}
	slices.Sort(times)
	return Result{
		Count: len(times), Elapsed: time.Since(began),
		P50: times[len(times)/2], P99: times[len(times)*99/100],
	}, nil
}

// served counts how many of Count clients, at once, get an answer.
func served(o *Order) (Result, error) {
	var got atomic.Int64
	var clients sync.WaitGroup
	began := time.Now()
	for range o.Count {
		clients.Go(func() {
			conn, err := o.dial(webPort)
			if err != nil {
				return
			}
			defer conn.Close()
			if o.exchange(conn, requestOnce, make([]byte, 4096)) == nil {
				got.Add(1)
			}
		})
	}
	clients.Wait()
	return Result{Count: int(got.Load()), Elapsed: time.Since(began)}, nil
}

// hold opens Count connections and keeps them until the process is ended.
func hold(o *Order, encoder *json.Encoder) error {
	conns := make([]net.Conn, 0, o.Count)
	began := time.Now()
	for range o.Count {
		conn, err := o.dial(webPort)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
	}
	if err := encoder.Encode(Result{Count: len(conns), Elapsed: time.Since(began)}); err != nil {
		return err
	}
	select {} // standard input ends, and with it the process
}
