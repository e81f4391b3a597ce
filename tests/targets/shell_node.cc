#include "tests/targets/shell_node.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

namespace ordeal::testing {
namespace {

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { ORDEAL_CHECK(pipe2(ends, O_CLOEXEC) == 0, "no pipe"); }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
};

// Reads both pipes to their ends; false when the deadline comes first.
bool drain(Pipe& out, Pipe& err, CommandOutput& result, std::chrono::steady_clock::time_point deadline) {
  pollfd fds[2] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
  std::string* texts[2] = {&result.out, &result.err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    poll(fds, 2, static_cast<int>(left));
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
      if (n <= 0) {
        fds[i].fd = -1;
      } else {
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      }
    }
  }
  return true;
}

}  // namespace

Result<CommandOutput> ShellNode::run(const Command& command) {
  const auto deadline = std::chrono::steady_clock::now() + command.timeout;
  Pipe out;
  Pipe err;
  const pid_t pid = fork();
  ORDEAL_CHECK(pid >= 0, "fork failed");
  if (pid == 0) {
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(out.ends[1], 1);
    dup2(err.ends[1], 2);
    execl("/bin/sh", "sh", "-c", command.script.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  out.close_end(1);
  err.close_end(1);
  CommandOutput result;
  const bool done = drain(out, err, result, deadline);
  if (!done) kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  if (!done) return fail(ErrorCode::timeout, name_ + ": the command took too long: " + command.script);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Result<void> ShellNode::upload(const std::string& local, const std::string& remote, const TransferProgress&) {
  std::error_code error;
  std::filesystem::copy_file(local, remote, std::filesystem::copy_options::overwrite_existing, error);
  if (error) return fail(ErrorCode::io, local + ": " + error.message());
  return {};
}

Result<void> ShellNode::download(const std::string& remote, const std::string& local,
                                 const TransferProgress& progress) {
  return upload(remote, local, progress);
}

AtEnd::AtEnd(const std::string& script)
    : pipe_(popen(("exec setsid sh -c " + shell_quote("read line; " + script)).c_str(), "we")) {
  ORDEAL_CHECK(pipe_ != nullptr, "popen failed");
}

AtEnd::~AtEnd() { pclose(pipe_); }

}  // namespace ordeal::testing
