#!/bin/sh
# Fuzzes everything that is read from elsewhere, with libFuzzer (preset fuzz, clang), one after the other, as long as one
# likes: scripts/fuzz.sh SECONDS [NAME…]; each for SECONDS. Without a name: all of them. The corpus is kept in
# $ORDEAL_CORPUS (default: build/corpus), a directory for each; what crashed lies beside it in crashes/. Ends with 1 when
# something did. A table of what was executed is printed at the end.
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:?usage: scripts/fuzz.sh SECONDS [NAME…]}
shift
corpus=${ORDEAL_CORPUS:-build/corpus}
jobs=${JOBS:-$(nproc)}
[ -f build/fuzz/CMakeCache.txt ] || cmake --preset fuzz >/dev/null || exit 1
formats="jsonl edn log json auto"
targets=fuzz_inputs
for format in $formats; do targets="$targets fuzz_$format"; done
# shellcheck disable=SC2086
cmake --build --preset fuzz -j "$jobs" --target $targets || exit 1
bin=build/fuzz/bin
if [ $# -eq 0 ]; then
  for format in $formats; do set -- "$@" "history_$format"; done
  for input in $($bin/fuzz_inputs 2>/dev/null); do set -- "$@" "$input"; done
fi
failed=0
table=
for name in "$@"; do
  mkdir -p "$corpus/$name" "$corpus/crashes/$name"
  case $name in
  history_*) program=$bin/fuzz_${name#history_} input= ;;
  *) program=$bin/fuzz_inputs input=$name ;;
  esac
  log=$corpus/$name.log
  ORDEAL_FUZZ_INPUT=$input ORDEAL_FUZZ_SAMPLE=$corpus/$name/sample "$program" "$corpus/$name" \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$corpus/crashes/$name/" >"$log" 2>&1 || {
    failed=1
    echo "$name: FAILED, see $log and $corpus/crashes/$name"
  }
  executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
  table="$table$(printf '%-24s %12s %8s %8s' "$name" "${executed:-0}" "${covered:-0}" "$(ls "$corpus/$name" | wc -l)")
"
done
printf '%-24s %12s %8s %8s\n%s' name executions edges corpus "$table"
exit $failed
