#!/usr/bin/env python3
"""scripts/sanitize.sh fails when a process is reported on, also one whose exit code nobody looks at, and only then.

Once `make asan` and `make tsan` looked at exit codes alone: what a test started and killed, or expected to fail, could be
reported on unseen."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = """#include <stdlib.h>
int main(int argc, char** argv) {
  volatile char* bytes = malloc(4);
  bytes[argc > 1 ? 4 : 3] = 1;
  free((void*)bytes);
  return argv[0] == NULL;
}
"""


class Sanitize(unittest.TestCase):
    def setUp(self):
        self.tree = tempfile.mkdtemp(prefix="ordeal-sanitize-")
        self.addCleanup(shutil.rmtree, self.tree)
        for room in ("base", "reports", "tests"):
            os.makedirs(os.path.join(self.tree, "build/asan", room, "CMakeFiles"))
            with open(os.path.join(self.tree, "build/asan", room, "CTestTestfile.cmake"), "w", encoding="utf-8"):
                pass
        os.makedirs(os.path.join(self.tree, "tests"))
        shutil.copytree(os.path.join(ROOT, "tests/sanitizers"), os.path.join(self.tree, "tests/sanitizers"))
        os.makedirs(os.path.join(self.tree, "scripts"))
        shutil.copy(os.path.join(ROOT, "scripts/sanitize.sh"), os.path.join(self.tree, "scripts"))
        source = os.path.join(self.tree, "program.c")
        with open(source, "w", encoding="utf-8") as text:
            text.write(PROGRAM)
        self.program = os.path.join(self.tree, "build/asan/ordeal")
        subprocess.run(["gcc", "-fsanitize=address", "-w", source, "-o", self.program], check=True)

    def play(self, command):
        with open(os.path.join(self.tree, "build/asan/CTestTestfile.cmake"), "w", encoding="utf-8") as text:
            text.write(f'add_test(one "/bin/sh" "-c" "{command}")\n')
        environment = {**os.environ, "SANITIZE_SECONDS": "0"}
        return subprocess.run([os.path.join(self.tree, "scripts/sanitize.sh"), "asan"], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)

    def test_nothing_to_report(self):
        done = self.play(self.program)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_what_was_built_stays(self):
        # Reports went to build/asan/reports, where the room of that name is built.
        self.play(self.program + " over || true")
        for room in ("base", "reports", "tests"):
            self.assertEqual(sorted(os.listdir(os.path.join(self.tree, "build/asan", room))), ["CMakeFiles", "CTestTestfile.cmake"])

    def test_a_test_that_fails(self):
        done = self.play("exit 3")
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_a_report_that_no_test_looks_at(self):
        done = self.play(self.program + " over || true")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("heap-buffer-overflow", done.stdout)
        self.assertIn("one for each process: 1", done.stdout)

    def test_what_is_not_built_or_not_known(self):
        os.remove(self.program)
        self.assertEqual(self.play("true").returncode, 3)
        done = subprocess.run([os.path.join(self.tree, "scripts/sanitize.sh"), "msan"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 64)


if __name__ == "__main__":
    sys.exit(unittest.main())
