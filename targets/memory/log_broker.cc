#include "targets/memory/log_broker.h"

#include <utility>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
namespace {

constexpr std::size_t kMaxPolled = 8;

bool is_send(const Value& micro) {
  return micro.is_list() && micro.items().size() == 3 && micro.items()[0] == Value("send");
}
bool is_poll(const Value& micro) {
  return micro.is_list() && !micro.items().empty() && micro.items()[0] == Value("poll");
}

}  // namespace

Completion LogBroker::apply(const Operation& operation, std::uint64_t client, Rng& rng) {
  const std::lock_guard lock(mutex_);
  if (!operation.value.is_list()) return bad_operation(operation, "a list");
  Positions& positions = consumers_[client];
  if (operation.f == "assign" || operation.f == "subscribe") {
    Positions fresh;
    for (const Value& key : operation.value.items()) {
      const auto known = positions.find(key);
      fresh[key] = known == positions.end() ? 0 : known->second;
    }
    positions = std::move(fresh);
    return Completion::ok();
  }
  for (const Value& micro : operation.value.items()) {
    if (!is_send(micro) && !is_poll(micro)) return bad_operation(operation, R"(["send" key value] or ["poll"])");
  }
  Value done = operation.value;
  for (Value& micro : done.items()) {
    if (is_poll(micro)) micro = Value::list({"poll", poll(positions, rng)});
  }
  for (Value& micro : done.items()) {
    if (!is_send(micro)) continue;
    auto& parts = micro.items();
    const std::int64_t offset = send(parts[1], parts[2], rng);
    parts[2] = Value::list({offset, parts[2]});
  }
  return Completion::ok(std::move(done));
}

Value LogBroker::poll(Positions& positions, Rng& rng) {
  Value seen = Value::map();
  for (auto& [key, position] : positions) {
    const auto& log = logs_[key];
    Value::List messages;
    std::size_t at = position;
    for (; at < log.size() && messages.size() < kMaxPolled; ++at) {
      if (log[at]) messages.push_back(Value::list({static_cast<std::int64_t>(at), *log[at]}));
    }
    if (!faults_.strikes(Bug::stale_read, rng)) position = at;
    if (messages.empty()) continue;
    if (messages.size() > 1 && faults_.strikes(Bug::reorder, rng)) std::swap(messages[0], messages[1]);
    seen.set(key, Value(std::move(messages)));
  }
  return seen;
}

std::int64_t LogBroker::send(const Value& key, const Value& value, Rng& rng) {
  auto& log = logs_[key];
  log.push_back(faults_.strikes(Bug::lost_write, rng) ? std::nullopt : std::optional(value));
  const auto offset = static_cast<std::int64_t>(log.size()) - 1;
  if (faults_.strikes(Bug::duplicate, rng)) log.emplace_back(value);
  return offset;
}

}  // namespace ordeal::memory
