#!/usr/bin/env python3
"""Whole-process figures of `ordeal check` on transactions, as the table of transactions.md.

    tests/bench/transactions_table.py [BUILD=build/release] [RUNS=5] [ROW…]

Writes the histories with ordeal-gentxn into a temporary folder, runs `ordeal check` on each RUNS times, and prints the
median of the wall time, of the CPU time of all threads, and of the peak resident memory (which counts the mapped file).
ROW names the rows to run; the one of ten million takes 4 GB of disk and 7 GB of memory.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

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
    "ring-100k-registers": ("ring=100000 model=rw-register", "rw-register", "strict-serializable"),
    "3M": ("txns=3000000", "list-append", "strict-serializable"),
    "10M": ("txns=10000000", "list-append", "strict-serializable"),
}


def measured(command):
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.split(maxsplit=1)[0].decode()


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    wanted = sys.argv[3:] or [name for name in ROWS if name not in ("3M", "10M")]
    print(f"load average before: {os.getloadavg()[0]:.1f}")
    print("| history | file | level | verdict | wall | CPU | peak RSS |\n|---|---|---|---|---|---|---|")
    for name in wanted:
        shape, model, level = ROWS[name]
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "history")
            with open(file, "wb") as out:
                subprocess.run([os.path.join(build, "bin/ordeal-gentxn"), *shape.split()], stdout=out, check=True)
            command = [os.path.join(build, "ordeal"), "check", file, "--model", model, "--consistency", level]
            figures = [measured(command) for _ in range(runs)]
            wall, cpu, memory = (statistics.median(figure[i] for figure in figures) for i in range(3))
            size = os.path.getsize(file) / 1e6
            print(f"| `{shape}` | {size:.0f} MB | {level} | {figures[0][3].lower()} | {wall:.2f} s | {cpu:.2f} s | {memory:.0f} MB |", flush=True)


main()
