#!/usr/bin/env python3
"""The agent's work on the clock of a whole machine, on a machine of its own: a small virtual one.

    host_clock_vm.py --agent build/release/nemesis/agent/ordeal-agent [--kernel /boot/vmlinuz-…]

The machine has a kernel, a static busybox, GNU date and the agent, and no network. It makes its clock wrong in each way
and right again, and writes what `date` says to its console; here that is compared with this machine's clock, which is not
touched. Needs qemu-system-x86_64, busybox (static) and a kernel image (Debian: linux-image-cloud-amd64). Exit code: 0 when
all is well, 77 when something of that is missing.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

BOOT_TIMEOUT_S = 150
SLACK_S = 0.4  # for starting `date` on an emulated machine
HOUR_NS = 3_600_000_000_000

GUEST = f"""#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
say() {{ echo "SAY $1 $(/bin/date +%s.%N)"; }}
rate() {{ echo "RATE $1 $(adjtimex | sed -n 's/.*tick: *\\([0-9]*\\).*/\\1/p')"; }}
wrong() {{ rm -rf /fault; mkdir /fault; agent host-clock start /fault "$@" || echo "FAILED to start $*"; }}
right() {{ agent host-clock undo /fault || echo "FAILED to undo"; say right; rate right; }}
echo
say before; rate before
wrong 0 0 0 {HOUR_NS}; say ahead; right
agent host-clock undo /fault || echo "FAILED to undo twice"; say right
wrong 0 0 0 -{24 * HOUR_NS}; say behind; right
wrong 100000 0 0 0; rate drifting; say drift; sleep 5; say drifted; right
wrong 0 0 1 0; say frozen; sleep 3; say still; right
wrong 0 500000000 0 -{100_000_000_000},0; for i in 1 2 3 4 5 6 7 8; do say strobe; sleep 0.3; done; right
wrong 0 500000000 0 -{100_000_000_000},0; kill -9 $(cut -d' ' -f1 /fault/background); say orphaned; right
echo "LEFT $(ps | grep -c '[a]gent host')"
echo THE END
poweroff -f
"""


def make_initrd(folder, agent):
    """A file system in memory with all that the machine has."""
    root = os.path.join(folder, "root")
    for name in ("bin", "proc", "dev", "tmp"):
        os.makedirs(os.path.join(root, name))
    busybox = shutil.which("busybox")
    shutil.copy(busybox, os.path.join(root, "bin", "busybox"))
    for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if applet not in ("busybox", "date"):
            os.symlink("busybox", os.path.join(root, "bin", applet))
    shutil.copy(agent, os.path.join(root, "bin", "agent"))
    shutil.copy(shutil.which("date"), os.path.join(root, "bin", "date"))
    for library in re.findall(r"/[^ ]+", subprocess.run(["ldd", shutil.which("date")], capture_output=True, text=True, check=True).stdout):
        os.makedirs(root + os.path.dirname(library), exist_ok=True)
        shutil.copy(library, root + library)
    with open(os.path.join(root, "init"), "w", encoding="utf-8") as file:
        file.write(GUEST)
    os.chmod(os.path.join(root, "init"), 0o755)
    names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
    initrd = os.path.join(folder, "initrd")
    with open(initrd, "wb") as out:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=root, input=names, stdout=out, stderr=subprocess.DEVNULL, check=True)
    return initrd


def run_machine(kernel, initrd):
    """The lines of its console, each with the moment of this machine at which it came."""
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "400", "-nographic", "-no-reboot", "-net", "none",
               "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=1 no_timer_check"]
    with subprocess.Popen(["timeout", str(BOOT_TIMEOUT_S), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as machine:
        for line in machine.stdout:
            yield time.time(), line.decode(errors="replace").strip()


def judge(lines):
    """What is not as it should be."""
    usual = None
    last = {}
    ticks = {}
    strobes = []
    counts = {}
    ended = False
    for when, line in lines:
        print(f"{when:.3f} {line}")
        words = line.split()
        counts[words[0] if words else ""] = counts.get(words[0] if words else "", 0) + 1
        if "FAILED" in line:
            yield line
        if line.startswith("LEFT ") and line != "LEFT 0":
            yield "an agent still runs"
        ended = ended or line == "THE END"
        if line.startswith("RATE "):
            ticks.setdefault(words[1], words[2])
            if words[1] == "right" and words[2] != ticks["before"]:
                yield f"the tick is {words[2]}, and was {ticks['before']}"
        if not line.startswith("SAY "):
            continue
        off = float(words[2]) - when
        usual = off if usual is None else usual
        off -= usual
        wanted = {"before": 0, "right": 0, "ahead": 3600, "behind": -86400, "orphaned": -100}.get(words[1])
        if wanted is not None and abs(off - wanted) > SLACK_S:
            yield f"{words[1]}: the clock is off by {off:.3f} s, not {wanted}"
        if words[1] == "drifted" and not 0.1 * 5 * 0.7 < off - last["drift"] < 0.1 * 5 * 2:
            yield f"it gained {off - last['drift']:.3f} s in 5 s"
        if words[1] == "still" and abs(float(words[2]) - last["frozen_at"]) > 0.1:
            yield "it does not stand still"
        if words[1] == "strobe":
            strobes.append(off)
        last[words[1]] = off
        last[words[1] + "_at"] = float(words[2])
    if ticks.get("drifting") == ticks.get("before"):
        yield "the tick is the same while it drifts"
    if not any(abs(off) < SLACK_S for off in strobes) or not any(abs(off + 100) < SLACK_S for off in strobes):
        yield f"it does not strobe: {strobes}"
    if not ended or counts.get("SAY", 0) < 20:
        yield "the machine did not come to the end"


def main():
    """Looks for what is needed, and runs the machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", default="build/release/nemesis/agent/ordeal-agent")
    parser.add_argument("--kernel", default=max(glob.glob("/boot/vmlinuz-*"), default=""))
    arguments = parser.parse_args()
    if not shutil.which("qemu-system-x86_64") or not shutil.which("busybox") or not os.path.exists(arguments.kernel):
        print("no qemu-system-x86_64, busybox or kernel image here")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        problems = list(judge(run_machine(arguments.kernel, make_initrd(folder, arguments.agent))))
    for problem in problems:
        print("WRONG:", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
