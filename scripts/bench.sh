#!/usr/bin/env bash
# Measures tcplab (tcplab bench), then ab and wrk against it, and the cost of a SYN
# by the size of the queue, and writes the figures into docs/performance.md and
# docs/performance.svg. Needs root, ab, wrk and gnuplot. It takes five minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "scripts/bench.sh: run it as root: it makes network namespaces and TUN devices" >&2; exit 1; }
for program in ab wrk gnuplot curl ip; do
	command -v "$program" >/dev/null || { echo "scripts/bench.sh: found no $program: install apache2-utils, wrk, gnuplot-nox, curl and iproute2" >&2; exit 1; }
done

work=$(mktemp -d)
ns=tcplab-bench-$$
instance=
cleanup() {
	[ -z "$instance" ] || { kill -INT "$instance" 2>/dev/null && wait "$instance"; } || true
	ip netns delete "$ns" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
go build -o "$work/tcplab" ./cmd/tcplab

"$work/tcplab" bench >"$work/table"

# Real programs.
ip netns add "$ns"
ip -n "$ns" link set lo up
mkfifo "$work/said"
ip netns exec "$ns" "$work/tcplab" up --backlog 511 --profile linux --json >"$work/said" &
instance=$!
exec 3<"$work/said"
read -r _ <&3 # "up"
cat <&3 >/dev/null &
{
	ip netns exec "$ns" ab -q -n 50000 -c 100 http://192.0.2.2/ | grep -E '^(Complete|Failed|Requests per|Time per request.*mean\))'
	echo
	ip netns exec "$ns" wrk -t2 -c100 -d5s http://192.0.2.2/ | grep -E 'Latency|Requests/sec|Socket errors' || true
} >"$work/programs"
kill -INT "$instance"
wait "$instance" || true
instance=

# Cost by size.
go test ./listener/handshake -run '^$' -bench Growth -benchtime 3x |
	awk '/^BenchmarkGrowth/ { split($1, name, /[\/-]/); for (i = 3; i < NF; i += 2) v[$(i+1)] = $i
	print name[2], v["ns/admitted"], v["ns/dropped"], v["B/entry"] }' >"$work/growth"
gnuplot <<-PLOT
	set terminal svg size 720,360 background "white"
	set output "docs/performance.svg"
	set logscale x
	set xlabel "size of the incomplete queue"
	set ylabel "ns a SYN"
	set y2label "bytes an entry"
	set ytics nomirror
	set y2tics
	set yrange [0:*]
	set y2range [0:400]
	set key top left
	plot "$work/growth" using 1:2 with linespoints title "admitted", "" using 1:3 with linespoints title "dropped", \
		"" using 1:4 axes x1y2 with linespoints title "bytes"
PLOT

# Between the marks of docs/performance.md.
put() { # NAME FILE
	awk -v name="$1" -v file="$2" '
		$0 == "<!-- /" name " -->" { skip = 0 }
		!skip { print }
		$0 == "<!-- " name " -->" { print "```"; while ((getline line < file) > 0) print line; print "```"; skip = 1 }
	' docs/performance.md >"$work/new"
	cat "$work/new" >docs/performance.md
}
put table "$work/table"
put programs "$work/programs"
{ echo "size ns/admitted ns/dropped B/entry"; cat "$work/growth"; } | column -t >"$work/growth.text"
put growth "$work/growth.text"
