"""What is tried on the machines. Each case is a function of a Bench and yields what is wrong.

Ordeal does the fault; what is seen here is seen without it: by SSH of our own, or on the machine's console when it has none.
"""

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import threading
import time

from machines import command

# Machines that are emulated, perhaps on a busy machine: each step has minutes, and etcd does not vote all the time.
SLOWLY = ["etcd.heartbeat-ms=500", "etcd.election-ms=5000", "nemesis.patience=12"]
CLOCK_SLACK_S = 0.15  # beyond what reading may be wrong by
HOUR_NS = 3_600_000_000_000


class Run:
    """A run of `ordeal run` on all machines, and what was seen of them meanwhile."""

    def __init__(self, bench, nemesis, settings=(), seconds=15, stay=4, dead_man=60):
        self.bench = bench
        self.store = os.path.join(bench.folder, f"store-{bench.next_number()}")
        words = [bench.ordeal, "run", "--target", "etcd", "--workload", "register", "--nodes", "ssh:" + bench.machines.inventory, "--rate", "4",
                 "--concurrency", "2", "--op-timeout", "10", "--recovery", "120", "--nemesis", nemesis, "--time-limit", str(seconds),
                 "--nemesis-interval", "1", "--nemesis-duration", str(stay), "--store", self.store, "--json",
                 # So few operations that perhaps none would find the value that it compares with.
                 "--set", "register.cas=0"]
        for setting in [*SLOWLY, f"nemesis.dead-man={dead_man}", *settings]:
            words += ["--set", setting]
        self.output = open(self.store + ".out", "w+", encoding="utf-8")  # pylint: disable=consult-using-with
        self.log = open(self.store + ".log", "w+", encoding="utf-8")  # pylint: disable=consult-using-with
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.log, env=bench.environment)

    @property
    def directory(self):
        return os.path.realpath(os.path.join(self.store, "latest"))

    def events(self):
        """What the nemesis has written to the history so far."""
        try:
            with open(os.path.join(self.directory, "history.jsonl"), encoding="utf-8") as file:
                lines = [line for line in file if '"process":"nemesis"' in line and line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def steps(self, step):
        """The faults that came to that step."""
        return [event["f"] for event in self.events() if event["value"].get("step") == step]

    def wait_for(self, what, timeout=300):
        """Until what() is true."""
        deadline = time.monotonic() + timeout
        while not what():
            if self.process.poll() is not None:
                raise RuntimeError(f"the run has ended with {self.process.returncode} too early: {self.said()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited for {timeout} s: {self.said()}")
            time.sleep(0.1)

    def said(self):
        self.log.seek(0)
        return self.log.read()[-2000:]

    def end(self, timeout=600):
        """Its results."""
        self.process.wait(timeout=timeout)
        self.output.seek(0)
        text = self.output.read()
        return json.loads(text) if text.strip() else {"verdict": "none", "reason": self.said(), "faults": []}

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)


def wrong_results(results, faults):
    """A verdict that is no `valid`, and faults that were not proven, or not seen to be healed."""
    if results["verdict"] != "valid":
        yield f"the verdict is {results['verdict']}: {results.get('reason', results.get('summary'))}"
    for name in faults:
        if not any(one["fault"] == name for one in results["faults"]):
            yield f"{name} was never planned"
    for one in results["faults"]:
        if one["inject_ns"] >= 0 and not (one["confirmed"] and one["heal_confirmed"] and not one["error"]):
            yield f"{one['fault']}: {json.dumps({key: one[key] for key in ('evidence', 'heal_evidence', 'error', 'description')})}"
        elif one["inject_ns"] < 0 and one["error"]:
            yield f"{one['fault']}: {one['error']}"
    if not any(one["confirmed"] for one in results["faults"]):
        yield "no fault was confirmed"


@contextlib.contextmanager
def watching(look, every=2.0):
    """What look() returned, again and again while the block runs."""
    seen, done = [], threading.Event()

    def watch():
        while not done.wait(every):
            try:
                seen.append(look())
            except (OSError, RuntimeError, subprocess.SubprocessError, ValueError):
                continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join(timeout=120)


