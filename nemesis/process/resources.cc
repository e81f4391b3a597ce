#include "nemesis/process/resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>

#include "nemesis/node/agent_program.h"
#include "nemesis/node/cgroup.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"

namespace ordeal {
namespace {

constexpr int kLooks = 50;               // at the state of a slow process
constexpr double kTicksPerSecond = 100;  // of processor time in /proc (USER_HZ), on every Linux

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
    for (const std::size_t node : selection_.nodes) out.push_back({name(node), undo_on(node)});
    return out;
  }
  bool takes_stopped() const override { return true; }

  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) { return inject_on(node, deadline); });
  }

 protected:
  virtual std::vector<std::string> parameters() const = 0;
  virtual std::string undo_on(std::size_t /*node*/) const {
    return agent_undo_script(id_, {family_, "undo", fault_folder(id_)});
  }
  virtual Result<void> inject_on(std::size_t node, Deadline deadline) {
    std::vector<std::string> words = {family_, "start", fault_folder(id_)};
    for (auto& one : parameters()) words.push_back(std::move(one));
    words.push_back(pid_words(processes_.at(node), ","));
    auto done = install_and_run_agent(cluster_.at(node), id_, words, deadline);
    if (!done) return fail(done.error());
    return {};
  }

  const std::string id_;

 private:
  const std::string family_;
};

// How much of a processor the processes had, and how often the kernel held them back, over a while.
struct Share {
  double used = 0;  // 1: one processor
  std::int64_t throttled = 0;
};

class Slow final : public AgentInjection {
 public:
  // `of_usage`: a quota is so many percent of what the processes used before, so that it is felt.
  Slow(const FaultContext& context, Selection selection, std::string mechanism, std::int64_t percent, bool of_usage,
       std::int64_t period_ms)
      : AgentInjection(context, std::move(selection), "slow"),
        wanted_(std::move(mechanism)),
        percent_(percent),
        of_usage_(of_usage),
        period_ms_(period_ms),
        groups_(context.cluster.size()),
        quotas_(context.cluster.size(), percent),
        unfelt_(context.cluster.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("percent", percent_);
    out.set("period_ms", period_ms_);
    Value mechanisms = Value::map();
    for (const auto& [node, processes] : processes_) {
      mechanisms.set(name(node), has_quota(node)
                                     ? fmt::format("quota (cgroup v{})", groups_[node].moves.front().version)
                                     : "held for a part of each period (ptrace)");
    }
    out.set("mechanism", std::move(mechanisms));
    if (!of_usage_) return out;
    Value quotas = Value::map();
    for (const auto& [node, processes] : processes_) {
      if (has_quota(node)) quotas.set(name(node), quotas_[node]);
    }
    if (!quotas.entries().empty()) out.set("quota_percent", std::move(quotas));
    return out;
  }

