#pragma once
// Ctrl-C, SIGTERM and SIGHUP as a stop token: the first asks the run to heal, collect, check and report what there is;
// the second ends the program at once (faults are then undone by the nodes' watchdogs, or by `ordeal heal`).
//
// A signal that was ignored when the program began stays ignored (nohup). Handlers, not blocked signals: what the
// program starts gets the default dispositions back at exec. Thread-safety: one object per program, made and destroyed
// on the main thread.

#include <signal.h>

#include <array>
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
  static constexpr std::array<int, 3> kHandled = {SIGINT, SIGTERM, SIGHUP};
  std::stop_source source_;
  std::array<struct sigaction, kHandled.size()> before_{};
  int pipe_[2] = {-1, -1};
  std::jthread watcher_;
};

}  // namespace ordeal::cli
