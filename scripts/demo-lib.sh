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
# through.
capture() {
	echo "# tcpdump -ni tcplab0 '$1' &"
	ip netns exec "$ns" tcpdump -l -ni tcplab0 "$1" >packets 2>tcpdump &
	children+=($!)
	until_true grep -q 'listening on' tcpdump
}

# show_packets waits for n packets of the last client and shows them.
show_packets() {
	until_true packets "$1"
	say "What tcpdump saw first:"
	head -n "$1" packets | sed -E 's/, (win|options) .*//; s/, length 0$//'
}

# until_true waits until a command succeeds, half a minute at most.
until_true() {
	local deadline=$((SECONDS + 30))
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || { echo "$0: waited 30 s, and this did not happen: $*" >&2; exit 1; }
		sleep 0.05
	done
}
completed() { [ "$(inside "$TCPLAB" status | sed -nE 's/^incomplete [0-9]+, completed ([0-9]+);.*/\1/p')" -ge "$1" ]; }
dropped() { [ "$(inside "$TCPLAB" status | sed -nE 's/^totals: .* ([0-9]+) dropped.*/\1/p')" -ge "$1" ]; }
packets() { [ "$(wc -l <packets)" -ge "$1" ]; }
