#!/usr/bin/env python3
"""Plays every planted bug of ordeal-log, and the correct program through the same, and says what was seen.

    scoreboard.py [--ordeal FILE] [--state DIR] [--budget TIME] [--jobs N] [--only BUG,…] [--markdown FILE] [--table-only]
    scoreboard.py --check [--ordeal FILE]       only whether scoreboard.toml fits the bugs and what the program knows

scoreboard.toml says which workloads and faults could show a bug. Each such *cell* is a campaign of a few seeds that ends with
the first anomaly. DIR keeps a file for each cell that has been played, with the commit of the sources and the stored run that
shows the bug, so that what was interrupted or out of budget goes on; cells whose definition has changed, or whose runs failed
(nodes, network), are played again.
Order: the first cell of every bug, then the second of each that was not found, and so on, the correct program in between,
then the rest.

Written are FILE (doc/scoreboard.md) and DIR/index.html, which links the report of each find. Nothing stands in a row but what
a stored run says. Exit code: 0 done, 1 the correct program was found invalid, 2 cells are left, 3 a cell failed, 64 wrong
usage.
"""

import argparse
import concurrent.futures
import dataclasses
import datetime
import hashlib
import html
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading
import time
import tomllib
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "scripts" / "scoreboard.toml"
BUGS = ROOT / "targets" / "log" / "server" / "bugs.h"
ROOMS = ("base", "checkers", "cli", "harness", "nemesis", "session", "targets", "workloads")
CORRECT = "none"
# Checks of whether the system serves: a find of theirs may have another cause, such as a busy machine.
SERVING = ("serves-again", "recovery")


class Wrong(Exception):
    """Of the table or of the arguments: what, where, what to do."""


@dataclasses.dataclass(frozen=True)
class Cell:
    bug: str
    workload: str
    faults: str
    settings: tuple  # pairs of keys of a campaign file and their values
    options: tuple   # of its table [set]

    @property
    def name(self):
        mark = hashlib.sha256(self.campaign().encode()).hexdigest()[:8]
        return re.sub(r"[^A-Za-z0-9-]+", "_", f"{self.workload} {self.faults or 'no-faults'} {mark}")

    def campaign(self):
        lines = ['target = "log"', f"workload = {json.dumps(self.workload)}"]
        if not self.faults.startswith("@"):  # a timeline says itself which faults there are; "" beside it means none
            lines.append(f"nemesis = {json.dumps(self.faults)}")
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.settings]
        lines += ["fail-fast = true", "retries = 1", "[set]", f'"log.bug" = {json.dumps(self.bug)}']
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in self.options]
        return "\n".join(lines) + "\n"


def planted():
    """Bugs in the order of bugs.h: name -> (room, what goes wrong)."""
    found = re.findall(r'X\((\w+), "(\w+)", "([^"]+)"', re.sub(r"\\\n\s*", "", BUGS.read_text(encoding="utf-8")))
    return {name: (room, what) for name, room, what in found}


def cells_of(bug, entry, table):
    defaults = table["defaults"]
    settings = {**defaults["run"], **entry.get("run", {})}
    for attempt in entry.get("try", defaults["try"]):
        workload, _, rest = attempt.partition(" ")
        faults, *pairs = shlex.split(rest) if rest else [""]
        options = dict(entry.get("set", {}))
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals:
                raise Wrong(f"{TABLE}: {bug}: \"{attempt}\": expected WORKLOAD FAULTS KEY=VALUE …")
            options[key] = value
        if faults.startswith("@"):
            if faults[1:] not in table["timelines"]:
                raise Wrong(f"{TABLE}: {bug}: there is no timeline {faults}")
            options["nemesis.timeline"] = json.dumps(table["timelines"][faults[1:]])
            options["nemesis.quorum"] = "any"
        yield Cell(bug, workload, "" if faults == "none" else faults, tuple(settings.items()), tuple(options.items()))


def load_table(only):
    with open(TABLE, "rb") as file:
        table = tomllib.load(file)
    bugs, entries = planted(), table["bugs"]
    for name in list(entries) + only:
        if name not in bugs and name != CORRECT:
            raise Wrong(f"{name}: there is no such bug in {BUGS}")
    missing = [name for name in bugs if name not in entries]
    if missing:
        raise Wrong(f"{TABLE}: no entry for {', '.join(missing)}")
    return table, {name: list(cells_of(name, entries[name], table)) for name in bugs}


