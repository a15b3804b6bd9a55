package main

import (
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tcplab/internal/app"
	"tcplab/internal/detach"
	"tcplab/internal/endpoint"
	"tcplab/internal/instance"
	"tcplab/internal/webguard"
	"tcplab/listener/backlog/profiles"
)

func newUp() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Bring an endpoint up and serve clients until it is ended",
		Long: `Creates a TUN interface, puts a TCP/IP endpoint behind it and serves an
application there, behind a listener that keeps the two queues of listen(2) as
the profile says. It prints where it listens, what the profile makes of the
backlog, and then a line for each event of a connection: admitted, promoted,
accepted, SYN dropped and why, expired, reset. Beyond 50 events a second, equal
ones are summed up in a line; --quiet prints none, --json and --events have all.

Once the interface is up it goes on as the user who called sudo, else as nobody,
without any capability.

Ctrl-C, a closing terminal or "tcplab down" end it. Nothing is left behind.`,
		Example: `  sudo tcplab up --backlog 8
  sudo tcplab up --backlog 2 --accept off --profile sum
  sudo tcplab up --backlog 8 --ui :8080
  sudo tcplab up --capture drops.pcapng --capture-size 100MB
  sudo tcplab up --dev lab1 --host 198.51.100.1/24 --port 80 --port 8080 --detach`,
		Args: noArguments,
	}
	c.Flags().SortFlags = false
	config := endpoint.Defaults()
	addListenerFlags(c, &config)
	addAppFlags(c, &config)
	link := addLinkFlags(c, &config)
	var metrics netip.AddrPort
	c.Flags().Var(value[netip.AddrPort]{&metrics, webguard.Parse, "address"}, "metrics",
		"serve metrics for Prometheus there; :9100 is loopback, open to every user; any other address needs a token, which is printed")
	c.Flags().Lookup("metrics").DefValue = ""
	var page netip.AddrPort
	c.Flags().Var(value[netip.AddrPort]{&page, webguard.Parse, "address"}, "ui",
		"serve a live page there; :8080 is loopback; the address to open is printed, with a token that every request needs")
	c.Flags().Lookup("ui").DefValue = ""
	files := addFileFlags(c)
	asJSON := c.Flags().Bool("json", false, "print JSON objects, one a line, instead of text")
	quiet := c.Flags().BoolP("quiet", "q", false, "print no events: only what is not about one connection")
	confined := c.Flags().Bool("sandbox", true, "give up root and all capabilities when the interface is up; false: stay root as long as it runs")
	background := c.Flags().Bool("detach", false, "serve in the background; tcplab down ends it")

	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := link.finish(c); err != nil {
			return err
		}
		if err := files.Check(); err != nil {
			return badUsage(c, err)
		}
		behind, err := detach.Background()
		if err != nil {
			return err
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		if behind == nil && !*confined && os.Geteuid() == 0 {
			c.PrintErrln("tcplab: --sandbox=false: goes on as root, with every capability: a fault in what reads packets would be root's")
		}
		if *background && behind == nil {
			return detach.Start(ctx)
		}
		cfg := instance.Config{
			Config: config, Metrics: metrics, UI: page, Out: c.OutOrStdout(), JSON: *asJSON, Quiet: *quiet,
			Files: *files, Notes: c.ErrOrStderr(), Sandbox: *confined,
		}
		if behind != nil {
			cfg.Ready = behind.Ready
		}
		return instance.Run(ctx, cfg)
	}
	return c
}

// addListenerFlags adds the flags for the listening sockets.
func addListenerFlags(c *cobra.Command, config *endpoint.Config) {
	add := func(name, kind, usage string) {
		c.Flags().Var(setting{&config.Settings, name, kind}, name, usage)
	}
	add("backlog", "n", "backlog of listen(2); -1 is somaxconn, other negative ones as the profile says")
	add("somaxconn", "n", "what the backlog is clamped to (net.core.somaxconn)")
	add("profile", "name", "whose listening sockets to behave like; tcplab profiles lists them")
	c.Flags().Var(&ports{list: &config.Ports}, "port", "port to listen on; can be given several times")
	add("syn-timeout", "time", "when a half-open entry is given up")
	add("synack-retries", "n", "how often an unanswered SYN-ACK is sent again")
	add("max-syn-backlog", "n", "net.ipv4.tcp_max_syn_backlog, for the profiles of Linux")
	add("syncookies", "0|1|2", "net.ipv4.tcp_syncookies: never, at a full incomplete queue, always")
	add("abort-on-overflow", "", "net.ipv4.tcp_abort_on_overflow: RST for a final ACK at a full completed queue")
	add("defer-accept", "time", "TCP_DEFER_ACCEPT: a bare final ACK completes nothing for so long")
	add("user-timeout", "time", "TCP_USER_TIMEOUT: reset a connection whose client acknowledges nothing for so long; 0 is never")
	add("keepalive-time", "time", "net.ipv4.tcp_keepalive_time: how long a connection is idle before a keepalive probe; 0 is never")
	add("keepalive-intvl", "time", "net.ipv4.tcp_keepalive_intvl: time between two keepalive probes")
	add("keepalive-probes", "n", "net.ipv4.tcp_keepalive_probes: how many go unanswered until the connection is reset")
	c.Flags().Lookup("abort-on-overflow").NoOptDefVal = "true"
	complete(c, "profile", profiles.Names()...)
	complete(c, "syncookies", "0", "1", "2")
}

// addAppFlags adds the flags for the application.
func addAppFlags(c *cobra.Command, config *endpoint.Config) {
	flags := c.Flags()
	flags.Var(value[string]{&config.App, parseApp, "name"}, "app", "application: "+strings.Join(app.Names(), ", "))
	flags.Var(setting{&config.Settings, "accept", "auto|off|rate"}, "accept", "how fast the application calls accept; a rate is like 5/s")
	flags.Var(value[int]{&config.Workers, parseCount, "n"}, "workers", "connections served at once; 0 is any number")
	flags.Var(value[time.Duration]{&config.Work, parseWork, "time"}, "work", "how long the application takes for each connection")
	complete(c, "app", app.Names()...)
	complete(c, "accept", "auto", "off")
}
