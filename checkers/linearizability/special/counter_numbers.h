#pragma once
// What the special cases of counters share. Thread-safety: pure functions.

#include <cstdlib>
#include <optional>
#include <string>

#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/models/model_base.h"

namespace ordeal::lin {

inline constexpr std::int64_t kLargestNumber = std::int64_t{1} << 40;  // so that no sum of what is added overflows

// The number that the counter starts with, when it is known.
[[nodiscard]] inline std::optional<std::int64_t> counter_start(const KeyHistory& history) {
  const State state = history.model->initial();
  if (state.size() != 3 || state[0] == 0) return std::nullopt;
  return number_at(state, 1);
}

// Why the special cases of counters do not decide a history, whatever its operations are; "" when they may.
[[nodiscard]] inline std::string counter_objection(const KeyHistory& history) {
  if (type_of(*history.model) != DataType::counter) return "it decides counters only";
  const auto start = counter_start(history);
  if (!start) return "the initial number is unknown";
  if (std::abs(*start) > kLargestNumber) return "the numbers are too large";
  return {};
}

}  // namespace ordeal::lin
