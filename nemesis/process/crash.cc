#include "nemesis/process/crash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "nemesis/node/agent_program.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/node/struck.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kAsked = 5;      // how often a node's clock is read; the quickest answer counts,
constexpr int kMaxAsked = 15;  // and so often while that was not within
constexpr std::int64_t kQuickNs = 20'000'000;
constexpr std::int64_t kLeadNs = 300'000'000;  // from the last reading to the kill, at least: time to tell all nodes
constexpr std::int64_t kMaxLeadNs = 5'000'000'000;  // however slow they are
constexpr std::int64_t kAtOnceNs = 50'000'000;      // what still counts as one moment
constexpr double kNsPerMs = 1e6;

std::int64_t controller_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

// A node's monotonic clock against the controller's.
struct NodeClock {
  std::string id;  // nodes that have it in common read the same clock
  std::int64_t ahead_ns = 0;
  std::int64_t error_ns = INT64_MAX / 2;
  std::int64_t slowest_ns = 0;  // of the readings, there and back
};

class Crash final : public EndingInjection {
 public:
  Crash(const FaultContext& context, Selection selection)
      : EndingInjection(context, std::move(selection)),
        id_(context.id),
        clocks_(context.cluster.size()),
        killed_ns_(context.cluster.size()) {}

  // On every node, also where the target has no command to start it: the agent lies beside the undo script.
  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      const std::string script = revive_script(node);
      out.push_back({name(node), script.empty() ? "exit 0" : script});
    }
    return out;
  }

  Result<void> inject(Deadline deadline) override {
    auto done = on_all([&](std::size_t node) { return read_clock(node, deadline); });
    if (!done) return done;
    const std::int64_t moment = controller_ns() + agree_on_clocks();
    return on_all([&](std::size_t node) -> Result<void> {
      std::string who;
      for (const OsProcess& one : processes_.at(node))
        who += fmt::format("{}{}:{}", who.empty() ? "" : ",", one.pid, one.started);
      auto said = run_agent(cluster_.at(node), id_,
                            {"strike", "at", std::to_string(moment + clocks_[node].ahead_ns), who}, deadline);
      if (!said) return fail(said.error());
      std::istringstream lines(*said);
      for (std::int64_t ns = 0; lines >> ns;) killed_ns_[node].push_back(ns - clocks_[node].ahead_ns);
      return {};
    });
  }

  // By the clocks of the nodes.
  std::optional<Instant> instant() const override {
    Struck struck;
    for (const std::size_t node : selection_.nodes) {
      const std::chrono::nanoseconds error(clocks_[node].error_ns);
      for (const std::int64_t ns : killed_ns_[node]) {
        const Clock::time_point killed{std::chrono::nanoseconds(ns)};
        struck.widen({killed - error, killed + error});
      }
    }
    return struck.instant();
  }

  Result<Observation> confirm(Deadline deadline) override {
    auto gone = EndingInjection::confirm(deadline);
    if (!gone || !gone->confirmed) return gone;
    std::vector<std::int64_t> moments;
    std::int64_t error = 0;  // none among nodes that read the same clock
    for (const std::size_t node : selection_.nodes) {
      moments.insert(moments.end(), killed_ns_[node].begin(), killed_ns_[node].end());
      if (clocks_[node].id != clocks_[selection_.nodes.front()].id) error = std::max(error, clocks_[node].error_ns);
    }
    if (error > 0) error = std::max(error, clocks_[selection_.nodes.front()].error_ns);
    if (moments.empty())
      return Observation{false, "none of the processes was there any more when they were to be killed"};
    const auto [first, last] = std::minmax_element(moments.begin(), moments.end());
    const std::int64_t apart = *last - *first;
    const std::string how =
        fmt::format("{} processes were killed within {:.1f} ms (± {:.1f} ms)", moments.size(),
                    static_cast<double>(apart) / kNsPerMs, 2 * static_cast<double>(error) / kNsPerMs);
    if (apart > kAtOnceNs) return Observation{false, how + ", which is not at once"};
    if (apart + 2 * error > kAtOnceNs)
      return Observation{false, how + ": the nodes answer too slowly to know that it was at once"};
    return Observation{true, how + "; " + gone->evidence};
  }

 private:
  Result<void> read_clock(std::size_t node, Deadline deadline) {
    const std::vector<std::string> words = {"strike", "clock"};
    auto done = install_and_run_agent(cluster_.at(node), id_, words, deadline);
    if (!done) return fail(done.error());
    for (int i = 0; i < kAsked || (i < kMaxAsked && 2 * clocks_[node].error_ns > kQuickNs); ++i) {
      const std::int64_t before = controller_ns();
      auto said = run_agent(cluster_.at(node), id_, words, deadline);
      const std::int64_t after = controller_ns();
      if (!said) return fail(said.error());
      NodeClock& clock = clocks_[node];
      clock.slowest_ns = std::max(clock.slowest_ns, after - before);
      if ((after - before) / 2 >= clock.error_ns) continue;
      std::int64_t now = 0;
      if (!(std::istringstream(*said) >> now >> clock.id))
        return fail(ErrorCode::remote, name(node) + ": no clock in " + *said);
      clock.ahead_ns = now - (before + after) / 2;
      clock.error_ns = (after - before) / 2;
    }
    return {};
  }

  // Gives nodes that read the same clock its best reading. Returns how far ahead the moment must lie.
  std::int64_t agree_on_clocks() {
    std::int64_t lead = kLeadNs;
    for (const std::size_t node : selection_.nodes) {
      lead = std::max(lead, 4 * clocks_[node].slowest_ns);
      for (const std::size_t other : selection_.nodes) {
        if (clocks_[other].id != clocks_[node].id || clocks_[other].error_ns >= clocks_[node].error_ns) continue;
        clocks_[node].ahead_ns = clocks_[other].ahead_ns;
        clocks_[node].error_ns = clocks_[other].error_ns;
      }
    }
    return std::min(lead, kMaxLeadNs);
  }

  const std::string id_;
  std::vector<NodeClock> clocks_;                     // by node
  std::vector<std::vector<std::int64_t>> killed_ns_;  // by node: when, by the controller's clock
};

}  // namespace

FaultFactory crash_fault() {
  FaultFactory out;
  out.name = "crash";
  out.starts_again = true;
  out.help =
      "Kills the target's processes on all nodes (crash.nodes) at one moment, as when the whole cluster loses its "
      "power; "
      "healed by starting it everywhere on the data that is there, also by each node itself when the controller dies "
      "and the "
      "target has a command for that. Mechanism: the controller compares the monotonic clocks of the nodes with its "
      "own, and "
      "an agent on each sends SIGKILL at the same agreed moment. Proof: the processes are gone from /proc, and the "
      "moments at "
      "which they were killed lie less than 50 ms apart; the evidence says how far, and how exactly that is known. "
      "Needs on "
      "the nodes: root or sudo, a 64-bit Linux on x86_64 or aarch64. Loses nothing that the target handed to "
      "the operating system (a power failure would).";
  OptionSpec nodes = process_nodes_option("crash");
  nodes.default_value = "all";
  out.options = {std::move(nodes)};
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "crash"); };
  out.needs = [](const Options&) { return std::vector{NodeNeed::agent}; };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_on_nodes<Crash>(context, "crash.nodes", random);
  };
  return out;
}

}  // namespace ordeal
