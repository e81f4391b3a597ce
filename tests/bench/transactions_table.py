#!/usr/bin/env python3
"""Whole-process figures of `ordeal check` on transactions, as the table of transactions.md.

    tests/bench/transactions_table.py [BUILD=build/release] [RUNS=5] [ROW…] [--peer 'elle=CMD {file} {level}']

Writes the histories with ordeal-gentxn into a temporary folder, runs `ordeal check` on each RUNS times, and prints the
median of the wall time and of the CPU time of all threads, and the largest resident memory (which counts the mapped file).
ROW names the rows to run; the one of ten million takes 4 GB of disk and 7 GB of memory. With --peer other checkers read the
same files, in turn with ours.
"""
import argparse
import os
import subprocess
import tempfile

from measure import add_peers, alternating, peer_columns, peer_command, peers

# Fifteen reads and blind writes of a transaction, on 5,000 keys, with ten values.
REPEATED = "ops=15 keys=5000 writes=1000000 values=10 model=rw-register"

ROWS = {
    "100k": ("txns=100000", "list-append", "strict-serializable"),
    "1M": ("txns=1000000", "list-append", "strict-serializable"),
    "1M-10-clients": ("txns=1000000 clients=10", "list-append", "strict-serializable"),
    "1M-100-clients": ("txns=1000000 clients=100", "list-append", "strict-serializable"),
    "1M-crashed": ("txns=1000000 crashed=0.01", "list-append", "strict-serializable"),
    "1M-edn": ("txns=1000000 format=edn", "list-append", "strict-serializable"),
    "1M-stale": ("txns=1000000 store=stale", "list-append", "strict-serializable"),
    "1M-snapshot-SI": ("txns=1000000 store=snapshot", "list-append", "strong-snapshot-isolation"),
    "1M-snapshot-SER": ("txns=1000000 store=snapshot", "list-append", "serializable"),
    "ring-100k": ("ring=100000", "list-append", "strict-serializable"),
    "registers-100k": ("txns=100000 model=rw-register", "rw-register", "strict-serializable"),
    "registers-1M": ("txns=1000000 model=rw-register", "rw-register", "strict-serializable"),
    "registers-1M-SI": ("txns=1000000 model=rw-register", "rw-register", "snapshot-isolation"),
    "registers-2-keys": ("txns=100000 model=rw-register keys=2 writes=1000000", "rw-register", "serializable"),
    "registers-untimed": ("txns=20000 model=rw-register store=untimed", "rw-register", "serializable"),
    "registers-untimed-SI": ("txns=20000 model=rw-register store=untimed", "rw-register", "snapshot-isolation"),
    "registers-100k-untimed": ("txns=100000 model=rw-register store=untimed", "rw-register", "serializable"),
    "registers-1M-causal": ("txns=1000000 model=rw-register", "rw-register", "causal"),
    "registers-1M-RA": ("txns=1000000 model=rw-register", "rw-register", "read-atomic"),
    "registers-1M-RC": ("txns=1000000 model=rw-register", "rw-register", "read-committed-axiomatic"),
    "registers-1M-causal-changed": ("txns=1000000 model=rw-register changed=1", "rw-register", "causal"),
    "registers-1M-changed": ("txns=1000000 model=rw-register changed=1", "rw-register", "strict-serializable"),
    "registers-20k-untimed-changed": ("txns=20000 model=rw-register store=untimed changed=1", "rw-register", "serializable"),
    "repeated-1k": (f"txns=1000 clients=20 {REPEATED}", "rw-register", "serializable"),
    "repeated-1k-SI": (f"txns=1000 clients=20 {REPEATED}", "rw-register", "snapshot-isolation"),
    "repeated-5k": (f"txns=5000 clients=30 {REPEATED}", "rw-register", "serializable"),
    "repeated-5k-SI": (f"txns=5000 clients=30 {REPEATED}", "rw-register", "strong-session-snapshot-isolation"),
    "repeated-5k-untimed": (f"txns=5000 clients=30 {REPEATED} store=untimed", "rw-register", "serializable"),
    "repeated-5k-untimed-SI": (f"txns=5000 clients=30 {REPEATED} store=untimed", "rw-register", "snapshot-isolation"),
    "repeated-1k-changed": (f"txns=1000 clients=20 {REPEATED} changed=1", "rw-register", "strict-serializable"),
    "repeated-5k-changed": (f"txns=5000 clients=30 {REPEATED} changed=1", "rw-register", "strict-serializable"),
    "repeated-hot-keys": ("txns=5000 clients=30 ops=15 keys=100 writes=1000000 values=5 model=rw-register", "rw-register", "serializable"),
    "ring-100k-registers": ("ring=100000 model=rw-register", "rw-register", "strict-serializable"),
    "3M": ("txns=3000000", "list-append", "strict-serializable"),
    "10M": ("txns=10000000", "list-append", "strict-serializable"),
}


def measure(name, build, runs, rivals):
    shape, model, level = ROWS[name]
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "history")
        with open(file, "wb") as out:
            subprocess.run([os.path.join(build, "bin/ordeal-gentxn"), *shape.split()], stdout=out, check=True)
        commands = {"": [os.path.join(build, "ordeal"), "check", file, "--model", model, "--consistency", level]}
        for rival, command in rivals:
            commands[rival] = peer_command(command, file=[file], model=model, level=level)
        figures = alternating(runs, commands)
        ours = figures.pop("")
        size = os.path.getsize(file) / 1e6
        verdict = ours.out.split(maxsplit=1)[0].decode().lower()
        print(f"| `{shape}` | {size:.0f} MB | {level} | {verdict} | {ours.wall:.2f} s | {ours.cpu:.2f} s | {ours.megabytes:.0f} MB |"
              f"{peer_columns(figures.values(), ours)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("runs", nargs="?", type=int, default=5)
    parser.add_argument("rows", nargs="*", metavar="row", help=", ".join(ROWS))
    add_peers(parser)
    options = parser.parse_intermixed_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no row is called {unknown[0]}")
    rivals = peers(options)
    print(f"load average before: {os.getloadavg()[0]:.1f}")
    heads = "".join(f" {rival} |" for rival, _ in rivals)
    print(f"| history | file | level | verdict | wall | CPU | peak RSS |{heads}\n|---|---|---|---|---|---|---|{'---|' * len(rivals)}")
    for name in options.rows or [name for name in ROWS if name not in ("3M", "10M")]:
        measure(name, options.build, options.runs, rivals)


main()
