package control

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tcplab/internal/capture"
	"tcplab/internal/jsonapi"
)

// capture streams the instance's packets as pcapng until it ends or the client
// does. A client may stop reading for as long as it likes, as a viewer does that
// is paused: it loses packets, and is told how many.
func (s *Server) capture(w http.ResponseWriter, r *http.Request) {
	snaplen := capture.Snaplen
	if text := r.FormValue("snaplen"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || capture.CheckSnaplen(n) != nil {
			jsonapi.Refuse(w, jsonapi.Errorf(http.StatusBadRequest, "snaplen %q: give %d to %d bytes", text, capture.MinSnaplen, capture.Snaplen))
			return
		}
		snaplen = n
	}
	packets := s.instance.Trace(capture.Ring, snaplen)
	defer packets.Close()
	encoder, err := capture.NewEncoder(capture.Describe(s.instance.Status(0), snaplen))
	if err != nil {
		jsonapi.Refuse(w, err)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // a unix socket has deadlines
	_ = control.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.WriteHeader(http.StatusOK)
	_ = capture.Copy(r.Context(), capture.NewStream(w, control.Flush), packets, encoder) // nobody is left to tell
}

// Capture has the instance's packets sent as pcapng, with the first snaplen bytes
// of each, until the stream is closed, ctx ends or the instance does. The instance
// captures when Capture returns.
func (c *Client) Capture(ctx context.Context, snaplen int) (io.ReadCloser, error) {
	query := url.Values{"snaplen": {strconv.Itoa(snaplen)}}
	response, err := c.send(ctx, answerTime, http.MethodGet, "/v1/capture?"+query.Encode(), nil)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return response.Body, nil
}
