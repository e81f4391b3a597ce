#include "nemesis/programs/agent/background.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr int kGentleWaits = 400;  // of 10 ms, for the work to end by itself

volatile std::sig_atomic_t asked_to_end = 0;

std::string identity_file(const std::string& folder) { return folder + "/background"; }

[[noreturn]] void run(const std::function<void()>& work) {
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
  work();
  ::_exit(0);
}

}  // namespace

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

bool write_file(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool good = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  return good;
}

void hold_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

bool start_background(const std::string& folder, const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) run(work);
  const std::string who =
      child < 0 ? "" : std::to_string(child) + " " + std::to_string(status_of(child).started) + "\n";
  if (child > 0 && write_file(identity_file(folder), who)) return true;
  std::fprintf(stderr, "nothing can be left behind in %s: %s\n", folder.c_str(), std::strerror(errno));
  if (child > 0) ::kill(child, SIGTERM);
  return false;
}

bool keep_going(const std::string& folder) { return asked_to_end == 0 && exists(folder); }

void end_background(const std::string& folder) {
  const auto words = split(read_file(identity_file(folder)), " \n");
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

}  // namespace ordeal::agent
