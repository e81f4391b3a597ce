#include "session/follower.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/descriptor.h"
#include "checkers/history/reader.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNicer = 5;
// From then on windows get shorter, so that an anomaly is seen within a second.
constexpr std::chrono::milliseconds kLongCheck{300};

// The lines of a file that another writes, also when it becomes a part and is begun anew (harness/store/journal.h).
class Tail {
 public:
  explicit Tail(std::string path) : path_(std::move(path)), file_(opened()) {}

  template <class Take>
  void read(Take take) {
    for (;;) {
      std::array<char, 65536> buffer{};
      const ssize_t n = ::read(file_.get(), buffer.data(), buffer.size());
      if (n > 0) {
        rest_.append(buffer.data(), static_cast<std::size_t>(n));
        std::size_t begin = 0;
        for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
          take(std::string_view(rest_).substr(begin, end - begin));
          begin = end + 1;
        }
        rest_.erase(0, begin);
        continue;
      }
      // A file that has another name gets no more lines, and all that it has were read after it had got it.
      if (renamed_) {
        Descriptor next = opened();
        if (!next) return;
        file_ = std::move(next);
        renamed_ = false;
      } else if (!(renamed_ = is_renamed())) {
        return;
      }
    }
  }

 private:
  Descriptor opened() const { return Descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)); }
  bool is_renamed() const {
    struct stat ours {};
    struct stat named {};
    return ::fstat(file_.get(), &ours) == 0 && ::stat(path_.c_str(), &named) == 0 && ours.st_ino != named.st_ino;
  }
  std::string path_;
  Descriptor file_;
  std::string rest_;  // behind the last line end
  bool renamed_ = false;
};

// What one checker has of the history.
struct Judge {
  ConfiguredChecker how;
  Windows windows;
};

// Of a history in which something is wrong that cannot be right any more.
std::optional<Sighting> sighting(const CheckResult& result, const History& history) {
  if (result.verdict != Verdict::invalid || result.anomalies.empty()) return std::nullopt;
  const Anomaly& first = result.anomalies.front();
  Sighting out{result.checker, first.type, first.explanation, -1};
  for (const EventIndex operation : first.operations) {
    const EventIndex completion = operation < history.size() ? history.partner(operation) : kNoEvent;
    if (completion != kNoEvent) out.completed_ns = std::max(out.completed_ns, history.time(completion));
  }
  return out;
}

}  // namespace

struct Follower::State {
  State(std::string path, std::vector<ConfiguredChecker> checkers, FollowLimits wanted) : limits(wanted), tail(path) {
    for (auto& one : checkers) {
      const PrefixUse use = prefix_use(*one.checker, one.options);
      judges.push_back({std::move(one), Windows(use, limits.windows)});
    }
  }

  void follow(const std::stop_token& stop) {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNicer);  // this thread alone
    while (!stop.stop_requested()) {
      tail.read([&](std::string_view line) {
        for (Judge& judge : judges) judge.windows.add(line);
      });
      const auto begin = Clock::now();
      for (Judge& judge : judges) {
        if (auto wrong = look(judge, stop)) return tell(*std::move(wrong));
      }
      const auto took = Clock::now() - begin;
      if (took > kLongCheck) {
        for (Judge& judge : judges) judge.windows.shorten();
      }
      std::unique_lock lock(mutex);
      wake.wait_for(lock, stop, std::max<Clock::duration>(limits.interval, took), [] { return false; });
    }
  }

  std::optional<Sighting> look(Judge& judge, const std::stop_token& stop) const {
    const Windows::Changed changed = judge.windows.take_changed();
    for (const bool unknown : {false, true}) {
      const std::string& text = unknown ? changed.from_unknown : changed.from_beginning;
      if (text.empty()) continue;
      ReadOptions read;
      read.format = HistoryFormat::jsonl;
      read.threads = 1;
      const auto history = read_history(text, "the run so far", read);
      if (!history) continue;  // the check of the whole will say so
      CheckOptions options = judge.how.options;
      options.initial_unknown = options.initial_unknown || unknown;
      if (options.initial_unknown) options.initial.reset();
      options.timeout = limits.check;
      options.memory_bytes = limits.memory_bytes;
      options.threads = 1;
      options.stop = stop;
      auto wrong = sighting(judge.how.checker->check(history->history, options), history->history);
      if (wrong) return wrong;
    }
    return std::nullopt;
  }

  void tell(Sighting what) {
    {
      const std::lock_guard lock(mutex);
      seen = std::move(what);
    }
    found.request_stop();
  }

  const FollowLimits limits;
  Tail tail;
  std::vector<Judge> judges;
  std::stop_source found;
  mutable std::mutex mutex;  // guards seen
  std::condition_variable_any wake;
  std::optional<Sighting> seen;
  std::jthread thread;  // last: it uses the rest
};

std::vector<ConfiguredChecker> Follower::followable(std::vector<ConfiguredChecker> checkers) {
  std::erase_if(checkers,
                [](const ConfiguredChecker& one) { return prefix_use(*one.checker, one.options) == PrefixUse::none; });
  return checkers;
}

Follower::Follower(std::string history_path, std::vector<ConfiguredChecker> checkers, FollowLimits limits)
    : state_(std::make_unique<State>(std::move(history_path), std::move(checkers), limits)) {
  state_->thread = std::jthread([state = state_.get()](const std::stop_token& stop) { state->follow(stop); });
}

Follower::~Follower() = default;

std::stop_token Follower::found() const { return state_->found.get_token(); }

std::optional<Sighting> Follower::seen() const {
  const std::lock_guard lock(state_->mutex);
  return state_->seen;
}

}  // namespace ordeal
