#!/usr/bin/env python3
"""Campaign files, judged by the JSON Schema that editors use and by the program: both take them, or both refuse them.

    campaign_schema.py --ordeal PROGRAM

Exit code 77: python3-jsonschema is not installed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib

GOOD = [
    'target = "memory"\n',
    'target = ["memory", "etcd"]\nworkload = ["register", "set"]\nseed = ["1..3", 7]\n',
    'target = "etcd"\nnemesis = ["kill,pause", ""]\ntime-limit = 5.5\nrate = "unlimited"\n',
    'target = "etcd"\n[nemesis]\nfaults = "kill"\nquiet = "2s"\nschedule = ["random", "periodic"]\n',
    'target = "etcd"\n[[nemesis.timeline]]\nat = 5.0\nfault = "partition"\n',
    'target = "memory"\nbudget = "2h"\nretries = 3\nfail-fast = true\nuntil-found = false\n',
    'target = "memory"\nexpect = "invalid: stale-read"\n',
    'target = "memory"\nseed = [1, 2]\n[[expect]]\nseed = 1\nverdict = "invalid"\n[[exclude]]\nseed = 2\n',
    'target = "memory"\n[set]\n"register.keys" = [3, 5]\nmemory.latency = "1ms"\n',
    'target = "memory"\nconcurrency = "5"\nmemory = "4G"\npoisson = false\nconsistency = "sequential"\n',
]
BAD = [
    'target = "memroy"\n',
    'target = "memory"\nworkload = "regster"\n',
    'target = "memory"\nworklaod = "set"\n',
    'target = "memory"\nseed = "1-5"\n',
    'target = "memory"\nseed = []\n',
    'target = "memory"\ntime-limit = "soon"\n',
    'target = "memory"\ntime-limit = -1\n',
    'target = "memory"\nconcurrency = 0\n',
    'target = "memory"\nbudget = [1, 2]\n',
    'target = "memory"\nretries = "often"\n',
    'target = "memory"\nretries = 1000\n',
    'target = "memory"\nfail-fast = 1\n',
    'target = "memory"\nexpect = "wrong"\n',
    'target = "memory"\nexpect = 3\n',
    'target = "memory"\nexclude = "set"\n',
    'target = "memory"\n[[expect]]\nseed = 1\n',
    'target = "memory"\n[set]\n"register.kyes" = 3\n',
    'target = "memory"\n[set]\nregister.keys = "many"\n',
    'target = "memory"\nset = 3\n',
    'target = "etcd"\n[nemesis]\nquite = "2s"\n',
    'target = "memory"\nstore = ["a", "b"]\n',
    'target = { name = "memory" }\n',
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ordeal", required=True)
    arguments = parser.parse_args()
    try:
        import jsonschema
    except ImportError:
        print("SKIPPED: python3-jsonschema is not installed")
        return 77
    schema = json.loads(subprocess.run([arguments.ordeal, "schema"], check=True, capture_output=True).stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for wanted, files in ((True, GOOD), (False, BAD)):
            for text in files:
                path = os.path.join(folder, "c.toml")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                run = subprocess.run([arguments.ordeal, "run", path, "--dry-run"], capture_output=True, text=True, timeout=240)
                taken = {"the program": run.returncode == 0, "the schema": validator.is_valid(tomllib.loads(text))}
                if run.returncode not in (0, 64):
                    print(f"exit code {run.returncode} for\n{text}{run.stderr}")
                    failures += 1
                for who, took in taken.items():
                    if took != wanted:
                        print(f"{who} {'takes' if took else 'refuses'}\n{text}{run.stderr if who == 'the program' else ''}")
                        failures += 1
    print(f"{len(GOOD)} good and {len(BAD)} bad files, {failures} judged otherwise")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
