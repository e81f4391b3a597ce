"""A copy of the tree, where files are changed and tests are built: the checkout itself is never written to."""

import ctypes
import fcntl
import filecmp
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

# Bytes of address space for a test: a mutant may ask for all there is. Databases take much of it and use little.
MEMORY, MEMORY_OF_DATABASES = 8 << 30, 64 << 30


def child_setup(memory=None):
    """In a child: it dies with this script, however that ends, and cannot take the machine's memory."""
    def setup():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return setup


class Tree:
    def __init__(self, source, work, preset, jobs):
        self.source = source
        self.root = os.path.join(work, "tree")
        self.build = os.path.join(self.root, "build", preset)
        self.preset, self.jobs = preset, jobs
        self.objects = {}  # file -> the object file of its unchanged source
        os.makedirs(self.root, exist_ok=True)
        # Compilers hold it as well: those of a run that was killed may live on for a while, and write what they make.
        self.lock = open(os.path.join(work, "lock"), "w")
        for wait in [0.5] * 120 + [None]:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if wait is None:
                    sys.exit(f"mutate.py: another one works in {work}; wait for it or give --work another folder")
                time.sleep(wait)
        shared = os.path.join(os.path.dirname(source), "shared")
        if os.path.isdir(shared) and not os.path.lexists(os.path.join(work, "shared")):
            os.symlink(shared, os.path.join(work, "shared"))

    def read(self, file):
        with open(os.path.join(self.source, file), "rb") as source:
            return source.read()

    def files(self):
        done = subprocess.run(["git", "-C", self.source, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                              capture_output=True, text=True)
        listed = done.stdout.split("\0")
        if done.returncode != 0 or not any(listed):  # a tree without git
            listed = [os.path.relpath(os.path.join(folder, name), self.source)
                      for folder, _, names in os.walk(self.source) for name in names]
            listed = [file for file in listed if not file.startswith(("build/", ".git/"))]
        return {file for file in listed if file and os.path.isfile(os.path.join(self.source, file))}

    def sync(self):
        """Makes the copy equal to the checkout, uncommitted changes included."""
        files = self.files()
        for folder, folders, names in os.walk(self.root):
            if folder == self.root:
                folders[:] = [name for name in folders if name not in ("build", ".git")]
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.root) not in files:
                    os.remove(path)
        for file in files:
            old, new = os.path.join(self.source, file), os.path.join(self.root, file)
            if os.path.exists(new) and filecmp.cmp(old, new, shallow=False):
                continue
            os.makedirs(os.path.dirname(new), exist_ok=True)
            shutil.copyfile(old, new)
            shutil.copymode(old, new)

    def write(self, file, text):
        path = os.path.join(self.root, file)
        try:
            with open(path, "rb") as old:
                if old.read() == text:
                    return
        except FileNotFoundError:
            pass
        with open(path, "wb") as new:
            new.write(text)

    def call(self, command, **rest):
        return subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", preexec_fn=child_setup(), pass_fds=(self.lock.fileno(),), **rest)

    def configure(self):
        done = self.call(["cmake", "--preset", self.preset])
        if done.returncode != 0:
            sys.exit("mutate.py: the tree could not be configured:\n" + done.stdout)

    def make(self, targets):
        """(built, output) of the ninja targets."""
        done = self.call(["ninja", "-C", self.build, "-k", "0", "-j", str(self.jobs), *targets])
        return done.returncode == 0, done.stdout

    def programs_with(self, files, also=None):
        """The programs that are linked from an object of one of the files (or of what includes one of them) or whose name
        is found by the regular expression `also`, and where the sources of each lie under tests/."""
        objects = self.objects_of(files)
        targets = self.call(["ninja", "-C", self.build, "-t", "targets", "all"]).stdout
        programs = re.findall(r"^(\S+): CXX_EXECUTABLE_LINKER", targets, re.M)
        found = {}
        for program in programs:
            inputs = set(self.call(["ninja", "-C", self.build, "-t", "inputs", program]).stdout.split())
            if inputs & objects or (also and re.search(also, os.path.basename(program))):
                own = [i for i in inputs if f"/{os.path.basename(program)}.dir/" in i and i.endswith(".o")]
                found[program] = os.path.dirname(own[0].split("/CMakeFiles/")[0] + "/") if own else ""
        return found

    def objects_of(self, files):
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as text:
            entries = json.load(text)
        headers = [file for file in files if file.endswith(".h")]
        with_headers = self.includers(headers) if headers else set()
        found = set()
        for entry in entries:
            file = os.path.relpath(entry["file"], self.root)
            if file in files or file in with_headers:
                found.add(re.search(r" -o (\S+)", entry["command"])[1])
        return found

    def includers(self, headers):
        """The sources that include one of the headers, directly or not: by the text of the tree."""
        include = re.compile(r'^#include "([^"]+)"', re.M)
        users = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in ("build", ".git")]
            for name in names:
                if name.endswith((".cc", ".h")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8", errors="replace") as text:
                        for header in include.findall(text.read()):
                            users.setdefault(header, set()).add(os.path.relpath(path, self.root))
        found, todo = set(), list(headers)
        while todo:
            for user in users.get(todo.pop(), ()):
                if user not in found:
                    found.add(user)
                    todo.append(user)
        return found

    def same_code(self, mutant, source):
        """Whether the compiler makes the same object of the mutant as of the source: it is equivalent for certain."""
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as text:
            entry = next((e for e in json.load(text) if e["file"] == os.path.join(self.root, mutant.file)), None)
        if entry is None:
            return False
        objects = [self.objects[mutant.file]] if mutant.file in self.objects else []
        for text in [mutant.applied(source)] if objects else [source, mutant.applied(source)]:
            self.write(mutant.file, text)
            out = os.path.join(self.build, "mutant.o")
            command = re.sub(r" -o \S+", f" -o {out}", entry["command"]).replace("-Werror", "-w")
            done = subprocess.run(command, shell=True, cwd=entry["directory"], capture_output=True, preexec_fn=child_setup(),
                                  pass_fds=(self.lock.fileno(),))
            if done.returncode != 0:
                return False
            with open(out, "rb") as made:
                objects.append(made.read())
            self.objects.setdefault(mutant.file, objects[0])
        return objects[0] == objects[1]
