#pragma once
// RunEnd: how a run ended, as the last record of its journal says it: an event of process "nemesis" with f "nemesis",
// without an id, whose value is {"step":"end","how":…}. A journal without one is that of a controller that was killed.
//
// Thread-safety: value types and pure functions.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"

namespace ordeal {

// A node that did not serve again after the faults were healed, or at the end of a run without faults.
struct UnrecoveredNode {
  std::string node;     // its name; empty: the target as a whole
  bool ended = false;   // no process of the system is left
  std::string problem;  // what the target says
};

struct RunEnd {
  enum class How {
    complete,     // every phase that was due
    interrupted,  // by a signal or another request to stop
    anomaly,      // early, when one was seen while it ran
    failed,       // for a reason of the harness, the nodes or the network
  };
  enum class FinalPhase {
    none,       // the workload has none
    done,       // to its end
    cut_short,  // it began
    left_out,   // it should have been
  };
  How how = How::complete;
  double main_s = 0;  // how long the main phase lasted
  double time_limit_s = 0;
  FinalPhase final_phase = FinalPhase::none;
  std::vector<UnrecoveredNode> unrecovered;
  std::size_t workers = 0;
  std::size_t lost_workers = 0;   // never had a connection, or no thread in the end
  std::size_t stuck_threads = 0;  // of clients that never came back from a call
  std::string failure;            // why it failed

  [[nodiscard]] Value to_value() const;
  // Nothing: the value is that of another event.
  [[nodiscard]] static std::optional<RunEnd> from_value(const Value& value);
};

}  // namespace ordeal
