package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tcplab/internal/jsonapi"
	"tcplab/listener/backlog/profiles"
)

const (
	maxClients = 32               // pages at once
	mailbox    = 10               // frames that wait for a page: two seconds
	writeTime  = 10 * time.Second // a page that takes nothing for so long is cut off
)

// client is a page that is being told.
type client struct {
	mailbox chan told // closed when the server ends
}

// told is a message to a page.
type told struct {
	text   []byte
	events int  // that happened in its time
	lost   Lost // what was left out before it
}

// message makes a server-sent event of v.
func message(name string, v any, events int) told {
	var text bytes.Buffer
	fmt.Fprintf(&text, "event: %s\ndata: ", name)
	encoder := json.NewEncoder(&text) // one line, and its end
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // a bug: all of it is ours
		panic(fmt.Sprintf("ui: encoding %T: %v", v, err))
	}
	text.WriteByte('\n')
	return told{text: text.Bytes(), events: events}
}

// sendLocked puts a message into each mailbox, in the place of the oldest one
// where it is full.
func (s *Server) sendLocked(m told) {
	for c := range s.clients {
		c.send(m)
	}
}

func (c *client) send(m told) {
	for {
		select {
		case c.mailbox <- m:
			return
		default:
		}
		select {
		case old := <-c.mailbox:
			m.lost.Frames += old.lost.Frames + 1
			m.lost.Events += old.lost.Events + old.events
		default: // the page has just taken one
		}
	}
}

// join makes a client with a hello in its mailbox, or says why not.
func (s *Server) join() (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, jsonapi.Errorf(http.StatusServiceUnavailable, "the instance is ending")
	case len(s.clients) >= maxClients:
		return nil, jsonapi.Errorf(http.StatusServiceUnavailable, "%d pages watch this instance already: close one of them", maxClients)
	}
	c := &client{mailbox: make(chan told, mailbox)}
	c.send(message("hello", s.helloLocked(time.Now()), 0))
	s.clients[c] = true
	return c, nil
}

// leave forgets a client.
func (s *Server) leave(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}

// helloLocked is all that a page needs to begin.
func (s *Server) helloLocked(now time.Time) Hello {
	status := s.instance.Status(entriesShown)
	sample, _ := newSample(now, &status, s.before)
	h := Hello{
		PID: status.PID, Started: status.Started, Dev: status.Dev, MTU: status.MTU, App: status.App,
		Samples: s.samples, Recent: records(s.recent), Frame: s.frameLocked(now, &status, sample),
	}
	h.Frame.Connections = s.history.summaries(true)
	for _, p := range profiles.All() {
		h.Profiles = append(h.Profiles, ProfileText{p.Name, p.Systems, p.Rule})
	}
	return h
}

// live streams to a page until it goes or the server ends.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	c, err := s.join()
	if err != nil {
		jsonapi.Refuse(w, err)
		return
	}
	defer s.leave(c)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	write := func(m told) error {
		_ = control.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := w.Write(m.text); err != nil {
			return err
		}
		return control.Flush()
	}
	for {
		select {
		case m, ok := <-c.mailbox:
			if !ok {
				_ = write(message("bye", struct{}{}, 0)) // and that was it
				return
			}
			if m.lost.Frames > 0 && write(message("lost", m.lost, 0)) != nil {
				return
			}
			if write(m) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
