#!/usr/bin/env python3
"""What a campaign says to a CI system: JUnit that its schema takes, a step summary, annotations, and no green that is none.

    campaign_gate.py --ordeal PROGRAM [--schema FILE.xsd]

--schema: a schema to hold the JUnit files against beside our own, such as junit-10.xsd of Jenkins' xunit plugin.
Exit code 77: xmllint (libxml2-utils) is not installed.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
# Of each kind a run: valid, invalid, known, gone, unknown (nothing is observed), failed (no such machine).
MATRIX = """
time-limit = "300ms"
rate = 500
[set]
"""
FILES = {
    "valid": ('target = "memory"\nseed = [1, 2]\n', 0),
    "invalid": ('target = "memory"\nseed = [1, 2]\n', 1),
    "known": ('target = "memory"\nseed = [1, 2]\nexpect = "invalid"\n', 0),
    "gone": ('target = "memory"\nseed = [1, 2]\nexpect = "invalid: stale-read"\n', 2),
    "unknown": ('target = "memory"\nseed = [1, 2]\n', 2),
    "failed": ('target = "redis"\nnodes = "127.0.0.1"\nseed = [1, 2]\nworkload = "register"\n', 3),
    "cut": ('target = "memory"\nseed = [1, 2]\nbudget = "1s"\ntime-limit = "900ms"\n', 2),
}
# So often that each short run shows it.
BUG = 'memory.bug = "lost-write"\nmemory.bug-probability = 0.5\n'
SETTINGS = {"invalid": BUG, "known": BUG, "unknown": 'memory.fail-probability = 1\n'}


def validate(path, schema):
    problems = []
    for option, file in [("--relaxng", os.path.join(HERE, "junit.rng"))] + ([("--schema", schema)] if schema else []):
        check = subprocess.run(["xmllint", "--noout", option, file, path], capture_output=True, text=True)
        if check.returncode != 0:
            problems.append(f"{path}: {check.stderr}")
    return problems


def count(path):
    """The counts that the file claims, and those of its cases."""
    root = xml.etree.ElementTree.parse(path).getroot()
    claimed = tuple(int(root.get(name)) for name in ("tests", "failures", "errors"))
    counted = (len(root.findall(".//testcase")), len(root.findall(".//failure")), len(root.findall(".//error")))
    return claimed, counted


def play(ordeal, folder, kind, schema):
    text, wanted = FILES[kind]
    place = os.path.join(folder, kind)
    os.mkdir(place)
    with open(os.path.join(place, "c.toml"), "w", encoding="utf-8") as file:
        body = MATRIX if "time-limit" not in text else "rate = 500\n[set]\n"
        file.write(text + body + SETTINGS.get(kind, ""))
    summary = os.path.join(place, "step")
    environment = dict(os.environ, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=summary)
    run = subprocess.run([ordeal, "run", "c.toml", "--json"], cwd=place, env=environment, capture_output=True, text=True,
                         timeout=120)
    problems = []
    if run.returncode != wanted:
        problems.append(f"{kind}: exit code {run.returncode}, not {wanted}\n{run.stderr}")
    document = json.loads(run.stdout)
    green = wanted == 0
    path = os.path.join(document["directory"], "junit.xml")
    for one in [path] + glob.glob(os.path.join(place, "store", "*", "2*", "junit.xml")):
        problems += validate(one, schema)
        claimed, counted = count(one)
        if claimed != counted:
            problems.append(f"{one}: says {claimed}, holds {counted}")
    _, (cases, failures, errors) = count(path)
    if cases < 2 or (failures + errors == 0) != green or (failures > 0) != (wanted == 1):
        problems.append(f"{kind}: {cases} cases, {failures} failures and {errors} errors in a campaign that ends with {wanted}")
    with open(summary, encoding="utf-8") as file:
        text = file.read()
    if not text.startswith("## Ordeal: c, ") or document["summary"] not in text:
        problems.append(f"{kind}: the step summary is\n{text}")
    annotations = [line for line in run.stderr.splitlines() if line.startswith(("::error title=", "::warning title="))]
    red = [one for one in document["runs"] if one["standing"] not in ("valid", "expected", "not needed")]
    if len(annotations) != len(red):
        problems.append(f"{kind}: {len(annotations)} annotations for {len(red)} runs that are not green\n{run.stderr}")
    if any(line.startswith("::error") for line in annotations) != (wanted in (1, 3)):
        problems.append(f"{kind}: {annotations}")
    return problems


def tell_again(ordeal, folder, schema):
    """The files of a report, of repetitions, and of shards that were merged."""
    place = os.path.join(folder, "again")
    os.mkdir(place)
    with open(os.path.join(place, "c.toml"), "w", encoding="utf-8") as file:
        file.write('target = "memory"\nseed = "1..3"\nworkload = ["register", "set"]\n' + MATRIX + BUG)

    def call(*words):
        return subprocess.run([ordeal, *words, "--json"], cwd=place, capture_output=True, text=True, timeout=120)

    for shard in ("1/2", "2/2"):
        call("run", "c.toml", "--shard", shard, "--store", shard[0])
    merged = json.loads(call("merge", "1", "2", "--store", "merged").stdout)
    run = glob.glob(os.path.join(place, "1", "memory-register", "2*"))[0]
    call("report", run)
    repeated = json.loads(call("repro", run, "-n", "2", "--store", "repeated").stdout)
    problems = []
    for path, cases in ((os.path.join(place, merged["directory"], "junit.xml"), 6), (os.path.join(run, "junit.xml"), 2),
                        (os.path.join(place, repeated["directory"], "junit.xml"), 2)):
        problems += validate(path, schema)
        claimed, counted = count(path)
        if claimed != counted or counted[0] < cases or counted[1] < 1:
            problems.append(f"{path}: says {claimed}, holds {counted}")
    suites = len(xml.etree.ElementTree.parse(os.path.join(place, merged["directory"], "junit.xml")).getroot())
    if suites != 6:
        problems.append(f"merged: {suites} suites of 6 runs")
    return problems + notice(os.path.join(run, "junit.xml"), place)


def notice(path, place):
    """What our schema is there to refuse: files with one thing that CI systems do not take, or do not understand."""
    with open(path, encoding="utf-8") as file:
        good = file.read()
    changes = {"a count is gone": (' errors="', ' mistakes="'), "no number": ('tests="', 'tests="some '),
               "a zone": ('" timestamp="2', '" timestamp="Z2'), "two outcomes": ("</failure>", '</failure><skipped type="a" message="b"/>'),
               "an attribute that Jenkins does not know": ("<testsuites ", '<testsuites skipped="0" '),
               "an unknown element": ("<properties>", "<attachments/><properties>"),
               "a case without a name": ('<testcase classname="ordeal" name="verdict"', '<testcase classname="ordeal"')}
    problems = []
    for what, (before, after) in changes.items():
        changed = os.path.join(place, "changed.xml")
        with open(changed, "w", encoding="utf-8") as file:
            file.write(good.replace(before, after, 1))
        if before not in good or not validate(changed, None):
            problems.append(f"{what}: the schema does not notice, or it is not there\n{good}")
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ordeal", required=True)
    parser.add_argument("--schema")
    arguments = parser.parse_args()
    if shutil.which("xmllint") is None:
        print("SKIPPED: xmllint is not installed (libxml2-utils)")
        return 77
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in FILES:
            problems += play(os.path.abspath(arguments.ordeal), folder, kind, arguments.schema)
        problems += tell_again(os.path.abspath(arguments.ordeal), folder, arguments.schema)
    print("\n".join(problems) or f"{len(FILES)} campaigns, each told as it is; so are runs, reports, repetitions and shards")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
