#!/usr/bin/env python3
"""Random fault schedules on real etcd, the controller killed (SIGKILL) in a third of them: is everything undone in time?

    fault_trial.py --ordeal build/release/ordeal --runs 200 --jobs 2 --seed 1

Each job has a local cluster of its own that outlives the runs (`ordeal nodes up`). A run plays one to three random kinds
of faults for some seconds. Then, or five seconds at most after the controller was killed at a random moment at which the
ledger says that a fault is in force, this program looks from the host, without Ordeal: at the nodes' packet filters,
mounts and queues, at what is in /var/lib/ordeal, and at each process of each node: its state, tracer, limits, control
groups, memory map and the bytes of its vDSO; after a kill also whether etcd runs on each node. After a kill `ordeal heal` must find
that nothing was in force, and once more nothing at all. Needs root. Exit code: 0 when all is well.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

FAULTS = ["partition", "kill", "pause", "restart", "crash", "slow", "files", "memory", "clock", "rolling-restart"]
WITHIN_S = 5.0  # of the controller's death


def quiet(command, timeout=30):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def vdso(process):
    """The bytes of a process's vDSO, None when it has none or has ended."""
    for line in read(f"/proc/{process}/maps").decode().splitlines():
        if not line.endswith("[vdso]"):
            continue
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        try:
            with open(f"/proc/{process}/mem", "rb") as memory:
                memory.seek(begin)
                return memory.read(end - begin)
        except OSError:
            return None
    return None


OWN_VDSO = vdso("self")


class Node:
    """A node of a local cluster, looked at from the host."""

    def __init__(self, state):
        self.name = state["name"]
        self.init = state["pid"]
        self.namespace = os.readlink(f"/proc/{self.init}/ns/pid")
        self.mounts = self.mount_table()

    def mount_table(self):
        lines = read(f"/proc/{self.init}/mountinfo").decode().splitlines()
        return sorted(" ".join(line.split()[4:6]) for line in lines)

    def processes(self):
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/ns/pid") == self.namespace:
                    yield int(name)
            except OSError:
                continue

    def wrong_of_process(self, process, etcds):
        status = read(f"/proc/{process}/status").decode()
        words = read(f"/proc/{process}/cmdline").decode(errors="replace").split("\0")
        if not status or words == [""]:
            return  # it has ended
        label = f"{self.name}: process {process} ({words[0]})"
        if re.search(r"^State:\t[Tt]", status, re.M):
            yield f"{label} is stopped"
        if not re.search(r"^TracerPid:\t0$", status, re.M):
            yield f"{label} is traced"
        if any("/var/lib/ordeal/faults" in word for word in words):
            yield f"{label} is a watchdog or an agent"
        elif not re.search(r"etcd$|sshd|^ordeal|^node-", words[0]) and process != self.init:
            yield f"{label} is a stray: {' '.join(words)[:100]}"
        if b"ordeal-" in read(f"/proc/{process}/cgroup"):
            yield f"{label} is in a control group of ours"
        if re.search(rb"r-xp 00000000 00:00 0 *$", read(f"/proc/{process}/maps"), re.M):
            yield f"{label} has a page of code from nowhere"
        if not words[0].endswith("etcd"):
            return
        etcds.append(process)
        if vdso(process) not in (OWN_VDSO, None):
            yield f"{label} has a vDSO that is not the kernel's"
        limits = read(f"/proc/{process}/limits").decode()
        for limit in ("Max open files", "Max address space"):
            found = re.search(rf"^{limit} +(\S+) +(\S+)", limits, re.M)
            if found and found[1] != found[2]:
                yield f"{label} has the limit {found[0]}"

    def wrong(self, serving):
        out = []
        etcds = []
        inside = ["nsenter", "-t", str(self.init), "-n", "-m"]
        rules = quiet(inside + ["sh", "-c", "iptables-save; ip6tables-save"])
        out += [f"{self.name}: rule {line}" for line in rules.stdout.splitlines() if "ORDEAL" in line.upper()]
        queues = quiet(inside + ["tc", "qdisc", "show"])
        out += [f"{self.name}: queue {line}" for line in queues.stdout.splitlines() if not re.search("noqueue|pfifo|fq_codel", line)]
        files = quiet(inside + ["find", "/var/lib/ordeal", "-path", "/var/lib/ordeal/etcd", "-prune", "-o", "-mindepth", "1", "-print"])
        out += [f"{self.name}: file {line}" for line in files.stdout.splitlines()]
        if self.mount_table() != self.mounts:
            out.append(f"{self.name}: mounts {set(self.mount_table()) ^ set(self.mounts)}")
        for process in self.processes():
            out += self.wrong_of_process(process, etcds)
        if serving and len(etcds) != 1:
            out.append(f"{self.name}: {len(etcds)} etcd run")
        return out


