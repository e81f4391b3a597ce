#!/usr/bin/env python3
"""Reads every #include of the tree and holds it against the arrows of the design.

    includes.py [--root FOLDER]      the tree; exit code 1 and a line for each include that runs against an arrow
    includes.py --self-test          trees made to break each rule, each of which must be noticed

Rules: a room includes only rooms below it; a folder of a room only the folders that ARROWS names; no circle of folders; two
targets, two workloads, two faults never include each other; heavy headers of other people stay out of our headers; what is
included is there.
"""

import argparse
import os
import re
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
SYSTEM = re.compile(r'^\s*#\s*include\s+<([^>]+)>', re.M)

# Which rooms a room may include, itself apart.
ROOMS = {
    "base": [],
    "checkers": ["base"],
    "harness": ["base", "checkers"],
    "nemesis": ["base", "checkers", "harness"],
    "workloads": ["base", "checkers", "harness"],
    "targets": ["base", "checkers", "harness"],
    "reports": ["base", "checkers", "harness"],
    "session": ["base", "checkers", "harness", "nemesis", "workloads", "targets", "reports"],
    "cli": ["base", "checkers", "harness", "nemesis", "workloads", "targets", "reports", "session"],
}

LIN = "checkers/linearizability"
LOG = "targets/log/server"
# Which folders of its own room a folder may include, itself apart. "*" stands for all.
ARROWS = {
    "base/merkle": ["base"],
    "checkers": ["*"],
    "checkers/history": [],
    "checkers/interfaces": ["checkers/history"],
    "checkers/run": ["checkers/interfaces", "checkers/history"],
    "checkers/workload": ["checkers/interfaces", "checkers/history"],
    "checkers/transactions": ["checkers/interfaces", "checkers/history"],
    f"{LIN}/models": ["checkers/interfaces", "checkers/history"],
    f"{LIN}/interfaces": [f"{LIN}/models", "checkers/interfaces", "checkers/history"],
    f"{LIN}/special": [f"{LIN}/models", f"{LIN}/interfaces", "checkers/interfaces", "checkers/history"],
    f"{LIN}/search": [f"{LIN}/models", f"{LIN}/interfaces", f"{LIN}/special", "checkers/interfaces", "checkers/history"],
    f"{LIN}/proof": [f"{LIN}/models", f"{LIN}/interfaces", f"{LIN}/special", f"{LIN}/search", "checkers/interfaces",
                     "checkers/history"],
    LIN: [f"{LIN}/models", f"{LIN}/interfaces", f"{LIN}/special", f"{LIN}/search", f"{LIN}/proof", "checkers/interfaces",
          "checkers/history"],
    "checkers/consistency": [LIN, f"{LIN}/models", f"{LIN}/interfaces", f"{LIN}/search", f"{LIN}/proof",
                             "checkers/transactions", "checkers/interfaces", "checkers/history"],
    "checkers/explain": ["checkers", "checkers/interfaces", "checkers/history", "checkers/transactions", "checkers/workload"],
    "harness/control": [],
    "harness/generator": [],
    "harness/store": [],
    "harness/interfaces": ["harness/control", "harness/generator"],
    "harness/nodes": ["harness/control"],
    "harness/runner": ["harness/interfaces", "harness/control", "harness/generator", "harness/store"],
    "nemesis": ["*"],
    "nemesis/node": [],
    "nemesis/engine": ["nemesis/node"],
    "nemesis/network": ["nemesis/node"],
    "nemesis/process": ["nemesis/node"],
    "nemesis/clock": ["nemesis/node"],
    "nemesis/storage": ["nemesis/node"],
    "nemesis/cluster": ["nemesis/node"],
    "nemesis/programs/agent": [],
    "nemesis/programs/disk": ["nemesis/programs/agent"],
    "targets": ["*"],
    "targets/http": [],
    "targets/log": [f"{LOG}/tree", "targets/http"],
    f"{LOG}": [],
    f"{LOG}/raft": [LOG],
    f"{LOG}/wal": [LOG, f"{LOG}/raft"],
    f"{LOG}/tree": [LOG],
    f"{LOG}/verify": [LOG, f"{LOG}/raft", f"{LOG}/wal", f"{LOG}/tree"],
    f"{LOG}/state": [LOG, f"{LOG}/raft", f"{LOG}/tree"],
    f"{LOG}/tools": [LOG, f"{LOG}/raft", f"{LOG}/wal", f"{LOG}/tree", f"{LOG}/verify", f"{LOG}/state", "targets/http"],
    f"{LOG}/sim": [LOG, f"{LOG}/raft", f"{LOG}/wal", f"{LOG}/tree", f"{LOG}/verify", f"{LOG}/state"],
    f"{LOG}/node": [LOG, f"{LOG}/raft", f"{LOG}/wal", f"{LOG}/tree", f"{LOG}/verify", f"{LOG}/state",
                     f"{LOG}/tools", "targets/http"],
    "targets/sql": [],
    "workloads": [],
    "reports": [],
    "session": [],
    "session/campaign": ["session"],
    "cli": [],
}
# A target's folder may include itself and what targets share.
SHARED_BY_TARGETS = ["targets/http", "targets/sql"]
# Headers of workloads/ that are no workload.
SHARED_BY_WORKLOADS = {"workloads/catalogue.h", "workloads/generators.h", "workloads/judges.h", "workloads/key_order.h",
                       "workloads/levels.h"}
