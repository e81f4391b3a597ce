#include "nemesis/processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "nemesis/parallel.h"
#include "nemesis/process_state.h"
#include "nemesis/selector.h"

namespace ordeal {
namespace {

// How often an observation looks again until it sees what it waits for.
constexpr auto kPollPause = std::chrono::milliseconds(100);

std::string pid_list(const std::vector<OsProcess>& processes) {
  std::string out;
  for (const OsProcess& one : processes) out += fmt::format("{}{}", out.empty() ? "" : ", ", one.pid);
  return out;
}

// What kill and pause have in common: a selection of nodes, and the processes found there beforehand.
class ProcessInjection : public Injection {
 public:
  ProcessInjection(const FaultContext& context, Selection selection)
      : cluster_(context.cluster), target_(context.target), selection_(std::move(selection)) {}

  Value describe() const override {
    Value out = Value::map();
    out.set("selector", selection_.how);
    Value nodes = Value::list();
    Value pids = Value::map();
    for (const std::size_t node : selection_.nodes) nodes.items().emplace_back(name(node));
    for (const auto& [node, processes] : processes_) {
      Value list = Value::list();
      for (const OsProcess& one : processes) list.items().emplace_back(one.pid);
      pids.set(name(node), std::move(list));
    }
    out.set("nodes", std::move(nodes));
    out.set("pids", std::move(pids));
    if (!selection_.note.empty()) out.set("note", selection_.note);
    if (!skipped_.empty()) out.set("skipped", skipped_);
    return out;
  }
  std::vector<std::string> nodes() const override { return node_names(cluster_, selection_.nodes); }
  Impairment impairment() const override { return {selection_.nodes, {}}; }

  // Finds the processes. A node on which none runs is skipped; that none runs anywhere is an error, since then there
  // is nothing to do, and the target has died by itself or is down by another fault.
  Result<void> prepare(Deadline deadline) override {
    std::vector<std::vector<OsProcess>> found(selection_.nodes.size());
    const auto asked = on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
      auto states = running(node, deadline);
      if (!states) return fail(states.error());
      for (const ProcessState& one : *states) {
        if (takes_stopped() || !one.stopped()) found[place(node)].push_back(one.id);
      }
      return std::string();
    });
    if (auto all = all_done(asked); !all) return fail(all.error().during("looking for the target's processes"));
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i].empty()) {
        processes_[selection_.nodes[i]] = std::move(found[i]);
      } else {
        skipped_ += fmt::format("{}{}: no process of the target {} there", skipped_.empty() ? "" : "; ",
                                name(selection_.nodes[i]), takes_stopped() ? "is" : "runs");
      }
    }
    if (processes_.empty()) return fail(ErrorCode::target, skipped_);
    std::erase_if(selection_.nodes, [&](std::size_t node) { return !processes_.contains(node); });
    return {};
  }

 protected:
  // A process that somebody else has stopped (a debugger) is not ours to stop, nor to continue afterwards.
  virtual bool takes_stopped() const = 0;

  const std::string& name(std::size_t node) const { return cluster_.at(node).name(); }
  std::size_t place(std::size_t node) const {
    const auto& all = selection_.nodes;
    return static_cast<std::size_t>(std::find(all.begin(), all.end(), node) - all.begin());
  }

  // The states of the target's processes that exist now, found by the target.
  Result<std::vector<ProcessState>> running(std::size_t node, Deadline deadline) const {
    auto pids = target_.processes()->pids(cluster_.at(node));
    if (!pids) return fail(pids.error());
    return states_of(node, *pids, deadline);
  }
  // The states of given processes, the ended ones left out.
  Result<std::vector<ProcessState>> states_of(std::size_t node, const std::vector<int>& pids, Deadline deadline) const {
    auto printed = run_ok(cluster_.at(node), root_script(states_script(pids), deadline));
    if (!printed) return fail(printed.error());
    auto states = parse_states(*printed);
    std::erase_if(states, [](const ProcessState& one) { return one.gone(); });
    return states;
  }
  // The states of the processes that were found beforehand, as far as they still are the same.
  Result<std::vector<ProcessState>> before(std::size_t node, Deadline deadline) const {
    std::vector<int> pids;
    const auto& known = processes_.at(node);
    for (const OsProcess& one : known) pids.push_back(one.pid);
    auto states = states_of(node, pids, deadline);
    if (!states) return fail(states.error());
    std::erase_if(*states, [&](const ProcessState& one) {
      return std::find(known.begin(), known.end(), one.id) == known.end();
    });
    return states;
  }

  // Looks at every node until all are as wanted or time is up; `look` says what it saw on one.
  template <class Look>
  Result<Observation> observe_all(Deadline deadline, Look look) const {
    std::vector<std::size_t> nodes = selection_.nodes;
    std::vector<std::string> seen(cluster_.size());
    std::vector<char> good(cluster_.size(), 0);
    (void)on_each(nodes, [&](std::size_t node) {
      while (true) {
        const Result<Observation> one = look(node);
        good[node] = one && one->confirmed ? 1 : 0;
        seen[node] = fmt::format("{}: {}", name(node), one ? one->evidence : one.error().message);
        if (good[node] != 0 || std::chrono::steady_clock::now() + 2 * kPollPause > deadline) break;
        std::this_thread::sleep_for(kPollPause);
      }
      return Result<std::string>(std::string());
    });
    Observation out;
    out.confirmed = true;
    for (const std::size_t node : nodes) {
      out.confirmed = out.confirmed && good[node] != 0;
      out.evidence += (out.evidence.empty() ? "" : "; ") + seen[node];
    }
    return out;
  }

  Cluster& cluster_;
  Target& target_;
  Selection selection_;
  std::map<std::size_t, std::vector<OsProcess>> processes_;  // by node
  std::string skipped_;
};

