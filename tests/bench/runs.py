#!/usr/bin/env python3
"""How runs grow: with nodes, with workers that are programs of their own, with length. runs.md here has figures.

    runs.py nodes ORDEAL [COUNT…]       local:N with one partition: until it was injected and confirmed
    runs.py adapters ORDEAL [COUNT…]    workers of an adapter each, and of adapters that serve many
    runs.py length ORDEAL [SECONDS]     2,000 operations a second: bytes on the disk, memory, what follows the last operation

CPU is that of the controller and its children (waited for), so that a busy machine counts less; memory is the controller's own."""
import glob
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time


class Run:
    """One `ordeal run`: seconds, CPU, the lines of standard error with their times, memory over time, its directory."""

    def __init__(self, ordeal, arguments):
        self.store = tempfile.mkdtemp(prefix="ordeal-runs-")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        child = subprocess.Popen([ordeal, "run", "--store", self.store, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.memory = []
        watching = threading.Thread(target=self.watch, args=(child.pid, began), daemon=True)
        watching.start()
        self.lines = [(time.monotonic() - began, line.rstrip()) for line in child.stderr]
        self.code = child.wait()
        self.seconds = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.directory = os.path.join(self.store, "latest")

    def watch(self, pid, began):
        while True:
            try:
                with open(f"/proc/{pid}/status") as status:
                    found = re.search(r"RssAnon:\s+(\d+)", status.read())
            except OSError:
                return
            if found:
                self.memory.append((time.monotonic() - began, int(found.group(1)) / 1024))
            time.sleep(1)

    def results(self):
        with open(os.path.join(self.directory, "results.json")) as file:
            return json.load(file)

    def since(self, phase):
        """Seconds from the first line of that phase to the end."""
        times = [at for at, line in self.lines if phase in line]
        return self.seconds - times[0] if times else float("nan")

    def close(self):
        shutil.rmtree(self.store, ignore_errors=True)


def command(clients):
    return f"process.command=python3 {os.path.abspath(__file__)} adapter {clients}"


def nodes(ordeal, counts):
    print("| nodes | up, s | inject to injected, s | to confirmed, s | confirmed | CPU, s |\n|---|---|---|---|---|---|")
    for count in counts or [5, 20]:
        run = Run(ordeal, ["--target", "etcd", "--workload", "register", "--nodes", f"local:{count}", "--time-limit", "20", "--rate", "50",
                           "--nemesis", "partition", "--set", "etcd.election-ms=5000", "--concurrency", "10"])
        faults = run.results().get("faults", [])
        one = next((fault for fault in faults if fault["injected_ns"] >= 0), None)
        confirmed = sum(fault["confirmed_ns"] >= 0 for fault in faults)
        took = [(one[key] - one["inject_ns"]) / 1e9 if one and one[key] >= 0 else float("nan") for key in ("injected_ns", "confirmed_ns")]
        main = next((at for at, line in run.lines if "healing" in line), float("nan")) - 20
        print(f"| {count} | {main:.1f} | {took[0]:.2f} | {took[1]:.2f} | {confirmed} of {len(faults)} | {run.cpu:.1f} |", flush=True)
        run.close()


def adapter(clients):
    """An adapter (targets/process/PROTOCOL.md) of ids that serves so many clients, and does nothing else."""
    number = 0
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"id": request["id"], "type": "ok"}
        if request["request"] == "describe":
            reply.update(protocol=1, operations=["generate"], clients=clients)
        elif request["request"] == "invoke":
            number += 1
            reply["value"] = f"{os.getpid()}-{number}"
        print(json.dumps(reply), flush=True)


def adapters(ordeal, counts):
    print("| workers | clients an adapter | operations | CPU, s | verdict |\n|---|---|---|---|---|")
    for count in counts or [10, 100, 300]:
        for clients in (1, 50):
            run = Run(ordeal, ["--target", "process", "--workload", "unique-ids", "--concurrency", str(count), "--rate", "100", "--time-limit", "5",
                               "--set", command(clients)])
            results = run.results()
            print(f"| {count} | {clients} | {results['operations']['total']} | {run.cpu:.1f} | {results['verdict']} |", flush=True)
            run.close()


def size_of(directory):
    return sum(os.path.getsize(file) for file in glob.glob(os.path.join(directory, "history*")))


def length(ordeal, seconds):
    seconds = int(seconds[0]) if seconds else 600
    print("| keys | operations | bytes on the disk by the operation | memory at a quarter, half, the end, MB | from the last operation to the end, s |")
    print("|---|---|---|---|---|")
    for keys, settings in (("one after the other", []), ("the same all the time", ["--set", "register.operations-per-key=1000000000"])):
        run = Run(ordeal, ["--target", "memory", "--workload", "register", "--rate", "2000", "--time-limit", str(seconds), "--check-timeout", "20",
                           *settings])
        operations = run.results()["operations"]["total"]
        at = [next((mb for when, mb in run.memory if when >= seconds * part), float("nan")) for part in (0.25, 0.5, 0.98)]
        print(f"| {keys} | {operations:,} | {size_of(run.directory) / operations:.0f} | {', '.join(f'{mb:.1f}' for mb in at)} | "
              f"{run.since('healing'):.1f} |", flush=True)
        run.close()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "adapter":
        return adapter(int(sys.argv[2]))
    kinds = {"nodes": nodes, "adapters": adapters, "length": length}
    if len(sys.argv) < 3 or sys.argv[1] not in kinds:
        raise SystemExit(__doc__)
    kinds[sys.argv[1]](sys.argv[2], [int(word) for word in sys.argv[3:]])


if __name__ == "__main__":
    main()
