#pragma once
// Limits: what the memory target grants and denies, each behind one lock. By data type, with what the bugs do (bugs.h):
//
//   token-bucket  `request`: a hundred a second, ten at once. lost-write: a grant takes no token; duplicate: it takes
//                 two; stale-read: what grew since the last request is not seen, and gone
//   semaphore     `acquire-permit`, `release-permit`: three permits, one for each client. lost-write: a release is
//                 acknowledged and gives nothing back; duplicate: an acquisition takes two, of which one comes back;
//                 write-skew: taken without looking whether there is one
//
// Thread-safety: all methods from any thread.

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class Limits {
 public:
  Limits(Faultiness faults, std::function<std::chrono::nanoseconds()> now) : faults_(faults), now_(std::move(now)) {}

  // nullopt when the operation is none of these on that data type.
  [[nodiscard]] std::optional<Completion> apply(std::string_view data_type, const Operation& operation,
                                                std::uint64_t client, Rng& rng);
  // A client is gone: its permits come back.
  void forget(std::uint64_t client);

 private:
  Completion request(Rng& rng);
  Completion permit(const Operation& operation, std::uint64_t client, Rng& rng);

  const Faultiness faults_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;  // guards all below
  // Tokens, as the time in which they grow.
  std::chrono::nanoseconds filled_{0};
  std::chrono::nanoseconds looked_{0};
  bool fresh_ = true;  // nobody has asked yet
  std::map<std::uint64_t, std::int64_t> holders_;
  std::int64_t taken_ = 0;  // permits
};

}  // namespace ordeal::memory
