#!/usr/bin/env bash
# try-cockroachdb.sh [--dry-run] PROGRAM [STEP]…: target cockroachdb on a real CockroachDB, which is yours to give: a program
# named cockroach, or a release archive (.tgz). Steps, all of them when none is named:
#   up          five nodes start, are initialized and ready on a cluster of this script's own, on loopback
#   ranges      small ranges are accepted, and 2 MiB are split
#   leases      who holds a lease, in both dialects; a lease moves where it is told to
#   retries     an injected 40001, without and with the savepoint protocol
#   ambiguous   the leaseholder stops before COMMIT: what the client is told, and what has happened
#   statements  every workload for ten seconds without faults: all that the target says in SQL
#   clock       one clock 0.3 s ahead, where 0.25 s are allowed: the node ends itself, nothing is accused
#   power       power failures: of one node, and of all of them without syncing, which must be found
#   workloads   register, bank, set and list-append under partitions and kills; what may break strict serializability
# A line for each thing tried: as-expected, UNEXPECTED, or told, where either may come. Needs root, ordeal in $ORDEAL
# (build/release/ordeal), curl and python3; $SECONDS_EACH (60) is the length of a run, $READY_WITHIN (10) how many seconds
# after init all nodes shall be ready, $OUT (a new directory) keeps the runs and what was said. --dry-run prints each command, has ordeal check its own ones, and starts nothing.
# Exit code 0: all as expected; 1: something was not; 3: nothing could be tried; 64: wrong usage.
set -u
steps="up ranges leases retries ambiguous statements clock power workloads"
own_cluster="ranges leases retries ambiguous"

usage() {
  echo "$1; see: sed -n 2,17p $0" >&2
  exit 64
}
dry=no
[ "${1:-}" = --dry-run ] && { dry=yes; shift; }
[ $# -gt 0 ] || usage 'no program is named'
given=$1
shift
for step; do
  case " $steps " in *" $step "*) ;; *) usage "there is no step $step; there are: $steps" ;; esac
