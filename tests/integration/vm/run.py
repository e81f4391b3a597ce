#!/usr/bin/env python3
"""Ordeal on machines with kernels of their own: three small virtual ones, with real sshd and real etcd.

    run.py --ordeal build/release/ordeal [--cases host-clock-offset,netem-latency] [--list]

For what nodes that share this machine's kernel cannot show: the clocks of whole machines, the kernel's netem, the crash of a
machine, an sshd that is gone, a freezer. cases.py has the cases, image.py what the machines boot, machines.py the machines.
Everything runs in namespaces of its own and a file system in memory, and is gone with the process. Needs root, and what
image.py lists. Exit code: 0 when all is well, 1 when something is wrong, 77 when something is missing.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback

import cases
import image
import machines

SCRATCH = "/mnt"  # the file system in memory is mounted there, in a mount namespace


class Bench:
    """What a case works with."""

    def __init__(self, arguments, count, folder):
        self.ordeal = os.path.abspath(arguments.ordeal)
        self.agent = os.path.join(os.path.dirname(self.ordeal), "nemesis", "agent", "ordeal-agent")
        self.folder = folder
        self.machines = machines.Machines(count, arguments.inside, folder)
        self.environment = dict(os.environ, HOME=folder)
        self.number = 0

    def next_number(self):
        self.number += 1
        return self.number

    def note(self, text):
        print("     ", text, flush=True)


def play(name, bench):
    """One case. Whether all was well."""
    began = time.monotonic()
    try:
        problems = list(cases.CASES[name][1](bench))
        problems += [line for machine in bench.machines for line in cases.left_behind(machine)]
    except Exception:  # pylint: disable=broad-exception-caught
        problems = [traceback.format_exc()]
    print(f"{'WRONG' if problems else 'ok':5} {name} ({time.monotonic() - began:.0f} s)", flush=True)
    for problem in problems:
        print("      " + problem, flush=True)
    return not problems


def play_inside(arguments, names):
    """In the namespaces, where this is process 1 and would not heed SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machines.command("mount", "-t", "tmpfs", "-o", "size=4g", "scratch", SCRATCH)
    began = time.monotonic()
    bench = Bench(arguments, arguments.machines, tempfile.mkdtemp(dir=SCRATCH))
    print(f"{arguments.machines} machines are up after {time.monotonic() - began:.1f} s, "
          f"{'by KVM' if machines.has_kvm() else 'emulated'}, kernel {bench.machines[0].run('uname -r').strip()}", flush=True)
    try:
        wrong = [name for name in names if not play(name, bench)]
    finally:
        bench.machines.stop()
    print(f"{len(names) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


def main():
    """Makes what the machines boot, and begins anew in namespaces."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ordeal", default="build/release/ordeal")
    parser.add_argument("--cache", default=os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "ordeal"),
                        help="where kernel and images are kept, 190 MB")
    parser.add_argument("--cases", default=",".join(cases.CASES))
    parser.add_argument("--machines", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.list:
        for name, (what, _) in cases.CASES.items():
            print(f"{name:24} {what}")
        return 0
    names = arguments.cases.split(",")
    unknown = [name for name in names if name not in cases.CASES]
    if unknown:
        parser.error(f"no case {unknown[0]}; known are {', '.join(cases.CASES)}")
    if arguments.inside:
        return play_inside(arguments, names)
    try:
        if os.geteuid() != 0:
            raise image.Missing("this needs root")
        folder = image.prepare(os.path.abspath(arguments.cache))
    except image.Missing as missing:
        print(f"SKIPPED, nothing was tried: {missing}")
        return 77
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, os.path.abspath(__file__),
                          *sys.argv[1:], "--inside", folder])
    return 1


if __name__ == "__main__":
    sys.exit(main())
