#include "nemesis/clock/host_clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "nemesis/clock/wrong_clock.h"
#include "nemesis/node/agent_program.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/node/selector.h"

namespace ordeal {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr int kAsked = 3;               // a clock is read so often for one reading; the quickest answer counts
constexpr double kTypicalError = 0.01;  // seconds; of a reading over SSH
constexpr double kHealedWithin = 0.02;  // seconds; beyond what reading may be wrong by
constexpr std::string_view kAgainst = "what it was";

constexpr WrongClockRange kRange = {10, 1, 10, 0.1};

double controller_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Prints the boot id, and the node's clock in nanoseconds.
constexpr std::string_view kBootScript = "cat /proc/sys/kernel/random/boot_id";
constexpr std::string_view kClockScript = "date +%s%N";

std::string own_boot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string out;
  std::getline(file, out);
  return out;
}

class HostClock final : public Injection {
 public:
  HostClock(const FaultContext& context, Selection selection, Wrong wrong)
      : cluster_(context.cluster),
        id_(context.id),
        selection_(std::move(selection)),
        wrong_(std::move(wrong)),
        usual_(context.cluster.size()),
        usual_error_(context.cluster.size()) {}

  Value describe() const override {
    Value out = Value::map();
    out.set("selector", selection_.how);
    Value nodes = Value::list();
    for (const auto& one : this->nodes()) nodes.items().emplace_back(one);
    out.set("nodes", std::move(nodes));
    out.set("mechanism", wrong_.kind == "drift" ? "adjtimex" : "clock_settime");
    wrong_.describe(out);
    if (!selection_.note.empty()) out.set("note", selection_.note);
    return out;
  }
  std::vector<std::string> nodes() const override { return node_names(cluster_, selection_.nodes); }

  // That each node's clock is its own, and no other node's nor the controller's; and what it shows now.
  Result<void> prepare(Deadline deadline) override {
    std::map<std::string, std::string> nodes_by_boot;
    std::mutex mutex;
    return on_all([&](std::size_t node) -> Result<void> {
      auto boot = run_ok(cluster_.at(node), root_script(std::string(kBootScript), deadline));
      if (!boot) return fail(boot.error());
      const std::string id = boot->substr(0, boot->find('\n'));
      if (id == own_boot()) {
        return fail(ErrorCode::unsupported,
                    "it shares its kernel and clock with the controller: local nodes and containers have "
                    "no clock of their own; the fault clock is for them");
      }
      {
        const std::lock_guard lock(mutex);
        const auto [other, is_new] = nodes_by_boot.emplace(id, cluster_.at(node).name());
        if (!is_new) return fail(ErrorCode::unsupported, "it shares its kernel and clock with " + other->second);
      }
      auto now = read(node, deadline);
      if (!now) return fail(now.error());
      usual_[node] = now->offset();
      usual_error_[node] = now->error();
      return {};
    });
  }

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const auto& one : nodes())
      out.push_back({one, agent_undo_script(id_, {"host-clock", "undo", fault_folder(id_)})});
    return out;
  }

  Result<void> inject(Deadline deadline) override {
    std::string steps;
    for (const double one : wrong_.steps_s) {
      steps += fmt::format("{}{}", steps.empty() ? "" : ",", std::llround(one * kNsPerSecond));
    }
    const bool frozen = wrong_.kind == "freeze";
    const std::vector<std::string> words = {"host-clock",
                                            "start",
                                            fault_folder(id_),
                                            std::to_string(frozen ? 0 : std::llround(wrong_.drift * 1e6)),
                                            std::to_string(std::llround(wrong_.period_s * kNsPerSecond)),
                                            frozen ? "1" : "0",
                                            steps};
    return on_all([&](std::size_t node) -> Result<void> {
      auto done = install_and_run_agent(cluster_.at(node), id_, words, deadline);
      if (!done) return fail(done.error());
      return {};
    });
  }

  // Against the controller's clock, as far as the node's was ahead of that before.
  Result<Observation> confirm(Deadline deadline) override {
    return observe([&](std::size_t node) -> Result<Observation> {
      const ReadingPlan plan = reading_plan(wrong_, std::max(kTypicalError, usual_error_[node]));
      // What was usual is the same in all readings, so that what it is wrong by does not matter to what the clock
      // gains.
      const double common = wrong_.drift != 0 ? 0 : usual_error_[node];
      std::vector<ClockReading> readings;
      for (int i = 0; i < plan.rounds; ++i) {
        if (i > 0) {
          const std::chrono::duration<double> left = deadline - std::chrono::steady_clock::now();
          std::this_thread::sleep_for(std::chrono::duration<double>(std::clamp(left.count() / 2, 0.0, plan.pause_s)));
        }
        auto one = read(node, deadline);
        if (!one) return fail(one.error());
        one->before += usual_[node] - common;
        one->after += usual_[node] + common;
        readings.push_back(*std::move(one));
      }
      return judge_clock(wrong_, readings, kAgainst);
    });
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe([&](std::size_t node) -> Result<Observation> {
      auto now = read(node, deadline);
      if (!now) return fail(now.error());
      const double off = now->offset() - usual_[node];
      const double error = now->error() + usual_error_[node];
      return Observation{std::abs(off) <= error + kHealedWithin,
                         fmt::format("its clock is {} (± {:.3f} s)", ahead(off, kAgainst), error)};
    });
  }

  Result<Value> measure(Deadline deadline) override {
    Value offsets = Value::map();
    std::mutex mutex;
    const auto done = on_all([&](std::size_t node) -> Result<void> {
      auto now = read(node, deadline);
      if (!now) return fail(now.error());
      const std::lock_guard lock(mutex);
      offsets.set(cluster_.at(node).name(), now->offset() - usual_[node]);
      return {};
    });
    if (!done && offsets.entries().empty()) return fail(done.error());
    std::sort(offsets.entries().begin(), offsets.entries().end());
    return Value::map({{Value("offset_s"), std::move(offsets)}});
  }

 private:
  // One reading of a node's clock against the controller's, in seconds since the first one.
  Result<ClockReading> read(std::size_t node, Deadline deadline) const {
    ClockReading best;
    bool any = false;
    for (int i = 0; i < kAsked; ++i) {
      const double before = controller_time() - origin_;
      auto said = run_ok(cluster_.at(node), root_script(std::string(kClockScript), deadline));
      const double after = controller_time() - origin_;
      if (!said) return fail(said.error());
      std::int64_t ns = 0;
      const auto [end, problem] = std::from_chars(said->data(), said->data() + said->size(), ns);
      if (problem != std::errc() || (end != said->data() + said->size() && *end != '\n')) {
        return fail(ErrorCode::unsupported, "its `date` does not know %N, but said " + *said);
      }
      if (any && after - before >= best.after - best.before) continue;
      any = true;
      best.before = before;
      best.after = after;
      best.inside = static_cast<double>(ns - static_cast<std::int64_t>(origin_) * 1'000'000'000) / kNsPerSecond;
    }
    return best;
  }

  Result<void> on_all(const std::function<Result<void>(std::size_t)>& step) const {
    return all_done(on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
      auto done = step(node);
      if (!done) return fail(done.error().during(cluster_.at(node).name()));
      return std::string();
    }));
  }

  Result<Observation> observe(const std::function<Result<Observation>(std::size_t)>& look) const {
    std::vector<std::string> seen(cluster_.size());
    std::vector<char> good(cluster_.size(), 0);
    (void)on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
      const auto one = look(node);
      good[node] = one && one->confirmed ? 1 : 0;
      seen[node] = fmt::format("{}: {}", cluster_.at(node).name(), one ? one->evidence : one.error().message);
      return std::string();
    });
    Observation out{true, ""};
    for (const std::size_t node : selection_.nodes) {
      out.confirmed = out.confirmed && good[node] != 0;
      out.evidence += (out.evidence.empty() ? "" : "; ") + seen[node];
    }
    return out;
  }

  Cluster& cluster_;
  const std::string id_;
  const Selection selection_;
  const Wrong wrong_;
  const double origin_ = std::floor(controller_time());  // keeps the digits that a double has not
  std::vector<double> usual_;                            // by node: how far its clock is ahead of the controller's
  std::vector<double> usual_error_;                      // and what that may be wrong by
};

