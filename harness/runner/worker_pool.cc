#include "harness/runner/worker_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <system_error>

#include "checkers/history/placement.h"
#include "harness/runner/stuck.h"

namespace ordeal {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

double in_seconds(nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

// What outlives the pool while a thread is stuck.
struct WorkerPool::Shared {
  std::mutex mutex;       // guards log and the counts below
  RunLog* log = nullptr;  // nullptr once the pool is gone
  std::condition_variable changed;
  int tried = 0;       // workers that tried to open their first client
  int connected = 0;   // those that succeeded
  int complaints = 0;  // about connections that could not be made
  std::optional<Error> first_problem;

  void say(RunLog::Level level, std::string_view message) {
    const std::lock_guard lock(mutex);
    if (log != nullptr) log->write(level, message);
  }
  void complain(std::string_view message);
};

// With hundreds of workers only the first complaints are for people's eyes.
void WorkerPool::Shared::complain(std::string_view message) {
  static constexpr int kTold = 20;
  const std::lock_guard lock(mutex);
  if (log == nullptr) return;
  log->write(++complaints <= kTold ? RunLog::Level::warn : RunLog::Level::info, message);
  if (complaints == kTold) log->warn("further workers without a connection are named in ordeal.log only");
}

// One thread of a worker, with its client. While `turn` is even the thread is on its own; odd: it is inside the client
// and the watchdog may take over, by setting kAbandoned. The number grows with every call, so that the watchdog cannot
// mistake one call for the next.
struct WorkerPool::Incarnation {
  static constexpr std::uint64_t kAbandoned = std::numeric_limits<std::uint64_t>::max();

  int worker = 0;
  ProcessId process = 0;
  bool first = false;  // the worker's first thread
  std::shared_ptr<Shared> shared;
  std::shared_ptr<Target> target;

  std::atomic<std::uint64_t> turn{0};
  std::atomic<std::int64_t> limit_ns{0};  // when the watchdog may act, on the steady clock
  // What the thread does, for the watchdog: written before `turn` becomes odd.
  Operation operation;
  bool invoked = false;  // `operation` is open in the journal

  std::unique_ptr<Client> client;
  steady_clock::time_point retry_at{};  // when the next attempt to connect may be made
  nanoseconds rest{0};
  std::string problem;

  std::thread thread;
  std::shared_ptr<std::atomic<bool>> finished = std::make_shared<std::atomic<bool>>(false);

  // Calls into the client. False: it took so long that the watchdog has taken over; touch nothing but yourself.
  template <class Call>
  [[nodiscard]] bool guarded(steady_clock::time_point limit, Call call) {
    limit_ns.store(duration_cast<nanoseconds>(limit.time_since_epoch()).count(), std::memory_order_relaxed);
    const std::uint64_t inside = turn.load(std::memory_order_relaxed) + 1;
    turn.store(inside, std::memory_order_release);
    call();
    std::uint64_t expected = inside;
    return turn.compare_exchange_strong(expected, inside + 1, std::memory_order_acq_rel);
  }
};

WorkerPool::WorkerPool(Settings settings, std::shared_ptr<Target> target, Scheduler& scheduler, Journal& journal,
                       RunLog& log)
    : settings_(settings),
      target_(std::move(target)),
      scheduler_(scheduler),
      journal_(journal),
      shared_(std::make_shared<Shared>()),
      tallies_(static_cast<std::size_t>(settings.workers)),
      connected_(static_cast<std::size_t>(settings.workers)),
      current_(static_cast<std::size_t>(settings.workers)) {
  shared_->log = &log;
}

WorkerPool::~WorkerPool() {
  if (!closed_) {
    scheduler_.close();
    close();
  }
}

void WorkerPool::start(const Beginning& how) {
  auto made = std::make_shared<Incarnation>();
  made->worker = how.worker;
  made->process = how.process;
  made->first = how.first;
  made->shared = shared_;
  made->target = target_;
  made->retry_at = steady_clock::now() + how.wait;
  made->rest = how.rest;
  made->problem = how.problem;
  made->thread = std::thread([this, made] {
    work(*made);
    made->finished->store(true, std::memory_order_release);
  });
  current_[static_cast<std::size_t>(how.worker)] = std::move(made);
}

Result<void> WorkerPool::open() {
  try {
    const std::lock_guard lock(mutex_);
    for (int w = 0; w < settings_.workers; ++w) {
      start({w, w, true, nanoseconds(0), settings_.min_rest, "not connected yet"});
    }
    watchdog_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unsupported, fmt::format("starting {} worker threads: {}; ask for a lower --concurrency",
                                                    settings_.workers, error.what()));
  }
  std::unique_lock lock(shared_->mutex);
  // The watchdog speaks for workers whose clients block, so everybody has answered by then.
  const auto limit = opening_time() + settings_.grace * 2 + std::chrono::seconds(1);
  shared_->changed.wait_for(lock, limit, [&] { return shared_->tried == settings_.workers; });
  if (shared_->connected > 0) return {};
  Error problem = shared_->first_problem.value_or(Error{ErrorCode::timeout, "no client came up in time"});
  return fail(problem.during("opening clients: not one of " + std::to_string(settings_.workers) + " could connect"));
}

nanoseconds WorkerPool::opening_time() const {
  return std::max(settings_.op_timeout, settings_.first_open_timeout) +
         std::min<nanoseconds>(settings_.opening_each * settings_.workers, std::chrono::minutes(1));
}

void WorkerPool::opened(Incarnation& self) {
  if (!self.first) return;
  self.first = false;
  const std::lock_guard lock(shared_->mutex);
  ++shared_->tried;
  if (self.client != nullptr) ++shared_->connected;
  if (self.client == nullptr && !shared_->first_problem) {
    shared_->first_problem = Error{ErrorCode::target, self.problem};
  }
  shared_->changed.notify_all();
}

bool WorkerPool::connect(Incarnation& self) {
  const std::size_t node = node_of(static_cast<std::size_t>(self.worker), settings_.nodes);
  const auto deadline =
      steady_clock::now() + (self.first ? opening_time() : std::max(settings_.op_timeout, settings_.reopen_timeout));
  std::string problem;
  const bool mine = self.guarded(deadline + settings_.grace, [&] {
    try {
      auto made = self.target->client(node);
      if (!made) {
        problem = made.error().message;
        return;
      }
      if (auto done = (*made)->open(deadline); !done) {
        problem = done.error().message;
        return;
      }
      self.client = std::move(*made);
    } catch (const std::exception& error) {
      problem = error.what();
    } catch (...) {
      problem = "an exception of unknown type";
    }
  });
  if (!mine) return false;
  if (self.client != nullptr) {
    connected_[static_cast<std::size_t>(self.worker)].store(true, std::memory_order_relaxed);
    self.rest = settings_.min_rest;
  } else {
    if (problem != self.problem) {
      self.shared->complain(fmt::format("worker {}: no connection to node {}: {}", self.worker, node + 1, problem));
    }
    self.problem = std::move(problem);
    self.retry_at = steady_clock::now() + self.rest;
    self.rest = std::min(self.rest * 2, settings_.max_rest);
  }
  return true;
}

bool WorkerPool::disconnect(Incarnation& self) {
  if (self.client == nullptr) return true;
  return self.guarded(steady_clock::now() + std::chrono::seconds(1) + settings_.grace, [&] {
    try {
      self.client->close();
    } catch (const std::exception& error) {
      self.shared->say(RunLog::Level::warn,
                       fmt::format("worker {}: closing its client: {}", self.worker, error.what()));
    } catch (...) {
      self.shared->say(RunLog::Level::warn, fmt::format("worker {}: closing its client threw", self.worker));
    }
    self.client.reset();
  });
}

void WorkerPool::count(int worker, EventType type) {
  tallies_[static_cast<std::size_t>(worker)].by_type[static_cast<std::size_t>(type)].fetch_add(
      1, std::memory_order_relaxed);
}

bool WorkerPool::record(Incarnation& self, const Completion& completion, std::int64_t time_ns) {
  count(self.worker, completion.type);
  // The error is the journal's and sticks; the run looks at it and ends.
  const bool written = journal_.complete(self.process, self.operation, completion, time_ns).has_value();
  scheduler_.completed(self.worker, self.process, self.operation, completion);
  return written;
}

std::optional<Completion> WorkerPool::carry_out(Incarnation& self) {
  count(self.worker, EventType::invoke);
  if (!journal_.invoke(self.process, self.operation)) {
    // Not in the journal, so it must not be sent.
    scheduler_.completed(self.worker, self.process, self.operation, Completion::failed("journal", "not written"));
    return std::nullopt;
  }
  Completion completion;
  std::int64_t time_ns = 0;
  if (self.client == nullptr) {
    completion = Completion::failed("no-connection", self.problem);
    time_ns = journal_.now_ns();
  } else {
    self.invoked = true;
    const auto deadline = steady_clock::now() + settings_.op_timeout;
    const bool mine = self.guarded(deadline + settings_.grace, [&] {
      try {
        completion = self.client->invoke(self.operation, deadline);
      } catch (const std::exception& error) {
        completion = Completion::unknown("exception", error.what());
      } catch (...) {
        completion = Completion::unknown("exception", "an exception of unknown type");
      }
    });
    if (!mine) return std::nullopt;
    time_ns = journal_.now_ns();
    self.invoked = false;
    if (completion.type == EventType::invoke) {
      completion = Completion::unknown("client-error", "the client returned an invocation in place of an outcome");
    }
  }
  if (!record(self, completion, time_ns)) return std::nullopt;
  return completion;
}

void WorkerPool::play(Incarnation& self) {
  const auto may_connect = [&] { return self.client == nullptr && steady_clock::now() >= self.retry_at; };
  while (true) {
    if (may_connect() && !connect(self)) return;
    opened(self);
    auto operation = scheduler_.next(self.worker, self.process);
    if (!operation) break;
    self.operation = std::move(*operation);
    // It may have slept for long, the whole recovery of the cluster perhaps.
    if (may_connect() && !connect(self)) return;
    const auto completion = carry_out(self);
    if (!completion) {
      if (self.turn.load(std::memory_order_acquire) == Incarnation::kAbandoned) return;
      // The journal failed: the run is about to end the phase.
      scheduler_.pause(self.worker, settings_.min_rest);
      continue;
    }
    if (completion->type == EventType::info) {
      if (!disconnect(self)) return;
      self.process += settings_.workers;
    } else if (completion->found_nobody()) {
      const auto rest = self.client == nullptr ? self.retry_at - steady_clock::now() : nanoseconds(settings_.min_rest);
      if (rest.count() > 0) scheduler_.pause(self.worker, rest);
    }
  }
  (void)disconnect(self);
}

void WorkerPool::work(Incarnation& self) {
  play(self);
  if (self.turn.load(std::memory_order_acquire) != Incarnation::kAbandoned) return;
  self.shared->say(RunLog::Level::warn, fmt::format("worker {}: the client of process {} came back long after its "
                                                    "deadline; what it says is ignored",
                                                    self.worker, self.process));
  // Gives the connection back. Nobody waits for this thread any more.
  try {
    if (self.client != nullptr) self.client->close();
    self.client.reset();
  } catch (...) {
    self.shared->say(RunLog::Level::warn, fmt::format("worker {}: closing its client threw", self.worker));
  }
}

void WorkerPool::watch(const std::stop_token& stop) {
  const auto period =
      std::clamp<nanoseconds>(settings_.grace / 4, std::chrono::milliseconds(2), std::chrono::milliseconds(100));
  std::mutex sleeping;
  std::condition_variable_any alarm;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(sleeping);
      alarm.wait_for(lock, stop, period, [] { return false; });
    }
    const std::int64_t now = duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
    const std::lock_guard lock(mutex_);
    for (std::size_t w = 0; w < current_.size(); ++w) {
      if (current_[w] == nullptr) continue;
      Incarnation& one = *current_[w];
      std::uint64_t turn = one.turn.load(std::memory_order_acquire);
      if (turn == Incarnation::kAbandoned || turn % 2 == 0) continue;
      // The limit belongs to this turn: were it a later one's, the exchange would fail.
      if (one.limit_ns.load(std::memory_order_relaxed) > now) continue;
      if (!one.turn.compare_exchange_strong(turn, Incarnation::kAbandoned, std::memory_order_acq_rel)) continue;
      replace(static_cast<int>(w), one);
    }
    restart();
  }
}

