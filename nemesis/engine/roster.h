#pragma once
// Roster: what the injections of a run know of each other: the record of each, who is in force, and who waits for a
// quorum.
//
// With a quorum to keep, an injection joins those in force only when all of them together leave one (quorum.h). Those
// that have waited longer count as if they were in force, so that nobody waits for ever behind small ones.
//
// Thread-safety: all methods from any thread.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "checkers/history/fault_record.h"
#include "harness/interfaces/fault.h"

namespace ordeal {

class Roster {
 public:
  Roster(std::size_t nodes, bool keep_quorum) : nodes_(nodes), keep_quorum_(keep_quorum) {}

  // The factory is borrowed. Requires: no injection of that id is known.
  void add(int id, const FaultFactory& fault);
  // Requires: add(event.id). As for the methods below.
  void apply(const FaultEvent& event);
  [[nodiscard]] FaultRecord record(int id) const;
  // By id.
  [[nodiscard]] std::vector<FaultRecord> records() const;

  // Other injections ("kill (3)") that act on some of those nodes and were in force at any time since then, or a moment
  // ago: what they did is over only when the target and its connections have settled.
  [[nodiscard]] std::vector<std::string> others_since(int id, const std::vector<std::string>& nodes,
                                                      std::int64_t since_ns) const;
  // Other injections, in force or over, under which even a sound target may give up for good (FaultFactory::crashes),
  // on some of those nodes.
  [[nodiscard]] std::vector<std::string> others_that_crash(int id, const std::vector<std::string>& nodes) const;
  // Until others_since() finds nobody, the run is to stop, or `deadline`. `now_ns` reads the run's clock.
  void await_others(int id, const std::vector<std::string>& nodes, const std::function<std::int64_t()>& now_ns,
                    Deadline deadline, const std::stop_token& stop);

  // A place in the queue for the quorum.
  [[nodiscard]] std::uint64_t ticket();
  // True: it counts as in force until leave(). False: it cannot join yet (in quiet times nobody can), and waited a
  // second, or until somebody joined or left, or the run is to stop; to be asked again.
  [[nodiscard]] bool join(int id, std::uint64_t ticket, const Impairment& wanted, bool quiet,
                          const std::stop_token& stop);
  // Gives the place in the queue up. No-op after join() was true.
  void withdraw(std::uint64_t ticket);
  // It is not in force any more. Idempotent.
  void leave(int id);

 private:
  struct Entry {
    FaultRecord record;
    const FaultFactory* fault = nullptr;
  };
  const std::size_t nodes_;
  const bool keep_quorum_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::map<int, Entry> entries_;
  std::map<int, Impairment> in_force_;           // by id
  std::map<std::uint64_t, Impairment> waiting_;  // by ticket
  std::uint64_t next_ticket_ = 0;
};

}  // namespace ordeal
