#!/usr/bin/env python3
"""The script on its own fixture: what must be killed is, what must survive does, nothing in the fixture changes."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(HERE, "fixture")
# The rule, what the changed line then holds: the state. One is a constant expression, which needs a build of its own.
WANTED = {
    ("compare", "count > limit"): "survived",
    ("return", "!(count >= limit)"): "killed",
    ("negate", "!(value < low)"): "killed",
    ("verdict", "? Verdict::unknown"): "killed",
    ("verdict", ": Verdict::valid"): "killed",
    ("compare", "seen != wanted"): "killed",
    ("arithmetic", "value + kTwo"): "killed",
    ("constant", "kTwo = 3"): "killed",
}


def digest():
    found = hashlib.sha256()
    for folder, folders, names in sorted(os.walk(FIXTURE)):
        folders.sort()
        for name in sorted(names):
            found.update((os.path.join(folder, name) + "\0").encode())
            with open(os.path.join(folder, name), "rb") as file:
                found.update(file.read())
    return found.hexdigest()


def main():
    problems = []
    before = digest()
    with tempfile.TemporaryDirectory() as work:
        results = os.path.join(work, "results.json")
        command = [sys.executable, os.path.join(HERE, "mutate.py"), "--root", FIXTURE, "--work", os.path.join(work, "work"),
                   "--json", results, os.path.join(FIXTURE, "bounds.cc")]
        # Killed in the middle, it leaves the tree alone, and no lock behind.
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        mutated = os.path.join(work, "work", "tree", "bounds.cc.mutants")
        deadline = time.monotonic() + 60
        while not os.path.exists(mutated) and first.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if not os.path.exists(mutated):
            problems.append("the first run never wrote its mutants")
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        if digest() != before:
            problems.append("a killed run changed the tree")

        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        if done.returncode != 1:
            problems.append(f"exit code {done.returncode}, expected 1\n{done.stdout}{done.stderr}")
        found = json.load(open(results, encoding="utf-8")) if os.path.exists(results) else []
        for (kind, text), state in WANTED.items():
            same = [m for m in found if m["kind"] == kind and text in m["diff"].split("    + ")[-1]]
            if [m["state"] for m in same] != [state]:
                problems.append(f"{kind}, {text!r}: expected {state}, found {same}")
        if any(m["state"] not in ("killed", "survived", "equivalent", "stillborn") for m in found):
            problems.append(f"undecided: {found}")
        survivor = next((m for m in found if "count > limit" in m["diff"]), {"line": 0, "diff": "none"})
        if f"bounds.cc:{survivor['line']}  compare" not in done.stdout or survivor["diff"] not in done.stdout:
            problems.append("the survivor is not printed with its place and difference:\n" + done.stdout)
        usage = subprocess.run([*command[:2], "--root", FIXTURE, "none.cc"], capture_output=True, text=True)
        if usage.returncode != 64 or "none.cc" not in usage.stderr:
            problems.append(f"a file that is not there: {usage.returncode}, {usage.stderr}")
    if digest() != before:
        problems.append("the fixture changed")
    print("\n".join(problems) or f"{len(found)} mutants of the fixture are judged as they must be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
