// bounds: the breadth-first search from both sides, with growing width: from below until it finds a linearization, from
// above until it finds that there is none (jit.cc). Most histories that are too much for an exact search are decided by
// a narrow one: they have so many linearizations that a few configurations suffice, or a contradiction that even their
// join cannot explain. The width grows without end, so that the series ends where the exact search would.
// Tested by linearizability_test against the oracle and all other algorithms; it starts with width 1 so that small
// histories test it too.

#include "checkers/linearizability/searches.h"

namespace ordeal::lin {
namespace {

class BoundsStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "bounds"; }
  std::string objection(const KeyHistory&) const override { return ""; }

  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    for (std::size_t width = 1;; width *= 4) {
      for (const Side side : {Side::below, Side::above}) {
        Decision found = search_from(side, width, history, budget, want_order);
        if (!found.too_narrow) return found;
      }
    }
  }
};

}  // namespace

std::unique_ptr<Strategy> bounds_strategy() { return std::make_unique<BoundsStrategy>(); }

}  // namespace ordeal::lin
