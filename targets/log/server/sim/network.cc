// Messages, and what the faults do.

#include <algorithm>

#include "targets/log/server/raft/codec.h"
#include "targets/log/server/sim/world.h"

namespace ordeal::log::sim {

Time World::delay() {
  return plan_.min_delay + network_rng_.below(plan_.max_delay - plan_.min_delay + 1) +
         (extra_delay_ == 0 ? 0 : network_rng_.below(extra_delay_));
}

bool World::cut(raft::NodeId from, raft::NodeId to) const { return blocked_[from][to] != 0; }

void World::send(raft::Message message) {
  if (message.to == raft::kNobody || message.to > plan_.nodes) return;
  if (cut(message.from, message.to) || network_rng_.chance(loss_)) return;
  const unsigned copies = !healed_ && network_rng_.chance(plan_.duplication) ? 2 : 1;
  for (unsigned i = 0; i < copies; ++i) {
    const Time later = i == 0 || plan_.echo == 0 ? 0 : network_rng_.below(plan_.echo);
    after(delay() + later, [this, message] {
      if (!cut(message.from, message.to)) deliver(message);
    });
  }
}

void World::deliver(const raft::Message& message) {
  Node& receiver = node(message.to);
  reach(receiver, [this, &receiver, message] {
    if (!plan_.encoded) {
      receiver.raft->step(message);
      return;
    }
    const Result<raft::Message> decoded = raft::decode_message(raft::encode(message));
    if (!decoded || *decoded != message) {
      invariants_.report("codec", "a message is not what it was before it was encoded", now_);
      return;
    }
    receiver.raft->step(*decoded);
  });
}

void World::block(Time lasts, const std::function<bool(raft::NodeId, raft::NodeId)>& which) {
  std::vector<std::pair<raft::NodeId, raft::NodeId>> cuts;
  for (raft::NodeId from = 1; from <= plan_.nodes; ++from) {
    for (raft::NodeId to = 1; to <= plan_.nodes; ++to) {
      if (from != to && which(from, to)) cuts.emplace_back(from, to);
    }
  }
  for (const auto& [from, to] : cuts) ++blocked_[from][to];
  after(lasts, [this, cuts] {
    if (healed_) return;
    for (const auto& [from, to] : cuts) --blocked_[from][to];
  });
}

void World::begin(const Fault& fault) {
  if (healed_) return;
  if (trace_) note(describe(fault));
  raft::NodeId target = fault.node == raft::kNobody ? current_leader() : fault.node;
  if (target == raft::kNobody) target = 1;
  Node& chosen = node(target);
  switch (fault.kind) {
    case FaultKind::crash:
      return crash(chosen, fault.lasts);
    case FaultKind::power_loss:
      for (Node& each : nodes_) crash(each, plan_.lockstep ? 0 : node_rng_.below(fault.lasts));
      return;
    case FaultKind::pause:
      return pause(chosen, fault.lasts);
    case FaultKind::partition:
      return block(fault.lasts,
                   [mask = fault.mask](raft::NodeId a, raft::NodeId b) { return (mask >> a & 1) != (mask >> b & 1); });
    case FaultKind::isolate:
      return block(fault.lasts, [target](raft::NodeId a, raft::NodeId b) { return a == target || b == target; });
    case FaultKind::mute:
      return block(fault.lasts, [target](raft::NodeId a, raft::NodeId) { return a == target; });
    case FaultKind::deaf:
      return block(fault.lasts, [target](raft::NodeId, raft::NodeId b) { return b == target; });
    case FaultKind::loss:
      loss_ = std::max(plan_.loss, 0.33);
      after(fault.lasts, [this] { loss_ = healed_ ? 0 : plan_.loss; });
      return;
    case FaultKind::slow_network:
      extra_delay_ = 150 * kMillisecond;
      after(fault.lasts, [this] { extra_delay_ = 0; });
      return;
    case FaultKind::restart_often:
      return restart_often(chosen, now_ + fault.lasts);
    case FaultKind::behead:
      behead_until_ = now_ + fault.lasts;
      return;
    case FaultKind::kill_voters:
      kill_voters_until_ = now_ + fault.lasts;
      return;
    case FaultKind::depose:
      depose_until_ = now_ + fault.lasts;
      return;
    case FaultKind::slow_disk:
      chosen.slow_disk_until = now_ + fault.lasts;
      return;
    case FaultKind::transfer:
    case FaultKind::deaf_transfer: {
      const raft::NodeId leader = current_leader();
      if (leader == raft::kNobody) return;
      if (fault.kind == FaultKind::deaf_transfer) {
        after(network_rng_.below(2 * plan_.max_delay), [this, leader, lasts = fault.lasts] {
          if (!healed_) block(lasts, [leader](raft::NodeId, raft::NodeId to) { return to == leader; });
        });
      }
      reach(node(leader), [this, leader, target] { (void)node(leader).raft->transfer_leadership(target); });
      return;
    }
    case FaultKind::change_members:
      return change_members(fault, now_ + fault.lasts + 500 * kMillisecond);
  }
}

// An operator who wants these voters and learners: who is new comes as a learner first.
void World::change_members(const Fault& fault, Time until) {
  const raft::NodeId leader = current_leader();
  bool done = false;
  if (leader != raft::kNobody && node(leader).paused_until <= now_) {
    std::vector<raft::NodeId> voters, learners;
    for (raft::NodeId id = 1; id <= plan_.nodes; ++id) {
      if ((fault.mask >> id & 1) != 0) voters.push_back(id);
      if ((fault.other_mask >> id & 1) != 0) learners.push_back(id);
    }
    raft::Raft& raft = *node(leader).raft;
    const raft::Configuration now = raft.status().configuration;
    std::vector<raft::NodeId> with = now.learners;
    for (const raft::NodeId id : voters) {
      const auto has = [id](const std::vector<raft::NodeId>& ids) {
        return std::find(ids.begin(), ids.end(), id) != ids.end();
      };
      if (!has(now.voters) && !has(now.learners)) with.push_back(id);
    }
    if (with.size() != now.learners.size()) {
      (void)raft.change_members(now.voters, with);
    } else {
      done = static_cast<bool>(raft.change_members(voters, learners));
    }
    pump_soon(node(leader));
  }
  if (done || now_ >= until) return;
  after(20 * kMillisecond, [this, fault, until] {
    if (!healed_) change_members(fault, until);
  });
}

}  // namespace ordeal::log::sim
