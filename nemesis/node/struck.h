#pragma once
// Struck: when an injection struck, as closely as it knows: around the commands on the nodes that had the effect, the
// first of which began and the last of which was over (Injection::instant). Thread-safety: during() from any thread.

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

#include "harness/interfaces/fault.h"

namespace ordeal {

class Struck {
 public:
  // Does what has the effect on one node, and gives what it gives.
  template <class Step>
  auto during(Step step) {
    const auto before = std::chrono::steady_clock::now();
    auto done = step();
    widen({before, std::chrono::steady_clock::now()});
    return done;
  }
  void widen(const Instant& one) {
    const std::lock_guard lock(mutex_);
    if (!all_) all_ = one;
    all_ = Instant{std::min(all_->earliest, one.earliest), std::max(all_->latest, one.latest)};
  }
  // Nothing: nothing was done.
  [[nodiscard]] std::optional<Instant> instant() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Instant> all_;  // guarded by mutex_
};

}  // namespace ordeal
