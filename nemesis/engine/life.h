#pragma once
// Life: one injection from its plan to its healing, as harness/interfaces/fault.h describes it.
//
// It draws and prepares the injection when its turn has come (roster.h), has it undone whatever happens
// (safety_net.h), injects, looks for the effect, waits out its time, heals, and looks for that. Other faults in force
// on the same nodes may hide what it looks for, or have taken away what it is to act on: it waits for them, as long as
// its time allows, and says so (`postponed`, `disturbed`).
//
// Thread-safety: play() on one thread; heal() and in_force() from any, also meanwhile.

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/interfaces/fault.h"
#include "nemesis/engine/driver_options.h"
#include "nemesis/engine/fault_log.h"
#include "nemesis/engine/held_cluster.h"
#include "nemesis/engine/lanes.h"
#include "nemesis/engine/roster.h"
#include "nemesis/engine/safety_net.h"

namespace ordeal {

// What all injections of a run work with. Borrowed.
struct Surroundings {
  const DriverOptions& options;
  const Quiet& quiet;
  Cluster& cluster;
  Target& target;
  SafetyNet& net;
  Roster& roster;
  FaultLog& log;
};

class Life {
 public:
  // Its time has come: it is on the roster and in the history. `held`: of a lane that waits for an operation, else
  // nullptr. All are borrowed.
  Life(int id, const Lane& lane, HeldCluster* held, Surroundings& around);
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  // To the end: until it is healed, or did not come about, or the run was stopped and it could not be healed then.
  void play(const Slot& slot, const std::stop_token& stop);
  // No-op when it is not in force. Errors: what could not be undone.
  [[nodiscard]] Result<void> heal(Deadline deadline);
  // Whether it has to be healed; true, too, when that cannot be told by then because it is being healed.
  [[nodiscard]] bool in_force(Deadline deadline);
  // "fault 3, kill"
  [[nodiscard]] std::string title() const;

 private:
  [[nodiscard]] bool awaits_operation() const;
  // Nothing is injected any more: the main phase, for which it is meant, is over, or will be within a second.
  [[nodiscard]] bool too_late() const;
  [[nodiscard]] bool await_trigger(Deadline deadline, const std::stop_token& stop,
                                   const std::function<void()>& at_once = {});
  [[nodiscard]] FaultContext context(const std::stop_token& stop) const;

  [[nodiscard]] Result<bool> plan(std::mt19937_64 random, const std::stop_token& stop);
  [[nodiscard]] Result<std::unique_ptr<Injection>> admit(const std::mt19937_64& random, const std::stop_token& stop);
  [[nodiscard]] Result<void> announce();
  [[nodiscard]] Result<void> inject(const std::stop_token& stop);
  [[nodiscard]] Result<void> inject_held(Deadline deadline, const std::stop_token& stop);
  void confirm(Deadline over, const std::stop_token& stop);
  void follow(Deadline over, const std::stop_token& stop);
  void heal_until_healed(const std::stop_token& stop);
  // Says of nodes (places in undoing_.nodes) that somebody else has undone it there, once; whether there are any.
  bool tell_lifted(const std::vector<std::size_t>& places);
  [[nodiscard]] Result<void> heal_locked(Deadline deadline);
  [[nodiscard]] Result<void> undo_once(Deadline deadline);
  void confirm_healed();

  // From `since_ns` on, unless the observation found what it looked for.
  [[nodiscard]] std::vector<std::string> hidden_by(const Result<Observation>& seen, std::int64_t since_ns) const;
  [[nodiscard]] std::vector<std::string> given_up_under() const;
  void await_others(const std::vector<std::string>& nodes, Deadline deadline, const std::stop_token& stop);
  void tell(FaultStep step, Value::Map more = {});
  // That it was injected, and when it struck.
  void tell_injected();
  void tell_evidence(FaultStep step, const std::string& evidence, const std::vector<std::string>& by = {});
  void went_wrong(const std::string& message);
  // What an observation, or a step, may take.
  [[nodiscard]] Deadline observing() const;
  [[nodiscard]] double step_s() const;

  const int id_;
  const Lane& lane_;
  HeldCluster* const held_;
  Surroundings& around_;
  const std::string name_;  // on nodes and in the ledger: "<run>-<id>"

  std::unique_ptr<Injection> injection_;
  std::vector<std::string> nodes_;  // it acts on
  Undoing undoing_;
  std::optional<std::chrono::steady_clock::time_point> released_;  // when commands that were held back were let go

  std::optional<std::chrono::steady_clock::time_point> armed_;  // all nodes were
  std::set<std::size_t> lifted_;                                // of undoing_.nodes, those told of

  std::timed_mutex healing_;      // one healer at a time
  bool in_force_ = false;         // announced in the ledger, not healed yet; guarded by healing_
  bool healing_began_ = false;    // guarded by healing_
  std::set<std::size_t> undone_;  // nodes (places in undoing_.nodes) whose script has run; guarded by healing_
};

}  // namespace ordeal
