// The table of strategies: special cases first, by falling preference, then the general searches.

#include <cstdlib>

#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/search/strategies.h"
#include "checkers/linearizability/special/special_cases.h"
#include "checkers/linearizability/special/zones.h"

namespace ordeal::lin {

std::span<const std::unique_ptr<Strategy>> strategies() {
  static const auto all = [] {
    std::vector<std::unique_ptr<Strategy>> out;
    out.push_back(zones_strategy());
    for (auto& special : special_cases()) out.push_back(std::move(special));
    out.push_back(by_element_strategy());
    out.push_back(zones_by_writer_strategy());
    out.push_back(race_strategy());
    out.push_back(jit_strategy());
    out.push_back(wgl_strategy());
    out.push_back(bounds_strategy());
    out.push_back(matching_strategy());
    return out;
  }();
  return all;
}

std::vector<std::string> strategy_names() {
  std::vector<std::string> out{"auto"};
  for (const auto& strategy : strategies()) out.emplace_back(strategy->name());
  return out;
}

const Strategy& strategy_for(const KeyHistory& history) {
  for (const auto& strategy : strategies()) {
    if (strategy->objection(history).empty()) return *strategy;
  }
  ORDEAL_CHECK(false, "a general search takes every history");
  std::abort();
}

const Strategy& on_one_thread(const KeyHistory& history) {
  const Strategy& usual = strategy_for(history);
  return usual.name() == "race" ? *find_strategy("bounds") : usual;
}

const Strategy* find_strategy(std::string_view name) {
  for (const auto& strategy : strategies()) {
    if (strategy->name() == name) return strategy.get();
  }
  return nullptr;
}

}  // namespace ordeal::lin