def correct_cells(by_bug):
    """The same gauntlet without a bug, each workload under its faults once."""
    seen = {dataclasses.replace(cell, bug=CORRECT): None for cells in by_bug.values() for cell in cells}
    return list(seen)


def in_order(by_bug):
    """Rounds of cells: those of one round may be played side by side; later rounds leave out what was found."""
    depth = max(map(len, by_bug.values()), default=0)
    correct = correct_cells(by_bug)
    share = -(-len(correct) // max(depth, 1))
    for i in range(depth):
        yield [cells[i] for cells in by_bug.values() if i < len(cells)], True
        yield correct[i * share:(i + 1) * share], False
    yield [cell for cells in by_bug.values() for cell in cells], False


class Board:
    def __init__(self, arguments):
        self.ordeal = arguments.ordeal
        self.state = pathlib.Path(arguments.state).resolve()
        self.ends = time.monotonic() + arguments.budget
        self.commit = sources()
        self.lock = threading.Lock()

    def file(self, cell):
        return self.state / cell.bug / (cell.name + ".json")

    def result(self, cell):
        """What was stored for this cell as it is defined now; None: it was not played."""
        try:
            stored = json.loads(self.file(cell).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return stored if stored.get("campaign") == cell.campaign() else None

    def play(self, cell, runs_left_out):
        stored = self.result(cell)
        if runs_left_out() or (stored and stored["standing"] != "failed"):
            return
        longest = seconds(dict(cell.settings)["time-limit"])
        if time.monotonic() + longest > self.ends:
            return
        folder = self.state / cell.bug / cell.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cell.toml").write_text(cell.campaign(), encoding="utf-8")
        done = subprocess.run([self.ordeal, "run", "--json", "cell.toml", "--store", "store"], cwd=folder, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)
        stored = summary(folder / "store", done)
        if stored is None:
            return  # interrupted
        stored.update(campaign=cell.campaign(), commit=self.commit, played=datetime.date.today().isoformat())
        temporary = self.file(cell).with_suffix(".new")
        temporary.write_text(json.dumps(stored, indent=1), encoding="utf-8")
        temporary.replace(self.file(cell))
        with self.lock:
            print(f"{cell.bug:28} {cell.workload:16} {stored['said'][:160]}", file=sys.stderr, flush=True)


def sources():
    """The last commit of what the programs are made of; +: with changes."""
    def git(*words):
        done = subprocess.run(["git", "-C", str(ROOT), *words, "--", *ROOMS], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else "unknown"
    return git("log", "-1", "--format=%h") + ("+" if git("status", "--porcelain", "-uno") else "")


def seconds(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", str(text))
    if not found:
        raise Wrong(f"\"{text}\": expected a time such as 90s, 20m or 2h")
    return float(found[1]) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}[found[2]]


def simulate(board):
    """The table of the simulation, where its program was built: its first seed that shows a bug of consensus."""
    kept = board.state / "simulation.txt"
    program = pathlib.Path(board.ordeal).parent / "bin" / "ordeal-log-sim"
    if not kept.exists() and program.exists():
        done = subprocess.run([program, "--seeds", "1000", "--bug", "all"], capture_output=True, text=True, check=False)
        if done.returncode in (0, 1):
            kept.write_text(done.stdout, encoding="utf-8")


def simulated(board):
    """Bug -> what the simulation says of it."""
    kept = board.state / "simulation.txt"
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    rows = [[word.strip() for word in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {row[0]: f"seed {row[1]}: {row[2]}" if row[1].isdigit() else f"{row[1]} in 1000 seeds" for row in rows[1:]}


def summary(store, done):
    """Of a campaign that ended: what is told of its runs, and the find if there is one."""
    try:
        document = json.loads(done.stdout)
    except ValueError:
        return None
    runs = document.get("runs")
    if runs is None:
        return {"standing": "failed", "runs": 0, "said": document.get("error") or document.get("reason", done.stderr)}
    interrupted = any((run.get("reason") or "").startswith("not started: interrupted") for run in runs)
    if document.get("standing") == "not started" or (interrupted and document.get("standing") != "invalid"):
        return None
    played = [run for run in runs if "when" in run]
    confirmed = sum(run["when"].get("confirmed", 0) for run in played)
    out = {"standing": document["standing"], "runs": len(played), "faults": confirmed, "said": document["standing"]}
    reasons = {run.get("reason") or run.get("error") for run in played} - {None, ""}
    if reasons:
        out["said"] += ": " + "; ".join(sorted(reasons))
    for number, run in enumerate(played, 1):
        if run["standing"] == "invalid":
            out["find"] = find_in(store / run["when"]["directory"], number, store.parents[2])
            out["find"]["before_s"] = round(sum(one["when"]["seconds"] for one in played[:number - 1]), 1)
            out["said"] = f"found by {out['find']['checker']}: {out['find']['anomaly']}"
            if out["find"]["checker"] in SERVING and not out["find"]["faults"]:
                out.update(standing="unknown", said="nodes did not serve again, and no fault was confirmed")
                del out["find"]
            break
    return out


def find_in(directory, number, state):
    """The smallest anomaly of a stored run, and when the last of its operations had ended."""
    results = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    check = min((one for one in results["checks"] if one["verdict"] == "invalid"), key=lambda one: one["checker"] in SERVING)
    anomaly = (check.get("anomalies") or [{}])[0]
    operations = anomaly.get("operations", [])
    ended = ended_s(directory / "history.jsonl", operations)
    faults = [fault for fault in results.get("faults", [])
              if fault["confirmed"] and (ended is None or fault["injected_ns"] / 1e9 <= ended)]
    counts = {name: sum(fault["fault"] == name for fault in faults) for name in sorted({f["fault"] for f in faults})}
    return {"run": number, "directory": str(directory.relative_to(state)), "command": results["command"],
            "checker": check["checker"],
            "anomaly": anomaly.get("type", ""), "explanation": anomaly.get("explanation", ""), "size": len(operations),
            "at_s": None if ended is None else round(ended, 1), "faults": counts}


def ended_s(history, operations):
    """Seconds from the run's start until the last of these had ended; None when there are none."""
    wanted, open_by, last = set(operations), {}, None
    with open(history, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            process = event.get("process")
            if event.get("type") == "invoke":
                open_by[process] = event["index"] in wanted
            elif open_by.pop(process, False):
                last = event["time"] / 1e9
    return last


def proves(result):
    return bool(result) and "find" in result and result["find"]["checker"] not in SERVING


def rows_of(board, by_bug):
    """For each bug its best find (of what was read or lost; fewest runs, least time), and what each of its cells came to."""
    for bug, cells in by_bug.items():
        played = [(cell, result) for cell in cells if (result := board.result(cell))]
        finds = [(cell, result) for cell, result in played if "find" in result]
        finds.sort(key=lambda pair: (not proves(pair[1]), pair[1]["find"]["run"], pair[1]["find"]["at_s"] or 1e9))
        yield bug, finds[0] if finds else None, played, len(cells)


def plural(count, word):
    return f"{count} {word}" + ("" if count == 1 else "s")


def others(best, played, count):
    """What the other cells came to, in words."""
    words = []
    for cell, result in played:
        if best and cell is best[0]:
            continue
        what = result["find"]["anomaly"] if "find" in result else \
            f"{result['standing']} ({plural(result['runs'], 'run')}, {plural(result.get('faults', 0), 'fault')})"
        words.append(f"{cell.workload} under {cell.faults or 'no faults'}: {what}")
    if count > len(played):
        words.append(f"not played: {count - len(played)}")
    return "; ".join(words)


def seen(best):
    """The columns of a find."""
    cell, find = best[0], best[1]["find"]
    faults = ", ".join(f"{name} ×{times}" for name, times in find["faults"].items()) or "none"
    at = "at the end" if find["at_s"] is None else f"{find['before_s'] + find['at_s']:.1f}"
    return [cell.workload, find["checker"], faults, find["anomaly"], at, str(find["run"]), str(find["size"])]


def last_call(board):
    """Under which circumstances this was played; cells of earlier calls had their own."""
    try:
        return (board.state / "call").read_text(encoding="utf-8")
    except OSError:
        return ""


def heading(board, by_bug):
    rows = list(rows_of(board, by_bug))
    results = [result for *_, played, _ in rows for _, result in played]
    correct = [result for cell in correct_cells(by_bug) if (result := board.result(cell))]
    days = sorted({result["played"] for result in results + correct}) or ["never"]
    commits = sorted({result["commit"] for result in results + correct}) or ["none"]
    found = sum(best is not None for _, best, *_ in rows)
    stuck = sum(best is not None and not proves(best[1]) for _, best, *_ in rows)
    only = f", {stuck} of them only in that nodes did not serve again" if stuck else ""
    tried = sum(bool(played) for *_, played, _ in rows)
    standings = {name: sum(one["standing"] == name for one in correct) for name in {one["standing"] for one in correct}}
    return [f"{found} of {len(rows)} planted bugs were found{only}; {tried} were tried.",
            f"The correct program: {plural(sum(one['runs'] for one in correct), 'run')} in {len(correct)} of "
            f"{len(correct_cells(by_bug))} cells"
            + "".join(f", {count} {name}" for name, count in sorted(standings.items())) + ".",
            f"Played {days[0]}{'' if len(days) == 1 else ' to ' + days[-1]}, sources at {', '.join(commits)} "
            f"(+: with changes), {os.cpu_count()} processors{last_call(board)}."]


def markdown(board, table, by_bug):
    out = ["# Planted bugs of ordeal-log, and what found them",
           "Made by `make scoreboard` from stored runs on local nodes; which workloads and faults could show a bug is in "
           "[scripts/scoreboard.toml](../scripts/scoreboard.toml).", *heading(board, by_bug), "",
           "*Seconds*: from the start of the first run until the last operation of the counterexample had ended, earlier runs "
           "of the same cell in full. *Runs*: how many it took. *Operations*: the size of the counterexample. *Faults*: "
           "confirmed in that run before it. *Simulation*: the first of 1,000 seeds of `ordeal-log-sim` that shows it. "
           "Which lines a bug is in: [bugs.h](../targets/log/server/bugs.h).", "",
           "| bug | workload | checker | faults | anomaly | seconds | runs | operations | simulation | elsewhere |",
           "|---|---|---|---|---|---|---|---|---|---|"]
    sim = simulated(board)
    for bug, best, played, count in rows_of(board, by_bug):
        columns = seen(best) if best else ["**not found**" if played else "not tried", *[""] * 6]
        out.append("| " + " | ".join([bug, *columns, sim.get(bug, ""), others(best, played, count)]) + " |")
    out += ["", "## The correct program", "| workload | faults | options | verdict | runs | confirmed faults |",
            "|---|---|---|---|---|---|"]
    for cell in correct_cells(by_bug):
        if result := board.result(cell):
            options = " ".join(f"{key}={value}" for key, value in cell.options if key != "nemesis.timeline")
            out.append(f"| {cell.workload} | {cell.faults or 'none'} | {options} | {result['said']} | {result['runs']} | "
                       f"{result.get('faults', 0)} |")
    schedules = [(bug, table["bugs"][bug]["schedule"]) for bug in by_bug if "schedule" in table["bugs"][bug]]
    out += ["", "## Unusual schedules", *[f"- `{bug}`: {text}" for bug, text in schedules],
            "", "## Each again by one command", "```"]
    out += [f"{best[1]['find']['command']}" for _, best, *_ in rows_of(board, by_bug) if best]
    return "\n".join(out + ["```"]) + "\n"


def page(board, by_bug):
    """One page beside the stored runs, whose links stay right when the folder moves."""
    body = []
    bugs, sim = planted(), simulated(board)
    for bug, best, played, count in rows_of(board, by_bug):
        columns = [bug, bugs[bug][1], *(seen(best) if best else ["not found" if played else "not tried", *[""] * 6])]
        cells = "".join(f"<td>{html.escape(text)}" for text in [*columns, sim.get(bug, ""), others(best, played, count)])
        link = "<td>"
        if best:
            report = urllib.parse.quote(best[1]["find"]["directory"] + "/report.html")
            link = f'<td><a href="{report}">report</a><details><summary>command</summary><code>' \
                   f'{html.escape(best[1]["find"]["command"])}</code><p>{html.escape(best[1]["find"]["explanation"])}</details>'
        body.append(f"<tr>{cells}{link}")
    names = ["bug", "what goes wrong", "workload", "checker", "faults", "anomaly", "seconds", "runs", "operations",
             "simulation", "elsewhere", "evidence"]
    lines = "".join(f"<p>{html.escape(line)}" for line in heading(board, by_bug))
    return ("<!doctype html><html lang=en><meta charset=utf-8><title>Planted bugs of ordeal-log</title><style>"
            "body{font:15px/1.4 sans-serif;margin:1rem}table{border-collapse:collapse}td,th{border:1px solid #ccc;"
            "padding:.2rem .5rem;text-align:left;vertical-align:top}</style><h1>Planted bugs of ordeal-log</h1>"
            f"{lines}<table><tr>{''.join(f'<th>{name}' for name in names)}\n" + "\n".join(body) + "\n</table></html>\n")


def check(ordeal, by_bug):
    """Whether the program knows every workload, fault and option of the table, by its `list --json`."""
    listed = json.loads(subprocess.run([ordeal, "list", "--json"], capture_output=True, check=True).stdout)
    target = next(one for one in listed["targets"] if one["name"] == "log")
    known = {one["name"]: one for one in listed["workloads"] + listed["faults"]}
    for cell in (cell for cells in by_bug.values() for cell in cells):
        timeline = json.loads(dict(cell.options).get("nemesis.timeline", "[]"))
        parts = [one["fault"] for one in timeline] or [name for name in cell.faults.split(",") if name]
        unknown = [name for name in parts if name not in known]
        if cell.workload not in target["workloads"]:
            unknown.append(cell.workload)
        keys = {option["key"] for one in [target, *(known.get(name, {}) for name in [cell.workload, *parts])]
                for option in one.get("options", [])}
        unknown += [key for key, _ in cell.options if key not in keys and not key.startswith("nemesis.")]
        if unknown:
            raise Wrong(f"{TABLE}: {cell.bug}: target log does not know {', '.join(unknown)}; `ordeal list` shows all")


def play_all(board, by_bug, only, jobs):
    def found(bug):
        return any(proves(board.result(cell)) for cell in by_bug.get(bug, []))
    chosen = {bug: cells for bug, cells in by_bug.items() if not only or bug in only}
    rounds = [(correct_cells(by_bug), False)] if CORRECT in only else in_order(chosen)
    for cells, until_found in rounds:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for done in [pool.submit(board.play, cell, lambda bug=cell.bug: until_found and found(bug)) for cell in cells]:
                done.result()


def exit_code(board, by_bug):
    correct = [board.result(cell) for cell in correct_cells(by_bug)]
    results = correct + [board.result(cell) for cells in by_bug.values() for cell in cells]
    if any(result and "find" in result for result in correct):
        return 1
    if None in results:
        return 2
    return 3 if any(result["standing"] in ("failed", "refused") for result in results) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ordeal", default=str(ROOT / "build" / "release" / "ordeal"))
    parser.add_argument("--state", default=str(ROOT / "build" / "scoreboard"))
    parser.add_argument("--budget", default="2h", type=seconds)
    parser.add_argument("--jobs", default=2 * (os.cpu_count() or 1), type=int)
    parser.add_argument("--only", default="", help="bugs, separated by commas, or none for the correct program; else all")
    parser.add_argument("--markdown", default=str(ROOT / "doc" / "scoreboard.md"))
    parser.add_argument("--table-only", action="store_true", help="write the table of what was played already")
    parser.add_argument("--check", action="store_true", help="only whether the program knows what the table names")
    arguments = parser.parse_args()
    arguments.ordeal = os.path.abspath(arguments.ordeal)
    only = [name for name in arguments.only.split(",") if name]
    table, by_bug = load_table(only)
    if arguments.check:
        check(arguments.ordeal, by_bug)
        return 0
    board = Board(arguments)
    board.state.mkdir(parents=True, exist_ok=True)
    if not arguments.table_only:
        told = f" at load {os.getloadavg()[1]:.0f}; budget of the last call {arguments.budget:g} s, "
        told += f"{arguments.jobs} cells side by side"
        (board.state / "call").write_text(told, encoding="utf-8")
        simulate(board)
        play_all(board, by_bug, only, arguments.jobs)
    pathlib.Path(arguments.markdown).write_text(markdown(board, table, by_bug), encoding="utf-8")
    (board.state / "index.html").write_text(page(board, by_bug), encoding="utf-8")
    print("\n".join([*heading(board, by_bug), f"{arguments.markdown}", f"{board.state / 'index.html'}"]))
    return exit_code(board, by_bug)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(64)
    except KeyboardInterrupt:
        sys.exit(130)
