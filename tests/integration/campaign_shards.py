#!/usr/bin/env python3
"""The files of examples/campaigns, tried: a campaign in three shards and merged says what it says in one piece.

    campaign_shards.py --ordeal PROGRAM github|kubernetes|slurm

github, kubernetes: the commands that stand in the file, shard by shard, as the engine would run them. slurm: slurmctld, slurmd and munged on
loopback with a configuration of their own. Exit code 77: what it takes is not installed (python3-yaml; slurm-wlm and root).
"""

import argparse
import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "examples", "campaigns")


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(77)


def load_yaml(name):
    try:
        import yaml
    except ImportError:
        skip("python3-yaml is not installed")
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
        return yaml.safe_load(file)


def results(store):
    """The merged or whole campaign in that store, without what differs from time to time."""
    with open(os.path.join(store, "campaigns", "latest", "results.json"), encoding="utf-8") as file:
        document = json.load(file)
    for run in document["runs"]:
        assert "when" in run, f"{run['name']} was not played: {run}"
        del run["when"]
    return json.dumps(document)


def environment(ordeal, folder, more=None):
    """The program is on the PATH, as where it is installed."""
    programs = os.path.join(folder, "programs")
    os.makedirs(programs, exist_ok=True)
    if not os.path.exists(os.path.join(programs, "ordeal")):
        os.symlink(ordeal, os.path.join(programs, "ordeal"))
    out = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        out.pop(name, None)
    out.update(more or {})
    return out


def shell(command, folder, env):
    return subprocess.run(["/bin/sh", "-e", "-c", command], cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def github(ordeal, folder):
    jobs = load_yaml("github.yml")["jobs"]
    named = {step["name"]: step["run"] for job in jobs.values() for step in job["steps"] if "name" in step}
    for shard in jobs["shard"]["strategy"]["matrix"]["shard"]:
        command = re.sub(r"\$\{\{ *matrix\.shard *\}\}", str(shard), named["shard"])
        step = shell(command, folder, environment(ordeal, folder))
        assert step.returncode == 0, f"{command}\n{step.stdout}{step.stderr}"
    summary = os.path.join(folder, "step-summary")
    step = shell(named["merge"], folder, environment(ordeal, folder, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary}))
    assert step.returncode == 0, step.stdout + step.stderr
    with open(summary, encoding="utf-8") as file:
        assert "12 runs" in file.read()
    return os.path.join(folder, "out", "merged")


def kubernetes(ordeal, folder):
    job = load_yaml("kubernetes.yaml")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert job["spec"]["completionMode"] == "Indexed"
    for index in range(job["spec"]["completions"]):
        command = container["args"][0].replace("/campaign/", folder + "/")
        pod = shell(command, folder, environment(ordeal, folder, {"JOB_COMPLETION_INDEX": str(index)}))
        assert pod.returncode == 0, f"{command}\n{pod.stdout}{pod.stderr}"
    merge = shell(f"ordeal merge {folder}/out/shard-* --store {folder}/out/merged", folder, environment(ordeal, folder))
    assert merge.returncode == 0, merge.stdout + merge.stderr
    return os.path.join(folder, "out", "merged")


