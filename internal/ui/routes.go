package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"strconv"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/jsonapi"
)

//go:embed web
var embedded embed.FS

// web are the page's files. assetsVersion is their ETag: it tells one set of
// files from another.
var web, assetsVersion = readAssets()

func readAssets() (fs.FS, string) {
	files, err := fs.Sub(embedded, "web")
	if err != nil {
		panic(err) // the name is not a path
	}
	sum := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		fmt.Fprintf(sum, "%s %d %s", path, len(data), data)
		return err
	})
	if err != nil {
		panic(err) // embedded files can be read
	}
	return files, hex.EncodeToString(sum.Sum(nil)[:8])
}

const maxBody = 16 << 10 // bytes of a request

// policy is the Content-Security-Policy: scripts and styles come from files of
// ours only, and nothing goes anywhere else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", assets)
	mux.HandleFunc("GET /api/live", s.live)
	mux.Handle("GET /api/connections/{id}", jsonapi.Answer(maxBody, s.connection))
	mux.HandleFunc("GET /api/capture.pcapng", s.capture)
	mux.Handle("POST /api/set", jsonapi.Answer(maxBody, s.set))
	mux.Handle("POST /api/accept", jsonapi.Answer(maxBody, s.accept))
	mux.Handle("/api/", jsonapi.Answer(maxBody, unknown))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		// Reading is no change, but a stream takes a place that others may need.
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "none", "same-origin":
			mux.ServeHTTP(w, r)
		default:
			jsonapi.Refuse(w, jsonapi.Errorf(http.StatusForbidden, "a page of another origin asks: open this address by itself"))
		}
	})
}

// assets serves the page's files.
func assets(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		jsonapi.Refuse(w, jsonapi.Errorf(http.StatusMethodNotAllowed, "%s %s: the page is only read", r.Method, r.URL.Path))
		return
	}
	w.Header().Set("Cache-Control", "no-cache") // ask each time whether it has changed
	w.Header().Set("ETag", `"`+assetsVersion+`"`)
	http.FileServerFS(web).ServeHTTP(w, r)
}

// decode reads the body of a request. No form of another page can send one of
// this type.
func decode(r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return jsonapi.Errorf(http.StatusUnsupportedMediaType, "send Content-Type: application/json to %s", r.URL.Path)
	}
	return jsonapi.Decode(r, into)
}

func unknown(r *http.Request) (any, error) {
	return nil, jsonapi.Errorf(http.StatusNotFound, "%s %s is unknown to this instance: load the page again", r.Method, r.URL.Path)
}

// connection answers with a ladder.
func (s *Server) connection(r *http.Request) (Ladder, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return Ladder{}, jsonapi.Errorf(http.StatusBadRequest, "connection %q: give its number", r.PathValue("id"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ladder, ok := s.history.ladder(id, time.Now())
	if !ok {
		return Ladder{}, jsonapi.Errorf(http.StatusNotFound, "connection %d is not kept any more: newer ones have come", id)
	}
	return ladder, nil
}

func (s *Server) set(r *http.Request) (struct{}, error) {
	var changes map[string]string
	if err := decode(r, &changes); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.instance.Set(changes)
}

// acceptRequest is the body of POST /api/accept.
type acceptRequest struct {
	N int `json:"n"`
}

func (s *Server) accept(r *http.Request) (endpoint.Taken, error) {
	var request acceptRequest
	if err := decode(r, &request); err != nil {
		return endpoint.Taken{}, err
	}
	return s.instance.Accept(r.Context(), request.N)
}
