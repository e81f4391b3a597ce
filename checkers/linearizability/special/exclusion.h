#pragma once
// Exclusion: which operations of a register show, before a moment, that it did not hold a value any more.
//
// If X shows that the register held something else than v at its moment, then nobody who was invoked after X had
// returned can have seen a v that was written by an operation that had returned before X was invoked.
// Thread-safety: one thread.

#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {

inline constexpr CallIndex kNobody = 0xFFFFFFFFu;

namespace reg {
[[nodiscard]] inline bool observes(const Operation& op) { return op.code != kWrite; }
// A cas from a value to itself writes nothing.
[[nodiscard]] inline bool writes(const Operation& op) { return op.code == kWrite || (op.code == kCas && op.a != op.b); }
[[nodiscard]] inline std::int64_t written(const Operation& op) { return op.code == kCas ? op.b : op.a; }
}  // namespace reg

// Of the operations that have returned so far: who was invoked last among those that show another value than v, for
// any v. It suffices to know two: the one invoked last, and the one invoked last that shows another value than that.
class Latest {
 public:
  void returned(const std::vector<Call>& calls, CallIndex call) {
    const auto later = [&](CallIndex than) { return than == kNobody || calls[call].inv > calls[than].inv; };
    const bool same =
        first_ != kNobody && shown(calls[call].op) != kAnyValue && shown(calls[first_].op) == shown(calls[call].op);
    if (later(first_)) {
      if (!same) second_ = first_;
      first_ = call;
    } else if (!same && later(second_)) {
      second_ = call;
    }
  }
  // kNobody when there is none.
  [[nodiscard]] CallIndex other_than(const std::vector<Call>& calls, std::int64_t v) const {
    return first_ != kNobody && shown(calls[first_].op) == v ? second_ : first_;
  }

 private:
  // A cas that changes the value shows that it was not v all along, for any v.
  static constexpr std::int64_t kAnyValue = -1;
  static std::int64_t shown(const Operation& op) { return op.code == reg::kCas && op.a != op.b ? kAnyValue : op.a; }

  CallIndex first_ = kNobody, second_ = kNobody;
};

}  // namespace ordeal::lin
