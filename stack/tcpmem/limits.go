package tcpmem

// Limits are the bounds of a Pool, in bytes. The names are those of the three
// values of net.ipv4.tcp_mem and of net.ipv4.tcp_wmem (man 7 tcp). Low, Pressure
// and High are compared with what connections hold beyond their Min.
type Limits struct {
	Low      int64 // below it, pressure has ended
	Pressure int64 // above it, there is memory pressure; connections without progress get no more
	High     int64 // above it, no connection gets more than Min

	Min int // of each connection, whatever the others hold
	Max int // of each connection, however fast it is
}

const (
	// Min is a page, as tcp_wmem's first value is.
	Min = 4 << 10
	// Max is tcp_wmem's third value on a machine with much memory.
	Max = 4 << 20

	maxPressure = 24 << 20
	minPressure = 1 << 20
)

// LimitsFor are the limits of a process that may use this many bytes of memory:
// as in tcp_init_mem, pressure begins at a sixteenth of them, but at 24 MB of much
// memory, and at 1 MB of little. Low is 3/4 of that, High twice as much. Zero or
// less means that the memory is not known, which is taken for much.
func LimitsFor(memory int64) Limits {
	pressure := int64(maxPressure)
	if memory > 0 {
		pressure = min(max(memory/16, minPressure), maxPressure)
	}
	return Limits{
		Low: pressure / 4 * 3, Pressure: pressure, High: 2 * pressure,
		Min: Min, Max: Max,
	}
}

// Want is what a connection asks for.
type Want struct {
	Held      int // bytes that it has reserved
	More      int // bytes that it wants to reserve beyond those
	Initial   int // bytes that it may hold without progress, at most
	Delivered int // bytes that it has got rid of lately, in about a second
}

const (
	// fraction is which part of what is left one connection may hold: 1/8.
	fraction = 8
	// lead is how much more than was delivered in a second may be held: a
	// connection doubles its speed before the next look at it.
	lead = 4
)

// beyondMin is how much of what a connection holds is counted.
func (l *Limits) beyondMin(held int) int64 { return int64(max(held-l.Min, 0)) }

// Allowed is how many bytes a connection may hold when all of them hold total.
func (l *Limits) Allowed(total int64, w Want) int {
	idle := min(int64(w.Initial), (l.Pressure-total)/fraction)
	busy := min(int64(l.Max), lead*int64(w.Delivered), (l.High-total)/fraction)
	return int(max(int64(l.Min), idle, busy))
}
