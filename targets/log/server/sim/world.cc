// The queue of events, the run, its end.

#include "targets/log/server/sim/world.h"

#include <algorithm>

namespace ordeal::log::sim {
namespace {

// After the last fault: how long the cluster may take until everything is applied everywhere again. Some fifteen of the
// longest election time-outs.
constexpr Time kSettleTime = 5000 * kMillisecond;  // in which nobody applies anything
constexpr Time kMaxSettleTime = 60000 * kMillisecond;
constexpr std::uint64_t kMaxEvents = 3'000'000;

}  // namespace

World::World(const Plan& plan, bool trace)
    : plan_(plan),
      trace_(trace),
      network_rng_(Rng(plan.seed).split("network")),
      disk_rng_(Rng(plan.seed).split("disk")),
      client_rng_(Rng(plan.seed).split("client")),
      node_rng_(Rng(plan.seed).split("node")) {
  nodes_.resize(plan.nodes);
  blocked_.assign(plan.nodes + 1, std::vector<unsigned>(plan.nodes + 1, 0));
  loss_ = plan.loss;
  raft::Configuration voters;
  for (raft::NodeId id = 1; id <= plan.voters; ++id) voters.voters.push_back(id);
  const raft::Snapshot first = raft::first_snapshot(voters);
  for (raft::NodeId id = 1; id <= plan.nodes; ++id) {
    Node& node = nodes_[id - 1];
    node.id = id;
    node.disk = std::make_unique<Disk>(id <= plan.voters ? first : raft::Snapshot{});
  }
}

void World::at(Time time, std::function<void()> action) {
  queue_.push_back({time, order_++, std::move(action)});
  std::push_heap(queue_.begin(), queue_.end());
}

void World::note(const std::string& what) {
  if (trace_)
    result_.trace.push_back(std::to_string(now_ / 1000) + "." + std::to_string(now_ % 1000 / 100) + " ms  " + what);
}

std::vector<View> World::views() const {
  std::vector<View> all;
  for (const Node& node : nodes_) all.push_back(view(node));
  return all;
}

raft::NodeId World::current_leader() const {
  raft::NodeId leader = raft::kNobody;
  raft::Term term = 0;
  for (const Node& node : nodes_) {
    if (node.raft && node.raft->role() == raft::Role::leader && node.raft->term() > term) {
      leader = node.id;
      term = node.raft->term();
    }
  }
  return leader;
}

void World::run_until(Time end) {
  while (!queue_.empty() && queue_.front().at <= end && !invariants_.violation()) {
    std::pop_heap(queue_.begin(), queue_.end());
    const Event event = std::move(queue_.back());
    queue_.pop_back();
    now_ = event.at;
    if (++result_.events > kMaxEvents) {
      invariants_.report("liveness",
                         "more than " + std::to_string(kMaxEvents) + " events: the nodes do not come to rest", now_);
      return;
    }
    event.action();
  }
  now_ = std::max(now_, end);
}

void World::watch_logs() {
  invariants_.compare_logs(views(), now_);
  after(100 * kMillisecond, [this] { watch_logs(); });
}

// No fault any more: the network is whole, everybody is awake. In lockstep all nodes start at the same moment, so that
// only their own chance can end the split votes.
void World::heal() {
  note("healed");
  healed_ = true;
  budget_ = 0;
  loss_ = 0;
  extra_delay_ = 0;
  for (auto& row : blocked_) std::fill(row.begin(), row.end(), 0);
  for (Node& node : nodes_) {
    node.slow_disk_until = 0;
    if (plan_.lockstep && node.raft) crash(node, 0);
  }
  for (Node& node : nodes_) {
    if (!node.raft) start(node);
    if (node.paused_until > now_) pause(node, 0);
  }
}

// Everybody who belongs to the cluster has applied everything, by a leader that answers.
bool World::settle() {
  const Time end = now_ + kMaxSettleTime;
  Time deadline = now_ + kSettleTime;
  std::uint64_t probe = 0, probe_term = 0, progress = 0;
  while (now_ < std::min(deadline, end) && !invariants_.violation()) {
    run_until(now_ + 50 * kMillisecond);
    std::uint64_t applied_by_all = 0;
    for (const Node& each : nodes_) applied_by_all += each.applied;
    if (applied_by_all > progress)
      deadline = now_ + kSettleTime;  // who catches up by one entry a round trip takes his time
    progress = applied_by_all;
    const raft::NodeId leader = current_leader();
    if (leader == raft::kNobody) continue;
    const raft::Status status = node(leader).raft->status();
    const auto applied = [&](raft::NodeId id) { return node(id).applied >= status.last; };
    const auto& members = status.configuration;
    const bool all = applied(leader) && std::all_of(members.voters.begin(), members.voters.end(), applied) &&
                     std::all_of(members.learners.begin(), members.learners.end(), applied);
    if (all && probe_term == status.term && probe <= status.commit && members.outgoing.empty()) return true;
    if (probe_term != status.term) {  // something new must go through as well
      const raft::Proposed proposed =
          node(leader).raft->propose(encode({Call::write, ++operations_, ~std::uint64_t{0}, 0, 1}));
      if (proposed) {
        probe = proposed.index;
        probe_term = proposed.term;
      }
      pump_soon(node(leader));
    }
  }
  return false;
}

// What was acknowledged must still be there.
void World::read_everything() {
  for (unsigned key = 0; key < plan_.keys; ++key) {
    Client& client = clients_[0];
    for (int attempt = 0; attempt < 20 && !invariants_.violation(); ++attempt) {
      const std::uint64_t before = result_.operations_ok;
      run_until(now_ + 50 * kMillisecond);
      if (client.busy) continue;
      const raft::NodeId leader = current_leader();
      if (leader == raft::kNobody) continue;
      begin_operation(0, {Call::read, 0, key, 0, 0}, leader);
      run_until(now_ + 300 * kMillisecond);
      if (result_.operations_ok > before) break;
    }
  }
}

RunResult World::run() {
  for (Node& node : nodes_) start(node);
  start_clients();
  watch_logs();
  for (const Fault& fault : plan_.faults) {
    at(fault.at, [this, fault] { begin(fault); });
  }
  run_until(plan_.length);
  if (!invariants_.violation()) heal();
  if (!invariants_.violation() && !settle() && !invariants_.violation()) {
    std::string what = "there is no fault any more, yet the members do not all come to apply everything:";
    for (const Node& each : nodes_) {
      const raft::Status status = each.raft->status();
      what += " node " + std::to_string(each.id) + " (" + std::string(raft::name(status.role)) + ", term " +
              std::to_string(status.term) + ") applied " + std::to_string(each.applied) + " of " +
              std::to_string(status.last) + ", voters";
      for (const raft::NodeId id : status.configuration.voters) what += " " + std::to_string(id);
      for (const raft::NodeId id : status.configuration.outgoing) what += " (" + std::to_string(id) + ")";
      what += ";";
    }
    invariants_.report("liveness", what, now_);
  }
  if (!invariants_.violation()) {
    run_until(now_ + 1500 * kMillisecond);  // the last answers and time-outs of clients
    read_everything();
    invariants_.compare_logs(views(), now_);
  }
  for (const Node& node : nodes_) {
    if (node.raft) result_.messages_refused += node.raft->status().refused;
  }
  result_.violation = invariants_.violation();
  result_.committed = invariants_.max_committed();
  result_.terms_led = invariants_.leaders();
  mix(result_.events);
  result_.digest = digest_;
  return std::move(result_);
}

}  // namespace ordeal::log::sim
