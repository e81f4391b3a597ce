#!/usr/bin/env python3
"""The speed table of the linearizability checker, whole process: `ordeal check FILE --json`, parsing included.

  tests/bench/table.py [--build build/release] [--runs 5] [--rows WORD] [--etcd FOLDER] [--peer 'porcupine=CMD {file}']

Histories are made by ordeal-genhistory (build with -DORDEAL_BENCH=ON) and objects.py in a temporary folder. For each row: the
verdict, the medians of wall and CPU time, the largest resident memory of all runs (wait4), and what was aimed at. A verdict other
than the expected one, or a missed aim, is marked with "!!" and makes the exit code 1. The rows "growth" have no aim: they
vary length, clients and crashed share one at a time. With --peer other checkers read the same files, in turn with ours.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from measure import add_peers, alternating, peer_columns, peer_command, peers

VIOLATIONS = ("stale-read", "lost-write", "future-read", "stale-replica")


def object_rows():
    """(name, arguments of objects.py, aim in CPU seconds). A completion that was changed need not be a violation: any verdict but
    unknown is as expected, and valid where none was changed."""
    for changed in (0, 1):
        kind = ", a completion changed" if changed else ""
        more = f" changed={changed}"
        yield "set of 1,000 elements, 100k" + kind, "set ops=100000" + more, 0.3
        yield "kv with appends, 5 keys, 5k, 10 clients" + kind, "kv ops=5000 keys=5" + more, 0.1
        yield "kv with appends, 5 keys, 5k, 50 clients" + kind, "kv ops=5000 keys=5 clients=50" + more, 0.1
        yield "cas-heavy, 10k, 10 clients" + kind, "cas-register ops=10000 values=4 reads=1 writes=0.05 cas=4" + more, 0.06
        yield "cas-heavy, 10k, 30 clients" + kind, "cas-register ops=10000 clients=30 values=4 reads=1 writes=0.05 cas=4" + more, 0.06
        yield "cas, 5 % crashed, 1k" + kind, "cas-register ops=1000 values=5 crashed=0.05" + more, 0.02
        yield "cas, 1 % crashed, 5k" + kind, "cas-register ops=5000 values=5 crashed=0.01" + more, 0.02
        yield "unique values but three, 1M" + kind, "register ops=1000000 duplicates=3" + more, 1.5
        yield "counter, 100k" + kind, "counter ops=100000" + more, 0.3
        yield "counter, 100k, 5 % crashed" + kind, "counter ops=100000 crashed=0.05" + more, 0.3
        yield "counter, 5 % crashed, 5k" + kind, "counter ops=5000 crashed=0.05" + more, 0.3
        for model in ("queue", "unordered-queue", "stack", "priority-queue"):
            yield f"{model}, 10k" + kind, f"{model} ops=10000" + more, 1
            yield f"{model}, 10k, 1 % crashed" + kind, f"{model} ops=10000 crashed=0.01" + more, 1
            yield f"{model}, 10k, 30 % repeated" + kind, f"{model} ops=10000 repeated=0.3" + more, 1
    for keys in (100, 1_000, 10_000, 50_000):
        yield f"register, 1M over {keys} keys", f"register ops=1000000 keys={keys} values=5", 1
    yield "one key, 341 operations, 300 crashed", "cas-register ops=341 values=5 crashed=0.88 reads=1 writes=0 cas=1", 5


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


class Table:
    def __init__(self, build, runs, rivals):
        self.ordeal = os.path.join(build, "ordeal")
        self.runs = runs
        self.rivals = rivals
        self.failed = False

    def measure(self, name, files, model, expected, aim, aim_mb):
        commands = {"": [self.ordeal, "check", *files, "--model", model, "--json", "--timeout", "120"]}
        for rival, command in self.rivals:
            commands[rival] = peer_command(command, file=files, model=model, level="linearizable")
        figures = alternating(self.runs, commands)
        ours = figures.pop("")
        results = json.loads(ours.out)
        results = results if isinstance(results, list) else [results]
        found = [r["verdict"] for r in results]
        as_expected = found == expected or (expected == ["decided"] and found in (["valid"], ["invalid"]))
        bad = not as_expected or (aim and ours.wall > aim) or (aim_mb and ours.megabytes > aim_mb)
        self.failed |= bool(bad)
        verdict = found[0] if len(found) == 1 else f"{len(found)} files"
        aims = (f"< {aim} s" if aim else "") + (f", < {aim_mb} MB" if aim_mb else "")
        smallest = [len(a["operations"]) for r in results[:1] for a in r["anomalies"][:1]]
        note = f"{smallest[0]} operations" if smallest and len(results) == 1 else ""
        print(f"| {name} | {verdict} | {ours.wall:.3f} s | {ours.fastest:.3f} to {ours.slowest:.3f} s | {ours.cpu:.3f} s | {ours.megabytes:.0f} MB | {aims} | "
              f"{note}{' !!' if bad else ''} |{peer_columns(figures.values(), ours)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--etcd", default="../shared/data/etcd-jepsen", help="folder of etcd logs with expected.tsv")
    add_peers(parser)
    options = parser.parse_args()
    rivals = peers(options)
    table = Table(options.build, options.runs, rivals)
    generator = os.path.join(options.build, "bin", "ordeal-genhistory")
    heads = "".join(f" {rival} |" for rival, _ in rivals)
    print(f"| history | verdict | wall | from, to | CPU | peak | aim | counterexample |{heads}\n|---|---|---|---|---|---|---|---|{'---|' * len(rivals)}")
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
        objects = os.path.join(os.path.dirname(os.path.abspath(__file__)), "objects.py")
        for name, arguments, aim in object_rows():
            if options.rows not in name:
                continue
            file = os.path.join(folder, "history.jsonl")
            with open(file, "wb") as out:
                subprocess.run([sys.executable, objects, *arguments.split()], stdout=out, check=True)
            table.measure(name, [file], arguments.split()[0], ["valid" if "changed=1" not in arguments else "decided"], aim, None)
    logs = os.path.join(options.etcd, "expected.tsv")
    if options.rows in "etcd logs" and os.path.exists(logs):
        with open(logs, encoding="utf-8") as lines:
            expected = [line.split("\t") for line in lines.read().splitlines() if ".log\t" in line]
        files = [os.path.join(options.etcd, row[0]) for row in expected]
        table.measure(f"{len(files)} etcd logs", files, "cas-register", [row[1] for row in expected], 0.1, None)
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
