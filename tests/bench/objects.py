#!/usr/bin/env python3
"""Histories of shared objects, as lines of JSON: what an atomic object with concurrent clients answers.

  tests/bench/objects.py MODEL [ops=10000] [clients=10] [keys=1] [crashed=0] [repeated=0] [reads=1 writes=1 cas=1] [values=0]
                         [duplicates=0] [changed=0] [seed=1]

MODEL is register, cas-register, counter, set, queue, unordered-queue, stack, priority-queue or kv. An operation takes effect at one
moment between its call and its answer. `crashed` is the share of operations without an answer, half of which took effect; `repeated` the
share of puts (queues, stacks) that repeat one of the five last values; `values` the number of different values or elements (0: every
value is written once); `duplicates` so many writes of a value that another wrote, with unique values; `changed` so many completions
whose result is another one. `reads`, `writes` and `cas` are weights.
"""
import json
import random
import sys


class Object:
    def __init__(self, model, options, chance):
        self.model, self.options, self.chance = model, options, chance
        self.state, self.fresh, self.recent = {}, 0, []

    def fresh_value(self):
        if self.options["values"]:
            return self.chance.randrange(int(self.options["values"]))
        self.fresh += 1
        return self.fresh

    def call(self, client):
        """A function, its key and its argument."""
        key = self.chance.randrange(int(self.options["keys"]))
        one_of = lambda names: self.chance.choices(names, [self.options[w] for w in ("reads", "writes", "cas")[:len(names)]])[0]
        if self.model in ("register", "cas-register"):
            f = one_of(("read", "write") if self.model == "register" else ("read", "write", "cas"))
            if f == "cas":
                now = self.state.get(key)
                return f, key, [now if now is not None and self.chance.random() < 0.7 else self.fresh_value(), self.fresh_value()]
            return f, key, None if f == "read" else self.fresh_value()
        if self.model == "counter":
            f = one_of(("read", "add"))
            return f, key, None if f == "read" else self.chance.randint(1, 5)
        if self.model == "set":
            return self.chance.choice(("add", "remove", "contains", "contains")), key, self.chance.randrange(int(self.options["values"]) or 1000)
        if self.model == "kv":
            f = self.chance.choices(("get", "append", "put"), (10, 9, 1))[0]
            self.fresh += 1
            return f, key, None if f == "get" else f"x {client} {self.fresh} y"
        put, take = ("push", "pop") if self.model == "stack" else ("enqueue", "dequeue")
        if self.chance.random() < 0.5:
            return take, key, None
        value = self.chance.choice(self.recent[-5:]) if self.recent and self.chance.random() < self.options["repeated"] else self.fresh_value()
        self.recent = self.recent[-4:] + [value]
        return put, key, value

    def apply(self, f, key, value):
        """Takes effect: ("ok" or "fail", result)."""
        state = self.state
        if f == "read":
            return "ok", state.get(key, 0 if self.model == "counter" else None)
        if f == "write":
            state[key] = value
        elif f == "cas":
            if state.get(key) != value[0]:
                return "fail", value
            state[key] = value[1]
        elif self.model == "counter":
            state[key] = state.get(key, 0) + value
        elif self.model == "set":
            inside = state.setdefault(key, set())
            if f == "contains":
                return "ok", [value, value in inside]
            (inside.add if f == "add" else inside.discard)(value)
        elif f == "get":
            return "ok", state.get(key, "")
        elif f == "put":
            state[key] = value
        elif f == "append":
            state[key] = state.get(key, "") + value
        elif f in ("push", "enqueue"):
            state.setdefault(key, []).append(value)
        else:
            inside = state.setdefault(key, [])
            if not inside:
                return "ok", None
            at = {"queue": 0, "stack": -1, "unordered-queue": self.chance.randrange(len(inside)),
                  "priority-queue": inside.index(min(inside)) if self.model == "priority-queue" else 0}[self.model]
            return "ok", inside.pop(at)
        return "ok", value


def history(model, options):
    chance = random.Random(int(options["seed"]))
    one = Object(model, options, chance)
    clients = int(options["clients"])
    process, spare = list(range(clients)), clients
    pending, events, called = {}, [], 0
    while called < options["ops"] or pending:
        client = chance.randrange(clients)
        if client not in pending:
            if called < options["ops"]:
                called += 1
                f, key, value = one.call(client)
                pending[client] = [f, key, value, None]
                events.append([process[client], "invoke", f, key, value])
            continue
        f, key, value, answer = pending[client]
        if answer:
            events.append([process[client], answer[0], f, key, answer[1]])
            del pending[client]
        elif chance.random() < options["crashed"]:
            if chance.random() < 0.5:
                one.apply(f, key, value)
            events.append([process[client], "info", f, key, value])
            process[client] = spare
            spare += 1
            del pending[client]
        else:
            pending[client][3] = one.apply(f, key, value)
    duplicate(events, int(options["duplicates"]), chance)
    change(events, int(options["changed"]), chance)
    return events


def duplicate(events, count, chance):
    """Makes `count` values equal to others, everywhere: only of values that nobody tells apart from then on."""
    values = sorted({e[4] for e in events if e[2] == "write" and isinstance(e[4], int)})
    same = {}
    for _ in range(count):
        a, b = chance.sample(values, 2)
        same[b] = a
    for event in events if same else ():
        if isinstance(event[4], int):
            event[4] = same.get(event[4], event[4])
        elif isinstance(event[4], list):
            event[4] = [same.get(v, v) if isinstance(v, int) else v for v in event[4]]


def change(events, count, chance):
    """Another result for `count` reads, gets, tests or takes, one that some other operation on the key had."""
    seen = [i for i, e in enumerate(events) if e[1] == "ok" and e[2] in ("read", "get", "contains", "dequeue", "pop") and e[4] is not None]
    for _ in range(count):
        at = chance.choice(seen)
        event = events[at]
        if event[2] == "contains":
            event[4] = [event[4][0], not event[4][1]]
            continue
        others = [i for i in seen if events[i][3] == event[3] and events[i][4] != event[4]]
        event[4] = events[chance.choice(others)][4] if others else 999999


def main():
    options = {"ops": 10000, "clients": 10, "keys": 1, "crashed": 0, "repeated": 0, "reads": 1, "writes": 1, "cas": 1, "values": 0,
               "duplicates": 0, "changed": 0, "seed": 1}
    for argument in sys.argv[2:]:
        name, _, text = argument.partition("=")
        if name not in options:
            sys.exit(f"objects.py: unknown option {name!r}; known: {', '.join(options)}")
        options[name] = float(text)
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    keyed = options["keys"] > 1 or sys.argv[1] == "kv"
    for process, kind, f, key, value in history(sys.argv[1], options):
        event = {"process": process, "type": kind, "f": f, "value": value}
        if keyed:
            event["key"] = str(key)
        sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
