#include "nemesis/network/grudge.h"

#include <algorithm>
#include <optional>

#include "base/names.h"
#include "base/text.h"
#include "nemesis/node/draw.h"

namespace ordeal {
namespace {

using Group = std::vector<std::size_t>;

void cut_between(const Group& a, const Group& b, Grudge& grudge) {
  for (const std::size_t x : a) {
    for (const std::size_t y : b) grudge.cut.emplace_back(x, y);
  }
}

// The first `size` nodes of a random order against the rest.
Grudge split(std::size_t n, std::size_t size, std::mt19937_64& random) {
  const auto order = draw_order(random, n);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(size);
  Grudge grudge;
  grudge.groups = {Group(order.begin(), middle), Group(middle, order.end())};
  for (auto& group : grudge.groups) std::sort(group.begin(), group.end());
  cut_between(grudge.groups[0], grudge.groups[1], grudge);
  return grudge;
}

Grudge bridge(std::size_t n, std::mt19937_64& random) {
  const auto order = draw_order(random, n);
  const auto left_end = order.begin() + 1 + static_cast<std::ptrdiff_t>((n - 1) / 2);
  Grudge grudge;
  grudge.groups = {Group(order.begin() + 1, left_end), Group{order[0]}, Group(left_end, order.end())};
  for (auto& group : grudge.groups) std::sort(group.begin(), group.end());
  cut_between(grudge.groups[0], grudge.groups[2], grudge);
  return grudge;
}

// Every node hears its `reach` neighbours on either side of a random ring. With reach = ceil((majority-1)/2) that is a
// majority and, from five nodes on, not everybody. Three nodes cannot all lack somebody and still hear two: there one
// link of the ring is cut.
Grudge majorities_ring(std::size_t n, std::mt19937_64& random) {
  Grudge grudge;
  grudge.groups = {draw_order(random, n)};
  const Group& ring = grudge.groups[0];
  if (n == 3) {
    grudge.cut.emplace_back(ring[0], ring[2]);
    return grudge;
  }
  const std::size_t majority = n / 2 + 1;
  const std::size_t reach = majority / 2;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t step = reach + 1; 2 * step <= n; ++step) {
      if (2 * step == n && i >= n / 2) continue;  // the opposite node: seen from both ends
      grudge.cut.emplace_back(ring[i], ring[(i + step) % n]);
    }
  }
  return grudge;
}

Grudge isolate(std::size_t n, const Group& alone) {
  Grudge grudge;
  for (const std::size_t node : alone) grudge.groups.push_back({node});
  Group rest;
  for (std::size_t i = 0; i < n; ++i) {
    if (std::find(alone.begin(), alone.end(), i) == alone.end()) rest.push_back(i);
  }
  if (!rest.empty()) grudge.groups.push_back(rest);
  for (std::size_t i = 0; i < grudge.groups.size(); ++i) {
    for (std::size_t j = i + 1; j < grudge.groups.size(); ++j) cut_between(grudge.groups[i], grudge.groups[j], grudge);
  }
  return grudge;
}

void fill_drops(std::size_t n, CutDirection direction, Grudge& grudge) {
  grudge.drops.assign(n, {});
  for (const auto& [first, second] : grudge.cut) {
    if (direction != CutDirection::first_is_deaf) grudge.drops[second].push_back(first);
    if (direction != CutDirection::first_is_unheard) grudge.drops[first].push_back(second);
  }
  for (auto& dropped : grudge.drops) std::sort(dropped.begin(), dropped.end());
}

}  // namespace

const std::vector<std::string>& blind_shapes() {
  static const std::vector<std::string> all = {"halves", "one", "majority", "majorities-ring", "bridge"};
  return all;
}

namespace {

constexpr std::string_view kRest = "rest";

// One side. `taken`: on which side each node is already, from 1; 0: on none.
Result<Group> parse_side(std::string_view side, const std::vector<std::string>& nodes, std::size_t number,
                         std::vector<std::size_t>& taken) {
  Group out;
  for (const std::string& name : ordeal::split(side, ',')) {
    const auto at = std::find(nodes.begin(), nodes.end(), name);
    if (at == nodes.end()) {
      std::vector<std::string> known = nodes;
      known.emplace_back(kRest);
      return fail(unknown_name("node", name, known));
    }
    const auto node = static_cast<std::size_t>(at - nodes.begin());
    if (taken[node] == number) return fail(ErrorCode::usage, name + " is named twice");
    if (taken[node] != 0) return fail(ErrorCode::usage, name + " is on two sides");
    taken[node] = number;
    out.push_back(node);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<std::vector<std::vector<std::size_t>>> parse_sides(std::string_view text,
                                                          const std::vector<std::string>& nodes) {
  std::vector<std::size_t> taken(nodes.size(), 0);
  std::vector<Group> out;
  std::optional<std::size_t> rest;
  for (const std::string& side : fields(text, '|')) {
    if (trimmed(side) == kRest) {
      if (rest) return fail(ErrorCode::usage, "rest is there twice");
      rest = out.size();
      out.emplace_back();
      continue;
    }
    auto parsed = parse_side(side, nodes, out.size() + 1, taken);
    if (!parsed) return fail(parsed.error());
    if (parsed->empty()) return fail(ErrorCode::usage, "a side is empty");
    out.push_back(*std::move(parsed));
  }
  if (out.size() < 2) {
    return fail(ErrorCode::usage, "two sides or more were expected, separated by |, as in \"n1,n2|n3\" or \"n1|rest\"");
  }
  if (rest) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (taken[i] == 0) out[*rest].push_back(i);
    }
    if (out[*rest].empty()) return fail(ErrorCode::usage, "no node is left for the side rest");
  }
  return out;
}

Grudge grudge_of_sides(std::vector<std::vector<std::size_t>> sides, std::size_t n, CutDirection direction) {
  Grudge grudge;
  grudge.groups = std::move(sides);
  for (std::size_t i = 0; i < grudge.groups.size(); ++i) {
    for (std::size_t j = i + 1; j < grudge.groups.size(); ++j) cut_between(grudge.groups[i], grudge.groups[j], grudge);
  }
  fill_drops(n, direction, grudge);
  return grudge;
}

Result<Grudge> make_grudge(std::string_view shape, std::size_t n, CutDirection direction,
                           const std::vector<std::size_t>& primaries, std::mt19937_64& random) {
  const std::size_t min_nodes = shape == "bridge" || shape == "majorities-ring" || shape == "majority" ? 3 : 2;
  if (n < min_nodes) {
    return fail(ErrorCode::unsupported, "partition.shape=" + std::string(shape) + " needs " +
                                            std::to_string(min_nodes) + " nodes or more; the cluster has " +
                                            std::to_string(n));
  }
  Grudge grudge;
  if (shape == "halves") {
    grudge = split(n, n / 2, random);
  } else if (shape == "one") {
    grudge = split(n, 1, random);
  } else if (shape == "majority") {
    const std::size_t minority = 1 + draw_below(random, (n - 1) / 2);
    grudge = split(n, minority, random);
  } else if (shape == "bridge") {
    grudge = bridge(n, random);
  } else if (shape == "majorities-ring") {
    grudge = majorities_ring(n, random);
  } else if (shape == "primaries") {
    if (primaries.empty()) return fail(ErrorCode::unsupported, "no node says that it leads, so none can be isolated");
    grudge = isolate(n, primaries);
  } else {
    auto known = blind_shapes();
    known.emplace_back("primaries");
    known.emplace_back("random");
    return fail(unknown_name("shape of a partition", shape, known));
  }
  fill_drops(n, direction, grudge);
  return grudge;
}

}  // namespace ordeal
