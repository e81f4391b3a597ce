#include "nemesis/process/kill.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <thread>

#include "nemesis/node/draw.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/node/struck.h"

namespace ordeal {
namespace {

constexpr std::array<std::string_view, 6> kSignals = {"KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV"};

class Kill final : public EndingInjection {
 public:
  Kill(const FaultContext& context, Selection selection, std::string signal)
      : EndingInjection(context, std::move(selection)), signal_(std::move(signal)) {}

  Value describe() const override {
    Value out = EndingInjection::describe();
    out.set("signal", signal_);
    return out;
  }

  bool may_be_held() const override { return true; }
  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      if (signal_ == "KILL") return struck_.during([&] { return target_.processes()->kill(cluster_.at(node)); });
      return signal(node, signal_, deadline);
    });
  }

  // A signal that can be caught ends a process whenever it likes.
  std::optional<Instant> instant() const override { return struck_.instant(); }

  // What a signal that can be caught has not ended by now is killed, or the target would not be started.
  Result<void> heal(Deadline deadline) override {
    if (signal_ != "KILL") {
      auto done = on_all([&](std::size_t node) { return signal(node, "KILL", deadline); });
      if (!done) return done;
    }
    return EndingInjection::heal(deadline);
  }

 private:
  Result<void> signal(std::size_t node, std::string_view signal, Deadline deadline) const {
    auto done = run_ok(cluster_.at(node), root_script(signal_script(processes_.at(node), signal), deadline));
    if (!done) return fail(done.error());
    return {};
  }

  const std::string signal_;
  Struck struck_;
};

// Kills the target, starts it, and kills it once more while it starts up.
class KillAtStartup final : public EndingInjection {
 public:
  KillAtStartup(const FaultContext& context, Selection selection, double after_s)
      : EndingInjection(context, std::move(selection)),
        after_s_(after_s),
        killed_(context.cluster.size()),
        age_ms_(context.cluster.size()) {}

  Value describe() const override {
    Value out = EndingInjection::describe();
    out.set("signal", "KILL");
    out.set("at", "startup");
    out.set("after_s", after_s_);
    return out;
  }

  bool may_be_held() const override { return true; }
  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      if (auto killed = target_.processes()->kill(cluster_.at(node)); !killed) return killed;
      for (int i = 0; i < kLooks; ++i) {
        const auto left = before(node, deadline);
        if (!left) return fail(left.error());
        if (left->empty()) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(25));
      }
      if (auto started = target_.start(cluster_.at(node)); !started)
        return fail(started.error().during("starting again"));
      const auto now = running(node, deadline);
      if (!now) return fail(now.error());
      std::this_thread::sleep_for(std::chrono::duration<double>(after_s_));
      killed_[node] = ids_of(*now);
      auto said = run_ok(cluster_.at(node), root_script(kill_young_script(killed_[node]), deadline));
      if (!said) return fail(said.error());
      age_ms_[node] = *std::move(said);
      return {};
    });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      if (killed_[node].empty())
        return Observation{false, "it was started and had ended again before it was to be killed"};
      const auto left = same(node, killed_[node], deadline);
      if (!left) return fail(left.error());
      if (!left->empty()) return Observation{false, fmt::format("process {} is still there", left->front().id.pid)};
      return Observation{
          true, fmt::format("started again as process {} and killed {} ms after its start; it is gone from /proc",
                            pid_list(killed_[node]), age_ms_[node])};
    });
  }

 private:
  static constexpr int kLooks = 100;

  // Prints how old the first of them is, in ms, and kills them all. The clock of process starts ticks a hundred times a
  // second on every Linux (USER_HZ).
  static std::string kill_young_script(const std::vector<OsProcess>& processes) {
    return fmt::format(
        "read -r up rest </proc/uptime\nprintf %s $(( (${{up%.*}} * 100 + 1${{up#*.}} - 100 - {}) * 10 ))\n{}",
        processes.empty() ? 0 : processes.front().started, signal_script(processes, "KILL"));
  }

  const double after_s_;
  std::vector<std::vector<OsProcess>> killed_;  // by node
  std::vector<std::string> age_ms_;             // of the first of them, by node
};

