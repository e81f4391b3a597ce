#include "targets/log/server/sim/plan.h"

#include <algorithm>

#include "base/rng.h"

namespace ordeal::log::sim {
namespace {

std::uint32_t draw_mask(Rng& rng, raft::NodeId nodes) {
  return static_cast<std::uint32_t>(rng.below(std::uint64_t{1} << nodes)) << 1;
}

Fault draw_fault(Rng& rng, const Plan& plan) {
  using enum FaultKind;
  static constexpr FaultKind kKinds[] = {
      crash,       crash,        power_loss,    pause,     partition,      partition,      isolate,
      isolate,     isolate,      mute,          deaf,      loss,           transfer,       deaf_transfer,
      transfer,    behead,       behead,        depose,    change_members, change_members, kill_voters,
      kill_voters, slow_network, restart_often, slow_disk, depose};
  Fault fault;
  fault.kind = kKinds[rng.below(std::size(kKinds))];
  fault.at = rng.below(plan.length);
  fault.lasts = static_cast<Time>(rng.between(20, 900)) * kMillisecond;
  if (!rng.chance(0.5)) fault.node = 1 + rng.below(plan.nodes);
  fault.mask = draw_mask(rng, plan.nodes);
  if (fault.kind == behead || fault.kind == depose || fault.kind == kill_voters) fault.lasts *= 3;
  const bool transfers = fault.kind == transfer || fault.kind == deaf_transfer;
  if (transfers && (fault.node == raft::kNobody || rng.chance(0.5))) {
    // The slow one seldom comes to lead by itself, and a lease is in danger when it does.
    fault.node = plan.slow_node != raft::kNobody ? plan.slow_node : 1 + rng.below(plan.nodes);
  }
  if (fault.kind == FaultKind::change_members) {
    if (fault.mask == 0) fault.mask = 2;
    fault.other_mask = draw_mask(rng, plan.nodes) & ~fault.mask;
  }
  return fault;
}

void draw_cluster(Rng rng, Plan& plan) {
  static constexpr raft::NodeId kVoters[] = {3, 3, 3, 3, 5, 5, 4, 2, 1};
  plan.voters = kVoters[rng.below(std::size(kVoters))];
  plan.nodes = std::min<raft::NodeId>(6, plan.voters + rng.below(3));
  raft::Options& options = plan.options;
  options.reads = rng.chance(0.5) ? raft::ReadMode::lease : raft::ReadMode::read_index;
  options.lease_margin_ticks = 5;
  options.pre_vote = !rng.chance(0.2);
  if (rng.chance(0.35)) options.election_ticks_max = options.election_ticks + 3 + static_cast<unsigned>(rng.below(4));
  options.check_quorum = options.reads == raft::ReadMode::lease || !rng.chance(0.1);
  const bool narrow = rng.chance(0.3);
  options.max_append_entries = narrow ? 1 : 1 + rng.below(8);
  options.max_inflight = narrow ? 1 : 1 + rng.below(8);
  options.max_append_bytes = 16 + rng.below(200);
  options.max_apply_bytes = 16 + rng.below(400);
  options.snapshot_chunk_bytes = 5 + rng.below(100);
  plan.snapshot_every = 8 + rng.below(40);
  plan.snapshot_tail = rng.below(plan.snapshot_every / 2);
  // A lease of 15 - 5 ticks holds while nobody's ticks are 1.4 times as long as another's.
  const std::int64_t drift = rng.chance(0.4) ? 0 : 140;
  if (rng.chance(0.6)) plan.slow_node = 1 + rng.below(plan.voters);
  for (raft::NodeId i = 0; i < plan.nodes; ++i) {
    std::int64_t off = rng.chance(0.3) ? rng.between(-drift, drift) : rng.chance(0.5) ? drift : -drift;
    if (plan.slow_node != raft::kNobody) off = i + 1 == plan.slow_node ? drift : -drift;
    plan.tick.push_back(static_cast<Time>(10000 + 10 * off));
  }
}

void draw_environment(Rng rng, Plan& plan) {
  plan.lockstep = rng.chance(0.1);
  plan.max_delay = plan.min_delay + 1 + rng.below(rng.chance(0.3) ? 20000 : 3000);
  plan.loss = rng.chance(0.5) ? 0 : 0.05 * rng.unit();
  plan.duplication = rng.chance(0.5) ? 0 : 0.25 * rng.unit();
  if (rng.chance(0.5)) plan.echo = static_cast<Time>(rng.between(1, 1500)) * kMillisecond;
  plan.max_disk_delay = 100 + rng.below(rng.chance(0.3) ? 20000 : 3000);
  plan.max_batch_delay = rng.chance(0.5) ? 0 : rng.below(1000);
  plan.encoded = rng.chance(0.2);
  if (!plan.lockstep) return;
  plan.loss = plan.duplication = 0;
  plan.min_delay = plan.max_delay = 1000;
  plan.max_batch_delay = 0;
  std::fill(plan.tick.begin(), plan.tick.end(), 10000);
}

}  // namespace

std::string_view name(FaultKind kind) {
  static constexpr std::string_view kNames[] = {
      "crash",    "power loss", "pause",        "partition",       "isolate",          "mute",
      "deaf",     "loss",       "slow network", "slow disk",       "transfer",         "deaf transfer",
      "restarts", "behead",     "depose",       "death of voters", "change of members"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string describe(const Fault& fault) {
  std::string text = "fault " + std::to_string(fault.number) + ": " + std::to_string(fault.at / kMillisecond) +
                     " ms, for " + std::to_string(fault.lasts / kMillisecond) + " ms: " + std::string(name(fault.kind));
  const auto members = [](std::uint32_t mask) {
    std::string list;
    for (unsigned i = 1; i < 32; ++i) {
      if ((mask >> i & 1) != 0) list += (list.empty() ? "" : ",") + std::to_string(i);
    }
    return "{" + list + "}";
  };
  switch (fault.kind) {
    case FaultKind::power_loss:
    case FaultKind::loss:
    case FaultKind::slow_network:
    case FaultKind::behead:
    case FaultKind::depose:
    case FaultKind::kill_voters:
      return text;
    case FaultKind::partition:
      return text + " of " + members(fault.mask) + " from the rest";
    case FaultKind::change_members:
      return text + ": voters " + members(fault.mask) + ", learners " + members(fault.other_mask);
    case FaultKind::transfer:
    case FaultKind::deaf_transfer:
      return text + " to node " + std::to_string(fault.node);
    default:
      return text + " of " + (fault.node == raft::kNobody ? "the leader" : "node " + std::to_string(fault.node));
  }
}

Plan draw_plan(std::uint64_t seed) {
  const Rng root(seed);
  Plan plan;
  plan.seed = seed;
  draw_cluster(root.split("cluster"), plan);
  draw_environment(root.split("environment"), plan);
  Rng rng = root.split("clients");
  plan.clients = 2 + static_cast<unsigned>(rng.below(5));
  plan.operations = 200 + static_cast<unsigned>(rng.below(1000));
  plan.keys = 1 + static_cast<unsigned>(rng.below(3));
  plan.cas = rng.chance(0.3);
  rng = root.split("faults");
  const std::uint64_t faults = 3 + rng.below(45);
  for (std::uint64_t i = 0; i < faults; ++i) plan.faults.push_back(draw_fault(rng, plan));
  std::sort(plan.faults.begin(), plan.faults.end(), [](const Fault& a, const Fault& b) { return a.at < b.at; });
  for (std::size_t i = 0; i < plan.faults.size(); ++i) plan.faults[i].number = i;
  return plan;
}

}  // namespace ordeal::log::sim
