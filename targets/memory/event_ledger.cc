#include "targets/memory/event_ledger.h"

#include <algorithm>
#include <thread>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
namespace {

constexpr std::chrono::milliseconds kModelLag(3);

}  // namespace

Completion EventLedger::apply(const Operation& operation, Rng& rng) {
  if (!operation.key) return bad_operation(operation, "an account as key");
  if (operation.f == "deposit" || operation.f == "withdraw") return append(operation, rng);
  const std::lock_guard lock(mutex_);
  return read(streams_[*operation.key], operation, rng);
}

Completion EventLedger::append(const Operation& operation, Rng& rng) {
  const Value* id = operation.value.find("id");
  const Value* amount = operation.value.find("amount");
  if (id == nullptr || amount == nullptr || !amount->is_integer() || amount->integer() <= 0)
    return bad_operation(operation, R"({"id": …, "amount": integer above 0})");
  std::unique_lock lock(mutex_);
  Stream& stream = streams_[*operation.key];
  const bool withdrawal = operation.f == "withdraw";
  if (withdrawal) {
    std::int64_t money = 0;
    for (const Event& one : stream) money += one.amount;
    if (money < amount->integer()) return Completion::failed("insufficient", "the account holds too little");
    if (faults_.strikes(Bug::write_skew, rng)) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      lock.lock();
    }
  }
  const auto version = static_cast<std::int64_t>(stream.size()) + 1;
  const Event event{*id, withdrawal ? -amount->integer() : amount->integer(), now_()};
  if (!faults_.strikes(Bug::lost_write, rng)) stream.push_back(event);
  if (faults_.strikes(Bug::duplicate, rng)) stream.push_back(event);
  return Completion::ok(version);
}

Completion EventLedger::read(const Stream& stream, const Operation& operation, Rng& rng) {
  const bool model = operation.f == "model";
  if (!model && operation.f != "balance" && operation.f != "events" && operation.f != "replay")
    return Completion::failed("unsupported", "the memory target has no operation " + operation.f + " on a ledger");
  auto end = stream.end();
  if (model) {
    end =
        std::find_if(stream.begin(), stream.end(), [&](const Event& one) { return one.appended + kModelLag > now_(); });
  } else if (operation.f != "replay" && !stream.empty() && faults_.strikes(Bug::stale_read, rng)) {
    --end;
  }
  const std::int64_t version = end - stream.begin();
  if (operation.f == "events") {
    Value::List all;
    for (auto one = stream.begin(); one != end; ++one)
      all.push_back(Value::list({one - stream.begin() + 1, one->id, one->amount}));
    return Completion::ok(Value(std::move(all)));
  }
  std::int64_t money = 0;
  for (auto one = stream.begin(); one != end; ++one) money += one->amount;
  if (model && version > 1 && faults_.strikes(Bug::reorder, rng))
    return Completion::ok(Value::list({version - 1, money - (end - 2)->amount}));
  return Completion::ok(Value::list({version, money}));
}

}  // namespace ordeal::memory
