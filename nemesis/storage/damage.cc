#include "nemesis/storage/damage.h"

#include <algorithm>

#include "nemesis/node/draw.h"

namespace ordeal {
namespace {

constexpr std::uint64_t kDamageSalt = 0x64616d616765;  // "damage"

}  // namespace

std::vector<std::size_t> damageable_nodes(const FaultContext& context) {
  const std::size_t n = context.cluster.size();
  // A generator of its own: whatever else is drawn, and how often, changes nothing here.
  std::mt19937_64 random(context.seed ^ kDamageSalt);
  std::vector<std::size_t> out = draw_order(random, n);
  out.resize(n == 0 ? 0 : (n - 1) / 2);
  std::sort(out.begin(), out.end());
  return out;
}

Result<Selection> select_damaged(std::string_view text, const FaultContext& context, std::mt19937_64& random) {
  if (text != "minority") return select_nodes(text, context, random);
  const auto allowed = damageable_nodes(context);
  if (allowed.empty()) return fail(ErrorCode::usage, "a minority of so few nodes is none");
  Selection out;
  out.how = text;
  const auto order = draw_order(random, allowed.size());
  const std::size_t count = 1 + draw_below(random, allowed.size());
  for (std::size_t i = 0; i < count; ++i) out.nodes.push_back(allowed[order[i]]);
  std::sort(out.nodes.begin(), out.nodes.end());
  return out;
}

}  // namespace ordeal
