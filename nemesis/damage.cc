#include "nemesis/damage.h"

#include <algorithm>

#include "nemesis/draw.h"

namespace ordeal {

std::vector<std::size_t> damageable_nodes(const FaultContext& context) {
  const std::size_t n = context.cluster.size();
  std::vector<std::size_t> out;
  for (std::size_t i = n - (n == 0 ? 0 : (n - 1) / 2); i < n; ++i) out.push_back(i);
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
