#pragma once
// How much tests try, from the environment: ORDEAL_HEAVY=N: N times as much, ORDEAL_SEED=N: other histories.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace ordeal::testing_support {

inline std::uint64_t environment_number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}
// How many times as much is tried: ORDEAL_HEAVY.
inline std::size_t heavy() {
  return static_cast<std::size_t>(std::max<std::uint64_t>(1, environment_number("ORDEAL_HEAVY", 1)));
}

}  // namespace ordeal::testing_support
