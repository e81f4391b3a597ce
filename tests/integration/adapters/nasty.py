#!/usr/bin/env python3
"""A correct register behind an adapter that misbehaves: nasty.py HOW; for adapter_cases.py.

The register lives in the file that STATE names, so that all adapters of a run share it, and what it answers is right whenever it does
answer. About one operation in ten goes wrong, in the way that HOW says.
"""
import fcntl
import json
import os
import random
import subprocess
import sys
import time

HOW = sys.argv[1]
PATH = os.environ["STATE"]
PART = float(os.environ.get("PART", "0.1"))


def carry_out(op):
    """The type and value of the reply."""
    with open(PATH + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = {}
        if os.path.exists(PATH):
            with open(PATH, encoding="utf-8") as file:
                store = json.load(file)
        key, value = json.dumps(op.get("key")), op["value"]
        seen = store.get(key)
        if op["f"] == "read":
            return "ok", seen
        if op["f"] == "cas" and seen != value[0]:
            return "fail", None
        store[key] = value[1] if op["f"] == "cas" else value
        with open(PATH + ".new", "w", encoding="utf-8") as file:
            json.dump(store, file)
        os.rename(PATH + ".new", PATH)
        return "ok", value


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def misbehave(request, line, answer):
    """In place of the answer, whose line is `line`."""
    if HOW == "buffered":
        sys.stdout.write(line)  # and nobody flushes
        time.sleep(60)
    elif HOW == "half-line":
        write(line[: len(line) // 2])
        time.sleep(60)
    elif HOW == "long-line":
        for _ in range(100):
            write("x" * (1 << 20))
        write("\n")
    elif HOW == "bad-utf8":
        os.write(1, b'{"id":%d,"type":"ok","value":"\xff\xfe"}\n' % request["id"])
    elif HOW == "debug":
        write("DEBUG " + json.dumps(request["op"]) + "\n" + line)
    elif HOW == "exit":
        sys.exit(7)
    elif HOW == "errors":
        for i in range(3000):
            print("complaint", i, "x" * 100, file=sys.stderr)
        write(line)
    elif HOW == "twice":
        write(line + line)
    elif HOW == "future":
        write(json.dumps(dict(answer, id=request["id"] + 1)) + "\n")
    elif HOW == "closes-input":
        os.close(0)
        write(line)
        time.sleep(60)
    elif HOW == "closes-output":
        os.close(1)
        time.sleep(60)
    elif HOW == "leaves-child":
        # It holds the adapter's output open after the adapter's end.
        subprocess.Popen(["sleep", "60"])
        os._exit(0)
    elif HOW == "unknown-member":
        write(json.dumps(dict(answer, vlaue=1)) + "\n")
    elif HOW == "no-value":
        answer.pop("value", None)
        write(json.dumps(answer) + "\n")
    elif HOW == "late":
        time.sleep(3)
        write(line)
    else:
        sys.exit(f"unknown: {HOW}")


def main():
    for text in iter(sys.stdin.readline, ""):
        request = json.loads(text)
        answer = {"id": request["id"], "type": "ok"}
        if request["request"] == "describe":
            answer.update(protocol=1, operations=["read", "write", "cas"])
        bad = request["request"] == "invoke" and random.random() < PART
        if request["request"] == "invoke":
            answer["type"], value = carry_out(request["op"])
            if answer["type"] == "ok":
                answer["value"] = value
        line = json.dumps(answer) + "\n"
        if bad:
            misbehave(request, line, answer)
        else:
            write(line)


if __name__ == "__main__":
    main()
