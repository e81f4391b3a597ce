#pragma once
// Process injection: what the faults that act on the target's processes have in common: a selection of nodes, the
// processes found there beforehand, and looking at them until they are as wanted. Thread-safety: as of Injection.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harness/interfaces/fault.h"
#include "nemesis/node/process_state.h"
#include "nemesis/node/selector.h"

namespace ordeal {

// "12, 13"
[[nodiscard]] std::string pid_list(const std::vector<OsProcess>& processes);
[[nodiscard]] std::vector<OsProcess> ids_of(const std::vector<ProcessState>& states);

class ProcessInjection : public Injection {
 public:
  ProcessInjection(const FaultContext& context, Selection selection)
      : cluster_(context.cluster), target_(context.target), selection_(std::move(selection)) {}

  Value describe() const override;
  std::vector<std::string> nodes() const override;
  Impairment impairment() const override { return {selection_.nodes, {}}; }

  // Finds the processes. A node on which none runs is skipped; that none runs anywhere is an error, since then there
  // is nothing to do, and the target has died by itself or is down by another fault.
  Result<void> prepare(Deadline deadline) override;

 protected:
  // A process that somebody else has stopped (a debugger) is not ours to stop, nor to continue afterwards.
  virtual bool takes_stopped() const = 0;

  const std::string& name(std::size_t node) const { return cluster_.at(node).name(); }

  // The states of the target's processes that exist now, found by the target.
  Result<std::vector<ProcessState>> running(std::size_t node, Deadline deadline) const;
  // The states of the processes that were found beforehand, as far as they still are the same.
  Result<std::vector<ProcessState>> before(std::size_t node, Deadline deadline) const;

  // The same of any others.
  Result<std::vector<ProcessState>> same(std::size_t node, const std::vector<OsProcess>& known,
                                         Deadline deadline) const;

  // Looks at every node until all are as wanted or time is up; `look` says what it saw on one.
  Result<Observation> observe_all(Deadline deadline, const std::function<Result<Observation>(std::size_t)>& look) const;

  // Whether the processes that were found beforehand are gone from a node, and whether any runs there now.
  Result<Observation> look_gone(std::size_t node, Deadline deadline) const;
  Result<Observation> look_running(std::size_t node, Deadline deadline) const;

  // Does the same on every selected node, all at once; the first error names its node.
  Result<void> on_all(const std::function<Result<void>(std::size_t)>& step) const;
  // Starts the target again on the selected nodes, where it does not run.
  Result<void> start_again() const;
  // The same after a fault that spoils data: a target that does not start (ErrorCode::target) is right to refuse.
  Result<void> start_again_unless_it_refuses() const;
  // For an undo script: does that on the node, without a controller. Empty when the target has no command for it.
  std::string revive_script(std::size_t node) const;
  // An undo script that does that last: for faults of which the target may have ended. With `may_refuse` it is done,
  // too, when the target does not start, as on spoiled data it rightly may not.
  std::string undo_and_revive(std::size_t node, const std::string& script, bool may_refuse = false) const;

  Cluster& cluster_;
  Target& target_;
  Selection selection_;
  std::map<std::size_t, std::vector<OsProcess>> processes_;  // by node

 private:
  // The states of given processes, the ended ones left out.
  Result<std::vector<ProcessState>> states_of(std::size_t node, const std::vector<int>& pids, Deadline deadline) const;
  std::string skipped_;
};

// What ends the target's processes, and is healed by starting it again.
class EndingInjection : public ProcessInjection {
 public:
  using ProcessInjection::ProcessInjection;

  // A dead process leaves nothing in force; what is left to undo is that the target does not run.
  std::vector<Undo> undo() const override;
  // Gone from /proc, those that were found beforehand.
  Result<Observation> confirm(Deadline deadline) override;
  Result<void> heal(Deadline) override { return start_again(); }
  Result<Observation> confirm_healed(Deadline deadline) override;

 protected:
  bool takes_stopped() const override { return true; }
};

// For FaultFactory::inapplicable of a fault with an option "<fault>.nodes": empty, or what is wrong.
[[nodiscard]] std::string process_fault_problem(const FaultContext& context, std::string_view fault);
// That option.
[[nodiscard]] OptionSpec process_nodes_option(std::string_view fault);

// Draws the nodes and makes the injection.
template <class Kind, class... More>
Result<std::unique_ptr<Injection>> plan_on_nodes(const FaultContext& context, std::string_view key,
                                                 std::mt19937_64& random, More&&... more) {
  auto selection = select_nodes(context.options.string(key), context, random);
  if (!selection) return fail(selection.error());
  return std::make_unique<Kind>(context, *std::move(selection), std::forward<More>(more)...);
}

}  // namespace ordeal
