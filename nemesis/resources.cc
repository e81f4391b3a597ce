#include "nemesis/resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "nemesis/agent_program.h"
#include "nemesis/draw.h"
#include "nemesis/node_state.h"
#include "nemesis/parallel.h"
#include "nemesis/process_injection.h"

namespace ordeal {
namespace {

constexpr int kLooks = 50;  // at the state of a slow process

std::string pid_words(const std::vector<OsProcess>& processes, const char* separator) {
  std::string out;
  for (const OsProcess& one : processes) out += fmt::format("{}{}", out.empty() ? "" : separator, one.pid);
  return out;
}

// A fault that the agent injects and undoes, on the processes that were found beforehand.
class AgentInjection : public ProcessInjection {
 public:
  AgentInjection(const FaultContext& context, Selection selection, std::string family)
      : ProcessInjection(context, std::move(selection)), id_(context.id), family_(std::move(family)) {}

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      out.push_back({name(node), agent_undo_script(id_, {family_, "undo", fault_folder(id_)})});
    }
    return out;
  }
  bool takes_stopped() const override { return true; }

  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      std::vector<std::string> words = {family_, "start", fault_folder(id_)};
      for (auto& one : parameters()) words.push_back(std::move(one));
      words.push_back(pid_words(processes_.at(node), ","));
      auto done = install_and_run_agent(cluster_.at(node), id_, words, deadline);
      if (!done) return fail(done.error());
      return {};
    });
  }

 protected:
  virtual std::vector<std::string> parameters() const = 0;

 private:
  const std::string id_;
  const std::string family_;
};

class Slow final : public AgentInjection {
 public:
  Slow(const FaultContext& context, Selection selection, std::int64_t percent, std::int64_t period_ms)
      : AgentInjection(context, std::move(selection), "slow"), percent_(percent), period_ms_(period_ms) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("percent", percent_);
    out.set("period_ms", period_ms_);
    out.set("mechanism", "stopped for a part of each period (ptrace)");
    return out;
  }

  // Looks at the state in /proc at moments that have nothing to do with the agent's period.
  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto held = looks_held(node, deadline);
      if (!held) return fail(held.error());
      const double share = static_cast<double>(*held) / kLooks;
      const double meant = 1 - static_cast<double>(percent_) / 100;
      return Observation{share > meant / 2, fmt::format("{} of {} looks found it held, where it should be {:.0f}", *held,
                                                        kLooks, meant * kLooks)};
    });
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto held = looks_held(node, deadline);
      if (!held) return fail(held.error());
      return Observation{*held == 0, fmt::format("{} of {} looks found it held", *held, kLooks)};
    });
  }

 private:
  std::vector<std::string> parameters() const override { return {std::to_string(percent_), std::to_string(period_ms_)}; }

  // How often the first process of the node, of those that run now, was found held by a tracer. One that has ended is
  // not.
  Result<int> looks_held(std::size_t node, Deadline deadline) const {
    auto now = running(node, deadline);
    if (!now) return fail(now.error());
    if (now->empty()) return 0;
    auto said = run_ok(cluster_.at(node), root_script(fmt::format("for i in $(seq {}); do cat /proc/{}/stat; sleep 0.01; "
                                                                  "done 2>/dev/null; exit 0",
                                                                  kLooks, now->front().id.pid),
                                                      deadline));
    if (!said) return fail(said.error());
    const auto states = parse_states(*said);
    return static_cast<int>(std::count_if(states.begin(), states.end(), [](const ProcessState& one) { return one.traced(); }));
  }

  const std::int64_t percent_;
  const std::int64_t period_ms_;
};

// What a process has of a resource, as /proc says it.
struct Usage {
  int pid = 0;
  std::string limit;        // the soft one: a number or "unlimited"
  std::uint64_t used = 0;   // files: the lowest free number; memory: bytes of address space
  [[nodiscard]] std::uint64_t limit_number() const {
    std::uint64_t out = ~std::uint64_t{0};
    std::from_chars(limit.data(), limit.data() + limit.size(), out);
    return out;
  }
};

// One line "PID LIMIT USED" for each process.
std::string usage_script(bool files, const std::vector<OsProcess>& processes) {
  const char* used = files ? "used=0; while [ -h /proc/$pid/fd/$used ]; do used=$((used + 1)); done"
                           : "read -r pages rest </proc/$pid/statm && used=$((pages * $(getconf PAGESIZE)))";
  return fmt::format(
      "for pid in {}; do\n  limit=$(sed -n 's/^Max {} *\\([^ ]*\\).*/\\1/p' /proc/$pid/limits) || continue\n  {}\n"
      "  echo \"$pid $limit $used\"\ndone 2>/dev/null; exit 0",
      pid_words(processes, " "), files ? "open files" : "address space", used);
}

class Limit final : public AgentInjection {
 public:
  Limit(const FaultContext& context, Selection selection, bool files, std::uint64_t spare)
      : AgentInjection(context, std::move(selection), "limit"), files_(files), spare_(spare), before_(context.cluster.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("spare", static_cast<std::int64_t>(spare_));
    out.set("mechanism", "soft limit (prlimit)");
    return out;
  }

