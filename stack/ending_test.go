package stack_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"tcplab/listener/segment"
	"tcplab/stack"
)

// A client that ends its connection and opens a new one on the same port at once
// gets a SYN-ACK of the listener's for its first SYN, however far netstack has
// come with what was right before it.
func TestReopenedAtOnce(t *testing.T) {
	for name, end := range map[string]func(*peer, net.Conn){
		"reset": func(p *peer, _ net.Conn) { p.send(segment.RST|segment.ACK, "") },
		"the server's FIN first": func(p *peer, conn net.Conn) {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			fin := p.receive(segment.FIN)
			p.ack = fin.Seq + fin.Len()
			p.send(segment.FIN|segment.ACK, "")
		},
		"the client's FIN first": func(p *peer, conn net.Conn) {
			p.send(segment.FIN|segment.ACK, "")
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("read %v", err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			fin := p.receive(segment.FIN)
			p.ack = fin.Seq + fin.Len()
			p.send(segment.ACK, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := b.peer(4000, 1000, allOptions)
			for i := range 300 {
				p.connect()
				p.send(segment.ACK|segment.PSH, "x")
				p.receive(segment.ACK) // netstack has it
				conn := b.accept()
				if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				end(p, conn)
				p.seq += 100
				p.tsval += 100
				if t.Failed() {
					t.Fatalf("connection %d", i)
				}
			}
			if c := b.stack.Counters(); c[stack.UnaskedSYNACKs]+c[stack.UnaskedSegments] != 0 {
				t.Errorf("%v", c.Map())
			}
		})
	}
}
