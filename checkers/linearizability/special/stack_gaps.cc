// stack-gaps: stacks onto which no element is pushed twice.
//
// An element is certainly inside between the return of its push and the invocation of its pop: its core. Moments lie
// in the gaps between events. At a gap that no core covers the stack may be empty, so every operation that is open
// there can be thought to happen there and be forgotten. At a gap covered by the core of v alone v may be all there
// is, and the operations of v that are open there can be forgotten; when both are, v's core goes. The history is
// linearizable exactly when everything can be forgotten in this way, and every pop that found the stack empty has a
// moment that no core (forgotten ones included) covers. The fixpoint is that of the checkers LiMo and PolyLin for
// collection types; an element whose push and pop overlap hinders nobody and is left out.
//
// Two segment trees make it fast: one over gaps with the number of cores that cover each and the sum of their names
// (at a gap with one core the sum is its name), one over events that finds an open operation around a gap.
//
// Crashed pops are left to the searches. Cost: O(n log n). Gives no order.
// Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>
#include <bit>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/container_calls.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

// How many cores cover each gap, and the sum of their names; finds a gap with the smallest number.
class GapTree {
 public:
  explicit GapTree(std::size_t gaps) : size_(std::bit_ceil(std::max<std::size_t>(gaps, 1))), nodes_(2 * size_) {
    for (std::size_t i = 0; i < size_; ++i) nodes_[size_ + i].least = i < gaps ? 0 : kFinished;
    for (std::size_t i = size_; i-- > 1;) nodes_[i].least = std::min(nodes_[2 * i].least, nodes_[2 * i + 1].least);
  }
  // Adds `count` cores whose names sum to `names` over the gaps [begin, end).
  void add(std::size_t begin, std::size_t end, std::int64_t count, std::int64_t names) {
    if (begin < end) add(1, 0, size_, begin, end, count, names);
  }
  struct Found {
    std::size_t gap;
    std::int64_t cores;
    std::int64_t names;
  };
  // A gap that fewest cores cover.
  [[nodiscard]] Found least() const {
    std::size_t node = 1;
    std::int64_t names = 0;
    while (node < size_) {
      names += nodes_[node].names;
      const std::int64_t inner = nodes_[node].least - nodes_[node].added;
      node = 2 * node + (nodes_[2 * node].least == inner ? 0 : 1);
    }
    return {node - size_, nodes_[1].least, names + nodes_[node].names};
  }
  static constexpr std::int64_t kFinished = std::int64_t{1} << 40;

 private:
  struct Node {
    std::int64_t least = 0;  // of all gaps below, with what was added here, without what was added above
    std::int64_t added = 0;
    std::int64_t names = 0;  // added here
  };
  void add(std::size_t node, std::size_t from, std::size_t width, std::size_t begin, std::size_t end,
           std::int64_t count, std::int64_t names) {
    if (begin <= from && from + width <= end) {
      nodes_[node].least += count;
      nodes_[node].added += count;
      nodes_[node].names += names;
      return;
    }
    const std::size_t half = width / 2;
    if (begin < from + half) add(2 * node, from, half, begin, end, count, names);
    if (end > from + half) add(2 * node + 1, from + half, half, begin, end, count, names);
    nodes_[node].least = nodes_[node].added + std::min(nodes_[2 * node].least, nodes_[2 * node + 1].least);
  }
  std::size_t size_;
  std::vector<Node> nodes_;
};

// Operations by the gap in which they open; finds one that is still open at a later gap.
class OpenTree {
 public:
  explicit OpenTree(std::size_t gaps) : size_(std::bit_ceil(std::max<std::size_t>(gaps, 1))), close_(2 * size_, 0) {}
  // Sets when the operation that opens at `gap` closes; 0 removes it.
  void set(std::size_t gap, std::size_t close) {
    std::size_t node = gap + size_;
    close_[node] = close;
    while (node >>= 1) close_[node] = std::max(close_[2 * node], close_[2 * node + 1]);
  }
  // The opening gap of an operation with open <= gap < close; npos when there is none.
  [[nodiscard]] std::size_t around(std::size_t gap) const { return around(1, 0, size_, gap); }
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 private:
  [[nodiscard]] std::size_t around(std::size_t node, std::size_t from, std::size_t width, std::size_t gap) const {
    if (from > gap || close_[node] <= gap) return npos;
    if (width == 1) return from;
    const std::size_t left = around(2 * node, from, width / 2, gap);
    return left != npos ? left : around(2 * node + 1, from + width / 2, width / 2, gap);
  }
  std::size_t size_;
  std::vector<std::size_t> close_;
};

// Gap g lies between the events g - 1 and g of `events_`.
class Fixpoint {
 public:
  explicit Fixpoint(ContainerCalls container)
      : container_(std::move(container)),
        events_(all_events()),
        gaps_(events_.size() + 1),
        cores_(gaps_),
        open_(gaps_),
        op_at_(gaps_ + 1) {
    const auto& elements = container_.elements;
    ops_.resize(2 * elements.size());
    left_.resize(elements.size());
    held_.resize(elements.size());
    for (std::size_t v = 0; v < elements.size(); ++v) {
      const ContainedElement& e = elements[v];
      if (e.put_ret >= e.take_inv) continue;
      cores_.add(gap_after(e.put_ret), gap_before(e.take_inv) + 1, 1, static_cast<std::int64_t>(v) + 1);
      open(v, 2 * v, e.put_inv, e.put_ret);
      if (e.take != kNoCall) open(v, 2 * v + 1, e.take_inv, e.take_ret);
    }
  }