// Kills and starts the system several times in a row, on each node by itself.
class Restart final : public EndingInjection {
 public:
  Restart(const FaultContext& context, Selection selection, std::size_t times, double after_s)
      : EndingInjection(context, std::move(selection)),
        times_(times),
        after_s_(after_s),
        seen_(context.cluster.size()) {}

  Value describe() const override {
    Value out = EndingInjection::describe();
    out.set("times", static_cast<std::int64_t>(times_));
    out.set("after_s", after_s_);
    return out;
  }
  bool may_be_held() const override { return true; }
  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      for (std::size_t i = 0; i < times_ && std::chrono::steady_clock::now() + kSpare < deadline; ++i) {
        auto done = kill_and_start(node, deadline);
        if (!done) return done;
        std::this_thread::sleep_until(std::min(
            deadline - kSpare, std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
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
    if (auto started = target_.start(cluster_.at(node)); !started)
      return fail(started.error().during("starting again"));
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
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "kill";
  out.starts_again = true;
  out.help =
      "Ends the target's processes by a signal, SIGKILL unless kill.signal says otherwise; healed by starting the "
      "target "
      "again on the data that is there (what a gentler signal has not ended by then is killed). With kill.at=startup "
      "it is "
      "killed, started, and killed once more soon after its start command has returned. Mechanism: kill(2), to the "
      "processes that the target says are its own. Proof: the processes are gone from /proc, and afterwards others "
      "run; at "
      "start-up also how old the process was. Needs on the nodes: root or sudo. Loses nothing that the target handed "
      "to "
      "the operating system (a power failure would); SIGABRT and SIGSEGV may leave a core file where the node is set "
      "up "
      "so. When the controller dies, the node starts the target by itself, if the target has a command for that. The "
      "whole "
      "cluster at the same moment: fault crash.";
  std::vector<std::string> signals = {"random"};
  signals.insert(signals.end(), kSignals.begin(), kSignals.end());
  out.options = {
      process_nodes_option("kill"),
      {"kill.signal", Type::string, "KILL", "which one; random draws among them. A JVM survives QUIT", std::nullopt,
       std::nullopt, signals},
      {"kill.at",
       Type::string,
       "running",
       "running: as it is found; startup: shortly after it was started; random: either",
       std::nullopt,
       std::nullopt,
       {"running", "startup", "random"}},
      {"kill.after", Type::duration, 0.0,
       "at=startup: from the end of the start command to the kill; 0: drawn, 1 ms to 3 s", 0.0, 10.0},
  };
  out.inapplicable = [](const FaultContext& context) -> std::string {
    if (context.options.string("kill.at") != "running" && context.options.string("kill.signal") != "KILL") {
      return "kill.at=startup kills with SIGKILL only; leave kill.signal as it is";
    }
    return process_fault_problem(context, "kill");
  };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    auto selection = select_nodes(context.options.string("kill.nodes"), context, random);
    const std::string_view drawn_signal = kSignals[draw_below(random, kSignals.size())];
    const bool drawn_startup = draw_below(random, 2) == 1;
    const double drawn_after = 0.001 * std::pow(3000, draw_between(random, 0, 1));
    if (!selection) return fail(selection.error());
    const std::string at = context.options.string("kill.at");
    if (at == "startup" || (at == "random" && drawn_startup)) {
      const double after_s = context.options.seconds("kill.after");
      return std::make_unique<KillAtStartup>(context, *std::move(selection), after_s > 0 ? after_s : drawn_after);
    }
    std::string signal = context.options.string("kill.signal");
    if (signal == "random") signal = drawn_signal;
    return std::make_unique<Kill>(context, *std::move(selection), std::move(signal));
  };
  return out;
}

FaultFactory restart_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "restart";
  out.starts_again = true;
  out.help =
      "Kills the target with SIGKILL and starts it again, several times in a row; the shorter the time between, the "
      "more "
      "it is killed while it starts up. Healed by starting it if it does not run, also by the node itself when the "
      "controller dies and the target has a command for that. Mechanism: kill(2) and the target's own start command. "
      "Proof: each time the processes are gone from /proc. Needs on the nodes: root or sudo.";
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
