#!/usr/bin/env python3
"""An adapter for PostgreSQL through psql: a set of whole numbers, one row each. The protocol is in PROTOCOL.md.

    ordeal run --target process --nodes local:1 --workload set --nemesis power-loss \\
        --set process.database=commands --set process.command="python3 example_postgres.py" …

tests/integration/disk_runs_test.cc has the commands that install and start the server.
"""

import json
import subprocess
import sys

CREATE = "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS elements (element bigint PRIMARY KEY); "


def ask(address, statement, timeout_ms):
    """(ok, output or message)"""
    words = ["psql", "-h", address, "-U", "postgres", "-w", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", CREATE, "-c", statement]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_ms / 1000, check=False)
    except subprocess.TimeoutExpired:
        return False, "time is up"
    return done.returncode == 0, done.stdout if done.returncode == 0 else done.stderr.strip()


def reply_to(request, address):
    """What becomes of one operation."""
    if request.get("protocol", 1) != 1:
        return {"type": "fail", "error": {"kind": "protocol", "message": "only version 1 is spoken"}}
    if request["request"] == "describe":
        return {"type": "ok", "protocol": 1, "operations": ["add", "read"]}
    if request["request"] != "invoke":
        return {"type": "ok"}
    operation = request["op"]
    if operation["f"] == "read":
        good, said = ask(address, "SELECT element FROM elements ORDER BY element", request["timeout_ms"])
        return {"type": "ok", "value": [int(line) for line in said.split()]} if good else failed("fail", said)
    # Adding what is there changes nothing, so that a second attempt, whoever made it, would do no harm.
    good, said = ask(address, f"INSERT INTO elements VALUES ({int(operation['value'])}) ON CONFLICT DO NOTHING", request["timeout_ms"])
    if good:
        return {"type": "ok"}
    return failed("fail" if "Connection refused" in said or "starting up" in said else "info", said)


def failed(outcome, message):
    """A reply to an operation that did not succeed."""
    kind = "refused" if outcome == "fail" else "unknown"
    return {"type": outcome, "error": {"kind": kind, "message": message[:300]}}


def main():
    """Answers requests until there are no more."""
    address = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["request"] == "open":
            address = request["node"]["address"]
        print(json.dumps({"id": request["id"], **reply_to(request, address)}), flush=True)


if __name__ == "__main__":
    main()
