"""What the tables of speed share: a command timed as a whole process, and several commands in turn."""
import os
import shlex
import statistics
import subprocess
import time


def timed(command):
    """Runs a command: (wall seconds, CPU seconds, peak resident MB, standard output, exit code)."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out, child.returncode


class Figures:
    """Of all runs of one command: medians of wall and CPU, the extremes of wall, the largest memory, the last output."""

    def __init__(self, runs):
        walls, cpus = [r[0] for r in runs], [r[1] for r in runs]
        self.wall, self.cpu = statistics.median(walls), statistics.median(cpus)
        self.fastest, self.slowest = min(walls), max(walls)
        self.megabytes = max(r[2] for r in runs)
        self.out, self.code = runs[-1][3], runs[-1][4]


def alternating(runs, commands):
    """Runs each of the commands (name: argument list) `runs` times, in turn, so that a busy moment of the machine hits all."""
    seen = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seen[name].append(timed(command))
    return {name: Figures(times) for name, times in seen.items()}


def add_peers(parser):
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND",
                        help="another checker, run in turn with ours on the same files; {file}, {model} and {level} stand for theirs")


def peers(options):
    """Of --peer: [(name, command)]."""
    split = [peer.partition("=") for peer in options.peer]
    for name, _, command in split:
        if not name or not command:
            raise SystemExit(f"--peer wants NAME=COMMAND, got {name!r}")
    return [(name, command) for name, _, command in split]


def peer_command(command, **names):
    """The argument list of a peer; a word that is {file} alone becomes all the files."""
    words = []
    for word in shlex.split(command):
        if word == "{file}":
            words += names["file"]
        else:
            words.append(word.replace("{model}", names.get("model", "")).replace("{level}", names.get("level", "")))
    return words


def peer_columns(figures, ours):
    """Of each peer: its CPU seconds, its memory, its exit code, and how many times our CPU that is."""
    return "".join(f" {f.cpu:.3f} s, {f.megabytes:.0f} MB, exit {f.code}, {f.cpu / max(ours.cpu, 0.001):.2f} of ours |" for f in figures)
