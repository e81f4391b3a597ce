#pragma once
// The words that consensus, storage and transport of ordeal-log share: entries, what a node must remember, snapshots.
//
// Terms, indices and roles are those of D. Ongaro, "Consensus: Bridging Theory and Practice" (Stanford, 2014), cited
// below as [O]. Thread-safety: values; share nothing.

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::log::raft {

// A node of the cluster; 0 is nobody.
using NodeId = std::uint64_t;
inline constexpr NodeId kNobody = 0;

using Term = std::uint64_t;

// Of an entry of the replicated log. The first entry has 1; 0 stands before it.
using Index = std::uint64_t;

enum class EntryKind : std::uint8_t {
  command = 0,        // for the state machine
  no_op = 1,          // a new leader's first entry [O 6.4]
  configuration = 2,  // members change [O 4]; `data` is an encoded Configuration
};

struct Entry {
  Term term = 0;
  Index index = 0;
  EntryKind kind = EntryKind::command;
  std::string data;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// What must be on stable storage before a vote is given or an entry acknowledged [O 3.4].
struct HardState {
  Term term = 0;
  NodeId vote = kNobody;  // for whom this node voted in `term`
  Index commit = 0;       // need not be durable: after a restart it may be lower, never higher than what is committed

  friend bool operator==(const HardState&, const HardState&) = default;
};

// Who belongs to the cluster [O 4.3]. During a change both majorities count: `outgoing` is then not empty.
struct Configuration {
  std::vector<NodeId> voters;    // ascending
  std::vector<NodeId> outgoing;  // the voters before the change, while it is joint; ascending
  std::vector<NodeId> learners;  // receive entries, do not vote and count for no majority; ascending

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// The state after an entry was applied, with what consensus needs to go on from there [O 5].
struct Snapshot {
  Index index = 0;  // of the last entry that it covers
  Term term = 0;    // of that entry
  Configuration configuration;
  std::string state;  // of the state machine, in its own encoding

  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace ordeal::log::raft