def agent_on(machine, bench):
    """Puts the agent on a machine, for what is tried without a controller."""
    with open(bench.agent, "rb") as file:
        subprocess.run([*machine.ssh_words, "cat >/root/agent && chmod 755 /root/agent"], stdin=file, timeout=120, check=True)


def host_clock_kinds(bench):
    """The agent makes a clock wrong in each way and right again; also when it is killed meanwhile."""
    machine = bench.machines[0]
    agent_on(machine, bench)
    usual = machine.offset_s()[0]

    def off():
        shown, error = machine.offset_s()
        return shown - usual, error + CLOCK_SLACK_S

    def start(*words):
        machine.run("rm -rf /root/fault; mkdir /root/fault; /root/agent host-clock start /root/fault " + " ".join(map(str, words)))

    def undo():
        machine.run("/root/agent host-clock undo /root/fault && /root/agent host-clock undo /root/fault")
        now, error = off()
        if abs(now) > error:
            yield f"after it was undone the clock is off by {now:.3f} s"
        if machine.run("ps ax | grep '[a]gent host-clock' || :"):
            yield "an agent still runs"

    for ns in (HOUR_NS, -24 * HOUR_NS):
        start(0, 0, 0, ns)
        now, error = off()
        if abs(now - ns / 1e9) > error:
            yield f"offset: off by {now:.3f} s instead of {ns / 1e9}"
        yield from undo()
    start(100_000, 0, 0, 0)
    first, began = off()[0], time.monotonic()
    time.sleep(6)
    (last, error), passed = off(), time.monotonic() - began
    if abs(last - first - 0.1 * passed) > 0.02 * passed + error:
        yield f"drift: it gained {last - first:.3f} s in {passed:.1f} s instead of a tenth"
    yield from undo()
    start(0, 0, 1, 0)
    shown = machine.run("date +%s.%N; sleep 3; date +%s.%N").split()
    if abs(float(shown[1]) - float(shown[0])) > 0.5:
        yield f"freeze: it moved from {shown[0]} to {shown[1]} in 3 s"
    yield from undo()
    start(0, 1_000_000_000, 0, "-100000000000,0")
    seen = {round(off()[0], -1) for _ in range(12)}
    if seen != {0, -100}:
        yield f"strobe: {seen}"
    machine.run("kill -9 $(cut -d' ' -f1 /root/fault/background)")
    yield from undo()
    machine.run("rm -rf /root/fault /root/agent")


def host_clock(bench, kind, setting, least_s):
    """The clock of n1 by `ordeal run` over SSH; those of the others stay right."""
    usual = [machine.offset_s()[0] for machine in bench.machines]
    run = Run(bench, "host-clock", ["host-clock.own=true", "host-clock.nodes=n1", f"host-clock.kind={kind}", setting], seconds=14, stay=6)
    with watching(lambda: [machine.offset_s() for machine in bench.machines]) as seen:
        results = run.end()
    yield from wrong_results(results, ["host-clock"])
    off = [max((abs(one[i][0] - usual[i]) - one[i][1] for one in seen), default=0) for i in range(len(usual))]
    if off[0] < least_s:
        yield f"the clock of n1 was never seen further off than {off[0]:.3f} s"
    yield from (f"the clock of n{i + 1} was off by {off[i]:.3f} s" for i in range(1, len(usual)) if off[i] > CLOCK_SLACK_S)
    for i, machine in enumerate(bench.machines):
        shown, error = machine.offset_s()
        if abs(shown - usual[i]) > error + CLOCK_SLACK_S:
            yield f"afterwards the clock of {machine.name} is off by {shown - usual[i]:.3f} s"


def connect_s(machine, address):
    """How long a connection from one machine to another's sshd takes."""
    shown = machine.run(f"bash -c 'a=$(date +%s%N); exec 3<>/dev/tcp/{address}/22; b=$(date +%s%N); echo $((b-a))'")
    return float(shown) / 1e9


