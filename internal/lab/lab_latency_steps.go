package lab

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
)

var latencyStepsLab = &Lab{
	Name:  "latency-steps",
	Title: "A slow accepter under load: connect times with steps at 1 s and 3 s; then the same with a larger backlog",
	About: `A server that calls accept more slowly than clients arrive fills its queue. From then on a SYN gets in only when a place has just become free; the others are dropped, and come again after 1 s, 3 s and 7 s. A histogram of connect times has almost nothing between 0 and 1 s, a heap at 1 s, another at 3 s. Whoever sees such steps in production should look for a full accept queue, not for a slow network.

A larger backlog takes the steps away: everybody is queued at once. It does not make the server faster. The time is now spent in the queue, after connect(2) and before accept, where the client waits for its answer.`,
	run: latencySteps,
}

// The load: more than the accepter takes, for three seconds.
const (
	loadClients = 120
	loadEach    = 25 * time.Millisecond
	loadAccept  = 20 // a second
)

func latencySteps(s *Scene) {
	steps := s.load(4)
	s.Claim(steps[1] > 0, "%d clients connected after 1 s: their second SYN got in", steps[1])
	s.Claim(steps[2] > 0, "%d after 3 s, with their third", steps[2])
	late := 0
	for n, count := range steps {
		if n > 0 {
			late += count
		}
	}
	s.Say("%d of %d clients lost a second or more before they were even connected.", late, loadClients)

	steps = s.load(128)
	s.Claim(steps[0] == loadClients, "all %d were connected with their first SYN: no steps", steps[0])
}

// load has clients connect to a slow accepter, and counts how many needed n
// retransmissions of their SYN.
func (s *Scene) load(b int) map[int]int {
	s.Step("A server listens with backlog %d and calls accept %d times a second. %d clients connect, one every %v.", b, loadAccept, loadClients, loadEach)
	accept, err := app.ParseAccept(fmt.Sprintf("%d/s", loadAccept))
	s.must("reading a rate", err)
	server := s.Up(fmt.Sprintf(" --backlog %d --accept %d/s", b, loadAccept), func(c *endpoint.Config) {
		c.Backlog.Backlog, c.Accept = b, accept
	})
	var mu sync.Mutex
	var connecting sync.WaitGroup
	steps, times := make(map[int]int), make(map[int][]time.Duration)
	tick := time.NewTicker(loadEach)
	defer tick.Stop()
	for i := range loadClients {
		c, began := server.connect(i+1), time.Now()
		connecting.Go(func() {
			if c.Wait(s.ctx) != nil {
				return
			}
			took := time.Since(began)
			info, err := c.Info()
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			n := int(info.Total_retrans)
			steps[n]++
			times[n] = append(times[n], took)
		})
		select {
		case <-tick.C:
		case <-s.ctx.Done():
		}
	}
	connecting.Wait()
	s.must("connecting", s.ctx.Err())
	s.Show(histogram(times)...)
	return steps
}

// histogram draws connect times by how often the SYN was sent again.
func histogram(times map[int][]time.Duration) []string {
	lines := []string{"connect time         clients"}
	for n := range 7 {
		list := times[n]
		if len(list) == 0 {
			continue
		}
		least, most := list[0], list[0]
		for _, t := range list {
			least, most = min(least, t), max(most, t)
		}
		lines = append(lines, fmt.Sprintf("%6.2f .. %5.2f s  %4d  %s  %s", least.Seconds(), most.Seconds(), len(list),
			strings.Repeat("#", (len(list)+2)/3), []string{"first SYN", "sent again once", "twice", "3 times", "4 times", "5 times", "6 times"}[n]))
	}
	return lines
}
