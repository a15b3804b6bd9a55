// Package counters names what an endpoint counts as nstat(8) prints it:
// TcpExtListenOverflows where the kernel counts the same event, TcpLab… where it
// has no counter. It joins the counters of the listeners, of the link and of
// netstack into one list, for "tcplab nstat" and for the metrics.
//
// docs/counters.md has a section for each; a test holds that none is missing,
// and that it begins with the counter's help.
package counters
