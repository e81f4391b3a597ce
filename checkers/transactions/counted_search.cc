// Where cycles are forbidden that have at most one of something (anti-dependencies, or transactions that only read), a
// pair of a node and a bit counts it: node v is 2v before and 2v + 1 behind the one that is allowed, and there is a
// forbidden cycle through an edge when its beginning can be reached from its end. Transactions that only read count
// where they are entered; that they also stand between others of their process does not: such pairs get an edge of
// their own.
//
// Sessions and time lead also from transactions that only read, so that with them a cycle with one anti-dependency may
// go through several of those: then update serializability asks for an order that leaves neither kind of cycle, and
// both are counted in turn.
//
// A forbidden cycle is no cycle of pairs, so no order of the pairs says that there is none: each choice costs a search
// of its own.

#include "checkers/transactions/counted_search.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "checkers/transactions/clause_search.h"
#include "checkers/transactions/cycles.h"

namespace ordeal::txn {
namespace {

// Edges added by a choice; known ones carry kNone.
struct Added {
  std::uint32_t to = 0;
  EdgeKind kind = EdgeKind::ww;
  std::uint32_t label = kNone;  // of the choice, by its place among the open ones
  KeyIndex key = kNone;
  ValueId value = kAbsent;
};

class CountedSearch final : private Theory {
 public:
  CountedSearch(const Inference& inference, OrderKind kind, unsigned extra, const std::function<bool()>& out_of_budget)
      : in_(inference),
        graph_(inference.graph),
        single_(kind == OrderKind::single),
        both_(!single_ && extra != 0),
        mask_(kAllData | extra),
        out_of_budget_(out_of_budget),
        added_(graph_.size()) {}

  OrderAnswer run() {
    add(in_.forced, kNone);
    add(in_.updates_first, kNone);
    if (!single_) find_readers();
    std::optional<bool> known = cyclic();
    if (both_ && known && !*known) {
      single_ = true;
      known = cyclic();
    }
    if (!known) return answered(Possible::undecided);
    if (*known) return answered(Possible::no);
    if (in_.choices.empty()) return answered(Possible::yes);
    if (!refute()) return std::move(answer_);
    if (open_.empty()) return answered(Possible::yes);
    ClauseSearch search(*this, static_cast<std::uint32_t>(open_.size()));
    const Found found = search.run(std::numeric_limits<std::uint64_t>::max());
    return answered(found == Found::yes ? Possible::yes : found == Found::no ? Possible::no : Possible::undecided);
  }

 private:
  static OrderAnswer answered(Possible possible) {
    OrderAnswer out;
    out.possible = possible;
    return out;
  }
  std::uint32_t states() const { return 2 * graph_.size(); }

  // The state that an edge leads to; kNone when it does not count.
  std::uint32_t after(std::uint32_t state, std::uint32_t to, EdgeKind kind) const {
    const bool counted = single_ ? kind == EdgeKind::rw : static_cast<bool>(only_reads_[to]);
    if (counted && (state & 1)) return kNone;
    return 2 * to + ((state & 1) | static_cast<std::uint32_t>(counted));
  }

  void find_readers() {
    const Transactions& txns = in_.txns;
    only_reads_.assign(graph_.size(), 0);
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      const auto ops = txns.ops(t);
      only_reads_[t] =
          std::all_of(ops.begin(), ops.end(), [](const MicroOp& op) { return op.kind == MicroKind::read; });
    }
    if (!(mask_ & kProcess)) return;
    // Sessions are in the order of invocations, so what follows a reader is known before what it follows.
    std::uint32_t reader = 0, to = 0;
    EdgeKind kind{};
    for (TxnIndex t = static_cast<TxnIndex>(txns.size()); t-- > 0;) {
      for (std::uint32_t cursor = 0; graph_.next(t, kProcess, cursor, reader, kind);) {
        if (kind != EdgeKind::process || !only_reads_[reader]) continue;
        const std::vector<Added> behind = added_[reader];
        for (const Added& one : behind) {
          if (one.kind == EdgeKind::process) added_[t].push_back(one);
        }
        for (std::uint32_t inner = 0; graph_.next(reader, kProcess, inner, to, kind);) {
          if (kind == EdgeKind::process && !only_reads_[to])
            added_[t].push_back({to, EdgeKind::process, kNone, kNone, kAbsent});
        }
      }
    }
  }

