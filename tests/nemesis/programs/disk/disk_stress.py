#!/usr/bin/env python3
"""The FUSE disk under many processes, faults and power failures at once: it answers until the end, and what everybody saw is what
remains when it is taken away. In a sanitized build the disk is sanitized, too, and must have nothing to complain of.

    disk_stress.py --disk build/release/nemesis/programs/disk/ordeal-disk --seconds 20 --seed 1

Needs root and /dev/fuse; mounts in a namespace of its own. Exit code: 0 when all is well, 77 when it cannot be tried here.
"""

import argparse
import glob
import hashlib
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time

KINDS = ["read-error", "write-error", "sync-error", "sync-lost", "slow-sync", "slow", "no-space", "corrupt-read"]
WORKERS = 6


def operate(rng, folder):
    """One operation, whatever comes of it."""
    path, other = (f"{folder}/f{rng.randrange(8)}" for _ in range(2))
    kind = rng.randrange(12)
    if kind < 4:
        flags = os.O_RDWR | os.O_CREAT | rng.choice([0, 0, 0, os.O_TRUNC, os.O_DSYNC])
        file = os.open(path, flags, 0o644)
        try:
            os.pwrite(file, rng.randbytes(rng.randrange(1, 20000)), rng.randrange(30000))
            if rng.random() < 0.4:
                os.fsync(file)
            os.pread(file, 10000, rng.randrange(10000))
            if rng.random() < 0.2:
                os.ftruncate(file, rng.randrange(20000))
            if rng.random() < 0.1:
                os.posix_fallocate(file, 0, rng.randrange(1, 30000))
        finally:
            os.close(file)
    elif kind == 4:
        os.rename(path, other)
    elif kind == 5:
        os.unlink(path)
    elif kind == 6:
        for name in os.listdir(folder):
            os.stat(os.path.join(folder, name))
    elif kind == 7:
        os.link(path, other)
    elif kind == 8:
        os.symlink("f0", f"{folder}/s{rng.randrange(3)}")
    elif kind == 9:
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    elif kind == 10:
        os.chmod(path, 0o600)
        os.utime(path)
    else:
        os.statvfs(folder)


def work(data, number, seed, until):
    """Half of the workers share a folder, the others have one each."""
    rng = random.Random(seed * 100 + number)
    folder = data if number % 2 == 0 else f"{data}/own{number}"
    while time.monotonic() < until:
        try:
            os.makedirs(folder, exist_ok=True)
            operate(rng, folder)
        except OSError:
            pass


def everything(data):
    """Names, links and contents, as somebody sees them."""
    out = {}
    for folder, folders, files in os.walk(data):
        for name in folders:
            out[os.path.join(folder, name)] = "folder"
        for name in files:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                out[path] = os.readlink(path)
                continue
            with open(path, "rb") as file:
                out[path] = hashlib.sha256(file.read()).hexdigest()
    return out


class Disk:
    """One disk over one directory."""

    def __init__(self, program, base):
        self.program, self.base = program, base
        self.folder, self.data = base + "/folder", base + "/data"
        os.makedirs(self.folder)
        os.makedirs(self.data)

    def ask(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr}")

    def tell(self, *words):
        self.ask("tell", self.folder, "1", *map(str, words))

    def trouble(self, rng, number):
        kind = rng.choice(KINDS)
        self.tell("fault", f"x{number}", kind, 300000, 5000000 if kind.startswith("slow") else 0, number)
        if rng.random() < 0.3:
            self.tell("fill", "full", rng.randrange(100000))
        self.tell("status")
        if rng.random() < 0.5:
            self.tell("lose", rng.choice(["lost", "torn", "reordered"]), number)
        self.tell("clear", f"x{number}")
        self.tell("clear", "full")
        if rng.random() < 0.2:
            self.tell("calm")


def stress(arguments, base, durability):
    disk = Disk(arguments.disk, base)
    disk.ask("start", disk.folder, "1", disk.data, durability)
    until = time.monotonic() + arguments.seconds / 2
    workers = [multiprocessing.Process(target=work, args=(disk.data, n, arguments.seed, until)) for n in range(WORKERS)]
    for one in workers:
        one.start()
    rng, rounds = random.Random(arguments.seed), 0
    while time.monotonic() < until:
        rounds += 1
        disk.trouble(rng, rounds)
    for one in workers:
        one.join(timeout=60)
        if one.exitcode != 0:
            raise RuntimeError(f"a worker did not end well: {one.exitcode}")
    disk.tell("calm")
    seen = everything(disk.data)
    disk.ask("stop", disk.folder, "1", disk.data)
    remains = everything(disk.data)
    if seen != remains:
        raise RuntimeError(f"{durability}: other files remain than were seen: {set(seen.items()) ^ set(remains.items())}")
    print(f"{durability}: {rounds} troubles, {len(seen)} files and folders at the end")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disk", required=True)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("SKIPPED: root and /dev/fuse are needed")
        return 77
    if not arguments.inside:
        return subprocess.run(["unshare", "--mount", sys.executable, *sys.argv, "--inside"], check=False).returncode
    arguments.disk = os.path.abspath(arguments.disk)
    with tempfile.TemporaryDirectory(prefix="ordeal-disk-stress-") as base:
        for tool in ["ASAN", "TSAN", "UBSAN"]:
            options = [os.environ.get(f"{tool}_OPTIONS", ""), f"log_path={base}/complaint", "die_after_fork=0" if tool == "TSAN" else ""]
            os.environ[f"{tool}_OPTIONS"] = ":".join(option for option in options if option)
        for durability in ["journal", "strict"]:
            stress(arguments, f"{base}/{durability}", durability)
        complaints = glob.glob(base + "/complaint*")
        for complaint in complaints:
            with open(complaint, encoding="utf-8") as file:
                print(file.read())
        return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
