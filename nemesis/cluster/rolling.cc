#include "nemesis/cluster/rolling.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/names.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;
using Version = Target::Versions::Version;

// What both faults have in common.
struct RollPlan {
  std::vector<std::size_t> order;  // of the selected nodes
  std::string order_name;
  bool kill = false;   // SIGKILL, else the target's own way to end
  double wait_s = 30;  // for one node to serve again
  double pause_s = 0;  // between two nodes
};

class Roll : public ProcessInjection {
 public:
  Roll(const FaultContext& context, Selection selection, RollPlan plan)
      : ProcessInjection(context, std::move(selection)),
        plan_(std::move(plan)),
        id_(context.id),
        stop_(context.stop),
        seen_(cluster_.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    Value order = Value::list();
    for (const std::size_t node : plan_.order) order.items().emplace_back(name(node));
    out.set("order", std::move(order));
    out.set("order_by", plan_.order_name);
    out.set("how", plan_.kill ? "kill" : "stop");
    out.set("pause_s", plan_.pause_s);
    return out;
  }
  Impairment impairment() const override { return {{}, {}, selection_.nodes}; }
  bool takes_stopped() const override { return true; }
  // A node that is in the middle of it is started again, on each node alone.
  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      const std::string script = revive_script(node);
      if (script.empty()) continue;
      // One that was told to end may still be about to: it would be gone when nobody looks any more.
      out.push_back({name(node), fmt::format("if [ -s {0} ]; then\n( . {0} )\nsleep 0.2\nfi\n", ending_file()) +
                                     revive_as_left(script)});
    }
    return out;
  }
  bool heals_step_by_step() const override { return true; }
  double takes_s() const override {
    return (plan_.wait_s + plan_.pause_s + 15) * static_cast<double>(selection_.nodes.size());
  }

  Result<void> inject(Deadline deadline) override {
    for (const std::size_t node : plan_.order) {
      if (!processes_.contains(node)) continue;  // it did not run when the roll began
      if (auto done = pass(node, deadline); !done)
        return fail(done.error().during("the roll has come to its end at " + name(node)));
      if (!pause()) break;
    }
    return {};
  }

  Result<Observation> confirm(Deadline deadline) override {
    Observation out{true, ""};
    std::size_t passed = 0;
    for (const std::size_t node : plan_.order) {
      const Seen& seen = seen_[node];
      if (!seen.begun) continue;
      ++passed;
      const auto now = running(node, deadline);
      const auto effect = now ? now_runs(node, *now, deadline) : fail(now.error());
      const bool good = seen.gone && effect && effect->confirmed;
      out.confirmed = out.confirmed && good;
      out.evidence += fmt::format("; {}: process {} {}, {}, served again {}", name(node), pid_list(processes_.at(node)),
                                  seen.gone ? "gone from /proc" : "not seen to be gone",
                                  effect ? effect->evidence : effect.error().message,
                                  seen.served_s >= 0 ? fmt::format("after {:.2f} s", seen.served_s) : "not in time");
    }
    out.confirmed = out.confirmed && passed > 0;
    out.evidence = fmt::format("{} of {} nodes passed one by one{}", passed, processes_.size(), out.evidence);
    return out;
  }

  Result<void> heal(Deadline) override { return start_again(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    const Deadline soon = deadline.within(from_seconds(plan_.wait_s));
    return observe_all(soon, [&](std::size_t node) -> Result<Observation> {
      const auto now = running(node, deadline);
      if (!now) return fail(now.error());
      if (now->empty()) return Observation{false, "the target does not run: it was started and has ended again"};
      const auto serves = target_.await_node(cluster_.at(node), soon.within(std::chrono::seconds(2)));
      if (!serves) return Observation{false, serves.error().message};
      auto version = when_healed(node, *now, deadline);
      if (version && version->confirmed) version->evidence += ", and serves";
      return version;
    });
  }

 protected:
  // What is to be said of the processes that run on a node that was passed.
  virtual Result<Observation> now_runs(std::size_t, const std::vector<ProcessState>& now, Deadline) {
    return Observation{!now.empty(), now.empty() ? "none runs" : fmt::format("{} runs", now.front().id.pid)};
  }
  virtual Result<Observation> when_healed(std::size_t, const std::vector<ProcessState>& now, Deadline) {
    return Observation{true, fmt::format("runs as process {}", now.front().id.pid)};
  }
  // Between the end of the old process and the start of the new.
  virtual Result<void> between(std::size_t /*node*/, Deadline) { return {}; }
  // The undo script of a node that is started again as it was; `revive`: how that is done.
  virtual std::string revive_as_left(const std::string& revive) const { return revive; }

  // Ends and starts one node and waits until it serves.
  Result<void> pass(std::size_t node, Deadline deadline) {
    Seen& seen = seen_[node];
    seen.begun = true;
    Node& here = cluster_.at(node);
    if (auto ended = end(node, deadline); !ended) return ended;
    for (int i = 0; i < 20 && !seen.gone; ++i) {
      const auto left = before(node, deadline);
      if (!left) return fail(left.error());
      seen.gone = left->empty();
      if (!seen.gone) rest(Clock::now() + std::chrono::milliseconds(50));
    }
    if (auto done = between(node, deadline); !done) return done;
    const auto began = Clock::now();
    if (auto started = target_.start(here); !started) return fail(started.error().during("starting again"));
    if (auto serves = target_.await_node(here, std::min<Deadline>(deadline, began + from_seconds(plan_.wait_s)));
        !serves)
      return serves;
    seen.served_s = std::chrono::duration<double>(Clock::now() - began).count();
    return {};
  }

  // Ends the target; from now on the node kills what runs now before it starts it by itself.
  Result<void> end(std::size_t node, Deadline deadline) {
    const auto now = running(node, deadline);
    if (!now) return fail(now.error());
    if (auto told = tell(node, ending_file(), signal_script(ids_of(*now), "KILL"), deadline); !told) return told;
    Node& here = cluster_.at(node);
    return plan_.kill ? target_.processes()->kill(here) : target_.stop(here);
  }

  // Puts a script beside the undo script, for that to use. Without the folder the node has been given up already.
  Result<void> tell(std::size_t node, const std::string& file, const std::string& script, Deadline deadline) const {
    if (revive_script(node).empty()) return {};
    const auto done = run_ok(cluster_.at(node),
                             root_script(fmt::format("[ -d {0} ] || exit 0\nprintf %s {1} >{2}.new && mv {2}.new {2}\n",
                                                     fault_folder(id_), shell_quote(script), file),
                                         deadline));
    if (!done) return fail(done.error().during("telling the node how to go on by itself"));
    return {};
  }
  std::string ending_file() const { return fault_folder(id_) + "/ending.sh"; }

  bool stopped() const { return stop_.stop_requested(); }
  // False: the run is over.
  bool pause() { return rest(Clock::now() + from_seconds(plan_.pause_s)); }
  const RollPlan plan_;
  const std::string id_;

 private:
  struct Seen {
    bool begun = false;
    bool gone = false;     // the processes that ran before
    double served_s = -1;  // from the start
  };

  bool rest(Deadline until) const {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_until(lock, stop_, until, [] { return false; });
    return !stop_.stop_requested();
  }

  const std::stop_token stop_;
  std::vector<Seen> seen_;  // by node
};

