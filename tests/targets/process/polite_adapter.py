"""An adapter that keeps to the protocol, but for one mistake: polite_adapter.py [MISTAKE]. A register in memory."""
import json, os, sys, time

mistake = sys.argv[1] if len(sys.argv) > 1 else ""
clients = 1 if mistake == "one-client" else 10
state = {}


def say(text):
    os.write(1, text.encode() + b"\n")


def invoke(op):
    f, key, value = op["f"], op.get("key"), op.get("value")
    if f == "read":
        return {"type": "ok"} if mistake == "no-value" else {"type": "ok", "value": state.get(key)}
    if f == "write":
        state[key] = value
        return {"type": "done" if mistake == "type" else "ok"}
    if f == "cas":
        if state.get(key) != value[0]:
            return {"type": "fail", "error": "no" if mistake == "error" else {"kind": "precondition"}}
        state[key] = value[1]
        return {"type": "ok"}
    if mistake == "unknown-exit":
        sys.exit(3)
    return {"type": "ok" if mistake == "unknown-ok" else "fail", "error": {"kind": "unsupported"}}


def answer(request):
    kind = request["request"]
    if kind in ("describe", "open") and request.get("protocol") != 1 and mistake != "any-version":
        return {"type": "fail", "error": {"kind": "protocol", "message": "only version 1 is spoken"}}
    if kind == "describe":
        if mistake == "members" and len(request) > 3:
            return {"type": "fail"}
        reply = {"type": "ok", "protocol": 1, "operations": ["read", "write", "cas"], "clients": clients}
        if mistake == "no-operations":
            del reply["operations"]
        return reply
    if kind == "open":
        if mistake == "slow-open" and request["node"]["address"] != "127.0.0.1":
            time.sleep(30)
        return {"type": "fail" if mistake == "no-open" else "ok"}
    if kind == "close":
        return {"type": "info" if mistake == "close" else "ok"}
    return invoke(request["op"])


if mistake == "greeting":
    say("hello")
for line in sys.stdin:
    try:
        request = json.loads(line)
    except ValueError:
        if mistake == "garbage-hangs":
            time.sleep(60)
        if mistake == "garbage-ok":
            say('{"type":"ok"}')
            continue
        sys.exit(1)
    reply = dict(answer(request), id=request["id"])
    if mistake == "id" and request["request"] == "invoke":
        reply["id"] = 1
    if mistake == "client-id" and request.get("client") == 3:
        reply["id"] = 7
    if mistake == "not-json" and request["request"] == "invoke":
        say("ok")
    else:
        say(json.dumps(reply))
    if mistake == "chatter" and request["request"] == "describe":
        say("{}")
    if mistake == "close-all" and request["request"] == "close" and "client" in request:
        sys.exit(0)
if mistake == "stays":
    time.sleep(60)
