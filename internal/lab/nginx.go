package lab

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// connectSeconds is nginx's fastcgi_connect_timeout in labs.
const connectSeconds = 3

// nginx is an nginx in the namespace of the clients.
type nginx struct {
	v    *Server
	addr netip.AddrPort
	log  string
}

// nginx starts one that passes everything to a FastCGI application.
func (v *Server) nginx(dir string, port int, upstream string) *nginx {
	n := &nginx{
		v:    v,
		addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)),
		log:  filepath.Join(dir, fmt.Sprintf("error-%d-%d.log", port, len(v.s.servers))),
	}
	config := filepath.Join(dir, fmt.Sprintf("nginx-%d-%d.conf", port, len(v.s.servers)))
	v.s.must("writing nginx's configuration", os.WriteFile(config, fmt.Appendf(nil, `daemon off;
user root;
worker_processes 1;
pid %[1]s/nginx-%[2]d-%[6]d.pid;
error_log %[3]s error;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen 127.0.0.1:%[2]d backlog=1024;
    location / {
      fastcgi_pass %[4]s;
      fastcgi_connect_timeout %[5]ds;
      fastcgi_read_timeout 20s;
      fastcgi_param SCRIPT_FILENAME %[1]s/index.php;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param CONTENT_LENGTH $content_length;
    }
  }
}
`, dir, port, n.log, upstream, connectSeconds, len(v.s.servers)), 0o644))
	v.Start("nginx", "-e", n.log, "-c", config)
	v.s.Show(fmt.Sprintf("nginx: fastcgi_pass %s; fastcgi_connect_timeout %ds;", upstream, connectSeconds))
	v.s.waitFor("nginx to listen", patience, func() bool {
		conn, err := v.ns.Dial(v.s.ctx, n.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return n
}

// answers counts responses by status.
type answers map[int]int

// String is the answers in a line: "200: 3, 502: 9".
func (a answers) String() string {
	var codes []int
	for code := range a {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	parts := make([]string, len(codes))
	for i, code := range codes {
		parts[i] = fmt.Sprintf("%d with %d", a[code], code)
	}
	return "answers: " + strings.Join(parts, ", ")
}

// burst sends n requests at the same time and counts the answers; 0 stands for
// none.
func (n *nginx) burst(count int) answers {
	client := http.Client{Transport: n.v.ns.Transport(n.v.s.ctx, n.addr)}
	got := make(answers)
	var mu sync.Mutex
	var asking sync.WaitGroup
	for range count {
		asking.Go(func() {
			status := 0
			if request, err := http.NewRequestWithContext(n.v.s.ctx, http.MethodGet, "http://"+n.addr.String()+"/", nil); err == nil {
				if response, err := client.Do(request); err == nil {
					status = response.StatusCode
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	asking.Wait()
	n.v.s.must("asking nginx", n.v.s.ctx.Err())
	return got
}

// logged is the first line of nginx's error log with this text in it, without
// its date; "" if there is none.
func (n *nginx) logged(text string) string {
	data, err := os.ReadFile(n.log)
	n.v.s.must("reading nginx's log", err)
	for line := range strings.SplitSeq(string(data), "\n") {
		if i := strings.Index(line, "[error]"); i >= 0 && strings.Contains(line, text) {
			line, _, _ = strings.Cut(line[i:], ", client:")
			return line
		}
	}
	return ""
}