class Kill final : public ProcessInjection {
 public:
  using ProcessInjection::ProcessInjection;

  // A killed process leaves nothing in force on its node; to start the system again is the target's business.
  std::vector<Undo> undo() const override { return {}; }
  bool takes_stopped() const override { return true; }

  Result<void> inject(Deadline) override {
    return all_done(on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
      auto done = target_.processes()->kill(cluster_.at(node));
      if (!done) return fail(done.error().during(name(node)));
      return std::string();
    }));
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
    return all_done(on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
      auto done = target_.start(cluster_.at(node));
      if (!done) return fail(done.error().during(name(node) + ": starting again"));
      return std::string();
    }));
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

std::string inapplicable(const FaultContext& context, std::string_view fault) {
  if (context.cluster.nodes.empty() || context.target.processes() == nullptr) {
    return fmt::format("target {} has no processes on nodes that could be signalled", context.target.name());
  }
  const std::string key = fmt::format("{}.nodes", fault);
  const std::string problem = selector_problem(context.options.string(key), context);
  return problem.empty() ? "" : fmt::format("{}: {}", key, problem);
}

template <class Kind>
Result<std::unique_ptr<Injection>> plan(const FaultContext& context, std::string_view key, std::mt19937_64& random) {
  auto selection = select_nodes(context.options.string(key), context, random);
  if (!selection) return fail(selection.error());
  return std::make_unique<Kind>(context, *std::move(selection));
}

OptionSpec nodes_option(std::string key) {
  return {std::move(key), OptionSpec::Type::string, "random",
          "one, minority, majority, all, primaries, subset (any set), a named set (n1,n3), or random: draws among one, "
          "minority and primaries"};
}

}  // namespace

FaultFactory kill_fault() {
  FaultFactory out;
  out.name = "kill";
  out.help =
      "Kills the target's processes with SIGKILL; healed by starting the target again on the data that is there. Proof: "
      "the processes are gone from /proc, and afterwards others run. Needs on the nodes: root or sudo. Loses nothing "
      "that the target handed to the operating system (a power failure would).";
  out.options = {nodes_option("kill.nodes")};
  out.inapplicable = [](const FaultContext& context) { return inapplicable(context, "kill"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) { return plan<Kill>(context, "kill.nodes", random); };
  return out;
}

FaultFactory pause_fault() {
  FaultFactory out;
  out.name = "pause";
  out.help =
      "Stops the target's processes with SIGSTOP and lets them go on with SIGCONT: what a long garbage collection or a "
      "suspended virtual machine looks like. Proof: their state in /proc. Needs on the nodes: root or sudo. Connections "
      "stay open and the kernel still accepts new ones.";
  out.options = {nodes_option("pause.nodes")};
  out.inapplicable = [](const FaultContext& context) { return inapplicable(context, "pause"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan<Pause>(context, "pause.nodes", random);
  };
  return out;
}

}  // namespace ordeal
