#include "nemesis/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <sstream>

#include "nemesis/agent_program.h"
#include "nemesis/draw.h"
#include "nemesis/node_state.h"
#include "nemesis/process_injection.h"

namespace ordeal {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kReadError = 5e-5;  // seconds; what reading may be wrong by beyond what it is seen to take
constexpr std::size_t kJumps = 8;

constexpr std::array<std::string_view, 5> kKinds = {"offset", "jump", "drift", "strobe", "freeze"};

// How the clock goes wrong. Steps follow each other every `period_s`, endlessly; a single one stays.
struct Wrong {
  std::string kind;
  std::vector<double> steps_s = {0};
  double period_s = 0;
  double drift = 0;  // gained per second; -1: it stands still
};

// One reading of a process's clock, from inside it. Seconds since 1970 as the node's clock has it.
struct Reading {
  int pid = 0;
  double before = 0;  // the node's clock
  double inside = 0;
  double after = 0;
  bool pristine = false;
  std::string problem;
  [[nodiscard]] double time() const { return (before + after) / 2; }
  [[nodiscard]] double offset() const { return inside - time(); }
  [[nodiscard]] double error() const { return (after - before) / 2 + kReadError; }
};

// Lines "PID BEFORE INSIDE AFTER PRISTINE", in ns, or "PID ! why not" (nemesis/agent/main.cc). All in seconds since
// `origin_ns`, which keeps the digits that a double has not.
std::vector<Reading> parse_readings(const std::string& output, std::int64_t& origin_ns) {
  std::vector<Reading> out;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Reading one;
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

std::string ahead(double seconds) {
  return fmt::format("{:.3f} s {} its node's clock", std::abs(seconds), seconds < 0 ? "behind" : "ahead of");
}

// Whether the readings of one process, at least two, show the clock to be wrong in the way that was meant.
Observation judge(const Wrong& wrong, const std::vector<Reading>& readings) {
  const Reading& first = readings.front();
  const Reading& last = readings.back();
  const double error = first.error() + last.error();
  const double passed = last.time() - first.time();
  if (wrong.kind == "drift" || wrong.kind == "freeze") {
    const double gained = last.offset() - first.offset();
    const bool right = std::abs(gained - wrong.drift * passed) <= error && std::abs(gained) > error;
    if (wrong.kind == "freeze") {
      return {right, fmt::format("its clock moved by {:.1f} ms in {:.3f} s", 1000 * std::abs(passed + gained), passed)};
    }
    return {right, fmt::format("its clock gains {:+.2f} % and is {}", 100 * gained / passed, ahead(last.offset()))};
  }
  std::vector<bool> seen(wrong.steps_s.size(), false);
  for (const Reading& one : readings) {
    bool known = false;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (std::abs(one.offset() - wrong.steps_s[i]) > one.error()) continue;
      known = true;
      seen[i] = true;
    }
    if (!known) return {false, fmt::format("its clock is {}", ahead(one.offset()))};
  }
  const auto count = std::count(seen.begin(), seen.end(), true);
  if (wrong.steps_s.size() == 1) return {true, fmt::format("its clock is {}", ahead(first.offset()))};
  // Those who set a period of an hour cannot be shown two steps now.
  const bool enough = count >= 2 || (passed < wrong.period_s && !seen.back());
  return {enough, fmt::format("its clock is {} and then {}; {} of {} offsets were seen", ahead(first.offset()),
                              ahead(last.offset()), count, seen.size())};
}

class ClockFault final : public ProcessInjection {
 public:
  ClockFault(const FaultContext& context, Selection selection, Wrong wrong)
      : ProcessInjection(context, std::move(selection)), id_(context.id), wrong_(std::move(wrong)) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("kind", wrong_.kind);
    out.set("mechanism", "vdso");
    if (wrong_.drift != 0) {
      out.set("drift_percent", 100 * wrong_.drift);
    } else {
      Value steps = Value::list();
      for (const double one : wrong_.steps_s) steps.items().emplace_back(one);
      out.set("offsets_s", std::move(steps));
      if (wrong_.period_s > 0) out.set("period_s", wrong_.period_s);
    }
    return out;
  }

