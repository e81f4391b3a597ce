#include "targets/process/shared_adapter.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <optional>
#include <thread>
#include <unordered_set>

#include "base/descriptor.h"
#include "base/json_scanner.h"
#include "targets/process/child_process.h"
#include "targets/process/error_lines.h"
#include "targets/process/without_sigpipe.h"
#include "targets/process/words.h"

namespace ordeal {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// How long a program that closed its output may take to end, so that its exit status can be told.
constexpr milliseconds kExitTime(300);
constexpr std::chrono::seconds kStartTime(60);
// A writer that waits for room in the pipe looks so often whether all is over.
constexpr milliseconds kLook(50);
// Replies to requests that were given up and have not come yet; more are forgotten.
constexpr std::size_t kMaxGivenUp = 100'000;

using Answer = tl::expected<Value, AdapterFailure>;

}  // namespace

class SharedAdapters::Program {
 public:
  explicit Program(const AdapterSetup& setup) : setup_(setup), errors_(setup), wake_(::eventfd(0, EFD_CLOEXEC)) {}
  ~Program() { stop(milliseconds(0)); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] Result<void> start();
  [[nodiscard]] Answer ask(std::int64_t client, Value request, Deadline deadline);
  // Sends a request whose reply nobody waits for.
  void tell(std::int64_t client, Value request, Deadline deadline);
  // Closes its standard input, gives it so long to end by itself, kills it and ends the thread.
  void stop(milliseconds patience);

  // True when there is room for one more.
  [[nodiscard]] bool take_seat(std::size_t most);
  void give_seat_back() { --seats_; }
  [[nodiscard]] bool over() const { return over_.load(std::memory_order_acquire); }

 private:
  struct Waiting {
    std::condition_variable answered;
    std::optional<Answer> answer;
  };
  struct Ending {
    std::string kind;
    std::string message;
    bool crashed = false;  // it ended by itself
  };

  void serve();
  [[nodiscard]] std::optional<Ending> read_output();
  [[nodiscard]] std::optional<Ending> take_line(std::string_view line);
  void end_with(const Ending& ending);
  // False: it could not be written whole by then; `sent`: some of it was.
  [[nodiscard]] bool write(std::string_view text, Deadline deadline, bool& sent);
  [[nodiscard]] std::string framed(std::int64_t id, std::int64_t client, Value request) const;
  // The thread is to end the program for that reason.
  void condemn(Ending why);

  const AdapterSetup setup_;
  ErrorLines errors_;      // the thread's
  std::string output_;     // the thread's: read, not yet a whole line
  const Descriptor wake_;  // readable: condemned_ or stopping_ is set
  std::unique_ptr<ChildProcess> process_;

  std::timed_mutex writing_;  // guards the program's standard input

  std::mutex mutex_;  // guards what follows
  std::condition_variable started_;
  std::optional<Result<void>> start_result_;
  std::map<std::int64_t, Waiting*> waiting_;
  std::unordered_set<std::int64_t> given_up_;
  std::int64_t next_id_ = 1;
  steady_clock::time_point last_word_ = steady_clock::now();
  std::optional<Ending> condemned_;
  std::optional<milliseconds> stopping_;
  AdapterFailure why_{false, "adapter-crash", "the adapter does not run any more"};

  std::atomic<bool> over_{false};
  std::atomic<std::size_t> seats_{0};
  std::thread thread_;
};

bool SharedAdapters::Program::take_seat(std::size_t most) {
  if (over()) return false;
  if (seats_.fetch_add(1) < most) return true;
  --seats_;
  return false;
}

Result<void> SharedAdapters::Program::start() {
  thread_ = std::thread([this] { serve(); });
  std::unique_lock lock(mutex_);
  if (!started_.wait_for(lock, kStartTime, [&] { return start_result_.has_value(); })) {
    return fail(ErrorCode::timeout, "process.command: the program could not be started in time");
  }
  return *start_result_;
}