class Upgrade final : public Roll {
 public:
  Upgrade(const FaultContext& context, Selection selection, RollPlan plan, bool back)
      : Roll(context, std::move(selection), std::move(plan)), back_(back) {}

  Value describe() const override {
    Value out = Roll::describe();
    out.set("back", back_);
    return out;
  }
  double takes_s() const override { return 2 * Roll::takes_s(); }

  Result<void> prepare(Deadline deadline) override {
    if (auto found = Roll::prepare(deadline); !found) return found;
    for (const std::size_t node : selection_.nodes) {
      const auto now = target_.versions()->running(cluster_.at(node), deadline);
      if (!now) return fail(now.error());
      if (now->version == Version::second) {
        return fail(ErrorCode::target,
                    fmt::format("{} runs the second version already: {}", name(node), now->evidence));
      }
    }
    return {};
  }

  // One by one back to the first version, as an operator would; what does not run is started first.
  Result<void> heal(Deadline deadline) override {
    if (!back_) return start_again();
    for (const std::size_t node : plan_.order) {
      if (!processes_.contains(node)) continue;
      if (auto chosen = choose(node, Version::first, deadline); !chosen) return chosen;
      const auto now = target_.versions()->running(cluster_.at(node), deadline);
      if (!now) return fail(now.error());
      if (now->version == Version::first) continue;
      if (auto done = swap(node, deadline); !done) return fail(done.error().during("back to the first version"));
    }
    return {};
  }

