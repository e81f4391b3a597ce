#include "cli/run_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/descriptor.h"
#include "base/files.h"
#include "cli/console.h"
#include "cli/signals.h"
#include "harness/control/new_process.h"
#include "harness/runner/stuck.h"
#include "session/campaign/campaign_store.h"
#include "session/resolve_plan.h"

namespace ordeal::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kResults = 3;
// A wish more is none when it comes within a second of the one before (signals.h).
constexpr std::chrono::milliseconds kBetweenWishes{1300};

// A file without a name, for as long as somebody has it open.
Descriptor nameless() { return Descriptor(::memfd_create("ordeal-run", MFD_CLOEXEC)); }

std::string contents_of(const Descriptor& file) {
  std::string out;
  std::array<char, 65536> buffer{};
  for (off_t at = 0;; at = static_cast<off_t>(out.size())) {
    const ssize_t n = ::pread(file.get(), buffer.data(), buffer.size(), at);
    if (n <= 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

struct Streams {
  Descriptor in, out, err, results;
};

// In the child, between fork and exec: async-signal-safe.
[[noreturn]] void become_run(const Streams& streams, pid_t controller) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != controller) ::_exit(127);
  ::dup2(streams.in.get(), STDIN_FILENO);
  ::dup2(streams.out.get(), STDOUT_FILENO);
  ::dup2(streams.err.get(), STDERR_FILENO);
  inherit_nothing();
  // Until play_run() knows what to do with it: what is asked for meanwhile is not lost.
  sigset_t wish;
  ::sigemptyset(&wish);
  ::sigaddset(&wish, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &wish, nullptr);
  if (streams.results.get() == kResults) {
    ::fcntl(kResults, F_SETFD, 0);
  } else {
    ::dup2(streams.results.get(), kResults);
  }
  static const char* const kWords[] = {"ordeal", kPlayRun, nullptr};
  ::execv("/proc/self/exe", const_cast<char* const*>(kWords));
  ::_exit(126);
}

// The process of a run, from its start to its end.
class RunProcess {
 public:
  // Errors: io, when it could not be started.
  Result<void> start(const std::string& what) {
    int pipe[2];
    Streams streams{nameless(), nameless(), {}, nameless()};
    if (!streams.in || !streams.out || !streams.results || ::pipe2(pipe, O_CLOEXEC) != 0)
      return fail(system_error("making what the process of a run needs", errno));
    streams.err.reset(pipe[1]);
    err_.reset(pipe[0]);
    ::fcntl(err_.get(), F_SETFL, O_NONBLOCK);
    if (auto written = write_all(streams.in.get(), what, "what is to be played"); !written) return written;
    ::lseek(streams.in.get(), 0, SEEK_SET);
    const pid_t controller = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) return fail(system_error("starting the process of a run", errno));
    if (pid_ == 0) become_run(streams, controller);
    out_ = std::move(streams.out);
    results_ = std::move(streams.results);
    return {};
  }

  // Passes lines and wishes on until it has ended. The wait status.
  int await_end(const Apart& how) {
    int status = 0;
    for (bool ended = false; !ended;) {
      pollfd fd{err_.get(), POLLIN, 0};
      ::poll(&fd, 1, 50);
      // What it started may hold its standard error for longer than it lives.
      ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
      if (!pass_lines(how) && !ended) std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (!ended) pass_wishes(how);
    }
    if (!rest_.empty()) how.line(rest_);
    return status;
  }

  [[nodiscard]] std::string printed() const { return contents_of(out_); }
  [[nodiscard]] std::string results() const { return contents_of(results_); }

 private:
  // False: no more will come.
  bool pass_lines(const Apart& how) {
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t n = ::read(err_.get(), buffer.data(), buffer.size());
      if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
      rest_.append(buffer.data(), static_cast<std::size_t>(n));
      for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
        how.line(std::string_view(rest_).substr(0, end));
        rest_.erase(0, end + 1);
      }
    }
  }

  void pass_wishes(const Apart& how) {
    const bool first = how.stops.run.stop_requested() || how.unneeded.stop_requested();
    const std::size_t wishes = first && how.stops.judging.stop_requested() ? 2 : first ? 1 : 0;
    if (passed_ >= wishes || (passed_ > 0 && Clock::now() - last_ < kBetweenWishes)) return;
    ::kill(pid_, SIGTERM);
    ++passed_;
    last_ = Clock::now();
  }

  pid_t pid_ = -1;
  Descriptor err_, out_, results_;
  std::string rest_;  // of standard error, behind the last line
  std::size_t passed_ = 0;
  Clock::time_point last_;
};

