#include "nemesis/quorum.h"

#include <algorithm>

namespace ordeal {

bool leaves_quorum(std::size_t n, const std::vector<Impairment>& in_force) {
  std::vector<char> up(n, 1);
  std::vector<std::vector<char>> linked(n, std::vector<char>(n, 1));
  for (const Impairment& one : in_force) {
    for (const std::size_t node : one.down) up[node] = 0;
    for (const auto& [a, b] : one.cut) linked[a][b] = linked[b][a] = 0;
  }
  for (std::size_t leader = 0; leader < n; ++leader) {
    std::size_t reached = 0;
    for (std::size_t other = 0; other < n; ++other) reached += up[other] != 0 && linked[leader][other] != 0 ? 1 : 0;
    if (up[leader] != 0 && reached > n / 2) return true;
  }
  return false;
}

bool may_join(std::size_t n, std::vector<Impairment> in_force, const Impairment& next) {
  if (!leaves_quorum(n, {next})) return true;
  for (const Impairment& one : in_force) {
    for (const std::size_t node : one.down) {
      if (std::find(next.down.begin(), next.down.end(), node) != next.down.end()) return false;
    }
  }
  in_force.push_back(next);
  return leaves_quorum(n, in_force);
}

}  // namespace ordeal
