#!/usr/bin/env python3
"""scripts/try-cockroachdb.sh without a CockroachDB: its dry run, whose commands `ordeal` itself accepts, what it refuses,
and the steps of its own cluster on a double, right and wrong. Exit code 77: no network namespace can be made."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "../../../scripts/try-cockroachdb.sh")
OWN = ["up", "ranges", "leases", "retries", "ambiguous"]


def tried(ordeal, *arguments, **environment):
    # A network of its own: the cluster's ports are the same each time.
    return subprocess.run(
        ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', SCRIPT, *arguments],
        env={**os.environ, "ORDEAL": ordeal, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=500, check=False)


def expect(truth, what, said=None):
    if not truth:
        sys.exit(f"FAILED: {what}" + (f"\n{said.stdout}{said.stderr}exit code {said.returncode}" if said else ""))


def results(said):
    """{name: result} of its lines."""
    return {line.split()[1]: line.split()[0] for line in said.stdout.splitlines()
            if line.split()[:1] and line.split()[0] in ("as-expected", "UNEXPECTED", "told")}


def dry_run(ordeal):
    said = tried(ordeal, "--dry-run", "cockroach")
    expect(said.returncode == 0 and not said.stderr, "the dry run is accepted", said)
    runs = [line for line in said.stdout.splitlines() if line.startswith("ordeal run")]
    listed = json.loads(subprocess.run([ordeal, "list", "targets", "cockroachdb", "--json"], capture_output=True,
                                       check=True).stdout)[0]["workloads"]
    for workload in listed:
        expect(any(f"--name statements-{workload} " in line for line in runs), f"{workload} is tried", said)
    expect(len(runs) == len(listed) + 9, f"{len(listed)} runs of the workloads and nine more, not {len(runs)}", said)
    for text in ["--max-offset=250ms", "init --insecure", "RELOCATE LEASE", "kill -STOP", "inject_retry_errors_enabled"]:
        expect(text in said.stdout, f"{text} is said", said)


def refusals(ordeal):
    for arguments, code, text in [(["--dry-run", "cockroach", "nonsense"], 64, "no step nonsense"),
                                  ([], 64, "no program"), (["/bin/true"], 3, "is no CockroachDB"),
                                  (["/nowhere.tgz"], 3, "cannot be unpacked")]:
        said = tried(ordeal, *arguments)
        expect(said.returncode == code and text in said.stderr, f"{arguments} is refused with {code}", said)


def on_the_double(ordeal, wrong):
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "cockroach")
        shutil.copy(os.path.join(HERE, "cockroach_double.py"), program)
        os.chmod(program, 0o755)
        said = tried(ordeal, program, *OWN, OUT=os.path.join(scratch, "out"), READY_WITHIN="200", COCKROACH_DOUBLE_STATE=scratch,
                     COCKROACH_DOUBLE_WRONG=",".join(wrong))
        left = subprocess.run(["pgrep", "-f", program], capture_output=True, text=True, check=False).stdout
    expect(not left, f"nothing is left of it, not {left}", said)
    expect(said.returncode == (1 if wrong else 0), "the exit code says whether all was as expected", said)
    line = {"leases": "leases", "retries": "savepoint", "ambiguous": "ambiguous"}
    expected = {"up": "as-expected", "ranges": "as-expected", "leaseholders": "as-expected", "leases": "as-expected",
                "retries": "as-expected", "savepoint": "as-expected", "ambiguous": "told"}
    expected.update({line[what]: "UNEXPECTED" for what in wrong})
    found = results(said)
    expect(found == expected, f"{expected}, not {found}", said)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ordeal", required=True)
    ordeal = os.path.abspath(parser.parse_args().ordeal)
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        print("SKIPPED: no network namespace can be made here")
        sys.exit(77)
    dry_run(ordeal)
    refusals(ordeal)
    on_the_double(ordeal, [])
    on_the_double(ordeal, ["leases", "retries", "ambiguous"])
    print("as expected: the dry run, four refusals, the double right and wrong")


if __name__ == "__main__":
    main()
