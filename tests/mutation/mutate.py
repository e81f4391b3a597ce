#!/usr/bin/env python3
"""Would the tests notice? Makes mutants of C++ files, single small changes, and runs the tests that see each.

    mutate.py FILE…                             all mutants of the files
    mutate.py FILE… --sample 30 --seed 7        thirty of them, the same ones every time
    mutate.py --lines git-diff[=BASE]           only what differs from BASE (default: main), uncommitted changes included
    mutate.py --at FILE:LINE[,LINE…] …          only those of these lines
    mutate.py --edits FILE                      the changes written in FILE (tests/mutation/edits.txt says how)
    mutate.py FILE… --list                      the mutants, without trying them

Changes: conditions negated, < and <=, == and != and their like, && and ||, + and -, an off-by-one dropped, constants,
statements dropped, verdicts, outcomes and other enumerators swapped, default values returned. Each is

    killed      a test fails, crashes or takes five times as long (and ten seconds at least)
    equivalent  the compiler makes the same object file of it
    survived    nothing noticed: its place and difference are printed; "suspect" says why it may be equivalent
    stillborn   it does not compile; it does not count

The tests that see a file are those whose program is linked from it: first those whose folder under tests/ mirrors the
file's, then the others; of these, for each mutant, only the tests that reach it. Labels integration, package and fuzz take no
part unless --integration is given; --tests REGEX names tests, --programs REGEX programs, and --also REGEX test programs
that are not linked from a file but run what is (cli_test runs ordeal).

All mutants of all files are compiled in at once and chosen by the environment variable ORDEAL_MUTANT; what cannot be written
so (constant expressions) is built one by one, --rebuilds many at most. Everything happens in a copy of the tree under
build/mutation (--work): the checkout is never written to. Two cores: about a second a mutant and ten a file, after the first
build. Exit code: 0 nothing survived, 1 something did, 3 the tree or its tests do not build, 64 usage.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rules  # noqa: E402
from schema import Schema  # noqa: E402
from tree import Tree  # noqa: E402
from trial import Trial, tests_of  # noqa: E402

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LEFT_OUT = {"integration", "package", "fuzz"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def usage(text):
    say("mutate.py: " + text)
    sys.exit(64)


def changed_lines(root, base):
    """file -> lines that differ from `base`, of C++ files outside tests/."""
    done = subprocess.run(["git", "-C", root, "diff", "-U0", "--no-color", base, "--", "*.cc", "*.h"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        usage(f"git diff {base}: {done.stderr.strip()}")
    found, file = {}, None
    for line in done.stdout.splitlines():
        if line.startswith("+++ "):
            file = line[6:] if line[4:6] == "b/" else None
        match = re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line)
        if match and file and not file.startswith("tests/"):
            first, count = int(match[1]), int(match[2] or 1)
            found.setdefault(file, set()).update(range(first, first + count))
    return found


def lines_at(root, places):
    """file -> lines, of places written FILE:LINE[,LINE…]."""
    found = {}
    for place in places:
        match = re.fullmatch(r"(.+):(\d+(?:,\d+)*)", place)
        if not match:
            usage(f"--at {place}: FILE:LINE or FILE:LINE,LINE is expected")
        file = os.path.relpath(os.path.abspath(match[1]), root)
        found.setdefault(file, set()).update(int(line) for line in match[2].split(","))
    return found


def read_edits(root, path):
    """Changes written by hand: blocks of `file: PATH`, `why: …`, lines that begin with "-" (found in the file, once) and
    lines that begin with "+" (put in their place). `as: statement` or `as: expression` when they are one: they can then be
    compiled in with all others; else the change is built on its own."""
    found = []
    with open(path, encoding="utf-8") as text:
        blocks = re.split(r"\n\s*\n", text.read())
    for block in blocks:
        lines = [line for line in block.split("\n") if line and not line.startswith("#")]
        if not lines:
            continue
        head = dict(line.split(": ", 1) for line in lines if re.match(r"(file|why|as): ", line))
        old = "\n".join(line[1:] for line in lines if line.startswith("-")).encode()
        new = "\n".join(line[1:] for line in lines if line.startswith("+")).encode()
        try:
            with open(os.path.join(root, head["file"]), "rb") as source:
                content = source.read()
        except (KeyError, OSError) as problem:
            usage(f"{path}: a block without a file that is there: {problem}\n{block}")
        if content.count(old) != 1 or not old:
            usage(f"{path}: {head['file']} holds these lines {content.count(old)} times, not once:\n{old.decode()}")
        start = content.index(old)
        mutant = rules.Mutant(head["file"], "edit: " + head.get("why", ""), start, start + len(old), new,
                              content.count(b"\n", 0, start) + 1, (start, start + len(old)))
        if head.get("as") == "statement":
            mutant.prefix, mutant.suffix = b"if (" + rules.CHOSEN + b") { " + new + b" } else { ", b" }"
        elif head.get("as") == "expression":
            mutant.prefix, mutant.suffix = b"(" + rules.CHOSEN + b" ? (" + new + b") : (", b"))"
        found.append(mutant)
    return found


class Session:
    def __init__(self, options):
        self.options = options
        self.tree = Tree(options.root, options.work, options.preset, options.jobs)
        self.sources = {}
        self.mutants = []
        self.trial = Trial(self.tree, options.work, say)

    # --- which mutants ---
    def choose(self):
        options = self.options
        if options.edits:
            found = read_edits(options.root, options.edits)
        else:
            lines = changed_lines(options.root, options.base) if options.base else options.at
            files = sorted({*options.files, *options.at}) or sorted(lines)
            found = []
            for file in files:
                some = rules.mutants_of(self.tree.root, self.tree.build, file)
                if options.base or options.at:
                    some = [m for m in some if m.line in lines.get(file, ())]
                found += some
            if options.kinds:
                found = [m for m in found if re.search(options.kinds, m.kind)]
            if options.sample is not None:
                groups = {}
                for mutant in found:
                    groups.setdefault(os.path.dirname(mutant.file) if options.each_folder else "", []).append(mutant)
                found = [m for _, group in sorted(groups.items()) for m in self.sampled(group)]
        for number, mutant in enumerate(found, 1):
            mutant.number = number
            self.sources.setdefault(mutant.file, self.tree.read(mutant.file))
        self.mutants = found

    def sampled(self, mutants):
        if self.options.sample >= len(mutants):
            return mutants
        chosen = random.Random(self.options.seed).sample(range(len(mutants)), self.options.sample)
        return [mutants[at] for at in sorted(chosen)]

    # --- building ---
    def build_all(self, programs):
        """All files with their mutants compiled in; what the compiler refuses is left for a build of its own."""
        schemas = {}
        for attempt in range(12):
            for file, source in self.sources.items():
                mine = [m for m in self.mutants if m.file == file and m.prefix]
                schemas[file] = Schema(source, mine)
                self.tree.write(file + ".mutants", schemas[file].text)
                once = "#pragma once\n" if file.endswith(".h") else ""
                self.tree.write(file, f'{once}#include "{os.path.basename(file)}.mutants"\n'.encode())
            built, out = self.tree.make(programs)
            if built:
                return
            refused = 0
            for file, schema in schemas.items():
                places = {(int(line), int(column)) for line, column in
                          re.findall(re.escape(os.path.basename(file)) + r"\.mutants:(\d+):(\d+): ", out)}
                for mutant in schema.refused(places):
                    mutant.prefix = b""
                    refused += 1
            if refused == 0:
                say(out[-6000:])
                say("mutate.py: the tree does not build, and not because of a mutant")
                sys.exit(3)
        say("mutate.py: the mutants do not compile after many attempts")
        sys.exit(3)

    def restore(self, file=None):
        for name in [file] if file else self.sources:
            self.tree.write(name, self.sources[name])

    # --- which tests ---
    def stages(self, programs):
        """The programs in the order in which they are built and asked: near ones, the others."""
        labels = self.labels()
        wanted = {}
        for program, folder in programs.items():
            name = os.path.basename(program)
            also = self.options.also and re.search(self.options.also, name)
            if self.options.programs and not also and not re.search(self.options.programs, name):
                continue
            if not also and not self.options.integration and not self.options.programs and labels.get(name) in LEFT_OUT:
                continue
            if name not in labels and name != "ordeal":
                continue  # no test
            wanted[program] = folder
        folders = {"tests/" + os.path.dirname(file) for file in self.sources}
        near = [p for p, f in wanted.items() if any(f.startswith(x) or x.startswith(f + "/") for x in folders)]
        rest = [p for p in wanted if p not in near]
        return [stage for stage in ((near or rest,) if self.options.near else (near, rest)) if stage]

    def labels(self):
        found = {}
        for folder, _, names in os.walk(os.path.join(self.tree.root, "tests")):
            if "CMakeLists.txt" in names:
                with open(os.path.join(folder, "CMakeLists.txt"), encoding="utf-8") as text:
                    found.update(re.findall(r"ordeal_test\(\s*(\w+)\s+LABEL\s+(\w+)", text.read()))
        return found

    def tests(self, stage):
        found = tests_of(self.tree, stage)
        if self.options.tests:
            found = [t for t in found if re.search(self.options.tests, t.name)]
        elif not self.options.integration:
            found = [t for t in found if not LEFT_OUT & set(t.labels) or self.named(t)]
        return found

    def named(self, test):
        """Whether its program is one that the options name: then its label does not matter."""
        wanted = [r for r in (self.options.programs, self.options.also) if r]
        program = os.path.basename(test.command[0])
        return any(re.search(regex, program) for regex in wanted)

    # --- trying ---
    def run(self):
        programs = self.tree.programs_with(set(self.sources), self.options.also)
        stages = self.stages(programs)
        if not stages:
            usage("no test sees these files; --integration, --programs or --tests may name some")
        say(f"{len(self.mutants)} mutants of {len(self.sources)} files; "
            f"programs: {', '.join(os.path.basename(p) for stage in stages for p in stage)}")
        everyone = []
        for at, stage in enumerate(stages):
            todo = [m for m in self.mutants if m.state == "" and m.prefix]
            if at > 0 and not todo:
                break
            self.build_all(stage)
            tests = self.trial.baseline(self.tests(stage))
            say(f"stage {at + 1}: {len(tests)} tests, {sum(t.seconds for t in tests):.1f} s unchanged")
            everyone.append((stage, tests))
            here = set(map(id, tests))
            for mutant in self.mutants:
                if mutant.state or not mutant.prefix:
                    continue
                reaching = [t for t in self.trial.reaching.get(mutant.number, []) if id(t) in here]
                mutant.by = self.trial.killed_by(reaching, mutant.number) or ""
                if mutant.by:
                    mutant.state = "killed"
                self.progress(mutant)
        self.restore()
        self.one_by_one(stages, everyone)
        for mutant in self.mutants:
            if mutant.state == "" and mutant.prefix:
                self.judge_survivor(mutant)
        self.restore()

    def one_by_one(self, stages, everyone):
        left = [m for m in self.mutants if not m.prefix and m.state == ""]
        for mutant in left[:self.options.rebuilds]:
            self.tree.write(mutant.file, mutant.applied(self.sources[mutant.file]))
            for at, stage in enumerate(stages):
                built, out = self.tree.make(stage)
                if not built:
                    mutant.state, mutant.by = "stillborn", (re.findall(r"error: (.*)", out) or ["?"])[0]
                    break
                if at >= len(everyone):
                    everyone.append((stage, self.trial.baseline(self.tests(stage))))
                mutant.by = self.trial.killed_by(everyone[at][1]) or ""
                if mutant.by:
                    mutant.state = "killed"
                    break
            self.restore(mutant.file)
            if mutant.state == "":
                self.judge_survivor(mutant)
            self.progress(mutant)
        for mutant in left[self.options.rebuilds:]:
            mutant.state, mutant.by = "not tried", "needs a build of its own"

    def judge_survivor(self, mutant):
        source = self.sources[mutant.file]
        if mutant.prefix and mutant.number not in self.trial.reaching:
            mutant.by = "no test reaches it"
        elif not self.options.quick and self.tree.same_code(mutant, source):
            mutant.state, mutant.by = "equivalent", "the compiler makes the same object of it"
            return
        mutant.state = "survived"
        dropped = source[mutant.start:mutant.end]
        if mutant.kind == "drop" and re.search(rb"\b(reserve|shrink_to_fit|notify_\w+|clear|log|debug|info)\(", dropped):
            mutant.suspect = "only speed, memory or a log"
        elif mutant.kind == "constant" and len(dropped) >= 3:
            mutant.suspect = "a bound or a size"
        elif mutant.kind == "drop" and dropped in (b"break", b"continue"):
            mutant.suspect = "the loop may find the same without"

    def progress(self, mutant):
        if self.options.verbose:
            say(f"  {mutant.number}/{len(self.mutants)} {mutant.file}:{mutant.line} {mutant.kind}: "
                f"{mutant.state or 'survives so far'} {mutant.by}")


def print_results(mutants, sources):
    for mutant in mutants:
        remark = f" by {mutant.by}" if mutant.state == "killed" else f" ({mutant.by})" if mutant.by else ""
        suspect = f" [suspect: {mutant.suspect}]" if mutant.suspect else ""
        print(f"{mutant.state:<10}  {mutant.file}:{mutant.line}  {mutant.kind}{remark}{suspect}")
        if mutant.state in ("survived", "not tried"):
            print(mutant.diff(sources[mutant.file]))
    count = {state: sum(m.state == state for m in mutants)
             for state in ("killed", "survived", "equivalent", "stillborn", "not tried")}
    decided = count["killed"] + count["survived"]
    score = f", score {100 * count['killed'] / decided:.0f} %" if decided else ""
    print(", ".join(f"{number} {state}" for state, number in count.items()) + score)
    return 1 if count["survived"] else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--lines", metavar="git-diff[=BASE]")
    parser.add_argument("--at", metavar="FILE:LINE", nargs="+", default=[])
    parser.add_argument("--edits", metavar="FILE")
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--each-folder", action="store_true", help="--sample is meant for each folder of the files")
    parser.add_argument("--kinds", metavar="REGEX", help="only these rules: negate, compare, drop, …")
    parser.add_argument("--tests", metavar="REGEX")
    parser.add_argument("--programs", metavar="REGEX")
    parser.add_argument("--also", metavar="REGEX")
    parser.add_argument("--near", action="store_true", help="only tests whose folder mirrors a file's: quicker, and stricter")
    parser.add_argument("--quick", action="store_true", help="do not compile survivors alone to see whether they are equivalent")
    parser.add_argument("--integration", action="store_true")
    parser.add_argument("--rebuilds", type=int, default=20, metavar="N")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", metavar="FILE", help="the results once more, for programs")
    parser.add_argument("--root", default=TOP, help="the tree (default: the script's own)")
    parser.add_argument("--work", metavar="FOLDER")
    parser.add_argument("--preset", default="ci")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    options.root = os.path.abspath(options.root)
    options.work = os.path.abspath(options.work or os.path.join(options.root, "build", "mutation"))
    match = re.fullmatch(r"git-diff(?:=(.+))?", options.lines or "git-diff")
    if not match:
        usage(f"--lines {options.lines}: git-diff or git-diff=BASE is expected")
    options.base = (match[1] or "main") if options.lines else None
    if not (options.files or options.base or options.edits or options.at):
        usage("name a file, --lines git-diff, --at FILE:LINE or --edits FILE; --help says more")
    if options.at and (options.files or options.base):
        usage("--at names its files itself; leave FILE and --lines away")
    options.at = lines_at(options.root, options.at)
    options.files = [os.path.relpath(os.path.abspath(file), options.root) for file in options.files]
    for file in [*options.files, *options.at]:
        if not os.path.isfile(os.path.join(options.root, file)) or not file.endswith((".cc", ".h")):
            usage(f"{file}: no C++ file of {options.root}")
    return options


def main():
    options = parse()
    session = Session(options)
    session.tree.sync()
    session.tree.configure()
    session.choose()
    if not session.mutants:
        say("no mutants: nothing there that the rules change")
        return 0
    if options.list:
        for mutant in session.mutants:
            print(f"{mutant.file}:{mutant.line}  {mutant.kind}")
            print(mutant.diff(session.sources[mutant.file]))
        return 0
    session.run()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump([{"file": m.file, "line": m.line, "kind": m.kind, "state": m.state, "by": m.by,
                        "suspect": m.suspect, "diff": m.diff(session.sources[m.file])} for m in session.mutants], out, indent=1)
    return print_results(session.mutants, session.sources)


if __name__ == "__main__":
    sys.exit(main())
