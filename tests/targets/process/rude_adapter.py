"""An adapter that misbehaves as its operations tell it to; for adapter_test.cc."""
import json
import os
import signal
import subprocess
import sys
import time

for line in sys.stdin:
    request = json.loads(line)

    def reply(**fields):
        print(json.dumps(dict(fields, id=request["id"])), flush=True)

    if request["request"] == "describe":
        reply(type="ok", protocol=int(os.environ.get("RUDE_PROTOCOL", "1")), operations=["read", "write"])
        continue
    if request["request"] != "invoke":
        if request["request"] == "open" and sys.argv[1:] == ["refuse"]:
            reply(type="fail", error={"kind": "no-database", "message": "nothing there"})
        else:
            reply(type="ok")
        continue
    what, value = request["op"]["f"], request["op"]["value"]
    if value == "nothing":
        reply(type="ok")
    elif value == "nil":
        reply(type="ok", value=None)
    elif what == "misspelt" or value == "misspelt":
        reply(type="ok", vlaue=3)
    elif what == "half-line":
        os.write(1, b"half a rep")
        time.sleep(60)
    elif what == "echo":
        reply(type="ok", value=value)
    elif what == "pid":
        reply(type="ok", value=os.getpid())
    elif what == "child":
        reply(type="ok", value=subprocess.Popen(["sleep", "60"]).pid)
    elif what == "length":
        reply(type="ok", value=len(value))
    elif what == "long":
        reply(type="ok", value="x" * value)
    elif what == "nothing":
        reply(type="ok")
    elif what == "fail":
        reply(type="fail", error={"kind": "refused", "message": "no"})
    elif what == "info":
        reply(type="info")
    elif what == "exit":
        print("the disk is gone", file=sys.stderr, flush=True)
        sys.exit(3)
    elif what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "garbage":
        print("\x1b[31moops\x00", value, flush=True)
    elif what == "wrong-id":
        print(json.dumps({"id": 999999, "type": "ok"}), flush=True)
    elif what == "bad-type":
        reply(type="maybe")
    elif what == "silence":
        time.sleep(60)
    elif what == "close-output":
        os.close(1)
        time.sleep(60)
    elif what == "close-errors":
        os.close(2)
        reply(type="ok")
    elif what == "flood-bytes":
        while True:
            os.write(1, b"x" * 65536)
    elif what == "flood-lines":
        while True:
            os.write(1, b"{}\n" * 1000)
    elif what == "flood-errors":
        for i in range(20000):
            print("complaint number", i, "x" * 100, file=sys.stderr)
        reply(type="ok")
    elif what == "twice":
        reply(type="ok")
        reply(type="ok")
