package listener

import (
	"time"

	"tcplab/listener/handshake"
)

// timersAtOnce is how many timers fire under one lock, so that segments get in
// between when very many are due.
const timersAtOnce = 256

// fireTimers sleeps until the machine's next deadline, or until an earlier one
// appears, and fires what is due. It is the only goroutine of a listener.
func (l *Listener) fireTimers() {
	defer close(l.stopped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-l.wake:
		case <-timer.C:
		}
		wait := never
		l.run(nil, func(m *handshake.Machine, out *handshake.Output) {
			now := l.now()
			m.Tick(now, timersAtOnce, out)
			l.armed = never
			if at, ok := m.NextDeadline(); ok {
				l.armed = at
				wait = max(at-now, 0)
			}
		})
		if wait == never {
			timer.Stop()
		} else {
			timer.Reset(wait)
		}
	}
}

// poke has the timer goroutine look at the deadlines again.
func (l *Listener) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
