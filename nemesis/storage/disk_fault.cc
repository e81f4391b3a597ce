#include "nemesis/storage/disk_fault.h"

#include <fmt/format.h>

#include <cmath>

#include "nemesis/node/draw.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/storage/damage.h"
#include "nemesis/storage/disk_program.h"

namespace ordeal {
namespace {

constexpr const char* kKinds[] = {"read-error", "write-error", "sync-error", "sync-lost",
                                  "slow-sync",  "slow",        "no-space",   "corrupt-read"};

struct Trouble {
  std::string kind;
  double probability = 1;
  double delay_s = 0;  // of the slow kinds
  std::uint64_t seed = 0;
  [[nodiscard]] bool slow() const { return kind == "slow" || kind == "slow-sync"; }
};

class DiskFault final : public ProcessInjection {
 public:
  DiskFault(const FaultContext& context, Selection selection, Trouble trouble)
      : ProcessInjection(context, std::move(selection)), id_(context.id), trouble_(std::move(trouble)) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("kind", trouble_.kind);
    out.set("probability", trouble_.probability);
    if (trouble_.slow()) out.set("delay_s", trouble_.delay_s);
    return out;
  }

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      out.push_back(
          {name(node), undo_and_revive(node, tell_disks_script(id_, directories(node), {"clear", id_}), true)});
    }
    return out;
  }
  bool takes_stopped() const override { return true; }

  Result<void> inject(Deadline deadline) override {
    const std::vector<std::string> words = {"fault",
                                            id_,
                                            trouble_.kind,
                                            std::to_string(std::llround(trouble_.probability * 1e6)),
                                            std::to_string(trouble_.slow() ? std::llround(trouble_.delay_s * 1e9) : 0),
                                            std::to_string(trouble_.seed)};
    return on_all([&](std::size_t node) -> Result<void> {
      auto done = tell_disks(cluster_.at(node), id_, directories(node), words, deadline);
      if (!done) return fail(done.error());
      return {};
    });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto seen = probe(node, trouble_.slow() ? 2 + std::lround(4 / trouble_.probability) : 2000, deadline);
      if (!seen) return fail(seen.error());
      return Observation{seen->hits > 0, told(*seen)};
    });
  }

  // The target may have ended of it.
  Result<void> heal(Deadline) override { return start_again_unless_it_refuses(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto rules = tell_disks(cluster_.at(node), id_, directories(node), {"status"}, deadline);
      if (!rules) return fail(rules.error());
      if (rules->find("\n" + id_ + " hits") != std::string::npos)
        return Observation{false, "the disk still has the fault"};
      auto seen = probe(node, trouble_.slow() ? 5 : 50, deadline);
      if (!seen) return fail(seen.error());
      return Observation{seen->hits == 0, told(*seen)};
    });
  }

 private:
  std::vector<std::string> directories(std::size_t node) const { return data_directories(target_, cluster_.at(node)); }

  // By a program that knows nothing of the disk's, in the first of the directories.
  Result<DiskProbe> probe(std::size_t node, long attempts, Deadline deadline) const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const ProbeLimits limits{attempts, std::max<long>(left.count() - 1000, 500), std::lround(trouble_.delay_s * 900)};
    return probe_disk(cluster_.at(node), id_, directories(node).front(), trouble_.kind, limits, deadline);
  }

  std::string told(const DiskProbe& seen) const {
    if (trouble_.slow())
      return fmt::format("the slowest of {} syncs of a file beside the target's took {} ms", seen.attempts,
                         seen.slowest_ms);
    return fmt::format("{} of {} attempts with a file beside the target's met a {}{}", seen.hits, seen.attempts,
                       trouble_.kind, seen.error == "-" ? "" : " (" + seen.error + ")");
  }

  const std::string id_;
  const Trouble trouble_;
};

Result<std::unique_ptr<Injection>> plan(const FaultContext& context, std::mt19937_64& random) {
  // Wrong data may stay in what the target writes: on the nodes that may be damaged, unless told otherwise.
  const std::string nodes = context.options.string("disk.nodes");
  const bool may_corrupt = nodes != "random" || !damageable_nodes(context).empty();
  const std::size_t kind = draw_below(random, std::size(kKinds) - (may_corrupt ? 0 : 1));
  Trouble trouble;
  trouble.kind = context.options.string("disk.kind");
  if (trouble.kind == "random") trouble.kind = kKinds[kind];
  const double probability = 0.01 * std::pow(100, draw_between(random, 0, 1));
  const double delay_s = 0.05 * std::pow(40, draw_between(random, 0, 1));
  trouble.probability = context.options.real("disk.probability") > 0 ? context.options.real("disk.probability")
                        : trouble.kind == "no-space" || trouble.kind == "sync-lost" ? 1
                                                                                    : probability;
  trouble.delay_s = context.options.seconds("disk.delay") > 0 ? context.options.seconds("disk.delay") : delay_s;
  trouble.seed = random() >> 2U;
  auto selection = trouble.kind == "corrupt-read" && nodes == "random" ? select_damaged("minority", context, random)
                                                                       : select_nodes(nodes, context, random);
  if (!selection) return fail(selection.error());
  return std::make_unique<DiskFault>(context, *std::move(selection), std::move(trouble));
}

}  // namespace

FaultFactory disk_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "disk";
  out.crashes = true;
  out.help =
      "The target's disk fails, loses, delays or corrupts. Mechanism: the FUSE file system of power-loss; a target "
      "that "
      "ended of it is started when it is healed. Proof: a file beside the target's, written, synced and read until it "
      "meets the same. Needs on the nodes: as power-loss. What the kernel has in its cache is not read again and so "
      "not "
      "corrupted; caches are emptied when the fault begins.";
  out.options = {
      process_nodes_option("disk"),
      {"disk.kind",
       Type::string,
       "random",
       "read-error, write-error, sync-error: EIO; sync-lost: the first fsync of each file fails, what was unsynced is "
       "gone and the "
       "next fsync succeeds; slow-sync: fsync takes longer; slow: so do reading and writing; no-space: ENOSPC; "
       "corrupt-read: a "
       "bit of what is read is wrong, by default only on nodes that corrupt-files may damage",
       std::nullopt,
       std::nullopt,
       {"random", "read-error", "write-error", "sync-error", "sync-lost", "slow-sync", "slow", "no-space",
        "corrupt-read"}},
      {"disk.probability", Type::real, 0.0,
       "of each operation to be hit; 0: drawn, 0.01 to 1; no-space and sync-lost: 1", 0.0, 1.0},
      {"disk.delay", Type::duration, 0.0, "of the slow kinds; 0: drawn, 50 ms to 2 s", 0.0, 60.0},
  };
  out.inapplicable = [](const FaultContext& context) -> std::string {
    const std::string problem = process_fault_problem(context, "disk");
    if (!problem.empty()) return problem;
    if (context.options.string("disk.kind") == "corrupt-read" && context.options.string("disk.nodes") == "random" &&
        damageable_nodes(context).empty()) {
      return "a minority of so few nodes is none; say which to corrupt by --set disk.nodes=…";
    }
    return disk_problem(context);
  };
  out.plan = plan;
  out.needs = disk_needs;
  out.groundwork = [](const Options&) { return &disk_groundwork(); };
  return out;
}

}  // namespace ordeal