PlayedApart failed(const Error& error) { return {{error_document(error), exit_code(error)}, ""}; }

// What it says when it came to its end, else why not.
Result<PlayedHere> played_by(const std::string& results, int status) {
  const auto value = Value::from_json(results);
  const Value* code = value ? value->find("code") : nullptr;
  const Value* said = value ? value->find("results") : nullptr;
  if (code != nullptr && code->is_integer() && said != nullptr)
    return PlayedHere{*said, static_cast<ExitCode>(code->integer())};
  const std::string how =
      WIFSIGNALED(status) ? fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
                          : fmt::format("left with exit code {} and no result", WEXITSTATUS(status));
  return fail(ErrorCode::internal,
              "the run's process " + how + "; what it had recorded is in the store: ordeal report judges it");
}

struct ToPlay {
  Plan plan;
  std::string campaign;
  pid_t controller = 0;
  bool quiet = false;
  bool at_anomaly = false;
};

// From standard input. Errors: input.
Result<ToPlay> to_play() {
  std::string text;
  std::array<char, 65536> buffer{};
  for (ssize_t n = 0; (n = ::read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  const auto value = Value::from_json(text);
  if (!value) return fail(value.error().during("play-run, which campaigns start"));
  const Value* plan = value->find("plan");
  const Value* campaign = value->find("campaign");
  const Value* quiet = value->find("quiet");
  const Value* controller = value->find("controller");
  const Value* at_anomaly = value->find("at_anomaly");
  const Value* store = value->find("store");
  if (plan == nullptr || campaign == nullptr || !campaign->is_string() || quiet == nullptr || !quiet->is_boolean() ||
      controller == nullptr || !controller->is_integer() || at_anomaly == nullptr || !at_anomaly->is_boolean() ||
      store == nullptr || !store->is_string())
    return fail(ErrorCode::input, "play-run, which campaigns start: a plan, its store and its campaign were expected");
  auto read = read_plan(*plan);
  if (!read) return fail(read.error());
  read->store = store->string();
  return ToPlay{*std::move(read), campaign->string(), static_cast<pid_t>(controller->integer()), quiet->boolean(),
                at_anomaly->boolean()};
}

}  // namespace

PlayedApart play_apart(const Plan& plan, const Apart& how) {
  Value what = Value::map();
  what.set("plan", plan.to_value());
  what.set("store", plan.store);
  what.set("campaign", how.campaign);
  what.set("controller", static_cast<std::int64_t>(::getpid()));
  what.set("quiet", how.quiet);
  what.set("at_anomaly", how.stops.at_anomaly);
  RunProcess process;
  if (auto started = process.start(what.to_json()); !started) return failed(started.error());
  const int status = process.await_end(how);
  auto played = played_by(process.results(), status);
  if (!played) {
    how.line("ordeal: " + played.error().message);
    return failed(played.error());
  }
  return {*std::move(played), process.printed()};
}

void play_run() {
  ::fcntl(kResults, F_SETFD, FD_CLOEXEC);
  const auto what = to_play();
  if (!what) leave(refuse(what.error(), false));
  const auto held = hold_campaign(what->campaign);
  if (!held) leave(refuse(held.error(), false));
  // Whoever resumes waits for those who hold the campaign; one that came too late for that must not begin.
  if (::getppid() != what->controller) leave(kRunFailed);
  ExitCode code = kRunFailed;
  {
    const SignalStop signals({"stopping: healing, collecting and judging what there is",
                              "not waiting for the checkers; `ordeal report` judges the run later"});
    sigset_t wish;
    sigemptyset(&wish);
    sigaddset(&wish, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &wish, nullptr);
    std::stop_source judging;
    const std::stop_callback second(signals.token(1), [&] { judging.request_stop(); });
    // Nobody is left who asks for a verdict.
    const std::stop_callback orphaned(signals.token(0), [&] {
      if (::getppid() != what->controller) judging.request_stop();
    });
    const PlayedHere played =
        play_here(what->plan, what->quiet, {signals.token(0), judging.get_token(), what->at_anomaly});
    code = played.code;
    Value out = Value::map();
    out.set("code", static_cast<std::int64_t>(code));
    out.set("results", played.results);
    if (auto written = write_all(kResults, out.to_json(), "the run's result"); !written) complain(written.error());
  }
  leave(delivered(code));
}

}  // namespace ordeal::cli
