#include "cli/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "cli/console.h"

namespace ordeal::cli {
namespace {

std::atomic<int> signal_pipe{-1};
std::atomic<int> wishes{0};
std::atomic<std::int64_t> last_ns{0};
constexpr std::int64_t kSameWish_ns = 1'000'000'000;
std::atomic<int> fulfilled{1};  // so many wishes are; the next one is to leave

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);  // async-signal-safe
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void on_signal(int number) {
  const int error = errno;  // of whatever was interrupted
  const std::int64_t now = now_ns();
  if (const std::int64_t before = last_ns.exchange(now); before == 0 || now - before > kSameWish_ns) {
    const int wish = wishes.fetch_add(1) + 1;
    if (wish > fulfilled.load()) _exit(128 + number);
    const char byte = static_cast<char>(wish);
    // Nothing can be done here about a full or closed pipe; one wish more still ends the program.
    [[maybe_unused]] const ssize_t written = write(signal_pipe.load(), &byte, 1);
  }
  errno = error;
}

}  // namespace

SignalStop::SignalStop(std::vector<std::string> said) : said_(std::move(said)), sources_(said_.size()) {
  if (pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) != 0) return;
  signal_pipe = pipe_[1];
  wishes = 0;
  fulfilled = static_cast<int>(said_.size());
  last_ns = 0;
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
      const auto wish = static_cast<std::size_t>(byte) - 1;
      say(said_[wish]);
      sources_[wish].request_stop();
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