// The watchdog's: the operation, if there is one, is now ours. Requires: mutex_.
void WorkerPool::replace(int worker, Incarnation& stuck) {
  const std::string problem =
      fmt::format("the client did not return within {:.3g} s", in_seconds(settings_.op_timeout + settings_.grace));
  shared_->say(RunLog::Level::error,
               fmt::format("worker {}: {} from {}; going on with a new one", worker, problem,
                           stuck.invoked ? "operation " + stuck.operation.f : "opening or closing"));
  Beginning next{worker, stuck.process, false, nanoseconds(0), settings_.min_rest, problem};
  if (stuck.invoked) {
    const auto completion = Completion::unknown("timeout", problem);
    count(worker, EventType::info);
    (void)journal_.complete(stuck.process, stuck.operation, completion, journal_.now_ns());
    scheduler_.completed(worker, stuck.process, stuck.operation, completion);
    next.process += settings_.workers;
  } else {
    // The new thread asks the scheduler before it tries again. A worker that did nothing but connect would never
    // notice the end of a phase, and cost a thread each time.
    next.wait = stuck.rest;
    next.rest = std::min(stuck.rest * 2, settings_.max_rest);
  }
  if (stuck.first) {
    const std::lock_guard lock(shared_->mutex);
    ++shared_->tried;
    if (!shared_->first_problem) shared_->first_problem = Error{ErrorCode::timeout, problem};
    shared_->changed.notify_all();
  }
  abandoned_.push_back(std::move(current_[static_cast<std::size_t>(worker)]));
  if (!closed_) restart_.push_back(std::move(next));
}

