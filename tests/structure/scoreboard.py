#!/usr/bin/env python3
"""What scripts/scoreboard.py makes of campaigns, tried with a program that only pretends to play them.

    scoreboard.py

The pretender counts its calls and finds what `FINDS` says; what it leaves in the store is as small as it may be.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUGS = "commit_before_quorum,queue_jumps,commit_off_by_one"
FINDS = {"commit_before_quorum": "lost-element"}
PRETENDER = r'''#!/usr/bin/env python3
import json, os, pathlib, sys, tomllib
cell = tomllib.load(open(sys.argv[3], "rb"))
bug = cell["set"]["log.bug"]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(bug + " " + os.path.basename(os.getcwd()) + "\n")
type = json.loads(os.environ["FINDS"]).get(bug)
runs = [{"name": "first", "standing": "valid", "when": {"seconds": 60.0, "directory": "runs/1"}}]
if type:
    folder = pathlib.Path("store/runs/2")
    folder.mkdir(parents=True, exist_ok=True)
    fault = {"fault": "kill", "confirmed": True}
    results = {"command": "ordeal run --seed 2", "checks": [
        {"verdict": "valid", "checker": "stats"},
        {"verdict": "invalid", "checker": "set", "anomalies": [{"type": type, "operations": [0, 2], "explanation": "<gone>"}]}],
        "faults": [{**fault, "injected_ns": 1e9}, {**fault, "injected_ns": 9e9},
                   {**fault, "fault": "pause", "confirmed": False, "injected_ns": 0}]}
    (folder / "results.json").write_text(json.dumps(results))
    events = [(0, 1, "invoke", 0.5), (1, 1, "ok", 0.7), (2, 2, "invoke", 1), (3, 1, "invoke", 2),
              (4, 2, "info", 2.5), (5, 1, "ok", 8)]
    history = [{"index": i, "process": p, "type": t, "time": s * 1e9} for i, p, t, s in events]
    (folder / "history.jsonl").write_text("".join(json.dumps(event) + "\n" for event in history))
    runs.append({"name": "second", "standing": "invalid", "when": {"seconds": 9.0, "directory": "runs/2"}})
standing = runs[-1]["standing"]
print(json.dumps({"standing": standing, "runs": runs + [{"name": "third", "standing": "not started"}]}))
sys.exit(1 if type else 0)
'''


def play(folder, *more):
    calls = folder / "calls"
    calls.unlink(missing_ok=True)
    done = subprocess.run([sys.executable, ROOT / "scripts" / "scoreboard.py", "--ordeal", folder / "pretender", "--jobs", "2",
                           "--state", folder / "state", "--markdown", folder / "board.md", "--only", BUGS, *more],
                          env={**os.environ, "CALLS": str(calls), "FINDS": json.dumps(FINDS)}, capture_output=True, text=True,
                          check=False)
    return done, calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []


def cells(folder):
    return [tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.glob("state/*/*/cell.toml")]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "pretender").write_text(PRETENDER, encoding="utf-8")
        (folder / "pretender").chmod(0o755)
        done, calls = play(folder)
        assert done.returncode == 2, done.stderr  # cells of other bugs are left
        assert any(call.startswith("none ") for call in calls), "the correct program was not played"
        assert len(calls) == len(set(calls)), f"played twice: {calls}"
        rows = {row.split(" | ")[0].strip("| "): row for row in (folder / "board.md").read_text(encoding="utf-8").splitlines()}
        found = rows["commit_before_quorum"]
        # Sixty seconds of the first run, and 2.5 until the second operation ended; the fault after that and the one that
        # was not confirmed are not counted.
        assert "| set | kill ×1 | lost-element | 62.5 | 2 | 2 |" in found, found
        assert "**not found**" in rows["queue_jumps"], rows["queue_jumps"]
        # An empty choice of faults beside a timeline means none at all: such cells were valid because nothing happened.
        assert not any(cell["set"].get("nemesis.timeline") and "nemesis" in cell for cell in cells(folder)), "no faults"
        assert any("nemesis.timeline" in cell["set"] for cell in cells(folder)), "no cell has a timeline"
        assert "not tried" in rows["two_votes_in_a_term"], rows["two_votes_in_a_term"]
        web = (folder / "state" / "index.html").read_text(encoding="utf-8")
        assert "runs/2/report.html" in web and "&lt;gone&gt;" in web and "<gone>" not in web
        again, calls = play(folder)
        assert not calls, f"what was played is played again: {calls}"
        assert again.returncode == 2, again.stderr
        (folder / "state" / "queue_jumps").rename(folder / "gone")
        _, calls = play(folder)
        assert calls and all(call.startswith("queue_jumps ") for call in calls), calls
        FINDS["none"] = "lost-element"
        (folder / "state" / "none").rename(folder / "gone-too")
        assert play(folder)[0].returncode == 1, "an accusation of the correct program is the worst there is"
        _, calls = play(folder, "--budget", "59s", "--state", folder / "short")
        assert calls == [], "a run that would outlast the budget was begun"
        (folder / "state" / "none").rename(folder / "gone-three")
        _, calls = play(folder, "--only", "none")
        assert calls and all(call.startswith("none ") for call in calls), calls
        wrong, _ = play(folder, "--only", "no_such_bug")
        assert wrong.returncode == 64 and "no_such_bug" in wrong.stderr, wrong.stderr
    return 0


if __name__ == "__main__":
    sys.exit(main())
