#!/usr/bin/env python3
"""Random fault schedules on real etcd, the controller killed (SIGKILL) in a third of them: is everything undone in time?

    fault_trial.py --ordeal build/release/ordeal --runs 200 --jobs 2 --seed 1 [--nodes docker,ssh]

Each job has a cluster of its own that outlives the runs: local nodes (`ordeal nodes up`), containers, plain machines with an
sshd (ssh: as root; sudo: as a user with sudo); or none, for containers that are made for each run (docker:3). A run plays one
to three random kinds of faults for some seconds. Then, or five seconds at most after the controller was killed at a random
moment at which the ledger says that a fault is in force, this program looks from the host, without Ordeal: at the nodes'
packet filters, mounts and queues, at what is in /var/lib/ordeal, and at each process of each node: its state, tracer, limits,
control groups, memory map and the bytes of its vDSO; after a kill also whether etcd runs on each node, unless a fault has
spoiled its data. After a kill `ordeal heal` must find that nothing was in force, and once more nothing at all. What somebody
else has put on the nodes (a rule, a mount, files, processes, one of them stopped) must stay. Of containers that are made for a
run nothing may be left. Needs root.
Exit code: 0 when all is well, 77 when there can be no such nodes here.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import machines
from machines import quiet

# What a trial cannot have, and why; all others of `ordeal list faults` are tried.
EXCLUDED = {
    "host-clock": "the nodes share their clock with this machine",
    "membership": "a node that was removed may take longer to join again than a node has to heal",
    "rolling-upgrade": "needs a second version of the target",
}
# After these etcd may rightly refuse to run.
SPOILING = {"disk", "corrupt-files"}
WITHIN_S = 5.0  # of the controller's death
SKIPPED = 77

# What somebody else has put on a node, and what looks for it.
PLANT_FOREIGN = """iptables -A INPUT -s 192.0.2.77 -j DROP
iptables -N FOREIGN
mkdir -p /var/lib/ordeal /mnt/foreign
echo mine >/var/lib/ordeal/foreign
mount -t tmpfs foreign /mnt/foreign
setsid sleep 86391 </dev/null >/dev/null 2>&1 &
until grep -q sleep /proc/$!/comm; do sleep 0.01; done
setsid sleep 86392 </dev/null >/dev/null 2>&1 &
until grep -q sleep /proc/$!/comm; do sleep 0.01; done
kill -STOP $!
until grep -q '^State:.T' /proc/$!/status; do sleep 0.01; done
"""
LOOK_FOREIGN = """iptables -S | grep -e 192.0.2.77 -e 'N FOREIGN'
cat /var/lib/ordeal/foreign
grep -c ' /mnt/foreign ' /proc/mounts
for one in /proc/[0-9]*; do
  case $(tr '\\0' ' ' 2>/dev/null <$one/cmdline) in "sleep 8639"*) sed -n 's/^State:.\\(.\\).*/\\1/p' $one/status | tr RD SS ;; esac
