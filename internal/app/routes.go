package app

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// route is something that the web server answers.
type route struct {
	Method  string
	Path    string
	About   string
	pattern string // of http.ServeMux
	handle  http.HandlerFunc
}

// maxSleep bounds /sleep/D.
const maxSleep = time.Hour

func (w *web) table() []route {
	return []route{
		{"GET", "/", "this page", "/{$}", w.page},
		{"GET", "/bytes/N", "N bytes; k, M and G behind N are powers of 1024", "/bytes/{n}", serveBytes},
		{"GET", "/sleep/D", "answers after D, such as 1.5s", "/sleep/{d}", serveSleep},
		{"POST", "/upload", "how many bytes were sent, and their SHA-256", "/upload", serveUpload},
	}
}

// routes makes the mux: beside each route, the answer to other methods, and
// below all, the answer to other paths.
func (w *web) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range w.table() {
		mux.HandleFunc(r.Method+" "+r.pattern, r.handle)
		mux.HandleFunc(r.pattern, r.refuseMethod)
	}
	mux.HandleFunc("/", w.notFound)
	return mux
}

// refuseMethod answers a request that would be served with another method.
func (r *route) refuseMethod(rw http.ResponseWriter, req *http.Request) {
	allow := r.Method
	if allow == http.MethodGet {
		allow = "GET, HEAD"
	}
	rw.Header().Set("Allow", allow)
	http.Error(rw, fmt.Sprintf("%s takes %s, not %s", r.Path, allow, req.Method), http.StatusMethodNotAllowed)
}

// notFound answers a path that there is not with those that there are.
func (w *web) notFound(rw http.ResponseWriter, req *http.Request) {
	var b strings.Builder
	fmt.Fprintf(&b, "no such path: %s\n", req.URL.Path)
	for _, r := range w.table() {
		fmt.Fprintf(&b, "%-4s %-9s %s\n", r.Method, r.Path, r.About)
	}
	http.Error(rw, strings.TrimSuffix(b.String(), "\n"), http.StatusNotFound)
}

// serveSleep answers after the duration in the path.
func serveSleep(rw http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.PathValue("d"))
	if err != nil || d < 0 || d > maxSleep {
		http.Error(rw, fmt.Sprintf("%q is no time to sleep: give 0s to %v, such as 1.5s or 200ms",
			r.PathValue("d"), maxSleep), http.StatusBadRequest)
		return
	}
	if sleep(r.Context(), d) != nil {
		panic(http.ErrAbortHandler) // nobody is there to be answered
	}
	fmt.Fprintf(rw, "slept %v\n", d)
}