 protected:
  Result<void> between(std::size_t node, Deadline deadline) override { return choose(node, Version::second, deadline); }
  std::string revive_as_left(const std::string& revive) const override {
    return fmt::format("if [ -s {0} ]; then\n. {0}\nelse\n{1}\nfi\n", start_file(), revive);
  }

  Result<Observation> now_runs(std::size_t node, const std::vector<ProcessState>&, Deadline deadline) override {
    return looks_like(node, Version::second, deadline);
  }
  Result<Observation> when_healed(std::size_t node, const std::vector<ProcessState>&, Deadline deadline) override {
    return looks_like(node, back_ ? Version::first : Version::second, deadline);
  }

 private:
  Result<Observation> looks_like(std::size_t node, Version wanted, Deadline deadline) {
    const auto now = target_.versions()->running(cluster_.at(node), deadline);
    if (!now) return fail(now.error());
    return Observation{now->version == wanted, fmt::format("runs the {} version: {}",
                                                           now->version == Version::second  ? "second"
                                                           : now->version == Version::first ? "first"
                                                                                            : "wrong",
                                                           now->evidence)};
  }

  // How a node starts the version that was chosen for it last, beside its undo script.
  std::string start_file() const { return fault_folder(id_) + "/start.sh"; }

  // From now on the node starts that version, also by itself when nobody is left to tell it.
  Result<void> choose(std::size_t node, Version version, Deadline deadline) {
    target_.versions()->choose(cluster_.at(node), version);
    return tell(node, start_file(), revive_script(node), deadline);
  }

  Result<void> swap(std::size_t node, Deadline deadline) {
    Node& here = cluster_.at(node);
    if (auto ended = end(node, deadline); !ended) return ended;
    if (auto started = target_.start(here); !started) return started;
    // The next node waits for this one, unless the run is over.
    if (stopped()) return {};
    return target_.await_node(here, deadline.within(from_seconds(plan_.wait_s)));
  }

  const bool back_;
};

std::vector<OptionSpec> roll_options(const std::string& fault) {
  using Type = OptionSpec::Type;
  return {
      {fault + ".nodes", Type::string, "all",
       "over which nodes: a selector (all, minority, followers, …) or a named set (n1,n3)"},
      {fault + ".order",
       Type::string,
       "random",
       "random, or leaders-last: as operators do it",
       std::nullopt,
       std::nullopt,
       {"random", "leaders-last"}},
      {fault + ".how",
       Type::string,
       "random",
       "stop: the target's own way (SIGTERM); kill: SIGKILL; random: one of them for all nodes",
       std::nullopt,
       std::nullopt,
       {"random", "stop", "kill"}},
      {fault + ".wait", Type::duration, 30.0,
       "how long one node may take to serve again; the roll ends when it does not", 1.0, 600.0},
      {fault + ".pause", Type::duration, 0.0, "from the moment that a node serves again to the end of the next", 0.0,
       600.0},
  };
}

struct Drawn {
  Selection selection;
  RollPlan plan;
};

