#include "nemesis/clock/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <sstream>

#include "nemesis/clock/wrong_clock.h"
#include "nemesis/node/agent_program.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/process_injection.h"

namespace ordeal {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kAgentError = 1e-3;  // seconds; what the agent's reading may be wrong by on a busy machine
constexpr std::string_view kAgainst = "its node's clock";

// Lines "PID BEFORE INSIDE AFTER PRISTINE", in ns, or "PID ! why not" (nemesis/programs/agent/main.cc). All in seconds
// since `origin_ns`, which keeps the digits that a double has not.
std::vector<ClockReading> parse_readings(const std::string& output, std::int64_t& origin_ns) {
  std::vector<ClockReading> out;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    ClockReading one;
    std::int64_t before = 0;
    std::int64_t inside = 0;
    std::int64_t after = 0;
    if (!(words >> one.pid)) continue;
    if (const auto why = line.find(" ! "); why != std::string::npos) {
      one.problem = line.substr(why + 3);
    } else if (words >> before >> inside >> after >> one.pristine) {
      if (origin_ns == 0) origin_ns = before;
      const auto seconds = [&](std::int64_t ns) { return static_cast<double>(ns - origin_ns) / kNsPerSecond; };
      one.before = seconds(before);
      one.inside = seconds(inside);
      one.after = seconds(after);
    } else {
      continue;
    }
    out.push_back(std::move(one));
  }
  return out;
}

class ClockFault final : public ProcessInjection {
 public:
  ClockFault(const FaultContext& context, Selection selection, Wrong wrong)
      : ProcessInjection(context, std::move(selection)), id_(context.id), wrong_(std::move(wrong)) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("mechanism", "vdso");
    wrong_.describe(out);
    return out;
  }

  // A node whose clock is wrong works.
  Impairment impairment() const override { return {{}, {}, {}, selection_.nodes}; }
  bool takes_stopped() const override { return true; }

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      out.push_back({name(node), agent_undo_script(id_, {"clock", "undo", fault_folder(id_), id_})});
    }
    return out;
  }

  Result<void> inject(Deadline deadline) override {
    std::string steps;
    for (const double one : wrong_.steps_s) {
      steps += fmt::format("{}{}", steps.empty() ? "" : ",", std::llround(one * kNsPerSecond));
    }
    const std::string drift = std::to_string(std::llround(wrong_.drift * 0x1p32));
    const std::string period = std::to_string(std::llround(wrong_.period_s * kNsPerSecond));
    return on_all([&](std::size_t node) -> Result<void> {
      auto done = install_and_run_agent(
          cluster_.at(node), id_,
          {"clock", "start", fault_folder(id_), id_, drift, period, steps, pid_words(processes_.at(node))}, deadline);
      if (!done) return fail(done.error());
      return {};
    });
  }

  // Reads the clocks of whatever processes the target has now, not only of those that it had.
  Result<Observation> confirm(Deadline deadline) override {
    const ReadingPlan plan = reading_plan(wrong_, kAgentError);
    const std::string rounds = std::to_string(plan.rounds);
    const std::string pause = std::to_string(std::llround(plan.pause_s * 1000));
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto by_pid = read(node, rounds, pause, true, deadline);
      if (!by_pid) return fail(by_pid.error());
      return judge_all(
          *by_pid, [&](const std::vector<ClockReading>& readings) { return judge_clock(wrong_, readings, kAgainst); });
    });
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto by_pid = read(node, "1", "0", false, deadline);
      if (!by_pid) return fail(by_pid.error());
      if (by_pid->empty()) return Observation{true, "none of its processes runs"};
      return judge_all(*by_pid, [](const std::vector<ClockReading>& readings) {
        const ClockReading& one = readings.front();
        const bool right = one.inside >= one.before && one.inside <= one.after;
        return Observation{right && one.pristine,
                           fmt::format("its clock is {}, and its vDSO is {}",
                                       right ? "that of its node again" : ahead(one.offset(), kAgainst),
                                       one.pristine ? "byte for byte the kernel's" : "not the kernel's")};
      });
    });
  }

  // {"offset_s":{"n1":3600.0002}}: of one process on each node.
  Result<Value> measure(Deadline deadline) override {
    Value offsets = Value::map();
    std::mutex mutex;
    const auto done = on_all([&](std::size_t node) -> Result<void> {
      auto by_pid = read(node, "1", "0", true, deadline);
      if (!by_pid) return fail(by_pid.error());
      if (by_pid->empty() || !by_pid->begin()->second.front().problem.empty()) return {};
      const std::lock_guard lock(mutex);
      offsets.set(name(node), by_pid->begin()->second.front().offset());
      return {};
    });
    if (!done && offsets.is_map() && offsets.entries().empty()) return fail(done.error());
    std::sort(offsets.entries().begin(), offsets.entries().end());
    return Value::map({{Value("offset_s"), std::move(offsets)}});
  }

 private:
  using Readings = std::map<int, std::vector<ClockReading>>;  // by process

  static std::string pid_words(const std::vector<OsProcess>& processes) {
    std::string out;
    for (const OsProcess& one : processes) out += fmt::format("{}{}", out.empty() ? "" : ",", one.pid);
    return out;
  }

  Result<Readings> read(std::size_t node, const std::string& rounds, const std::string& pause_ms, bool in_force,
                        Deadline deadline) const {
    auto states = running(node, deadline);
    if (!states) return fail(states.error());
    std::vector<OsProcess> processes;
    for (const ProcessState& one : *states) processes.push_back(one.id);
    if (processes.empty()) return Readings();
    const std::vector<std::string> words = {"clock", "read", rounds, pause_ms, pid_words(processes)};
    auto said = in_force ? run_agent(cluster_.at(node), id_, words, deadline)
                         : run_agent_once(cluster_.at(node), id_, words, deadline);
    if (!said) return fail(said.error());
    Readings out;
    std::int64_t origin_ns = 0;
    for (ClockReading& one : parse_readings(*said, origin_ns)) out[one.pid].push_back(std::move(one));
    return out;
  }

  // One that could not be read shows nothing, and what ended meanwhile was read in vain.
  template <class Judge>
  static Observation judge_all(const Readings& by_pid, Judge judge_one) {
    Observation out;
    out.confirmed = !by_pid.empty();
    if (by_pid.empty()) out.evidence = "none of the target's processes runs";
    for (const auto& [pid, readings] : by_pid) {
      const auto failed =
          std::find_if(readings.begin(), readings.end(), [](const ClockReading& r) { return !r.problem.empty(); });
      const Observation one = failed == readings.end() ? judge_one(readings) : Observation{false, failed->problem};
      // Of many alike one is shown, and of those that differ the first that is not as meant.
      if (out.evidence.empty() || (out.confirmed && !one.confirmed)) {
        out.evidence = fmt::format("process {}: {}", pid, one.evidence);
      }
      out.confirmed = out.confirmed && one.confirmed;
    }
    if (out.confirmed && by_pid.size() > 1)
      out.evidence += fmt::format(" (so are those of {} more)", by_pid.size() - 1);
    return out;
  }

  const std::string id_;
  const Wrong wrong_;
};

}  // namespace