PACKET_FAULTS = {"latency": ["latency.delay=300ms", "latency.jitter=50ms"], "loss": ["loss.percent=30"], "duplicate": ["duplicate.percent=40"],
                 "reorder": ["reorder.percent=40"], "corrupt": ["corrupt.percent=20"], "bandwidth": ["bandwidth.rate=500"]}


def netem(bench, fault):
    """By the kernel by default, on the links meant only."""
    kind = "tbf" if fault == "bandwidth" else "netem"
    run = Run(bench, fault, [*PACKET_FAULTS[fault], f"{fault}.nodes=n1"], seconds=14)
    sender, other = bench.machines[0], bench.machines[1]

    def look():
        queues = sender.run("tc qdisc show dev eth0")
        return queues, connect_s(sender, other.ipv4) if fault == "latency" and kind in queues else None

    with watching(look) as seen:
        results = run.end()
    yield from wrong_results(results, [fault])
    for one in results["faults"]:
        if one["description"] and one["description"].get("mechanism") != kind:
            yield f"by {one['description']}"
        bench.note(one["evidence"])
    if not any(f"qdisc {kind} " in queues and "qdisc prio " in queues for queues, _ in seen):
        yield f"no {kind} was ever seen on n1: {seen[-1:]}"
    if fault == "latency" and not any(late and late > 0.4 for _, late in seen):
        yield f"connections took {[late for _, late in seen]}"


def netem_not_there(bench):
    """(b) A queue of somebody's making is left alone, and the agent does it; whoever insists on netem is refused."""
    machine = bench.machines[1]
    machine.run("tc qdisc add dev eth0 root handle 7: pfifo limit 777")
    try:
        results = Run(bench, "loss", ["loss.percent=30", "loss.nodes=n1"], seconds=14).end()
        yield from wrong_results(results, ["loss"])
        for one in results["faults"]:
            if one["description"] and "somebody's making" not in one["description"].get("not_netem", ""):
                yield f"by {one['description']}"
        results = Run(bench, "loss", ["loss.nodes=n1", "loss.mechanism=netem"], seconds=8).end()
        if not any("not by netem: n2: device eth0 has a queue" in one["error"] for one in results["faults"]):
            yield f"it was not refused: {results['faults']}"
        if "qdisc pfifo 7: " not in machine.run("tc qdisc show dev eth0"):
            yield "the queue is gone"
    finally:
        machine.run("tc qdisc del dev eth0 root")


def in_force(machine):
    return machine.run("ls /var/lib/ordeal/faults 2>/dev/null || :").split()


def heal(bench, *words):
    done = command(bench.ordeal, "heal", *words, "--json", timeout=300, check=False, env=bench.environment)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip().startswith("{") else {"steps": [], "text": done.stdout + done.stderr}


def own_things(machine):
    """What is not Ordeal's, and must stay."""
    return machine.run("iptables-save | grep OWN; cat /var/lib/own /var/lib/ordeal-own; ls /var/lib | grep -vx ordeal")


