#pragma once
// Plan: everything that a simulated run is made of, drawn from one seed: the cluster, its network, disks and clocks,
// the clients, and the faults with their times. The same plan gives the same run, event by event.
//
// A plan is shrunk by leaving faults out and by doing fewer operations, so a shrunk run is still named by a seed, the
// numbers of the faults that remain, and a number of operations. Thread-safety: values.

#include <cstdint>
#include <string>
#include <vector>

#include "targets/log/server/raft/raft.h"

namespace ordeal::log::sim {

// Simulated time, in microseconds since the run began.
using Time = std::uint64_t;
inline constexpr Time kMillisecond = 1000;

enum class FaultKind : std::uint8_t {
  crash,           // a node loses what is not durable and comes back later
  power_loss,      // all nodes at once
  pause,           // a node does nothing for a while; messages wait
  partition,       // `mask` on one side, the rest on the other
  isolate,         // a node from all others
  mute,            // one way: nothing that a node sends arrives
  deaf,            // one way: nothing arrives at a node
  loss,            // a third of all messages is lost
  slow_network,    // messages take up to 150 ms
  slow_disk,       // writes of a node take up to 100 ms each
  transfer,        // leadership is handed to a node
  deaf_transfer,   // the same, and a moment later nothing arrives at the old leader any more
  restart_often,   // a node dies and comes back at once, again and again
  behead,          // each new leader crashes soon after it was elected
  depose,          // each new leader is cut off soon after it was elected
  kill_voters,     // whoever gives its vote to another crashes within moments and comes back at once
  change_members,  // voters become `mask`, learners `other_mask`
};
[[nodiscard]] std::string_view name(FaultKind kind);

struct Fault {
  std::size_t number = 0;  // in the plan as drawn
  FaultKind kind = FaultKind::crash;
  Time at = 0;
  Time lasts = 0;
  raft::NodeId node = raft::kNobody;  // kNobody: who leads at that time
  std::uint32_t mask = 0;             // bit i: node i
  std::uint32_t other_mask = 0;
};
// "fault 3: 1250 ms, for 300 ms: crash of the leader"
[[nodiscard]] std::string describe(const Fault& fault);

struct Plan {
  std::uint64_t seed = 0;
  raft::Options options;  // of all nodes, but for the id
  raft::NodeId nodes = 3;
  raft::NodeId voters = 3;  // the first ones, when the run begins
  unsigned clients = 4;
  unsigned operations = 200;  // that were not refused
  unsigned keys = 2;
  bool cas = false;
  Time length = 12000 * kMillisecond;

  // All nodes tick at the same moments, and messages and writes always take the same time: only chance drawn by the
  // nodes themselves tells them apart.
  bool lockstep = false;
  double loss = 0;
  double duplication = 0;
  Time echo = 0;  // by how much later a duplicate may come
  Time min_delay = 200;
  Time max_delay = 2000;
  Time max_disk_delay = 2000;
  std::vector<Time> tick;                  // how long a tick of node i+1 takes
  raft::NodeId slow_node = raft::kNobody;  // the only one whose ticks are long, if there is one
  Time max_batch_delay = 0;
  bool encoded = false;  // messages travel as bytes

  raft::Index snapshot_every = 40;  // entries
  raft::Index snapshot_tail = 10;   // entries kept before it

  std::vector<Fault> faults;
};

[[nodiscard]] Plan draw_plan(std::uint64_t seed);

}  // namespace ordeal::log::sim
