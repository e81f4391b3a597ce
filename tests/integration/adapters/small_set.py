#!/usr/bin/env python3
"""A set on a few nodes, and its adapter: honest, or with one promise that it does not keep.

    small_set.py serve MODE    the server of a node: NODE_ADDRESS, NODE_ADDRESSES and SMALL_SET (its file) are in the environment
    small_set.py               the adapter (targets/process/PROTOCOL.md)

MODE: `honest` acknowledges an element when a majority of the nodes has it on its disk, and reads from a majority; `minority` acknowledges
as soon as it has an element itself; `lazy` writes to its disk every three seconds only; `slow` takes nine seconds to serve after a start
that finds something on its disk.
"""
import json, os, socket, socketserver, sys, threading, time

PORT = 7411


def ask(address, request, timeout):
    with socket.create_connection((address, PORT), timeout=timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall((json.dumps(request) + "\n").encode())
        return json.loads(connection.makefile().readline())


class Server:
    def __init__(self, mode):
        self.mode, self.path, self.lock, self.unsaved = mode, os.environ["SMALL_SET"], threading.Lock(), []
        self.others = [a for a in os.environ["NODE_ADDRESSES"].replace(",", " ").split() if a != os.environ["NODE_ADDRESS"]]
        self.majority = (len(self.others) + 1) // 2 + 1
        lines = open(self.path).read().splitlines() if os.path.exists(self.path) else []
        self.elements = [json.loads(line) for line in lines]
        if mode == "slow" and lines:
            time.sleep(9)
        if mode == "lazy":
            threading.Thread(target=self.save_at_times, daemon=True).start()

    def save(self, elements):
        with open(self.path, "a") as file:
            file.write("".join(json.dumps(one) + "\n" for one in elements))
            file.flush()
            os.fsync(file.fileno())

    def save_at_times(self):
        while True:
            time.sleep(3)
            with self.lock:
                self.save(self.unsaved)
                self.unsaved.clear()

    def store(self, element):
        with self.lock:
            self.elements.append(element)
            if self.mode == "lazy":
                self.unsaved.append(element)
            else:
                self.save([element])

    def from_others(self, request):
        answers, threads = [], []
        for other in self.others:
            def one(address=other):
                try:
                    answers.append(ask(address, request, 0.5))
                except (OSError, ValueError):
                    pass
            threads.append(threading.Thread(target=one))
            threads[-1].start()
        for thread in threads:
            thread.join()
        return answers

    def handle(self, request):
        if request["f"] == "store":
            self.store(request["value"])
        elif request["f"] == "add":
            self.store(request["value"])
            stored = 1 + len(self.from_others(dict(request, f="store")))
            if stored < self.majority and self.mode != "minority":
                return {"type": "info", "error": {"kind": "no-majority", "message": "%d nodes have it" % stored}}
        else:
            answers = [] if request["f"] == "own" else self.from_others({"f": "own"})
            if request["f"] == "read" and 1 + len(answers) < self.majority:
                return {"type": "fail", "error": {"kind": "no-majority", "message": ""}}
            with self.lock:
                return {"type": "ok", "value": sorted(set(self.elements).union(*(one["value"] for one in answers)))}
        return {"type": "ok"}


def serve(mode):
    server = Server(mode)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline()
            if line:
                self.wfile.write((json.dumps(server.handle(json.loads(line))) + "\n").encode())

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    socketserver.ThreadingTCPServer(("", PORT), Handler).serve_forever()


def adapt():
    address = None
    for line in sys.stdin:
        request, reply = json.loads(line), {"type": "ok"}
        if request["request"] == "describe":
            reply.update(protocol=1, operations=["add", "read"])
        elif request["request"] == "open":
            address = request["node"]["address"]
        elif request["request"] == "invoke":
            f = request["op"]["f"]
            try:
                reply = ask(address, {"f": f, "value": request["op"].get("value")}, max(request["timeout_ms"], 1) / 1000)
            except (OSError, ValueError) as error:
                refused = isinstance(error, ConnectionRefusedError) or f == "read"
                reply = {"type": "fail" if refused else "info", "error": {"kind": type(error).__name__, "message": str(error)}}
        print(json.dumps(dict(reply, id=request["id"])), flush=True)


if __name__ == "__main__":
    serve(sys.argv[2]) if sys.argv[1:2] == ["serve"] else adapt()