def crash_everything(bench, by_run):
    """A machine and the controller crash while faults are in force; a new process heals what is left."""
    first, second = bench.machines[0], bench.machines[1]
    second.run("iptables -A INPUT -p udp --dport 9 -m comment --comment OWN -j DROP")
    for machine in (first, second):
        machine.run("echo own >/var/lib/own; echo own >/var/lib/ordeal-own; sync")
    usual = second.offset_s()[0]
    timeline = [{"at": 1, "fault": "partition", "shape": "halves", "duration": 900},
                {"at": 20, "fault": "host-clock", "kind": "offset", "offset": 900.0, "nodes": "n1,n2", "duration": 900}]
    run = Run(bench, "partition,host-clock", ["host-clock.own=true", "nemesis.quorum=any", "nemesis.timeline=" + json.dumps(timeline)],
              seconds=900, stay=900, dead_man=3600)
    run.wait_for(lambda: len(run.steps("confirmed")) + len(run.steps("unconfirmed")) + len(run.steps("error")) >= 2)
    left = in_force(first)
    if len(left) != 2:
        yield f"in force on n1: {left}"
    run.kill()
    first.crash()
    after = in_force(first)
    if sorted(after) != sorted(left):
        yield f"on n1 was {left}, and after the crash there is {after}"
    for one in after:
        if "Ordeal, fault" not in first.run(f"cat /var/lib/ordeal/faults/{one}/undo.sh || :"):
            yield f"the undo script of {one} did not survive the crash"
    if "ORDEAL" in first.run("iptables-save"):
        yield "a rule survived the crash"
    own = [own_things(first), own_things(second)]
    if "ORDEAL" not in second.run("iptables-save"):
        yield "nothing was in force on n2 any more"
    words = [run.directory] if by_run else ["--nodes", "ssh:" + bench.machines.inventory]
    code, said = heal(bench, *words)
    undone = [step for step in said["steps"] if step["done"] and step["message"] == "undone"]
    if code != 0 or len([step for step in undone if step["node"] == "n1"]) != 2:
        yield f"ordeal heal: {code}: {said}"
    code, said = heal(bench, *words)
    if code != 0 or said["steps"]:
        yield f"ordeal heal, once more: {code}: {said}"
    if not by_run:  # the ledger does not know that the nodes were healed
        code, said = heal(bench, run.directory)
        if code != 0 or any(step["message"] == "undone" for step in said["steps"]):
            yield f"ordeal heal of the run: {code}: {said}"
    if [own_things(first), own_things(second)] != own or "OWN" not in own[1]:
        yield f"something of somebody's making was changed: {own}"
    now, error = second.offset_s()
    if abs(now - usual) > error + CLOCK_SLACK_S:
        yield f"the clock of n2 is off by {now - usual:.3f} s"
    now, error = first.offset_s()
    if abs(now) > 30:  # its battery clock has whole seconds, and it has just started
        yield f"the clock of n1 is off by {now:.3f} s"
    second.run("iptables -D INPUT -p udp --dport 9 -m comment --comment OWN -j DROP")
    for machine in (first, second):
        machine.run("rm -f /var/lib/own /var/lib/ordeal-own")


def crash_and_heal_run(bench):
    """(c) `ordeal heal RUN` after the crash of a machine and of the controller."""
    yield from crash_everything(bench, True)


def crash_and_heal_nodes(bench):
    """(c) The same without the ledger: `ordeal heal --nodes`."""
    yield from crash_everything(bench, False)


def crash_under_controller(bench):
    """(c) A machine crashes while a fault is in force, and the controller lives: it heals when the machine is back."""
    run = Run(bench, "partition", ["partition.shape=one", "partition.direction=one-way"], seconds=40, stay=15)
    run.wait_for(lambda: run.steps("confirmed") or run.steps("unconfirmed"))
    bench.machines[0].crash()
    results = run.end()
    for one in results["faults"]:
        if one["inject_ns"] >= 0 and one["healed_ns"] < 0:
            yield f"not healed: {one}"
    code, said = heal(bench, run.directory)
    if code != 0 or said["steps"]:
        yield f"something was left in the ledger: {code}: {said}"


