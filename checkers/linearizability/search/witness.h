#pragma once
// Witness: from the operations that a search linearized for their effect to a full linearization.
// Thread-safety: pure.

#include <vector>

#include "checkers/linearizability/search/space.h"

namespace ordeal::lin {

struct Step {
  std::uint32_t op = 0;  // a call, or Space::kCrashed | counter
  std::uint32_t at = 0;  // the event (index into Prepared::events) at whose time it was linearized
};

// The calls of the original history, in order: the steps, and the absorbed operations put where they fit.
[[nodiscard]] std::vector<CallIndex> full_order(Space& space, const std::vector<Step>& steps);

// Memory of one search, charged to the budget and given back at the end.
class Charge {
 public:
  explicit Charge(Budget& budget) : budget_(budget) {}
  ~Charge() { budget_.give_back(bytes_); }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  // False when the budget is passed.
  [[nodiscard]] bool now(std::size_t bytes) {
    const auto delta = static_cast<std::ptrdiff_t>(bytes) - static_cast<std::ptrdiff_t>(bytes_);
    bytes_ = bytes;
    return budget_.charge(delta);
  }

 private:
  Budget& budget_;
  std::size_t bytes_ = 0;
};

}  // namespace ordeal::lin
