package control

import (
	"net/http"
	"strconv"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/jsonapi"
)

const (
	maxBody    = 64 << 10 // bytes of a request
	streamRing = 4096     // events that wait for a client
	maxEvery   = 10 * time.Second
)

// acceptRequest is the body of POST /v1/accept.
type acceptRequest struct {
	N int `json:"n"`
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/status", jsonapi.Answer(maxBody, s.status))
	mux.Handle("POST /v1/accept", jsonapi.Answer(maxBody, s.accept))
	mux.Handle("POST /v1/set", jsonapi.Answer(maxBody, s.set))
	mux.Handle("POST /v1/down", http.HandlerFunc(s.down))
	mux.Handle("GET /v1/counters", jsonapi.Answer(maxBody, s.counters))
	mux.Handle("GET /v1/sockets", jsonapi.Answer(maxBody, s.sockets))
	mux.Handle("GET /v1/events", http.HandlerFunc(s.events))
	mux.Handle("GET /v1/capture", http.HandlerFunc(s.capture))
	mux.Handle("/", jsonapi.Answer(maxBody, unknown))
	return mux
}

func unknown(r *http.Request) (any, error) {
	return nil, jsonapi.Errorf(http.StatusNotFound, "%s %s is unknown to this instance: is it of another version than the command?", r.Method, r.URL.Path)
}

func (s *Server) status(r *http.Request) (endpoint.Status, error) {
	limit, err := entries(r)
	if err != nil {
		return endpoint.Status{}, err
	}
	return s.instance.Status(limit), nil
}

// entries reads how many entries a client wants to have listed.
func entries(r *http.Request) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return endpoint.Everything, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, jsonapi.Errorf(http.StatusBadRequest, "limit %q: give how many entries of a queue to list, 0 or more", text)
	}
	return n, nil
}

func (s *Server) counters(*http.Request) (endpoint.Counters, error) {
	return s.instance.Counters(), nil
}

func (s *Server) sockets(r *http.Request) (endpoint.Sockets, error) {
	limit, err := entries(r)
	if err != nil {
		return endpoint.Sockets{}, err
	}
	return s.instance.Sockets(limit), nil
}

func (s *Server) accept(r *http.Request) (endpoint.Taken, error) {
	var request acceptRequest
	if err := jsonapi.Decode(r, &request); err != nil {
		return endpoint.Taken{}, err
	}
	return s.instance.Accept(r.Context(), request.N)
}

func (s *Server) set(r *http.Request) (endpoint.Status, error) {
	var changes map[string]string
	if err := jsonapi.Decode(r, &changes); err != nil {
		return endpoint.Status{}, err
	}
	if err := s.instance.Set(changes); err != nil {
		return endpoint.Status{}, err
	}
	return s.instance.Status(0), nil
}

// down asks the instance to end, and answers when it has.
func (s *Server) down(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // a unix socket has deadlines
	_ = control.SetWriteDeadline(time.Time{})
	s.askOnce.Do(func() { close(s.asked) })
	select {
	case <-s.stopped:
		_ = control.SetWriteDeadline(time.Now().Add(writeTime))
		jsonapi.Reply(w, s.final)
	case <-r.Context().Done():
	}
}

// events streams the instance's events until it ends or the client does.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	kinds, err := events.ParseKinds(r.FormValue("kinds"))
	if err != nil {
		jsonapi.Refuse(w, err)
		return
	}
	keep, every, err := pace(r)
	if err != nil {
		jsonapi.Refuse(w, err)
		return
	}
	subscribe := s.instance.Subscribe
	recent := r.FormValue("recent")
	switch recent {
	case "":
	case "too", "only":
		subscribe, keep = s.instance.Replay, max(keep, events.Kept)
	default:
		jsonapi.Refuse(w, jsonapi.Errorf(http.StatusBadRequest, "recent %q: give too, or only", recent))
		return
	}
	subscription := subscribe(keep, kinds)
	defer subscription.Close()
	if recent == "only" {
		subscription.Close()
	}

	out := &stream{w, http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/jsonl")
	w.WriteHeader(http.StatusOK)
	if out.Flush() != nil {
		return
	}
	_ = events.CopyEvery(r.Context(), out, subscription, events.JSON, every) // nobody is left to tell
}

// pace reads how a client wants its events: the newest keep of them, told every
// so often. By default that is a long queue, told at once.
func pace(r *http.Request) (keep int, every time.Duration, err error) {
	keep = streamRing
	if text := r.FormValue("keep"); text != "" {
		if keep, err = strconv.Atoi(text); err != nil || keep < 1 || keep > streamRing {
			return 0, 0, jsonapi.Errorf(http.StatusBadRequest, "keep %q: give how many events wait for you, 1 to %d", text, streamRing)
		}
	}
	if text := r.FormValue("every"); text != "" {
		if every, err = time.ParseDuration(text); err != nil || every < 0 || every > maxEvery {
			return 0, 0, jsonapi.Errorf(http.StatusBadRequest, "every %q: give a time from 0 to %v", text, maxEvery)
		}
	}
	return keep, every, nil
}

// stream is an answer without an end. A client that does not read for a while
// is cut off.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s *stream) Write(p []byte) (int, error) {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTime))
	return s.w.Write(p)
}

func (s *stream) Flush() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTime))
	return s.control.Flush()
}