# Seconds a translation unit each: .cc files only.
HEAVY = ("boost/process", "CLI/", "nlohmann/json.hpp", "toml++/", "libssh2")


def sources(root):
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in sorted(names):
                if name.endswith((".h", ".cc")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def arrow_allowed(folder, other):
    if folder in ARROWS:
        allowed = ARROWS[folder]
        return "*" in allowed or other in allowed
    if folder.startswith("targets/"):
        return other in SHARED_BY_TARGETS
    return False


def circles(graph):
    """Strongly connected folders (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(graph.get(v, ())):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            group = []
            while True:
                group.append(stack.pop())
                if group[-1] == v:
                    break
            if len(group) > 1:
                found.append(sorted(group))

    for v in sorted(graph):
        if v not in index:
            visit(v)
    return found


def own(file, header):
    return os.path.splitext(file)[0] == os.path.splitext(header)[0]


def look(root):
    """A line for each include that breaks a rule."""
    problems = []
    graph = {}
    files = list(sources(root))
    text = {file: open(os.path.join(root, file), encoding="utf-8").read() for file in files}
    faults = {header for header in INCLUDE.findall(text.get("nemesis/catalogue.cc", ""))
              if header.count("/") == 2 and header.startswith("nemesis/")}
    for file in files:
        folder = os.path.dirname(file)
        room = file.split("/")[0]
        for header in SYSTEM.findall(text[file]):
            if file.endswith(".h") and header.startswith(HEAVY):
                problems.append(f"{file}: <{header}> belongs into a .cc file: each costs seconds a translation unit")
        for header in INCLUDE.findall(text[file]):
            if "/" not in header:
                continue  # made while building
            if not os.path.exists(os.path.join(root, header)):
                problems.append(f"{file}: {header} is not there")
                continue
            other_folder, other_room = os.path.dirname(header), header.split("/")[0]
            if other_folder != folder:
                graph.setdefault(folder, set()).add(other_folder)
            if other_room != room:
                if other_room not in ROOMS[room]:
                    problems.append(f"{file}: {header}: {room} may not include {other_room}")
            elif other_folder != folder and not arrow_allowed(folder, other_folder):
                problems.append(f"{file}: {header}: {folder} may not include {other_folder}")
            if room == "workloads" and other_room == "workloads" and header not in SHARED_BY_WORKLOADS \
                    and not own(file, header) and file != "workloads/catalogue.cc":
                problems.append(f"{file}: {header}: a workload may not include another")
            if header in faults and not own(file, header) and file != "nemesis/catalogue.cc":
                problems.append(f"{file}: {header}: a fault is included by the catalogue alone")
    problems += ["a circle of folders: " + ", ".join(group) for group in circles(graph)]
    return problems


BROKEN = {
    "a room above": {"checkers/a.h": "", "base/b.cc": '#include "checkers/a.h"'},
    "a room beside": {"targets/x/a.h": "", "workloads/b.cc": '#include "targets/x/a.h"'},
    "a folder that is not named": {"nemesis/network/a.h": "", "nemesis/engine/b.cc": '#include "nemesis/network/a.h"'},
    "another target": {"targets/x/a.h": "", "targets/y/b.cc": '#include "targets/x/a.h"'},
    "another workload": {"workloads/a_workload.h": "", "workloads/b_workload.cc": '#include "workloads/a_workload.h"'},
    "another fault": {"nemesis/process/a.h": "", "nemesis/process/b.cc": '#include "nemesis/process/a.h"',
                      "nemesis/catalogue.cc": '#include "nemesis/process/a.h"'},
    "a heavy header": {"cli/a.h": "#include <CLI/CLI.hpp>"},
    "nothing": {"base/a.cc": '#include "base/b.h"'},
    "a circle": {"checkers/a.h": '#include "checkers/run/b.h"', "checkers/run/b.h": '#include "checkers/a.h"'},
}


def self_test():
    failed = 0
    for what, tree in BROKEN.items():
        with tempfile.TemporaryDirectory() as root:
            for name, content in tree.items():
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(content + "\n")
            if not look(root):
                print(f"not noticed: an include of {what}")
                failed = 1
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    problems = look(os.path.normpath(arguments.root))
    for line in problems:
        print(line)
    print(f"{len(problems)} includes run against the arrows" if problems else "all includes follow the arrows")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
