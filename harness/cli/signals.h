#pragma once
// Ctrl-C, SIGTERM and SIGHUP as a stop token: the first asks the run to heal, collect, check and report what there is;
// the second ends the program at once (faults are then undone by the nodes' watchdogs, or by `ordeal heal`).
//
// Handlers, not blocked signals: what the program starts gets the default dispositions back at exec.
// Thread-safety: one object per program, made and destroyed on the main thread.

#include <stop_token>
#include <thread>

namespace ordeal::cli {

class SignalStop {
 public:
  SignalStop();
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  int pipe_[2] = {-1, -1};
  std::jthread watcher_;
};

}  // namespace ordeal::cli
