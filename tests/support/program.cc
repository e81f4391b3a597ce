#include "tests/support/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace ordeal::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPatience = 4;  // on a busy machine

int decoded(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

[[noreturn]] void become(const std::vector<std::string>& arguments,
                         const std::map<std::string, std::string>& environment, const std::string& directory) {
  setpgid(0, 0);
  signal(SIGINT, SIG_DFL);  // a shell's job in the background has it ignored
  if (!directory.empty() && chdir(directory.c_str()) != 0) _exit(127);
  for (const auto& [key, value] : environment) setenv(key.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

// Reads both pipes until they are closed or the deadline passes; false: the deadline passed.
bool drain(int out_fd, int err_fd, Clock::time_point until, ProgramResult& result) {
  pollfd fds[2] = {{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}};
  std::string* texts[2] = {&result.out, &result.err};
  int open = 2;
  while (open > 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    if (poll(fds, 2, static_cast<int>(left)) <= 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[65536];
      const ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
      if (n > 0) {
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      } else {
        fds[i].fd = -1;
        --open;
      }
    }
  }
  return true;
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments, std::chrono::seconds deadline,
                          const std::map<std::string, std::string>& environment, const std::string& directory) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    become(arguments, environment, directory);
  }
  setpgid(child, child);
  close(out[1]);
  close(err[1]);
  ProgramResult result;
  const auto until = Clock::now() + kPatience * deadline;
  result.timed_out = !drain(out[0], err[0], until, result);
  if (result.timed_out) kill(-child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  result.exit_code = decoded(status);
  close(out[0]);
  close(err[0]);
  return result;
}

Background::Background(const std::vector<std::string>& arguments, const std::string& log,
                       const std::string& directory) {
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    const int null = open("/dev/null", O_RDONLY);
    const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(null, 0);
    dup2(file, 1);
    dup2(file, 2);
    become(arguments, {}, directory);
  }
  setpgid(pid_, pid_);
}

Background::~Background() {
  if (exit_code_ >= 0) return;
  ::kill(-pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
}

void Background::signal(int number) const {
  if (exit_code_ < 0) ::kill(pid_, number);
}

int Background::wait(std::chrono::milliseconds deadline) {
  const auto until = Clock::now() + kPatience * deadline;
  while (exit_code_ < 0) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = decoded(status);
      break;
    }
    if (Clock::now() >= until) return -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return exit_code_;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ordeal::testing
