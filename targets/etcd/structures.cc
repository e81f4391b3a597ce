// Set, counter and lock of EtcdClient.

#include <algorithm>
#include <functional>

#include "harness/interfaces/bad_operation.h"
#include "targets/etcd/client.h"
#include "targets/etcd/lease.h"

namespace ordeal {
namespace {

const std::string kSetPrefix = "ordeal/set/";
const std::string kSetKey = "ordeal/set";
const std::string kCounterKey = "ordeal/counter";
const std::string kLockKey = "ordeal/lock";

// How much time remains for the last clean-up of an operation that already has its outcome.
constexpr auto kCleanUp = std::chrono::milliseconds(500);

}  // namespace

Completion EtcdClient::add(const Operation& operation, Deadline deadline) {
  const Value& value = operation.value;
  if (options_.counter) {
    if (!value.is_integer()) {
      return bad_operation(operation, "a whole number");
    }
    return update(kCounterKey, deadline, [&](const Value& old) {
      return Value((old.is_integer() ? old.integer() : std::int64_t{0}) + value.integer());
    });
  }
  if (options_.set_by_cas) {
    return update(kSetKey, deadline, [&](const Value& old) {
      Value all = old.is_list() ? old : Value::list();
      all.items().push_back(value);
      return all;
    });
  }
  const std::string element = value.to_json();
  const auto revision = api_.put({kSetPrefix + element, element}, deadline);
  return revision ? Completion::ok() : unanswered(revision.error(), true);
}

// Reads one key and writes what `change` makes of it, guarded by the revision that was read.
Completion EtcdClient::update(const std::string& key, Deadline deadline,
                              const std::function<Value(const Value&)>& change) {
  while (true) {
    const auto kvs = api_.range({key}, deadline);
    if (!kvs) return unanswered(kvs.error(), false);
    Value old;
    if (!kvs->empty()) {
      auto stored = Value::from_json(kvs->front().value);
      if (!stored)
        return Completion::failed("foreign-value", "the stored value is not ours: " + stored.error().message);
      old = std::move(*stored);
    }
    EtcdCompare guard{key, EtcdCompare::Target::mod_revision, "", kvs->empty() ? 0 : kvs->front().mod_revision};
    const auto reply = api_.txn({{guard}, {EtcdPut{key, change(old).to_json()}}, {}}, deadline);
    if (!reply) return unanswered(reply.error(), true);
    if (reply->succeeded) return Completion::ok();
    // Somebody else was faster. This attempt certainly changed nothing, so another one is no repetition.
  }
}

Completion EtcdClient::read_all(Deadline deadline) {
  EtcdRange range;
  range.serializable = options_.serializable_reads;
  if (options_.counter || options_.set_by_cas) {
    range.key = options_.counter ? kCounterKey : kSetKey;
  } else {
    range.key = kSetPrefix;
    range.range_end = etcd_prefix_end(kSetPrefix);
  }
  const auto kvs = api_.range(range, deadline);
  if (!kvs) return unanswered(kvs.error(), false);
  Value all = Value::list();
  for (const auto& kv : *kvs) {
    auto value = Value::from_json(kv.value);
    if (!value) return Completion::failed("foreign-value", "the stored value is not ours: " + value.error().message);
    if (range.range_end.empty()) return Completion::ok(std::move(*value));
    all.items().push_back(std::move(*value));
  }
  return Completion::ok(options_.counter ? Value(0) : all);
}

// The recipe of etcd's own lock: a key that exists for as long as its owner's lease. The revision at which it was
// created grows from owner to owner: it is the fencing token, and the operation's value.
Completion EtcdClient::acquire(const Operation&, Deadline deadline) {
  if (lease_) return Completion::failed("held", "this client holds the lock already");
  const auto granted = api_.grant_lease(options_.lock_ttl_s, deadline);
  // A lease that nobody knows of lapses by itself and locks nothing.
  if (!granted) return unanswered(granted.error(), false);
  auto lease = std::make_unique<EtcdLease>(api_.endpoint(), *granted, options_.lock_ttl_s);
  const EtcdCompare free{kLockKey, EtcdCompare::Target::create_revision};
  const auto reply = api_.txn({{free}, {EtcdPut{kLockKey, "", *granted}}, {}}, deadline);
  if (!reply) return unanswered(reply.error(), true);
  if (!reply->succeeded) {
    lease.reset();
    // Only saves etcd the lease; nothing depends on the outcome.
    (void)api_.revoke_lease(*granted, deadline.within(kCleanUp));
    return Completion::failed("held", "another client holds the lock");
  }
  lease_ = std::move(lease);
  token_ = reply->revision;
  return Completion::ok(Value(token_));
}

Completion EtcdClient::release(const Operation&, Deadline deadline) {
  if (!lease_) return Completion::failed("not-held", "this client does not hold the lock");
  const EtcdCompare ours{kLockKey, EtcdCompare::Target::create_revision, "", token_};
  const auto reply = api_.txn({{ours}, {EtcdDelete{kLockKey}}, {}}, deadline);
  if (!reply) return unanswered(reply.error(), true);
  const std::int64_t id = lease_->id();
  lease_.reset();
  if (!reply->succeeded) return Completion::failed("lost", "the lease lapsed before the lock was released");
  (void)api_.revoke_lease(id, deadline.within(kCleanUp));
  return Completion::ok(Value(token_));
}

}  // namespace ordeal
