#include "nemesis/node/selector.h"

#include <algorithm>

#include "base/names.h"
#include "nemesis/node/draw.h"

namespace ordeal {
namespace {

const std::vector<std::string>& selector_words() {
  static const std::vector<std::string> all = {"one",       "minority",  "minority-third", "majority", "all",
                                               "primaries", "followers", "ring",           "subset",   "random"};
  return all;
}

// The indices of a named set, or what is wrong with it.
Result<std::vector<std::size_t>> named_set(std::string_view text, const Cluster& cluster) {
  std::vector<std::string> known = selector_words();
  for (const auto& node : cluster.nodes) known.push_back(node->name());
  std::vector<std::size_t> out;
  while (true) {
    const std::string_view word = text.substr(0, text.find(','));
    std::size_t i = 0;
    while (i < cluster.size() && cluster.at(i).name() != word) ++i;
    if (i == cluster.size()) return fail(unknown_name("node or selector of nodes", word, known));
    out.push_back(i);
    if (word.size() == text.size()) break;
    text.remove_prefix(word.size() + 1);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool is_word(std::string_view text) {
  return std::find(selector_words().begin(), selector_words().end(), text) != selector_words().end();
}

}  // namespace

std::vector<std::size_t> known_primaries(const FaultContext& context) {
  Target::Roles* roles = context.target.roles();
  if (roles == nullptr) return {};
  auto found = roles->primaries(std::chrono::steady_clock::now() + std::chrono::seconds(2));
  if (!found) return {};
  std::sort(found->begin(), found->end());
  found->erase(std::unique(found->begin(), found->end()), found->end());
  std::erase_if(*found, [&](std::size_t i) { return i >= context.cluster.size(); });
  return *std::move(found);
}

std::string selector_problem(std::string_view text, const FaultContext& context) {
  if (text == "minority-third" && context.cluster.size() < 4) {
    return "minority-third, less than a third of the nodes, needs four nodes or more";
  }
  if ((text == "primaries" || text == "followers") && context.target.roles() == nullptr) {
    return "target " + std::string(context.target.name()) + " cannot say which of its nodes lead";
  }
  if (is_word(text)) return "";
  const auto set = named_set(text, context.cluster);
  return set ? "" : set.error().message;
}

Result<Selection> select_nodes(std::string_view text, const FaultContext& context, std::mt19937_64& random) {
  const std::size_t n = context.cluster.size();
  Selection out;
  if (!is_word(text)) {
    auto set = named_set(text, context.cluster);
    if (!set) return fail(set.error());
    out.how = text;
    out.nodes = *std::move(set);
    return out;
  }
  if (n == 0) return fail(ErrorCode::usage, "the cluster has no nodes");
  if (text == "random") {
    static constexpr std::string_view kDrawn[] = {"one", "minority", "primaries"};
    text = kDrawn[draw_below(random, context.target.roles() == nullptr ? 2 : 3)];
  }
  out.how = text;
  // Always drawn, so that what leads at the moment does not shift the draws that follow.
  const auto order = draw_order(random, n);
  const std::size_t majority = n / 2 + 1;
  std::size_t count = 1;
  if (text == "minority") count = n < 3 ? 1 : 1 + draw_below(random, (n - 1) / 2);
  if (text == "majority") count = majority + draw_below(random, n - majority + 1);
  if (text == "minority-third") count = n < 4 ? 1 : 1 + draw_below(random, (n - 1) / 3);
  if (text == "subset") count = 1 + draw_below(random, n);
  if (text == "all") count = n;
  if (text == "primaries") {
    out.nodes = known_primaries(context);
    if (!out.nodes.empty()) return out;
    out.note = "no node said that it leads; one was drawn instead";
  }
  if (text == "followers") {
    const auto leaders = known_primaries(context);
    for (std::size_t i = 0; i < n; ++i) {
      if (std::find(leaders.begin(), leaders.end(), i) == leaders.end()) out.nodes.push_back(i);
    }
    if (!leaders.empty() && !out.nodes.empty()) return out;
    out.nodes.clear();
    out.note = leaders.empty() ? "no node said that it leads; one was drawn instead"
                               : "every node leads; one was drawn instead";
  }
  if (text == "ring") {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, (n - 1) / 2); ++i) out.nodes.push_back((order[0] + 2 * i) % n);
  } else {
    out.nodes.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
  }
  std::sort(out.nodes.begin(), out.nodes.end());
  return out;
}

}  // namespace ordeal