done | sort
"""


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
LOOK = f"""iptables-save; ip6tables-save; echo --
tc qdisc show; echo --
find /var/lib/ordeal -path /var/lib/ordeal/etcd -prune -o -mindepth 1 ! -name foreign -print; echo --
{LOOK_FOREIGN}"""


class Node:
    """A node, looked at from the host."""

    def __init__(self, state):
        self.name = state["name"]
        self.init = state["pid"]
        self.namespace = os.readlink(f"/proc/{self.init}/ns/pid")
        self.inside(PLANT_FOREIGN)
        self.foreign = self.inside(LOOK_FOREIGN)
        if len(self.foreign.split("\n")) < 6:
            raise RuntimeError(f"{self.name}: {self.foreign}")
        self.mounts = self.mount_table()
        self.known = set(self.processes())

    def inside(self, script):
        return quiet(["nsenter", "-t", str(self.init), "-n", "-m", "-p", "sh", "-c", script]).stdout

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
        if process in self.known:
            return
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
        elif not re.search(r"etcd$|sshd|^ordeal|^node-", words[0]):
            yield f"{label} is a stray: {' '.join(words)[:100]}"
        if re.search(rb"/ordeal-[0-9a-f]+-\d", read(f"/proc/{process}/cgroup")):
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
        """What is not as it should be."""
        out = []
        etcds = []
        rules, queues, files, foreign = self.inside(LOOK).split("--\n")
        out += [f"{self.name}: rule {line}" for line in rules.splitlines() if "ORDEAL" in line.upper()]
        out += [f"{self.name}: queue {line}" for line in queues.splitlines() if not re.search("noqueue|pfifo|fq_codel", line)]
        out += [f"{self.name}: file {line}" for line in files.splitlines()]
        out += [f"{self.name}: mount {line}" for line in sorted(set(self.mount_table()) ^ set(self.mounts))]
        for process in self.processes():
            out += self.wrong_of_process(process, etcds)
        if serving and len(etcds) != 1:
            out.append(f"{self.name}: {len(etcds)} etcd run")
        if foreign != self.foreign:
            out.append(f"{self.name}: what is not ours was {self.foreign.split()} and is {foreign.split()}")
        return out


def faults_of(ordeal):
    """The names of the faults to choose from."""
    listed = quiet([ordeal, "list", "faults", "--json"])
    if listed.returncode != 0:
        raise RuntimeError(f"ordeal list faults: {listed.stderr}")
    # The last entry is the schedule, which has options but is no fault.
    names = [one["name"] for one in json.loads(listed.stdout) if not one["name"].startswith("(")]
    unknown = set(EXCLUDED) - set(names)
    if unknown or not names:
        raise RuntimeError(f"no faults of these names: {sorted(unknown)} in {names}")
    return [name for name in names if name not in EXCLUDED]


class Local:
    """A local cluster that outlives the controllers that use it."""

    def __init__(self, ordeal):
        self.ordeal = ordeal
        self.directory = tempfile.mkdtemp(prefix="fault-trial-local-")
        self.environment = dict(os.environ, ORDEAL_RUNTIME_DIR=self.directory)
        self.prefix = []
        up = quiet([ordeal, "nodes", "up", "--name", "trial", "--nodes", "local:3"], env=self.environment)
        if up.returncode != 0:
            raise RuntimeError(up.stderr)
        self.nodes = "ssh:" + os.path.join(self.directory, "trial", "inventory")
        self.states = json.loads(read(os.path.join(self.directory, "trial", "cluster.json")))["nodes"]

    def wrong(self):
        return wrong_groups("/sys/fs/cgroup")

    def close(self):
        quiet([self.ordeal, "nodes", "down", "--name", "trial"], env=self.environment)
        quiet(["rm", "-rf", self.directory])


class MadeForRuns(machines.Docker):
    """Containers that are made for a run and vanish with its controller."""

    def __init__(self, specification):
        super().__init__(0)
        self.specification = specification
        self.before = self.traces()

    @property
    def nodes(self):
        return self.specification

    def traces(self):
        """What containers leave on their host, but for the daemon's own."""
        inside = ["nsenter", f"--net={self.namespace}", f"--mount=/proc/{self.host}/ns/mnt", "sh", "-c"]
        look = "ip -o link | cut -d: -f2; iptables-save; cut -d' ' -f5- /proc/1/mountinfo"
        lines = quiet(inside + [look]).stdout.replace("[0:0]", "").splitlines()
        lines += [line for folder in self.group_folders() for line, _, _ in os.walk(folder)]
        lines += self.docker("ps", "-a", "--format", "container {{.Names}}").stdout.splitlines()
        lines += self.docker("network", "ls", "--format", "network {{.Name}}").stdout.splitlines()
        return sorted(re.sub(r"\[\d+:\d+\]", "", line) for line in lines if not line.startswith("#"))

    def wrong(self):
        return sorted(set(self.traces()) ^ set(self.before))


def wrong_groups(*folders):
    found = quiet(["find", *folders, "-type", "d", "-name", "ordeal-[0-9a-f]*-[0-9]*"]) if folders else None
    return [f"control group {line}" for line in found.stdout.splitlines()] if found else []


def make_cluster(kind, ordeal):
    if kind == "local":
        return Local(ordeal)
    if kind.startswith("docker:"):
        return MadeForRuns(kind)
    if kind == "docker":
        return machines.Containers(3)
    return machines.PlainMachines(3, {"ssh": "root", "sudo": "ops"}[kind])


