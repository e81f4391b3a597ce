#include "targets/process/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/group.hpp>
#include <boost/process/posix.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/descriptor.h"
#include "harness/control/new_process.h"

namespace ordeal {
namespace {

namespace bp = boost::process;

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

// What the new process does between fork and exec.
struct PrepareChild : bp::extend::handler {
  pid_t parent = getpid();
  template <class Executor>
  void on_exec_setup(Executor&) const {
    die_with_parent(parent);
    inherit_nothing();
  }
};

}  // namespace

struct ChildProcess::Impl {
  Descriptor input;
  Descriptor output;
  Descriptor errors;
  Descriptor ended;
  bp::group group;
  bp::child child;
  pid_t pid = -1;
  bool reaped = false;
  int status = 0;
};

ChildProcess::ChildProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ChildProcess::~ChildProcess() { kill(); }

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const std::vector<std::string>& words) {
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  for (const auto* pipe : {&in, &out, &err}) {
    if (!*pipe) return fail(pipe->error());
  }
  auto impl = std::make_unique<Impl>();
  std::error_code error;
  try {
    const std::vector<std::string> arguments(words.begin() + 1, words.end());
    impl->child = bp::child(bp::exe = words.front(), bp::args = arguments, bp::posix::fd.bind(0, in->read.get()),
                            bp::posix::fd.bind(1, out->write.get()), bp::posix::fd.bind(2, err->write.get()),
                            impl->group, PrepareChild(), error);
  } catch (const std::exception& problem) {
    return fail(ErrorCode::internal, words.front() + ": " + problem.what());
  }
  if (error) {
    const auto code = error == std::errc::no_such_file_or_directory ? ErrorCode::not_found
                      : error == std::errc::permission_denied       ? ErrorCode::permission
                                                                    : ErrorCode::internal;
    return fail(code, "starting " + words.front() + ": " + error.message());
  }
  impl->pid = impl->child.id();
  // Boost's objects must not wait or kill by themselves; this class does.
  impl->child.detach();
  impl->group.detach();
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
