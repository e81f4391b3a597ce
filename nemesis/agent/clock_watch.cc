#include "nemesis/agent/clock_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "nemesis/agent/clock.h"
#include "nemesis/agent/proc.h"
#include "nemesis/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kLookEveryNs = 30'000'000;
constexpr int kRestShare = 15;       // of the time, at least so many times as long as a look takes, is rest
constexpr int kGentleWaits = 300;    // of 10 ms, for the watch to end by itself
constexpr int kRounds = 10;          // of looking for processes that were forked while we healed

volatile std::sig_atomic_t asked_to_end = 0;

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

std::string watch_file(const std::string& folder) { return folder + "/clock-watch"; }

// A process and when it started, since ids are used again.
struct Known {
  int process = 0;
  std::uint64_t started = 0;
  friend bool operator==(const Known&, const Known&) = default;
};

class Watch {
 public:
  Watch(std::string folder, std::string id, const ClockParameters& parameters)
      : folder_(std::move(folder)), id_(std::move(id)), parameters_(parameters) {}

  // The first time. False when the clock of one could not be set.
  bool begin(const std::vector<int>& processes) {
    bool good = true;
    for (const int process : processes) {
      const ProcessStatus status = status_of(process);
      if (!status.alive()) continue;
      const std::string problem = set_clock(process, id_, parameters_);
      if (problem.empty()) {
        known_.push_back({process, status.started});
        commands_.push_back(command_of(process));
        std::printf("set %d\n", process);
      } else if (status_of(process).alive()) {
        good = false;
        std::fprintf(stderr, "process %d: %s\n", process, problem.c_str());
      }
    }
    return good;
  }

  void keep_up() {
    while (asked_to_end == 0 && exists(folder_)) {
      const std::int64_t began = monotonic_ns();
      look();
      pause_ns(std::max(kLookEveryNs, kRestShare * (monotonic_ns() - began)));
    }
  }

 private:
  void look() {
    std::vector<Known> alive;
    // Parents have smaller ids than their children, but where ids have begun anew: then the next look finds the child.
    for (const int process : all_processes()) {
      const ProcessStatus status = status_of(process);
      if (process == ::getpid() || !status.alive()) continue;
      const Known one{process, status.started};
      if (!is_known(one) && !is_ours(process, status.parent)) continue;
      alive.push_back(one);
      if (!is_known(one)) known_.push_back(one);
      // The state that counts is the process's own: it may have run another program since we looked last.
      if (!find_page(process).in_force && exists(folder_)) (void)set_clock(process, id_, parameters_);
    }
    known_ = std::move(alive);
  }

  bool is_known(const Known& one) const { return std::find(known_.begin(), known_.end(), one) != known_.end(); }
  bool is_ours(int process, int parent) const {
    if (std::any_of(known_.begin(), known_.end(), [&](const Known& one) { return one.process == parent; })) return true;
    const std::string command = command_of(process);
    return !command.empty() && std::find(commands_.begin(), commands_.end(), command) != commands_.end();
  }

  const std::string folder_;
  const std::string id_;
  const ClockParameters parameters_;
  std::vector<Known> known_;
  std::vector<std::string> commands_;
};

// Resets every process in which the fault is in force; false when one could not be.
bool reset_all(std::string_view id) {
  for (int round = 0; round < kRounds; ++round) {
    bool found = false;
    bool good = true;
    for (const int process : all_processes()) {
      if (process == ::getpid() || find_page(process).id != id) continue;
      found = true;
      const std::string problem = reset_clock(process, id);
      if (problem.empty()) continue;
      good = false;
      std::fprintf(stderr, "process %d: %s\n", process, problem.c_str());
    }
    if (!found) return true;
    if (!good && round + 1 == kRounds) break;
  }
  return false;
}

bool write_file(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool good = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  return good;
}

// Ends the watch of this folder and waits until it is gone: it must not be killed while it has a process in its hands.
void end_watch(const std::string& folder) {
  const auto words = split(read_file(watch_file(folder)), " \n");
  if (words.size() < 2) return;
  const int process = static_cast<int>(to_integer(words[0]));
  const auto started = static_cast<std::uint64_t>(to_integer(words[1]));
  const auto runs = [&] {
    const ProcessStatus status = status_of(process);
    return status.alive() && status.started == started;
  };
  for (int i = 0; i < kGentleWaits && runs(); ++i) {
    ::kill(process, SIGTERM);
    pause_ns(10'000'000);
  }
  if (runs()) ::kill(process, SIGKILL);
}

[[noreturn]] void watch_in_background(Watch& watch, const std::string& folder, std::string_view id) {
  ::setsid();
  (void)!::chdir("/");
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; ++i) ::dup2(nowhere, i);
  struct sigaction ending {};
  ending.sa_handler = [](int) { asked_to_end = 1; };
  ::sigaction(SIGTERM, &ending, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  watch.keep_up();
  // The folder is gone: somebody has undone the fault, perhaps while we were at work on one more process.
  if (!exists(folder)) (void)reset_all(id);
  ::_exit(0);
}

}  // namespace

int start_clock_fault(const std::string& folder, std::string_view id, const ClockParameters& parameters,
                      const std::vector<int>& processes) {
  // To die with a process in hand would leave it running wherever it was made to go.
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  Watch watch(folder, std::string(id), parameters);
  if (!watch.begin(processes) || !exists(folder)) {
    (void)reset_all(id);
    return 1;
  }
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) watch_in_background(watch, folder, id);
  const std::string who = child < 0 ? "" : std::to_string(child) + " " + std::to_string(status_of(child).started) + "\n";
  if (child > 0 && write_file(watch_file(folder), who)) return 0;
  std::fprintf(stderr, "the watch could not be started: %s\n", std::strerror(errno));
  if (child > 0) ::kill(child, SIGTERM);
  (void)reset_all(id);
  return 1;
}

int undo_clock_fault(const std::string& folder, std::string_view id) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  end_watch(folder);
  return reset_all(id) ? 0 : 1;
}

}  // namespace ordeal::agent
