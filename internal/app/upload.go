package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// uploaded is the answer to an upload.
type uploaded struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// serveUpload reads the body and answers what it was.
func serveUpload(rw http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	n, err := copyStream(hash, &moving{r.Body, http.NewResponseController(rw)}, r.Context().Value(connKey{}))
	if err != nil {
		http.Error(rw, fmt.Sprintf("the upload broke off after %d bytes: %v", n, err), http.StatusBadRequest)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(uploaded{n, hex.EncodeToString(hash.Sum(nil))}) // a client that left hears nothing
}

// moving reads a body, which may take any time as long as it moves. A client
// that vanished without a word would be waited for without end.
type moving struct {
	body io.Reader
	conn *http.ResponseController
}

func (m *moving) Read(p []byte) (int, error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return m.body.Read(p)
}
