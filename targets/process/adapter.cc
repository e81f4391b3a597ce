#include "targets/process/adapter.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <deque>

#include "base/json_scanner.h"
#include "targets/process/child_process.h"
#include "targets/process/words.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kLogBytes = std::size_t{1} << 20;  // of all adapters of a run
constexpr std::size_t kTailLines = 5;                    // of standard error, kept for messages
constexpr std::size_t kMaxErrorLine = 1000;
// An adapter that talks out of turn floods when it says at least so much in the time below.
constexpr std::size_t kFloodLines = 1000;
constexpr std::size_t kFloodBytes = std::size_t{1} << 20;
constexpr milliseconds kFloodTime(100);
// How long a program that closed its output may take to end, so that its exit status can be told.
constexpr milliseconds kExitTime(300);

// While it lives, writing to a pipe without a reader is an error of write() and no signal to the process.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigset_t pending;
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~WithoutSigpipe() {
    if (!was_pending_) {
      const timespec now{0, 0};
      while (sigtimedwait(&set_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t set_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace

void AdapterLog::set_sink(Sink sink) {
  const std::lock_guard lock(mutex_);
  sink_ = std::move(sink);
}

void AdapterLog::write(std::string_view label, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (!sink_ || written_ > kLogBytes) return;
  written_ += line.size() + label.size() + 2;
  if (written_ > kLogBytes) {
    sink_("the adapters have written a megabyte to standard error; the rest is left out");
    return;
  }
  sink_(fmt::format("{}: {}", label, shown(line, kMaxErrorLine)));
}

struct Adapter::Impl {
  AdapterSetup setup;
  std::unique_ptr<ChildProcess> process;
  std::int64_t next_id = 1;
  std::string output;  // read, not yet a whole line
  std::string errors;
  std::deque<std::string> tail;
  bool output_open = true;
  bool errors_open = true;
  bool over = false;

  enum class Event { progress, ended, deadline, flood };
  Event step(std::string_view& unsent, Deadline deadline);
  bool read_output();
  void read_errors();
  void error_line(std::string_view line);
  AdapterFailure give_up(bool sent, std::string kind, std::string message);
  AdapterFailure crashed(bool sent);
  AdapterFailure silent(bool sent);
  AdapterFailure out_of_turn(bool sent, const std::string& what);
  tl::expected<Value, AdapterFailure> reply(std::string_view line, std::int64_t id);
  std::string last_words() const;
};

// Waits until something can be read or written, and does so once.
Adapter::Impl::Event Adapter::Impl::step(std::string_view& unsent, Deadline deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  if (left <= 0) return Event::deadline;
  std::array<pollfd, 4> fds = {
      pollfd{output_open ? process->output() : -1, POLLIN, 0}, pollfd{errors_open ? process->errors() : -1, POLLIN, 0},
      pollfd{process->ended_fd(), POLLIN, 0}, pollfd{unsent.empty() ? -1 : process->input(), POLLOUT, 0}};
  const int ready = poll(fds.data(), fds.size(), static_cast<int>(std::min<std::int64_t>(left, 60'000)));
  if (ready <= 0) return Event::progress;
  if (fds[1].revents != 0) read_errors();
  if (fds[0].revents != 0) {
    output_open = read_output();
    if (output.size() > setup.max_line_bytes && output.find('\n') == std::string::npos) return Event::flood;
    return output_open ? Event::progress : Event::ended;
  }
  if (fds[2].revents != 0) return Event::ended;
  if (fds[3].revents != 0) {
    const WithoutSigpipe guard;
    const ssize_t n = write(process->input(), unsent.data(), unsent.size());
    if (n > 0) unsent.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && errno != EAGAIN && errno != EINTR) return Event::ended;
  }
  return Event::progress;
}

// False at the end of the output.
bool Adapter::Impl::read_output() {
  std::array<char, 65536> buffer;
  const ssize_t n = read(process->output(), buffer.data(), buffer.size());
  if (n > 0) output.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void Adapter::Impl::read_errors() {
  std::array<char, 16384> buffer;
  const ssize_t n = read(process->errors(), buffer.data(), buffer.size());
  if (n == 0) errors_open = false;
  if (n <= 0) return;
  errors.append(buffer.data(), static_cast<std::size_t>(n));
  std::size_t begin = 0;
  for (std::size_t end; (end = errors.find('\n', begin)) != std::string::npos; begin = end + 1) {
    error_line(std::string_view(errors).substr(begin, end - begin));
  }
  errors.erase(0, begin);
  if (errors.size() > kMaxErrorLine) {
    error_line(errors);
    errors.clear();
  }
}

void Adapter::Impl::error_line(std::string_view line) {
  if (setup.log) setup.log->write(setup.label, line);
  tail.push_back(shown(line));
  if (tail.size() > kTailLines) tail.pop_front();
}

std::string Adapter::Impl::last_words() const {
  if (tail.empty()) return {};
  std::string out = "; it last said on standard error:";
  for (const auto& line : tail) out += " | " + line;
  return out;
}

AdapterFailure Adapter::Impl::give_up(bool sent, std::string kind, std::string message) {
  read_errors();
  if (!errors.empty()) error_line(std::exchange(errors, {}));
  over = true;
  process->kill();
  return {sent, std::move(kind), std::move(message) + last_words()};
}

AdapterFailure Adapter::Impl::crashed(bool sent) {
  const bool ended = process->wait(kExitTime);
  AdapterFailure failure = give_up(sent, "adapter-crash", "the adapter ");
  failure.message = (ended ? "the adapter " + process->how_it_ended()
                           : std::string("the adapter closed a standard stream and was killed")) +
                    last_words();
  return failure;
}

AdapterFailure Adapter::Impl::silent(bool sent) {
  std::string message = "the adapter did not answer in time and was killed";
  if (!output.empty()) message += "; it had written \"" + shown(output) + "\" without an end of line";
  return give_up(sent, "adapter-timeout", std::move(message));
}

// A line that is no reply: one mistake, or a flood of them?
AdapterFailure Adapter::Impl::out_of_turn(bool sent, const std::string& what) {
  const Deadline until = steady_clock::now() + kFloodTime;
  std::string_view nothing;
  std::size_t bytes = output.size();
  auto lines = static_cast<std::size_t>(std::count(output.begin(), output.end(), '\n'));
  while (output_open && bytes < kFloodBytes && lines < kFloodLines && steady_clock::now() < until) {
    output.clear();
    if (step(nothing, until) == Event::ended) break;
    bytes += output.size();
    lines += static_cast<std::size_t>(std::count(output.begin(), output.end(), '\n'));
  }
  output.clear();
  if (bytes >= kFloodBytes || lines >= kFloodLines) {
    return give_up(sent, "adapter-flood", fmt::format("the adapter wrote {} bytes and more that are no reply", bytes));
  }
  return give_up(sent, "adapter-protocol", what);
}

tl::expected<Value, AdapterFailure> Adapter::Impl::reply(std::string_view line, std::int64_t id) {
  auto document = Value::from_json(line);
  if (!document || !document->is_map() || !is_utf8(line)) {
    return tl::unexpected(
        out_of_turn(true, fmt::format("a reply as a JSON object in UTF-8 was expected, found \"{}\"", shown(line))));
  }
  const Value* got = document->find("id");
  if (got == nullptr || *got != Value(id)) {
    return tl::unexpected(
        out_of_turn(true, fmt::format("the reply to request {} was expected, found \"{}\"", id, shown(line))));
  }
  return std::move(*document);
}

Adapter::Adapter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Adapter::~Adapter() { end(milliseconds(0)); }

Result<std::unique_ptr<Adapter>> Adapter::start(const AdapterSetup& setup) {
  auto impl = std::make_unique<Impl>();
  impl->setup = setup;
  const auto program = find_executable(setup.words.front());
  if (!program) return fail(program.error().during("process.command"));
  impl->setup.words.front() = *program;
  auto process = ChildProcess::start(impl->setup.words);
  if (!process) return fail(process.error().during("process.command"));
  impl->process = std::move(*process);
  return std::unique_ptr<Adapter>(new Adapter(std::move(impl)));
}

tl::expected<Value, AdapterFailure> Adapter::ask(Value request, Deadline deadline) {
  Impl& self = *impl_;
  if (self.over) return tl::unexpected(AdapterFailure{false, "adapter-crash", "the adapter does not run any more"});
  const std::int64_t id = self.next_id++;
  Value framed = Value::map({{"id", id}});
  for (auto& [key, value] : request.entries()) framed.set(std::move(key), std::move(value));
  const std::string text = framed.to_json() + "\n";
  std::string_view unsent = text;
  // What it wrote since the last reply was not asked for. Nothing was sent yet.
  self.output_open = self.output_open && self.read_output();
  if (!self.output.empty()) {
    return tl::unexpected(self.out_of_turn(
        false, fmt::format("no output was expected before a request, found \"{}\"", shown(self.output))));
  }
  while (true) {
    const Impl::Event event = self.step(unsent, deadline);
    const bool sent = unsent.size() < text.size();
    if (const std::size_t end = self.output.find('\n'); end != std::string::npos) {
      const std::string line = self.output.substr(0, end);
      self.output.erase(0, end + 1);
      return self.reply(line, id);
    }
    switch (event) {
      case Impl::Event::progress:
        break;
      case Impl::Event::ended:
        return tl::unexpected(self.crashed(sent));
      case Impl::Event::flood:
        return tl::unexpected(
            self.give_up(sent, "adapter-flood",
                         fmt::format("the adapter wrote {} bytes without an end of line", self.output.size())));
      case Impl::Event::deadline:
        return tl::unexpected(self.silent(sent));
    }
  }
}

void Adapter::end(milliseconds patience) {
  if (impl_->over) return;
  impl_->over = true;
  impl_->process->close_input();
  if (patience.count() > 0) impl_->process->wait(patience);
  impl_->read_errors();
  if (!impl_->errors.empty()) impl_->error_line(impl_->errors);
  impl_->process->kill();
}

}  // namespace ordeal
