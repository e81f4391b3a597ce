#!/usr/bin/env python3
"""Clients with a fault of their own, run through --target process.

    adapter_cases.py --ordeal ORDEAL found [--cases FOLDER]
    adapter_cases.py --ordeal ORDEAL nasty
    adapter_cases.py --ordeal ORDEAL bounds
    adapter_cases.py --ordeal ORDEAL services

`found`: each system that they stand for is wrong, and `ordeal run` must find it. They are read from ../shared/cases/adapters beside the
checkout, or FOLDER; exit code 77 (skipped) when they are not there.
`bounds`: adapters/small_set.py on local nodes under faults, honest and with a promise that it does not keep: a node cut off from the majority
acknowledges (nemesis.minority-bound), a kill costs three seconds (durability.rpo), a restart takes nine (durability.rto). Each is found by
the name that it has, and the honest one is valid. Exit code 77 without root.
`services`: targets/process/example_services.py keeps what the workloads of its services promise, and not what some of them promise with
smaller numbers.
`nasty`: adapters/nasty.py misbehaves in every way before a correct register. The run must end, accuse nobody, and name what it met.
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
            capture_output=True, text=True, timeout=480, stdin=subprocess.DEVNULL)
        if done.returncode != 1:
            return f"exit code {done.returncode} in place of 1: {done.stdout[-500:]}{done.stderr[-500:]}"
        with open(os.path.join(folder, "store", "latest", "results.json"), encoding="utf-8") as file:
            checks = json.load(file)["checks"]
        types = {anomaly["type"] for check in checks for anomaly in check["anomalies"]}
        return "" if types & wanted else f"found {sorted(types)}, none of {sorted(wanted)}"


# How adapters/nasty.py misbehaves, the kind by which that is named (empty: it is harmless), and what the first example must hold.
NASTY = [
    ("buffered", "adapter-timeout", "did not answer in time"),
    ("half-line", "adapter-timeout", "without an end of line"),
    ("late", "adapter-timeout", "did not answer in time"),
    ("long-line", "adapter-flood", "without an end of line"),
    ("bad-utf8", "adapter-protocol", "\\xff"),
    ("debug", "adapter-protocol", "DEBUG"),
    ("exit", "adapter-crash", "status 7"),
    ("errors", "", ""),
    ("twice", "adapter-protocol", "before a request"),
    ("future", "adapter-protocol", "was expected"),
    ("closes-input", "adapter-crash", "closed"),
    ("closes-output", "adapter-crash", "closed"),
    ("leaves-child", "adapter-crash", "status 0"),
    ("unknown-member", "adapter-unknown-member", "vlaue"),
    ("no-value", "adapter-protocol", "without a"),
]


def survived(ordeal, how, kind, example, part="0.1", patience=2):
    """What is wrong with the run, and its results; nothing when all is well."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(HERE, "adapters", "nasty.py")
        done = subprocess.run(
            [ordeal, "run", "--target", "process", "--workload", "register", "--time-limit", "4", "--rate", "100", "--op-timeout", str(patience), "--concurrency", "4", "--seed", "1",
             "--store", os.path.join(folder, "store"), "--set",
             f"process.command=env STATE={os.path.join(folder, 'state')} PART={part} {sys.executable} {program} {how}"],
            capture_output=True, text=True, timeout=480, stdin=subprocess.DEVNULL)
        if done.returncode not in (0, 2):
            return f"exit code {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}", {}
        run = os.path.join(folder, "store", "latest")
        with open(os.path.join(run, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        troubles = results.get("adapters", {})
        if not kind:
            return ("" if done.returncode == 0 and not troubles else f"harmless, but {done.returncode}, {troubles}"), results
        if kind not in troubles or troubles[kind]["count"] < 1 or example not in troubles[kind]["first"]["message"]:
            return f"{kind} with {example!r} was expected, found {troubles}", results
        for name in ("junit.xml", "report.html"):
            with open(os.path.join(run, name), encoding="utf-8") as file:
                if kind not in file.read():
                    return f"{name} does not name {kind}", results
        if f"adapters    {kind}: " not in done.stdout:
            return f"the console does not name {kind}: {done.stdout}", results
        return "", results


def nasty(ordeal):
    failed = 0
    for how, kind, example in NASTY:
        why, results = survived(ordeal, how, kind, example)
        if why:  # on a busy machine an interpreter takes seconds to start, and what is named first is that
            why, results = survived(ordeal, how, kind, example, patience=8)
        print(f"{how}: {why or 'survived and named'}; {results.get('verdict')}, {results.get('adapters')}", flush=True)
        failed |= bool(why)
    # When it is too much, nothing is claimed of the rest.
    why, results = survived(ordeal, "no-value", "adapter-protocol", "without a", part="1", patience=8)
    if not why and not (results["verdict"] == "unknown" and "adapters in trouble spoiled" in results["reason"]):
        why = f"every answer is void, but {results['verdict']}: {results.get('reason')}"
    print(f"no value at all: {why or 'unknown'}")
    return failed | bool(why)


# Workloads, with options by which the service keeps its promise (nothing) or does not (an anomaly that must be found).
SERVICES = [(name, [], "") for name in (
    "cas-by-version", "concurrency-limit", "token-bucket", "dead-letter", "outbox", "overdraft", "ledger", "idempotency-keys", "read-model", "lww-map",
    "or-set", "ordered-ids")] + [
    ("concurrency-limit", ["--set", "concurrency-limit.limit=2"], "too-many-holders"),
    ("token-bucket", ["--set", "token-bucket.burst=5"], "too-many-grants"),
    ("dead-letter", ["--set", "dead-letter.max-attempts=2"], "endless-delivery"),
]

RATES = {"ledger": "unlimited"}  # withdrawals have to be under way at once


def services(ordeal):
    program = os.path.join(HERE, "..", "..", "targets", "process", "example_services.py")
    failed = 0
    for workload, options, wanted in SERVICES:
        for seconds in ("3", "15"):  # a busy machine may show too little in three seconds to say anything
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    [ordeal, "run", "--target", "process", "--workload", workload, "--time-limit", seconds, "--rate", RATES.get(workload, "60"),
                     "--concurrency", "4", "--seed", "1", "--store", os.path.join(folder, "store"), "--json",
                     "--set", f"process.command=env STATE={folder}/state {sys.executable} {program}"] + options,
                    capture_output=True, text=True, timeout=480, stdin=subprocess.DEVNULL)
            if done.returncode != 2:
                break
        good = done.returncode == (1 if wanted else 0) and wanted in done.stdout
        print(f"{workload} {' '.join(options)}: exit code {done.returncode}{'' if good else ' WRONG ' + done.stdout[-800:] + done.stderr[-500:]}",
              flush=True)
        failed |= not good
    return int(failed)


KILL = ["--nodes", "local:1", "--nemesis", "kill", "--nemesis-interval", "4", "--nemesis-duration", "0.5"]
CUT = ["--nodes", "local:3", "--nemesis", "partition", "--nemesis-interval", "2", "--nemesis-duration", "4", "--time-limit", "12",
       "--set", "nemesis.minority-bound=1", "--set", "partition.shape=one"]
# What is run, how the honest set comes out of it, and by which anomaly the mode is found.
BOUNDS = [
    ("minority", CUT, "minority-write"),
    ("lazy", KILL + ["--time-limit", "14", "--set", "durability.rpo=500ms"], "rpo-exceeded"),
    ("slow", KILL + ["--time-limit", "20", "--set", "durability.rpo=500ms", "--set", "durability.rto=6s"], "rto-exceeded"),
]


def bounded(ordeal, mode, more, seed):
    """The exit code, and the types of the anomalies that were found."""
    program = os.path.join(HERE, "adapters", "small_set.py")
    running = "pgrep -f '^[^ ]*python[^ ]* [^ ]*small_set.py serve'"  # not the shell that starts it
    start = (f"{running} >/dev/null && exit 0; cd / && SMALL_SET=/var/lib/small-set/elements "
             f"setsid {sys.executable} {program} serve {mode} </dev/null >>/var/log/small-set.log 2>&1 &")
    settings = {"database": "commands", "command": f"{sys.executable} {program}", "start": start,
                "install": "mkdir -p /var/lib/small-set", "wipe": "rm -rf /var/lib/small-set/*",
                "pids": f"{running}; exit 0", "ready": "true", "logs": "/var/log/small-set.log"}
    with tempfile.TemporaryDirectory() as folder:
        words = [ordeal, "run", "--target", "process", "--workload", "durability", "--concurrency", "6", "--rate", "60", "--op-timeout", "2",
                 "--seed", str(seed), "--store", os.path.join(folder, "store"), "--json", "--set", "durability.settle=1"] + more
        for name, value in settings.items():
            words += ["--set", f"process.{name}={value}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL)
        results = os.path.join(folder, "store", "latest", "results.json")
        if not os.path.exists(results):
            return done.returncode, done.stderr[-800:]
        with open(results, encoding="utf-8") as file:
            document = json.load(file)
        types = {anomaly["type"] for check in document["checks"] for anomaly in check["anomalies"]}
        return done.returncode, f"{sorted(types)} {document.get('reason', '')}"


def bounds(ordeal):
    if os.geteuid() != 0:
        print("local nodes need root: nothing was tried")
        return SKIPPED
    failed = 0
    for mode, more, wanted in BOUNDS:
        for how, code in ((mode, 1), ("honest", 0)):
            # A kill right after a sync loses nothing, and kills too close to each other leave no time to judge: those are asked again.
            for seed in range(1, 5):
                exit_code, said = bounded(ordeal, how, more, seed)
                good = exit_code == code and (how == "honest" or f"'{wanted}'" in said)
                print(f"{how} for {wanted}, seed {seed}: exit code {exit_code}, {said}{'' if good else '  not as expected'}", flush=True)
                if good or exit_code not in (0, 2):
                    break
            failed |= not good
    return int(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ordeal", required=True)
    parser.add_argument("which", choices=["bounds", "found", "nasty", "services"])
    parser.add_argument("--cases", default=os.path.join(HERE, "..", "..", "..", "shared", "cases", "adapters"))
    arguments = parser.parse_args()
    if arguments.which == "nasty":
        return nasty(arguments.ordeal)
    if arguments.which in ("bounds", "services"):
        return {"bounds": bounds, "services": services}[arguments.which](arguments.ordeal)
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