  // A node whose clock is wrong works.
  Impairment impairment() const override { return {}; }
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
    const bool changes = wrong_.drift != 0 || wrong_.period_s > 0;
    // Long enough that what a slow drift gains is more than what reading may be wrong by.
    const double pause_s = wrong_.drift != 0 ? std::clamp(0.003 / std::abs(wrong_.drift), 0.3, 3.0)
                                             : std::clamp(wrong_.period_s * 0.3, 0.001, 0.3);
    const std::string rounds = wrong_.drift != 0 ? "2" : changes ? "8" : "2";
    const std::string pause = std::to_string(changes ? std::llround(pause_s * 1000) : 1);
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto by_pid = read(node, rounds, pause, true, deadline);
      if (!by_pid) return fail(by_pid.error());
      return judge_all(*by_pid, [&](const std::vector<Reading>& readings) { return judge(wrong_, readings); });
    });
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto by_pid = read(node, "1", "0", false, deadline);
      if (!by_pid) return fail(by_pid.error());
      if (by_pid->empty()) return Observation{true, "none of its processes runs"};
      return judge_all(*by_pid, [](const std::vector<Reading>& readings) {
        const Reading& one = readings.front();
        const bool right = one.inside >= one.before && one.inside <= one.after;
        return Observation{right && one.pristine,
                           fmt::format("its clock is {}, and its vDSO is {}",
                                       right ? "that of its node again" : ahead(one.offset()),
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
  using Readings = std::map<int, std::vector<Reading>>;  // by process

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
    for (Reading& one : parse_readings(*said, origin_ns)) out[one.pid].push_back(std::move(one));
    return out;
  }

  // One that could not be read shows nothing, and what ended meanwhile was read in vain.
  template <class Judge>
  static Observation judge_all(const Readings& by_pid, Judge judge_one) {
    Observation out;
    out.confirmed = !by_pid.empty();
    if (by_pid.empty()) out.evidence = "none of the target's processes runs";
    for (const auto& [pid, readings] : by_pid) {
      const auto failed = std::find_if(readings.begin(), readings.end(), [](const Reading& r) { return !r.problem.empty(); });
      const Observation one = failed == readings.end() ? judge_one(readings) : Observation{false, failed->problem};
      // Of many alike one is shown, and of those that differ the first that is not as meant.
      if (out.evidence.empty() || (out.confirmed && !one.confirmed)) {
        out.evidence = fmt::format("process {}: {}", pid, one.evidence);
      }
      out.confirmed = out.confirmed && one.confirmed;
    }
    if (out.confirmed && by_pid.size() > 1) out.evidence += fmt::format(" (so are those of {} more)", by_pid.size() - 1);
    return out;
  }

  const std::string id_;
  const Wrong wrong_;
};

// Between the two, all orders of magnitude alike; of either sign.
double draw_magnitude(std::mt19937_64& random, double least, double most) {
  const double size = least * std::pow(most / least, draw_between(random, 0, 1));
  return draw_below(random, 2) == 0 ? size : -size;
}

// Draws everything that any kind needs, so that a setting never shifts another draw.
Wrong draw_wrong(const Options& options, std::mt19937_64& random) {
  const std::string_view drawn = kKinds[draw_below(random, kKinds.size())];
  std::vector<double> jumps;
  for (std::size_t i = 0; i < kJumps; ++i) jumps.push_back(draw_magnitude(random, 0.05, 300));
  const double offset = draw_magnitude(random, 0.1, 3600);
  const double drift = draw_magnitude(random, 0.1, 50);
  const double strobe_period = std::abs(draw_magnitude(random, 0.001, 1));
  const double jump_period = draw_between(random, 0.2, 1);

  Wrong out;
  out.kind = options.string("clock.kind");
  if (out.kind == "random") out.kind = drawn;
  const double wanted_offset = options.real("clock.offset");
  const double wanted_period = options.seconds("clock.period");
  const double chosen = wanted_offset != 0 ? wanted_offset : offset;
  if (out.kind == "offset") {
    out.steps_s = {chosen};
  } else if (out.kind == "drift") {
    const double wanted = options.real("clock.drift");
    out.drift = (wanted != 0 ? wanted : drift) / 100;
  } else if (out.kind == "freeze") {
    out.drift = -1;
  } else if (out.kind == "strobe") {
    out.steps_s = {chosen, 0};
    out.period_s = wanted_period > 0 ? wanted_period : strobe_period;
  } else {
    if (wanted_offset != 0) {
      for (double& one : jumps) one *= std::abs(wanted_offset) / 300;
    }
    out.steps_s = jumps;
    out.period_s = wanted_period > 0 ? wanted_period : jump_period;
  }
  return out;
}

}  // namespace

FaultFactory clock_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "clock";
  out.help =
      "Makes the time of day wrong for the target's processes on some nodes, and for nobody else: the clocks of the "
      "nodes, of other programs and of other nodes stay right, also in containers and on local nodes. Mechanism: an "
      "agent stops each process for about a millisecond (ptrace) and rewrites the clock functions of its vDSO to add to "
      "what the kernel says; programs that need no C library (Go) are reached as well, forked processes inherit it, and "
      "what the target starts later, or a restarted target, gets it within about 50 ms. Healed by giving the vDSO its "
      "bytes back. Proof: each process's own clock, read by running clock_gettime in it, against its node's. Needs on "
      "the nodes: root or sudo with leave to trace, a 64-bit Linux of the controller's kind of processor. Does not "
      "reach the monotonic clock, time-outs, nor programs that ask for the time by system call without the vDSO; reading "
      "the clock takes the processes a system call meanwhile, and stopping them ends epoll_wait with EINTR, as a pause does.";
  std::vector<std::string> kinds = {"random"};
  kinds.insert(kinds.end(), kKinds.begin(), kKinds.end());
  out.options = {
      process_nodes_option("clock"),
      {"clock.kind", Type::string, "random",
       "offset (wrong by the same all the time), jump (by another amount every period), drift (too fast or too slow), "
       "strobe (wrong and right in turn, a period each), freeze (it stands still); random draws among them",
       std::nullopt, std::nullopt, kinds},
      {"clock.offset", Type::real, 0.0,
       "seconds ahead, negative: behind; for jump the most either way; 0: drawn, from 0.1 s to an hour", -3.2e8, 3.2e8},
      {"clock.drift", Type::real, 0.0, "percent gained, negative: lost; 0: drawn, from 0.1 to 50 either way", -99.0, 1000.0},
      {"clock.period", Type::duration, 0.0, "of strobe and jump; 0: drawn, from 1 ms to 1 s", 0.0, 86400.0},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "clock"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    auto wrong = draw_wrong(context.options, random);
    return plan_on_nodes<ClockFault>(context, "clock.nodes", random, std::move(wrong));
  };
  return out;
}

}  // namespace ordeal
