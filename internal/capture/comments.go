package capture

import (
	"fmt"

	"tcplab/internal/trace"
)

// comments are what there is to say about a packet, each in a line: what is
// missing before it, and what the listener made of it, "SYN dropped: 13 of 13
// queued (incomplete 0, completed 13), bsd, backlog 8". What is about another
// connection names its client first.
func comments(p *trace.Packet) []string {
	if p.Lost == 0 && p.LostEvents == 0 && len(p.Events) == 0 {
		return nil
	}
	var list []string
	if p.Lost > 0 {
		list = append(list, fmt.Sprintf("%d packets are missing before this one: the capture was too slow for them", p.Lost))
	}
	if p.LostEvents > 0 {
		list = append(list, fmt.Sprintf("%d events are missing before this one, which no packet showed: tcplab events has all", p.LostEvents))
	}
	tuple, ok := p.Tuple()
	for i := range p.Events {
		e := &p.Events[i]
		if ok && e.Tuple == tuple {
			list = append(list, e.Words()+": "+e.Reason())
		} else {
			list = append(list, e.String())
		}
	}
	return list
}