  // Finds out which nodes have quotas, and what the processes use.
  Result<void> prepare(Deadline deadline) override {
    if (auto done = ProcessInjection::prepare(deadline); !done) return done;
    if (wanted_ == "held") return {};
    return on_all([&](std::size_t node) -> Result<void> {
      auto found = run_ok(cluster_.at(node),
                          root_script(cgroup_find_script(CgroupUse::quota, id_, processes_.at(node)), deadline));
      if (!found) return fail(found.error());
      groups_[node] = parse_cgroups(*found);
      if (wanted_ == "quota" && !has_quota(node)) {
        return fail(ErrorCode::unsupported, "slow.mechanism=quota: " + groups_[node].problem);
      }
      if (!of_usage_ || !has_quota(node)) return {};
      auto share = measure_share(node, deadline);
      if (!share) return fail(share.error());
      const double quota = share->used * static_cast<double>(percent_);
      // Less than the least quota that there is would not be felt.
      if (quota < 1 && wanted_ == "auto") groups_[node] = CgroupPlan();
      quotas_[node] = std::max<std::int64_t>(1, std::llround(quota));
      return {};
    });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) {
      return has_quota(node) ? confirm_quota(node, deadline) : confirm_held(node, deadline);
    });
  }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      if (!has_quota(node)) {
        auto held = looks_held(node, deadline);
        if (!held) return fail(held.error());
        return Observation{*held == 0, fmt::format("{} of {} looks found it held", *held, kLooks)};
      }
      const auto states = before(node, deadline);
      if (!states) return fail(states.error());
      auto said =
          run_ok(cluster_.at(node), root_script(cgroup_look_script(groups_[node], id_, ids_of(*states)), deadline));
      if (!said) return fail(said.error());
      if (!said->empty()) return Observation{false, said->substr(0, said->find('\n'))};
      if (states->empty()) return Observation{true, "its processes have ended, and the group with the quota is gone"};
      return Observation{true, fmt::format("process {} is in its own group again", pid_list(ids_of(*states)))};
    });
  }

 private:
  static constexpr auto kShareTakes = std::chrono::seconds(2);

  bool has_quota(std::size_t node) const { return groups_[node].possible(); }

  std::vector<std::string> parameters() const override {
    return {std::to_string(percent_), std::to_string(period_ms_)};
  }

  std::string undo_on(std::size_t node) const override {
    return has_quota(node) ? cgroup_leave_script(groups_[node]) : AgentInjection::undo_on(node);
  }

  Result<void> inject_on(std::size_t node, Deadline deadline) override {
    if (!has_quota(node)) return AgentInjection::inject_on(node, deadline);
    auto done =
        run_ok(cluster_.at(node),
               root_script(quota_script(groups_[node], processes_.at(node), quotas_[node], period_ms_), deadline));
    if (!done) return fail(done.error());
    return {};
  }

  // Looks at the state in /proc at moments that have nothing to do with the agent's period.
  Result<Observation> confirm_held(std::size_t node, Deadline deadline) const {
    auto held = looks_held(node, deadline);
    if (!held) return fail(held.error());
    const double share = static_cast<double>(*held) / kLooks;
    const double meant = 1 - static_cast<double>(percent_) / 100;
    return Observation{share > meant / 2, fmt::format("{} of {} looks found it held, where it should be {:.0f}", *held,
                                                      kLooks, meant * kLooks)};
  }

  // A quota shows only in what wants more than it: the time the processes got is in their own /proc, that they were
  // held back in the group's account.
  Result<Observation> confirm_quota(std::size_t node, Deadline deadline) {
    // No look is begun that would be cut short.
    if (!unfelt_[node].empty() && std::chrono::steady_clock::now() + kShareTakes > deadline)
      return Observation{false, unfelt_[node]};
    auto share = measure_share(node, deadline);
    if (!share) return fail(share.error());
    const double allowed = static_cast<double>(quotas_[node]) / 100;
    const std::string evidence = fmt::format("it had {:.0f} % of a processor, may have {}, and was held back {} times",
                                             100 * share->used, quotas_[node], share->throttled);
    unfelt_[node] = evidence;
    return Observation{share->throttled > 0 && share->used < 1.2 * allowed + 0.03, evidence};
  }

  Result<Share> measure_share(std::size_t node, Deadline deadline) const {
    std::string script = "look() {\n  ticks=0 throttled=0\n";
    for (const OsProcess& one : processes_.at(node)) {
      script += fmt::format(
          "  line=; read -r line 2>/dev/null </proc/{}/stat && set -- ${{line##*) }} && ticks=$((ticks + ${{12}} + "
          "${{13}}))\n",
          one.pid);
    }
    for (const CgroupMove& one : groups_[node].moves) {
      script += fmt::format(
          "  [ ! -e {0}/cpu.stat ] || throttled=$((throttled + $(sed -n 's/^nr_throttled //p' {0}/cpu.stat)))\n",
          shell_quote(one.ours));
    }
    script += "  read -r up rest </proc/uptime\n  echo $up $ticks $throttled\n}\nlook\nsleep 1\nlook\n";
    auto said = run_ok(cluster_.at(node), root_script(script, deadline));
    if (!said) return fail(said.error());
    std::istringstream words(*said);
    std::array<double, 2> up{};
    std::array<std::int64_t, 2> ticks{};
    std::array<std::int64_t, 2> throttled{};
    for (std::size_t i = 0; i < 2; ++i) words >> up[i] >> ticks[i] >> throttled[i];
    if (!words || up[1] <= up[0]) return fail(ErrorCode::remote, "its processor time could not be read: " + *said);
    return Share{static_cast<double>(ticks[1] - ticks[0]) / kTicksPerSecond / (up[1] - up[0]),
                 throttled[1] - throttled[0]};
  }

  // How often the first process of the node, of those that run now, was found held by a tracer. One that has ended is
  // not.
  Result<int> looks_held(std::size_t node, Deadline deadline) const {
    auto now = running(node, deadline);
    if (!now) return fail(now.error());
    if (now->empty()) return 0;
    auto said =
        run_ok(cluster_.at(node), root_script(fmt::format("for i in $(seq {}); do cat /proc/{}/stat; sleep 0.01; "
                                                          "done 2>/dev/null; exit 0",
                                                          kLooks, now->front().id.pid),
                                              deadline));
    if (!said) return fail(said.error());
    const auto states = parse_states(*said);
    return static_cast<int>(
        std::count_if(states.begin(), states.end(), [](const ProcessState& one) { return one.traced(); }));
  }

  const std::string wanted_;
  const std::int64_t percent_;
  const bool of_usage_;
  const std::int64_t period_ms_;
  std::vector<CgroupPlan> groups_;    // by node
  std::vector<std::int64_t> quotas_;  // by node, in percent of a processor
  std::vector<std::string> unfelt_;   // by node: what the last look at its share saw
};

