#!/usr/bin/env python3
"""The agent's work on processes of an aarch64 machine: of a small virtual one, with a kernel of Debian's.

    aarch64_vm.py --agent build/release/nemesis/aarch64/nemesis/programs/agent/ordeal-agent [--kernel IMAGE --busybox PROGRAM]

The disk lies beside the agent, as the build has them; a kernel is named with its package unpacked around it.

What an emulator of programs cannot do (ptrace, the vDSO) is tried here on a real kernel: clocks that are wrong in each way and
right again, registers and waits of the processes that are stopped for it, processor time, and what a watch does when the target
starts again; that packets can be queued; that the disk keeps and loses files. The machine has a kernel, a static busybox, the agent and aarch64_guest.cc, and no network; nothing of this machine
is touched. Needs qemu-system-aarch64 and aarch64-linux-gnu-g++; kernel and busybox are fetched as Debian packages (21 MB) into
build/foreign unless they are named. Exit code: 0 when all is well, 77 when something of that is missing.
"""

import argparse
import glob
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile

BOOT_TIMEOUT_S = 600
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
HOUR_NS = 3_600_000_000_000

GUEST = f"""#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mkdir -p /faults
begin() {{ guest $1 >/tmp/$1.$2 & eval "$1=$!"; }}
show() {{ echo "AT $1"; for w in told slept waited vectors; do [ -e /tmp/$w.$2 ] && tail -n $3 /tmp/$w.$2; done; }}
read_clocks() {{ echo "READ $1"; agent clock read $2 100 $told,$slept,$waited${{vectors:+,$vectors}}; }}
vdso() {{ range=$(sed -n 's/ .*vdso.$//p' /proc/$1/maps); dd if=/proc/$1/mem bs=4096 skip=$((0x${{range%-*}} / 4096)) count=$(((0x${{range#*-}} - 0x${{range%-*}}) / 4096)) 2>/dev/null | sha256sum; }}
state() {{ echo "STATE $1 $(for p in $told $slept $waited; do vdso $p; grep -c r-xp /proc/$p/maps; done | tr '\\n' ' ')"; }}
wrong() {{ rm -rf /faults/t; mkdir /faults/t; agent clock start /faults/t t-1 "$@" $told,$slept,$waited${{vectors:+,$vectors}} >/tmp/set || echo "FAILED to start $*"; cat /tmp/set; }}
right() {{ agent clock undo /faults/t t-1 || echo "FAILED to undo"; rm -rf /faults/t; }}
echo; echo "MACHINE $(uname -m) $(uname -r)"
for w in told slept waited; do begin $w 1; done
grep -q ' sve ' /proc/cpuinfo && begin vectors 1
sleep 1
state before; read_clocks before 2
wrong 0 0 {HOUR_NS}; sleep 0.3; show ahead 1 3; read_clocks ahead 5
echo "READ ahead"; agent clock read 20 50 $slept,$waited
show waiting 1 3; state ahead
right; sleep 0.3; show right 1 2; read_clocks right 1; state after
wrong 0 0 -{24 * HOUR_NS}; sleep 0.3; show behind 1 2; right
wrong {1 << 29} 0 0; sleep 4; show drift 1 1; right
wrong -{1 << 32} 0 0; read_clocks frozen 3; right
wrong 0 500000000 0,-{100_000_000_000}; sleep 5; show strobe 1 40; right
wrong 0 0 {HOUR_NS}; kill $told; sleep 0.1; begin told 2; sleep 30; show again 2 2
kill -9 $(cut -d' ' -f1 /faults/t/background); right; sleep 0.3; show orphaned 2 2; state end
mkdir /faults/t; agent slow start /faults/t 5 1000 $told || echo "FAILED to slow"
held=0; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; grep -q '^State:.t' /proc/$told/status && held=$((held + 1)); done; echo "SLOW $held"
agent slow undo /faults/t || echo "FAILED to undo slow"; rm -rf /faults/t; grep -q '^State:.t' /proc/$told/status && echo "FAILED to let go"
mkdir /faults/t; agent limit start /faults/t files 0 $told || echo "FAILED to limit"; agent limit undo /faults/t || echo "FAILED to unlimit"
agent strike at $(agent strike clock) $told:$(sed 's/.*) //' /proc/$told/stat | cut -d' ' -f20) >/dev/null; sleep 0.1
kill -0 $told 2>/dev/null && echo "FAILED to strike"
for p in $slept $waited; do kill -0 $p || echo "FAILED: a process has died"; done
[ -z "$vectors" ] || kill -0 $vectors || echo "FAILED: a process has died"
[ -e /tmp/vectors.1 ] && tail -n 1 /tmp/vectors.1
for m in nfnetlink nfnetlink_queue fuse; do insmod /modules/$m.ko || echo "FAILED to load $m"; done
mkdir /faults/p; echo "PACKETS $(agent packets start /faults/p 1 'loss 1000')"; agent packets undo /faults/p || echo "FAILED to undo packets"
ifconfig lo 127.0.0.1 up; agent probe names
mkdir /faults/d /data; mount -t tmpfs data /data
disk start /faults/d 0 /data journal || echo "FAILED to start the disk"
echo durable | dd of=/data/kept conv=fsync 2>/dev/null; echo gone >/data/lost; echo "DISK $(cat /data/kept) $(cat /data/lost)"
echo "TOLD $(disk tell /faults/d 0 lose lost 1)"; echo "DISK after $(cat /data/kept) $(cat /data/lost 2>&1)"
disk stop /faults/d 0 /data || echo "FAILED to stop the disk"; echo "BENEATH $(cat /data/*)"
echo "LEFT $(ps | grep -c '[a]gent ')"
echo THE END
poweroff -f
"""


