"""An adapter that serves many clients, and misbehaves as it is told: many_adapter.py [CLIENTS]"""
import json, os, sys, threading, time

lock = threading.Lock()
waiting = threading.Event()


def reply(request, **members):
    with lock:
        os.write(1, (json.dumps(dict(members, id=request["id"])) + "\n").encode())


def carry_out(request):
    f, value = request["op"]["f"], request["op"]["value"]
    if f == "sleep":
        time.sleep(value)
        reply(request, type="ok", value=request["client"])
    elif f == "meet":  # answered only when another client's request is there as well
        waiting.wait(20)
        reply(request, type="ok", value=request["client"])
    elif f == "greet":
        waiting.set()
        reply(request, type="ok", value=request["client"])
    elif f == "pid":
        reply(request, type="ok", value=os.getpid())
    elif f == "stop":  # says nothing any more, to anybody
        lock.acquire()
    elif f == "exit":
        print("the disk is gone", file=sys.stderr, flush=True)
        os._exit(3)
    elif f == "garbage":
        os.write(1, b"oops\n")
    elif f == "stray":
        reply({"id": 999999}, type="ok")
    elif f == "flood":
        while True:
            os.write(1, b"x" * 65536)
    else:
        reply(request, type="ok", value=value)


for line in sys.stdin:
    request = json.loads(line)
    if request["request"] == "describe":
        reply(request, type="ok", protocol=1, operations=["echo"], clients=int(sys.argv[1]))
    elif request["request"] == "invoke":
        threading.Thread(target=carry_out, args=(request,), daemon=True).start()
    else:
        reply(request, type="ok")
