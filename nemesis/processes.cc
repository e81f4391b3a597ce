#include "nemesis/processes.h"

#include <fmt/format.h>

#include "nemesis/parallel.h"
#include "nemesis/process_injection.h"

namespace ordeal {
namespace {

class Kill final : public ProcessInjection {
 public:
  using ProcessInjection::ProcessInjection;

  // A killed process leaves nothing in force on its node; to start the system again is the target's business.
  std::vector<Undo> undo() const override { return {}; }
  bool takes_stopped() const override { return true; }

  Result<void> inject(Deadline) override {
    return on_all([&](std::size_t node) { return target_.processes()->kill(cluster_.at(node)); });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      const auto left = before(node, deadline);
      if (!left) return fail(left.error());
      if (!left->empty()) return Observation{false, fmt::format("process {} is still there", left->front().id.pid)};
      const auto now = running(node, deadline);
      if (!now) return fail(now.error());
      std::string evidence = fmt::format("process {} is gone from /proc", pid_list(processes_.at(node)));
      if (!now->empty()) {
        evidence += fmt::format(", but something else than Ordeal has started {} already", now->front().id.pid);
      }
      return Observation{true, evidence};
    });
  }

  Result<void> heal(Deadline) override {
    auto done = on_all([&](std::size_t node) { return target_.start(cluster_.at(node)); });
    if (!done) return fail(done.error().during("starting again"));
    return done;
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto now = running(node, deadline);
      if (!now) return fail(now.error());
      if (now->empty()) return Observation{false, "the target does not run: it was started and has ended again"};
      std::vector<OsProcess> ids;
      for (const ProcessState& one : *now) ids.push_back(one.id);
      return Observation{true, fmt::format("runs again as process {}", pid_list(ids))};
    });
  }
};

class Pause final : public ProcessInjection {
 public:
  using ProcessInjection::ProcessInjection;

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const auto& [node, processes] : processes_) out.push_back({name(node), continue_script(processes)});
    return out;
  }

  bool takes_stopped() const override { return false; }

  // Signals the very processes that the undo scripts know, not those that may run by now.
  Result<void> inject(Deadline deadline) override {
    std::vector<std::string> scripts;
    for (const std::size_t node : selection_.nodes) scripts.push_back(stop_script(processes_.at(node)));
    return all_done(run_scripts(cluster_, selection_.nodes, scripts, deadline));
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      const auto states = before(node, deadline);
      if (!states) return fail(states.error());
      const auto& known = processes_.at(node);
      for (const ProcessState& one : *states) {
        if (!one.stopped()) return Observation{false, fmt::format("process {} is in state {}", one.id.pid, one.state)};
      }
      if (states->size() < known.size()) return Observation{false, "a process ended instead of being stopped"};
      return Observation{true, fmt::format("process {} is in state T", pid_list(known))};
    });
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      const auto states = before(node, deadline);
      if (!states) return fail(states.error());
      for (const ProcessState& one : *states) {
        if (one.stopped()) return Observation{false, fmt::format("process {} is still stopped", one.id.pid)};
      }
      const std::string known = pid_list(processes_.at(node));
      if (!states->empty()) return Observation{true, fmt::format("process {} runs, state {}", known, states->front().state)};
      // It ended while it was stopped: by the fault kill, or by itself. Then nothing is stopped any more, which is
      // what healing a pause means; whether the target runs again is not this fault's doing.
      const auto now = running(node, deadline);
      if (!now) return fail(now.error());
      if (now->empty()) return Observation{true, fmt::format("process {} has ended while stopped; none runs now", known)};
      return Observation{true, fmt::format("process {} has ended while stopped; {} runs in its place", known,
                                           now->front().id.pid)};
    });
  }
};

}  // namespace

FaultFactory kill_fault() {
  FaultFactory out;
  out.name = "kill";
  out.help =
      "Kills the target's processes with SIGKILL; healed by starting the target again on the data that is there. Proof: "
      "the processes are gone from /proc, and afterwards others run. Needs on the nodes: root or sudo. Loses nothing "
      "that the target handed to the operating system (a power failure would).";
  out.options = {process_nodes_option("kill")};
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "kill"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) { return plan_on_nodes<Kill>(context, "kill.nodes", random); };
  return out;
}

FaultFactory pause_fault() {
  FaultFactory out;
  out.name = "pause";
  out.help =
      "Stops the target's processes with SIGSTOP and lets them go on with SIGCONT: what a long garbage collection or a "
      "suspended virtual machine looks like. Proof: their state in /proc. Needs on the nodes: root or sudo. Connections "
      "stay open and the kernel still accepts new ones.";
  out.options = {process_nodes_option("pause")};
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "pause"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_on_nodes<Pause>(context, "pause.nodes", random);
  };
  return out;
}

}  // namespace ordeal
