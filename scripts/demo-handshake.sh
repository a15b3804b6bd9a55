#!/usr/bin/env bash
# A handshake as tcpdump sees it, at a server that does not call accept: the
# connection is ESTABLISHED before any application knows of it.
#
#   curl ── kernel of the namespace ── tcplab0 ── tcplab, backlog 2
#
# Run as root: sudo scripts/demo-handshake.sh. TCPLAB names another tcplab.
. "$(dirname "$0")/demo-lib.sh"

# requested says whether the request waits in an established connection.
requested() { inside "$TCPLAB" ss -tn state established | awk 'NR > 1 && $2 > 0 { found = 1 } END { exit !found }'; }

say "A server with backlog 2, of which nobody calls accept."
run "$TCPLAB" up --backlog 2 --accept off --detach
capture tcp

say "One client. Its request is acknowledged by the server's TCP, and answered by nobody."
background curl -s -o page http://192.0.2.2/
until_true requested
run "$TCPLAB" ss -tn state established

say "accept takes it, and the page comes."
run "$TCPLAB" accept 1
wait "$client"
run head -n 1 page
show_packets 'Flags \[\.\]'
