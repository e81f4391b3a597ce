"""What a virtual machine of these tests boots: Debian's cloud kernel, and a small Debian made of this machine's packages.

Nothing is installed: the kernel's package is downloaded (27 MB) and unpacked into a cache folder; the packages below, with
all that they depend on, are copied file by file into an ext4 image, about 130 MB, that all machines share read-only. What a
machine writes goes to a disk of its own, and survives its crash as far as it was synced.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

KERNEL_PACKAGE = "linux-image-cloud-amd64"
PACKAGES = ["base-files", "bash", "coreutils", "dash", "etcd-server", "findutils", "grep", "hostname", "iproute2", "iptables", "kmod",
            "mawk", "mount", "openssh-server", "procps", "sed", "util-linux"]
# Packages that only their installation needs.
NOT_NEEDED = {"adduser", "debconf", "dpkg", "init-system-helpers", "lsb-base", "perl", "runit-helper", "sysvinit-utils", "ucf"}
NOT_COPIED = re.compile(r"/usr/share/(doc|info|lintian|locale|man)/")
BOOT_MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "overlay"]
TOOLS = ["qemu-system-x86_64", "busybox", "mkfs.ext4", "depmod", "modprobe", "cpio", "ssh-keygen", "dpkg-query", "apt-get"]

FIRST_INIT = """#!/bin/sh
export PATH=/bin
mount -t devtmpfs dev /dev
for module in {modules}; do insmod "/modules/$module"; done
mkdir /system /own /new
while [ ! -e /dev/vda ] || [ ! -e /dev/vdb ]; do sleep 0.1; done
mount -t ext4 -o ro /dev/vda /system
mount -t ext4 /dev/vdb /own
mkdir -p /own/upper /own/work
mount -t overlay -o lowerdir=/system,upperdir=/own/upper,workdir=/own/work overlay /new
umount /dev
exec switch_root /new /sbin/machine
"""

# Process 1: what systemd would do on a machine, as far as these tests need it. dash collects orphans while it waits.
MACHINE = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /run/sshd
modprobe fuse
for word in $(cat /proc/cmdline); do
  case "$word" in machine.*=*) export "${word#machine.}" ;; esac
done
hostname "$name"
ip link set lo up
ip link set eth0 up
ip address add "$ipv4" dev eth0
ip -6 address add "$ipv6" dev eth0 nodad
/usr/sbin/sshd
echo "UP $(cat /proc/sys/kernel/random/boot_id)" >/dev/console
while :; do sleep 3600 & wait $!; done
"""

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
                  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/ssh/sshd_config": "HostKey /etc/ssh/host_key\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\n"
                           "UsePAM no\nMaxSessions 100\nMaxStartups 100\nSubsystem sftp internal-sftp\n",
}


class Missing(Exception):
    """Something that these tests need cannot be had here."""


def output(*command, **more):
    """What a command that must succeed prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, **more).stdout


def installed_packages():
    """By name: version, what it depends on (alternatives in lists)."""
    packages, provided = {}, {}
    listed = output("dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\t${Pre-Depends},${Depends}\t${Provides}\n")
    for line in listed.splitlines():
        status, name, version, needs, provides = line.split("\t")
        if not status.startswith("ii"):
            continue
        needs = [[re.split(r"[ (:]", one.strip())[0] for one in group.split("|")] for group in needs.split(",") if group.strip()]
        packages[name] = (version, needs)
        for one in provides.split(","):
            provided.setdefault(one.split("(")[0].strip(), name)
    return packages, provided


def with_dependencies(wanted):
    """The packages wanted and all that they depend on, with their versions."""
    packages, provided = installed_packages()
    missing = [name for name in wanted if name not in packages]
    if missing:
        raise Missing("not installed here: " + ", ".join(missing))
    found, todo = {}, list(wanted)
    while todo:
        name = todo.pop()
        if name in found or name in NOT_NEEDED:
            continue
        found[name], groups = packages[name]
        for group in groups:
            names = [one if one in packages else provided.get(one) for one in group]
            todo += [one for one in names if one is not None][:1]
    return found


def merged(path):
    """A path with the links of its folder followed: /bin/cat is /usr/bin/cat."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def files_of(packages):
    """All files of packages, and the links by which alternatives of theirs are called."""
    files = {merged(path) for path in output("dpkg", "-L", *packages).splitlines() if path.startswith("/") and path != "/."}
    files = {path for path in files if not NOT_COPIED.match(path) and os.path.lexists(path)}
    for folder in ("/usr/bin", "/usr/sbin"):
        for entry in os.scandir(folder):
            if not entry.is_symlink() or not os.readlink(entry.path).startswith("/etc/alternatives/"):
                continue
            if merged(os.path.realpath(entry.path)) in files:
                files |= {entry.path, os.readlink(entry.path)}
    return sorted(files)


