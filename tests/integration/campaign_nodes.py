#!/usr/bin/env python3
"""Runs of a campaign side by side (jobs = 4) on nodes of one kind: those of one inventory take turns, containers are each run's own.

    campaign_nodes.py --ordeal PROGRAM borrowed|docker

Exit code 77: such nodes cannot be had here.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

from fault_trial import Local, MadeForRuns

CAMPAIGN = """target = "etcd"
workload = "register"
time-limit = "6s"
rate = 30
seed = "1..4"
jobs = 4
nemesis = "pause"
nemesis-interval = 1
nemesis-duration = 1
nodes = "{}"
[set]
"register.cas" = 0
"""


def spans(store):
    """From when to when each run had clients, by the clock of this machine."""
    out = []
    for path in glob.glob(os.path.join(store, "etcd-register", "2*", "history.jsonl")):
        with open(path, encoding="utf-8") as file:
            length = json.loads(file.readlines()[-1])["time"] / 1e9
        end = os.stat(path).st_mtime
        out.append((end - length, end))
    return sorted(out)


def play(ordeal, cluster, kind):
    place = tempfile.mkdtemp(prefix="campaign-nodes-")
    try:
        with open(os.path.join(place, "c.toml"), "w", encoding="utf-8") as file:
            file.write(CAMPAIGN.format(cluster.nodes))
        run = subprocess.run(cluster.prefix + [ordeal, "run", "c.toml", "--json"], cwd=place, env=cluster.environment, capture_output=True,
                             text=True, timeout=400)
        runs = json.loads(run.stdout)["runs"]
        # On a machine that is busy hardly an operation may succeed; that is told as unknown, and is not what is asked here.
        problems = [f"{one['name']}: {one['standing']}, {one.get('reason')} {one.get('error')}" for one in runs
                    if one["standing"] not in ("valid", "unknown")]
        problems += [f"{one['name']}: no fault was confirmed" for one in runs if one.get("when", {}).get("confirmed", 0) < 1]
        seen = spans(os.path.join(place, "store"))
        beside = sum(a[1] > b[0] for a, b in zip(seen, seen[1:]))
        told = "one at a time: runs 1, 2, 3 and 4 (host " in run.stderr
        if len(seen) != 4 or told != (kind == "borrowed") or (kind == "borrowed" and beside > 0) or (kind == "docker" and beside == 0):
            problems.append(f"{beside} were beside another, told: {told}, {seen}")
        problems += [f"left behind: {line}" for line in cluster.wrong()]
        print("\n".join(problems + [run.stderr]) if problems else f"4 runs, {beside} beside another")
        return 1 if problems else 0
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ordeal", required=True)
    parser.add_argument("kind", choices=["borrowed", "docker"])
    arguments = parser.parse_args()
    needed = ["dockerd", "docker", "etcd"] if arguments.kind == "docker" else ["etcd"]
    missing = [name for name in needed if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print(f"SKIPPED: it needs root and {', '.join(needed)}")
        return 77
    ordeal = os.path.abspath(arguments.ordeal)
    cluster = MadeForRuns("docker:2") if arguments.kind == "docker" else Local(ordeal)
    try:
        return play(ordeal, cluster, arguments.kind)
    finally:
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
