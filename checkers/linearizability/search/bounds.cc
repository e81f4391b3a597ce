// bounds: the breadth-first search from both sides, with growing width: from below until it finds a linearization, from
// above until it finds that there is none (jit.cc). Most histories that are too much for an exact search are decided by
// a narrow one: they have so many linearizations that a few configurations suffice, or a contradiction that even their
// join cannot explain, or one in which only a few of the crashed operations matter (relaxation.h). The width grows
// without end, so that the series ends where the exact search would.
// Tested by lin_search_property_test against the oracle and all other algorithms; it starts with width 1 so that small
// histories test it too.

#include "checkers/linearizability/search/searches.h"

namespace ordeal::lin {
namespace {

constexpr std::size_t kGrowth = 4;

// What is left to try from above, at any width.
class FromAbove {
 public:
  explicit FromAbove(const KeyHistory& history) : history_(history), left_(relaxations_of(history)) {
    left_.emplace_back();
  }

  // Tries everything at one width. too_narrow: all was in vain.
  Decision run(std::size_t width, Budget& budget, bool want_order) {
    Decision found;
    for (std::size_t i = 0; i < left_.size();) {
      found = search_within({Side::above, width, left_[i]}, history_, budget, want_order);
      if (!found.too_narrow) return found;
      if (found.narrow_only_by_relaxation)
        left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(i));
      else
        ++i;
    }
    return found;
  }

 private:
  const KeyHistory& history_;
  std::vector<Relaxation> left_;
};

class BoundsStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "bounds"; }
  std::string objection(const KeyHistory&) const override { return ""; }

  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    FromAbove above(history);
    for (std::size_t width = 1;; width *= kGrowth) {
      Decision found = search_within({Side::below, width, {}}, history, budget, want_order);
      if (!found.too_narrow) return found;
      found = above.run(width, budget, want_order);
      if (!found.too_narrow) return found;
    }
  }
};

}  // namespace

Decision close_in_from_above(std::size_t first_width, const KeyHistory& history, Budget& budget, bool want_order) {
  FromAbove above(history);
  for (std::size_t width = first_width;; width *= kGrowth) {
    Decision found = above.run(width, budget, want_order);
    if (!found.too_narrow) return found;
  }
}

std::unique_ptr<Strategy> bounds_strategy() { return std::make_unique<BoundsStrategy>(); }

}  // namespace ordeal::lin
