package app

import (
	"bytes"
	_ "embed" // the pages
	html "html/template"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	text "text/template"
)

var (
	//go:embed page.html
	htmlSource string
	//go:embed page.txt
	textSource string

	htmlPage = html.Must(html.New("page.html").Parse(htmlSource))
	textPage = text.Must(text.New("page.txt").Parse(textSource))
)

// pageData is what the page at / shows. The page pads whatever may change to a
// width of its own: ab calls a request failed when its page is not as long as
// the first one was.
type pageData struct {
	Server net.Addr
	Accept Accept
	Info   *Info // nil: nothing is known
	Routes []route
}

// page says which listener served it: HTML to browsers, text to others.
func (w *web) page(rw http.ResponseWriter, r *http.Request) {
	data := pageData{Accept: w.config.Gate.Accept(), Routes: w.table()}
	data.Server, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if w.config.Info != nil {
		info := w.config.Info(data.Server)
		data.Info = &info
	}
	var page interface{ Execute(io.Writer, any) error } = textPage
	kind := "text/plain"
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		page, kind = htmlPage, "text/html"
	}
	var body bytes.Buffer
	_ = page.Execute(&body, data) // a buffer takes everything
	rw.Header().Set("Content-Type", kind+"; charset=utf-8")
	rw.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	rw.Header().Set("Cache-Control", "no-store") // the queues change
	_, _ = rw.Write(body.Bytes())                // a client that left hears nothing
}
