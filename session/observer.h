#pragma once
// RunObserver: how a session says what happens. The library prints nothing; the command line implements this over the
// terminal, a test over a list. Thread-safety: remark() is called from any thread, the others from the session's.

#include <string_view>

#include "harness/runner/run.h"

namespace ordeal {

class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // One line for people that should not wait for the end: a warning, what was left out, what went wrong.
  virtual void remark(std::string_view line) = 0;
  // What is done next, after the clients are through: "checking 3,426,213 events". From the session's thread.
  virtual void stage(std::string_view what) = 0;
  // Twice a second while the clients are at work; the next one replaces it.
  virtual void progress(const Progress& now) = 0;
};

}  // namespace ordeal
