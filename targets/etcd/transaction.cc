// Transactions of EtcdClient: [["r", k, nil], ["w", k, v], ["append", k, v], …] as one etcd transaction.
//
// Without append it is a single request: first a range of every key that is read before the transaction itself
// writes it, then the last write of every key (etcd allows one put a key). With append the new lists depend on the
// old ones: a first, read-only transaction reads all keys, and the one that writes is guarded by the revisions read.
// When a guard does not hold, nothing happened and the operation is `fail` with kind "conflict". A slow transaction
// that reads takes the same two steps, with a pause before the second; one that writes alone waits before its only one.

#include <map>
#include <set>
#include <thread>

#include "targets/etcd/client.h"

namespace ordeal {
namespace {

struct MicroOp {
  enum class Kind { read, write, append } kind = Kind::read;
  Value key;
  Value value;
};

Result<std::vector<MicroOp>> parse(const Value& txn) {
  const auto wrong = [](const Value& found) {
    return fail(ErrorCode::usage, "[\"r\"|\"w\"|\"append\", key, value] was expected, found " + found.to_json());
  };
  if (!txn.is_list()) return wrong(txn);
  std::vector<MicroOp> out;
  for (const Value& one : txn.items()) {
    if (!one.is_list() || one.items().size() != 3 || !one.items()[0].is_string()) return wrong(one);
    const std::string& verb = one.items()[0].string();
    MicroOp op{MicroOp::Kind::read, one.items()[1], one.items()[2]};
    if (verb == "w") {
      op.kind = MicroOp::Kind::write;
    } else if (verb == "append") {
      op.kind = MicroOp::Kind::append;
    } else if (verb != "r") {
      return wrong(one);
    }
    out.push_back(std::move(op));
  }
  return out;
}

// What is known of the keys: their stored values and revisions. Requires: `responses` answer ranges of `keys`.
struct Snapshot {
  std::map<Value, Value> values;
  std::map<Value, std::int64_t> revisions;
};

Result<Snapshot> snapshot(const std::vector<Value>& keys, const std::vector<std::vector<EtcdKeyValue>>& responses) {
  Snapshot out;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto& kvs = responses[i];
    out.revisions[keys[i]] = kvs.empty() ? 0 : kvs.front().mod_revision;
    if (kvs.empty()) {
      out.values[keys[i]] = Value();
      continue;
    }
    auto value = Value::from_json(kvs.front().value);
    if (!value) return fail(value.error());
    out.values[keys[i]] = std::move(*value);
  }
  return out;
}

// Runs the micro-operations on `state`. Returns the transaction as it was seen, with the reads filled in.
Value play(const std::vector<MicroOp>& ops, std::map<Value, Value>& state) {
  Value seen = Value::list();
  for (const auto& op : ops) {
    Value& stored = state[op.key];
    const char* verb = "r";
    Value value = op.value;
    switch (op.kind) {
      case MicroOp::Kind::read:
        value = stored;
        break;
      case MicroOp::Kind::write:
        verb = "w";
        stored = op.value;
        break;
      case MicroOp::Kind::append:
        verb = "append";
        if (!stored.is_list()) stored = Value::list();
        stored.items().push_back(op.value);
        break;
    }
    seen.items().push_back(Value::list({verb, op.key, std::move(value)}));
  }
  return seen;
}

EtcdRequestOp put_or_delete(const Value& key, const Value& value) {
  if (value.is_nil()) return EtcdDelete{etcd_key(key)};
  return EtcdPut{etcd_key(key), value.to_json()};
}

}  // namespace

Completion EtcdClient::transact(const Operation& operation, Deadline deadline) {
  const auto ops = parse(operation.value);
  if (!ops) return Completion::failed("bad-operation", "txn: " + ops.error().message);
  std::vector<Value> keys;  // whose stored values matter, in order of appearance
  std::set<Value> written;
  std::set<Value> read;
  bool appends = false;
  for (const auto& op : *ops) {
    const bool blind = op.kind == MicroOp::Kind::write || written.contains(op.key);
    if (!blind && read.insert(op.key).second) keys.push_back(op.key);
    if (op.kind != MicroOp::Kind::read) written.insert(op.key);
    appends |= op.kind == MicroOp::Kind::append;
  }
  const bool serializable = options_.serializable_reads && written.empty();
  EtcdTxn txn;
  for (const auto& key : keys) txn.success.push_back(EtcdRange{etcd_key(key), "", serializable});

  const double pause_s = slow_.next_pause_s();
  std::map<Value, Value> state;
  if (appends || (pause_s > 0 && !keys.empty())) {
    const auto first = api_.txn(txn, deadline);
    if (!first) return unanswered(first.error(), false);
    auto before = snapshot(keys, first->responses);
    if (!before) return Completion::failed("foreign-value", before.error().message);
    for (const auto& key : keys) {
      txn.compare.push_back({etcd_key(key), EtcdCompare::Target::mod_revision, "", before->revisions[key]});
    }
    state = std::move(before->values);
  }
  if (pause_s > 0) {
    const Deadline over = deadline.within_s(pause_s);
    std::this_thread::sleep_until(over);
    if (over >= deadline)
      return Completion::failed("timeout", "txn.slow is longer than there was time; nothing was sent");
  }
  (void)play(*ops, state);
  for (const auto& key : written) txn.success.push_back(put_or_delete(key, state[key]));

  const auto reply = api_.txn(txn, deadline);
  if (!reply) return unanswered(reply.error(), !written.empty());
  if (!reply->succeeded)
    return Completion::failed("conflict", "a key of the transaction was changed by another client");
  // What the deciding transaction itself read is reported, not what was expected of it.
  auto seen = snapshot(keys, reply->responses);
  if (!seen) {
    return written.empty() ? Completion::failed("foreign-value", seen.error().message)
                           : Completion::unknown("foreign-value", seen.error().message);
  }
  return Completion::ok(play(*ops, seen->values));
}

}  // namespace ordeal
