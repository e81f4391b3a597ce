#!/usr/bin/env python3
"""CPU of the controller by the client operation on etcd, beside loops that do nothing else: overhead.md here.

    overhead.py --loop build/bench/bin/etcd_loop --ordeal after=build/ci/ordeal [--ordeal before=FILE]…

Everything is run in turn, --runs times, so that a busy moment hits all; figures are medians. The CPU is that of the
process alone, its nodes and etcd not included, and of the main phase alone: read from /proc twice while it lasts."""
import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def newest_history(store):
    for folder, _, files in os.walk(store):
        if "history.jsonl" in files:
            return os.path.join(folder, "history.jsonl")
    return None


def completions(path):
    """Client operations that are over, in a journal that is being written."""
    with open(path, "rb") as file:
        data = file.read()
    return sum(data.count(b'"type":"%s"' % kind) for kind in (b"ok", b"fail", b"info"))


def run(ordeal, rate, seconds, workers):
    """(CPU microseconds an operation, operations a second) of `ordeal run` on one local etcd."""
    store = tempfile.mkdtemp(prefix="ordeal-overhead-")
    child = subprocess.Popen([ordeal, "run", "--target", "etcd", "--workload", "register", "--nodes", "local:1", "--rate", str(rate),
                              "--concurrency", str(workers), "--time-limit", str(seconds + 3), "--store", store],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 60
        while True:
            path = newest_history(store)
            if path and completions(path) > 100:
                break
            if time.monotonic() > limit or child.poll() is not None:
                raise SystemExit(f"{ordeal}: no operation within a minute")
            time.sleep(0.1)
        before, first, began = cpu_of(child.pid), completions(path), time.monotonic()
        time.sleep(seconds)
        after, last, ended = cpu_of(child.pid), completions(path), time.monotonic()
        return (after - before) * 1e6 / (last - first), (last - first) / (ended - began)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()
        shutil.rmtree(store)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Etcd:
    """One member on loopback."""

    def __enter__(self):
        self.data = tempfile.mkdtemp(prefix="ordeal-etcd-")
        client, peer = free_port(), free_port()
        self.url = f"http://127.0.0.1:{client}"
        self.child = subprocess.Popen(["etcd", "--data-dir", self.data, "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
                                       "--listen-peer-urls", f"http://127.0.0.1:{peer}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            try:
                socket.create_connection(("127.0.0.1", client), 1).close()
                time.sleep(2)  # until it has a leader
                return self
            except OSError:
                time.sleep(0.1)
        raise SystemExit("etcd does not serve")

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        shutil.rmtree(self.data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", required=True)
    parser.add_argument("--ordeal", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--rate", action="append", type=int, default=[], help="0: full speed; may be given several times")
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    seen = {}
    for _ in range(options.runs):
        for rate in options.rate or [0, 1000]:
            speed = f"{rate} a second" if rate else "full speed"
            for mode in ("raw", "session", "curl"):
                with Etcd() as etcd:
                    done = subprocess.run([options.loop, mode, str(options.workers), str(options.seconds), str(rate), etcd.url],
                                          capture_output=True, text=True)
                if done.returncode == 0:
                    _, count, cost = done.stdout.split()
                    seen.setdefault(f"loop, {mode}, {speed}", []).append((float(cost), int(count) / options.seconds))
            for given in options.ordeal:
                name, _, file = given.partition("=")
                found = run(file, rate, options.seconds, options.workers)
                seen.setdefault(f"ordeal run, {name}, {speed}", []).append(found)
    print("| | CPU µs an operation | operations a second |\n|---|---|---|")
    for name, figures in seen.items():
        print(f"| {name} | {statistics.median(f[0] for f in figures):.1f} | {statistics.median(f[1] for f in figures):,.0f} |")


if __name__ == "__main__":
    main()