// The thread: starts the program, reads what it says, and ends it.
void SharedAdapters::Program::serve() {
  auto process = ChildProcess::start(setup_.words, setup_.variables);
  {
    const std::lock_guard lock(mutex_);
    if (process) {
      process_ = std::move(*process);
      start_result_.emplace();
    } else {
      over_ = true;
      start_result_.emplace(fail(process.error().during("process.command")));
    }
  }
  started_.notify_all();
  if (process_ == nullptr) return;
  bool errors_open = true;
  std::optional<Ending> ending;
  while (!ending) {
    std::array<pollfd, 4> fds = {pollfd{process_->output(), POLLIN, 0},
                                 pollfd{errors_open ? process_->errors() : -1, POLLIN, 0},
                                 pollfd{process_->ended_fd(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), 60'000) <= 0) continue;
    if (fds[1].revents != 0) errors_open = errors_.read_from(process_->errors());
    if (fds[0].revents != 0) {
      ending = read_output();
    } else if (fds[2].revents != 0) {
      ending = Ending{"adapter-crash", "the adapter ", true};
    }
    if (fds[3].revents == 0 || ending) continue;
    const std::lock_guard lock(mutex_);
    ending = condemned_ ? condemned_ : Ending{"adapter-crash", "the adapter was ended", false};
  }
  end_with(*ending);
}

std::optional<SharedAdapters::Program::Ending> SharedAdapters::Program::read_output() {
  std::array<char, 65536> buffer;
  const ssize_t n = ::read(process_->output(), buffer.data(), buffer.size());
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return Ending{"adapter-crash", "the adapter ", true};
  if (n < 0) return std::nullopt;
  output_.append(buffer.data(), static_cast<std::size_t>(n));
  std::size_t begin = 0;
  for (std::size_t end; (end = output_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (auto ending = take_line(std::string_view(output_).substr(begin, end - begin))) return ending;
  }
  output_.erase(0, begin);
  if (output_.size() <= setup_.max_line_bytes) return std::nullopt;
  return Ending{"adapter-flood", fmt::format("the adapter wrote {} bytes without an end of line", output_.size()),
                false};
}

std::optional<SharedAdapters::Program::Ending> SharedAdapters::Program::take_line(std::string_view line) {
  auto document = Value::from_json(line);
  const Value* const id = document && document->is_map() && is_utf8(line) ? document->find("id") : nullptr;
  if (id == nullptr || !id->is_integer()) {
    return Ending{
        "adapter-protocol",
        fmt::format("a reply as a JSON object in UTF-8 with an \"id\" was expected, found \"{}\"", shown(line)), false};
  }
  const std::lock_guard lock(mutex_);
  last_word_ = steady_clock::now();
  const auto found = waiting_.find(id->integer());
  if (found != waiting_.end()) {
    found->second->answer.emplace(std::move(*document));
    found->second->answered.notify_one();
    waiting_.erase(found);
    return std::nullopt;
  }
  if (given_up_.erase(id->integer()) > 0) return std::nullopt;
  return Ending{"adapter-protocol", fmt::format("a reply to an open request was expected, found \"{}\"", shown(line)),
                false};
}

void SharedAdapters::Program::end_with(const Ending& ending) {
  over_ = true;
  milliseconds patience(0);
  {
    const std::lock_guard lock(mutex_);
    patience = stopping_.value_or(milliseconds(0));
  }
  const std::lock_guard writer(writing_);  // who writes sees that it is over
  process_->close_input();
  const bool ended = process_->wait(ending.crashed ? kExitTime : patience);
  (void)errors_.read_from(process_->errors());
  errors_.flush();
  process_->kill();
  std::string message = ending.message;
  if (ending.crashed) {
    message = ended ? "the adapter " + process_->how_it_ended() : "the adapter closed a standard stream and was killed";
  }
  message += errors_.last_words();
  const std::lock_guard lock(mutex_);
  why_ = {false, ending.kind, message};
  for (auto& [id, waiting] : waiting_) {
    waiting->answer.emplace(tl::unexpected(AdapterFailure{true, ending.kind, message}));
    waiting->answered.notify_one();
  }
  waiting_.clear();
}

void SharedAdapters::Program::condemn(Ending why) {
  {
    const std::lock_guard lock(mutex_);
    if (!condemned_) condemned_ = std::move(why);
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

bool SharedAdapters::Program::write(std::string_view text, Deadline deadline, bool& sent) {
  const std::unique_lock writer(writing_, deadline);
  if (!writer) return false;
  const WithoutSigpipe guard;
  while (!text.empty() && !over()) {
    const ssize_t n = ::write(process_->input(), text.data(), text.size());
    if (n > 0) {
      sent = true;
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN || deadline.passed()) break;
    pollfd room{process_->input(), POLLOUT, 0};
    (void)::poll(&room, 1, static_cast<int>(std::min(deadline.remaining(), kLook).count()));
  }
  return text.empty();
}

std::string SharedAdapters::Program::framed(std::int64_t id, std::int64_t client, Value request) const {
  Value out = Value::map({{"id", id}, {"client", client}});
  for (auto& [key, value] : request.entries()) out.set(std::move(key), std::move(value));
  return out.to_json() + "\n";
}

tl::expected<Value, AdapterFailure> SharedAdapters::Program::ask(std::int64_t client, Value request,
                                                                 Deadline deadline) {
  Waiting mine;
  std::int64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (over()) return tl::unexpected(why_);
    id = next_id_++;
    waiting_.emplace(id, &mine);
  }
  const auto began = steady_clock::now();
  bool sent = false;
  const bool whole = write(framed(id, client, std::move(request)), deadline, sent);
  // Half of a request spoils all that follow.
  if (!whole && sent && !over()) condemn({"adapter-timeout", "the adapter did not read a request to its end", false});
  std::unique_lock lock(mutex_);
  if (whole || sent || over()) {
    mine.answered.wait_until(lock, deadline, [&] { return mine.answer.has_value(); });
  }
  if (mine.answer) {
    if (!*mine.answer) mine.answer->error().sent = sent;
    return std::move(*mine.answer);
  }
  waiting_.erase(id);
  if (sent && given_up_.size() < kMaxGivenUp) given_up_.insert(id);
  const bool mute = sent && last_word_ < began;
  lock.unlock();
  if (mute) {
    condemn({"adapter-timeout", "the adapter answered nobody and was killed", false});
    return tl::unexpected(
        AdapterFailure{sent, "adapter-timeout", "the adapter answered nobody in time and was killed"});
  }
  return tl::unexpected(AdapterFailure{sent, "adapter-timeout", "the adapter did not answer this client in time"});
}

void SharedAdapters::Program::tell(std::int64_t client, Value request, Deadline deadline) {
  std::int64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (over()) return;
    id = next_id_++;
    given_up_.insert(id);
  }
  bool sent = false;
  if (!write(framed(id, client, std::move(request)), deadline, sent) && sent && !over()) {
    condemn({"adapter-timeout", "the adapter did not read a request to its end", false});
  }
}

void SharedAdapters::Program::stop(milliseconds patience) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = patience;
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

namespace {

// A client's place in a program.
class Seat final : public Conversation {
 public:
  Seat(std::shared_ptr<SharedAdapters::Program> program, std::int64_t client)
      : program_(std::move(program)), client_(client) {}
  ~Seat() override { end(milliseconds(0)); }

  tl::expected<Value, AdapterFailure> ask(Value request, Deadline deadline) override {
    if (over_) return tl::unexpected(AdapterFailure{false, "adapter-timeout", "the client was given up"});
    closed_ = request.find("request") != nullptr && *request.find("request") == Value("close");
    auto reply = program_->ask(client_, std::move(request), deadline);
    over_ = !reply.has_value();
    return reply;
  }
  void end(milliseconds) override {
    if (program_ == nullptr) return;
    // Connections of a client that was given up are to be given back as well.
    if (!closed_) program_->tell(client_, Value::map({{"request", "close"}}), Deadline::after(kLook));
    program_->give_seat_back();
    program_.reset();
  }

 private:
  std::shared_ptr<SharedAdapters::Program> program_;
  const std::int64_t client_;
  bool over_ = false;
  bool closed_ = false;
};

}  // namespace

SharedAdapters::SharedAdapters(AdapterSetup setup, std::size_t clients) : setup_(std::move(setup)), clients_(clients) {}

SharedAdapters::~SharedAdapters() {
  for (const auto& program : programs_) program->stop(kExitTime);
}

Result<std::unique_ptr<Conversation>> SharedAdapters::join() {
  const std::lock_guard lock(mutex_);
  std::erase_if(programs_, [](const auto& program) { return program->over(); });
  const auto free = std::find_if(programs_.begin(), programs_.end(),
                                 [&](const auto& program) { return program->take_seat(clients_); });
  if (free != programs_.end()) return std::make_unique<Seat>(*free, next_client_++);
  AdapterSetup setup = setup_;
  const auto found = find_executable(setup.words.front());
  if (!found) return fail(found.error().during("process.command"));
  setup.words.front() = *found;
  auto program = std::make_shared<Program>(setup);
  if (auto started = program->start(); !started) return fail(started.error());
  if (!program->take_seat(clients_)) return fail(ErrorCode::target, "the adapter ended at once");
  programs_.push_back(program);
  return std::make_unique<Seat>(std::move(program), next_client_++);
}

}  // namespace ordeal
