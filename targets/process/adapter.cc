#include "targets/process/adapter.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/json_scanner.h"
#include "targets/process/child_process.h"
#include "targets/process/error_lines.h"
#include "targets/process/without_sigpipe.h"
#include "targets/process/words.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// An adapter that talks out of turn floods when it says at least so much in the time below.
constexpr std::size_t kFloodLines = 1000;
constexpr std::size_t kFloodBytes = std::size_t{1} << 20;
constexpr milliseconds kFloodTime(100);
// How long a program that closed its output may take to end, so that its exit status can be told.
constexpr milliseconds kExitTime(300);

}  // namespace

struct Adapter::Impl {
  explicit Impl(AdapterSetup from) : setup(std::move(from)) {}

  AdapterSetup setup;
  std::unique_ptr<ChildProcess> process;
  std::int64_t next_id = 1;
  std::string output;  // read, not yet a whole line
  ErrorLines errors{setup};
  bool output_open = true;
  bool errors_open = true;
  bool over = false;

  enum class Event { progress, ended, deadline, flood };
  Event step(std::string_view& unsent, Deadline deadline);
  bool read_output();
  void read_errors() { errors_open = errors_open && errors.read_from(process->errors()); }
  AdapterFailure give_up(bool sent, std::string kind, std::string message);
  AdapterFailure crashed(bool sent);
  AdapterFailure silent(bool sent);
  AdapterFailure out_of_turn(bool sent, const std::string& what);
  tl::expected<Value, AdapterFailure> reply(std::string_view line, std::int64_t id);
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

AdapterFailure Adapter::Impl::give_up(bool sent, std::string kind, std::string message) {
  read_errors();
  errors.flush();
  over = true;
  process->kill();
  return {sent, std::move(kind), std::move(message) + errors.last_words()};
}

AdapterFailure Adapter::Impl::crashed(bool sent) {
  const bool ended = process->wait(kExitTime);
  AdapterFailure failure = give_up(sent, "adapter-crash", "the adapter ");
  failure.message = (ended ? "the adapter " + process->how_it_ended()
                           : std::string("the adapter closed a standard stream and was killed")) +
                    errors.last_words();
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
  auto impl = std::make_unique<Impl>(setup);
  const auto program = find_executable(setup.words.front());
  if (!program) return fail(program.error().during("process.command"));
  impl->setup.words.front() = *program;
  auto process = ChildProcess::start(impl->setup.words, impl->setup.variables);
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
  impl_->errors.flush();
  impl_->process->kill();
}

}  // namespace ordeal
