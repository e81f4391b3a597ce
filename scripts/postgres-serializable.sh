#!/bin/sh
# postgres-serializable.sh [BINDIR] [slow|gist|tid|spgist]…: what SERIALIZABLE of PostgreSQL lets through, each with its
# control (doc/postgresql.md). BINDIR: the server's programs, Debian's postgresql-15 when absent; of another version by
# scripts/fetch-postgres.sh. Needs root, and the program in $ORDEAL (build/release/ordeal). A line for each run; exit code
# 0 when all were as the page says, else 1.
set -eu
cd "$(dirname "$0")/.."
ordeal=${ORDEAL:-build/release/ordeal}
bindir=/usr/lib/postgresql/15/bin
case ${1:-} in */*) bindir=$1; shift ;; esac
[ $# -gt 0 ] || set -- slow gist tid spgist
store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
failed=0

# try NAME EXPECTED-EXIT-CODE ARGUMENTS…
try() {
  name=$1 expected=$2
  shift 2
  code=0
  "$ordeal" run --target postgres --nodes local:1 --nemesis none --rate unlimited --time-limit "${SECONDS_EACH:-30}" \
    --op-timeout 30 --store "$store" --name "$name" --json --set "postgres.bindir=$bindir" \
    --set 'postgres.flags=-c fsync=off' --set postgres.evidence=full "$@" >"$store/$name.json" 2>"$store/$name.log" || code=$?
  if [ $code -eq "$expected" ]; then verdict=as-expected; else verdict=UNEXPECTED failed=1; fi
  echo "$name: exit code $code, $verdict"
  scripts/first_anomaly.py "$store/$name.json" | sed 's/^/  /'
  [ $code -le 1 ] || tail -n 3 "$store/$name.log"
}

for which; do
  case $which in
  slow)
    try slow 1 --workload g2 --concurrency 20 --set txn.slow-share=0.0007 --set txn.slow=1.5s --set postgres.max-connections=30
    try slow-control 0 --workload g2 --concurrency 20 --set postgres.max-connections=30
    ;;
  gist)
    try gist 1 --workload g2 --concurrency 16 --set postgres.access=gist
    try gist-control 0 --workload g2 --concurrency 16 --set postgres.access=btree
    ;;
  tid)
    try tid 1 --workload write-skew --concurrency 16 --set postgres.access=tid
    try tid-control 0 --workload write-skew --concurrency 16 --set postgres.access=btree
    ;;
  spgist)
    try spgist 1 --workload g2 --concurrency 16 --set postgres.access=spgist
    try spgist-control 0 --workload g2 --concurrency 16 --set postgres.access=hash
    ;;
  *)
    echo "unknown: $which; slow, gist, tid and spgist are known" >&2
    exit 64
    ;;
  esac
done
exit $failed
