"""Machines for trials of Ordeal: plain ones with an sshd, and containers; they outlive the controllers that use them.

Each has its own network, mounts, processes, host name and control groups, made of namespaces. A plain machine has what a
server has that somebody installed: users, sudo, the sshd of the distribution with its usual settings, writable control
groups; its files are this machine's with a layer of its own above. Containers belong to a Docker daemon that is started
for them. All of it dies with the process that made it. Needs root.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
GROUPS = "/sys/fs/cgroup"

# Run as the first process of a machine: DIRECTORY NAME USER. The network is there when the file `go` is.
FIRST = r"""set -e
directory=$1 name=$2 user=$3
hostname "$name"
mount --make-rprivate /
mount -t tmpfs tmpfs "$directory/$name"
mkdir "$directory/$name/upper" "$directory/$name/work" "$directory/$name/root"
chmod 755 "$directory/$name/upper"
root=$directory/$name/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/$name/upper,workdir=$directory/$name/work" "$root"
groups=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \(\/sys\/fs\/cgroup[^ ]*\) .* - \(cgroup2*\) [^ ]* \(.*\)$/\1 \2 \3/p' /proc/self/mountinfo)
cp "$directory/client.pub" "$root/etc/ssh/"
mkdir -p "$root/proc" "$root/sys" "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/dev" -o mode=755
for device in null zero full random urandom tty fuse; do
  touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666,mode=620,gid=5
ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
for place in tmp run; do mount -t tmpfs tmpfs "$root/$place"; done
chmod 1777 "$root/tmp"
mkdir "$root/run/sshd" "$root/old"
first=yes
echo "$groups" | while read -r place type options; do
  if [ -n "$first" ] && [ "$place" != /sys/fs/cgroup ]; then mount -t tmpfs tmpfs "$root/sys/fs/cgroup"; fi
  first=
  mkdir -p "$root$place"
  case $type in cgroup) mount -t cgroup cgroup "$root$place" -o "${options#*,}" ;; *) mount -t cgroup2 cgroup2 "$root$place" ;; esac
done
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
cd /
for keys in /etc/ssh/ssh_host_*; do rm -f "$keys"; done
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
home=/root
if [ "$user" != root ]; then
  useradd -m -s /bin/bash "$user"
  home=/home/$user
  echo "$user ALL=(ALL:ALL) NOPASSWD: ALL" >/etc/sudoers.d/trial
  chmod 440 /etc/sudoers.d/trial
