#!/usr/bin/env python3
"""Random small histories of every model and level against brute force, until there were enough or the time is over.

  tests/brute_force.py BUILD [--histories 10000000] [--time 3600] [--heavy 20] [--seed 2]

Runs the property tests that compare with an oracle again and again, with another ORDEAL_SEED each time and ORDEAL_HEAVY times as
many histories as usually, and prints how many each family saw. Every history is judged by every algorithm, or at every level, that
knows it. Exit code 1, and the test's words, at the first disagreement. A night's job: `nice -n 15 tests/brute_force.py build/release`.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time

# The program, its tests, and what one history of it is.
FAMILIES = [
    ("lin_search_property_test", "*AgreesWithTheOracle*", "linearizability"),
    ("weak_test", "*AgainstOracle*", "levels below"),
    ("transactions_definitions_test", "Definitions.*-*AllSmall*", "transactions"),
    ("transactions_repeated_values_test", "RepeatedValues.Of*:RepeatedValues.Guessed", "transactions, repeated values"),
]


def run(program, tests, heavy, seed, deadline):
    """(test, histories) of each test that ended; None when the time was over."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        environment = dict(os.environ, ORDEAL_HEAVY=str(heavy), ORDEAL_SEED=str(seed))
        command = [program, "--gtest_filter=" + tests, "--gtest_output=json:" + out.name]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=max(1, deadline - time.time()))
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0:
            print(done.stdout[-20000:])
            sys.exit(f"{program}: a disagreement, with ORDEAL_HEAVY={heavy} ORDEAL_SEED={seed}")
        suites = json.load(open(out.name))["testsuites"]
        return [(suite["name"], test["name"], int(test.get("histories", 0))) for suite in suites for test in suite["testsuite"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--histories", type=int, default=10_000_000)
    parser.add_argument("--time", type=float, default=3600, help="seconds")
    parser.add_argument("--heavy", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    programs = [(os.path.join(options.build, "bin", name), tests, family) for name, tests, family in FAMILIES]
    missing = [program for program, _, _ in programs if not os.path.exists(program)]
    if missing:
        sys.exit("not built: " + " ".join(missing))
    deadline, seed = time.time() + options.time, options.seed
    total, seen, cut = 0, collections.Counter(), False
    while total < options.histories and not cut:
        for program, tests, family in programs:
            found = run(program, tests, options.heavy, seed, deadline)
            if found is None:
                cut = True
                break
            for _, _, histories in found:
                seen[family] += histories
                total += histories
            if not any(histories for _, _, histories in found):
                sys.exit(f"{program}: compared nothing")
            print(f"seed {seed}: {family}: {seen[family]:,}; in all {total:,}", flush=True)
        seed += 1
    for family, histories in seen.items():
        print(f"{histories:12,}  {family}")
    print(f"{total:12,}  in all, no disagreement" + ("; the time was over" if cut else ""))
    return 0 if total else 1


if __name__ == "__main__":
    sys.exit(main())