// Gives the workers whose threads were abandoned new ones. Requires: mutex_.
void WorkerPool::restart() {
  while (!restart_.empty()) {
    try {
      start(restart_.back());
    } catch (const std::system_error& error) {
      shared_->say(RunLog::Level::error,
                   fmt::format("worker {}: no new thread: {}; trying again", restart_.back().worker, error.what()));
      return;
    }
    restart_.pop_back();
  }
}

std::size_t WorkerPool::close() {
  std::vector<std::shared_ptr<Incarnation>> all;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const Beginning& waiting : restart_) connected_[static_cast<std::size_t>(waiting.worker)] = false;
    restart_.clear();
  }
  // Threads still in a client come back or are abandoned within this time.
  const auto limit = steady_clock::now() + settings_.op_timeout + settings_.grace * 3 + std::chrono::seconds(1);
  const auto over = [](const Incarnation& one) {
    return one.finished->load(std::memory_order_acquire) ||
           one.turn.load(std::memory_order_acquire) == Incarnation::kAbandoned;
  };
  const auto all_over = [&] {
    const std::lock_guard lock(mutex_);
    return std::all_of(current_.begin(), current_.end(), [&](const auto& one) { return one == nullptr || over(*one); });
  };
  while (!all_over() && steady_clock::now() < limit) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  watchdog_.request_stop();
  if (watchdog_.joinable()) watchdog_.join();
  {
    const std::lock_guard lock(mutex_);
    for (auto* list : {&current_, &abandoned_}) {
      for (auto& one : *list) {
        if (one != nullptr && one->thread.joinable()) all.push_back(one);
      }
    }
  }
  // An abandoned thread may be on its way back; it gets the grace once more, all of them together.
  const auto patience = steady_clock::now() + settings_.grace;
  std::size_t stuck = 0;
  for (auto& one : all) {
    while (!one->finished->load(std::memory_order_acquire) && steady_clock::now() < patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (one->finished->load(std::memory_order_acquire)) {
      one->thread.join();
      continue;
    }
    ++stuck;
    keep_stuck(std::move(one->thread), one->finished, one);
  }
  const std::lock_guard lock(shared_->mutex);
  shared_->log = nullptr;
  return stuck;
}

std::size_t WorkerPool::lost_workers() const {
  return static_cast<std::size_t>(
      std::count_if(connected_.begin(), connected_.end(), [](const auto& connected) { return !connected; }));
}

OperationCounts WorkerPool::counts() const {
  OperationCounts out;
  for (const auto& tally : tallies_) {
    const auto of = [&](EventType type) {
      return tally.by_type[static_cast<std::size_t>(type)].load(std::memory_order_relaxed);
    };
    out.invoked += of(EventType::invoke);
    out.ok += of(EventType::ok);
    out.fail += of(EventType::fail);
    out.info += of(EventType::info);
  }
  return out;
}

}  // namespace ordeal
