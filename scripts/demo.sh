#!/bin/sh
# The README's demo: a local cluster of five nodes, a real etcd, a register workload under partitions, kills and
# pauses, and a verdict. Needs root (for namespaces); asks sudo when it is not.
set -eu
cd "$(dirname "$0")/.."
ordeal=build/release/ordeal
if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null 2>&1; then ordeal="sudo $ordeal"; fi
exec $ordeal run --target etcd --workload register --nemesis partition,kill,pause \
  --nodes local:5 --time-limit "${DEMO_SECONDS:-30}" --rate 200 --store store