std::string problem_of(const FaultContext& context) {
  if (context.cluster.nodes.empty()) return "there are no nodes whose clock could be set";
  if (!context.options.boolean("host-clock.own")) {
    return "it sets the clock of whole machines, for all that runs on them: say host-clock.own=true when the nodes are "
           "machines "
           "of your own (the fault clock reaches only the target's processes)";
  }
  const std::string problem = selector_problem(context.options.string("host-clock.nodes"), context);
  return problem.empty() ? "" : "host-clock.nodes: " + problem;
}

}  // namespace

FaultFactory host_clock_fault() {
  FaultFactory out;
  out.name = "host-clock";
  out.help =
      "Makes the clock of whole machines wrong, for everything that runs on them; for machines of one's own, and only "
      "with "
      "host-clock.own=true. Nodes that share their kernel with the controller or with each other (local nodes, "
      "containers) are "
      "refused: for them there is the fault clock. Mechanism: an agent sets the clock (clock_settime), once or again "
      "and again, "
      "or changes the kernel's rate (adjtimex) for a drift; before that it writes down what the raw monotonic clock "
      "says. "
      "Healed by setting the clock to what it would show had nothing been done, and giving the rate back. Proof: the "
      "node's "
      "clock, read over SSH, against the controller's, as both were before. Needs on the nodes: root or sudo with "
      "leave to set "
      "the clock (CAP_SYS_TIME), GNU date, a 64-bit Linux on x86_64 or aarch64. A time daemon on the node "
      "works against it; a drift changes the monotonic clock as well, as a bad oscillator would; a frozen clock moves "
      "by a few "
      "milliseconds and is set back.";
  out.options = wrong_clock_options(out.name, kRange);
  out.options.insert(out.options.begin(), {process_nodes_option(out.name),
                                           {"host-clock.own", OptionSpec::Type::boolean, false,
                                            "the nodes are machines whose clock may be set"}});
  out.inapplicable = problem_of;
  out.needs = [](const Options&) { return std::vector{NodeNeed::agent, NodeNeed::own_clock}; };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    auto wrong = draw_wrong(context.options, "host-clock", kRange, random);
    auto selection = select_nodes(context.options.string("host-clock.nodes"), context, random);
    if (!selection) return fail(selection.error());
    return std::make_unique<HostClock>(context, *std::move(selection), std::move(wrong));
  };
  return out;
}

}  // namespace ordeal
