#!/bin/sh
# check-format.sh [--fix]: every C++ file is laid out by .clang-format, includes in order. Names the files that differ; --fix mends them.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --fix ]; then
  git ls-files '*.cc' '*.h' | xargs clang-format-14 -i
  exit 0
fi
differing=$(git ls-files '*.cc' '*.h' | xargs clang-format-14 --dry-run --Werror 2>&1 | sed -n 's/:[0-9]*:[0-9]*: error: .*//p' | sort -u)
[ -z "$differing" ] && exit 0
echo "laid out otherwise than .clang-format says (scripts/check-format.sh --fix mends it):" >&2
echo "$differing" >&2
exit 1
