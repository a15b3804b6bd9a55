#!/usr/bin/env bash
# Steps of a second in ab's connect times, from SYNs that were dropped and sent
# again; then the same load at a larger backlog.
#
#   ab -c 20 ── kernel of the namespace ── tcplab0 ── tcplab, four workers
#
# Run as root: sudo scripts/demo-latency-steps.sh. TCPLAB names another tcplab.
. "$(dirname "$0")/demo-lib.sh"

load() {
	echo '$ ab -q -n 400 -c 20 http://192.0.2.2/'
	inside ab -q -s 60 -n 400 -c 20 http://192.0.2.2/ >ab 2>&1
	grep -E '^(Failed requests|Connect:| +min| +(50|90|95|98|99|100)%)' ab
	run "$TCPLAB" nstat -asz TcpExtListenDrops
}

say "Four workers that take 50 ms for a page, backlog 2, and 20 clients that ask again and again."
run "$TCPLAB" up --backlog 2 --workers 4 --work 50ms --detach
load

say "The same with backlog 128: everybody is queued at once, and waits behind connect. As many pages a second."
run "$TCPLAB" down
run "$TCPLAB" up --backlog 128 --workers 4 --work 50ms --detach
load