fi
sed -i 's/^root:!*:/root:*:/; s/^'"$user"':!*:/'"$user"':*:/' /etc/shadow
rm -rf "$home/.ssh"
cp /etc/skel/.bashrc /etc/skel/.profile "$home/"
mkdir -m 700 "$home/.ssh"
cp /etc/ssh/client.pub "$home/.ssh/authorized_keys"
chmod 600 "$home/.ssh/authorized_keys"
chown -R "$user:" "$home/.ssh"
echo ready
read -r go
/usr/sbin/sshd -D -e -o UseDNS=no &
wait
"""


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def quiet(command, timeout=30, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **more)


def must(command, **more):
    done = quiet(command, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)[:300]}: {done.stdout}{done.stderr}")
    return done.stdout


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def children(process):
    return [int(word) for word in read_text(f"/proc/{process}/task/{process}/children").split()]


def eventually(look, what, limit=30.0):
    end = time.monotonic() + limit
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {limit} s")
        time.sleep(0.02)


def open_to(machine, namespace):
    """Whether sshd answers."""
    probe = "exec 3<>/dev/tcp/{}/22 && read -r -t 2 line <&3 && [[ $line == SSH* ]]".format(machine["address"])
    return quiet(["nsenter", f"--net={namespace}", "bash", "-c", probe]).returncode == 0


class Machines:
    """`count` machines. `nodes` is what --nodes takes; commands are run with `prefix` and `environment`."""

    def __init__(self, count):
        self.directory = tempfile.mkdtemp(prefix="ordeal-machines-")
        self.processes = []
        self.states = []  # of each: name, pid (of its first process), address
        self.namespace = ""
        self.groups = f"machines-{os.getpid()}-{os.path.basename(self.directory)[-8:]}"
        self.environment = dict(os.environ, HOME=self.directory)
        self.environment.pop("SSH_AUTH_SOCK", None)
        self.environment.pop("DOCKER_HOST", None)
        try:
            must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("client")])
            for folder in self.group_folders(missing_too=True):
                os.mkdir(folder)
            self.bring_up(count)
            for machine in self.states:
                eventually(lambda one=machine: open_to(one, self.namespace), f"sshd of {machine['name']}")
        except BaseException:
            self.close()
            raise

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def prefix(self):
        return ["nsenter", f"--net={self.namespace}"]

    @property
    def nodes(self):
        return ",".join(machine["name"] for machine in self.states)

    def bring_up(self, count):
        raise NotImplementedError

    def start(self, command, **more):
        process = subprocess.Popen(command, preexec_fn=die_with_parent, start_new_session=True, **more)  # pylint: disable=all
        self.processes.append(process)
        return process

    def write_ssh(self, user, known):
        os.mkdir(self.path(".ssh"))
        with open(self.path(".ssh/config"), "w", encoding="utf-8") as file:
            for machine in self.states:
                file.write(f"Host {machine['name']}\n  HostName {machine['address']}\n  User {user}\n"
                           f"  IdentityFile {self.path('client')}\n  UserKnownHostsFile {self.path('known_hosts')}\n")
        with open(self.path("known_hosts"), "w", encoding="utf-8") as file:
            file.writelines(known)

    def group_folders(self, missing_too=False):
        """Where control groups of ours are, or may be: below every hierarchy that is mounted."""
        places = [line.split()[4] for line in read_text("/proc/self/mountinfo").splitlines() if " - cgroup" in line]
        folders = [os.path.join(place, self.groups) for place in places]
        return [folder for folder in folders if missing_too or os.path.isdir(folder)]

    def end(self, process):
        """Ends a process and what it started."""
        process.kill()
        process.wait()

    def close(self):
        for process in reversed(self.processes):
            self.end(process)
        for folder in self.group_folders():
            for _ in range(50):
                for inner, _, _ in os.walk(folder, topdown=False):
                    try:
                        os.rmdir(inner)
                    except OSError:
                        pass
                if not os.path.exists(folder):
                    break
                time.sleep(0.05)
        shutil.rmtree(self.directory, ignore_errors=True)


class PlainMachines(Machines):
    """Machines as a hoster gives them: a distribution, sshd, a user with a key, and sudo if that is not root."""

    def __init__(self, count, user="root"):
        self.user = user
        super().__init__(count)

    def bring_up(self, count):
        hub = self.start(["unshare", "--net", "--fork", "--kill-child", "sleep", "infinity"])
        inside = eventually(lambda: children(hub.pid), "the network of the machines")[0]
        self.namespace = f"/proc/{inside}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink(self.namespace) != own, "the network of the machines")
        network = ["nsenter", f"--net={self.namespace}"]
        must(network + ["sh", "-ec", "ip link set lo up; ip link add trial0 type bridge; ip addr add 10.79.0.254/24 dev trial0; "
                                     "ip -6 addr add fd0d:79::fe/64 dev trial0 nodad; ip link set trial0 up"])
        firsts = [self.start_machine(f"h{number}") for number in range(1, count + 1)]
        known = []
        for number, first in enumerate(firsts, 1):
            if first.stdout.readline() != b"ready\n":
                raise RuntimeError(f"h{number} does not start: {first.stderr.read().decode()}")
            pid = children(first.pid)[0]
            must(network + ["ip", "link", "add", f"h{number}", "type", "veth", "peer", "name", "eth0", "netns", str(pid)])
            must(network + ["sh", "-ec", f"ip link set h{number} master trial0 up"])
            must(["nsenter", "-t", str(pid), "-n", "sh", "-ec",
                  f"ip link set lo up; ip addr add 10.79.0.{number}/24 dev eth0; ip -6 addr add fd0d:79::{number}/64 dev eth0 nodad; "
                  "ip link set eth0 up"])
            first.stdin.write(b"go\n")
            first.stdin.close()
            self.states.append({"name": f"h{number}", "pid": pid, "address": f"10.79.0.{number}"})
            key = must(["nsenter", "-t", str(pid), "-m", "cat", "/etc/ssh/ssh_host_ed25519_key.pub"])
            known.append(f"10.79.0.{number} {key}")
        self.write_ssh(self.user, known)

    def start_machine(self, name):
        os.mkdir(self.path(name))

        def enter_groups():
            die_with_parent()
            for folder in self.group_folders():
                try:
                    os.makedirs(os.path.join(folder, name), exist_ok=True)
                    with open(os.path.join(folder, name, "cgroup.procs"), "w", encoding="ascii") as file:
                        file.write(str(os.getpid()))
                except OSError:
                    pass  # a controller that takes no processes here

        words = ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child", "sh", "-c", FIRST,
                 "sh", self.directory, name, self.user]
        with open(self.path(f"{name}.log"), "wb") as log:
            process = subprocess.Popen(words, preexec_fn=enter_groups, stdin=subprocess.PIPE, stdout=subprocess.PIPE,  # pylint: disable=all
                                       stderr=log, start_new_session=True)
        self.processes.append(process)
        return process



# Run as the first process of a container, with the client's public key as its argument.
FIRST_OF_CONTAINER = r"""set -e
mkdir -p /run/sshd /root/.ssh /etc/ssh
chmod 700 /root /root/.ssh
echo "$1" >/root/.ssh/authorized_keys
grep -q '^sshd:' /etc/passwd || echo 'sshd:x:74:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
(umask 077; echo 'root:*:19000:0:99999:7:::' >/etc/shadow)
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
/usr/sbin/sshd -D -e -f /dev/null -o Subsystem="sftp internal-sftp" &
wait
"""
CAPABILITIES = ("NET_ADMIN", "SYS_PTRACE", "SYS_ADMIN")


class Docker(Machines):
    """A Docker daemon of our own, without containers: for nodes that are made for a run."""

    def __init__(self, count):
        self.host = 0  # of the daemon's namespaces, a process
        super().__init__(count)

    def bring_up(self, count):
        socket = f"unix://{self.path('socket')}"
        self.environment["DOCKER_HOST"] = socket
        words = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                 'ip link set lo up; exec "$@"', "sh", "dockerd", "--data-root", self.path("data"), "--exec-root", self.path("exec"),
                 "-H", socket, "--pidfile", self.path("pid"), "--cgroup-parent", "/" + self.groups]
        with open(self.path("daemon.log"), "wb") as log:
            daemon = self.start(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.host = eventually(lambda: children(daemon.pid), "the Docker daemon")[0]
        self.namespace = f"/proc/{self.host}/ns/net"
        eventually(lambda: self.docker("version").returncode == 0, "the Docker daemon", 60)

    def docker(self, *words):
        return quiet(["docker", *words], env=self.environment)


class Containers(Docker):
    """Containers that somebody runs, with an sshd and leave to do what the faults do; `capabilities`: less or more of that."""

    def __init__(self, count, capabilities=CAPABILITIES):
        self.capabilities = capabilities
        super().__init__(count)

    def bring_up(self, count):
        super().bring_up(count)
        self.make_image()
        key = read_text(self.path("client.pub"))
        allowed = [word for capability in self.capabilities for word in ("--cap-add", capability)]
        if "SYS_ADMIN" in self.capabilities:
            allowed += ["--device", "/dev/fuse", "--security-opt", "apparmor=unconfined"]
        shared = [word for path in ("/usr", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl") for word in ("-v", f"{path}:{path}:ro")]
        known = []
        for number in range(1, count + 1):
            name = f"c{number}"
            must(["docker", "run", "-d", "--name", name, "--hostname", name, *allowed, *shared, "trial", "sh", "-c",
                  FIRST_OF_CONTAINER, "sh", key], env=self.environment)
            self.states.append(self.state(name))
        for machine in self.states:
            file = "/etc/ssh/ssh_host_ed25519_key.pub"
            line = eventually(lambda one=machine: self.docker("exec", one["name"], "cat", file).stdout, f"the key of {machine['name']}")
            known.append(f"{machine['address']} {line}")
        self.write_ssh("root", known)

    def make_image(self):
        tree = self.path("tree")
        for directory in ("usr", "etc/alternatives", "proc", "sys", "dev", "tmp", "run", "root", "var/lib", "var/log", "var/tmp"):
            os.makedirs(os.path.join(tree, directory))
        for link in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink("/" + link):
                os.symlink(os.readlink("/" + link), os.path.join(tree, link))
        for file in ("passwd", "group", "nsswitch.conf", "services", "protocols"):
            if os.path.exists("/etc/" + file):
                shutil.copy("/etc/" + file, os.path.join(tree, "etc", file))
        open(os.path.join(tree, "etc/ld.so.cache"), "wb").close()
        must(["sh", "-c", 'tar -C "$1" -c . | docker import - trial', "sh", tree], env=self.environment)

    def state(self, name):
        text = must(["docker", "inspect", "--format", "{{.Id}} {{.State.Pid}} {{.NetworkSettings.IPAddress}}", name], env=self.environment)
        identity, inner, address = text.split()
        return {"name": name, "pid": eventually(lambda: host_process(inner, identity), f"the first process of {name}"), "address": address}


def host_process(inner, identity):
    """The process that the daemon knows as `inner`, by our ids: the one in the control groups of the container."""
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and identity in read_text(f"/proc/{name}/cgroup"):
                ids = [line for line in read_text(f"/proc/{name}/status").splitlines() if line.startswith("NSpid:")][0].split()
                if inner in ids[2:] and ids[-1] == "1":
                    return int(name)
        except OSError:
            continue
    return 0
