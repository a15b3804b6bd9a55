#!/usr/bin/env bash
# Runs all of tcplab's tests. Those of the whole need root: they make network
# namespaces, and TUN devices inside them. Called by anybody else, the script
# asks for sudo. Programs that the tests use are installed when missing.
#
#   scripts/test.sh             everything
#   scripts/test.sh PACKAGE...  go test's arguments instead of ./...
set -euo pipefail
cd "$(dirname "$0")/.."

# sudo resets PATH: find go first, and hand its place on.
if ! go=$(command -v go); then
	for place in /usr/local/go/bin/go /usr/lib/go/bin/go /snap/bin/go "$HOME/go/bin/go" "$HOME/sdk/go/bin/go"; do
		if [ -x "$place" ]; then go=$place; break; fi
	done
fi
if [ -z "${go:-}" ]; then
	echo "scripts/test.sh: found no go: install Go 1.26 or later (https://go.dev/dl) and put it on PATH" >&2
	exit 1
fi
PATH="$(dirname "$go"):/usr/sbin:/sbin:$PATH"
export PATH

if [ "$(id -u)" != 0 ]; then
	if [ -z "${TCPLAB_TEST_NO_SUDO:-}" ] && command -v sudo >/dev/null && sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
		exec sudo --preserve-env=CI,GOFLAGS,GOPROXY,GONOSUMDB,GONOSUMCHECK,GOSUMDB env \
			PATH="$PATH" HOME="$HOME" GOPATH="$(go env GOPATH)" GOCACHE="$(go env GOCACHE)" GOMODCACHE="$(go env GOMODCACHE)" \
			"$0" "$@"
	fi
	echo "scripts/test.sh: not root, and sudo is not to be had without asking." >&2
	echo "These packages cannot be tested, as they make network namespaces and TUN devices:" >&2
	grep -rlE --include='*_test.go' 'netns\.|needsRoot|geteuid|Geteuid' . | xargs -n1 dirname | sort -u | sed 's/^/  /' >&2
	echo "The others:" >&2
	go test -race $(go list ./listener/... ./stack/...) || true
	exit 1
fi

# command -> Debian package
install=()
need() { command -v "$1" >/dev/null || install+=("$2"); }
need curl curl
need ab apache2-utils
need tcpdump tcpdump
need tshark tshark
need nmap nmap
need chromium chromium
need nginx nginx-light
need ip iproute2
need ping iputils-ping
need setpriv util-linux
need gcc gcc # the race detector
need git git
compgen -G "/usr/sbin/php-fpm*" >/dev/null || install+=(php-fpm)
if [ ${#install[@]} -gt 0 ]; then
	if ! command -v apt-get >/dev/null; then
		echo "scripts/test.sh: the tests use programs that are missing, from these Debian packages: ${install[*]}; install them" >&2
		exit 1
	fi
	echo "installing ${install[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${install[@]}" >/dev/null
fi
if [ ! -e /dev/net/tun ]; then
	mkdir -p /dev/net
	mknod /dev/net/tun c 10 200 || true
fi

if [ $# -gt 0 ]; then exec go test -race -count=1 -timeout 14m "$@"; fi
# The race detector makes allocations of its own, and takes its time.
go test -count=1 -run 'AllocateNothing|ConnectionsComeAndGo|ForgedCookies' ./stack ./internal/e2e ./listener/handshake
go test -race -count=1 -timeout 14m ./...

scripts/vulnerabilities.sh

# Each fuzz target for a short time, so that none is forgotten and each runs.
scripts/fuzz.sh 3s

# Every lab, as a user runs them: most of the time they wait, and a newcomer's
# build has the processors.
work=$(mktemp -d)
newcomer=
trap '[ -z "$newcomer" ] || kill "$newcomer" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
go build -o "$work/tcplab" ./cmd/tcplab
scripts/newcomer.sh >"$work/newcomer" 2>&1 &
newcomer=$!
"$work/tcplab" lab run --all --speed 10 --report "$work/reports" >"$work/labs" || { cat "$work/labs"; exit 1; }
grep ' claims, ' "$work/labs"
wait "$newcomer" || { newcomer=; cat "$work/newcomer"; exit 1; }
newcomer=
grep -v '^go: downloading' "$work/newcomer"
