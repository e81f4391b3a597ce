#include "nemesis/engine/quorum.h"

#include <algorithm>

namespace ordeal {
namespace {

// `also`: further nodes that are down.
bool quorum_without(std::size_t n, const std::vector<Impairment>& in_force, const std::vector<std::size_t>& also) {
  std::vector<char> up(n, 1);
  std::vector<std::vector<char>> linked(n, std::vector<char>(n, 1));
  for (const std::size_t node : also) up[node] = 0;
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

// Whichever node each roll, from the `first` on, takes down at the moment.
bool quorum_while_rolling(std::size_t n, const std::vector<Impairment>& in_force, std::size_t first,
                          std::vector<std::size_t>& rolled) {
  while (first < in_force.size() && in_force[first].rolling.empty()) ++first;
  if (first == in_force.size()) return quorum_without(n, in_force, rolled);
  for (const std::size_t node : in_force[first].rolling) {
    rolled.push_back(node);
    const bool left = quorum_while_rolling(n, in_force, first + 1, rolled);
    rolled.pop_back();
    if (!left) return false;
  }
  return true;
}

bool meet(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](std::size_t node) { return std::find(b.begin(), b.end(), node) != b.end(); });
}

// A roll waits until each node serves again, which one that is cut off may not be able to.
bool cuts_off(const Impairment& cutting, const std::vector<std::size_t>& rolling) {
  return std::any_of(cutting.cut.begin(), cutting.cut.end(), [&](const auto& link) {
    return meet({link.first, link.second}, rolling);
  });
}

// Both act on the processes of a node, or one keeps the other from its end.
bool collide(const Impairment& a, const Impairment& b) {
  return meet(a.down, b.down) || meet(a.down, b.rolling) || meet(a.rolling, b.down) || meet(a.rolling, b.rolling) ||
         cuts_off(a, b.rolling) || cuts_off(b, a.rolling);
}

}  // namespace

bool leaves_quorum(std::size_t n, const std::vector<Impairment>& in_force) {
  std::vector<std::size_t> rolled;
  return quorum_while_rolling(n, in_force, 0, rolled);
}

bool may_join(std::size_t n, std::vector<Impairment> in_force, const Impairment& next) {
  if (!leaves_quorum(n, {next})) return true;
  if (std::any_of(in_force.begin(), in_force.end(),
                  [&](const Impairment& one) { return collide(one, next) || meet(one.down, next.needs); })) {
    return false;
  }
  in_force.push_back(next);
  return leaves_quorum(n, in_force);
}

}  // namespace ordeal
