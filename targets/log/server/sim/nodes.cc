// A node: the loop around Raft that raft.h describes, with a simulated disk.

#include <algorithm>
#include <utility>

#include "targets/log/server/sim/world.h"

namespace ordeal::log::sim {

void World::start(Node& node) {
  ++node.life;
  raft::Options options = plan_.options;
  options.id = node.id;
  raft::Recovered recovered = node.disk->recover();
  node.registers = {};
  if (!node.registers.load(recovered.snapshot.state)) {
    invariants_.report("snapshot", "node " + std::to_string(node.id) + " cannot read the snapshot on its disk", now_);
    return;
  }
  node.applied = node.snapshot_at = recovered.snapshot.index;
  invariants_.restarted(node.id, node.applied);
  auto started = raft::Raft::start(options, std::move(recovered), Rng(node_rng_.next()));
  if (!started) {
    invariants_.report("restart", "node " + std::to_string(node.id) + ": " + started.error().message, now_);
    return;
  }
  node.raft = std::move(*started);
  node.role = raft::Role::follower;
  node.paused_until = 0;
  node.ticks_missed = 0;
  node.pumping = false;
  node.disk_free_at = now_;
  const Time period = plan_.tick[node.id - 1];
  node.next_tick = now_ + (plan_.lockstep ? period : 1 + node_rng_.below(period));
  note("node " + std::to_string(node.id) + " starts");
  at(node.next_tick, [this, &node, life = node.life] { tick(node, life); });
  pump_soon(node);
}

void World::crash(Node& node, Time for_how_long) {
  if (!node.raft) return;
  note("node " + std::to_string(node.id) + " crashes");
  ++node.life;
  ++result_.restarts;
  node.raft.reset();
  node.disk->crash(disk_rng_);
  node.writes.clear();
  node.reads.clear();
  node.inbox.clear();
  after(for_how_long, [this, &node, life = node.life] {
    if (node.life == life && !node.raft) start(node);
  });
}

void World::pause(Node& node, Time for_how_long) {
  if (!node.raft) return;
  node.paused_until = now_ + for_how_long;
  at(node.paused_until, [this, &node, life = node.life] {
    if (node.life != life || node.paused_until > now_) return;
    node.raft->tick(std::exchange(node.ticks_missed, 0));  // the time that passed comes first
    invariants_.look(view(node), views(), now_);
    for (const auto& action : std::exchange(node.inbox, {})) action();
    pump_soon(node);
  });
}

// Dies and comes back at once, again and again.
void World::restart_often(Node& node, Time until) {
  if (healed_ || now_ >= until) return;
  crash(node, 0);
  after(kMillisecond * (1 + node_rng_.below(60)), [this, &node, until] { restart_often(node, until); });
}

// A fault that waits for a new leader: it strikes some moments after the election, or when the leader first commits
// something, which by a commitment too early would be lost.
void World::wait_to_strike(Node& leader) {
  leader.strike_at_commit = 0;
  if (now_ >= behead_until_ && now_ >= depose_until_) return;
  static constexpr Time kWithin[] = {5 * kMillisecond, 30 * kMillisecond, 60 * kMillisecond, 0};
  const Time within = kWithin[node_rng_.below(4)];
  if (within == 0) {
    leader.strike_at_commit = leader.raft->commit() + 1;
    return;
  }
  after(node_rng_.below(within), [this, &leader] { strike(leader); });
}

void World::strike(Node& leader) {
  if (healed_) return;
  const Time lasts = kMillisecond * (30 + node_rng_.below(node_rng_.chance(0.5) ? 300 : 1000));
  if (now_ < behead_until_) {
    crash(leader, lasts);
  } else {
    block(lasts, [id = leader.id](raft::NodeId a, raft::NodeId b) { return a == id || b == id; });
  }
}

void World::strike_voter(Node& voter) {
  const raft::Status status = voter.raft->status();
  if (status.vote == raft::kNobody || status.vote == voter.id || status.term == voter.voted_in) return;
  voter.voted_in = status.term;
  after(node_rng_.below(plan_.max_disk_delay + 3 * kMillisecond), [this, &voter] {
    if (!healed_) crash(voter, 0);
  });
}

void World::tick(Node& node, std::uint64_t life) {
  if (node.life != life) return;
  node.next_tick += plan_.tick[node.id - 1];
  at(node.next_tick, [this, &node, life] { tick(node, life); });
  if (node.paused_until > now_) {
    ++node.ticks_missed;
    return;
  }
  node.raft->tick(1 + std::exchange(node.ticks_missed, 0));
  pump_soon(node);
}

void World::reach(Node& node, std::function<void()> action) {
  if (!node.raft) return;
  if (node.paused_until > now_) {
    node.inbox.push_back(std::move(action));
    return;
  }
  action();
  pump_soon(node);
}

void World::pump_soon(Node& node) {
  if (std::exchange(node.pumping, true)) return;
  const Time delay = plan_.max_batch_delay == 0 ? 0 : node_rng_.below(plan_.max_batch_delay);
  after(delay, [this, &node, life = node.life] {
    if (node.life != life) return;
    node.pumping = false;
    if (node.paused_until <= now_) pump(node);
  });
}

void World::pump(Node& node) {
  for (;;) {
    raft::Output output = node.raft->take_output();
    if (node.raft->role() != node.role) {
      node.role = node.raft->role();
      note("node " + std::to_string(node.id) + " is " + std::string(raft::name(node.role)) + " in term " +
           std::to_string(node.raft->term()));
      if (node.role == raft::Role::leader) wait_to_strike(node);
    }
    if (now_ < kill_voters_until_) strike_voter(node);
    if (node.strike_at_commit != 0 && node.raft->commit() >= node.strike_at_commit && node.role == raft::Role::leader) {
      node.strike_at_commit = 0;
      after(0, [this, &node] { strike(node); });
    }
    mix(node.id ^ (now_ << 8) ^ (node.raft->term() << 40) ^ (node.raft->commit() << 50));
    invariants_.look(view(node), views(), now_);
    if (output.empty() || invariants_.violation()) return;
    handle(node, output);
    if (!node.raft || invariants_.violation()) return;
  }
}

void World::handle(Node& node, raft::Output& output) {
  for (raft::Message& message : output.messages) send(std::move(message));
  if (output.write != 0) write(node, output);
  if (output.snapshot) {
    ++result_.snapshots_installed;
    note("node " + std::to_string(node.id) + " installs the snapshot of " + std::to_string(output.snapshot->index));
    if (!node.registers.load(output.snapshot->state)) {
      invariants_.report("snapshot", "node " + std::to_string(node.id) + " was given a snapshot that it cannot read",
                         now_);
      return;
    }
    node.applied = node.snapshot_at = output.snapshot->index;
    node.writes.erase(node.writes.begin(), node.writes.upper_bound(node.applied));  // nobody knows what came of them
    invariants_.restored(node.id, node.applied, now_);
  }
  for (const raft::Entry& entry : output.committed) {
    invariants_.delivered(view(node), entry, now_);
    if (invariants_.violation()) return;
    apply(node, entry);
  }
  if (!output.committed.empty()) {
    node.raft->applied(node.applied);
    if (node.applied >= node.snapshot_at + plan_.snapshot_every) take_snapshot(node);
  }
  for (const raft::ReadReady& ready : output.reads) {
    invariants_.read_ready(ready.context, ready.index, now_);
    const auto read = node.reads.find(ready.context);
    if (read != node.reads.end()) read->second.index = std::max<raft::Index>(ready.index, 1);
  }
  for (const std::uint64_t context : output.lost_reads) {
    const auto read = node.reads.find(context);
    if (read == node.reads.end()) continue;
    answer(node, read->second.operation, EventType::fail, 0);
    node.reads.erase(read);
  }
  serve_reads(node);
}

Time World::disk_time(Node& node, Time base) {
  Time takes = plan_.lockstep ? 500 : 1 + disk_rng_.below(base);
  if (node.slow_disk_until > now_) takes += disk_rng_.below(100 * kMillisecond);
  node.disk_free_at = std::max(node.disk_free_at, now_) + takes;
  return node.disk_free_at;
}

void World::write(Node& node, raft::Output& output) {
  node.disk->write(output);
  at(disk_time(node, plan_.max_disk_delay), [this, &node, life = node.life, number = output.write] {
    if (node.life != life) return;
    node.disk->complete();
    reach(node, [&node, number] { node.raft->persisted(number); });
  });
}

void World::take_snapshot(Node& node) {
  node.snapshot_at = node.applied;
  auto snapshot =
      std::make_shared<const raft::Snapshot>(node.raft->make_snapshot(node.applied, node.registers.save(node.id)));
  node.disk->write_snapshot(snapshot);
  const raft::Index first_kept = snapshot->index + 1 - std::min(plan_.snapshot_tail, snapshot->index);
  at(disk_time(node, 4 * plan_.max_disk_delay), [this, &node, life = node.life, snapshot, first_kept] {
    if (node.life != life) return;
    node.disk->complete();
    reach(node, [&node, snapshot, first_kept] { node.raft->compact(snapshot, first_kept); });
  });
}

void World::apply(Node& node, const raft::Entry& entry) {
  node.applied = entry.index;
  mix(entry.index * 31 + entry.term);
  bool took_effect = false;
  if (entry.kind == raft::EntryKind::command) took_effect = node.registers.apply(decode_command(entry.data));
  if (entry.kind == raft::EntryKind::configuration && node.role == raft::Role::leader) ++result_.members_changed;
  const auto waiting = node.writes.find(entry.index);
  if (waiting == node.writes.end()) return;
  const bool ours = waiting->second.term == entry.term;
  answer(node, waiting->second.operation, ours && took_effect ? EventType::ok : EventType::fail, 0);
  node.writes.erase(waiting);
}

}  // namespace ordeal::log::sim
