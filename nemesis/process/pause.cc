#include "nemesis/process/pause.h"

#include <fmt/format.h>

#include <algorithm>

#include "nemesis/node/cgroup.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"

namespace ordeal {
namespace {

class Pause final : public ProcessInjection {
 public:
  Pause(const FaultContext& context, Selection selection, std::string mechanism)
      : ProcessInjection(context, std::move(selection)),
        id_(context.id),
        wanted_(std::move(mechanism)),
        groups_(context.cluster.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    Value mechanisms = Value::map();
    for (const auto& [node, processes] : processes_) {
      mechanisms.set(name(node), frozen(node) ? "freezer (cgroup v2)" : "signal");
    }
    out.set("mechanism", std::move(mechanisms));
    return out;
  }

  // Finds out which nodes can freeze.
  Result<void> prepare(Deadline deadline) override {
    if (auto done = ProcessInjection::prepare(deadline); !done) return done;
    if (wanted_ == "signal") return {};
    return on_all([&](std::size_t node) -> Result<void> {
      auto found = run_ok(cluster_.at(node),
                          root_script(cgroup_find_script(CgroupUse::freeze, id_, processes_.at(node)), deadline));
      if (!found) return fail(found.error());
      groups_[node] = parse_cgroups(*found);
      if (wanted_ == "auto" || frozen(node)) return {};
      return fail(ErrorCode::unsupported, "pause.mechanism=freezer: " + groups_[node].problem);
    });
  }

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const auto& [node, processes] : processes_) {
      out.push_back({name(node), frozen(node) ? cgroup_leave_script(groups_[node]) : continue_script(processes)});
    }
    return out;
  }

  bool may_be_held() const override { return true; }
  // Holds the very processes that the undo scripts know, not those that may run by now.
  Result<void> inject(Deadline deadline) override {
    std::vector<std::string> scripts;
    for (const std::size_t node : selection_.nodes) {
      const auto& processes = processes_.at(node);
      scripts.push_back(frozen(node) ? freeze_script(groups_[node], processes) : stop_script(processes));
    }
    return all_done(run_scripts(cluster_, selection_.nodes, scripts, deadline));
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      const auto states = before(node, deadline);
      if (!states) return fail(states.error());
      const auto& known = processes_.at(node);
      if (!frozen(node)) {
        for (const ProcessState& one : *states) {
          if (one.stopped() || one.traced()) continue;
          return Observation{false, fmt::format("process {} is in state {}", one.id.pid, one.state)};
        }
      }
      if (states->size() < known.size()) return Observation{false, "a process ended instead of being stopped"};
      if (!frozen(node)) return Observation{true, fmt::format("process {} is in state T", pid_list(known))};
      return confirm_frozen(node, deadline);
    });
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      const auto states = before(node, deadline);
      if (!states) return fail(states.error());
      for (const ProcessState& one : *states) {
        if (one.stopped()) return Observation{false, fmt::format("process {} is still stopped", one.id.pid)};
      }
      if (frozen(node)) {
        auto thawed = confirm_own_group(node, ids_of(*states), deadline);
        if (!thawed || !thawed->confirmed) return thawed;
      }
      const std::string known = pid_list(processes_.at(node));
      if (!states->empty())
        return Observation{true, fmt::format("process {} runs, state {}", known, states->front().state)};
      // It ended while it was stopped: by the fault kill, or by itself. Then nothing is stopped any more, which is
      // what healing a pause means; whether the target runs again is not this fault's doing.
      const auto now = running(node, deadline);
      if (!now) return fail(now.error());
      if (now->empty())
        return Observation{true, fmt::format("process {} has ended while stopped; none runs now", known)};
      return Observation{
          true, fmt::format("process {} has ended while stopped; {} runs in its place", known, now->front().id.pid)};
    });
  }

 protected:
  bool takes_stopped() const override { return false; }

 private:
  bool frozen(std::size_t node) const { return groups_[node].possible(); }

  // The kernel says of a group whether all that is in it stands still; and where a thread waits, if it tells that.
  Result<Observation> confirm_frozen(std::size_t node, Deadline deadline) const {
    std::string script;
    for (const CgroupMove& one : groups_[node].moves) {
      script += fmt::format("grep -qx 'frozen 1' {}/cgroup.events || echo 'the group {} is not frozen yet'\n",
                            shell_quote(one.ours), one.ours);
    }
    for (const OsProcess& one : processes_.at(node)) {
      script += fmt::format(
          "case $(cat /proc/{0}/cgroup) in */ordeal-{1}*) ;; *) echo 'process {0} has left its group' ;; esac\n",
          one.pid, id_);
    }
    auto said = run_ok(cluster_.at(node), root_script(script + "exit 0\n", deadline));
    if (!said) return fail(said.error());
    if (!said->empty()) return Observation{false, said->substr(0, said->find('\n'))};
    return Observation{
        true, fmt::format("process {} is frozen, as the kernel says of its group", pid_list(processes_.at(node)))};
  }

  Result<Observation> confirm_own_group(std::size_t node, const std::vector<OsProcess>& now, Deadline deadline) const {
    auto said = run_ok(cluster_.at(node), root_script(cgroup_look_script(groups_[node], id_, now), deadline));
    if (!said) return fail(said.error());
    return Observation{said->empty(), said->substr(0, said->find('\n'))};
  }

  const std::string id_;
  const std::string wanted_;
  std::vector<CgroupPlan> groups_;  // by node
};

}  // namespace

FaultFactory pause_fault() {
  FaultFactory out;
  out.name = "pause";
  out.help =
      "The target's processes stand still and go on later: what a long garbage collection or a suspended virtual "
      "machine "
      "looks like. Mechanism, which each injection names for each node: the freezer of a control group made for it "
      "(cgroup "
      "v2, Linux 5.2), where the node has such groups mounted and writable, or else SIGSTOP and SIGCONT. What is "
      "frozen "
      "cannot notice it, forks nothing, and can be killed. Undone by thawing, moving everything back into its own "
      "group, and "
      "removing ours. Proof: the kernel's word on the group, or the state in /proc; afterwards each process is in its "
      "own "
      "group. Needs on the nodes: root or sudo. Connections stay open and the kernel still accepts new ones; what the "
      "target "
      "starts meanwhile is not held.";
  out.options = {
      process_nodes_option("pause"),
      {"pause.mechanism",
       OptionSpec::Type::string,
       "auto",
       "auto: the freezer where it is possible",
       std::nullopt,
       std::nullopt,
       {"auto", "signal", "freezer"}},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "pause"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_on_nodes<Pause>(context, "pause.nodes", random, context.options.string("pause.mechanism"));
  };
  return out;
}

}  // namespace ordeal
