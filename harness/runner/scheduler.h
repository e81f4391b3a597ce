#pragma once
// Scheduler: the one lock before the generator. Workers come with what became of their last operation and leave with
// the next one; between phases and while the generator says wait, they sleep here.
//
// Sleeping without a herd. Mostly all idle workers wait for the same moment, the next arrival of the rate. One of
// them, the group's leader, sleeps until then; the others are its followers and are not woken. When the leader leaves
// with an operation it wakes the follower that has waited longest, which asks, is told the next moment, and becomes the
// leader for it: so all workers, and with them all nodes, get their share of the operations at any rate. The group goes
// on to the next moment as a whole, whatever its size: ten thousand idle workers cost no more than ten. A follower
// looks up by itself only every kPatienceNs, should the guess be wrong (generators may treat workers differently).
//
// Thread-safety: all methods from any thread; each worker number is used by one thread at a time.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/generator/generator.h"

namespace ordeal {

class Scheduler {
 public:
  // `clock`: ns since the run began; it must advance with the steady clock.
  Scheduler(int workers, std::function<std::int64_t()> clock);

  // ---- workers
  // What became of an operation, for the generator. Also wakes who waits for an event.
  void completed(int worker, ProcessId process, const Operation& operation, const Completion& completion);
  // The next operation for this worker; sleeps until there is one. nullopt: the scheduler was closed.
  [[nodiscard]] std::optional<Operation> next(int worker, ProcessId process);
  // Sleeps this long, but not longer than until close().
  void pause(int worker, std::chrono::nanoseconds duration);

  // ---- who watches
  // Until a worker has an operation of that function under way; false: none had until the deadline. May be called at
  // any time, close() ends it.
  [[nodiscard]] bool await_operation(std::string_view f, std::chrono::steady_clock::time_point deadline);

  // ---- the run
  // Begins a phase. The generator must live until the next begin() or close(). Requires: all workers are idle.
  void begin(Generator& generator);
  // True when the generator had nothing more for any worker; waits at most this long for it.
  [[nodiscard]] bool idle(std::chrono::milliseconds wait);
  // From now on the phase's generator has nothing more for anybody. Open operations come to their end.
  void stop_phase();
  // All workers leave.
  void close();

 private:
  static constexpr std::int64_t kFollowNs = 5'000'000;
  static constexpr std::int64_t kPatienceNs = 5'000'000'000;

  struct Slot;
  // Those that wait for the same moment, also after they were woken and until they run.
  struct Group {
    std::int64_t until_ns = 0;
    Slot* leader = nullptr;                    // wakes itself at that moment, on behalf of all; nullptr: nobody does
    std::map<std::uint64_t, Slot*> followers;  // by arrival
  };
  struct Slot {
    std::condition_variable wake;
    std::string f;  // of the operation that is under way; empty: none
    bool woken = false;
    bool done = true;           // has nothing more to do in this phase
    Group* group = nullptr;     // sleeps for a moment
    std::uint64_t arrival = 0;  // its place among all calls of next()
  };
  struct Watch {
    std::string_view f;
    std::condition_variable begun;  // an operation of that function has begun, or all is closed
  };

  void wake(Slot& slot);
  void wake_for_event(const Slot& except);
  void finish_phase(Slot& slot);
  // Sleeps until the moment, an event, or a wake. `group`: the moment of the group it belonged to, -1: none. Returns
  // that of the group it belongs to now.
  std::int64_t sleep(std::unique_lock<std::mutex>& lock, Slot& slot, Wait wait, std::int64_t group);
  // Sleeps until the moment, as leader or follower of its group, or a wake; returns the group's moment then.
  std::int64_t queue(std::unique_lock<std::mutex>& lock, Slot& slot, std::int64_t until_ns, bool leader);
  void leave(Slot& slot);
  // The group that waits for one moment waits for another from now on.
  void move(std::int64_t from_ns, std::int64_t to_ns);
  [[nodiscard]] std::optional<std::int64_t> due_at(std::int64_t now) const;
  void pass_baton(std::int64_t until_ns);
  [[nodiscard]] bool has_leader(std::int64_t until_ns) const;

  const std::function<std::int64_t()> clock_;
  std::mutex mutex_;  // guards everything below
  Generator* generator_ = nullptr;
  bool stopping_ = false;
  bool closed_ = false;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::uint64_t arrivals_ = 0;
  std::map<std::int64_t, std::unique_ptr<Group>> groups_;  // by moment; none is empty
  std::set<Slot*> woken_;                                  // members of groups that were woken and have not run yet
  std::set<Slot*> waiting_events_;                         // sleep until an event
  std::size_t done_ = 0;                                   // slots that are done
  std::condition_variable all_done_;
  std::vector<Watch*> watches_;  // of await_operation()
};

}  // namespace ordeal
