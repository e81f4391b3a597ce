#include "targets/etcd/client.h"

#include "harness/interfaces/bad_operation.h"
#include "targets/etcd/lease.h"

namespace ordeal {
namespace {

// A range of one key: its value, nil when the key does not exist.
Result<Value> stored_value(const std::vector<EtcdKeyValue>& kvs) {
  if (kvs.empty()) return Value();
  return Value::from_json(kvs.front().value);
}

EtcdRequestOp store(const std::string& key, const Value& value) {
  if (value.is_nil()) return EtcdDelete{key};
  return EtcdPut{key, value.to_json()};
}

}  // namespace

struct EtcdClient::Verb {
  std::string f;
  Completion (EtcdClient::*run)(const Operation&, Deadline);
};

const std::vector<EtcdClient::Verb>& EtcdClient::verbs() {
  static const std::vector<Verb> all = {
      {"read", &EtcdClient::read},       {"write", &EtcdClient::write},       {"cas", &EtcdClient::cas},
      {"add", &EtcdClient::add},         {"txn", &EtcdClient::transact},      {"acquire", &EtcdClient::acquire},
      {"release", &EtcdClient::release}, {"generate", &EtcdClient::generate},
  };
  return all;
}

std::vector<std::string> EtcdClient::operations() {
  std::vector<std::string> out;
  for (const auto& verb : verbs()) out.push_back(verb.f);
  return out;
}

EtcdClient::EtcdClient(std::string endpoint, EtcdClientOptions options, SlowTransactions slow)
    : api_(std::move(endpoint)), options_(options), slow_(slow) {}

EtcdClient::~EtcdClient() = default;

void EtcdClient::close() {
  lease_.reset();
  api_.close();
}

Completion EtcdClient::invoke(const Operation& operation, Deadline deadline) {
  for (const auto& verb : verbs()) {
    if (verb.f == operation.f) return (this->*verb.run)(operation, deadline);
  }
  return Completion::failed("unsupported", "target etcd has no operation \"" + operation.f + "\"");
}

Completion EtcdClient::read(const Operation& operation, Deadline deadline) {
  if (!operation.key) return read_all(deadline);
  const auto kvs = api_.range({etcd_key(*operation.key), "", options_.serializable_reads}, deadline);
  if (!kvs) return unanswered(kvs.error(), false);
  auto value = stored_value(*kvs);
  if (!value) return Completion::failed("foreign-value", "the stored value is not ours: " + value.error().message);
  return Completion::ok(std::move(*value));
}

Completion EtcdClient::write(const Operation& operation, Deadline deadline) {
  if (!operation.key) return bad_operation(operation, "a key");
  const std::string key = etcd_key(*operation.key);
  if (operation.value.is_nil()) {
    const auto reply = api_.txn({{}, {store(key, operation.value)}, {}}, deadline);
    return reply ? Completion::ok() : unanswered(reply.error(), true);
  }
  const auto revision = api_.put({key, operation.value.to_json()}, deadline);
  return revision ? Completion::ok() : unanswered(revision.error(), true);
}

Completion EtcdClient::cas(const Operation& operation, Deadline deadline) {
  const Value& pair = operation.value;
  if (!operation.key || !pair.is_list() || pair.items().size() != 2)
    return bad_operation(operation, "a key and [old, new]");
  const std::string key = etcd_key(*operation.key);
  EtcdCompare guard{key, EtcdCompare::Target::value, pair.items()[0].to_json()};
  if (pair.items()[0].is_nil()) guard = EtcdCompare{key, EtcdCompare::Target::create_revision};
  const auto reply = api_.txn({{guard}, {store(key, pair.items()[1])}, {}}, deadline);
  if (!reply) return unanswered(reply.error(), true);
  if (reply->succeeded) return Completion::ok();
  return Completion::failed("precondition", "the value was not " + pair.items()[0].to_json());
}

// Every put has a revision of its own.
Completion EtcdClient::generate(const Operation&, Deadline deadline) {
  const auto revision = api_.put({"ordeal/id", ""}, deadline);
  return revision ? Completion::ok(Value(*revision)) : unanswered(revision.error(), true);
}

Completion unanswered(const EtcdProblem& problem, bool changes) {
  if (problem.certain || !changes) return Completion::failed(problem.kind, problem.message);
  return Completion::unknown(problem.kind, problem.message);
}

std::string etcd_key(const Value& key) { return "ordeal/kv/" + (key.is_string() ? key.string() : key.to_json()); }

}  // namespace ordeal
