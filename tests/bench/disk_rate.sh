#!/bin/bash
# What the FUSE disk costs: the same work on a plain directory and on the disk over one beside it, in turns, several times.
#
#   tests/bench/disk_rate.sh build/release/nemesis/programs/disk/ordeal-disk DIRECTORY [ROUNDS [NAME]]
#
# Needs root, python3, redis-server with its tools, PostgreSQL and etcd; works in a mount and a network namespace of its own, below
# DIRECTORY (on the file system to be measured), and removes what it made. Prints medians, and the median, least and
# most of what each pair of neighbouring measurements left of the native rate. NAME: only the work whose name contains it.
set -u
disk=$(realpath "$1") base=$(realpath "$2")/disk-rate rounds=${3:-5} only=${4:-}
if [ "${DISK_RATE_INSIDE:-}" != yes ]; then
  DISK_RATE_INSIDE=yes exec unshare -mn --propagation private bash "$0" "$@"
fi
ip link set lo up
mkdir -p "$base/native" "$base/disk" "$base/folder" "$base/out" && chmod 755 "$base" || exit 1
"$disk" start "$base/folder" 0 "$base/disk" journal || exit 1
trap '"$disk" stop "$base/folder" 0 "$base/disk"; rm -rf "$base"' EXIT
pg=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); }

writes() { # directory, bytes, count, sync: each, end or none; append, or random places of a file that is there; open flags
  python3 - "$@" <<'END'
import os, random, sys, time
path, size, count, sync, where = sys.argv[1] + '/file', int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
draw = random.Random(1)
file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
if where == 'random':
    os.pwrite(file, b'y' * (size * count), 0)
    os.fsync(file)
data = b'x' * size
best = 0
for attempt in range(3 if sync == 'none' else 1):  # the first one pays for memory that was never used
    if where == 'append': os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    began = time.perf_counter()
    for i in range(count):
        if where == 'append': os.write(file, data)
        else: os.pwrite(file, data, draw.randrange(count) * size)
        if sync == 'each': os.fsync(file)
        if sync == 'each-data': os.fdatasync(file)
    if sync == 'end': os.fdatasync(file)
    best = max(best, count / (time.perf_counter() - began))
print(best)
os.close(file)
os.unlink(path)
END
}
postgres() { # directory, on or off
  if [ ! -d "$1/pg" ]; then
    mkdir "$1/pg" && chown postgres "$1/pg"
    as_postgres "$pg/initdb" -A trust -D "$1/pg" >/dev/null
  fi
  as_postgres "$pg/pg_ctl" -D "$1/pg" -o "-c listen_addresses= -c fsync=$2 -k /tmp" -w -l "$1/pg/log" start >/dev/null
  as_postgres "$pg/pgbench" -h /tmp -i -q postgres >/dev/null 2>&1
  as_postgres "$pg/pgbench" -h /tmp -T 3 -c 4 -N postgres 2>/dev/null | sed -n 's/^tps = \([0-9.]*\) .*/\1/p'
  as_postgres "$pg/pg_ctl" -D "$1/pg" -m fast stop >/dev/null
}
redis() { # directory, appendfsync
  mkdir -p "$1/redis"
  redis-server --port 0 --unixsocket /tmp/disk-rate.sock --dir "$1/redis" --save '' --appendonly yes --appendfsync "$2" --daemonize yes >/dev/null
  sleep 0.3
  redis-benchmark -s /tmp/disk-rate.sock -t set -n 20000 -c 20 --csv 2>/dev/null | sed -n 's/^"SET","\([0-9.]*\)".*/\1/p'
  redis-cli -s /tmp/disk-rate.sock shutdown nosave
  sleep 0.3
}
etcd_puts() { # directory
  etcd --data-dir "$1/etcd" >/dev/null 2>&1 &
  local server=$!
  sleep 1.5
  python3 - <<'END'
import http.client, threading, time
counts = [0] * 8
def put(i, end):
    link = http.client.HTTPConnection('127.0.0.1', 2379)
    while time.time() < end:
        link.request('POST', '/v3/kv/put', '{"key":"a2V5","value":"dmFsdWU="}')
        assert link.getresponse().read()
        counts[i] += 1
threads = [threading.Thread(target=put, args=(i, time.time() + 3)) for i in range(8)]
[one.start() for one in threads], [one.join() for one in threads]
print(sum(counts) / 3)
END
  kill $server && wait $server 2>/dev/null
}

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
compare() { # name, then the work, into which the directory is put as the first argument
  local name=$1 work=$2 round where
  shift 2
  [[ $name == *"$only"* ]] || return
  for ((round = 0; round < rounds; ++round)); do
    for where in $([ $((round % 2)) -eq 0 ] && echo native disk || echo disk native); do "$work" "$base/$where" "$@" >>"$base/out/$where"; done
  done
  paste "$base/out/native" "$base/out/disk" | awk '{ print 100 * $2 / $1 }' >"$base/out/left"
  awk -v name="$name" -v n="$(median <"$base/out/native")" -v d="$(median <"$base/out/disk")" -v left="$(median <"$base/out/left")" \
    -v all="$(sort -n "$base/out/left" | sed -n '1p;$p' | awk '{ printf "%s%.0f", (NR == 1 ? "" : " to "), $1 }')" \
    'BEGIN { printf "| %s | %.0f | %.0f | %.0f %% (%s) |\n", name, n, d, left, all }'
  rm -f "$base/out/native" "$base/out/disk" "$base/out/left"
}

echo '| work | native | disk | left |'
echo '|---|---|---|---|'
compare 'writes of 8 KiB, not synced, /s' writes 8192 10000 none append
compare 'appends of 4 KiB, not synced, /s' writes 4096 20000 none append
compare 'writes of 8 KiB at random, not synced, /s' writes 8192 10000 none random
compare 'writes of 8 KiB, synced at the end, /s' writes 8192 10000 end append
compare 'writes of 8 KiB at random, synced at the end, /s' writes 8192 5000 end random
compare 'writes of 1 MiB, synced at the end, /s' writes 1048576 256 end append
compare 'writes of 8 KiB, fsync after each, /s' writes 8192 500 each append
compare 'writes of 64 KiB, fdatasync after each, /s' writes 65536 300 each-data append
compare 'writes of 512 bytes, fdatasync after each, /s' writes 512 500 each-data append
compare 'PostgreSQL, fsync on: transactions/s (pgbench -N, 4 clients)' postgres on
compare 'PostgreSQL, fsync off: transactions/s' postgres off
compare 'Redis, appendfsync always: SET/s (20 clients)' redis always
compare 'Redis, appendfsync everysec: SET/s' redis everysec
compare 'Redis, appendfsync no: SET/s' redis no
compare 'etcd: puts/s (8 clients)' etcd_puts
