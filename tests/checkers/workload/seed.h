#pragma once
// The seed of a random test: its own, or what $ORDEAL_SEED says.

#include <cstdlib>

namespace ordeal::work {

inline unsigned seed_or(unsigned own) {
  const char* asked = std::getenv("ORDEAL_SEED");
  return asked == nullptr ? own : static_cast<unsigned>(std::strtoul(asked, nullptr, 10));
}

}  // namespace ordeal::work
