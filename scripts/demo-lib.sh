# What the demonstrations share: a network namespace that goes with the script,
# and commands in it. Not to be run by itself.
set -euo pipefail

TCPLAB=${TCPLAB:-tcplab}
TCPLAB=$(realpath -- "$(command -v -- "$TCPLAB")" 2>/dev/null) || { echo "$0: found no tcplab: put it on PATH, or name it with TCPLAB=" >&2; exit 1; }
for program in ip curl ab tcpdump; do
	command -v "$program" >/dev/null || { echo "$0: found no $program: apt-get install iproute2 curl apache2-utils tcpdump" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "$0: needs root for a network namespace: run it with sudo" >&2; exit 1; }

ns=tcplab-demo-$$
work=$(mktemp -d)
export TCPLAB_RUN_DIR=$work/run
cd "$work"
children=()
client=

clean() {
	trap - EXIT INT TERM HUP
	inside "$TCPLAB" down >/dev/null 2>&1 || true
	for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
	wait 2>/dev/null || true
	ip netns delete "$ns" 2>/dev/null || true
	cd / && rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

inside() { ip netns exec "$ns" "$@"; }

ip netns add "$ns"
ip -n "$ns" link set lo up
# A SYN goes out again after 1, 3, 7 s, not each second at first (Linux 6.5).
inside sysctl -qw net.ipv4.tcp_syn_linear_timeouts=0 2>/dev/null || true

say() { printf '\n%s\n' "$*"; }

# run shows a command and runs it in the namespace.
run() {
	echo "# ${*/#$TCPLAB/tcplab}"
	if [ "${2:-}" = up ]; then inside "$@" | sed -n 1,3p; else inside "$@"; fi
}

# background starts a client; its number is in client.
background() {
	echo "\$ $* &"
	ip netns exec "$ns" "$@" &
	client=$!
	children+=("$client")
}

# capture begins to write down what the interface carries and a filter lets
# through. The shell makes the files itself: tcpdump's process may begin later.
capture() {
	: >packets
	: >tcpdump
	echo "# tcpdump -ni tcplab0 '$1' &"
	ip netns exec "$ns" tcpdump -l --immediate-mode -ni tcplab0 "$1" >>packets 2>>tcpdump &
	tcpdump=$!
	children+=("$tcpdump")
	until_true grep -q 'listening on' tcpdump
}

# end_capture ends tcpdump after it has written down everything before: packets
# that still wait in the kernel are lost when tcpdump ends. A last SYN, to a port
# where nobody listens, comes after all others.
end_capture() {
	inside curl -s http://192.0.2.2:9/ || true
	until_true grep -q ' > 192\.0\.2\.2\.9: ' packets
	echo '# kill %tcpdump'
	kill "$tcpdump" && wait "$tcpdump" || true
}

# show_packets waits for a packet that a regular expression matches, and shows
# what tcpdump wrote down up to that packet.
show_packets() {
	until_true grep -qE "$1" packets
	say "What tcpdump saw first:"
	sed -E "s/, (win|options) .*//; s/, length 0$//; /$1/q" packets
}

# until_true waits until a command succeeds, half a minute at most.
until_true() {
	local deadline=$((SECONDS + 30))
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || { echo "$0: waited 30 s, and this did not happen: $*" >&2; exit 1; }
		sleep 0.05
	done
}
completed() { [ "$(status_number 's/^incomplete [0-9]+, completed ([0-9]+);.*/\1/p')" -ge "$1" ]; }
dropped() { [ "$(status_number 's/^totals: .* ([0-9]+) dropped.*/\1/p')" -ge "$1" ]; }
# status_number is the number that a sed script finds in status, or else 0.
status_number() { inside "$TCPLAB" status | sed -nE "$1" | grep . || echo 0; }
