package stack

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
)

// Socket is an adopted connection as ss(8) shows it.
type Socket struct {
	Tuple segment.Tuple
	State State
	RecvQ int // bytes that the application has not read
	SendQ int // bytes that it has written and the client not acknowledged; a FIN is one
}

// State is a TCP state as ss(8) names it.
type State string

// The states of an adopted connection.
const (
	Established State = "ESTAB"
	FinWait1    State = "FIN-WAIT-1"
	FinWait2    State = "FIN-WAIT-2"
	TimeWait    State = "TIME-WAIT"
	CloseWait   State = "CLOSE-WAIT"
	LastACK     State = "LAST-ACK"
	Closing     State = "CLOSING"
)

// socketStates are netstack's states. One that is not among them is that of no
// socket any more.
var socketStates = map[tcp.EndpointState]State{
	tcp.StateInitial:     Established, // netstack is about to adopt it
	tcp.StateEstablished: Established,
	tcp.StateFinWait1:    FinWait1,
	tcp.StateFinWait2:    FinWait2,
	tcp.StateTimeWait:    TimeWait,
	tcp.StateCloseWait:   CloseWait,
	tcp.StateLastAck:     LastACK,
	tcp.StateClosing:     Closing,
}

// Sockets are the adopted connections of about this moment, at most limit of
// them, in no order.
func (s *Stack) Sockets(limit int) []Socket {
	list := []Socket{}
	for _, f := range s.flows.all() {
		if len(list) >= limit {
			break
		}
		state, ok := f.socketState()
		if !ok {
			continue
		}
		socket := Socket{Tuple: f.tuple, State: state}
		if ep := f.endpoint.Load(); ep != nil && state != TimeWait {
			if n, err := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption); err == nil { // it has just ended, perhaps
				socket.RecvQ = n
			}
			socket.SendQ = f.sendQ()
		}
		list = append(list, socket)
	}
	return list
}

// States counts the adopted connections by their state.
func (s *Stack) States() map[State]int {
	byState := make(map[State]int, len(socketStates))
	for _, state := range socketStates {
		byState[state] = 0
	}
	for _, f := range s.flows.all() {
		if state, ok := f.socketState(); ok {
			byState[state]++
		}
	}
	return byState
}

// socketState is the connection's state; false if it is gone.
func (f *flow) socketState() (State, bool) {
	if flowState(f.state.Load()) == gone {
		return "", false
	}
	state, ok := socketStates[f.endpointState()]
	return state, ok
}

// sendQ is what Linux reports as write_seq - snd_una (tcp_get_info,
// tcp_diag_get_info). A write that is under way counts as far as netstack has taken
// it.
func (f *flow) sendQ() int {
	una := f.sndUna.Load()
	flight := int32(f.sndNxt.Load() - una)
	waiting := int32(f.written.Load() - (una - (f.iss + 1)))
	if f.finSent.Load() {
		waiting++
	}
	return int(max(flight, waiting, 0))
}

// sent notes how far a segment of netstack's goes, after translation.
func (f *flow) sent(ip *segment.IP, header []byte) {
	flags := segment.Flags(header[offFlags])
	if flags.Has(segment.RST) {
		f.rstSent.Store(true)
		return
	}
	length := uint32(len(ip.Payload()) - len(header))
	end := binary.BigEndian.Uint32(header[offSeq:]) + length
	if length == 0 && end+1 == f.sndNxt.Load() && flags&^segment.ACK == 0 {
		f.s.counters.add(KeepaliveProbes) // tcp_write_wakeup
	}
	if flags.Has(segment.FIN) {
		end++
		f.finSent.Store(true)
	}
	if segment.After(end, f.sndNxt.Load()) {
		f.sndNxt.Store(end)
	}
}

// acknowledged notes how far the client acknowledges, before translation.
func (f *flow) acknowledged(header []byte) {
	if !segment.Flags(header[offFlags]).Has(segment.ACK) {
		return
	}
	ack := binary.BigEndian.Uint32(header[offAck:])
	una := f.sndUna.Load()
	if segment.After(ack, una) && !segment.After(ack, f.sndNxt.Load()) {
		f.sndUna.Store(ack)
		f.send.acknowledged(ack-(f.iss+1), int(ack-una))
	}
}
