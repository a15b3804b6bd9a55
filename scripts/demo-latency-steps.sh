#!/usr/bin/env bash
# Connect times in steps of a second, from SYNs that were dropped and sent again;
# the same with a larger backlog; and what ab's figures do not show of it.
#
#   curl, ab ── kernel of the namespace ── tcplab0 ── tcplab, four workers
#
# Run as root: sudo scripts/demo-latency-steps.sh. TCPLAB names another tcplab.
. "$(dirname "$0")/demo-lib.sh"

load() {
	echo "\$ seq 20 | xargs -P 20 -I{} curl -s -o page{} -w '%{time_connect}\n' http://192.0.2.2/ | sort -n | xargs -n 10"
	seq 20 | inside xargs -P 20 -I{} curl -s -o page{} -w '%{time_connect}\n' http://192.0.2.2/ | sort -n | xargs -n 10
	run "$TCPLAB" nstat -asz TcpExtListenDrops
}

say "Four workers that take 500 ms for a page, backlog 2, and 20 clients at once. How long did each one connect?"
run "$TCPLAB" up --backlog 2 --workers 4 --work 500ms --detach
load

say "The same with backlog 128: everybody is queued at once, and waits behind connect."
run "$TCPLAB" down
run "$TCPLAB" up --backlog 128 --workers 4 --work 500ms --detach
load

say "Backlog 2 again, and ab, whose 20 clients ask again and again: its figures hardly show it."
run "$TCPLAB" down
run "$TCPLAB" up --backlog 2 --workers 4 --work 50ms --detach
capture 'tcp[tcpflags] & tcp-syn != 0'
echo '$ ab -q -n 400 -c 20 http://192.0.2.2/'
inside ab -q -s 60 -n 400 -c 20 http://192.0.2.2/ >ab 2>&1
grep -E '^(Complete requests|Failed requests|Connect:| +min| +(50|90|95|98|99|100)%)' ab
run "$TCPLAB" nstat -asz TcpExtListenDrops
end_capture
awk '
	$5 == "192.0.2.2.80:" && /Flags \[S\]/ { sent[$3] = 1 }
	/Flags \[S\.\]/ { answered[substr($5, 1, length($5) - 1)] = 1 }
	END { for (client in sent) unanswered += !(client in answered); printf "%d clients were still without an answer to their SYN when ab had its 400 pages and ended.\n", unanswered }' packets
