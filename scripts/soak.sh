#!/usr/bin/env bash
# Has the kernel's clients talk through a bad line for ten minutes (or as long as
# its argument says, as in 1h): internal/e2e's TestSoak, which scripts/test.sh runs
# for 30 s. Needs root. A seed as the second argument plays the same faults again.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "scripts/soak.sh: run it as root: it makes a network namespace and a TUN device" >&2; exit 1; }
exec go test -count=1 -timeout 0 -v -run '^TestSoak$' ./internal/e2e -args -soak "${1:-10m}" ${2:+-soak-seed "$2"}
