#include "targets/memory/messages.h"

#include <algorithm>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
namespace {

constexpr std::int64_t kAttempts = 3;

}  // namespace

std::optional<Completion> Messages::apply(std::string_view data_type, const Operation& operation, std::uint64_t client,
                                          Rng& rng) {
  if (data_type != "dead-letter" && data_type != "outbox") return std::nullopt;
  const std::lock_guard lock(mutex_);
  return data_type == "outbox" ? outbox(operation, rng) : queue(operation, client, rng);
}

Completion Messages::queue(const Operation& operation, std::uint64_t client, Rng& rng) {
  if (operation.f == "enqueue") {
    if (operation.value.find("id") == nullptr) return bad_operation(operation, R"({"id": …, "poison": …})");
    queue_.push_back({operation.value, 0});
    return Completion::ok();
  }
  if (operation.f == "drain-dead") return Completion::ok(Value(std::exchange(dead_, {})));
  std::vector<Message>& mine = received_[client];
  if (operation.f == "receive") {
    const bool waits = std::any_of(queue_.begin(), queue_.end(), [](const Message& one) { return one.attempts > 0; });
    if (queue_.empty() || (waits && faults_.strikes(Bug::stale_read, rng))) return Completion::ok(Value());
    mine.push_back(std::move(queue_.front()));
    queue_.pop_front();
    ++mine.back().attempts;
    return Completion::ok(mine.back().value);
  }
  const auto found = std::find_if(mine.begin(), mine.end(),
                                  [&](const Message& one) { return *one.value.find("id") == operation.value; });
  if (found == mine.end()) return Completion::failed("not-held", "this client did not receive the message");
  Message message = std::move(*found);
  mine.erase(found);
  if (operation.f == "reject" && !faults_.strikes(Bug::lost_write, rng)) give_back(std::move(message), &rng);
  return Completion::ok();
}

void Messages::give_back(Message message, Rng* rng) {
  const bool counted = rng == nullptr || !faults_.strikes(Bug::write_skew, *rng);
  if (message.attempts < kAttempts || !counted) return queue_.push_back(std::move(message));
  if (rng != nullptr && faults_.strikes(Bug::duplicate, *rng)) queue_.push_back(message);
  dead_.push_back(std::move(message.value));
}

void Messages::forget(std::uint64_t client) {
  const std::lock_guard lock(mutex_);
  const auto found = received_.find(client);
  if (found == received_.end()) return;
  for (Message& message : found->second) give_back(std::move(message), nullptr);
  received_.erase(found);
}

Completion Messages::outbox(const Operation& operation, Rng& rng) {
  if (operation.f == "messages") return Completion::ok(Value(messages_));
  if (operation.f == "read") {
    const bool stale = !changes_.empty() && faults_.strikes(Bug::stale_read, rng);
    return Completion::ok(Value(Value::List(changes_.begin(), changes_.end() - (stale ? 1 : 0))));
  }
  const Value* id = operation.value.find("id");
  const Value* key = operation.value.find("key");
  if (id == nullptr || key == nullptr) return bad_operation(operation, R"({"id": …, "key": …})");
  const Value* rollback = operation.value.find("rollback");
  const Value entry = Value::list({*key, *id});
  const bool rolled_back = rollback != nullptr && *rollback == Value(true);
  const bool sent = rolled_back ? faults_.strikes(Bug::write_skew, rng) : !faults_.strikes(Bug::lost_write, rng);
  if (sent) {
    const bool overtakes = !messages_.empty() && faults_.strikes(Bug::reorder, rng);
    messages_.insert(messages_.end() - (overtakes ? 1 : 0), entry);
  }
  if (rolled_back) return Completion::failed("rolled-back", "as it was asked for");
  changes_.push_back(entry);
  if (faults_.strikes(Bug::duplicate, rng)) changes_.push_back(entry);
  return Completion::ok();
}

}  // namespace ordeal::memory
