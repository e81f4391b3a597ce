#pragma once
// Majorities of a configuration, joint or not [O 4.3]: what counts must be in a majority of the voters and, during a
// change, in a majority of the outgoing voters as well. Thread-safety: functions without state.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "targets/log/server/bugs.h"
#include "targets/log/server/raft/types.h"

namespace ordeal::log::raft {

[[nodiscard]] inline bool contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

[[nodiscard]] inline bool is_voter(const Configuration& configuration, NodeId id) {
  return contains(configuration.voters, id) || contains(configuration.outgoing, id) ||
         (bug(Bug::learner_votes) && contains(configuration.learners, id));
}

[[nodiscard]] inline bool is_joint(const Configuration& configuration) { return !configuration.outgoing.empty(); }

// Everybody but `self`, each once, ascending.
[[nodiscard]] std::vector<NodeId> others(const Configuration& configuration, NodeId self);

// The greatest value that a majority reached: of a group of n the (n/2+1)-th greatest. 0 for a group of nobody.
template <class Reached>
[[nodiscard]] std::uint64_t majority_reached(const std::vector<NodeId>& group, const Reached& reached) {
  if (group.empty()) return 0;
  std::vector<std::uint64_t> values;
  values.reserve(group.size());
  for (const NodeId id : group) values.push_back(reached(id));
  const std::size_t middle = (values.size() - 1) / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  return values[middle];
}

// The same for a configuration. `reached` maps a node to what it reached.
template <class Reached>
[[nodiscard]] std::uint64_t quorum_reached(const Configuration& configuration, const Reached& reached) {
  if (bug(Bug::learner_votes)) {
    std::vector<NodeId> all = configuration.voters;
    all.insert(all.end(), configuration.learners.begin(), configuration.learners.end());
    return majority_reached(all, reached);
  }
  const std::uint64_t incoming = majority_reached(configuration.voters, reached);
  if (!is_joint(configuration) || bug(Bug::joint_counts_new_only)) return incoming;
  return std::min(incoming, majority_reached(configuration.outgoing, reached));
}

// Whether those that satisfy `agrees` are a quorum.
template <class Agrees>
[[nodiscard]] bool is_quorum(const Configuration& configuration, const Agrees& agrees) {
  return quorum_reached(configuration, [&](NodeId id) { return agrees(id) ? std::uint64_t{1} : std::uint64_t{0}; }) ==
         1;
}

}  // namespace ordeal::log::raft
