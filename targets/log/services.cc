// What LogClient builds of transactions and queues: messages with dead letters, idempotent operations, a bank, inserts
// guarded by a predicate, and logs of events by key.

#include <algorithm>

#include "harness/interfaces/bad_operation.h"
#include "targets/log/client.h"

namespace ordeal {
namespace {

constexpr const char* kMessages = "messages";
constexpr const char* kApplied = "applied";
constexpr std::int64_t kOpeningBalance = 10;

const Value& member(const Value& map, const char* name) {
  static const Value nil;
  const Value* found = map.find(name);
  return found == nullptr ? nil : *found;
}

std::string text(const Value& value) { return value.is_string() ? value.string() : value.to_json(); }

Completion strange(const Value& answer) { return Completion::unknown("foreign-answer", answer.to_json()); }

std::string account(std::int64_t number) { return "bank/" + std::to_string(number); }

std::int64_t balance_of(const Value& item) {
  const Value& value = member(item, "value");
  return value.is_integer() ? value.integer() : kOpeningBalance;
}

}  // namespace

Completion LogClient::receive(const Operation&, Deadline deadline) {
  Value body;
  body.set("key", kMessages);
  body.set("ttl_ms", options_.visibility_ms);
  body.set("attempts", options_.max_attempts);
  const auto answer = api_.call("/v1/queue/dequeue", std::move(body), true, deadline);
  if (!answer) return unanswered(answer.error(), true);
  const Value& messages = member(*answer, "messages");
  if (!messages.is_list()) return strange(*answer);
  if (messages.items().empty()) return Completion::ok(Value());
  const Value& value = member(messages.items().front(), "value");
  const Value& token = member(messages.items().front(), "token");
  if (!token.is_integer()) return strange(*answer);
  deliveries_[member(value, "id")] = token.integer();
  return Completion::ok(value);
}

// `ack` and `reject`.
Completion LogClient::settle(const Operation& operation, Deadline deadline) {
  const auto delivery = deliveries_.find(operation.value);
  if (delivery == deliveries_.end())
    return Completion::failed("not-delivered", "this client does not have the message");
  Value body;
  body.set("key", kMessages);
  body.set("token", delivery->second);
  const auto answer =
      api_.call(operation.f == "ack" ? "/v1/queue/ack" : "/v1/queue/nack", std::move(body), true, deadline);
  if (answer || answer.error().kind == "not-found") deliveries_.erase(delivery);
  return answer ? Completion::ok() : unanswered(answer.error(), true);
}

Completion LogClient::drain_dead(const Operation&, Deadline deadline) {
  Value body;
  body.set("key", kMessages);
  body.set("limit", 10'000);
  const auto answer = api_.call("/v1/queue/drain-dead", std::move(body), true, deadline);
  if (!answer) return unanswered(answer.error(), true);
  const Value& messages = member(*answer, "messages");
  if (!messages.is_list()) return strange(*answer);
  Value taken = Value::list();
  for (const Value& one : messages.items()) taken.items().push_back(member(one, "value"));
  return Completion::ok(std::move(taken));
}

// What is applied goes to the end of a list, once for each idempotency key; the answer is the version that it made.
Completion LogClient::apply(const Operation& operation, Deadline deadline) {
  const bool with_body = options_.data_type == "idempotency-keys";
  const Value& id = operation.value.is_map() ? member(operation.value, "id") : operation.value;
  const Value effect = with_body ? Value::list({id, member(operation.value, "body")}) : id;
  const auto results = steps({Value::list({"append", kApplied, effect})}, true, deadline, "apply/" + text(id));
  if (!results) {
    // The vocabulary's word for another request with the same key.
    if (results.error().kind == "key-reused") return Completion::failed("conflict", results.error().message);
    return unanswered(results.error(), true);
  }
  if (results->empty()) return Completion::unknown("foreign-answer", "no result");
  return Completion::ok(member(results->front(), "version"));
}

Completion LogClient::read_applied(Deadline deadline) {
  const auto results = steps({Value::list({"r", kApplied})}, false, deadline);
  if (!results) return unanswered(results.error(), false);
  if (results->empty()) return Completion::failed("foreign-answer", "no result");
  const Value& list = member(results->front(), "value");
  return Completion::ok(list.is_list() ? list : Value::list());
}

Completion LogClient::transfer(const Operation& operation, Deadline deadline) {
  const Value& from = member(operation.value, "from");
  const Value& to = member(operation.value, "to");
  const Value& amount = member(operation.value, "amount");
  if (!from.is_integer() || !to.is_integer() || !amount.is_integer())
    return bad_operation(operation, "from, to and amount");
  const std::string source = account(from.integer());
  const std::string sink = account(to.integer());
  while (true) {
    const auto seen = steps({Value::list({"r", source}), Value::list({"r", sink})}, false, deadline);
    if (!seen) return unanswered(seen.error(), false);
    if (seen->size() != 2) return Completion::failed("foreign-answer", "results are missing");
    const std::int64_t left = balance_of((*seen)[0]) - amount.integer();
    if (left < 0) return Completion::failed("insufficient", "the balance is too low");
    if (source == sink) return Completion::ok();
    const auto done =
        steps({Value::list({"check-version", source, member((*seen)[0], "version")}),
               Value::list({"check-version", sink, member((*seen)[1], "version")}), Value::list({"w", source, left}),
               Value::list({"w", sink, balance_of((*seen)[1]) + amount.integer()})},
              true, deadline);
    if (done) return Completion::ok();
    // Somebody else was faster; this attempt certainly changed nothing, so another one is no repetition.
    if (done.error().kind != "conflict" || deadline.passed()) return unanswered(done.error(), true);
  }
}

Completion LogClient::read_bank(Deadline deadline) {
  Value::List reads;
  for (std::int64_t i = 0; i < options_.accounts; ++i) reads.push_back(Value::list({"r", account(i)}));
  const auto results = steps(std::move(reads), false, deadline);
  if (!results) return unanswered(results.error(), false);
  Value balances = Value::list();
  for (const Value& one : *results) balances.items().emplace_back(balance_of(one));
  return Completion::ok(std::move(balances));
}

// A row in either of two tables, unless the key has one in either.
Completion LogClient::insert(const Operation& operation, Deadline deadline) {
  const Value& rows = operation.value;
  if (!operation.key || !rows.is_list() || rows.items().size() != 2)
    return bad_operation(operation, "a key and [a, b]");
  const std::string tables[] = {"g2/a/" + text(*operation.key), "g2/b/" + text(*operation.key)};
  const std::size_t which = rows.items()[0].is_nil() ? 1 : 0;
  const auto done = steps({Value::list({"check-version", tables[0], 0}), Value::list({"check-version", tables[1], 0}),
                           Value::list({"w", tables[which], rows.items()[which]})},
                          true, deadline);
  return done ? Completion::ok() : unanswered(done.error(), true);
}

// A list by key; an event's position is its place, counted from 1.
Completion LogClient::append_event(const Operation& operation, Deadline deadline) {
  if (!operation.key) return bad_operation(operation, "a key");
  const std::string key = "events/" + text(*operation.key);
  const auto results = steps({Value::list({"append", key, operation.value}), Value::list({"r", key})}, true, deadline);
  if (!results) return unanswered(results.error(), true);
  const Value& list = results->size() == 2 ? member((*results)[1], "value") : operation.value;
  if (!list.is_list()) return Completion::unknown("foreign-answer", list.to_json());
  return Completion::ok(Value::list({static_cast<std::int64_t>(list.items().size()), operation.value}));
}

// `read` from a token on, `read-at` a position, `replay`.
Completion LogClient::read_events(const Operation& operation, Deadline deadline) {
  if (!operation.key) return bad_operation(operation, "a key");
  const auto results = steps({Value::list({"r", "events/" + text(*operation.key)})}, false, deadline);
  if (!results) return unanswered(results.error(), false);
  const Value& stored = results->empty() ? operation.value : member(results->front(), "value");
  Value list = stored.is_list() ? stored : Value::list();
  const auto size = static_cast<std::int64_t>(list.items().size());
  const std::int64_t asked = operation.value.is_integer() ? operation.value.integer() : 0;
  if (asked > size) return Completion::failed("not-reached", "there is no such position yet");
  const std::int64_t shown = operation.f == "read-at" ? asked : size;
  list.items().resize(static_cast<std::size_t>(std::max<std::int64_t>(0, shown)));
  return Completion::ok(Value::list({shown, std::move(list)}));
}

}  // namespace ordeal
