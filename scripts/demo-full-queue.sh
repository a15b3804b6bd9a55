#!/usr/bin/env bash
# A full queue: the SYN of one client too many is dropped without an answer, and
# comes again. When there is room it gets in.
#
#   curl x 3 ── kernel of the namespace ── tcplab0 ── tcplab, backlog 1
#
# Run as root: sudo scripts/demo-full-queue.sh. TCPLAB names another tcplab.
. "$(dirname "$0")/demo-lib.sh"

say "A server with backlog 1: Berkeley's rule lets 3*1/2+1 = 2 connections in."
run "$TCPLAB" up --backlog 1 --accept off --detach

say "Two clients fill the queue."
background curl -s -o first http://192.0.2.2/
background curl -s -o second http://192.0.2.2/
until_true completed 2

say "A third one: its SYN is dropped, and comes again after a second, and two more."
capture 'tcp[tcpflags] & tcp-syn != 0'
background curl -s -o page -w '%{http_code}, connected after %{time_connect}s\n' http://192.0.2.2/
until_true dropped 2
run "$TCPLAB" nstat -asz TcpExtListenDrops

say "accept makes room for its next SYN."
run "$TCPLAB" accept 2
until_true completed 1
run "$TCPLAB" accept 1
wait "$client"
show_packets 'Flags \[S\.\]'