// What a process has of a resource, as /proc says it.
struct Usage {
  int pid = 0;
  std::string limit;       // the soft one: a number or "unlimited"
  std::uint64_t used = 0;  // files: the lowest free number; memory: bytes of address space
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
      : AgentInjection(context, std::move(selection), "limit"),
        files_(files),
        spare_(spare),
        before_(context.cluster.size()) {}

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
          return Observation{false,
                             fmt::format("process {} has {} {} and may have {}", one.pid, one.used, unit(), one.limit)};
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
      return Observation{true, fmt::format("process {} may have {} {} as before", pid_list(same),
                                           before_[node].front().limit, unit())};
    });
  }

 private:
  std::string undo_on(std::size_t node) const override { return undo_and_revive(node, AgentInjection::undo_on(node)); }
  std::vector<std::string> parameters() const override { return {files_ ? "files" : "memory", std::to_string(spare_)}; }
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
      "Lets the target's processes run only a part of the time: a starved machine, or a noisy neighbour. Mechanism, "
      "which "
      "each injection names for each node: a processor quota (cgroup v2 cpu.max or v1 cpu.cfs_quota_us) in a group "
      "made for "
      "it, where the node has such groups mounted and writable; else an agent holds all their threads (ptrace) for the "
      "rest "
      "of each short period, and when it dies the kernel lets go of them. A quota is shared by all the target's "
      "processes of "
      "the node, in percent of one processor, and is felt only by what wants more; what the target starts anew is not "
      "under "
      "it. Held are they also when they would not have run, also what the target starts later, and being held ends "
      "epoll_wait with EINTR, as a signal does. Proof: the processor time in /proc stays under the quota while the "
      "kernel "
      "counts that it held them back; or how often they are found held in /proc. Needs on the nodes: root or sudo; to "
      "hold "
      "them leave to trace and a 64-bit Linux on x86_64 or aarch64.";
  out.options = {
      process_nodes_option("slow"),
      {"slow.mechanism",
       Type::string,
       "auto",
       "auto: a quota where it is possible and would be felt",
       std::nullopt,
       std::nullopt,
       {"auto", "held", "quota"}},
      {"slow.percent", Type::integer, 0,
       "of the time in which they run, or of one processor; 0: drawn, 5 to 60, and as a quota of what they used before",
       0, 99},
      {"slow.period", Type::duration, 0.1, "one time of running and one of being held; of a quota at most 1 s", 0.01,
       10.0},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "slow"); };
  out.needs = [](const Options&) { return std::vector{NodeNeed::agent}; };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    const auto drawn = static_cast<std::int64_t>(5 + draw_below(random, 56));
    const std::int64_t percent = context.options.integer("slow.percent");
    const auto period_ms = static_cast<std::int64_t>(context.options.seconds("slow.period") * 1000);
    return plan_on_nodes<Slow>(context, "slow.nodes", random, context.options.string("slow.mechanism"),
                               percent > 0 ? percent : drawn, percent == 0, period_ms);
  };
  return out;
}

FaultFactory files_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "files";
  out.crashes = true;
  out.help =
      "The target's processes can open no further file and accept no further connection (EMFILE). Mechanism: their "
      "soft "
      "limit of open files is lowered to what they have open, and raised again; a target that ended of it is started. "
      "Proof: limit and open files in /proc. Needs on the nodes: root or sudo, a 64-bit Linux on x86_64 or "
      "aarch64. Programs that raise their limit themselves (Go does, when it starts) are not held.";
  out.options = {
      process_nodes_option("files"),
      {"files.spare", Type::integer, 0, "descriptors that are left", 0, 100'000},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "files"); };
  out.needs = [](const Options&) { return std::vector{NodeNeed::agent}; };
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
      "The target's processes get no further memory (ENOMEM): many programs end of it, and are started again when it "
      "is "
      "healed. Mechanism: their soft limit of address space is lowered to what they have, and raised again. Proof: "
      "limit "
      "and size in /proc. Needs on the nodes: root or sudo, a 64-bit Linux on x86_64 or aarch64, getconf. "
      "Memory that they have reserved already is theirs to use; the memory of the machine is not touched.";
  out.options = {
      process_nodes_option("memory"),
      {"memory.spare", Type::integer, 8, "mebibytes of address space that are left", 0, 1'000'000},
  };
  out.inapplicable = [](const FaultContext& context) { return process_fault_problem(context, "memory"); };
  out.needs = [](const Options&) { return std::vector{NodeNeed::agent}; };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_on_nodes<Limit>(context, "memory.nodes", random, false,
                                static_cast<std::uint64_t>(context.options.integer("memory.spare")) << 20U);
  };
  return out;
}

}  // namespace ordeal
