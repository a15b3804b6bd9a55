#!/usr/bin/env bash
# Does what somebody does who has just heard of tcplab: a fresh clone, no module
# and nothing built on the machine, README's first command, in a network namespace,
# and a curl. README's second command, scripts/test.sh, calls this script. Needs
# root, git, curl and iproute2.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "scripts/newcomer.sh: run it as root: it makes a network namespace" >&2; exit 1; }

work=$(mktemp -d)
ns=tcplab-newcomer-$$
instance=
clean() {
	[ -z "$instance" ] || kill -INT "$instance" 2>/dev/null || true
	wait 2>/dev/null || true
	ip netns delete "$ns" 2>/dev/null || true
	chmod -R u+w "$work" && rm -rf "$work"
}
trap clean EXIT

mapfile -t commands < <(sed -nE 's/^    (go build .*) && sudo (.*)$/\1\n\2/p; s/^    (\.\/scripts\/test\.sh)$/\1/p' README.md | head -n 3)
[ ${#commands[@]} = 3 ] || { echo "scripts/newcomer.sh: README.md does not begin with the two commands any more" >&2; exit 1; }

if git rev-parse --git-dir >/dev/null 2>&1; then
	git clone -q . "$work/tcplab"
else
	cp -a . "$work/tcplab" # an unpacked archive
fi
cd "$work/tcplab"
export GOPATH=$work/go GOMODCACHE=$work/go/pkg/mod GOCACHE=$work/cache TCPLAB_RUN_DIR=$work/run
echo "\$ ${commands[0]}"
${commands[0]}

ip netns add "$ns"
ip -n "$ns" link set lo up
echo "# ${commands[1]}"
: >said
ip netns exec "$ns" ${commands[1]} >>said 2>&1 &
instance=$!
deadline=$((SECONDS + 120))
until grep -q '^  tcplab down' said; do
	if ! kill -0 "$instance" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
		echo "scripts/newcomer.sh: ${commands[1]} did not say how to end it:" >&2
		cat said >&2
		exit 1
	fi
	sleep 0.1
done
page=$(ip netns exec "$ns" curl -sS --max-time 60 http://192.0.2.2/) || { cat said; exit 1; }
grep -qE '^backlog +8 ' <<<"$page" || { echo "scripts/newcomer.sh: the page does not say backlog 8: $page" >&2; exit 1; }
kill -INT "$instance"
wait "$instance"
instance=
tail -n 1 said
[ -z "$(ip -n "$ns" -o link show type tun)" ] || { echo "scripts/newcomer.sh: the interface is left" >&2; exit 1; }

[ -x "${commands[2]}" ] || { echo "scripts/newcomer.sh: no ${commands[2]} to run" >&2; exit 1; }
