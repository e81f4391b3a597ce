#!/usr/bin/env python3
"""apart.py ORDEAL: a file whose check is killed takes no verdict of other files with it.

The check of the second file waits at a FIFO; its process is killed there. The first and third file keep their verdicts, the second
is unknown, and standard output is one JSON document.
"""

import json
import os
import subprocess
import sys
import tempfile

STALE = """{"process":0,"type":"invoke","f":"write","value":1}
{"process":0,"type":"ok","f":"write","value":1}
{"process":0,"type":"invoke","f":"read","value":null}
{"process":0,"type":"ok","f":"read","value":null}
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        stale, fresh, fifo = (os.path.join(folder, name) for name in ("stale", "fresh", "fifo"))
        with open(stale, "w", encoding="utf-8") as file:
            file.write(STALE)
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(STALE.replace("null}\n", "1}\n"))
        os.mkfifo(fifo)
        run = subprocess.Popen([sys.argv[1], "check", "--json", "--model", "register", fresh, fifo, stale],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Opens once the child of the second file reads; then that child is the only one there is.
        writer = os.open(fifo, os.O_WRONLY)
        with open(f"/proc/{run.pid}/task/{run.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        assert len(children) == 1, children
        os.kill(int(children[0]), 11)
        out, _ = run.communicate(timeout=60)
        os.close(writer)
    verdicts = [one["verdict"] for one in json.loads(out)]
    assert verdicts == ["valid", "unknown", "invalid"], (verdicts, out)
    assert "signal 11" in json.loads(out)[1]["reason"], out
    assert run.returncode == 1, run.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
