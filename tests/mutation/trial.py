"""The tests that see a mutant, and what they say of it."""

import json
import os
import re
import signal
import subprocess
import time

from tree import MEMORY, MEMORY_OF_DATABASES, child_setup

# A mutant is killed by time when a test takes this many times as long as without it, and at least this many seconds.
TIMES, SECONDS = 5, 10


class Test:
    def __init__(self, entry, build):
        self.name = entry["name"]
        self.command = entry.get("command", [])
        properties = {p["name"]: p["value"] for p in entry.get("properties", [])}
        self.labels = properties.get("LABELS", [])
        self.timeout = float(properties.get("TIMEOUT", 120))
        self.folder = properties.get("WORKING_DIRECTORY", build)
        self.skipped = properties.get("SKIP_RETURN_CODE", -1)
        self.environment = dict(e.split("=", 1) for e in properties.get("ENVIRONMENT", []))
        self.memory = MEMORY_OF_DATABASES if "integration" in self.labels else MEMORY
        self.seconds = 0.0
        self.filter = next((w[len("--gtest_filter="):] for w in self.command if w.startswith("--gtest_filter=")), None)


def tests_of(tree, programs):
    """The tests that CTest has whose command names one of the programs."""
    done = subprocess.run(["ctest", "--test-dir", tree.build, "--show-only=json-v1"], capture_output=True, text=True,
                          check=True, preexec_fn=child_setup())
    paths = {os.path.join(tree.build, program) for program in programs}
    found = [Test(entry, tree.build) for entry in json.loads(done.stdout)["tests"]]
    return [test for test in found if test.command and paths & set(test.command)]


def run(command, folder, environment, timeout, memory=MEMORY):
    """(exit code, output), or (None, output) at the time-out. The whole group of processes ends with it."""
    with open(os.devnull) as nothing:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=nothing, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=child_setup(memory))
    try:
        out = process.communicate(timeout=timeout)[0]
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, code = process.communicate()[0], None
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind
    except ProcessLookupError:
        pass
    return code, out.decode(errors="replace")


class Trial:
    """Runs tests with and without mutants; remembers which mutants each test reaches."""

    def __init__(self, tree, work, say):
        self.tree, self.say = tree, say
        self.trace = os.path.join(work, "reached")
        self.reaching = {}  # number of a mutant -> tests
        shared = os.path.join(work, "shared", "data")
        self.environment = dict(os.environ)
        if os.path.isdir(shared):
            self.environment.setdefault("ORDEAL_SHARED_DATA", shared)

    def baseline(self, tests):
        """Each test once, unchanged; those that fail take no part. Returns the tests that take part."""
        good = []
        for test in tests:
            if os.path.exists(self.trace):
                os.remove(self.trace)
            begun = time.monotonic()
            code, out = run(test.command, test.folder, {**self.environment, **test.environment,
                                                        "ORDEAL_MUTANT_TRACE": self.trace}, test.timeout, test.memory)
            test.seconds = time.monotonic() - begun
            if code not in (0, test.skipped):
                self.say(f"left out, since it fails without a change: {test.name}")
                continue
            reached = set()
            if os.path.exists(self.trace):
                with open(self.trace, encoding="utf-8") as file:
                    reached = {int(line) for line in file.read().split()}
            for number in reached:
                self.reaching.setdefault(number, []).append(test)
            good.append(test)
        return good

    def batches(self, tests, slow=2.0):
        """Tests of one program in one process, fast ones first: slow ones come one by one at the end."""
        groups = {}
        late = []
        for test in sorted(tests, key=lambda t: t.seconds):
            if test.filter is None or test.seconds > slow:
                late.append([test])
            else:
                groups.setdefault(test.command[0], []).append(test)
        out = [group[at:at + 200] for group in groups.values() for at in range(0, len(group), 200)]
        return sorted(out, key=lambda g: sum(t.seconds for t in g)) + late

    def killed_by(self, tests, number=None):
        """The name of a test that fails, or None. `number`: the mutant chosen, of those compiled in."""
        for group in self.batches(tests):
            first = group[0]
            command = first.command
            if first.filter is not None:
                command = [first.command[0], "--gtest_filter=" + ":".join(t.filter for t in group), "--gtest_fail_fast",
                           "--gtest_also_run_disabled_tests"]
            environment = {**self.environment, **first.environment}
            if number is not None:
                environment["ORDEAL_MUTANT"] = str(number)
            timeout = max(SECONDS, TIMES * sum(test.seconds for test in group))
            code, out = run(command, first.folder, environment, timeout, first.memory)
            program = first.name.split("/")[0] if first.filter is not None else first.name
            if code is None:
                started = re.findall(r"^\[ RUN      \] (\S+)", out, re.M)
                return f"time-out in {program}" + (f"/{started[-1]}" if started else "")
            if code not in (0, first.skipped):
                failed = re.findall(r"^\[  FAILED  \] ([^\s,]+)", out, re.M)
                started = re.findall(r"^\[ RUN      \] (\S+)", out, re.M)
                if first.filter is None:
                    return program
                last = ([line for line in out.splitlines() if line.strip()] or [""])[-1]
                return f"{program}/{failed[0]}" if failed else f"{program}/{started[-1] if started else '?'} (crash: {last[:120]})"
        return None