def wrong_groups():
    found = quiet(["find", "/sys/fs/cgroup", "-type", "d", "-name", "ordeal-[0-9a-f]*-[0-9]*"])
    return [f"control group {line}" for line in found.stdout.splitlines()]


class Job:
    """One cluster, and the runs on it."""

    def __init__(self, number, arguments):
        self.ordeal = os.path.abspath(arguments.ordeal)
        self.seconds = arguments.seconds
        self.directory = tempfile.mkdtemp(prefix=f"fault-trial-{number}-")
        self.environment = dict(os.environ, ORDEAL_RUNTIME_DIR=os.path.join(self.directory, "clusters"))
        up = self.command("nodes", "up", "--name", "trial", "--nodes", "local:3")
        if up.returncode != 0:
            raise RuntimeError(up.stderr)
        with open(os.path.join(self.directory, "clusters", "trial", "cluster.json"), encoding="utf-8") as file:
            self.nodes = [Node(state) for state in json.load(file)["nodes"]]

    def command(self, *words):
        return subprocess.run([self.ordeal, *words], capture_output=True, text=True, timeout=90, check=False, env=self.environment)

    def close(self):
        self.command("nodes", "down", "--name", "trial")
        quiet(["rm", "-rf", self.directory])

    def wrong(self, serving):
        return [line for node in self.nodes for line in node.wrong(serving)] + wrong_groups()

    def ledger(self, run):
        """The open entries of the run's ledger, and how many faults there ever were."""
        entries, count = {}, 0
        for line in read(os.path.join(run, "ledger.jsonl")).decode(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry["entry"] == "open":
                entries[entry["id"]] = entry["fault"]
                count += 1
            elif entry["entry"] == "close":
                entries.pop(entry["id"], None)
        return entries, count

    def run(self, seed, faults, killed):
        rng = random.Random(seed)
        store = os.path.join(self.directory, f"store-{seed}")
        chosen = faults or sorted(rng.sample(FAULTS, rng.randint(1, 3)))
        words = [
            self.ordeal, "run", "--target", "etcd", "--workload", "register", "--nemesis", ",".join(chosen), "--rate", "30",
            "--concurrency", "3", "--nodes", "ssh:" + os.path.join(self.directory, "clusters", "trial", "inventory"),
            "--time-limit", str(self.seconds), "--seed", str(seed), "--store", store, "--nemesis-interval", f"{rng.uniform(0.2, 1):.2f}",
            "--nemesis-duration", f"{rng.uniform(0.5, 4):.2f}", "--set", "nemesis.quorum=any",
        ]
        if "kill" in chosen:
            words += ["--set", f"kill.signal={rng.choice(['KILL', 'TERM', 'random'])}"]
        log = open(os.path.join(self.directory, f"log-{seed}"), "w+b")  # pylint: disable=consult-using-with
        program = subprocess.Popen(words, stdout=log, stderr=log, env=self.environment)
        out = {"seed": seed, "faults": chosen, "killed": killed, "problems": [], "in_force": [], "seconds": 0.0}
        try:
            self.follow(program, store, rng, out)
        finally:
            program.kill()
            program.wait()
        if out["problems"]:
            log.seek(0)
            out["log"] = log.read()[-3000:].decode(errors="replace")
        log.close()
        quiet(["rm", "-rf", store])
        return out

    def follow(self, program, store, rng, out):
        latest = os.path.join(store, "latest")
        delay = rng.uniform(0, 2)
        end = time.monotonic() + 60
        kill_at = None
        while program.poll() is None and time.monotonic() < end:
            if out["killed"]:
                in_force = self.ledger(latest)[0]
                if in_force and kill_at is None:
                    kill_at = time.monotonic() + delay
                # At a moment at which something is in force, if there is one within three seconds.
                if kill_at and time.monotonic() >= kill_at and (in_force or time.monotonic() > kill_at + 3):
                    out["in_force"] = sorted(in_force.values())
                    program.kill()
                    break
            time.sleep(0.01)
        died = time.monotonic()
        if program.poll() is None and not out["killed"]:
            out["problems"].append("the run did not end within 60 s")
        code = program.wait()
        out["count"] = self.ledger(latest)[1]
        if out["killed"] and code != -signal.SIGKILL:
            out["killed"] = False  # it ended before a fault was in force
        if not out["killed"] and code not in (0, 1, 2):
            out["problems"].append(f"the run ended with {code}")
        wrong = self.wrong(out["killed"])
        while wrong and out["killed"] and time.monotonic() < died + WITHIN_S + 5:
            time.sleep(0.05)
            wrong = self.wrong(out["killed"])
        out["seconds"] = time.monotonic() - died
        out["problems"] += wrong
        if out["killed"] and not wrong and out["seconds"] > WITHIN_S:
            out["problems"].append(f"it took {out['seconds']:.2f} s")
        if out["killed"]:
            self.heal(os.path.realpath(latest), out)

    def heal(self, run, out):
        first = self.command("heal", run)
        if first.returncode != 0 or re.search(r"FAILED|: undone", first.stdout):
            out["problems"].append(f"ordeal heal: {first.returncode}: {first.stdout}{first.stderr}")
        second = self.command("heal", run)
        if second.returncode != 0 or "nothing to heal" not in second.stdout:
            out["problems"].append(f"ordeal heal, once more: {second.returncode}: {second.stdout}{second.stderr}")


def play(number, arguments):
    """The runs of one job."""
    job = Job(number, arguments)
    results = []
    try:
        for index in range(number, arguments.runs, arguments.jobs):
            faults = arguments.faults.split(",") if arguments.faults else None
            result = job.run(arguments.seed * 100_000 + index, faults, index % 3 == 2 or arguments.always)
            results.append(result)
            print(json.dumps(result), flush=True)
    finally:
        job.close()
    return results


def main():
    """Plays all runs and sums up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ordeal", default="build/release/ordeal")
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=7, help="of faults in each run")
    parser.add_argument("--faults", default="", help="always these, separated by commas")
    parser.add_argument("--always", action="store_true", help="kill the controller of every run")
    arguments = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = [one for part in pool.map(lambda n: play(n, arguments), range(arguments.jobs)) for one in part]
    killed = [one for one in results if one["killed"]]
    bad = [one for one in results if one["problems"]]
    times = sorted(one["seconds"] for one in killed)
    print(json.dumps({
        "runs": len(results), "faults": sum(one["count"] for one in results), "killed": len(killed),
        "killed_with_a_fault_in_force": sum(1 for one in killed if one["in_force"]),
        "median_s": times[len(times) // 2] if times else None, "longest_s": times[-1] if times else None,
        "bad": [one["seed"] for one in bad],
    }))
    return 1 if bad or len(results) != arguments.runs else 0


if __name__ == "__main__":
    sys.exit(main())
