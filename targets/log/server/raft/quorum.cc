#include "targets/log/server/raft/quorum.h"

namespace ordeal::log::raft {

std::vector<NodeId> others(const Configuration& configuration, NodeId self) {
  std::vector<NodeId> all = configuration.voters;
  all.insert(all.end(), configuration.outgoing.begin(), configuration.outgoing.end());
  all.insert(all.end(), configuration.learners.begin(), configuration.learners.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::erase(all, self);
  return all;
}

}  // namespace ordeal::log::raft
