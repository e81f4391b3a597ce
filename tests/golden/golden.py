#!/usr/bin/env python3
"""Holds what the program prints against files: the contract that scripts of other people rely on.

    golden.py ORDEAL cases [NAME…]      the folders of tests/golden/cases: command, standard output and exit code, byte for byte
    golden.py ORDEAL list               `list --json`: its lists, the keys of their entries, every name of list.json; and that
                                        doc/formats.md has every operation that it names
    golden.py ORDEAL data [FOLDER]      `check --json` over the histories of FOLDER against their expected.tsv
    golden.py ORDEAL table FOLDER       `check --json` over each row of FOLDER/expected.tsv: model or workload, level, options, verdict
    golden.py ORDEAL cases --update …   writes the expected files anew: look at the difference before it is committed

A case is a folder with `command` (arguments, run in the folder), `stdout` and `status`; where standard error is part of
the contract, `stderr`. "seconds" are zeroed, nothing else is. The name says what is to be expected: ok-, bad-, unknown-,
usage-. Exit code 77 (skipped) when FOLDER is not there; a table's FOLDER lies in ../shared/cases beside the checkout.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "cases")
STATUS = {"ok": 0, "bad": 1, "unknown": 2, "usage": 64}
SKIPPED = 77


def run(ordeal, arguments, folder):
    done = subprocess.run([ordeal, *arguments], cwd=folder, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "NO_COLOR": "1"}, stdin=subprocess.DEVNULL)
    return done.returncode, re.sub(r'"seconds":[0-9.e+-]+', '"seconds":0', done.stdout), done.stderr


def contents(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def look_at_case(ordeal, name, update):
    folder = os.path.join(CASES, name)
    status, out, err = run(ordeal, shlex.split(contents(os.path.join(folder, "command"))), folder)
    found = {"stdout": out, "status": f"{status}\n"}
    if os.path.exists(os.path.join(folder, "stderr")):
        found["stderr"] = err
    problems = []
    if status != STATUS[name.split("-")[0]]:
        problems.append(f"{name}: the exit code {STATUS[name.split('-')[0]]} was expected, found {status}\n{err}")
    if "--json" in contents(os.path.join(folder, "command")) and out:
        json.loads(out)  # exactly one document
    for part, text in found.items():
        path = os.path.join(folder, part)
        if update:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        elif contents(path) != text:
            problems.append(f"{name}/{part}\n  expected {contents(path)!r}\n  found    {text!r}")
    return problems


def cases(ordeal, names, update):
    problems = []
    for name in names or sorted(os.listdir(CASES)):
        problems += look_at_case(ordeal, name, update)
    return problems


def listed(ordeal, update):
    """Names may be added and entries may gain keys; nothing that is there may go."""
    status, out, err = run(ordeal, ["list", "--json"], HERE)
    if status != 0:
        return [f"list --json: exit code {status}: {err}"]
    found = json.loads(out)
    path = os.path.join(HERE, "list.json")
    if update:
        shape = {part: {"keys": sorted(set.intersection(*(set(entry) for entry in entries))),
                        "names": [entry["name"] for entry in entries]} for part, entries in found.items()}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(shape, file, indent=1)
            file.write("\n")
    problems = []
    for part, expected in json.loads(contents(path)).items():
        entries = found.get(part)
        if not isinstance(entries, list):
            problems.append(f"list --json has no list {part}")
            continue
        names = {entry.get("name") for entry in entries}
        problems += [f"{part}: {name} is gone" for name in expected["names"] if name not in names]
        problems += [f"{part}: {entry.get('name')} has no {key}" for entry in entries for key in expected["keys"]
                     if key not in entry]
    words = set(re.findall(r"`([a-z0-9-]+)`", contents(os.path.join(HERE, "..", "..", "doc", "formats.md"))))
    for workload in found["workloads"]:
        problems += [f"doc/formats.md does not say what {f} of workload {workload['name']} takes and returns"
                     for f in workload["operations"] if f not in words]
    return problems


def rows(path):
    """(file, arguments, verdict) of one expected.tsv; rows without a verdict ("see note") are left out."""
    for line in contents(path).splitlines():
        fields = line.split("\t")
        if fields[0] == "file":
            continue
        if len(fields) == 2:
            yield fields[0], ["--model", "cas-register"], fields[1]
        elif fields[2] == "well-formedness":
            yield fields[0], ["--model", fields[1]], "unreadable"
        elif fields[3] in ("valid", "invalid"):
            yield fields[0], ["--model", fields[1], "--consistency", fields[2]], fields[3]


def data(ordeal, folder):
    if not os.path.isdir(folder):
        print(f"SKIPPED: the histories are not at {folder} (ORDEAL_SHARED_DATA names another place)")
        sys.exit(SKIPPED)
    problems, looked_at = [], 0
    for group in sorted(os.listdir(folder)):
        table = os.path.join(folder, group, "expected.tsv")
        if not os.path.exists(table):
            continue
        for name, arguments, verdict in rows(table):
            looked_at += 1
            what = f"{group}/{name} {' '.join(arguments)}"
            status, out, err = run(ordeal, ["check", "--json", name, *arguments], os.path.join(folder, group))
            if verdict == "unreadable":
                if status != 64:
                    problems.append(f"{what}: exit code 64 was expected, found {status}")
                continue
            try:
                found = json.loads(out)["verdict"]
            except (ValueError, KeyError, TypeError):
                problems.append(f"{what}: no document with a verdict (exit code {status}): {out}{err}")
                continue
            if found != verdict or status != {"valid": 0, "invalid": 1}[verdict]:
                problems.append(f"{what}: {verdict} was expected, found {found}, exit code {status}")
    print(f"{looked_at} rows of {folder}")
    return problems if looked_at else ["no rows: the tables are not where they were"]


def table(ordeal, folder):
    """The head names the columns. `verdict` may name several, with a bar between; 64 is a refusal."""
    if not os.path.isdir(folder):
        print(f"SKIPPED: the table is not at {folder} (ORDEAL_SHARED_DATA names the folder beside)")
        sys.exit(SKIPPED)
    lines = contents(os.path.join(folder, "expected.tsv")).splitlines()
    head, problems = lines[0].split("\t"), []
    for line in lines[1:]:
        row = dict(zip(head, line.split("\t")))
        arguments = [row["file"], *shlex.split(row.get("options", ""))]
        for column, flag in (("model", "--model"), ("workload", "--workload"), ("consistency", "--consistency")):
            if row.get(column):
                arguments += [flag, row[column]]
        status, out, err = run(ordeal, ["check", "--json", *arguments], folder)
        found = "64"
        if status != 64:
            try:
                found = json.loads(out)["verdict"]
            except (ValueError, KeyError, TypeError):
                found = "no verdict"
        if found not in row["verdict"].split("|") or status != {"valid": 0, "invalid": 1, "unknown": 2, "64": 64}.get(found):
            problems.append(f"{' '.join(arguments)}: {row['verdict']} was expected ({row['why']}), found {found}, "
                            f"exit code {status}\n{err}")
    print(f"{len(lines) - 1} rows of {folder}")
    return problems if len(lines) > 1 else ["no rows"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ordeal")
    parser.add_argument("what", choices=["cases", "list", "data", "table"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    ordeal = os.path.abspath(arguments.ordeal)
    if arguments.what == "cases":
        problems = cases(ordeal, arguments.names, arguments.update)
    elif arguments.what == "list":
        problems = listed(ordeal, arguments.update)
    else:
        default = os.environ.get("ORDEAL_SHARED_DATA") or os.path.join(HERE, "..", "..", "..", "shared", "data")
    if arguments.what == "table":
        problems = table(ordeal, os.path.normpath(os.path.join(default, "..", "cases", arguments.names[0])))
    elif arguments.what == "data":
        problems = data(ordeal, os.path.normpath(arguments.names[0] if arguments.names else default))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
