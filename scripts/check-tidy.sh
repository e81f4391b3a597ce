#!/bin/sh
# check-tidy.sh [--all] [FILE…]: clang-tidy with the profile of .clang-tidy over FILE…, over all of ours, or over what
# changed last: at most 40 of the .cc files that the last 50 commits touched, newest first, which is about two minutes
# on two cores. Exit code 1 when it found something, 3 when the build could not be configured.
set -eu
cd "$(dirname "$0")/.."
# In the build of the tests files are compiled together (ORDEAL_UNITY); clang-tidy wants the command of each.
build=build/tidy
configured=$(cmake --preset ci -B $build -DORDEAL_UNITY=OFF -DORDEAL_PCH=OFF 2>&1) || { echo "check-tidy: $configured" >&2; exit 3; }
ours() { grep -E '^(base|checkers|harness|nemesis|workloads|targets|reports|session|cli|tests)/.*\.cc$' || true; }
# What is compiled on this machine, each file once.
known() { while read -r file; do [ -f "$file" ] && grep -qF "/$file\"" $build/compile_commands.json && echo "$file"; done; true; }
case "${1:-}" in
  --all) files=$(git ls-files '*.cc' | ours | known) ;;
  "") files=$(git log -50 --name-only --pretty=format: -- '*.cc' | awk 'NF && !seen[$0]++' | ours | known | head -40) ;;
  *) files=$(printf '%s\n' "$@" | known) ;;
esac
[ -n "$files" ] || exit 0
echo "clang-tidy: $(echo "$files" | wc -l) files" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What it found is on standard output; standard error counts the warnings in headers of others.
if ! echo "$files" | xargs -P "$(nproc)" -n 1 clang-tidy-14 --quiet -p $build --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-error 2>"$work/said"; then
  grep -Ev 'warnings? generated|^Suppressed|^Use -header' "$work/said" >&2 || true
  exit 1
fi