def fetch():
    """Kernel and busybox, as packages of Debian's for arm64."""
    said = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=False).stdout
    kernel = re.search(r"Depends: (linux-image-\S+)-cloud-amd64", said)
    if not kernel:
        return "", ""
    folder = os.path.join(TOP, "build", "foreign", "aarch64-machine")
    subprocess.run([os.path.join(TOP, "scripts", "foreign-packages.sh"), "arm64", folder, kernel[1] + "-cloud-arm64", "busybox-static"],
                   check=False)
    return max(glob.glob(folder + "/boot/vmlinuz-*"), default=""), folder + "/bin/busybox"


def copy_modules(kernel, folder):
    """What of the kernel's the faults need."""
    top = os.path.dirname(os.path.dirname(kernel))
    for name in ("fuse", "nfnetlink", "nfnetlink_queue"):
        for file in glob.glob(f"{top}/**/lib/modules/{os.path.basename(kernel)[8:]}/kernel/**/{name}.ko*", recursive=True):
            with lzma.open(file) if file.endswith(".xz") else open(file, "rb") as packed, open(f"{folder}/{name}.ko", "wb") as out:
                shutil.copyfileobj(packed, out)


def make_initrd(folder, kernel, agent, busybox):
    """A file system in memory with all that the machine has."""
    root = os.path.join(folder, "root")
    for name in ("bin", "proc", "dev", "tmp", "modules"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(busybox, os.path.join(root, "bin", "busybox"))
    for applet in "sh ifconfig insmod mount mkdir rm cat cut dd grep kill poweroff ps sed sha256sum sleep tail tr uname echo".split():
        os.symlink("busybox", os.path.join(root, "bin", applet))
    copy_modules(kernel, os.path.join(root, "modules"))
    shutil.copy(agent, os.path.join(root, "bin", "agent"))
    shutil.copy(os.path.join(os.path.dirname(agent), "..", "disk", "ordeal-disk"), os.path.join(root, "bin", "disk"))
    subprocess.run(["aarch64-linux-gnu-g++", "-std=c++20", "-O2", "-static", "-s", "-o", os.path.join(root, "bin", "guest"),
                    os.path.join(HERE, "aarch64_guest.cc")], check=True)
    with open(os.path.join(root, "init"), "w", encoding="utf-8") as file:
        file.write(GUEST)
    os.chmod(os.path.join(root, "init"), 0o755)
    names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
    initrd = os.path.join(folder, "initrd")
    with open(initrd, "wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=out, check=True)
    return initrd


def run_machine(kernel, initrd):
    """The lines of its console."""
    command = ["qemu-system-aarch64", "-machine", "virt", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "512", "-nographic",
               "-no-reboot", "-net", "none", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyAMA0 quiet panic=1"]
    with subprocess.Popen(["timeout", str(BOOT_TIMEOUT_S), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as machine:
        for line in machine.stdout:
            yield line.decode(errors="replace").strip()


def off_by(words, seconds, slack=0.1):
    """Whether both clocks that a process told are off by so much."""
    return all(abs(int(one) / 1e9 - seconds) < slack for one in words[1:3])


def judge_told(where, words):
    """What a process told of its clock, under the heading `where`."""
    if where in ("ahead", "waiting", "again") and not off_by(words, 3600):
        yield f"{where}: {words}"
    if where in ("right", "orphaned") and not off_by(words, 0):
        yield f"{where}: {words}"
    if where == "behind" and not off_by(words, -86400):
        yield f"{where}: {words}"
    if where == "drift" and not 0.4 < int(words[1]) / 1e9 < 3:
        yield f"it gained {words[1]} ns"


def judge_reading(where, words):
    """What the agent read in a process: PID BEFORE INSIDE AFTER PRISTINE."""
    before, inside, after, pristine = (int(one) for one in words[1:5])
    wanted = {"before": 0, "right": 0, "ahead": HOUR_NS}.get(where)
    if wanted is not None and not before + wanted <= inside <= after + wanted:
        yield f"read {where}: off by {inside - before} ns"
    if pristine != (1 if where in ("before", "right") else 0):
        yield f"read {where}: the vDSO is {'' if pristine else 'not '}pristine"


def judge(lines):
    """What is not as it should be."""
    where = ""
    states = {}
    counts = {}
    frozen = {}
    strobe = set()
    seen = set()
    for line in lines:
        print(line, flush=True)
        seen.add(line)
        words = line.split()
        first = words[0] if words else ""
        if first in ("AT", "READ"):
            where = words[1]
        counts[where, first] = counts.get((where, first), 0) + 1
        if "FAILED" in line or "!" in words[1:2]:
            yield line
        if first == "told" and len(words) == 3:
            yield from judge_told(where, words)
            if where == "strobe":
                strobe.add(round(int(words[1]) / 1e9))
        if first in ("slept", "waited") and len(words) == 2:
            if not 1950 < int(words[1]) < 10_000:
                yield f"{where}: a wait of 2 s took {words[1]} ms"
        if first == "vectors" and (int(words[2]) != 0 or int(words[1]) < 2):
            yield f"{where}: vector registers: {words}"
        if first.isdigit() and len(words) == 5:
            yield from judge_reading(where, words)
            if where == "frozen":
                frozen.setdefault(first, set()).add(words[2])
        if first == "STATE":
            states[words[1]] = words[2:]
        if first == "SLOW" and int(words[1]) < 6:
            yield f"it was held only {words[1]} of 10 times"
        if line.startswith("LEFT ") and line != "LEFT 0":
            yield "an agent still runs"
    for line in ("PACKETS queue 47100 1048576", "name 127.77.0.53 answered 0", "DISK durable gone", "BENEATH durable"):
        if line not in seen:
            yield f"missing: {line}"
    if not any(line.startswith("DISK after durable cat: ") for line in seen):
        yield "the disk has not lost what was not synced"
    if any(len(told) != 1 for told in frozen.values()) or not frozen:
        yield f"a clock that stands still moves: {frozen}"
    if strobe != {0, -100}:
        yield f"it does not strobe: {strobe}"
    if states.get("before") != states.get("after") or states.get("ahead") == states.get("after"):
        yield f"memory is not as before: {states}"
    for at, kind, least in (("waiting", "slept", 2), ("waiting", "waited", 2), ("again", "told", 2), ("orphaned", "told", 2)):
        if counts.get((at, kind), 0) < least:
            yield f"{at}: {counts.get((at, kind), 0)} of {kind}"
    if ("orphaned", "THE") not in counts:
        yield "the machine did not come to the end"


def main():
    """Looks for what is needed, and runs the machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", default=os.path.join(TOP, "build/release/nemesis/aarch64/nemesis/programs/agent/ordeal-agent"))
    parser.add_argument("--kernel", default="")
    parser.add_argument("--busybox", default="")
    arguments = parser.parse_args()
    missing = [one for one in ("qemu-system-aarch64", "aarch64-linux-gnu-g++", "cpio") if not shutil.which(one)]
    kernel, busybox = (arguments.kernel, arguments.busybox) if missing or arguments.kernel else fetch()
    missing += [one for one in (kernel or "a kernel", busybox or "busybox", arguments.agent) if not os.path.exists(one)]
    if missing:
        print("not here:", ", ".join(missing))
        return 77
    with tempfile.TemporaryDirectory() as folder:
        problems = list(judge(run_machine(kernel, make_initrd(folder, kernel, arguments.agent, busybox))))
    for problem in problems:
        print("WRONG:", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
