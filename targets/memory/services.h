#pragma once
// Services: what the memory target offers beside data under keys: things of which a run has one, each behind one lock,
// and so linearizable.
//
//   g2   `insert` {key, [a b]}: fails when the key has a row; the bug write-skew does not look, lost-write does not insert
//
// Thread-safety: all methods from any thread.

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>

#include "harness/runner/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class Services {
 public:
  Services(Faultiness faults, std::function<std::chrono::nanoseconds()> now) : faults_(faults), now_(std::move(now)) {}

  // nullopt when the operation is none of these on that data type.
  [[nodiscard]] std::optional<Completion> apply(std::string_view data_type, const Operation& operation,
                                                std::uint64_t client, Rng& rng);

 private:
  Completion insert(const Operation& operation, Rng& rng);

  const Faultiness faults_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;  // guards all below
  std::set<Value> rows_;  // keys that have one
};

}  // namespace ordeal::memory