Result<Drawn> draw(const FaultContext& context, const std::string& fault, std::mt19937_64& random) {
  const Options& options = context.options;
  const bool drawn_kill = draw_below(random, 2) == 1;
  const auto order = draw_order(random, context.cluster.size());
  auto selection = select_nodes(options.string(fault + ".nodes"), context, random);
  if (!selection) return fail(selection.error());
  Drawn out{*std::move(selection), {}};
  for (const std::size_t node : order) {
    const auto& chosen = out.selection.nodes;
    if (std::find(chosen.begin(), chosen.end(), node) != chosen.end()) out.plan.order.push_back(node);
  }
  out.plan.order_name = options.string(fault + ".order");
  if (out.plan.order_name == "leaders-last") {
    const auto leaders = known_primaries(context);
    std::stable_partition(out.plan.order.begin(), out.plan.order.end(), [&](std::size_t node) {
      return std::find(leaders.begin(), leaders.end(), node) == leaders.end();
    });
  }
  const std::string how = options.string(fault + ".how");
  out.plan.kill = how == "kill" || (how == "random" && drawn_kill);
  out.plan.wait_s = options.seconds(fault + ".wait");
  out.plan.pause_s = options.seconds(fault + ".pause");
  return out;
}

constexpr const char* kRestart = "rolling-restart";
constexpr const char* kUpgrade = "rolling-upgrade";

}  // namespace

FaultFactory rolling_restart_fault() {
  FaultFactory out;
  out.name = kRestart;
  out.node_by_node = true;
  out.starts_again = true;
  out.help =
      "Ends and starts the target on one node after the other; the next one's turn comes when the last one serves "
      "again. "
      "At most one node is down at a time; no other fault that acts on processes, and no partition, is in force "
      "meanwhile. "
      "Mechanism: kill(2) and the target's own start command. Proof: the old processes are gone from /proc, others "
      "run, "
      "and each node serves. Needs on the nodes: root or sudo. The duration of the fault begins when the roll is over. "
      "Comes to an end where a node does not serve in time. When the controller dies, the node that is down at that "
      "moment "
      "starts the target by itself, if the target has a command for that.";
  out.options = roll_options(kRestart);
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, kRestart); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    auto drawn = draw(context, kRestart, random);
    if (!drawn) return fail(drawn.error());
    return std::make_unique<Roll>(context, std::move(drawn->selection), std::move(drawn->plan));
  };
  return out;
}

FaultFactory rolling_upgrade_fault() {
  FaultFactory out;
  out.name = kUpgrade;
  out.node_by_node = true;
  out.help =
      "Brings one node after the other to a second version of the target, another program or other options (for etcd: "
      "etcd.upgrade-binary, etcd.upgrade-flags), each when the last one serves again, and back to the first version "
      "when "
      "it is healed. While it is in force the nodes that were selected run the second version and the others the "
      "first. "
      "Mechanism: kill(2) and the target's own start command, with the other program or options. Proof: program and "
      "command line of the processes in /proc. Needs on the nodes: root or sudo. Whether the system can go back from "
      "its "
      "second version is not known to it: say rolling-upgrade.back=false when it cannot; then it happens once. When "
      "the "
      "controller dies, the node that is down at that moment starts by itself, in the version that it was about to "
      "get; "
      "all stay at the version that they have, and so does `ordeal heal`: the next run begins with the first one anew.";
  out.options = roll_options(kUpgrade);
  out.options.push_back(
      {"rolling-upgrade.back", OptionSpec::Type::boolean, true, "back to the first version when it is healed"});
  out.inapplicable = [](const FaultContext& context) -> std::string {
    if (context.target.versions() == nullptr) {
      return fmt::format("target {} has no second version", context.target.name());
    }
    if (const std::string problem = context.target.versions()->problem(); !problem.empty()) return problem;
    return process_fault_problem(context, kUpgrade);
  };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    auto drawn = draw(context, kUpgrade, random);
    if (!drawn) return fail(drawn.error());
    return std::make_unique<Upgrade>(context, std::move(drawn->selection), std::move(drawn->plan),
                                     context.options.boolean("rolling-upgrade.back"));
  };
  return out;
}

}  // namespace ordeal