FaultFactory clock_fault() {
  FaultFactory out;
  out.name = "clock";
  out.help =
      "Makes the time of day wrong for the target's processes on some nodes, and for nobody else: the clocks of the "
      "nodes, of other programs and of other nodes stay right, also in containers and on local nodes. Mechanism: an "
      "agent stops each process for about a millisecond (ptrace) and rewrites the clock functions of its vDSO to add "
      "to "
      "what the kernel says; programs that need no C library (Go) are reached as well, forked processes inherit it, "
      "and "
      "what the target starts later, or a restarted target, gets it within about 50 ms. Healed by giving the vDSO its "
      "bytes back. Proof: each process's own clock, read by running clock_gettime in it, against its node's. Needs on "
      "the nodes: root or sudo with leave to trace, a 64-bit Linux on x86_64 or aarch64. Does not "
      "reach the monotonic clock, time-outs, nor programs that ask for the time by system call without the vDSO; "
      "reading "
      "the clock takes the processes a system call meanwhile, and stopping them ends epoll_wait with EINTR, as a pause "
      "does.";
  out.options = wrong_clock_options(out.name, WrongClockRange());
  out.options.insert(out.options.begin(), process_nodes_option(out.name));
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "clock"); };
  out.needs = [](const Options&) { return std::vector{NodeNeed::agent, NodeNeed::trace}; };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    auto wrong = draw_wrong(context.options, "clock", WrongClockRange(), random);
    return plan_on_nodes<ClockFault>(context, "clock.nodes", random, std::move(wrong));
  };
  return out;
}

}  // namespace ordeal