def sshd_is_killed(bench):
    """(d) Nobody reaches a machine any more while a fault is in force: it heals itself, and the controller goes on."""
    machine = bench.machines[0]
    run = Run(bench, "partition", ["partition.shape=halves", "nemesis.quorum=any"], seconds=75, stay=60, dead_man=8)
    run.wait_for(lambda: run.steps("confirmed") or run.steps("unconfirmed"))
    bench.note(f"in force on n1: {in_force(machine)}, rules: {machine.run('iptables-save | grep -c ORDEAL || :').strip()}")
    started = len(machine.said())
    # Its own eyes: how many rules of ours there are, every half second, on the console.
    machine.run("""cat >/root/look <<'END'
kill -9 $(ps axo pid,args | sed -n 's/^ *\\([0-9]*\\) sshd:.*/\\1/p')
for i in $(seq 40); do
  read -r up rest </proc/uptime
  echo "LOOK $up $(iptables-save | grep -c ORDEAL) $(ls /var/lib/ordeal/faults 2>/dev/null | wc -l)" >/dev/console
  sleep 0.5
done
/usr/sbin/sshd
END
setsid sh /root/look >/dev/null 2>&1 </dev/null &""")
    machine.forget()
    deadline = time.monotonic() + 180
    while "LOOK" not in machine.said()[started:] and time.monotonic() < deadline:
        time.sleep(0.1)
    results = run.end()
    looks = [[float(word) for word in line.split()[1:]] for line in machine.said()[started:].splitlines() if line.startswith("LOOK ")]
    healed = [look[0] for look in looks if look[1] == 0 and look[2] == 0]
    if not looks or looks[0][1] == 0:
        yield f"no fault was in force when sshd was killed: {looks}"
    elif not healed:
        yield f"it did not heal itself: {looks}"
    elif healed[0] - looks[0][0] > 25:
        yield f"it healed itself after {healed[0] - looks[0][0]:.1f} s"
    if not any("undone before its time" in one.get("lifted", "") for one in results["faults"]):
        yield f"the record does not say that it was undone before its time: {[one.get('lifted') for one in results['faults']]}"
    code, said = heal(bench, run.directory)
    if code != 0 or any(step["message"] == "undone" for step in said["steps"]):
        yield f"ordeal heal: {code}: {said}"
    machine.run("rm -f /root/look")


def fault_on_etcd(bench, fault):
    """One fault on etcd, on machines with a disk, a freezer and processes of their own."""
    results = Run(bench, fault, seconds=14).end()
    yield from wrong_results(results, [fault])
    mechanism = next((one["description"].get("mechanism", "") for one in results["faults"] if one["description"]), "")
    bench.note(f"{len(results['faults'])} times, by {mechanism or 'its only mechanism'}")
    if fault == "pause" and "group" not in mechanism:
        yield f"by {mechanism}, and there is a freezer"


# By name: what it is, and the function.
CASES = {
    "host-clock-kinds": (host_clock_kinds.__doc__, host_clock_kinds),
    "host-clock-offset": ("(a) " + host_clock.__doc__, lambda bench: host_clock(bench, "offset", "host-clock.offset=-1800", 1700)),
    "host-clock-drift": ("(a) " + host_clock.__doc__, lambda bench: host_clock(bench, "drift", "host-clock.drift=8", 0.2)),
    **{f"netem-{fault}": (f"(b) {fault}: {netem.__doc__}", functools.partial(netem, fault=fault)) for fault in PACKET_FAULTS},
    "netem-not-there": (netem_not_there.__doc__, netem_not_there),
    "crash-heal-run": (crash_and_heal_run.__doc__, crash_and_heal_run),
    "crash-heal-nodes": (crash_and_heal_nodes.__doc__, crash_and_heal_nodes),
    "crash-controller-lives": (crash_under_controller.__doc__, crash_under_controller),
    "sshd-killed": (sshd_is_killed.__doc__, sshd_is_killed),
    **{f"etcd-{fault}": (f"(e) {fault_on_etcd.__doc__}", functools.partial(fault_on_etcd, fault=fault))
       for fault in ("kill", "pause", "slow", "partition", "clock", "power-loss", "disk")},
}


def left_behind(machine):
    """What a case left on a machine, of Ordeal's."""
    shown = machine.run("iptables-save; ip6tables-save; tc qdisc show; ls /var/lib/ordeal/faults 2>&1; ls -d /sys/fs/cgroup/ordeal* 2>&1; mount; ps axo args")
    for line in shown.splitlines():
        if re.search(r"ORDEAL|qdisc (prio|netem|tbf)|fuse\.ordeal|ordeal-disk|watchdog\.sh|/var/lib/ordeal/faults/\S|^/sys/fs/cgroup/ordeal", line) and \
                "cannot access" not in line and "ps axo" not in line:
            yield f"left on {machine.name}: {line}"
