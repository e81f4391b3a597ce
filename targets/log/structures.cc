// Sets, counters, queues, the log, locks and elections of LogClient.

#include "harness/interfaces/bad_operation.h"
#include "targets/log/client.h"
#include "targets/log/log_lease.h"

namespace ordeal {
namespace {

constexpr const char* kSet = "set";
constexpr const char* kCounter = "counter";
constexpr const char* kQueue = "queue";
constexpr const char* kMessages = "messages";  // with dead letters: services.cc
constexpr const char* kLock = "lock";
constexpr std::int64_t kDrained = 100;  // messages at a time

Value keyed(const char* key) {
  Value out;
  out.set("key", key);
  return out;
}

const Value& member(const Value& map, const char* name) {
  static const Value nil;
  const Value* found = map.find(name);
  return found == nullptr ? nil : *found;
}

}  // namespace

Completion LogClient::add(const Operation& operation, Deadline deadline) {
  if (options_.data_type == "counter") {
    if (!operation.value.is_integer()) return bad_operation(operation, "a whole number");
    Value body = keyed(kCounter);
    body.set("amount", operation.value);
    const auto answer = api_.call("/v1/counter/add", std::move(body), true, deadline);
    return answer ? Completion::ok() : unanswered(answer.error(), true);
  }
  if (options_.set_in_log) return append(operation, deadline);
  Value body = keyed(kSet);
  body.set("value", operation.value);
  const auto answer = api_.call("/v1/set/add", std::move(body), true, deadline);
  return answer ? Completion::ok() : unanswered(answer.error(), true);
}

Completion LogClient::remove(const Operation& operation, Deadline deadline) {
  if (options_.set_in_log) return Completion::failed("unsupported", "an append-only log forgets nothing");
  Value body = keyed(kSet);
  body.set("value", operation.value);
  const auto answer = api_.call("/v1/set/remove", std::move(body), true, deadline);
  return answer ? Completion::ok() : unanswered(answer.error(), true);
}

Completion LogClient::read_set(Deadline deadline) {
  if (options_.set_in_log) {
    auto all = log_entries(0, deadline);
    return all ? Completion::ok(Value(std::move(*all))) : unanswered(all.error(), false);
  }
  Value body = request();
  body.set("key", kSet);
  const auto answer = api_.call("/v1/set/read", std::move(body), false, deadline);
  return answer ? Completion::ok(member(*answer, "elements")) : unanswered(answer.error(), false);
}

Completion LogClient::read_counter(Deadline deadline) {
  Value body = request();
  body.set("key", kCounter);
  const auto answer = api_.call("/v1/counter/read", std::move(body), false, deadline);
  if (!answer) return unanswered(answer.error(), false);
  const Value& value = member(*answer, "value");
  return Completion::ok(value.is_nil() ? Value(0) : value);
}

// Entries of the log are texts: JSON, here.
Completion LogClient::append(const Operation& operation, Deadline deadline) {
  if (options_.data_type == "event-log") return append_event(operation, deadline);
  if (options_.data_type == "transparency-log") return append_public(operation, deadline);
  Value body;
  body.set("entry", operation.value.to_json());
  const auto answer = api_.call("/v1/log/append", std::move(body), true, deadline);
  return answer ? Completion::ok() : unanswered(answer.error(), true);
}

// Each page is a linearizable read of its own; what a later one shows was there, or came, while the operation went on.
LogAnswer<Value::List> LogClient::log_entries(std::int64_t from, Deadline deadline) {
  Value::List out;
  while (true) {
    Value body = request();
    body.set("from", from + static_cast<std::int64_t>(out.size()));
    body.set("limit", 10'000);
    const auto answer = api_.call("/v1/log/read", std::move(body), false, deadline);
    if (!answer) return tl::unexpected(answer.error());
    const Value& entries = member(*answer, "entries");
    const Value& size = member(*answer, "size");
    if (!entries.is_list() || !size.is_integer()) {
      return tl::unexpected(LogProblem{true, "foreign-answer", answer->to_json(), 200});
    }
    for (const Value& entry : entries.items()) {
      auto value = Value::from_json(entry.is_string() ? entry.string() : "");
      if (!value) return tl::unexpected(LogProblem{true, "foreign-value", entry.to_json(), 200});
      out.push_back(*std::move(value));
    }
    if (entries.items().empty() || from + static_cast<std::int64_t>(out.size()) >= size.integer()) return out;
  }
}

Completion LogClient::enqueue(const Operation& operation, Deadline deadline) {
  Value body = keyed(options_.data_type == "dead-letter" ? kMessages : kQueue);
  body.set("value", operation.value);
  const auto answer = api_.call("/v1/queue/enqueue", std::move(body), true, deadline);
  return answer ? Completion::ok() : unanswered(answer.error(), true);
}

Completion LogClient::dequeue(const Operation&, Deadline deadline) {
  const auto answer = api_.call("/v1/queue/dequeue", keyed(kQueue), true, deadline);
  if (!answer) return unanswered(answer.error(), true);
  const Value& messages = member(*answer, "messages");
  if (!messages.is_list()) return Completion::unknown("foreign-answer", answer->to_json());
  return Completion::ok(messages.items().empty() ? Value() : member(messages.items().front(), "value"));
}

// Until it is found empty. What was taken before something went wrong is lost with the operation: nobody knows it.
Completion LogClient::drain(const Operation&, Deadline deadline) {
  Value taken = Value::list();
  while (true) {
    Value body = keyed(kQueue);
    body.set("limit", kDrained);
    const auto answer = api_.call("/v1/queue/dequeue", std::move(body), true, deadline);
    if (!answer) {
      if (taken.items().empty()) return unanswered(answer.error(), true);
      return Completion::unknown(answer.error().kind, answer.error().message);
    }
    const Value& messages = member(*answer, "messages");
    if (!messages.is_list()) return Completion::unknown("foreign-answer", answer->to_json());
    if (messages.items().empty()) return Completion::ok(std::move(taken));
    for (const Value& one : messages.items()) taken.items().push_back(member(one, "value"));
  }
}

// Also `campaign`: who has the lock leads, and the fencing token is the term.
Completion LogClient::acquire(const Operation& operation, Deadline deadline) {
  if (lease_) return Completion::failed("held", "this client has it already");
  Value body = keyed(kLock);
  body.set("owner", operation.value);
  body.set("ttl_ms", options_.lock_ttl_s * 1000);
  const auto answer = api_.call("/v1/lock/acquire", std::move(body), true, deadline);
  if (!answer) return unanswered(answer.error(), true);
  const Value& token = member(*answer, "token");
  if (!token.is_integer()) return Completion::unknown("foreign-answer", answer->to_json());
  lease_ = std::make_unique<LogLease>(api_.endpoint(), kLock, token.integer(), options_.lock_ttl_s);
  return Completion::ok(token);
}

Completion LogClient::release(const Operation&, Deadline deadline) {
  if (!lease_) return Completion::failed("not-held", "this client does not have it");
  const std::int64_t token = lease_->token();
  Value body = keyed(kLock);
  body.set("token", token);
  const auto answer = api_.call("/v1/lock/release", std::move(body), true, deadline);
  if (answer || answer.error().kind == "not-held") lease_.reset();
  if (!answer) return unanswered(answer.error(), true);
  return options_.data_type == "lock" ? Completion::ok(Value(token)) : Completion::ok();
}

Completion LogClient::leader(const Operation&, Deadline deadline) {
  Value body = request();
  body.set("key", kLock);
  const auto answer = api_.call("/v1/lock/holder", std::move(body), false, deadline);
  if (!answer) return unanswered(answer.error(), false);
  if (member(*answer, "owner").is_nil()) return Completion::ok(Value());  // nobody leads, in no term
  Value seen;
  seen.set("term", member(*answer, "token"));
  seen.set("leader", member(*answer, "owner"));
  return Completion::ok(std::move(seen));
}

}  // namespace ordeal
