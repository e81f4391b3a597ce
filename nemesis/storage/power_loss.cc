#include "nemesis/storage/power_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <sstream>

#include "nemesis/node/draw.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/node/struck.h"
#include "nemesis/storage/disk_program.h"

namespace ordeal {
namespace {

constexpr const char* kKinds[] = {"lost", "torn", "reordered"};

// A killed program ends when its unsynced writes have reached the disk.
constexpr std::chrono::seconds kEndingTakes{5};

class PowerLoss final : public ProcessInjection {
 public:
  PowerLoss(const FaultContext& context, Selection selection, std::string kind, std::uint64_t seed)
      : ProcessInjection(context, std::move(selection)),
        id_(context.id),
        kind_(std::move(kind)),
        names_(context.options.string("power-loss.names")),
        seed_(seed),
        counters_(context.cluster.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("kind", kind_);
    out.set("names", names_);
    return out;
  }

  // What is lost is lost; to start the system again is the target's business.
  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      if (std::string script = revive_script(node); !script.empty()) out.push_back({name(node), std::move(script)});
    }
    return out;
  }
  bool takes_stopped() const override { return true; }

  Result<void> inject(Deadline deadline) override {
    auto killed = on_all(
        [&](std::size_t node) { return struck_.during([&] { return target_.processes()->kill(cluster_.at(node)); }); });
    if (!killed) return killed;
    // When a process has ended, what the kernel gathered of its writes has reached the disk, and is counted.
    const Deadline ended = deadline.within(kEndingTakes);
    (void)observe_all(ended, [&](std::size_t node) { return look_gone(node, ended); });
    return on_all([&](std::size_t node) -> Result<void> {
      auto said = struck_.during(
          [&] { return lose_unsynced(cluster_.at(node), id_, directories(node), kind_, seed_ + node, deadline); });
      if (!said) return fail(said.error().during("asking the disk to lose what is unsynced"));
      counters_[node] = counters(*said);
      return {};
    });
  }

  std::optional<Instant> instant() const override { return struck_.instant(); }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto gone = look_gone(node, deadline);
      if (!gone || !gone->confirmed) return gone;
      const auto counted = [&](const char* key) {
        const auto found = counters_[node].find(key);
        return found == counters_[node].end() ? std::uint64_t{0} : found->second;
      };
      if (counted("marker") != directories(node).size()) {
        return Observation{false, gone->evidence + "; but an unsynced write beside the target's files is still there"};
      }
      gone->evidence += "; an unsynced write beside the target's files is gone, too";
      gone->evidence +=
          counted("writes") + counted("names") > 0
              ? fmt::format("; {} bytes of {} unsynced writes to {} files and {} changes of names were lost",
                            counted("bytes"), counted("writes"), counted("files"), counted("names"))
              : "; of the target nothing was unsynced: 0 bytes were lost";
      if (counted("kept_writes") + counted("kept_names") + counted("torn") > 0) {
        gone->evidence += fmt::format("; {} writes and {} changes of names survived, {} torn", counted("kept_writes"),
                                      counted("kept_names"), counted("torn"));
      }
      return gone;
    });
  }

  Result<void> heal(Deadline) override { return start_again(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) { return look_running(node, deadline); });
  }

 private:
  std::vector<std::string> directories(std::size_t node) const { return data_directories(target_, cluster_.at(node)); }

  // The sums of "KEY=NUMBER" over all disks.
  static std::map<std::string, std::uint64_t> counters(const std::string& said) {
    std::map<std::string, std::uint64_t> out;
    std::istringstream words(said);
    for (std::string word; words >> word;) {
      const auto at = word.find('=');
      if (at != std::string::npos) out[word.substr(0, at)] += std::strtoull(word.c_str() + at + 1, nullptr, 10);
    }
    return out;
  }

  const std::string id_;
  const std::string kind_;
  const std::string names_;
  const std::uint64_t seed_;
  Struck struck_;                                               // from the first process killed to the last write lost
  std::vector<std::map<std::string, std::uint64_t>> counters_;  // by node: what the disks say they did
};

}  // namespace

FaultFactory power_loss_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "power-loss";
  out.starts_again = true;
  out.help =
      "Power failure: kills the target and takes back what it wrote and did not sync; healed by starting it on what is "
      "left. Mechanism: a FUSE file system under the target's data directories, mounted before it starts, that knows "
      "what "
      "fsync, fdatasync, msync and O_SYNC made durable. Proof: the processes are gone from /proc, and so is an "
      "unsynced "
      "write made beside the target's files just before. The record says how much of the target's was lost; 0 bytes "
      "when "
      "it had synced all, which is what a sound system does and no reason to doubt that the power failed. Needs on the "
      "nodes: root or sudo, /dev/fuse, a 64-bit Linux on x86_64 or aarch64. sync and syncfs make nothing durable "
      "there; "
      "modes, owners and times always are.";
  out.options = {
      process_nodes_option("power-loss"),
      {"power-loss.kind",
       Type::string,
       "random",
       "lost: all that is unsynced; torn: the last writes of each file, the oldest of them in part (sectors of 512 "
       "bytes); "
       "reordered: any of its unsynced pages; random: draws among them",
       std::nullopt,
       std::nullopt,
       {"random", "lost", "torn", "reordered"}},
      {"power-loss.names",
       Type::string,
       "journal",
       "what makes files durable that were made, renamed or removed; journal: any later fsync, as ext4 and XFS have "
       "it; strict: "
       "only that of their directory, as POSIX has it",
       std::nullopt,
       std::nullopt,
       {"journal", "strict"}},
  };
  out.inapplicable = [](const FaultContext& context) {
    const std::string problem = process_fault_problem(context, "power-loss");
    return problem.empty() ? disk_problem(context) : problem;
  };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    const std::string drawn = kKinds[draw_below(random, std::size(kKinds))];
    const std::uint64_t seed = random() >> 2U;
    const std::string asked = context.options.string("power-loss.kind");
    return plan_on_nodes<PowerLoss>(context, "power-loss.nodes", random, asked == "random" ? drawn : asked, seed);
  };
  out.needs = disk_needs;
  out.groundwork = [](const Options&) { return &disk_groundwork(); };
  return out;
}

}  // namespace ordeal