class Job:
    """One cluster, and the runs on it."""

    def __init__(self, number, arguments):
        self.ordeal = os.path.abspath(arguments.ordeal)
        self.faults = faults_of(self.ordeal)
        self.seconds = arguments.seconds
        self.directory = tempfile.mkdtemp(prefix=f"fault-trial-{number}-")
        self.kind = arguments.nodes.split(",")[number % len(arguments.nodes.split(","))]
        self.cluster = make_cluster(self.kind, self.ordeal)
        self.environment = self.cluster.environment
        try:
            self.nodes = [Node(state) for state in self.cluster.states]
        except BaseException:
            self.close()
            raise

    def command(self, *words):
        return quiet([*self.cluster.prefix, self.ordeal, *words], timeout=90, env=self.environment)

    def close(self):
        self.cluster.close()
        quiet(["rm", "-rf", self.directory])

    def wrong(self, serving):
        found = [line for node in self.nodes for line in node.wrong(serving)]
        if isinstance(self.cluster, (Local, MadeForRuns)):
            return found + self.cluster.wrong()
        return found + wrong_groups(*self.cluster.group_folders())

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
        chosen = faults or sorted(rng.sample(self.faults, rng.randint(1, 3)))
        words = [
            *self.cluster.prefix, self.ordeal, "run", "--target", "etcd", "--workload", "register", "--nemesis", ",".join(chosen), "--rate", "30",
            "--concurrency", "3", "--nodes", self.cluster.nodes,
            "--time-limit", str(self.seconds), "--seed", str(seed), "--store", store, "--nemesis-interval", f"{rng.uniform(0.2, 1):.2f}",
            "--nemesis-duration", f"{rng.uniform(0.5, 4):.2f}", "--set", "nemesis.quorum=any",
        ]
        if "kill" in chosen:
            words += ["--set", f"kill.signal={rng.choice(['KILL', 'TERM', 'random'])}"]
        log = open(os.path.join(self.directory, f"log-{seed}"), "w+b")  # pylint: disable=consult-using-with
        program = subprocess.Popen(words, stdout=log, stderr=log, env=self.environment)
        out = {"seed": seed, "nodes": self.kind, "faults": chosen, "killed": killed, "problems": [], "in_force": [], "seconds": 0.0}
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
                # The file system that faults of disks need is there from the beginning.
                in_force = {one: fault for one, fault in self.ledger(latest)[0].items() if not one.endswith("-disk")}
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
        serving = out["killed"] and not SPOILING & set(out["faults"])
        wrong = self.wrong(serving)
        looked = late = died
        while wrong and out["killed"] and looked < died + WITHIN_S + 5:
            time.sleep(0.05)
            late, looked = looked, time.monotonic()
            wrong = self.wrong(serving)
        # A look takes its time, seconds on a busy machine: what was found still there by one that began at `late` was gone
        # for one that began at `looked`.
        out["seconds"] = looked - died
        out["problems"] += wrong
        if out["killed"] and not wrong and late - died > WITHIN_S:
            out["problems"].append(f"it took between {late - died:.2f} and {looked - died:.2f} s")
        if out["killed"]:
            self.heal(os.path.realpath(latest), out)

    def heal(self, run, out):
        healed = "nothing was in force|the node was made for the run"
        first = self.command("heal", run)
        wrong = [line for line in first.stdout.splitlines() if not re.search(healed, line)]
        if first.returncode != 0 or (wrong and wrong != ["nothing to heal: no fault is in force"]):
            out["problems"].append(f"ordeal heal: {first.returncode}: {first.stdout}{first.stderr}")
        again = [["heal", run]] if isinstance(self.cluster, MadeForRuns) else [["heal", run], ["heal", "--nodes", self.cluster.nodes]]
        for words in again:
            second = self.command(*words)
            if not isinstance(self.cluster, MadeForRuns) and (second.returncode != 0 or "nothing to heal" not in second.stdout):
                out["problems"].append(f"ordeal {' '.join(words)}, once more: {second.returncode}: {second.stdout}{second.stderr}")


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
    parser.add_argument("--nodes", default="local", help="of the jobs in turn: local, docker, docker:N, ssh, sudo")
    parser.add_argument("--faults", default="", help="always these, separated by commas")
    parser.add_argument("--always", action="store_true", help="kill the controller of every run")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: nodes for trials need root")
        return SKIPPED
    if "docker" in arguments.nodes and not (shutil.which("dockerd") and shutil.which("docker")):
        print("SKIPPED: containers need dockerd and docker (packages docker.io)")
        return SKIPPED
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