  Result<void> prepare(Deadline deadline) override {
    if (auto done = ProcessInjection::prepare(deadline); !done) return done;
    return on_all([&](std::size_t node) -> Result<void> {
      auto found = usage(node, processes_.at(node), deadline);
      if (!found) return fail(found.error());
      before_[node] = *std::move(found);
      return {};
    });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto now = usage(node, processes_.at(node), deadline);
      if (!now) return fail(now.error());
      if (now->empty()) return Observation{true, "its processes have ended under it"};
      for (const Usage& one : *now) {
        const std::uint64_t limit = one.limit_number();
        // What it uses may have shrunk since, or grown before the injection.
        if (limit > usage_before(node, one.pid).used + spare_ && limit > one.used + spare_) {
          return Observation{false, fmt::format("process {} has {} {} and may have {}", one.pid, one.used, unit(), one.limit)};
        }
      }
      return Observation{true, fmt::format("process {} has {} {} and may have {}", now->front().pid, now->front().used,
                                           unit(), now->front().limit)};
    });
  }

  // It may have ended for want of what it needed.
  Result<void> heal(Deadline) override { return start_again(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto states = before(node, deadline);
      if (!states) return fail(states.error());
      if (states->empty()) return Observation{true, "its processes have ended, and with them their limits"};
      std::vector<OsProcess> same;
      for (const ProcessState& one : *states) same.push_back(one.id);
      auto now = usage(node, same, deadline);
      if (!now) return fail(now.error());
      for (const Usage& one : *now) {
        if (one.limit == usage_before(node, one.pid).limit) continue;
        return Observation{false, fmt::format("process {} may have {} {}, not {} as before", one.pid, one.limit, unit(),
                                              usage_before(node, one.pid).limit)};
      }
      return Observation{true, fmt::format("process {} may have {} {} as before", pid_list(same), before_[node].front().limit,
                                           unit())};
    });
  }

 private:
  std::vector<std::string> parameters() const override {
    return {files_ ? "files" : "memory", std::to_string(spare_)};
  }
  const char* unit() const { return files_ ? "descriptors" : "bytes of address space"; }

  Usage usage_before(std::size_t node, int pid) const {
    const auto& all = before_[node];
    const auto at = std::find_if(all.begin(), all.end(), [&](const Usage& one) { return one.pid == pid; });
    return at == all.end() ? Usage() : *at;
  }

  Result<std::vector<Usage>> usage(std::size_t node, const std::vector<OsProcess>& processes, Deadline deadline) const {
    auto said = run_ok(cluster_.at(node), root_script(usage_script(files_, processes), deadline));
    if (!said) return fail(said.error());
    std::vector<Usage> out;
    std::istringstream lines(*said);
    for (Usage one; lines >> one.pid >> one.limit >> one.used;) out.push_back(one);
    return out;
  }

  const bool files_;
  const std::uint64_t spare_;
  std::vector<std::vector<Usage>> before_;  // by node
};

}  // namespace

FaultFactory slow_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "slow";
  out.help =
      "Lets the target's processes run only a part of the time: a starved machine, or a noisy neighbour. Mechanism: an "
      "agent holds all their threads (ptrace) for the rest of each short period; when the agent dies the kernel lets go of "
      "them. Also what the target starts later. Proof: how often they are found held in /proc. Needs on the nodes: root "
      "or sudo with leave to trace, a 64-bit Linux of the controller's kind of processor. It is no CPU quota: they are held "
      "also when they would not have run, and being held ends epoll_wait with EINTR, as a pause does.";
  out.options = {
      process_nodes_option("slow"),
      {"slow.percent", Type::integer, 0, "of the time in which they run; 0: drawn, 5 to 60", 0, 99},
      {"slow.period", Type::duration, 0.1, "one time of running and one of being held", 0.01, 10.0},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "slow"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    const auto drawn = static_cast<std::int64_t>(5 + draw_below(random, 56));
    const std::int64_t percent = context.options.integer("slow.percent");
    const auto period_ms = static_cast<std::int64_t>(context.options.seconds("slow.period") * 1000);
    return plan_on_nodes<Slow>(context, "slow.nodes", random, percent > 0 ? percent : drawn, period_ms);
  };
  return out;
}

FaultFactory files_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "files";
  out.crashes = true;
  out.help =
      "The target's processes can open no further file and accept no further connection (EMFILE). Mechanism: their soft "
      "limit of open files is lowered to what they have open, and raised again; a target that ended of it is started. "
      "Proof: limit and open files in /proc. Needs on the nodes: root or sudo, a 64-bit Linux of the controller's kind of "
      "processor. Programs that raise their limit themselves (Go does, when it starts) are not held.";
  out.options = {
      process_nodes_option("files"),
      {"files.spare", Type::integer, 0, "descriptors that are left", 0, 100'000},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "files"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_on_nodes<Limit>(context, "files.nodes", random, true,
                                static_cast<std::uint64_t>(context.options.integer("files.spare")));
  };
  return out;
}

FaultFactory memory_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "memory";
  out.crashes = true;
  out.help =
      "The target's processes get no further memory (ENOMEM): many programs end of it, and are started again when it is "
      "healed. Mechanism: their soft limit of address space is lowered to what they have, and raised again. Proof: limit "
      "and size in /proc. Needs on the nodes: root or sudo, a 64-bit Linux of the controller's kind of processor, getconf. "
      "Memory that they have reserved already is theirs to use; the memory of the machine is not touched.";
  out.options = {
      process_nodes_option("memory"),
      {"memory.spare", Type::integer, 8, "mebibytes of address space that are left", 0, 1'000'000},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "memory"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_on_nodes<Limit>(context, "memory.nodes", random, false,
                                static_cast<std::uint64_t>(context.options.integer("memory.spare")) << 20U);
  };
  return out;
}

}  // namespace ordeal