def unpack_kernel(folder):
    """Downloads Debian's kernel and unpacks it into FOLDER/kernel."""
    target = os.path.join(folder, "kernel")
    try:
        name = re.search(r"Depends: (\S+)", output("apt-cache", "depends", KERNEL_PACKAGE))[1]
        output("apt-get", "-o", "APT::Sandbox::User=root", "download", name, cwd=folder)
    except (subprocess.SubprocessError, TypeError) as error:
        raise Missing(f"no {KERNEL_PACKAGE} can be had: {getattr(error, 'stderr', error)}") from error
    package = glob.glob(os.path.join(folder, name + "_*.deb"))[0]
    output("dpkg", "-x", package, target)
    os.remove(package)
    output("depmod", "-b", target, os.listdir(os.path.join(target, "lib", "modules"))[0])
    return target


def write_files(root):
    """The few files that are no package's."""
    for name, text in FILES.items():
        os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
        with open(os.path.join(root, name), "w", encoding="utf-8") as file:
            file.write(text)
    with open(os.path.join(root, "usr/sbin/machine"), "w", encoding="utf-8") as file:
        file.write(MACHINE)
    os.chmod(os.path.join(root, "usr/sbin/machine"), 0o755)


def make_root(folder, packages, kernel):
    """FOLDER/root.img: the file system that machines share, with FOLDER/key's owner as root."""
    root = os.path.join(folder, "root")
    os.makedirs(root)
    for name in ("dev", "proc", "sys", "run", "tmp", "root/.ssh", "etc/ssh", "var/lib", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
        os.makedirs(os.path.join(root, name))
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink("usr/" + name, os.path.join(root, name))
    names = "\0".join(path[1:] for path in files_of(packages))
    made = subprocess.run("tar -C / -c --no-recursion --null -T - | tar -x -p --keep-directory-symlink -C " + root, shell=True, input=names,
                          text=True, timeout=120, check=False, stderr=subprocess.PIPE)
    if made.returncode != 0:
        raise RuntimeError(made.stderr)
    shutil.copytree(os.path.join(kernel, "lib", "modules"), os.path.join(root, "usr/lib/modules"), symlinks=True)
    write_files(root)
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(root, "etc/ssh/host_key"))
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(folder, "key"))
    shutil.copy(os.path.join(folder, "key.pub"), os.path.join(root, "root/.ssh/authorized_keys"))
    os.chmod(os.path.join(root, "root"), 0o700)
    os.chmod(os.path.join(root, "root/.ssh"), 0o700)
    shutil.copy(os.path.join(root, "etc/ssh/host_key.pub"), os.path.join(folder, "host_key.pub"))
    output("ldconfig", "-r", root)
    image = os.path.join(folder, "root.img")
    output("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", "-d", root, image, "320M")
    shutil.rmtree(root)


def make_initrd(folder, kernel):
    """FOLDER/initrd: busybox and the modules that find the disks."""
    root = os.path.join(folder, "initrd.d")
    for name in ("bin", "dev", "modules"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(shutil.which("busybox"), os.path.join(root, "bin"))
    for applet in ("sh", "mount", "umount", "insmod", "mkdir", "sleep", "switch_root"):
        os.symlink("busybox", os.path.join(root, "bin", applet))
    release = os.listdir(os.path.join(kernel, "lib", "modules"))[0]
    modules = []  # in the order in which they can be loaded
    for module in BOOT_MODULES:
        for path in re.findall(r"^insmod (\S+)", output("modprobe", "-d", kernel, "-S", release, "--show-depends", module), re.M):
            shutil.copy(path, os.path.join(root, "modules"))
            modules += [os.path.basename(path)] if os.path.basename(path) not in modules else []
    with open(os.path.join(root, "init"), "w", encoding="utf-8") as file:
        file.write(FIRST_INIT.format(modules=" ".join(modules)))
    os.chmod(os.path.join(root, "init"), 0o755)
    with open(os.path.join(folder, "initrd"), "wb") as out:
        subprocess.run("find . | cpio -o -H newc --quiet", shell=True, cwd=root, stdout=out, timeout=60, check=True)
    shutil.rmtree(root)


def prepare(cache):
    """The folder with kernel/boot/vmlinuz-*, initrd, root.img and keys; made when absent or when a package is newer."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    if missing:
        raise Missing("not here: " + ", ".join(missing))
    packages = with_dependencies(PACKAGES)
    with open(__file__, "rb") as own:
        state = own.read() + "".join(f"{name} {version}\n" for name, version in sorted(packages.items())).encode()
    folder = os.path.join(cache, "ordeal-vm-" + hashlib.sha256(state).hexdigest()[:16])
    if os.path.isdir(folder):
        return folder
    for old in glob.glob(os.path.join(cache, "ordeal-vm-*")):
        shutil.rmtree(old)
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as made:
        kernel = unpack_kernel(made)
        make_root(made, packages, kernel)
        make_initrd(made, kernel)
        shutil.rmtree(os.path.join(kernel, "lib"))
        os.rename(made, folder)
    return folder
