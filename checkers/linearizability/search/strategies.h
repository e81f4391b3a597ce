#pragma once
// The table of strategies. Thread-safety: functions without state.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/linearizability/interfaces/strategy.h"

namespace ordeal::lin {

// All strategies, special cases first, by falling preference.
[[nodiscard]] std::span<const std::unique_ptr<Strategy>> strategies();
[[nodiscard]] std::vector<std::string> strategy_names();  // with "auto"
// The first of the table that decides this history.
[[nodiscard]] const Strategy& strategy_for(const KeyHistory& history);
// The same for questions that are many and small: the searches one after the other, from the narrowest, where they
// would compete on several threads.
[[nodiscard]] const Strategy& on_one_thread(const KeyHistory& history);
// nullptr when there is none of that name ("auto" is none).
[[nodiscard]] const Strategy* find_strategy(std::string_view name);

}  // namespace ordeal::lin
