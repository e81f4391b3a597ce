#!/usr/bin/env python3
"""Clients with a fault of their own, run through --target process: each must be found by `ordeal run`.

    adapter_cases.py --ordeal ORDEAL [--cases FOLDER]

They are read from ../shared/cases/adapters beside the checkout, or FOLDER; exit code 77 (skipped) when they are not there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
# The client, the workload that finds it, and one of the anomalies by which it must.
CASES = [
    ("saga_half.py", "saga", {"half-saga"}),
    ("kafka_tail.py", "kafka", {"lost-write"}),
    ("stale_set.py", "causal-reverse", {"stale-read", "lost-element"}),
]


def found(ordeal, program, workload, wanted):
    """Why the run did not find it; empty when it did."""
    with tempfile.TemporaryDirectory() as folder:
        state = os.path.join(folder, "state")
        done = subprocess.run(
            [ordeal, "run", "--target", "process", "--workload", workload, "--time-limit", "6", "--rate", "100",
             "--seed", "1", "--store", os.path.join(folder, "store"), "--json",
             "--set", f"process.command=env STATE={state} {sys.executable} {program}"],
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if done.returncode != 1:
            return f"exit code {done.returncode} in place of 1: {done.stdout[-500:]}{done.stderr[-500:]}"
        with open(os.path.join(folder, "store", "latest", "results.json"), encoding="utf-8") as file:
            checks = json.load(file)["checks"]
        types = {anomaly["type"] for check in checks for anomaly in check["anomalies"]}
        return "" if types & wanted else f"found {sorted(types)}, none of {sorted(wanted)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ordeal", required=True)
    parser.add_argument("--cases", default=os.path.join(HERE, "..", "..", "..", "shared", "cases", "adapters"))
    arguments = parser.parse_args()
    if not os.path.isdir(arguments.cases):
        print(f"no {arguments.cases}: the adapters were NOT tried")
        return SKIPPED
    failed = 0
    for name, workload, wanted in CASES:
        why = found(arguments.ordeal, os.path.join(arguments.cases, name), workload, wanted)
        print(f"{name} on {workload}: {why or 'found'}")
        failed |= bool(why)
    return failed


if __name__ == "__main__":
    sys.exit(main())
