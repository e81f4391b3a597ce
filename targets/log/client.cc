#include "targets/log/client.h"

#include "harness/interfaces/bad_operation.h"
#include "targets/log/log_lease.h"

namespace ordeal {
namespace {

std::string key_of(const char* prefix, const Value& key) {
  return prefix + (key.is_string() ? key.string() : key.to_json());
}

const Value& member(const Value& map, const char* name) {
  static const Value nil;
  const Value* found = map.find(name);
  return found == nullptr ? nil : *found;
}

}  // namespace

struct LogClient::Verb {
  std::string f;
  Completion (LogClient::*run)(const Operation&, Deadline);
};

const std::vector<LogClient::Verb>& LogClient::verbs() {
  static const std::vector<Verb> all = {
      {"read", &LogClient::read},
      {"write", &LogClient::write},
      {"cas", &LogClient::cas},
      {"cas-version", &LogClient::cas_version},
      {"txn", &LogClient::transact},
      {"add", &LogClient::add},
      {"remove", &LogClient::remove},
      {"append", &LogClient::append},
      {"enqueue", &LogClient::enqueue},
      {"dequeue", &LogClient::dequeue},
      {"drain", &LogClient::drain},
      {"acquire", &LogClient::acquire},
      {"release", &LogClient::release},
      {"campaign", &LogClient::acquire},
      {"resign", &LogClient::release},
      {"leader", &LogClient::leader},
      {"generate", &LogClient::generate},
      {"receive", &LogClient::receive},
      {"ack", &LogClient::settle},
      {"reject", &LogClient::settle},
      {"drain-dead", &LogClient::drain_dead},
      {"apply", &LogClient::apply},
      {"transfer", &LogClient::transfer},
      {"insert", &LogClient::insert},
      {"read-at", &LogClient::read_events},
      {"replay", &LogClient::read_events},
      {"tail", &LogClient::read_public},
      {"head", &LogClient::head},
      {"inclusion", &LogClient::prove},
      {"consistency", &LogClient::prove},
  };
  return all;
}

std::vector<std::string> LogClient::operations() {
  std::vector<std::string> out;
  for (const auto& verb : verbs()) out.push_back(verb.f);
  return out;
}

LogClient::LogClient(std::string endpoint, LogClientOptions options)
    : api_(std::move(endpoint)), options_(std::move(options)) {}

LogClient::~LogClient() = default;

void LogClient::close() {
  lease_.reset();
  api_.close();
}

Completion LogClient::invoke(const Operation& operation, Deadline deadline) {
  for (const auto& verb : verbs()) {
    if (verb.f == operation.f) return (this->*verb.run)(operation, deadline);
  }
  return Completion::failed("unsupported", "target log has no operation \"" + operation.f + "\"");
}

Value LogClient::request() const {
  Value out = Value::map();
  if (options_.local_reads) out.set("consistency", "local");
  return out;
}

Completion unanswered(const LogProblem& problem, bool changes) {
  if (problem.certain || !changes) return Completion::failed(problem.kind, problem.message);
  return Completion::unknown(problem.kind, problem.message);
}

LogAnswer<Value::List> LogClient::steps(Value::List list, bool changes, Deadline deadline,
                                        const std::string& idempotency_key) {
  Value body = changes ? Value::map() : request();
  body.set("steps", Value(std::move(list)));
  if (!idempotency_key.empty()) body.set("idempotency_key", idempotency_key);
  const auto answer = api_.call("/v1/txn", std::move(body), changes, deadline);
  if (!answer) return tl::unexpected(answer.error());
  const Value& results = member(*answer, "results");
  if (!results.is_list()) return tl::unexpected(LogProblem{false, "foreign-answer", answer->to_json(), 200});
  return results.items();
}

Completion LogClient::read(const Operation& operation, Deadline deadline) {
  const std::string& type = options_.data_type;
  if (type == "counter") return read_counter(deadline);
  if (type == "bank") return read_bank(deadline);
  if (type == "idempotency" || type == "idempotency-keys") return read_applied(deadline);
  if (type == "event-log") return read_events(operation, deadline);
  if (type == "transparency-log") return read_public(operation, deadline);
  if (type == "log") {
    const std::int64_t from = operation.value.is_integer() ? operation.value.integer() : 0;
    auto all = log_entries(from, deadline);
    return all ? Completion::ok(Value(std::move(*all))) : unanswered(all.error(), false);
  }
  if (!operation.key) return read_set(deadline);
  Value body = request();
  body.set("key", key_of("register/", *operation.key));
  const auto answer = api_.call("/v1/kv/get", std::move(body), false, deadline);
  if (!answer) return unanswered(answer.error(), false);
  if (type == "versioned") {
    return Completion::ok(Value::list({member(*answer, "version"), member(*answer, "value")}));
  }
  return Completion::ok(member(*answer, "value"));
}

Completion LogClient::write(const Operation& operation, Deadline deadline) {
  if (!operation.key) return bad_operation(operation, "a key");
  Value body;
  body.set("key", key_of("register/", *operation.key));
  body.set("value", operation.value);
  const auto answer = api_.call("/v1/kv/put", std::move(body), true, deadline);
  return answer ? Completion::ok() : unanswered(answer.error(), true);
}

Completion LogClient::cas(const Operation& operation, Deadline deadline) {
  const Value& pair = operation.value;
  if (!operation.key || !pair.is_list() || pair.items().size() != 2)
    return bad_operation(operation, "a key and [old, new]");
  Value body;
  body.set("key", key_of("register/", *operation.key));
  body.set("old", pair.items()[0]);
  body.set("new", pair.items()[1]);
  const auto answer = api_.call("/v1/kv/cas", std::move(body), true, deadline);
  return answer ? Completion::ok() : unanswered(answer.error(), true);
}

Completion LogClient::cas_version(const Operation& operation, Deadline deadline) {
  const Value& pair = operation.value;
  if (!operation.key || !pair.is_list() || pair.items().size() != 2 || !pair.items()[0].is_integer())
    return bad_operation(operation, "a key and [version, value]");
  Value body;
  body.set("key", key_of("register/", *operation.key));
  body.set("version", pair.items()[0]);
  body.set("value", pair.items()[1]);
  const auto answer = api_.call("/v1/kv/cas-version", std::move(body), true, deadline);
  if (!answer) return unanswered(answer.error(), true);
  return Completion::ok(Value::list({member(*answer, "version"), pair.items()[1]}));
}

Completion LogClient::generate(const Operation&, Deadline deadline) {
  Value body = Value::map();
  if (options_.ids_from_log) body.set("entry", "an id");
  const auto answer = api_.call(options_.ids_from_log ? "/v1/log/append" : "/v1/id", std::move(body), true, deadline);
  if (!answer) return unanswered(answer.error(), true);
  return Completion::ok(member(*answer, options_.ids_from_log ? "position" : "id"));
}

// The server's transactions are those of the vocabulary, but that its keys are texts.
Completion LogClient::transact(const Operation& operation, Deadline deadline) {
  if (!operation.value.is_list()) return bad_operation(operation, "a list of steps");
  bool changes = false;
  Value::List wanted;
  for (const Value& one : operation.value.items()) {
    if (!one.is_list() || one.items().size() != 3 || !one.items()[0].is_string()) {
      return bad_operation(operation, "[\"r\"|\"w\"|\"append\", key, value]");
    }
    changes |= one.items()[0].string() != "r";
    wanted.push_back(Value::list({one.items()[0], key_of("txn/", one.items()[1]), one.items()[2]}));
  }
  const auto results = steps(std::move(wanted), changes, deadline);
  if (!results) return unanswered(results.error(), changes);
  Value seen = operation.value;
  if (results->size() != seen.items().size()) return Completion::unknown("foreign-answer", "results are missing");
  for (std::size_t i = 0; i < seen.items().size(); ++i) {
    Value::List& step = seen.items()[i].items();
    if (step[0].string() == "r") step[2] = member((*results)[i], "value");
  }
  return Completion::ok(std::move(seen));
}

}  // namespace ordeal