  // The next successor of a state, by known edges first.
  bool next(std::uint32_t state, std::uint32_t& cursor, std::uint32_t& to, std::uint32_t* label = nullptr) const {
    const std::uint32_t node = state / 2;
    constexpr std::uint32_t kAddedBase = 1u << 31;
    EdgeKind kind{};
    while (cursor < kAddedBase && graph_.next(node, mask_, cursor, to, kind)) {
      to = after(state, to, kind);
      if (label != nullptr) *label = kNone;
      if (to != kNone) return true;
    }
    if (cursor < kAddedBase) cursor = kAddedBase;
    while (cursor - kAddedBase < added_[node].size()) {
      const Added& one = added_[node][cursor++ - kAddedBase];
      to = after(state, one.to, one.kind);
      if (label != nullptr) *label = one.label;
      if (to != kNone) return true;
    }
    return false;
  }

  // Whether the known edges have a forbidden cycle; nullopt: out of budget.
  std::optional<bool> cyclic() {
    const Components without = components(graph_.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
      while (next(2 * v, cursor, w)) {
        const bool counted = w & 1;
        w /= 2;
        if (!counted && (single_ || !only_reads_[v])) return true;
      }
      return false;
    });
    if (without.size.size() != graph_.size()) return true;
    // Only within a component of everything can there be one.
    const Components whole = components(graph_.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
      if (!next(2 * v, cursor, w)) return false;
      w /= 2;
      return true;
    });
    for (std::uint32_t v = 0; v < graph_.size(); ++v) {
      if (whole.size[whole.of[v]] == 1 || (!single_ && !only_reads_[v])) continue;
      std::uint32_t to = 0;
      for (std::uint32_t cursor = 0; next(2 * v, cursor, to);) {
        if ((single_ && !(to & 1)) || !whole.same(v, to / 2)) continue;
        if (late()) return std::nullopt;
        if (reaches(to, 2 * v + 1, 2 * v + 1)) return true;
      }
    }
    return false;
  }

  void add(const std::vector<Edge>& edges, std::uint32_t label) {
    for (const Edge& edge : edges) {
      if (edge.from != edge.to) added_[edge.from].push_back({edge.to, edge.kind, label, edge.key, edge.value});
    }
  }
  void remove(const std::vector<Edge>& edges) {
    for (const Edge& edge : edges) {
      if (edge.from != edge.to) added_[edge.from].pop_back();
    }
  }
  std::vector<Edge> side(std::uint32_t choice, bool one) const {
    const Stretch &first = in_.stretches[in_.choices[choice].first],
                  &second = in_.stretches[in_.choices[choice].second];
    std::vector<Edge> out;
    edges_before(in_, one ? first : second, one ? second : first, out);
    return out;
  }

  // Theory. Questions are choices by their place in open_.
  bool give(Literal answer, std::vector<std::uint32_t>& why) override {
    const std::uint32_t question = question_of(answer);
    const auto edges = side(open_[question], is_yes(answer));
    add(edges, question);
    if (!closed(edges, nullptr)) return true;
    remove(edges);
    why.push_back(question);
    for (std::uint32_t v = reached_; v != started_; v = parent_[v].first) {
      if (parent_[v].second != kNone) why.push_back(parent_[v].second);
    }
    return false;
  }
  void take_back(Literal answer) override { remove(side(open_[question_of(answer)], is_yes(answer))); }
  // In the order of their invocations.
  bool prefers_yes(std::uint32_t question) override {
    const Choice& choice = in_.choices[open_[question]];
    return in_.stretches[choice.first].head < in_.stretches[choice.second].head;
  }
  bool out_of_budget() override {
    steps_ += 1'000;
    return late();
  }
  bool late() {
    if (steps_ < next_look_) return late_;
    next_look_ = steps_ + 1'000'000;
    return late_ = late_ || out_of_budget_();
  }

  // Whether one of these edges, which were added, closes a cycle.
  bool closed(const std::vector<Edge>& edges, std::vector<Edge>* cycle) {
    if (both_) single_ = false;
    if (closed_as_counted(edges, cycle)) return true;
    if (!both_) return false;
    single_ = true;
    return closed_as_counted(edges, cycle);
  }
  bool closed_as_counted(const std::vector<Edge>& edges, std::vector<Edge>* cycle) {
    return std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) {
      if (edge.from == edge.to) return false;
      const std::uint32_t to = after(2 * edge.from, edge.to, edge.kind);
      // The edge's beginning is the goal, before and behind what is counted.
      if (to == kNone || !reaches(to, 2 * edge.from, 2 * edge.from + 1)) return false;
      if (cycle != nullptr) *cycle = closed_by(edge);
      return true;
    });
  }
  bool closes(std::uint32_t choice, bool one, std::vector<Edge>* cycle = nullptr) {
    const auto edges = side(choice, one);
    add(edges, kNone);
    const bool out = closed(edges, cycle);
    remove(edges);
    return out;
  }

  bool reaches(std::uint32_t from, std::uint32_t goal, std::uint32_t other_goal) {
    if (stamp_.empty()) {
      stamp_.assign(states(), 0);
      parent_.resize(states());
    }
    ++epoch_;
    started_ = from;
    stack_.assign(1, from);
    stamp_[from] = epoch_;
    while (!stack_.empty()) {
      reached_ = stack_.back();
      if (reached_ == goal || reached_ == other_goal) return true;
      stack_.pop_back();
      std::uint32_t to = 0, label = kNone;
      for (std::uint32_t cursor = 0; next(reached_, cursor, to, &label);) {
        ++steps_;
        if (stamp_[to] == epoch_) continue;
        stamp_[to] = epoch_;
        parent_[to] = {reached_, label};
        stack_.push_back(to);
      }
    }
    return false;
  }

  // The cycle of the last reaches(): `first`, and the way from its end back to its beginning.
  std::vector<Edge> closed_by(const Edge& first) const {
    std::vector<Edge> out;
    for (std::uint32_t v = reached_; v != started_; v = parent_[v].first)
      out.push_back(edge_between(parent_[v].first, v));
    out.push_back(first);
    std::reverse(out.begin(), out.end());
    return between_transactions(graph_, out);
  }
  Edge edge_between(std::uint32_t state, std::uint32_t goal) const {
    const std::uint32_t node = state / 2;
    Edge edge;
    for (std::uint32_t cursor = 0; graph_.next(node, mask_, cursor, edge);) {
      if (after(state, edge.to, edge.kind) == goal) return edge;
    }
    for (const Added& one : added_[node]) {
      if (after(state, one.to, one.kind) == goal) return {node, one.to, one.key, one.value, one.kind};
    }
    return {node, goal / 2, kNone, kAbsent, EdgeKind::ww};
  }

  // Each choice against what is known, until nothing changes. False: the answer is found.
  bool refute() {
    open_.resize(in_.choices.size());
    for (std::uint32_t c = 0; c < open_.size(); ++c) open_[c] = c;
    for (bool changed = true; changed;) {
      changed = false;
      std::vector<std::uint32_t> left;
      for (const std::uint32_t c : open_) {
        if (late()) return false;
        const bool one = closes(c, true), other = closes(c, false);
        if (one && other) {
          answer_ = answered(Possible::no);
          answer_.one_choice = true;
          answer_.culprits = {in_.stretches[in_.choices[c].first].tail, in_.stretches[in_.choices[c].second].head};
          answer_.key = in_.stretches[in_.choices[c].first].key;
          (void)closes(c, true, &answer_.if_first);
          (void)closes(c, false, &answer_.if_second);
          return false;
        }
        if (!one && !other) {
          left.push_back(c);
          continue;
        }
        add(side(c, other), kNone);
        changed = true;
      }
      open_ = std::move(left);
    }
    return true;
  }

  const Inference& in_;
  const DependencyGraph& graph_;
  bool single_;  // anti-dependencies are counted, else transactions that only read
  bool both_;    // one after the other
  unsigned mask_;
  const std::function<bool()>& out_of_budget_;
  std::vector<std::vector<Added>> added_;
  std::vector<std::uint32_t> open_;  // choices that are not made
  std::vector<std::uint32_t> stamp_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> parent_;
  std::vector<std::uint32_t> stack_;
  std::vector<std::uint8_t> only_reads_;  // by node, for update serializability
  std::uint32_t epoch_ = 0;
  std::uint32_t started_ = 0, reached_ = 0;  // of the last reaches()
  std::uint64_t steps_ = 0, next_look_ = 0;
  bool late_ = false;
  OrderAnswer answer_;
};

}  // namespace

OrderAnswer find_counted_order(const Inference& inference, OrderKind kind, unsigned extra,
                               const std::function<bool()>& out_of_budget) {
  OrderAnswer out = CountedSearch(inference, kind, extra, out_of_budget).run();
  if (out.possible == Possible::yes && inference.open_pairs_dropped) out.possible = Possible::undecided;
  return out;
}

}  // namespace ordeal::txn
