#!/usr/bin/env python3
"""Random small histories of every model and level against brute force, until there were enough or the time is over.

  tests/brute_force.py BUILD [--histories 10000000] [--time 3600] [--heavy 20] [--seed 2] [--jobs 1]

Runs the property tests that compare with an oracle again and again, with another ORDEAL_SEED each time and ORDEAL_HEAVY times as
many histories as usually, --jobs of them at the same time, and prints how many each family saw, and in the end each test (a model, or a
kind of histories). Every history is judged by every algorithm, or at every level, that
knows it. Exit code 1, and the test's words, at the first disagreement. A night's job: `nice -n 15 tests/brute_force.py build/release`.
"""
import argparse
import collections
import concurrent.futures
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


class Disagreement(Exception):
    pass


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
            raise Disagreement(f"{done.stdout[-20000:]}\n{program}: a disagreement, with ORDEAL_HEAVY={heavy} ORDEAL_SEED={seed}")
        suites = json.load(open(out.name))["testsuites"]
        return [(suite["name"], test["name"], int(test.get("histories", 0))) for suite in suites for test in suite["testsuite"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--histories", type=int, default=10_000_000)
    parser.add_argument("--time", type=float, default=3600, help="seconds")
    parser.add_argument("--heavy", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="programs at the same time")
    options = parser.parse_args()
    programs = [(os.path.join(options.build, "bin", name), tests, family) for name, tests, family in FAMILIES]
    missing = [program for program, _, _ in programs if not os.path.exists(program)]
    if missing:
        sys.exit("not built: " + " ".join(missing))
    deadline, seed = time.time() + options.time, options.seed
    total, seen, cut = 0, collections.Counter(), False
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        while total < options.histories and not cut:
            # As many seeds as keep all jobs busy.
            round_of = [(program, tests, family, seed + i) for i in range(options.jobs) for program, tests, family in programs]
            seed += options.jobs
            running = [pool.submit(run, program, tests, options.heavy, one, deadline) for program, tests, _, one in round_of]
            for (program, _, family, one), job in zip(round_of, running):
                try:
                    found = job.result()
                except Disagreement as problem:
                    pool.shutdown(wait=False, cancel_futures=True)
                    sys.exit(str(problem))
                if found is None:
                    cut = True
                    continue
                here = sum(histories for _, _, histories in found)
                if here == 0:
                    pool.shutdown(wait=False, cancel_futures=True)
                    sys.exit(f"{program}: compared nothing")
                for suite, test, histories in found:
                    seen[family, f"{suite}.{test}"] += histories
                total += here
                print(f"seed {one}: {family}: {here:,}; in all {total:,}", flush=True)
    for family in dict.fromkeys(family for family, _ in seen):
        print(f"{sum(n for (of, _), n in seen.items() if of == family):12,}  {family}")
        for (of, test), histories in seen.items():
            if of == family and histories:
                print(f"{histories:16,}  {test}")
    print(f"{total:12,}  in all, no disagreement" + ("; the time was over" if cut else ""))
    return 0 if total else 1


if __name__ == "__main__":
    sys.exit(main())