  Decision run(Budget& budget) {
    std::uint64_t steps = 0;
    while (remaining_ > 0) {
      if (++steps % 1024 == 0 && budget.out_of_time()) {
        Decision out;
        out.reason = budget.reason();
        return out;
      }
      const GapTree::Found found = cores_.least();
      if (found.cores == 0)
        free_gap(found.gap);
      else if (found.cores == 1)
        gap_of(static_cast<std::size_t>(found.names) - 1, found.gap);
      else
        return stuck();
    }
    Decision out = explained({}, false);
    out.steps = steps;
    return out;
  }

 private:
  struct Op {
    bool here = false;
    std::size_t opens = 0;
    std::size_t closes = 0;
  };

  // Nothing begins or ends between them.
  std::vector<EventIndex> all_events() const {
    std::vector<EventIndex> events;
    for (const ContainedElement& e : container_.elements) {
      for (const EventIndex event : {e.put_inv, e.put_ret, e.take_inv, e.take_ret}) {
        if (event != kNever) events.push_back(event);
      }
    }
    std::sort(events.begin(), events.end());
    events.erase(std::unique(events.begin(), events.end()), events.end());
    return events;
  }
  std::size_t place(EventIndex event) const {
    return static_cast<std::size_t>(std::lower_bound(events_.begin(), events_.end(), event) - events_.begin());
  }
  std::size_t gap_after(EventIndex event) const { return event == kNever ? gaps_ : place(event) + 1; }
  std::size_t gap_before(EventIndex event) const { return event == kNever ? gaps_ - 1 : place(event); }

  void open(std::size_t v, std::size_t op, EventIndex inv, EventIndex ret) {
    ops_[op] = {true, gap_after(inv), gap_before(ret) + 1};
    op_at_[ops_[op].opens] = op;
    open_.set(ops_[op].opens, ops_[op].closes);
    ++left_[v];
    ++remaining_;
  }

  void forget(std::size_t op) {
    ops_[op].here = false;
    --remaining_;
    open_.set(ops_[op].opens, 0);
    const std::size_t v = op / 2;
    if (--left_[v] > 0) return;
    const ContainedElement& e = container_.elements[v];
    cores_.add(gap_after(e.put_ret), gap_before(e.take_inv) + 1, -1, -(static_cast<std::int64_t>(v) + 1));
    for (const std::size_t gap : held_[v]) cores_.add(gap, gap + 1, -GapTree::kFinished, 0);  // now they are free
    held_[v].clear();
  }

  void free_gap(std::size_t gap) {
    for (std::size_t at = open_.around(gap); at != OpenTree::npos; at = open_.around(gap)) forget(op_at_[at]);
    cores_.add(gap, gap + 1, GapTree::kFinished, 0);
  }

  void gap_of(std::size_t v, std::size_t gap) {
    cores_.add(gap, gap + 1, GapTree::kFinished, 0);
    held_[v].push_back(gap);
    for (const std::size_t op : {2 * v, 2 * v + 1}) {
      if (ops_[op].here && ops_[op].opens <= gap && gap < ops_[op].closes) forget(op);
    }
  }

  Decision stuck() const {
    std::vector<CallIndex> culprits;
    for (std::size_t op = 0; op < ops_.size(); ++op) {
      if (!ops_[op].here) continue;
      const ContainedElement& e = container_.elements[op / 2];
      culprits.push_back(e.put);
      if (e.take != kNoCall) culprits.push_back(e.take);
    }
    return refuted(std::move(culprits));
  }

  ContainerCalls container_;
  std::vector<EventIndex> events_;
  std::size_t gaps_;
  GapTree cores_;
  OpenTree open_;
  std::vector<std::size_t> op_at_;              // by gap: the operation that OpenTree knows
  std::vector<Op> ops_;                         // 2v: push of v, 2v + 1: pop of v
  std::vector<int> left_;                       // by element: operations not yet forgotten
  std::vector<std::vector<std::size_t>> held_;  // by element: gaps looked at while its core alone covered them
  std::size_t remaining_ = 0;
};

class StackGaps final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "stack-gaps"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (type_of(*history.model) != DataType::stack) return "it decides stacks only";
    for (const Call& call : history.calls) {
      if (call.op.code == queue::kTake && call.crashed()) return "there are crashed pops";
    }
    return container_objection(history);
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget& budget, bool) const override {
    ContainerCalls container = container_calls(history);
    if (!container.contradiction.empty()) return refuted(std::move(container.contradiction));
    return decide_stack(history, container, budget);
  }
};

}  // namespace

Decision decide_stack(const KeyHistory& history, const ContainerCalls& container, Budget& budget) {
  if (std::vector<CallIndex> wrong = covered_empty(history.calls, container); !wrong.empty())
    return refuted(std::move(wrong));
  return Fixpoint(container).run(budget);
}

std::unique_ptr<Strategy> stack_gaps_strategy() { return std::make_unique<StackGaps>(); }

}  // namespace ordeal::lin
