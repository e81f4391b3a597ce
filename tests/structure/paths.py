#!/usr/bin/env python3
"""Every path of ours that a comment or a README names is there.

    paths.py [--root FOLDER] [ROOM…]    exit code 1 and a line for each name that leads nowhere (in ROOM… only)
    paths.py --self-test                texts with a wrong name each, which must be noticed

What is looked at: the comments of C++, CMake, shell and Python files, and whole .md files. What counts as a path: a word
with a slash whose first part is one of our folders (a file, a file without its ending, a folder, or a glob that finds
something; relative to the top, or to the file that says it), and a bare name of a file (foo.h, foo.cc, foo.py, foo.md,
foo_test). Words with a placeholder in them (NAME, <name>) are left alone.
"""

import argparse
import fnmatch
import os
import re
import subprocess
import sys

ROOMS = ("base", "checkers", "harness", "nemesis", "workloads", "targets", "reports", "session", "cli", "systems", "board",
         "tests", "scripts", "cmake", "doc", "examples")
# Files that others make or that are made while building, and names that only look like ours.
ELSEWHERE = {
    "assets.cc",  # made by reports/embed.cmake
    "my_client.py",  # the reader's
    "summary.md",  # of a campaign
}
WORD = re.compile(r"[A-Za-z0-9_.{},*/+-]+")
BARE = re.compile(r"^[A-Za-z0-9_]+(\.(h|cc|py|md|cmake)|_test)$")
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b")
COMMENT = {
    "cc": re.compile(r"//[^\n]*|/\*.*?\*/", re.S),
    "hash": re.compile(r"(?:^|\s)#[^\n]*"),
    "md": re.compile(r".*", re.S),
}
KINDS = {".cc": "cc", ".h": "cc", ".py": "hash", ".sh": "hash", ".cmake": "hash", ".txt": "hash", ".md": "md"}
STRING = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)


def kind_of(path):
    name = os.path.basename(path)
    if name == "Makefile":
        return "hash"
    if name.endswith(".txt") and name != "CMakeLists.txt":
        return None
    return KINDS.get(os.path.splitext(name)[1])


def expanded(word):
    """a.h/.cc and a/{b,c} name several files; each must be there."""
    match = re.match(r"^(.*)\{([^{}]*)\}(.*)$", word)
    if match:
        return [one for part in match[2].split(",") for one in expanded(match[1] + part + match[3])]
    match = re.match(r"^(.*)(\.\w+)/(\.\w+)$", word)
    return [match[1] + match[2], match[1] + match[3]] if match else [word]


class Tree:
    def __init__(self, root, files):
        self.root, self.files = root, set(files)
        self.folders = {""}
        for file in files:
            while file := os.path.dirname(file):
                self.folders.add(file)
        self.stems = {os.path.splitext(file)[0] for file in files}
        self.names = {os.path.basename(file) for file in files}
        self.bare_stems = {os.path.splitext(name)[0] for name in self.names}
        self.programs = set()
        for file in files:
            if os.path.basename(file) == "CMakeLists.txt":
                text = open(os.path.join(root, file), encoding="utf-8").read()
                self.programs |= set(re.findall(r"(?:ordeal_test|add_executable|function|NAME)[\s(]+(\w+)", text))

    def has(self, path):
        path = os.path.normpath(path)
        if "*" in path:
            return any(fnmatch.fnmatch(file, path) for file in self.files | self.folders)
        return path in self.files or path in self.folders or path in self.stems

    def leads_nowhere(self, word, folder):
        word = word.rstrip("/")
        if "/" not in word:
            return (BARE.match(word) and word not in self.names and word not in self.programs
                    and word not in self.bare_stems and word not in ELSEWHERE)
        first = word.split("/")[0]
        if first not in ROOMS or all(part in ROOMS for part in word.split("/")):
            return False
        if os.path.basename(word) in ELSEWHERE:
            return False
        return not self.has(word) and not self.has(os.path.join(folder, word))


def look(root, files, rooms=()):
    tree = Tree(root, files)
    problems = []
    for file in sorted(files):
        kind = kind_of(file)
        if kind is None or (rooms and file.split("/")[0] not in rooms):
            continue
        text = open(os.path.join(root, file), encoding="utf-8", errors="replace").read()
        if kind == "cc":
            # What a string says is no comment, and may hold "//".
            text = STRING.sub(lambda found: "\n" * found[0].count("\n"), text)
        for comment in COMMENT[kind].finditer(text):
            for match in WORD.finditer(comment[0]):
                at = comment.start() + match.start()
                word = match[0].rstrip(".,") if "{" in match[0] else match[0].rstrip(".,*-+").strip("}")
                before, after = comment[0][max(0, match.start() - 1):match.start()], comment[0][match.end():match.end() + 1]
                if before in ("<", ">", ":") or after == "<" or (PLACEHOLDER.search(word) and not word.endswith(".md")):
                    continue  # a placeholder, a system header, a URL
                for one in expanded(word):
                    if tree.leads_nowhere(one, os.path.dirname(file)):
                        problems.append(f"{file}:{text.count(chr(10), 0, at) + 1}: {one} is not there")
    return problems


def committed(root):
    done = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
                          capture_output=True, text=True)
    if done.returncode == 0:
        return [file for file in done.stdout.splitlines() if os.path.exists(os.path.join(root, file))]
    found = (os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names)
    return [file for file in found if not file.startswith(("build/", "store/", ".git/"))]


def self_test():
    import tempfile
    wrong = {
        "a folder": ("base/a.cc", "// See checkers/none/."),
        "a file": ("base/a.cc", "// See base/b.h for more"),
        "a file without its ending": ("base/a.cc", "// base/b says why"),
        "a bare header": ("base/a.cc", "int i;  // as in gone.h"),
        "a test": ("base/a.cc", "// Tested by gone_test."),
        "a page": ("base/README.md", "See [the page](gone.md)."),
        "one of two": ("base/a.cc", "// base/a.h/.cc"),
        "a script": ("scripts/x.sh", "# tests/gone.py does it"),
    }
    right = ("base/a.cc", '// base/a, base/a.cc, base/*.cc, targets/<name>/x.cc, base/NAME.cc, harness/nemesis, a.cc\n'
                          'const char* s = "// base/none.h";')
    failed = 0
    for what, (name, text) in {**wrong, "nothing": right}.items():
        with tempfile.TemporaryDirectory() as root:
            for file, content in {"base/a.cc": "", name: text}.items():
                os.makedirs(os.path.join(root, os.path.dirname(file)), exist_ok=True)
                with open(os.path.join(root, file), "w", encoding="utf-8") as out:
                    out.write(content + "\n")
            found = look(root, sorted({"base/a.cc", name}))
            if bool(found) == (what == "nothing"):
                print(f"self-test: {what}: {found or 'not noticed'}")
                failed = 1
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("rooms", nargs="*")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    root = os.path.normpath(arguments.root)
    problems = look(root, committed(root), arguments.rooms)
    for line in problems:
        print(line)
    print(f"{len(problems)} names lead nowhere" if problems else "every path that is named is there")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
