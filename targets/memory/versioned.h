#pragma once
// VersionedRegisters and TimeOrderedIds: two services of the memory target.
//
//   versioned    `read` {key}: [version, value]; `cas-version` {key, [expected, value]}: succeeds against the current
//                version alone and makes the next. write-skew: looks at the value instead, and succeeds when that is
//                what it was at the version expected; lost-write: succeeds and changes nothing; stale-read: the state
//                before; duplicate: the change is made twice, as by a retry
//   ordered-ids  `generate`: milliseconds, the number of one of three generators, and a counter. Their clocks differ by
//                two milliseconds. duplicate: the counter stands still; stale-read: a clock is a second behind
//
// Thread-safety: all methods from any thread.

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class VersionedRegisters {
 public:
  explicit VersionedRegisters(Faultiness faults) : faults_(faults) {}
  [[nodiscard]] Completion apply(const Operation& operation, Rng& rng);

 private:
  const Faultiness faults_;
  std::mutex mutex_;                              // guards all below
  std::map<Value, std::vector<Value>> versions_;  // by key: the values of versions 0, 1, …
};

class TimeOrderedIds {
 public:
  TimeOrderedIds(Faultiness faults, std::function<std::chrono::nanoseconds()> now)
      : faults_(faults), now_(std::move(now)) {}
  [[nodiscard]] Completion apply(std::uint64_t client, Rng& rng);

 private:
  static constexpr std::size_t kGenerators = 3;

  const Faultiness faults_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;                            // guards the one below
  std::int64_t last_[kGenerators] = {0, 0, 0};  // time and counter of the last id
};

}  // namespace ordeal::memory
