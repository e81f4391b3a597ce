#!/bin/sh
# sanitize.sh asan|tsan [ARGUMENT OF ctest…]: plays the tests of build/asan or build/tsan, then one run of `ordeal` against
# a real etcd under faults (as root, for local nodes; $SANITIZE_SECONDS long, 20; 0: none). Exit code 1 when a test or the
# run fails, and when any process was reported on, also one whose exit code no test looks at: reports are files in
# build/…/sanitizer, and are printed. False alarms are named, with the reason, in tests/sanitizers/*.supp.
set -u
cd "$(dirname "$0")/.." || exit 3
kind=${1:-}
case $kind in
asan | tsan) shift ;;
*) echo "usage: scripts/sanitize.sh asan|tsan [ARGUMENT OF ctest…]" >&2 && exit 64 ;;
esac
build=$PWD/build/$kind
[ -x "$build/ordeal" ] || { echo "sanitize: $build/ordeal is not built: make $kind" >&2; exit 3; }
reports=$build/sanitizer # not one of the names of our rooms: each has its own folder there
rm -rf "$reports"
mkdir -p "$reports" && chmod 1777 "$reports" || exit 3 # what runs as another user reports as well
options="log_path=$reports/report:suppressions=$PWD/tests/sanitizers"
alone=
if [ "$kind" = asan ]; then
  export ASAN_OPTIONS="log_path=$reports/report:detect_stack_use_after_return=1:check_initialization_order=1:strict_init_order=1"
  export LSAN_OPTIONS="$options/leaks.supp:print_suppressions=0"
  export UBSAN_OPTIONS="log_path=$reports/report:print_stacktrace=1"
else
  export TSAN_OPTIONS="$options/tsan.supp:second_deadlock_stack=1"
  alone="setarch -R" # the runtime of GCC 12 finds its memory taken where the kernel spreads programs over more than 28 bits
fi

failed=0
# shellcheck disable=SC2086
$alone ctest --test-dir "$build" --output-on-failure "$@" || failed=1

seconds=${SANITIZE_SECONDS:-20}
if [ "$seconds" -gt 0 ] && [ "$(id -u)" -ne 0 ]; then
  echo "sanitize: no run against a real etcd: local nodes need root" >&2
elif [ "$seconds" -gt 0 ]; then
  # shellcheck disable=SC2086
  $alone "$build/ordeal" run --target etcd --workload register --nemesis partition,kill,pause --nodes local:3 \
    --time-limit "$seconds" --rate 50 --store "$build/store" || failed=1
fi

found=$(find "$reports" -type f | wc -l)
if [ "$found" -gt 0 ]; then
  find "$reports" -type f -exec cat {} +
  echo "sanitize: reports, one for each process: $found, in $reports" >&2
  failed=1
fi
exit $failed
