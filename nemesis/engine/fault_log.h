#pragma once
// FaultLog: the steps of injections on their way to the history, and the run's clock by which they are timed.
//
// A step that is told while no phase runs (heal_all() after the run) goes to nobody. Thread-safety: all methods from
// any thread.

#include <chrono>
#include <cstdint>
#include <mutex>

#include "checkers/history/fault_record.h"
#include "harness/interfaces/nemesis.h"

namespace ordeal {

class FaultLog {
 public:
  // From now on until end(), steps go to `log`, which is borrowed. A phase begins.
  void begin(NemesisLog& log);
  void end();
  // Valid until end(); nullptr: no phase runs.
  [[nodiscard]] NemesisLog* sink();
  // The history's clock; it goes on between phases.
  [[nodiscard]] std::int64_t now_ns() const;
  // The same of another moment.
  [[nodiscard]] std::int64_t at_ns(std::chrono::steady_clock::time_point moment) const;
  // Since the phase began, in which slots and quiet times are counted.
  [[nodiscard]] double now_s() const;
  void write(const FaultEvent& event);

 private:
  using Clock = std::chrono::steady_clock;
  mutable std::mutex clock_mutex_;
  std::int64_t began_ns_ = 0;               // the run's clock when began_ was read; guarded by clock_mutex_
  Clock::time_point began_ = Clock::now();  // guarded by clock_mutex_

  std::mutex sink_mutex_;
  NemesisLog* sink_ = nullptr;  // guarded by sink_mutex_
};

}  // namespace ordeal
