#!/usr/bin/env python3
"""An adapter for Ordeal (PROTOCOL.md) that speaks the operations of services: versions, permits, token buckets, idempotency keys,
accounts, ledgers, dead letters, an outbox, events and their read model, replicated maps and sets, ordered ids (doc/formats.md). The service
is a file that all adapters lock in turn, so that there is nothing to install; yours is called in its place.

    ordeal run --target process --workload dead-letter
               --set 'process.command=env STATE=/tmp/services python3 targets/process/example_services.py'
"""
import fcntl, json, os, sys, time

OPERATIONS = """cas-version read acquire-permit release-permit request apply deposit withdraw enqueue receive ack reject drain-dead
change messages append read-at replay put remove add generate balance
events model""".split()
PERMITS, BURST, RATE, ATTEMPTS = 3, 10, 100, 3  # what the workloads claim unless they are told


class Refused(Exception):
    """The operation certainly had no effect: kind, message."""


def alive(pid):
    """Whether that client is there: what others held comes back."""
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def versioned(state, f, key, value):
    current = state.setdefault(key, [0, None])
    if f == "read":
        return current
    if value[0] != current[0]:
        raise Refused("conflict", "version %d is current" % current[0])
    state[key] = [current[0] + 1, value[1]]
    return state[key]


def semaphore(state, f, key, value, me):
    holders = state[key] = [one for one in state.get(key, []) if alive(one)]
    if f == "release-permit":
        if me not in holders:
            raise Refused("not-held", "this client holds none")
        holders.remove(me)
    elif len(holders) >= PERMITS:
        raise Refused("limited", "all permits are taken")
    else:
        holders.append(me)
    return value


def token_bucket(state, f, key, value):
    now = time.monotonic()
    tokens, since = state.get(key, [BURST, now])
    tokens = min(BURST, tokens + RATE * (now - since))
    state[key] = [tokens, now]
    if tokens < 1:
        raise Refused("limited", "the bucket is empty")
    state[key][0] -= 1
    return value


def idempotency_keys(state, f, key, value):
    done = state.setdefault("done", [])
    if f == "read":
        return done
    known = state.setdefault("keys", {}).setdefault(json.dumps(value["id"]), {"body": value["body"], "answer": len(done)})
    if known["body"] != value["body"]:
        raise Refused("conflict", "the key is taken by another body")
    if [value["id"], value["body"]] not in done:
        done.append([value["id"], value["body"]])
    return known["answer"]


def accounts(state, f, key, value):
    money = state.setdefault(key, [0, 0])
    if f == "read":
        return money
    if f == "withdraw" and sum(money) < value["amount"]:
        raise Refused("insufficient", "both accounts together hold too little")
    money[value["account"]] += value["amount"] if f == "deposit" else -value["amount"]
    return value


def ledger(state, f, key, value):
    stream = state.setdefault(key, [])  # the read model is the stream
    money = sum(event[2] for event in stream)
    if f == "events":
        return stream
    if f not in ("deposit", "withdraw"):
        return [len(stream), money]
    if f == "withdraw" and money < value["amount"]:
        raise Refused("insufficient", "the account holds too little")
    stream.append([len(stream) + 1, value["id"], value["amount"] if f == "deposit" else -value["amount"]])
    return len(stream)


def give_back(state, held):
    target = "dead" if held["attempts"] >= ATTEMPTS else "queue"
    state[target].append(held["message"] if target == "dead" else {"message": held["message"], "attempts": held["attempts"]})


def dead_letter(state, f, key, value, me):
    for name in ("queue", "held", "dead"):
        state.setdefault(name, [])
    for held in [one for one in state["held"] if not alive(one["by"])]:  # their clients are gone
        state["held"].remove(held)
        give_back(state, held)
    if f == "enqueue":
        state["queue"].append({"message": value, "attempts": 0})
    elif f == "receive":
        if not state["queue"]:
            return None
        one = state["queue"].pop(0)
        state["held"].append({"message": one["message"], "attempts": one["attempts"] + 1, "by": me})
        return one["message"]
    elif f == "drain-dead":
        dead, state["dead"] = state["dead"], []
        return dead
    else:
        mine = [one for one in state["held"] if one["by"] == me and one["message"]["id"] == value]
        if not mine:
            raise Refused("not-held", "this client does not have it")
        state["held"].remove(mine[0])
        if f == "reject":
            give_back(state, mine[0])
    return value


def outbox(state, f, key, value):
    entries = state.setdefault("entries", [])  # state and messages at once
    if f != "change":
        return entries
    if value.get("rollback"):
        raise Refused("rolled-back", "as it was asked for")
    entries.append([value["key"], value["id"]])
    return value


def event_log(state, f, key, value):
    log = state.setdefault(key, [])
    if f == "append":
        log.append(value)
        return [len(log), value]
    if f == "read-at" and value > len(log):
        raise Refused("not-there", "there is no such position yet")
    position = value if f == "read-at" else len(log)
    return [position, log[:position]]


def lww_map(state, f, key, value):
    stamp, current = state.get(key, [None, None])
    if f == "read":
        return current
    new = [value, None] if f == "remove" else value
    if stamp is None or (new[0], json.dumps(new[1])) >= (stamp, json.dumps(current)):
        state[key] = new
    return value


def or_set(state, f, key, value):
    elements = state.setdefault(key, [])
    if f == "read":
        return elements
    if f == "add" and value not in elements:
        elements.append(value)
    if f == "remove" and value in elements:
        elements.remove(value)
    return value


def ordered_ids(state, f, key, value):
    state["last"] = max(state.get("last", 0) + 1, time.time_ns() // 1000)
    return state["last"]


SERVICES = {"versioned": versioned, "semaphore": semaphore, "token-bucket": token_bucket, "idempotency-keys": idempotency_keys,
            "accounts": accounts, "dead-letter": dead_letter, "outbox": outbox, "event-log": event_log, "lww-map": lww_map,
            "ledger": ledger, "or-set": or_set, "ordered-ids": ordered_ids}


def invoke(data_type, op):
    """One operation, alone with the file. What is written is written before the answer."""
    more = [os.getpid()] if data_type in ("semaphore", "dead-letter") else []
    with open(os.environ["STATE"], "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        state = json.loads(file.read() or "{}")
        value = SERVICES[data_type](state, op["f"], json.dumps(op.get("key")), op.get("value"), *more)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(state))
        file.flush()
    return value


def main():
    data_type = None
    for line in sys.stdin:
        request, reply = json.loads(line), {"type": "ok"}
        try:
            if request.get("protocol", 1) != 1:
                raise Refused("protocol", "only version 1 is spoken")
            if request["request"] == "describe":
                reply.update(protocol=1, operations=OPERATIONS)
            elif request["request"] == "open":
                data_type = request["data_type"]
                if data_type not in SERVICES:
                    raise Refused("unsupported", "no service of the data type %s" % data_type)
            elif request["request"] == "invoke":
                reply["value"] = invoke(data_type, request["op"])
        except Refused as refused:
            reply = {"type": "fail", "error": {"kind": refused.args[0], "message": refused.args[1]}}
        print(json.dumps(dict(reply, id=request["id"])), flush=True)


main()
