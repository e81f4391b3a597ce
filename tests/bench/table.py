#!/usr/bin/env python3
"""The speed table of the linearizability checker, whole process: `ordeal check FILE --json`, parsing included.

  tests/bench/table.py [--build build/release] [--runs 5] [--rows WORD] [--etcd FOLDER]

Histories are made by ordeal-genhistory (build with -DORDEAL_BENCH=ON) in a temporary folder. For each row: the verdict,
the medians of wall and CPU time, the largest resident memory of all runs (wait4), and what was aimed at. A verdict other than
the expected one, or a missed aim, is marked with "!!" and makes the exit code 1. The rows "growth" have no aim: they
vary length, clients and crashed share one at a time.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

VIOLATIONS = ("stale-read", "lost-write", "future-read", "stale-replica")


def rows():
    """(name, arguments of the generator, violations, aim in seconds, aim in MB)"""
    both = ("none", "stale-read", "stale-replica")
    yield "unique-value register, 10k", "ops=10000 values=0 cas=0", VIOLATIONS, 0.05, None
    yield "unique-value register, 1M", "ops=1000000 values=0 cas=0", ("none", "stale-read"), 2, 1024
    yield "cas-register of 5 values, 10k", "ops=10000", VIOLATIONS, 0.05, None
    yield "cas-register of 5 values, 100k", "ops=100000", both, 0.5, None
    yield "1 % crashed, 1k", "ops=1000 crashed=0.01", VIOLATIONS, 0.2, None
    yield "1 % crashed, 5k", "ops=5000 crashed=0.01", VIOLATIONS, 2, None
    yield "5 % crashed, 1k", "ops=1000 crashed=0.05", VIOLATIONS, 10, None
    yield "5 % crashed, 5k", "ops=5000 crashed=0.05", VIOLATIONS, 10, None
    yield "30 clients, 10k", "ops=10000 clients=30", both, 5, None
    yield "100 clients, 10k", "ops=10000 clients=100", both, 30, None
    yield "100 keys x 10k", "ops=1000000 keys=100", ("none", "stale-read"), 3, None
    for n in (1_000, 10_000, 100_000, 1_000_000):
        yield f"growth: {n} operations", f"ops={n}", both, None, None
    for n in (2, 5, 10, 20, 40, 80):
        yield f"growth: {n} clients, 5k", f"ops=5000 clients={n}", both, None, None
    for p in (0, 1, 2, 5, 10):
        yield f"growth: {p} % crashed, 2k", f"ops=2000 crashed={p / 100}", both, None, None


def timed(command):
    """Runs a command: (wall seconds, CPU seconds, peak resident MB, standard output)."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out


class Table:
    def __init__(self, build, runs):
        self.ordeal = os.path.join(build, "ordeal")
        self.runs = runs
        self.failed = False

    def measure(self, name, files, model, expected, aim, aim_mb):
        walls, cpus, peak = [], [], 0.0
        for _ in range(self.runs):
            wall, cpu, megabytes, out = timed([self.ordeal, "check", *files, "--model", model, "--json", "--timeout", "120"])
            walls.append(wall)
            cpus.append(cpu)
            peak = max(peak, megabytes)
        results = json.loads(out)
        results = results if isinstance(results, list) else [results]
        found = [r["verdict"] for r in results]
        wall = statistics.median(walls)
        bad = found != expected or (aim and wall > aim) or (aim_mb and peak > aim_mb)
        self.failed |= bool(bad)
        verdict = found[0] if len(found) == 1 else f"{len(found)} files"
        aims = (f"< {aim} s" if aim else "") + (f", < {aim_mb} MB" if aim_mb else "")
        smallest = [len(a["operations"]) for r in results[:1] for a in r["anomalies"][:1]]
        note = f"{smallest[0]} operations" if smallest and len(results) == 1 else ""
        spread = f"{min(walls):.3f} to {max(walls):.3f} s"
        print(f"| {name} | {verdict} | {wall:.3f} s | {spread} | {statistics.median(cpus):.3f} s | {peak:.0f} MB | {aims} | {note}{' !!' if bad else ''} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--etcd", default="../shared/data/etcd-jepsen", help="folder of etcd logs with expected.tsv")
    options = parser.parse_args()
    table = Table(options.build, options.runs)
    generator = os.path.join(options.build, "bin", "ordeal-genhistory")
    print("| history | verdict | wall | from, to | CPU | peak | aim | counterexample |\n|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments, violations, aim, aim_mb in rows():
            if options.rows not in name:
                continue
            for violation in violations:
                file = os.path.join(folder, "history.jsonl")
                with open(file, "wb") as out:
                    subprocess.run([generator, *arguments.split(), f"violation={violation}"], stdout=out, check=True)
                expected = ["valid" if violation == "none" else "invalid"]
                table.measure(f"{name}, {violation}", [file], "cas-register", expected, aim, aim_mb)
    logs = os.path.join(options.etcd, "expected.tsv")
    if options.rows in "etcd logs" and os.path.exists(logs):
        with open(logs, encoding="utf-8") as lines:
            expected = [line.split("\t") for line in lines.read().splitlines() if ".log\t" in line]
        files = [os.path.join(options.etcd, row[0]) for row in expected]
        table.measure(f"{len(files)} etcd logs", files, "cas-register", [row[1] for row in expected], 0.1, None)
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
