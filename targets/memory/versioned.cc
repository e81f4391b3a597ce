#include "targets/memory/versioned.h"

#include <algorithm>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {

Completion VersionedRegisters::apply(const Operation& operation, Rng& rng) {
  const std::lock_guard lock(mutex_);
  std::vector<Value>& values =
      versions_.try_emplace(operation.key.value_or(Value()), std::vector<Value>{Value()}).first->second;
  const auto current = static_cast<std::int64_t>(values.size()) - 1;
  if (operation.f == "read") {
    const std::int64_t shown = current > 0 && faults_.strikes(Bug::stale_read, rng) ? current - 1 : current;
    return Completion::ok(Value::list({shown, values[static_cast<std::size_t>(shown)]}));
  }
  if (operation.f != "cas-version" || !operation.value.is_list() || operation.value.items().size() != 2 ||
      !operation.value.items()[0].is_integer()) {
    return bad_operation(operation, "[version, value]");
  }
  const std::int64_t expected = operation.value.items()[0].integer();
  const Value& value = operation.value.items()[1];
  const bool same_again =
      expected >= 0 && expected < current && values[static_cast<std::size_t>(expected)] == values.back();
  if (expected != current && !(same_again && faults_.strikes(Bug::write_skew, rng))) {
    return Completion::failed("conflict", "the version is " + std::to_string(current));
  }
  if (!faults_.strikes(Bug::lost_write, rng)) values.push_back(value);
  if (faults_.strikes(Bug::duplicate, rng)) values.push_back(value);
  return Completion::ok(Value::list({current + 1, value}));
}

Completion TimeOrderedIds::apply(std::uint64_t client, Rng& rng) {
  constexpr std::int64_t kEpoch_ms = 1'000'000;  // what all clocks begin with
  constexpr std::int64_t kCounters = 1 << 12;
  const std::lock_guard lock(mutex_);
  const std::size_t generator = client % kGenerators;
  std::int64_t ms = kEpoch_ms + now_().count() / 1'000'000 + static_cast<std::int64_t>(generator);
  if (faults_.strikes(Bug::stale_read, rng)) ms -= 1000;
  std::int64_t& last = last_[generator];
  const bool again = last > 0 && faults_.strikes(Bug::duplicate, rng);
  // A clock that is behind is waited for by counting on, but not with the bug.
  if (!again)
    last =
        faults_.bug == Bug::stale_read ? ms * kCounters + (last + 1) % kCounters : std::max(last + 1, ms * kCounters);
  return Completion::ok(Value(
      (last / kCounters * static_cast<std::int64_t>(kGenerators) + static_cast<std::int64_t>(generator)) * kCounters +
      last % kCounters));
}

}  // namespace ordeal::memory
