#pragma once
// Precedence: which steps of a history must come before which, and whether one order can hold them all.
//
// Where each value is written once, what a read saw puts it after or before every write of what it reads; together with
// the order of processes, or real time, that is all there is to say. So an order that explains the history exists
// exactly when these demands form no cycle, and no search is needed. Cost: O(steps + demands).
//
// Thread-safety: one thread; it belongs to one check.

#include <cstdint>
#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

class Precedence {
 public:
  using Step = std::uint32_t;
  explicit Precedence(const Judgement& in) : in_(in) {}

  // A step of an operation; an operation may have several.
  Step step(OperationEvents of) {
    steps_.push_back(of);
    after_.emplace_back();
    return static_cast<Step>(steps_.size() - 1);
  }
  void before(Step first, Step second) { after_[first].push_back(second); }
  // Puts each step after those of operations that were over before its own was invoked.
  void keep_real_time();

  // The operations of a shortest cycle through one of the first steps that lie on cycles, in the order of the demands;
  // empty when there is none. Neighbours that belong to one operation are one.
  [[nodiscard]] std::vector<OperationEvents> cycle() const;

 private:
  [[nodiscard]] std::vector<Step> shortest_from(Step start, const std::vector<bool>& on_cycles) const;

  const Judgement& in_;
  std::vector<OperationEvents> steps_;  // without invocation: a moment that real time put between two
  std::vector<std::vector<Step>> after_;
};

}  // namespace ordeal::work
