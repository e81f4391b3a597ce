#include "nemesis/processes.h"

#include <fmt/format.h>

#include <cmath>
#include <thread>

#include "nemesis/draw.h"
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
    return observe_all(deadline, [&](std::size_t node) { return look_gone(node, deadline); });
  }

  Result<void> heal(Deadline) override { return start_again(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) { return look_running(node, deadline); });
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
        if (one.stopped() || one.traced()) continue;
        return Observation{false, fmt::format("process {} is in state {}", one.id.pid, one.state)};
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

// Kills and starts the system several times in a row, on each node by itself.
class Restart final : public ProcessInjection {
 public:
  Restart(const FaultContext& context, Selection selection, std::size_t times, double after_s)
      : ProcessInjection(context, std::move(selection)), times_(times), after_s_(after_s), seen_(context.cluster.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("times", static_cast<std::int64_t>(times_));
    out.set("after_s", after_s_);
    return out;
  }
  std::vector<Undo> undo() const override { return {}; }
  bool takes_stopped() const override { return true; }

  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      for (std::size_t i = 0; i < times_ && std::chrono::steady_clock::now() + kSpare < deadline; ++i) {
        auto done = kill_and_start(node, deadline);
        if (!done) return done;
        std::this_thread::sleep_until(
            std::min(deadline - kSpare, std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                                              std::chrono::duration<double>(after_s_))));
      }
      return {};
    });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      const Seen& seen = seen_[node];
      return Observation{seen.killed == seen.rounds && seen.rounds > 0,
                         fmt::format("killed and started {} times ({} were planned); {} times every process was gone "
                                     "from /proc, and {} times others ran then",
                                     seen.rounds, times_, seen.killed, seen.started)};
    });
  }

  Result<void> heal(Deadline) override { return start_again(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) { return look_running(node, deadline); });
  }

 private:
  static constexpr auto kSpare = std::chrono::seconds(2);  // before the deadline no further round is begun

  struct Seen {
    std::size_t rounds = 0;
    std::size_t killed = 0;
    std::size_t started = 0;  // fewer when it ends again at once
  };

  Result<void> kill_and_start(std::size_t node, Deadline deadline) {
    Seen& seen = seen_[node];
    if (auto killed = target_.processes()->kill(cluster_.at(node)); !killed) return killed;
    bool gone = false;
    for (int i = 0; i < 20 && !gone; ++i) {
      const auto left = running(node, deadline);
      if (!left) return fail(left.error());
      gone = left->empty();
      if (!gone) std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    if (auto started = target_.start(cluster_.at(node)); !started) return fail(started.error().during("starting again"));
    const auto now = running(node, deadline);
    if (!now) return fail(now.error());
    ++seen.rounds;
    if (gone) ++seen.killed;
    if (!now->empty()) ++seen.started;
    return {};
  }

  const std::size_t times_;
  const double after_s_;
  std::vector<Seen> seen_;  // by node
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

FaultFactory restart_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "restart";
  out.help =
      "Kills the target with SIGKILL and starts it again, several times in a row; the shorter the time between, the more "
      "it is killed while it starts up. Healed by starting it if it does not run. Proof: each time the processes are gone "
      "from /proc. Needs on the nodes: root or sudo. (A crash of the whole cluster at once is kill.nodes=all.)";
  out.options = {
      process_nodes_option("restart"),
      {"restart.times", Type::integer, 0, "how often; 0: drawn, 2 to 6 times", 0, 100},
      {"restart.after", Type::duration, 0.0, "from a start to the next kill; 0: drawn, 10 ms to 1 s", 0.0, 60.0},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "restart"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    const std::size_t drawn_times = 2 + draw_below(random, 5);
    const double drawn_after = 0.01 * std::pow(100, draw_between(random, 0, 1));
    const auto times = static_cast<std::size_t>(context.options.integer("restart.times"));
    const double after_s = context.options.seconds("restart.after");
    return plan_on_nodes<Restart>(context, "restart.nodes", random, times > 0 ? times : drawn_times,
                                  after_s > 0 ? after_s : drawn_after);
  };
  return out;
}

}  // namespace ordeal
