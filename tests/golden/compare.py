#!/usr/bin/env python3
"""Do two builds of ordeal say the same, byte for byte?

    compare.py OLD NEW [--data FOLDER]

Runs `list … --json`, and `check --json` over every history of FOLDER (default: ../shared/data beside the checkout) at each model and
level that its expected.tsv names, with both programs; masks what a clock says. Exit code 1 and a line for each difference; 2
when the data is not there and nothing was compared.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = ["targets", "workloads", "faults", "checkers", "models", "anomalies"]
CLOCK = re.compile(r'"(seconds|peak-bytes|steps|peak-configurations)":[-+0-9.e]+')


def rows(folder):
    """(file, arguments) for each line of the tables below the folder."""
    for part in sorted(os.listdir(folder)):
        table = os.path.join(folder, part, "expected.tsv")
        if not os.path.exists(table):
            continue
        with open(table, encoding="utf-8") as lines:
            for row in csv.reader(lines, delimiter="\t"):
                if not row or row[0] == "file":
                    continue
                file = os.path.join(folder, part, row[0])
                model, level = (row[1], row[2]) if len(row) > 3 else ("cas-register", "linearizable")
                if level == "well-formedness":
                    yield file, ["--model", model] if model not in ("", "-") else []
                else:
                    yield file, ["--model", model, "--consistency", level]
                    yield file, ["--model", model, "--consistency", "strongest", "--timeout", "30"]
        for name in sorted(os.listdir(os.path.join(folder, part))):
            if not name.endswith((".tsv", ".md")):
                yield os.path.join(folder, part, name), []  # the model is guessed


def said(program, arguments):
    done = subprocess.run([program, *arguments], capture_output=True, check=False)
    out = CLOCK.sub(r'"\1":0', done.stdout.decode(errors="replace"))
    errors = "" if done.returncode in (0, 1, 2) else done.stderr.decode(errors="replace")
    return f"exit code {done.returncode}\n{out}{errors}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--data", default=os.path.join(HERE, "../../../shared/data"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if not os.path.isdir(options.data):
        print(f"SKIPPED: {options.data} is not there, nothing was compared", file=sys.stderr)
        return 2
    runs = [["list", what, "--json"] for what in LISTS]
    # One thread, so that nothing depends on who is first.
    runs += [["check", file, *more, "--json", "--threads", "1"] for file, more in rows(options.data)]
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda run: (said(options.old, run), said(options.new, run)), runs))
    different = 0
    for run, (old, new) in zip(runs, results):
        if old == new:
            continue
        different += 1
        print("different:", " ".join(run))
        for one, other in zip(old.splitlines(), new.splitlines()):
            if one != other:
                print("  old:", one[:300], "\n  new:", other[:300])
                break
    print(f"{len(runs)} runs, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
