#pragma once
// World: a simulated cluster. One queue of events in simulated time; everything random comes from the plan's seed.
//
//   world.cc     the queue, the run, its end
//   nodes.cc     a node: its loop around Raft, its disk, its registers, its death and its return
//   network.cc   messages, and what the faults do
//   clients.cc   clients and their history
//
// Thread-safety: a world belongs to one thread; different worlds share nothing.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "checkers/history/history.h"
#include "targets/log/server/sim/invariants.h"
#include "targets/log/server/sim/plan.h"
#include "targets/log/server/sim/registers.h"
#include "targets/log/server/sim/run.h"

namespace ordeal::log::sim {

class World {
 public:
  World(const Plan& plan, bool trace);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Once. What the history shows is not judged yet.
  RunResult run();
  // What the clients saw. After run(), once.
  [[nodiscard]] History take_history() { return history_.finish(); }

 private:
  struct Operation {
    unsigned client = 0;
    Command command;
    raft::NodeId node = raft::kNobody;
  };
  struct WaitingWrite {
    raft::Term term = 0;
    Operation operation;
  };
  struct WaitingRead {
    raft::Index index = 0;  // 0: it is not known yet from where
    Operation operation;
  };
  struct Node {
    raft::NodeId id = raft::kNobody;
    std::unique_ptr<raft::Raft> raft;  // nullptr: down
    std::unique_ptr<Disk> disk;
    Registers registers;
    raft::Index applied = 0;
    raft::Index snapshot_at = 0;  // the last one taken or loaded
    std::uint64_t life = 0;       // counts starts and ends: what was meant for an earlier life is dropped
    bool pumping = false;
    Time paused_until = 0;
    Time next_tick = 0;
    unsigned ticks_missed = 0;
    std::vector<std::function<void()>> inbox;  // while it is paused
    Time disk_free_at = 0;
    Time slow_disk_until = 0;
    raft::Role role = raft::Role::follower;
    raft::Index strike_at_commit = 0;  // 0: no fault waits for that
    raft::Term voted_in = 0;           // the last term in which it was seen to vote for another
    std::map<raft::Index, WaitingWrite> writes;
    std::map<std::uint64_t, WaitingRead> reads;  // by context
  };
  struct Client {
    bool busy = false;
    bool reads_only = false;
    std::uint64_t operation = 0;      // the one it waits for
    raft::NodeId node = 1;            // where it goes next
    std::vector<std::uint64_t> seen;  // by key: what it saw last
    FunctionId f = 0;
  };
  struct Event {
    Time at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  // world.cc
  void at(Time time, std::function<void()> action);
  void after(Time delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }
  void run_until(Time end);
  void heal();
  [[nodiscard]] bool settle();
  void read_everything();
  void watch_logs();
  void note(const std::string& what);
  void mix(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3u; }
  [[nodiscard]] View view(const Node& node) const { return {node.id, node.raft.get(), node.disk.get()}; }
  [[nodiscard]] std::vector<View> views() const;
  [[nodiscard]] Node& node(raft::NodeId id) { return nodes_[id - 1]; }
  // Who leads, by the highest term; kNobody.
  [[nodiscard]] raft::NodeId current_leader() const;

  // nodes.cc
  void start(Node& node);
  void crash(Node& node, Time for_how_long);
  void pause(Node& node, Time for_how_long);
  void restart_often(Node& node, Time until);
  void wait_to_strike(Node& leader);
  void strike(Node& leader);
  void strike_voter(Node& voter);
  void tick(Node& node, std::uint64_t life);
  // What reaches a node: now, when it wakes up, or never, if it dies before.
  void reach(Node& node, std::function<void()> action);
  void pump_soon(Node& node);
  void pump(Node& node);
  void handle(Node& node, raft::Output& output);
  void write(Node& node, raft::Output& output);
  void apply(Node& node, const raft::Entry& entry);
  void take_snapshot(Node& node);
  [[nodiscard]] Time disk_time(Node& node, Time base);

  // network.cc
  void send(raft::Message message);
  void deliver(const raft::Message& message);
  [[nodiscard]] Time delay();
  [[nodiscard]] bool cut(raft::NodeId from, raft::NodeId to) const;
  void begin(const Fault& fault);
  void block(Time lasts, const std::function<bool(raft::NodeId, raft::NodeId)>& which);
  void change_members(const Fault& fault, Time until);

  // clients.cc
  void start_clients();
  void next_operation(unsigned client);
  void begin_operation(unsigned client, Command command, raft::NodeId node);
  void serve(Node& node, const Operation& operation);
  void answer(const Node& node, const Operation& operation, EventType type, std::uint64_t value);
  void complete(const Operation& operation, EventType type, std::uint64_t value);
  void serve_reads(Node& node);

  const Plan plan_;
  const bool trace_;
  Time now_ = 0;
  std::uint64_t order_ = 0;
  std::vector<Event> queue_;  // a heap, the next event in front
  Rng network_rng_, disk_rng_, client_rng_, node_rng_;
  std::vector<Node> nodes_;
  std::vector<std::vector<unsigned>> blocked_;  // [from][to]: how many faults cut this way
  double loss_ = 0;
  Time extra_delay_ = 0;
  Time behead_until_ = 0, depose_until_ = 0, kill_voters_until_ = 0;
  bool healed_ = false;
  std::vector<Client> clients_;
  std::uint64_t operations_ = 0;
  unsigned budget_ = 0;  // operations that clients may still begin
  HistoryBuilder history_;
  Invariants invariants_;
  RunResult result_;
  std::uint64_t digest_ = 0xcbf29ce484222325u;
};

}  // namespace ordeal::log::sim
