"""Virtual machines on a network of their own: started, reached by SSH, reset, and gone with the process that made them.

The network is a bridge with a tap for each machine, in the network namespace of this process (run.py makes it one), in which
the controller runs as well. Where /dev/kvm is, it is used; else qemu emulates the processor, which is ten times slower.
"""

import glob
import os
import re
import subprocess
import time

BOOT_TIMEOUT_S = 240
BRIDGE_V4, BRIDGE_V6 = "10.91.0.254/24", "fd91::fe/64"


def has_kvm():
    """Whether the processor itself can do it: /dev/kvm alone does not mean that a machine boots."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return re.search(r"^flags.* (vmx|svm)\b", file.read(), re.M) is not None and os.access("/dev/kvm", os.R_OK | os.W_OK)


def command(*words, timeout=60, check=True, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=check, **more)


def make_network(count):
    """br0 with tap1 … tapN. Its own network namespace is required."""
    command("ip", "link", "set", "lo", "up")
    command("ip", "link", "add", "br0", "type", "bridge")
    command("ip", "address", "add", BRIDGE_V4, "dev", "br0")
    command("ip", "-6", "address", "add", BRIDGE_V6, "dev", "br0", "nodad")
    command("ip", "link", "set", "br0", "up")
    for number in range(1, count + 1):
        command("ip", "tuntap", "add", "dev", f"tap{number}", "mode", "tap")
        command("ip", "link", "set", f"tap{number}", "master", "br0", "up")


class Machine:
    """One of them: n1, n2, …"""

    def __init__(self, number, image, folder):
        self.name = f"n{number}"
        self.ipv4 = f"10.91.0.{number}"
        self.ipv6 = f"fd91::{number}"
        self.console = os.path.join(folder, self.name + ".console")
        self.ssh_words = ["ssh", "-F", "none", "-i", os.path.join(image, "key"), "-o", "UserKnownHostsFile=" + os.path.join(folder, "known_hosts"),
                          "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", "-o", "ControlMaster=auto",
                          "-o", f"ControlPath={folder}/{self.name}.ssh", "-o", "ControlPersist=600", "-o", "ServerAliveInterval=5",
                          "-o", "ServerAliveCountMax=3", "root@" + self.ipv4]
        own = os.path.join(folder, self.name + ".img")
        with open(own, "wb") as file:
            file.truncate(512 << 20)
        command("mkfs.ext4", "-q", own)
        kernel = glob.glob(os.path.join(image, "kernel/boot/vmlinuz-*"))[0]
        words = f"console=ttyS0 quiet panic=1 no_timer_check mitigations=off nokaslr audit=0 machine.name={self.name} machine.ipv4={self.ipv4}/24 machine.ipv6={self.ipv6}/64"
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", *(["kvm", "-cpu", "host"] if has_kvm() else ["tcg,tb-size=128", "-cpu", "Nehalem"]), "-smp", "2", "-m", "512", "-display", "none", "-monitor", "none",
             "-serial", "file:" + self.console, "-kernel", kernel, "-initrd", os.path.join(image, "initrd"), "-append", words,
             "-drive", f"file={image}/root.img,format=raw,if=virtio,readonly=on,file.locking=off", "-drive", f"file={own},format=raw,if=virtio",
             "-netdev", f"tap,id=net,ifname=tap{number},script=no,downscript=no",
             "-device", f"virtio-net-pci,netdev=net,mac=52:54:00:91:00:{number:02x},romfile="],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def said(self):
        """What is on its console."""
        if not os.path.exists(self.console):
            return ""
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()

    def boots(self):
        """The boot ids that it has told on its console."""
        return [line.split()[1] for line in self.said().splitlines() if line.startswith("UP ")]

    def wait_up(self, boot=1):
        """Until it has come up for the `boot`th time."""
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while len(self.boots()) < boot:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name}: qemu has ended: {self.process.stderr.read()}")
            if time.monotonic() > deadline or "Kernel panic" in self.said():
                raise TimeoutError(f"{self.name} did not come up: {self.said()[-2000:]}")
            time.sleep(0.05)

    def forget(self):
        """Ends the connection that run() keeps."""
        subprocess.run([*self.ssh_words[:-1], "-O", "exit", self.ssh_words[-1]], capture_output=True, timeout=20, check=False)

    def run(self, script, timeout=60, check=True):
        """What a script prints that is run on it, over SSH, without Ordeal."""
        done = subprocess.run([*self.ssh_words, script], capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {script}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def offset_s(self):
        """How far its clock is ahead of this machine's, by the quickest of some answers, and what that may be wrong by."""
        best = None
        for _ in range(4):
            before = time.time()
            shown = float(self.run("date +%s.%N"))
            after = time.time()
            one = (shown - (before + after) / 2, (after - before) / 2)
            best = one if best is None or one[1] < best[1] else best
        return best

    def crash(self):
        """Resets it at once, as if the power had failed, and waits until it is up again."""
        boot = len(self.boots()) + 1
        self.run("echo 1 >/proc/sys/kernel/sysrq; (sleep 0.2; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &")
        self.forget()
        self.wait_up(boot)


class Machines:
    """Some of them, with the inventory by which Ordeal reaches them."""

    def __init__(self, count, image, folder):
        self.folder = folder
        make_network(count)
        with open(os.path.join(image, "host_key.pub"), encoding="utf-8") as file:
            host_key = " ".join(file.read().split()[:2])
        with open(os.path.join(folder, "known_hosts"), "w", encoding="utf-8") as file:
            file.writelines(f"10.91.0.{number} {host_key}\n" for number in range(1, count + 1))
        self.all = [Machine(number, image, folder) for number in range(1, count + 1)]
        self.inventory = os.path.join(folder, "inventory")
        with open(self.inventory, "w", encoding="utf-8") as file:
            file.writelines(f"{one.name} host={one.ipv4} user=root identity={image}/key known_hosts={folder}/known_hosts\n" for one in self.all)
        # Where a machine is slow, to connect to it takes long.
        os.mkdir(os.path.join(folder, ".ssh"))
        with open(os.path.join(folder, ".ssh", "config"), "w", encoding="utf-8") as file:
            file.write("Host *\n  ConnectTimeout 120\n")
        for one in self.all:
            one.wait_up()

    def __iter__(self):
        return iter(self.all)

    def __getitem__(self, index):
        return self.all[index]

    def stop(self):
        for one in self.all:
            one.forget()
            one.process.kill()
        for one in self.all:
            one.process.wait(timeout=30)
