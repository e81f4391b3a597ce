#pragma once
// WorkerPool: the threads that play the processes of the clients, and the watchdog over them.
//
// A worker draws an operation, writes its invocation, lets its client do it, stamps the moment the client returned,
// writes the completion, and draws again. After an `info` its process is retired: the worker goes on under a new
// process number with a new client. Without a connection it completes operations as `fail` "no-connection", since
// nothing was sent, and rests between attempts, so that a dead node does not flood the history.
//
// A client that does not return. A thread cannot be killed, so every call into a client is guarded: deadline plus
// grace later the watchdog takes the operation away from the thread, writes the `info` itself, and gives the worker a
// new thread. Should the old one come back it finds that it was abandoned, says so in the log, and ends.
//
// Thread-safety: made, used and closed by one thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "harness/interfaces/target.h"
#include "harness/runner/scheduler.h"
#include "harness/store/journal.h"
#include "harness/store/run_log.h"

namespace ordeal {

// Client operations by outcome.
struct OperationCounts {
  std::uint64_t invoked = 0;
  std::uint64_t ok = 0;
  std::uint64_t fail = 0;
  std::uint64_t info = 0;
};

class WorkerPool {
 public:
  struct Settings {
    int workers = 10;
    std::size_t nodes = 1;  // over which the workers are spread (placement.h)
    std::chrono::nanoseconds op_timeout{std::chrono::seconds(5)};
    // For opening a client again after an operation that ended in info, when it is longer.
    std::chrono::nanoseconds reopen_timeout{0};
    // For the first opening, before there are faults, when it is longer: an adapter's interpreter has to start, and all
    // of them do at once.
    std::chrono::nanoseconds first_open_timeout{std::chrono::seconds(15)};
    // They share the processors, so all of them may take this longer for each, a minute at most.
    std::chrono::nanoseconds opening_each{std::chrono::milliseconds(20)};
    std::chrono::nanoseconds grace{std::chrono::seconds(1)};
    std::chrono::nanoseconds min_rest{std::chrono::milliseconds(100)};  // after a failed connection; doubles …
    std::chrono::nanoseconds max_rest{std::chrono::seconds(1)};         // … up to this
  };

  // Borrows scheduler, journal and log until close().
  WorkerPool(Settings settings, std::shared_ptr<Target> target, Scheduler& scheduler, Journal& journal, RunLog& log);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Starts the threads and waits until every worker has tried to open its client. Errors: the first worker's, when
  // not a single client could be opened; unsupported, when the machine has no more threads to give.
  [[nodiscard]] Result<void> open();
  // Closes the clients and ends the threads; the scheduler must be closed. Threads that do not end in time go to
  // keep_stuck(). Returns how many.
  std::size_t close();

  [[nodiscard]] OperationCounts counts() const;
  // Workers that never had a client, or have no thread any more. Requires: close() was called.
  [[nodiscard]] std::size_t lost_workers() const;

 private:
  struct Incarnation;
  struct Shared;
  struct alignas(64) Tally {
    std::array<std::atomic<std::uint64_t>, 4> by_type{};  // indexed by EventType
  };

  // How a worker's next thread begins.
  struct Beginning {
    int worker = 0;
    ProcessId process = 0;
    bool first = false;                // the worker's first thread
    std::chrono::nanoseconds wait{0};  // before the first attempt to connect
    std::chrono::nanoseconds rest{0};  // after the next failed attempt
    std::string problem;               // why there is no connection
  };
  void start(const Beginning& how);
  void work(Incarnation& self);
  void play(Incarnation& self);
  // Connects a new client. False: the thread was abandoned meanwhile.
  [[nodiscard]] bool connect(Incarnation& self);
  [[nodiscard]] bool disconnect(Incarnation& self);
  // Carries out self.operation. nullopt: the thread was abandoned, or the journal failed.
  [[nodiscard]] std::optional<Completion> carry_out(Incarnation& self);
  [[nodiscard]] bool record(Incarnation& self, const Completion& completion, std::int64_t time_ns);
  void count(int worker, EventType type);
  [[nodiscard]] std::chrono::nanoseconds opening_time() const;
  void watch(const std::stop_token& stop);
  void replace(int worker, Incarnation& stuck);
  void restart();
  void opened(Incarnation& self);

  const Settings settings_;
  const std::shared_ptr<Target> target_;
  Scheduler& scheduler_;
  Journal& journal_;
  const std::shared_ptr<Shared> shared_;
  std::vector<Tally> tallies_;
  std::vector<std::atomic<bool>> connected_;  // by worker: it had a client at some time

  std::mutex mutex_;                                   // guards everything below but the watchdog
  std::vector<std::shared_ptr<Incarnation>> current_;  // by worker; nullptr between two threads
  std::vector<std::shared_ptr<Incarnation>> abandoned_;
  std::vector<Beginning> restart_;  // workers without a thread
  bool closed_ = false;
  std::jthread watchdog_;
};

}  // namespace ordeal
