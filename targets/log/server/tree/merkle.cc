#include "targets/log/server/tree/merkle.h"

#include <algorithm>
#include <vector>

#include "targets/log/server/bugs.h"

namespace ordeal::log::tree {

Tree restored(std::span<const std::string> entries) {
  std::vector<Hash> leaves;
  leaves.reserve(entries.size());
  for (const std::string& entry : entries) leaves.push_back(leaf_hash(entry));
  if (bug(Bug::merkle_order_after_restart)) std::sort(leaves.begin(), leaves.end());
  return Tree(leaves);
}

}  // namespace ordeal::log::tree
