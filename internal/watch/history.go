package watch

import "time"

// rates are numbers since the start, or per second.
type rates struct{ syns, drops, accepts float64 }

// sample is a listener's counters at a time.
type sample struct {
	at    time.Time
	total rates
}

// historyTime is how far back sparklines can go.
const historyTime = 3 * time.Minute

// history remembers counters, for rates and sparklines.
type history struct{ samples []sample } // in order of time

// add takes counters as they are at a time, in order. Ones that went backwards
// are those of another instance.
func (h *history) add(at time.Time, counters map[string]uint64) {
	s := sample{at, rates{
		// every SYN that tcpdump sees: those that reach LISTEN, and repeated ones of entries
		syns:    float64(counters["SYNsReceived"] + counters["SYNsRepeated"]),
		drops:   float64(counters["ListenDrops"]),
		accepts: float64(counters["Accepts"]),
	}}
	if n := len(h.samples); n > 0 {
		last := h.samples[n-1]
		if s.total.syns < last.total.syns || s.total.drops < last.total.drops || s.total.accepts < last.total.accepts {
			h.samples = nil
		}
	}
	for len(h.samples) > 1 && at.Sub(h.samples[1].at) > historyTime {
		h.samples = h.samples[1:]
	}
	h.samples = append(h.samples, s)
}

// first and last are the times that are known.
func (h *history) span() (first, last time.Time, ok bool) {
	if len(h.samples) == 0 {
		return first, last, false
	}
	return h.samples[0].at, h.samples[len(h.samples)-1].at, true
}

// totals are the counters at a time, interpolated between samples.
func (h *history) totals(at time.Time) rates {
	before := h.samples[0]
	for _, s := range h.samples {
		if s.at.After(at) {
			part := float64(at.Sub(before.at)) / float64(s.at.Sub(before.at))
			if at.Before(before.at) {
				part = 0
			}
			return rates{
				before.total.syns + part*(s.total.syns-before.total.syns),
				before.total.drops + part*(s.total.drops-before.total.drops),
				before.total.accepts + part*(s.total.accepts-before.total.accepts),
			}
		}
		before = s
	}
	return before.total
}

// rate is what happened in the second before to, per second; less than a second
// after the beginning, since then.
func (h *history) rate(to time.Time) rates {
	first, _, ok := h.span()
	if !ok {
		return rates{}
	}
	from := to.Add(-time.Second)
	if from.Before(first) {
		from = first
	}
	passed := to.Sub(from).Seconds()
	if passed <= 0 {
		return rates{}
	}
	a, b := h.totals(from), h.totals(to)
	return rates{(b.syns - a.syns) / passed, (b.drops - a.drops) / passed, (b.accepts - a.accepts) / passed}
}

// perSecond are the rates of the last n whole seconds, the newest one last; fewer
// than n if not so many are known.
func (h *history) perSecond(n int) []rates {
	first, last, ok := h.span()
	if !ok {
		return nil
	}
	end := last.Truncate(time.Second)
	n = min(n, int(end.Sub(first)/time.Second))
	list := make([]rates, 0, max(n, 0))
	for ; n > 0; n-- {
		list = append(list, h.rate(end.Add(time.Duration(1-n)*time.Second)))
	}
	return list
}

// sparks are the heights of a sparkline.
var sparks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values, the largest one as high as can be, in a width.
func sparkline(values []float64, width int) string {
	line := make([]rune, 0, width)
	for range width - len(values) {
		line = append(line, ' ')
	}
	values = values[max(0, len(values)-width):]
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	for _, v := range values {
		height := 0
		if v > 0 {
			height = max(1, int(v/top*float64(len(sparks)-1)))
		}
		line = append(line, sparks[height])
	}
	return string(line)
}
