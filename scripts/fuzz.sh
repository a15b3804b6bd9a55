#!/usr/bin/env bash
# Runs every fuzz target of the repository in turn, a minute each, or as long as
# its argument says. Fails when a target finds an input that breaks the code, and
# when a target hardly ran: a fuzzer that stands still finds nothing.
#
#   scripts/fuzz.sh               every target, a minute each
#   scripts/fuzz.sh 10m           ten minutes each: 30s, 10m, 1h
#   scripts/fuzz.sh 10m Inbound   only targets whose name contains Inbound
#
# Ctrl-C ends it. An input that breaks the code is written to testdata/fuzz/TARGET
# beside the test: commit it with the mend, go test plays it from then on. Inputs
# that reach code which no other input reached are kept in Go's build cache, in
# $(go env GOCACHE)/fuzz, and the next run goes on with them.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "$0"; }
duration=${1:-1m}
only=${2:-}
if [ "$duration" = -h ] || [ "$duration" = --help ]; then usage; exit 0; fi
if [ $# -gt 2 ] || ! [[ $duration =~ ^([1-9][0-9]{0,6})(s|m|h)$ ]]; then
	echo "scripts/fuzz.sh: \"$*\": give how long each target runs, like 30s, 10m or 1h, and perhaps a part of a target's name" >&2
	exit 2
fi
command -v go >/dev/null || { echo "scripts/fuzz.sh: found no go: install Go 1.26 or later (https://go.dev/dl) and put it on PATH" >&2; exit 1; }
case ${BASH_REMATCH[2]} in s) unit=1 ;; m) unit=60 ;; h) unit=3600 ;; esac
seconds=$((BASH_REMATCH[1] * unit))

# The fewest executions that count as a run. The slowest target, which plays a
# whole endpoint, makes some hundred in a second on an idle processor.
floor=$((10 * seconds))
[ "$floor" -ge 100 ] || floor=100
# How many seconds longer than its time a target may take, on a busy machine.
patience=${FUZZ_PATIENCE:-120}

work=$(mktemp -d)
job=
clean() {
	trap - EXIT INT TERM HUP
	[ -z "$job" ] || { kill -INT -- "-$job" && wait "$job"; } 2>/dev/null || true
	rm -rf "$work"
}
trap clean EXIT
trap 'echo "scripts/fuzz.sh: interrupted" >&2; exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
set -m # each job gets a process group of its own, and a signal of ours alone

# run runs a command, with its output in a file, so that a signal ends both.
run() {
	: >"$work/said"
	"$@" >>"$work/said" 2>&1 &
	job=$!
	local status=0
	wait "$job" || status=$?
	job=
	return $status
}

# executions is how many the last run made.
executions() { sed -nE 's/^fuzz: elapsed: .*, execs: ([0-9]+).*/\1/p' "$work/said" | tail -n 1 | grep . || echo 0; }

# kept is how many inputs the last run had to begin with. It plays them first, says
# nothing of executions meanwhile, and counts them.
kept() { sed -nE 's|^fuzz: elapsed: .* baseline coverage: [0-9]+/([0-9]+) completed.*|\1|p' "$work/said" | tail -n 1 | grep . || echo 0; }

# fuzz runs a target of the package that was built last, for a time (30s) or a
# number of executions (100x).
fuzz() {
	cd "$package"
	local status=0
	run timeout -s INT "$((seconds + patience))" "$work/test" -test.run '^$' -test.fuzz "^$1\$" -test.fuzztime "$2" \
		-test.fuzzcachedir "$cache/$path" || status=$?
	cd "$root"
	return $status
}

# fuzz_whole runs a target for its time, and on if that was not enough for the
# floor: others may use the machine.
fuzz_whole() {
	local began=$SECONDS n failed=
	fuzz "$1" "${seconds}s" || failed="failed"
	n=$(executions)
	if [ -z "$failed" ] && [ "$n" -lt "$floor" ]; then
		fuzz "$1" "$((floor + $(kept)))x" || failed="failed, or made fewer than $floor executions in $((seconds + patience)) s"
		n=$(executions)
		[ -n "$failed" ] || [ "$n" -ge "$floor" ] || failed="made $n executions, want at least $floor"
	fi
	printf '%-20s %12d executions in %4d s  %s%s\n' "$1" "$n" "$((SECONDS - began))" "$path" "${failed:+  FAILED}"
	[ -n "$failed" ] || return 0
	{
		echo "scripts/fuzz.sh: $1 $failed:"
		cat "$work/said"
	} >&2
	result=1
}

root=$PWD
cache=$(go env GOCACHE)/fuzz
result=0
found=0
mapfile -t packages < <(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u)
for package in "${packages[@]}"; do
	grep -hE '^func Fuzz' "$package"/*_test.go | grep -qF -- "$only" || continue
	# Built once for all targets of the package, with the instrumentation of -fuzz.
	run go test -c -fuzz . -o "$work/test" "$package" || { cat "$work/said" >&2; exit 1; }
	path=$(go list "$package")
	targets=$(cd "$package" && "$work/test" -test.list '^Fuzz')
	for target in $targets; do
		[[ $target == *"$only"* ]] || continue
		found=$((found + 1))
		fuzz_whole "$target"
	done
done
[ "$found" -gt 0 ] || { echo "scripts/fuzz.sh: found no fuzz target${only:+ whose name contains $only}" >&2; exit 1; }
exit $result
