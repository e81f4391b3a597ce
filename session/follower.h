#pragma once
// Follower: judges a run while it goes on, so that it can be ended at the first anomaly instead of at its end.
//
// A thread of its own follows the journal's file, at lower priority and on one core, and judges what has come so far
// with those of the workload's checkers for which that is final (checkers/prefix.h). What it takes is bounded: the
// memory of windows.h and of a checker, and of time at most half of a core: after a check that took a second it waits
// for one. An anomaly is so seen within about 0.2 s plus three times what a check takes; where a check takes long,
// windows get shorter. It decides no verdict: that is for the check of the whole, which is made as if nobody had
// followed.
//
// Thread-safety: made and destroyed on one thread; found() and seen() from any.

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/interfaces/workload.h"
#include "session/windows.h"

namespace ordeal {

// What ended the run.
struct Sighting {
  std::string checker;
  std::string type;
  std::string explanation;
  std::int64_t completed_ns = -1;  // of the last operation that shows it, on the history's clock
};

struct FollowLimits {
  WindowLimits windows = {};
  std::chrono::milliseconds interval{150};
  std::chrono::milliseconds check{5000};  // what takes longer says nothing
  std::size_t memory_bytes = std::size_t{256} << 20;
};

class Follower {
 public:
  // Those of the checkers that say something of a run that is not over.
  [[nodiscard]] static std::vector<ConfiguredChecker> followable(std::vector<ConfiguredChecker> checkers);

  // Begins to follow. Requires: the file is there, and checkers of followable().
  Follower(std::string history_path, std::vector<ConfiguredChecker> checkers, FollowLimits limits = {});
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Requested when an anomaly was seen.
  [[nodiscard]] std::stop_token found() const;
  [[nodiscard]] std::optional<Sighting> seen() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ordeal
