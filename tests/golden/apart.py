#!/usr/bin/env python3
"""apart.py ORDEAL: a file whose check is killed, or never ends, takes no verdict of other files with it.

The check of the second file waits at standard input; its process is killed there, or stopped so that it cannot even keep its time limit.
The first and third file keep their verdicts, the second is unknown, and standard output is one JSON document. The same for a file alone.
"""

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

STALE = """{"process":0,"type":"invoke","f":"write","value":1}
{"process":0,"type":"ok","f":"write","value":1}
{"process":0,"type":"invoke","f":"read","value":null}
{"process":0,"type":"ok","f":"read","value":null}
"""


def reading_child(process, reader, writer):
    """The child that reads standard input, the only one there is by then: it took a byte from the pipe."""
    os.write(writer, b" ")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4))[0] == 0:
            with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as file:
                children = file.read().split()
            assert len(children) == 1, children
            return int(children[0])
        time.sleep(0.01)
    raise AssertionError("nobody reads standard input")


def judged(ordeal, files, number, options=()):
    """Exit code and documents; `number`: the signal for the child that judges standard input, 0: none."""
    reader, writer = os.pipe()
    run = subprocess.Popen([ordeal, "check", "--json", "--model", "register", *options, *files], stdin=reader,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if number:
        os.kill(reading_child(run.pid, reader, writer), number)
    out, _ = run.communicate(timeout=100)
    os.close(writer)
    os.close(reader)
    return run.returncode, json.loads(out)


def trial(ordeal, fresh, stale, number, options, reason):
    code, out = judged(ordeal, [fresh, "-", stale], number, options)
    assert [one["verdict"] for one in out] == ["valid", "unknown", "invalid"], out
    assert reason in out[1]["reason"], out
    assert code == 1, code
    code, out = judged(ordeal, ["-"], number, options)
    assert code == 2 and out["verdict"] == "unknown" and reason in out["reason"], (code, out)


def main():
    ordeal = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        stale, fresh = (os.path.join(folder, name) for name in ("stale", "fresh"))
        with open(stale, "w", encoding="utf-8") as file:
            file.write(STALE)
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(STALE.replace("null}\n", "1}\n"))
        trial(ordeal, fresh, stale, signal.SIGSEGV, (), "signal 11")
        trial(ordeal, fresh, stale, signal.SIGSTOP, ("--timeout", "2"), "had not ended 11 s after its time limit")
        trial(ordeal, fresh, stale, 0, ("--timeout", "0.5"), "the time limit was reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())