done
[ $# -gt 0 ] || eval set -- "$steps"
case $given in /*) ;; *) given=$PWD/$given ;; esac
here=$(cd "$(dirname "$0")/.." && pwd)
ordeal=${ORDEAL:-$here/build/release/ordeal}
each=${SECONDS_EACH:-60}
ready_within=${READY_WITHIN:-10}
[ -x "$ordeal" ] || { echo "there is no $ordeal: make build, or say where it is in \$ORDEAL" >&2; exit 3; }

work=$(mktemp -d)
out=${OUT:-}
failed=0
finish() {
  exec 7>&-  # a session that is still open ends
  [ -s "$work/pids" ] && while read -r pid; do kill -CONT "$pid"; kill -KILL "$pid"; done <"$work/pids" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 3' INT TERM HUP
trap ':' PIPE # a client that ended early must not end this script, and leave the nodes

case $given in
*.tgz | *.tar.gz) how=archive ;;
*) how=binary ;;
esac
if [ $dry = no ]; then
  [ "$(id -u)" -eq 0 ] || { echo 'needs root: ordeal makes namespaces for its nodes' >&2; exit 3; }
  bin=$given
  if [ $how = archive ]; then
    tar -xzf "$given" -C "$work" || { echo "$given cannot be unpacked" >&2; exit 3; }
    bin=$(find "$work" -type f -name cockroach | head -n 1)
  fi
  version=$(timeout 30 "${bin:-/nonexistent}" version 2>&1 </dev/null) || version=
  case $version in
  *'Build Tag'* | *CockroachDB*) printf '%s\n' "$version" | head -n 2 ;;
  *) echo "$given is no CockroachDB: \"version\" is not answered as one does" >&2; exit 3 ;;
  esac
  out=${out:-$(mktemp -d /var/tmp/try-cockroachdb.XXXXXX)}
  mkdir -p "$out" || exit 3
  echo "runs and logs: $out"
else
  bin=cockroach
  out=${out:-$work}
fi

# say RESULT NAME TEXT
say() {
  [ "$1" = UNEXPECTED ] && failed=1
  printf '%-12s %-22s %s\n' "$1" "$2" "$3"
}
# holds NAME TEXT-IF-SO TEXT-IF-NOT COMMAND…: as-expected when the command succeeds.
holds() {
  local name=$1 good=$2 bad=$3
  shift 3
  if "$@"; then say as-expected "$name" "$good"; else say UNEXPECTED "$name" "$bad"; fi
}

# run NAME EXPECTED-EXIT-CODES ARGUMENTS…: a run of ordeal; more than one code, as in "0 1": either may come.
run() {
  local name=$1 expected=$2 code=0 result=UNEXPECTED first
  shift 2
  set -- run --target cockroachdb --set "cockroachdb.$how=$given" --store "$out/store" --name "$name" --seed 7 "$@"
  if [ $dry = yes ]; then
    printf 'ordeal'
    printf ' %q' "$@"
    printf '   # %s\n' "exit code ${expected/ / or }"
    "$ordeal" "$@" --dry-run >/dev/null || { say UNEXPECTED "$name" 'refused'; return; }
    return
  fi
  timeout -k 60 $((each * 3 + 600)) "$ordeal" "$@" --json >"$out/$name.json" 2>"$out/$name.log" </dev/null || code=$?
  case " $expected " in *" $code "*) result=as-expected ;; esac
  [ "$result" = as-expected ] && [ "${expected#* }" != "$expected" ] && result=told
  first=$("$here/scripts/first_anomaly.py" "$out/$name.json")
  say "$result" "$name" "exit code $code${first:+: $first}"
  [ $code -le 1 ] || tail -n 3 "$out/$name.log" | sed 's/^/             /'
}

# The cluster of this script's own: node I has the ports 3626I (nodes), 3625I (SQL) and 3628I (HTTP) of 127.0.0.1.
declare -A pid_of
start_node() {
  local i=$1
  set -- start --insecure "--store=path=$work/n$i" "--listen-addr=127.0.0.1:3626$i" "--advertise-addr=127.0.0.1:3626$i" \
    "--sql-addr=127.0.0.1:3625$i" "--advertise-sql-addr=127.0.0.1:3625$i" "--http-addr=127.0.0.1:3628$i" --max-offset=250ms \
    --cache=128MiB --max-sql-memory=128MiB '--log=sinks: {stderr: {filter: WARNING}}' \
    --join=127.0.0.1:36261,127.0.0.1:36262,127.0.0.1:36263,127.0.0.1:36264,127.0.0.1:36265
  if [ $dry = yes ]; then
    printf 'cockroach'
    printf ' %q' "$@"
    printf '\n'
    return
  fi
  COCKROACH_SKIP_ENABLING_DIAGNOSTIC_REPORTING=true COCKROACH_SCAN_INTERVAL=200ms COCKROACH_SCAN_MAX_IDLE_TIME=5ms \
    COCKROACH_MIN_RANGE_MAX_BYTES=1 setsid "$bin" "$@" </dev/null >>"$out/n$i.log" 2>&1 &
  pid_of[$i]=$!
  echo $! >>"$work/pids"
}
# sql NODE SECONDS STATEMENT…: one session; what it answers, errors included, is in $answer. Fails when a statement does.
sql() {
  local i=$1 seconds=$2 words=()
  shift 2
  if [ $dry = yes ]; then
    printf "n$i: %s;\\n" "$@"
    answer=
    return 0
  fi
  for text; do words+=(-e "$text"); done
  answer=$(timeout -k 1 "$seconds" "$bin" sql --insecure "--host=127.0.0.1:3625$i" --format=tsv "${words[@]}" 2>&1 </dev/null)
}
# until SECONDS COMMAND…: tries every half second; fails when it has not succeeded by then.
until_so() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $dry = yes ] && return 0
    [ $SECONDS -lt $end ] || return 1
    sleep 0.5
  done
}
all_ready() {
  local i
  [ $dry = yes ] && { echo 'curl http://127.0.0.1:3628{1..5}/health?ready=1'; return 0; }
  for i in 1 2 3 4 5; do
    [ "$(curl -s -o /dev/null -m 2 -w '%{http_code}' "http://127.0.0.1:3628$i/health?ready=1")" = 200 ] || return 1
  done
}
number() { printf '%s\n' "$answer" | grep -xE '[0-9]+' | tail -n 1; }
replicated() {
  sql 1 20 'SELECT min(array_length(replicas, 1)) FROM crdb_internal.ranges_no_leases'
  [ $dry = yes ] || [ "$(number)" -ge 3 ] 2>/dev/null
}

cluster=no
up() {
  local i began
  [ $cluster = no ] || return 0
  cluster=failed
  for i in 1 2 3 4 5; do start_node $i; done
  if [ $dry = yes ]; then
    echo 'cockroach init --insecure --host=127.0.0.1:36261'
  else
    sleep 1
    if ! until_so 20 eval "timeout -k 1 10 '$bin' init --insecure --host=127.0.0.1:36261 >'$out/init.log' 2>&1 </dev/null"; then
      say UNEXPECTED up "init failed: $(tail -n 1 "$out/init.log")"
      return 1
    fi
  fi
  began=$SECONDS
  if ! until_so $((ready_within + 60)) all_ready; then
    say UNEXPECTED up "not all nodes are ready within $((ready_within + 60)) s of init"
    return 1
  fi
  cluster=up
  [ $dry = yes ] && return 0
  if [ $((SECONDS - began)) -le "$ready_within" ]; then say as-expected up "all five are ready $((SECONDS - began)) s after init"
  else say UNEXPECTED up "all five are ready only $((SECONDS - began)) s after init"; fi
  until_so 120 replicated || say UNEXPECTED up "ranges have $(number) replicas after 120 s"
}

several_ranges() {
  sql 1 20 'SELECT count(*) FROM [SHOW RANGES FROM TABLE try_ranges]'
  [ $dry = yes ] || [ "$(number)" -gt 1 ] 2>/dev/null
}
ranges() {
  if ! sql 1 60 'ALTER DATABASE defaultdb CONFIGURE ZONE USING range_min_bytes = 1024, range_max_bytes = 1048576' \
    'CREATE TABLE try_ranges (k INT PRIMARY KEY, v STRING)' \
    "INSERT INTO try_ranges SELECT g, repeat(md5(g::STRING), 32) FROM generate_series(1, 2200) AS g"; then
    say UNEXPECTED ranges "${answer##*$'\n'}"
    return
  fi
  until_so 60 several_ranges
  [ $dry = yes ] || holds ranges "2 MiB are in $(number) ranges" "2 MiB are in $(number) range after 60 s" several_ranges
}

leases() {
  local range holder other store dialect=none
  sql 1 30 'CREATE TABLE try_leases (k INT PRIMARY KEY, v INT)' 'INSERT INTO try_leases VALUES (1, 1)' ||
    { say UNEXPECTED leases "${answer##*$'\n'}"; return; }
  sql 1 30 'SELECT lease_holder, count(*) FROM [SHOW RANGES FROM TABLE try_leases WITH DETAILS] GROUP BY lease_holder' &&
    dialect='23.1 on (WITH DETAILS)'
  sql 1 30 'SELECT lease_holder, count(*) FROM [SHOW RANGES FROM TABLE try_leases] GROUP BY lease_holder' &&
    [ "$dialect" = none ] && dialect='up to 22.2'
  sql 1 30 'SELECT range_id FROM [SHOW RANGE FROM TABLE try_leases FOR ROW (1)]' && range=$(number)
  sql 1 30 'SELECT lease_holder FROM [SHOW RANGE FROM TABLE try_leases FOR ROW (1)]' && holder=$(number)
  sql 1 30 'SELECT node_id, address FROM crdb_internal.gossip_nodes'
  sql 1 30 'SELECT node_id, store_id FROM crdb_internal.kv_store_status'
  if [ $dry = yes ]; then
    sql 1 30 'ALTER RANGE 1 RELOCATE LEASE TO 2'
    return
  fi
  say "$([ "$dialect" = none ] && echo UNEXPECTED || echo as-expected)" leaseholders "dialect: $dialect; node ${holder:-?}"
  [ -n "${range:-}" ] && [ -n "${holder:-}" ] || { say UNEXPECTED leases 'the range or its holder is not shown'; return; }
  # A store that has a replica, and not the lease; a node of this cluster has one store.
  sql 1 30 "SELECT unnest(replicas) FROM crdb_internal.ranges_no_leases WHERE range_id = $range"
  for store in $(printf '%s\n' "$answer" | grep -xE '[0-9]+'); do [ "$store" = "$holder" ] || other=$store; done
  sql 1 30 "ALTER RANGE $range RELOCATE LEASE TO ${other:-0}"
  case $answer in *ok*) ;; *) say UNEXPECTED leases "the answer is: ${answer##*$'\n'}"; return ;; esac
  sql 1 30 'SELECT lease_holder FROM [SHOW RANGE FROM TABLE try_leases FOR ROW (1)]'
  holds leases "the lease went from $holder to $other" "it was to go from $holder to $other, and is at $(number)" \
    [ "$(number)" = "$other" ]
}

retries() {
  sql 1 30 'SET inject_retry_errors_enabled = on' 'BEGIN' 'SELECT 1' 'COMMIT'
  [ $dry = yes ] || case $answer in
  *40001*) say as-expected retries 'without the protocol the client is told 40001' ;;
  *) say UNEXPECTED retries "no 40001: ${answer##*$'\n'}" ;;
  esac
  # Every statement fails three times at most; each time all is said again, as the target does.
  local words=$work/savepoint.sql i
  {
    echo 'SET inject_retry_errors_enabled = on; CREATE TABLE IF NOT EXISTS try_retries (k INT PRIMARY KEY, n INT);'
    echo 'UPSERT INTO try_retries VALUES (1, 0); BEGIN; SAVEPOINT cockroach_restart;'
    for i in 1 2 3 4 5; do
      echo 'UPDATE try_retries SET n = n + 1 WHERE k = 1;'
      [ $i = 5 ] || echo 'ROLLBACK TO SAVEPOINT cockroach_restart;'
    done
    echo 'RELEASE SAVEPOINT cockroach_restart; COMMIT;'
  } >"$words"
  if [ $dry = yes ]; then sed 's/^/n1: /' "$words"; return; fi
  timeout -k 1 60 "$bin" sql --insecure --host=127.0.0.1:36251 --set=errexit=false <"$words" >"$out/savepoint.log" 2>&1
  sql 1 30 'SELECT n FROM try_retries WHERE k = 1'
  holds savepoint 'with it the transaction happened once' "with it the counter is $(number), not 1: $out/savepoint.log" \
    [ "$(number)" = 1 ]
}

# The one in whose hand the lease is, as this script numbers nodes.
node_of_lease() {
  local id address
  sql 1 30 'SELECT lease_holder FROM [SHOW RANGE FROM TABLE try_ambiguous FOR ROW (1)]'
  id=$(number)
  sql 1 30 "SELECT address FROM crdb_internal.gossip_nodes WHERE node_id = ${id:-0}"
  address=$(printf '%s\n' "$answer" | grep -oE '127\.0\.0\.1:3626[1-5]' | tail -n 1)
  held_by=${address##*:3626}
}
ambiguous() {
  local asker=1 said
  sql 1 30 'CREATE TABLE try_ambiguous (k INT PRIMARY KEY, v INT)' 'INSERT INTO try_ambiguous VALUES (1, 1)' ||
    { say UNEXPECTED ambiguous "${answer##*$'\n'}"; return; }
  if [ $dry = yes ]; then
    printf 'n1: %s;\n' "SET statement_timeout = '5s'" BEGIN 'UPDATE try_ambiguous SET v = 2 WHERE k = 1'
    echo 'kill -STOP of the node that has the lease'
    echo 'n1: COMMIT;'
    return
  fi
  node_of_lease
  [ -n "$held_by" ] || { say UNEXPECTED ambiguous 'it is not shown who has the lease'; return; }
  [ "$held_by" = 1 ] && asker=2
  mkfifo "$work/session"
  timeout -k 1 60 "$bin" sql --insecure "--host=127.0.0.1:3625$asker" --set=errexit=false <"$work/session" \
    >"$out/ambiguous.log" 2>&1 &
  local client=$!
  exec 7>"$work/session"
  printf '%s\n' "SET statement_timeout = '5s';" 'BEGIN;' 'UPDATE try_ambiguous SET v = 2 WHERE k = 1;' >&7
  sleep 2
  kill -STOP "${pid_of[$held_by]}"
  printf 'COMMIT;\n' >&7
  sleep 8
  kill -CONT "${pid_of[$held_by]}"
  exec 7>&-
  wait $client
  rm -f "$work/session"
  said=$(grep -oE 'SQLSTATE: [0-9A-Z]{5}' "$out/ambiguous.log" | tail -n 1)
  until_so 60 sql $asker 20 'SELECT v FROM try_ambiguous WHERE k = 1'
  # 40001 is `fail` for the target; 40003, 57014 at COMMIT and a lost connection are `info`; no error is `ok`.
  case "$said $(number)" in
  *40001*' 2') say UNEXPECTED ambiguous "$said, which the target takes for a failure, and the write is there" ;;
  ' 1') say UNEXPECTED ambiguous "no error, and the write is not there" ;;
  *) say told ambiguous "${said:-no error}; the value is $(number) (2: committed)" ;;
  esac
}

statements() {
  local workload level
  for workload in $("$ordeal" list targets cockroachdb --json |
    python3 -c 'import json, sys; print(*json.load(sys.stdin)[0]["workloads"])'); do
    level=()
    # Where more is claimed by default than CockroachDB promises (targets/cockroachdb/README.md).
    case $workload in
    list-append | rw-register) level=(--consistency serializable) ;;
    comments | causal-reverse) level=(--consistency sequential) ;;
    queue) level=(--consistency at-most-once) ;;
    esac
    run "statements-$workload" 0 --workload "$workload" --time-limit 10 --rate 100 "${level[@]}"
  done
}

clock() {
  run clock 0 --workload register --nemesis clock --set clock.kind=offset --set clock.offset=0.3 --set clock.nodes=one \
    --time-limit "$each"
  [ $dry = yes ] && return
  holds clock-message 'a node said why it ended' 'no node said "clock synchronization error"' \
    grep -rqs 'clock synchronization error' "$out/store/clock"
}

power() {
  run power 0 --workload set-full --nemesis power-loss --set power-loss.nodes=one --time-limit "$each"
  run power-unsynced 1 --workload set-full --nemesis power-loss --set power-loss.nodes=all --time-limit "$each" \
    --set cockroachdb.settings=kv.raft_log.disable_synchronization_unsafe=true
}

workloads() {
  local workload
  for workload in register bank set; do
    run "$workload" 0 --workload $workload --nemesis partition,kill --time-limit "$each"
  done
  run list-append 0 --workload list-append --consistency serializable --nemesis partition,kill --time-limit "$each"
  run list-append-strict '0 1' --workload list-append --consistency strict-serializable --nemesis partition,kill --time-limit "$each"
  run comments '0 1' --workload comments --nemesis partition,kill --time-limit "$each"
}

for step; do
  [ $dry = yes ] && echo "# $step"
  case " $own_cluster " in
  *" $step "*) up && [ $cluster = up ] || { say UNEXPECTED "$step" 'there is no cluster to try it on'; continue; } ;;
  esac
  $step
done
exit $failed
