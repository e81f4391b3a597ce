#pragma once
// Ctrl-C, SIGTERM and SIGHUP as stop tokens, one for each wish that the program can fulfil: of a run the first to heal,
// collect, check and report what there is, the second not to wait for the checkers. One wish more ends the program at
// once (faults are then undone by the nodes' watchdogs, or by `ordeal heal`). What comes within a second of another is
// the same wish: timeout(1) sends its signal to the program and to its process group, and a terminal that closes may
// send SIGHUP twice.
//
// A signal that was ignored when the program began stays ignored (nohup). Handlers, not blocked signals: what the
// program starts gets the default dispositions back at exec. Thread-safety: one object per program, made and destroyed
// on the main thread.

#include <signal.h>

#include <array>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace ordeal::cli {

class SignalStop {
 public:
  // What to say on standard error when each of the wishes is made, one or more.
  explicit SignalStop(std::vector<std::string> said);
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;
  // Of the first, second, … wish.
  [[nodiscard]] std::stop_token token(std::size_t wish = 0) const { return sources_.at(wish).get_token(); }

 private:
  static constexpr std::array<int, 3> kHandled = {SIGINT, SIGTERM, SIGHUP};
  std::vector<std::string> said_;
  std::vector<std::stop_source> sources_;
  std::array<struct sigaction, kHandled.size()> before_{};
  int pipe_[2] = {-1, -1};
  std::jthread watcher_;
};

}  // namespace ordeal::cli
