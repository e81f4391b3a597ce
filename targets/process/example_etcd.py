#!/usr/bin/env python3
"""An adapter for Ordeal (PROTOCOL.md): registers and a set in etcd, with the standard library only.

    ordeal run --target process --set process.database=etcd --workload register
               --set 'process.command=python3 targets/process/example_etcd.py'
"""
import argparse, base64, http.client, json, queue, sys, threading, time


class Unknown(Exception): """Nobody knows whether the request took effect."""
class Failed(Exception): """The request certainly had no effect."""


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Etcd:
    def __init__(self, host, port):
        self.host, self.port, self.connection = host, port, None

    def call(self, path, body, timeout):
        try:
            if self.connection is None:  # no request leaves before the connection stands
                self.connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
                self.connection.connect()
        except OSError as error:
            self.connection = None
            raise Failed("connect", str(error))
        try:  # one attempt: http.client repeats nothing by itself
            self.connection.sock.settimeout(timeout)
            self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            reply = self.connection.getresponse()
            document = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.connection.close()
            self.connection = None
            raise Unknown(type(error).__name__, str(error))
        if reply.status != 200:
            raise Unknown("etcd", document.get("message", ""))
        return document

    def range(self, key, end, timeout):
        kvs = self.call("/v3/kv/range", {"key": b64(key), "range_end": b64(end)}, timeout).get("kvs", [])
        return [json.loads(base64.b64decode(kv["value"])) for kv in kvs]

    def put(self, key, value, timeout):
        self.call("/v3/kv/put", {"key": b64(key), "value": b64(json.dumps(value))}, timeout)

    def cas(self, key, old, new, timeout):
        guard = {"key": b64(key), "result": "EQUAL", "target": "VALUE", "value": b64(json.dumps(old))}
        if old is None:
            guard = {"key": b64(key), "result": "EQUAL", "target": "CREATE", "create_revision": "0"}
        put = {"request_put": {"key": b64(key), "value": b64(json.dumps(new))}}
        if not self.call("/v3/kv/txn", {"compare": [guard], "success": [put]}, timeout).get("succeeded"):
            raise Failed("precondition", "the value was not %s" % json.dumps(old))


def invoke(etcd, op, timeout):
    f, key, value = op["f"], "py/%s" % op.get("key"), op.get("value")
    try:
        if f == "read" and "key" in op:
            return {"type": "ok", "value": (etcd.range(key, "", timeout) or [None])[0]}
        if f == "read":
            return {"type": "ok", "value": etcd.range("pyset/", "pyset0", timeout)}
        if f == "write":
            etcd.put(key, value, timeout)
        elif f == "cas":
            etcd.cas(key, value[0], value[1], timeout)
        elif f == "add":
            etcd.put("pyset/%s" % json.dumps(value), value, timeout)
        else:
            raise Failed("unsupported", f)
        return {"type": "ok"}
    except (Unknown, Failed) as error:  # a read changes nothing: whatever went wrong, it failed
        outcome = "fail" if f == "read" or isinstance(error, Failed) else "info"
        return {"type": outcome, "error": {"kind": error.args[0], "message": error.args[1]}}


def serve(requests, default_port, reply_to):
    """One client, on a thread of its own; its requests come one after the other."""
    etcd = None
    while True:
        request, reply = requests.get(), {"type": "ok"}
        if request["request"] == "open":
            host, port = (request.get("node") or {}).get("address", "127.0.0.1"), default_port
            if request.get("endpoint"):
                host, port = request["endpoint"].rsplit(":", 1)
            etcd = Etcd(host.strip("[]"), int(port))
        elif request["request"] == "invoke":
            reply = invoke(etcd, request["op"], max(request["timeout_ms"], 1) / 1000)
        reply_to(request, reply)
        if request["request"] == "close":
            return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=2379)
    arguments, clients, lock = parser.parse_args(), {}, threading.Lock()

    def reply_to(request, reply):
        with lock:  # a reply is one line, whoever else is writing
            print(json.dumps(dict(reply, id=request["id"])), flush=True)

    for line in sys.stdin:
        request = json.loads(line)
        if request.get("protocol", 1) != 1:
            reply_to(request, {"type": "fail", "error": {"kind": "protocol", "message": "only version 1 is spoken"}})
            continue
        if request["request"] == "describe":
            reply_to(request, {"type": "ok", "protocol": 1, "operations": ["read", "write", "cas", "add"], "clients": 100})
            continue
        client = request.get("client")  # absent when there is only one
        if client not in clients:
            clients[client] = queue.SimpleQueue()
            threading.Thread(target=serve, args=(clients[client], arguments.port, reply_to), daemon=True).start()
        clients[client].put(request)
        if request["request"] == "close":
            del clients[client]
    time.sleep(0.1)  # replies to `close` may be under way


main()
