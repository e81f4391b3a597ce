#!/bin/sh
# stress-tests.sh [RUNS [BUILD [CTEST ARGUMENT…]]]: plays the tests RUNS times (30) while every processor has something else to do
# as well, and stops at the first that fails: what holds only on an idle machine shows. By hand; the whole suite takes over ten
# minutes a time.
#
#   scripts/stress-tests.sh 30 build/ci -L unit          scripts/stress-tests.sh 30 build/ci -R DiskTest
set -eu
cd "$(dirname "$0")/.."
runs=${1:-30}
build=${2:-build/ci}
[ $# -lt 2 ] || shift
[ $# -lt 1 ] || shift
loops=""
stop() { [ -z "$loops" ] || kill $loops 2>/dev/null || true; }
trap stop EXIT INT TERM
for _ in $(seq "$(nproc)"); do
  sh -c 'while :; do :; done' &
  loops="$loops $!"
done
run=0
while [ "$run" -lt "$runs" ]; do
  run=$((run + 1))
  log=$(mktemp)
  if ! ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "stress-tests: run $run of $runs failed; all of it: $log" >&2
    exit 1
  fi
  grep 'tests passed' "$log" | sed "s/^/run $run of $runs: /"
  rm -f "$log"
done
