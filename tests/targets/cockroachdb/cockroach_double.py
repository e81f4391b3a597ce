#!/usr/bin/env python3
"""A double of the program `cockroach`, for scripts/try-cockroachdb.sh and nothing else: it stores nothing, and answers
what the script asks as CockroachDB's documents have it. What it gets wrong on purpose stands, separated by commas, in
$COCKROACH_DOUBLE_WRONG: leases, retries, ambiguous. Its state is in the directory $COCKROACH_DOUBLE_STATE."""

import http.server
import os
import re
import sys

WRONG = os.environ.get("COCKROACH_DOUBLE_WRONG", "").split(",")
STATE = os.environ["COCKROACH_DOUBLE_STATE"]


def kept(name, default):
    try:
        with open(os.path.join(STATE, name), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return default


def keep(name, text):
    with open(os.path.join(STATE, name), "w", encoding="ascii") as file:
        file.write(str(text))


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if kept("inited", "") and self.path == "/health?ready=1" else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


class Failure(Exception):
    pass


class Session:
    """One SQL session; say() gives the answer's rows."""

    def __init__(self):
        self.inject = 0
        self.inside = False
        self.added = 0  # by the transaction

    def say(self, text):
        if self.inside and self.inject and text.startswith(("SELECT 1", "UPDATE try_retries")):
            self.inject -= 1
            raise Failure("restart transaction: injected by `inject_retry_errors_enabled` session variable", "40001")
        if text.startswith("SET inject_retry"):
            self.inject = 3
        elif text == "BEGIN":
            self.inside, self.added = True, 0
        elif text.startswith("UPDATE try_retries"):
            self.added += 1
        elif text.startswith("ROLLBACK TO"):
            self.added = 0 if "retries" not in WRONG else self.added
        elif text.startswith("UPDATE try_ambiguous"):
            keep("ambiguous", 2)
        elif text == "COMMIT":
            self.inside = False
            keep("retries", int(kept("retries", 0)) + self.added)
            if kept("ambiguous", ""):
                raise Failure("result is ambiguous: replica unavailable", "40001" if "ambiguous" in WRONG else "40003")
        elif "array_length" in text:
            return ["min", "5"]
        elif "FROM TABLE try_ranges" in text:
            return ["count", "4"]
        elif text.startswith("SELECT range_id FROM [SHOW RANGE "):
            return ["range_id", "77"]
        elif text.startswith("SELECT lease_holder FROM [SHOW RANGE "):
            return ["lease_holder", kept("lease", "2")]
        elif text.startswith("SELECT lease_holder, count(*)") and "WITH DETAILS" not in text:
            raise Failure('column "lease_holder" does not exist', "42703")
        elif text.startswith("SELECT unnest"):
            return ["unnest", "1", "2", "4"]
        elif text.startswith("ALTER RANGE 77 RELOCATE LEASE TO "):
            if "leases" not in WRONG:
                keep("lease", text.rsplit(" ", 1)[1])
            return ["range_id\tpretty\tresult", "77\t/Table/104\tok"]
        elif text.startswith("SELECT address FROM crdb_internal.gossip_nodes"):
            return ["address", "127.0.0.1:3626" + text.rsplit(" ", 1)[1]]
        elif text.startswith("SELECT n FROM try_retries"):
            return ["n", kept("retries", 0)]
        elif text.startswith("SELECT v FROM try_ambiguous"):
            return ["v", kept("ambiguous", 1)]
        return []


def statements(arguments):
    if "-e" in arguments:
        for at, word in enumerate(arguments):
            if word == "-e":
                yield arguments[at + 1]
        return
    for line in sys.stdin:
        yield from (part.strip() for part in line.split(";") if part.strip())


def sql(arguments):
    session = Session()
    for text in statements(arguments):
        try:
            for row in session.say(text):
                print(row, flush=True)
        except Failure as failure:
            print(f"ERROR: {failure.args[0]}\nSQLSTATE: {failure.args[1]}", file=sys.stderr, flush=True)
            if "--set=errexit=false" not in arguments:
                return 1
    return 0


def main(command, *arguments):
    if command == "version":
        print("Build Tag:        v0.0.0-double")
    elif command == "init":
        keep("inited", "yes")
    elif command == "sql":
        return sql(arguments)
    elif command == "start":
        address = next(re.fullmatch(r"--http-addr=(.*):(\d+)", word) for word in arguments if "--http-addr" in word)
        http.server.HTTPServer((address[1], int(address[2])), Health).serve_forever()
    else:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
