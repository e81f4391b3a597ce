#pragma once
// What must be true of a cluster's logs at every moment, whatever the faults [O 3, figure 3.2], seen from outside all
// nodes:
//
//   election safety        a term has one leader
//   leader completeness    who comes to lead has every entry that was committed in an earlier term
//   log matching           two logs with an entry of the same index and term are the same up to there
//   state-machine safety   no two nodes are given different entries for one index, and none skips one
//   durable commitment     what a leader commits is durable on a quorum of its configuration
//   configuration          the one in force is the last one in the log
//   fresh reads            a read is served from no less than was committed when it was asked for
//
// Thread-safety: one thread at a time.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "targets/log/server/sim/disk.h"
#include "targets/log/server/sim/plan.h"

namespace ordeal::log::sim {

struct Violation {
  std::string kind;  // "election safety", …, or "linearizability", "liveness", "snapshot"
  std::string what;
  Time at = 0;
};

// A node as the invariants see it; `raft` is nullptr while it is down.
struct View {
  raft::NodeId id = raft::kNobody;
  const raft::Raft* raft = nullptr;
  const Disk* disk = nullptr;
};

class Invariants {
 public:
  // A node's role, term or commit index may have changed.
  void look(const View& node, const std::vector<View>& all, Time now);
  // A node restarted: it goes on after this index.
  void restarted(raft::NodeId node, raft::Index index) { next_[node] = index + 1; }
  // A node was given a snapshot of this index.
  void restored(raft::NodeId node, raft::Index index, Time now);
  void delivered(const View& node, const raft::Entry& entry, Time now);
  // What takes time: for now and then.
  void compare_logs(const std::vector<View>& all, Time now);
  void read_begun(std::uint64_t context) { read_floor_[context] = max_committed_; }
  void read_ready(std::uint64_t context, raft::Index index, Time now);

  void report(std::string kind, std::string what, Time now);
  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }
  [[nodiscard]] raft::Index max_committed() const { return max_committed_; }
  [[nodiscard]] std::size_t leaders() const { return leader_of_.size(); }

 private:
  struct Committed {
    raft::Entry entry;
    raft::Term seen_in = 0;  // the term of the first node that was given it
  };
  void check_complete(const View& leader, Time now);
  void check_durable(const View& leader, const std::vector<View>& all, Time now);
  void check_configuration(const View& node, Time now);
  void compare(const View& a, const View& b, Time now);

  std::map<raft::Term, raft::NodeId> leader_of_;
  std::map<raft::NodeId, raft::Index> leader_commit_;
  std::map<raft::NodeId, raft::Index> next_;
  std::map<raft::Index, Committed> committed_;
  std::map<std::uint64_t, raft::Index> read_floor_;
  raft::Index max_committed_ = 0;
  std::optional<Violation> violation_;
};

}  // namespace ordeal::log::sim
