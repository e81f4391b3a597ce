#include "cli/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "cli/console.h"

namespace ordeal::cli {
namespace {

std::atomic<int> signal_pipe{-1};
std::atomic<int> signals_seen{0};

void on_signal(int number) {
  if (signals_seen.fetch_add(1) > 0) _exit(128 + number);
  const int error = errno;  // of whatever was interrupted
  const char byte = static_cast<char>(number);
  // Nothing can be done here about a full or closed pipe; the second signal still ends the program.
  [[maybe_unused]] const ssize_t written = write(signal_pipe.load(), &byte, 1);
  errno = error;
}

}  // namespace

SignalStop::SignalStop() {
  if (pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) != 0) return;
  signal_pipe = pipe_[1];
  signals_seen = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kHandled.size(); ++i) {
    sigaction(kHandled[i], nullptr, &before_[i]);
    // What nohup, or a shell that starts something in the background, has made to be ignored stays so.
    if (before_[i].sa_handler != SIG_IGN) sigaction(kHandled[i], &action, nullptr);
  }
  watcher_ = std::jthread([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd fd{pipe_[0], POLLIN, 0};
      if (poll(&fd, 1, 200) <= 0) continue;
      char byte = 0;
      if (read(pipe_[0], &byte, 1) != 1) continue;
      say("stopping: healing, collecting and judging what there is (again: leave at once)");
      source_.request_stop();
      return;
    }
  });
}

SignalStop::~SignalStop() {
  if (pipe_[0] < 0) return;
  for (std::size_t i = 0; i < kHandled.size(); ++i) sigaction(kHandled[i], &before_[i], nullptr);
  watcher_.request_stop();
  if (watcher_.joinable()) watcher_.join();
  signal_pipe = -1;
  for (const int fd : pipe_) {
    if (fd >= 0) close(fd);
  }
}

}  // namespace ordeal::cli
