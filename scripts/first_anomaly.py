#!/usr/bin/env python3
"""first_anomaly.py RESULTS.json: of what `ordeal run --json` printed, how many anomalies there are, and the first in words;
nothing when there is none, or when the file has no results."""
import json
import sys


def anomalies(value):
    if isinstance(value, dict):
        if "explanation" in value and "type" in value:
            yield value
        for inner in value.values():
            yield from anomalies(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from anomalies(inner)


try:
    with open(sys.argv[1], encoding="utf-8") as file:
        found = list(anomalies(json.load(file)))
except (OSError, ValueError):
    found = []
if found:
    print(f"{len(found)} times; the first: {found[0]['type']}: {found[0]['explanation']}")