class Slurm:
    """A cluster of one node, with daemons, keys, sockets and state of its own."""

    def __init__(self, folder):
        for program in ("slurmctld", "slurmd", "sbatch", "munged"):
            if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
                skip(f"{program} is not installed (slurm-wlm)")
        if os.geteuid() != 0:
            skip("slurmd needs root")
        self.folder = os.path.join(folder, "slurm")
        os.mkdir(self.folder, 0o755)
        self.daemons = []
        self.environment = {"SLURM_CONF": os.path.join(self.folder, "slurm.conf")}

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, *words):
        log = open(self.path(os.path.basename(words[0]) + ".out"), "w", encoding="utf-8")
        self.daemons.append(subprocess.Popen(words, env=dict(os.environ, **self.environment), stdout=log, stderr=log))

    def __enter__(self):
        with open(self.path("key"), "wb") as key:
            key.write(os.urandom(128))
        os.chmod(self.path("key"), 0o400)
        name = os.uname().nodename.split(".")[0]
        with open(self.path("slurm.conf"), "w", encoding="utf-8") as conf:
            conf.write(f"""ClusterName=try
SlurmctldHost={name}(127.0.0.1)
SlurmUser={getpass.getuser()}
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={self.path('munge.socket')}
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation={self.path('state')}
SlurmdSpoolDir={self.path('spool')}
SlurmctldPidFile={self.path('slurmctld.pid')}
SlurmdPidFile={self.path('slurmd.pid')}
SlurmctldLogFile={self.path('slurmctld.log')}
SlurmdLogFile={self.path('slurmd.log')}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SelectType=select/cons_tres
NodeName={name} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} State=UNKNOWN
PartitionName=try Nodes={name} Default=YES MaxTime=INFINITE State=UP
""")
        for directory in ("state", "spool"):
            os.mkdir(self.path(directory))
        self.start("/usr/sbin/munged", "--foreground", "--force", f"--key-file={self.path('key')}",
                   f"--socket={self.path('munge.socket')}", f"--pid-file={self.path('munged.pid')}",
                   f"--log-file={self.path('munged.log')}", f"--seed-file={self.path('seed')}")
        self.wait("munge.socket", lambda: os.path.exists(self.path("munge.socket")))
        self.start("/usr/sbin/slurmctld", "-D", "-c")
        self.start("/usr/sbin/slurmd", "-D")
        self.wait("an idle node", lambda: "idle" in self.run("sinfo", "-h", "-o", "%t").stdout)
        return self

    def run(self, *words):
        return subprocess.run(words, env=dict(os.environ, **self.environment), capture_output=True, text=True, timeout=60)

    def wait(self, what, holds, seconds=120):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                logs = "".join(open(self.path(name), encoding="utf-8", errors="replace").read()
                               for name in os.listdir(self.folder) if name.endswith((".log", ".out")))
                raise AssertionError(f"no {what} within {seconds} s\n{logs[-4000:]}")
            time.sleep(0.2)

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def slurm(ordeal, folder):
    with Slurm(folder) as cluster:
        env = environment(ordeal, folder, cluster.environment)
        out = os.path.join(folder, "out")
        submitted = subprocess.run([os.path.join(EXAMPLES, "slurm.sh"), "campaign.toml", "3", out], cwd=folder, env=env,
                                   capture_output=True, text=True, timeout=60)
        assert submitted.returncode == 0, submitted.stderr
        last = submitted.stdout.split()[-1]
        ended = re.compile(r"JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)")
        cluster.wait("end of the merging job", lambda: ended.search(cluster.run("scontrol", "show", "job", last).stdout), 300)
        told = cluster.run("scontrol", "show", "job", last).stdout
        assert "JobState=COMPLETED" in told and "ExitCode=0:0" in told, told + open(os.path.join(out, "merged.log")).read()
    return os.path.join(out, "merged")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ordeal", required=True)
    parser.add_argument("engine", choices=["github", "kubernetes", "slurm"])
    arguments = parser.parse_args()
    ordeal = os.path.abspath(arguments.ordeal)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(os.path.join(EXAMPLES, "campaign.toml"), encoding="utf-8") as file:
            text = file.read().replace('time-limit = "2s"', 'time-limit = "400ms"\nrate = 500')
        with open(os.path.join(folder, "campaign.toml"), "w", encoding="utf-8") as file:
            file.write(text)
        store = {"github": github, "kubernetes": kubernetes, "slurm": slurm}[arguments.engine](ordeal, folder)
        whole = shell("ordeal run campaign.toml --store whole", folder, environment(ordeal, folder))
        assert whole.returncode == 0, whole.stdout + whole.stderr
        merged, one_piece = results(store), results(os.path.join(folder, "whole"))
        assert merged == one_piece, f"merged:\n{merged}\nin one piece:\n{one_piece}"
        print(f"{arguments.engine}: 12 runs in three shards, merged as in one piece ({len(merged)} bytes)")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as error:
        print(error)
        sys.exit(1)
