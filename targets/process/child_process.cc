#include "targets/process/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/descriptor.h"
#include "harness/control/new_process.h"
#include "targets/process/environment.h"

namespace ordeal {
namespace {

struct Pipe {
  Descriptor read;
  Descriptor write;
};

// A pipe whose ends are not inherited and lie above the standard streams, even when the controller has closed its own.
Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::internal, std::string("no pipe: ") + std::strerror(errno));
  Descriptor low_read(ends[0]);
  Descriptor low_write(ends[1]);
  Pipe pipe{Descriptor(fcntl(ends[0], F_DUPFD_CLOEXEC, 3)), Descriptor(fcntl(ends[1], F_DUPFD_CLOEXEC, 3))};
  if (!pipe.read || !pipe.write) {
    return fail(ErrorCode::internal, std::string("no file descriptor: ") + std::strerror(errno));
  }
  return pipe;
}

void make_non_blocking(const Descriptor& fd) { fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

// What is to become of the new process, in words that it can use without memory of its own.
struct Spawn {
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  std::array<int, 3> streams{};
  pid_t parent = -1;
  volatile int error = 0;
};

// In the child, which shares the memory of this program, whose calling thread stands still, until exec: nothing here
// may touch it. No signal handler of ours may run there either.
[[noreturn]] void become(Spawn& spawn) {
  ::setpgid(0, 0);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0) continue;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
  }
  die_with_parent(spawn.parent);
  for (std::size_t i = 0; i < spawn.streams.size(); ++i) ::dup2(spawn.streams[i], static_cast<int>(i));
  inherit_nothing();
  ::execve(spawn.arguments[0], spawn.arguments, spawn.environment);
  spawn.error = errno;
  ::_exit(127);
}

// Starts the program without copying this one's memory map, as fork() would: with a thousand threads that takes long,
// and all of them wait. Its process id, or -1 with errno.
[[gnu::noinline]] pid_t start_program(Spawn& spawn) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork): see become()
  if (pid == 0) become(spawn);
  const int error = pid < 0 ? errno : spawn.error;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid > 0 && error != 0) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  errno = error;
  return error != 0 ? -1 : pid;
}

// As exec takes them.
std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

struct ChildProcess::Impl {
  Descriptor input;
  Descriptor output;
  Descriptor errors;
  Descriptor ended;
  pid_t pid = -1;
  bool reaped = true;  // there is nothing to end
  int status = 0;
};

ChildProcess::ChildProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ChildProcess::~ChildProcess() { kill(); }

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const std::vector<std::string>& words,
                                                          const std::vector<std::string>& variables) {
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  for (const auto* pipe : {&in, &out, &err}) {
    if (!*pipe) return fail(pipe->error());
  }
  auto impl = std::make_unique<Impl>();
  std::vector<char*> arguments = pointers(words);
  const std::vector<std::string> variables_passed = adapter_environment(variables);
  std::vector<char*> environment = pointers(variables_passed);
  Spawn spawn;
  spawn.arguments = arguments.data();
  spawn.environment = environment.data();
  spawn.streams = {in->read.get(), out->write.get(), err->write.get()};
  spawn.parent = ::getpid();
  impl->pid = start_program(spawn);
  if (impl->pid < 0) {
    const int error = errno;
    const auto code = error == ENOENT                     ? ErrorCode::not_found
                      : error == EACCES || error == EPERM ? ErrorCode::permission
                                                          : ErrorCode::internal;
    std::string message = "starting " + words.front() + ": " + std::strerror(error);
    if (error == EAGAIN) message += " (no more processes: ask for a lower --concurrency)";
    return fail(code, std::move(message));
  }
  impl->reaped = false;
  impl->ended = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, impl->pid, 0)));
  impl->input = std::move(in->write);
  impl->output = std::move(out->read);
  impl->errors = std::move(err->read);
  auto process = std::unique_ptr<ChildProcess>(new ChildProcess(std::move(impl)));
  if (process->ended_fd() < 0) return fail(ErrorCode::unsupported, std::string("pidfd_open: ") + std::strerror(errno));
  for (const Descriptor* fd : {&process->impl_->input, &process->impl_->output, &process->impl_->errors})
    make_non_blocking(*fd);
  return process;
}

int ChildProcess::input() const { return impl_->input.get(); }
int ChildProcess::output() const { return impl_->output.get(); }
int ChildProcess::errors() const { return impl_->errors.get(); }
int ChildProcess::ended_fd() const { return impl_->ended.get(); }
void ChildProcess::close_input() { impl_->input.reset(); }

bool ChildProcess::wait(std::chrono::milliseconds patience) {
  if (impl_->reaped) return true;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd ended{impl_->ended.get(), POLLIN, 0};
    const int ready = poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) return true;
    if (left <= 0) return false;
  }
}

void ChildProcess::kill() {
  if (impl_->reaped) return;
  // The group before the leader is reaped: until then its number cannot belong to anybody else.
  ::kill(-impl_->pid, SIGKILL);
  ::kill(impl_->pid, SIGKILL);
  while (waitpid(impl_->pid, &impl_->status, 0) < 0 && errno == EINTR) {
  }
  impl_->reaped = true;
  impl_->input.reset();
  impl_->output.reset();
  impl_->errors.reset();
}

std::string ChildProcess::how_it_ended() const {
  if (WIFEXITED(impl_->status)) return "exited with status " + std::to_string(WEXITSTATUS(impl_->status));
  const int signal = WTERMSIG(impl_->status);
  return "was killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
}

}  // namespace ordeal
