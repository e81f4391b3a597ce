// The search for an order, in four steps, each of which ends most histories:
//
//   1. the known edges alone have a cycle: no;
//   2. choices are made as a topological order of the known edges has it (invocations break ties): no cycle: yes;
//   3. each choice is tried against the known edges: one that closes a cycle is refuted and its opposite becomes known,
//      until nothing changes; both refuted: no;
//   4. what is left is decided one by one with backtracking. A refuted choice knows which decisions its cycles went
//      through, and the search jumps back to the latest of those.
//
// States are nodes, or for snapshot isolation and prefix consistency the pairs of Space: then the same question is whether
// the graph of pairs has a cycle. Where cycles are forbidden that have at most one of something (anti-dependencies, or
// transactions that only read), the bit of a pair counts it: node v is 2v before and 2v + 1 behind the one that is allowed,
// and there is a forbidden cycle through an edge when its beginning can be reached from its end. Transactions that only read
// count where they are entered; that they also stand between others of their process does not: such pairs get an edge of their own.

#include "checkers/transactions/order_search.h"

#include <algorithm>
#include <optional>
#include <queue>
#include <utility>

#include "checkers/transactions/cycles.h"

namespace ordeal::txn {
namespace {

// Edges added by a choice; known ones carry kNone.
struct Added {
  std::uint32_t to = 0;
  EdgeKind kind = EdgeKind::ww;
  std::uint32_t choice = kNone;
  KeyIndex key = kNone;
  ValueId value = kAbsent;
};

class OrderSearch {
 public:
  OrderSearch(const Inference& inference, OrderKind kind, unsigned extra, const std::function<bool()>& out_of_budget)
      : in_(inference), graph_(inference.graph), kind_(kind), mask_((kind == OrderKind::information ? kDependencies : kAllData) | extra),
        out_of_budget_(out_of_budget), added_(graph_.size()) {
    if (kind == OrderKind::snapshot) space_ = Space::snapshot;
    if (kind == OrderKind::prefix) space_ = Space::prefix;
    counts_ = kind == OrderKind::single || kind == OrderKind::updates;
  }

  OrderAnswer run() {
    add(in_.forced, kNone);
    if (kind_ != OrderKind::prefix) add(in_.updates_first, kNone);
    if (kind_ == OrderKind::updates) find_readers();
    const std::optional<bool> known = cyclic();
    if (!known) return answered(Possible::undecided);
    if (*known) return answered(Possible::no);
    if (in_.choices.empty()) return answered(Possible::yes);
    if (guess()) return answered(Possible::yes);
    if (!prune()) return std::move(answer_);
    if (open_.empty()) return answered(Possible::yes);
    return answered(backtrack());
  }

 private:
  static OrderAnswer answered(Possible possible) {
    OrderAnswer out;
    out.possible = possible;
    return out;
  }

  bool pairs() const { return space_ || counts_; }
  std::uint32_t states() const { return graph_.size() * (pairs() ? 2 : 1); }

  std::uint32_t node_of(std::uint32_t state) const { return pairs() ? state / 2 : state; }
  // The state that an edge leads to; kNone when it does not count.
  std::uint32_t after(std::uint32_t state, std::uint32_t to, EdgeKind kind) const {
    if (kind == EdgeKind::rw && !(mask_ & kRW)) return kNone;
    if (space_) return step(*space_, state, to, kind);
    if (!counts_) return to;
    const bool counted = kind_ == OrderKind::single ? kind == EdgeKind::rw : static_cast<bool>(only_reads_[to]);
    if (counted && (state & 1)) return kNone;
    return 2 * to + ((state & 1) | static_cast<std::uint32_t>(counted));
  }

  void find_readers() {
    const Transactions& txns = in_.txns;
    only_reads_.assign(graph_.size(), 0);
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      const auto ops = txns.ops(t);
      only_reads_[t] = std::all_of(ops.begin(), ops.end(), [](const MicroOp& op) { return op.kind == MicroKind::read; });
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
          if (kind == EdgeKind::process && !only_reads_[to]) added_[t].push_back({to, EdgeKind::process, kNone, kNone, kAbsent});
        }
      }
    }
  }

  // The next successor of a state, by known edges first.
  bool next(std::uint32_t state, std::uint32_t& cursor, std::uint32_t& to, std::uint32_t* choice = nullptr) const {
    const std::uint32_t node = node_of(state);
    constexpr std::uint32_t kAddedBase = 1u << 31;
    Edge edge;
    while (cursor < kAddedBase && graph_.next(node, mask_, cursor, edge.to, edge.kind)) {
      to = after(state, edge.to, edge.kind);
      if (choice != nullptr) *choice = kNone;
      if (to != kNone) return true;
    }
    if (cursor < kAddedBase) cursor = kAddedBase;
    while (cursor - kAddedBase < added_[node].size()) {
      const Added& one = added_[node][cursor++ - kAddedBase];
      edge.to = one.to;
      edge.kind = one.kind;
      to = after(state, edge.to, edge.kind);
      if (choice != nullptr) *choice = one.choice;
      if (to != kNone) return true;
    }
    return false;
  }

  // Whether there is a forbidden cycle; nullopt: out of budget.
  std::optional<bool> cyclic() {
    if (!counts_) return parts_of_states().size.size() != states();
    // Nothing is forbidden where snapshot isolation or serializability forbids nothing.
    const bool single = kind_ == OrderKind::single;
    counts_ = false;
    if (single) space_ = Space::snapshot;
    const Components whole = parts_of_states();
    const bool none = whole.size.size() == states();
    space_.reset();
    counts_ = true;
    if (none) return false;
    // None of what is counted, then one.
    const Components without = components(graph_.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
      while (next(2 * v, cursor, w)) {
        const bool counted = w & 1;
        w /= 2;
        if (!counted && (single || !only_reads_[v])) return true;
      }
      return false;
    });
    if (without.size.size() != graph_.size()) return true;
    for (std::uint32_t v = 0; v < graph_.size(); ++v) {
      if (!single && (!only_reads_[v] || whole.size[whole.of[v]] == 1)) continue;
      std::uint32_t to = 0;
      for (std::uint32_t cursor = 0; next(2 * v, cursor, to);) {
        if (single && (!(to & 1) || !whole.same(2 * v, to))) continue;
        if (late()) return std::nullopt;
        if (reaches(to, 2 * v + 1, 2 * v + 1, nullptr)) return true;
      }
    }
    return false;
  }
  Components parts_of_states() const {
    return components(states(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) { return next(v, cursor, w); });
  }

  void add(const std::vector<Edge>& edges, std::uint32_t choice) {
    for (const Edge& edge : edges) {
      if (edge.from != edge.to) added_[edge.from].push_back({edge.to, edge.kind, choice, edge.key, edge.value});
    }
  }
  void remove(const std::vector<Edge>& edges) {
    for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge) {
      if (edge->from != edge->to) added_[edge->from].pop_back();
    }
  }
  const std::vector<Edge>& side(std::size_t choice, bool one) const { return one ? in_.choices[choice].one : in_.choices[choice].other; }

  // All choices as a topological order has them. True: no cycle.
  bool guess() {
    const std::vector<std::uint32_t> rank = topological_order();
    for (std::size_t c = 0; c < in_.choices.size(); ++c) {
      add(side(c, rank[in_.choices[c].first] < rank[in_.choices[c].second]), static_cast<std::uint32_t>(c));
    }
    const bool good = cyclic() == false;
    for (std::size_t c = in_.choices.size(); c-- > 0;) remove(side(c, rank[in_.choices[c].first] < rank[in_.choices[c].second]));
    return good;
  }

  // By Kahn, earliest invocation first; for each node the place of its latest state.
  // Where something is counted, of all nodes: serializability or, with each anti-dependency in its pair, snapshot isolation.
  std::vector<std::uint32_t> topological_order() {
    const bool counts = std::exchange(counts_, false);
    if (kind_ == OrderKind::single) space_ = Space::snapshot;
    std::vector<std::uint32_t> rank = topological_order_of_states();
    counts_ = counts;
    if (counts_) space_.reset();
    return rank;
  }
  std::vector<std::uint32_t> topological_order_of_states() const {
    std::vector<std::uint32_t> degree(states(), 0);
    std::uint32_t to = 0;
    for (std::uint32_t v = 0; v < states(); ++v) {
      for (std::uint32_t cursor = 0; next(v, cursor, to);) ++degree[to];
    }
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ready;
    for (std::uint32_t v = 0; v < states(); ++v) {
      if (degree[v] == 0) ready.push(v);
    }
    std::vector<std::uint32_t> rank(graph_.size(), 0);
    for (std::uint32_t place = 1; !ready.empty(); ++place) {
      const std::uint32_t v = ready.top();
      ready.pop();
      rank[node_of(v)] = std::max(rank[node_of(v)], place);
      for (std::uint32_t cursor = 0; next(v, cursor, to);) {
        if (--degree[to] == 0) ready.push(to);
      }
    }
    return rank;
  }

  // Whether adding the edges of a choice closes a cycle. The decisions that the cycle goes through are added to `why`.
  bool closes(std::size_t choice, bool one, std::vector<std::uint32_t>* why, std::vector<Edge>* cycle = nullptr) {
    const auto& edges = side(choice, one);
    add(edges, static_cast<std::uint32_t>(choice));
    const bool closed = std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) { return edge.from != edge.to && closed_through(edge, why, cycle); });
    remove(edges);
    return closed;
  }
  bool closed_through(const Edge& edge, std::vector<std::uint32_t>* why, std::vector<Edge>* cycle) {
    const std::uint32_t from = pairs() ? 2 * edge.from : edge.from;
    for (std::uint32_t half = 0; half < (space_ ? 2u : 1u); ++half) {
      const std::uint32_t to = after(from + half, edge.to, edge.kind);
      // Where something is counted the edge's beginning is the goal before and behind it.
      if (to == kNone || !reaches(to, from + half, counts_ ? from + 1 : from + half, why)) continue;
      if (cycle != nullptr) *cycle = closed_by(edge, to, reached_);
      return true;
    }
    return false;
  }

  bool reaches(std::uint32_t from, std::uint32_t goal, std::uint32_t other_goal, std::vector<std::uint32_t>* why) {
    if (stamp_.size() < states()) {
      stamp_.assign(states(), 0);
      parent_.resize(states());
    }
    ++epoch_;
    stack_.assign(1, from);
    stamp_[from] = epoch_;
    while (!stack_.empty()) {
      reached_ = stack_.back();
      if (reached_ == goal || reached_ == other_goal) break;
      stack_.pop_back();
      const std::uint32_t v = reached_;
      std::uint32_t to = 0, choice = kNone;
      for (std::uint32_t cursor = 0; next(v, cursor, to, &choice);) {
        ++steps_;
        if (stamp_[to] == epoch_) continue;
        stamp_[to] = epoch_;
        parent_[to] = {v, choice};
        stack_.push_back(to);
      }
    }
    if (stack_.empty()) return false;
    if (why != nullptr) {
      for (std::uint32_t v = reached_; v != from; v = parent_[v].first) {
        if (parent_[v].second != kNone) why->push_back(parent_[v].second);
      }
    }
    return true;
  }

  // The cycle of the last reaches(): `first`, and the way from its end back to its beginning.
  std::vector<Edge> closed_by(const Edge& first, std::uint32_t from, std::uint32_t goal) const {
    std::vector<Edge> out;
    for (std::uint32_t v = goal; v != from; v = parent_[v].first) out.push_back(edge_between(parent_[v].first, v));
    out.push_back(first);
    std::reverse(out.begin(), out.end());
    return between_transactions(graph_, out);
  }
  Edge edge_between(std::uint32_t state, std::uint32_t goal) const {
    const std::uint32_t node = node_of(state);
    Edge edge;
    for (std::uint32_t cursor = 0; graph_.next(node, mask_, cursor, edge);) {
      if (after(state, edge.to, edge.kind) == goal) return edge;
    }
    for (const Added& one : added_[node]) {
      if (after(state, one.to, one.kind) == goal) return {node, one.to, one.key, one.value, one.kind};
    }
    return {node, node_of(goal), kNone, kAbsent, EdgeKind::ww};
  }

  bool late() {
    if (steps_ < next_look_) return false;
    next_look_ = steps_ + 1'000'000;
    return out_of_budget_();
  }

  // False: the answer is found.
  bool prune() {
    open_.resize(in_.choices.size());
    for (std::uint32_t c = 0; c < open_.size(); ++c) open_[c] = c;
    for (bool changed = true; changed;) {
      changed = false;
      std::vector<std::uint32_t> left;
      for (const std::uint32_t c : open_) {
        if (late()) {
          answer_.possible = Possible::undecided;
          return false;
        }
        const bool one = closes(c, true, nullptr), other = closes(c, false, nullptr);
        if (one && other) {
          answer_ = {Possible::no, {in_.choices[c].first, in_.choices[c].second}, in_.choices[c].key, {}, {}};
          (void)closes(c, true, nullptr, &answer_.if_first);
          (void)closes(c, false, nullptr, &answer_.if_second);
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

  struct Decision {
    std::uint32_t choice = 0;
    bool one = true;
    bool second = false;                // the other side was refuted
    std::vector<std::uint32_t> why;     // the decisions that refuted it
  };

  Possible backtrack() {
    std::vector<Decision> path;
    std::vector<std::uint32_t> depth_of(in_.choices.size(), kNone);
    while (path.size() < open_.size()) {
      if (late()) return Possible::undecided;
      Decision next_one{open_[path.size()], true, false, {}};
      while (true) {
        std::vector<std::uint32_t> why;
        if (!closes(next_one.choice, next_one.one, &why)) break;
        next_one.why.insert(next_one.why.end(), why.begin(), why.end());
        if (!next_one.second) {
          next_one.second = true;
          next_one.one = !next_one.one;
          continue;
        }
        // Both sides are refuted: go back to the latest decision that had a part in it and has a side left.
        std::vector<std::uint32_t> reasons = std::move(next_one.why);
        while (true) {
          std::uint32_t latest = kNone;
          for (const std::uint32_t c : reasons) {
            if (c != next_one.choice && depth_of[c] != kNone && (latest == kNone || depth_of[c] > latest)) latest = depth_of[c];
          }
          if (latest == kNone) return Possible::no;
          while (path.size() > latest + 1) drop(path, depth_of);
          Decision culprit = std::move(path.back());
          drop(path, depth_of);
          culprit.why.insert(culprit.why.end(), reasons.begin(), reasons.end());
          std::erase(culprit.why, culprit.choice);
          std::sort(culprit.why.begin(), culprit.why.end());
          culprit.why.erase(std::unique(culprit.why.begin(), culprit.why.end()), culprit.why.end());
          next_one = std::move(culprit);
          if (!next_one.second) {
            next_one.second = true;
            next_one.one = !next_one.one;
            break;
          }
          reasons = next_one.why;
        }
      }
      add(side(next_one.choice, next_one.one), next_one.choice);
      depth_of[next_one.choice] = static_cast<std::uint32_t>(path.size());
      path.push_back(std::move(next_one));
    }
    return Possible::yes;
  }

  void drop(std::vector<Decision>& path, std::vector<std::uint32_t>& depth_of) {
    const Decision& last = path.back();
    remove(side(last.choice, last.one));
    depth_of[last.choice] = kNone;
    if (path.size() > 1 || !path.empty()) path.resize(path.size() - 1);
  }

  const Inference& in_;
  const DependencyGraph& graph_;
  OrderKind kind_;
  std::optional<Space> space_;
  bool counts_ = false;  // at most one of something is allowed
  unsigned mask_;
  const std::function<bool()>& out_of_budget_;
  std::vector<std::vector<Added>> added_;
  std::vector<std::uint32_t> open_;
  std::vector<std::uint32_t> stamp_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> parent_;
  std::vector<std::uint32_t> stack_;
  std::vector<std::uint8_t> only_reads_;  // by node, for `updates`
  std::uint32_t epoch_ = 0;
  std::uint32_t reached_ = 0;  // where the last reaches() ended
  std::uint64_t steps_ = 0, next_look_ = 0;
  OrderAnswer answer_;
};

}  // namespace

OrderAnswer find_order(const Inference& inference, OrderKind kind, unsigned extra, const std::function<bool()>& out_of_budget) {
  return OrderSearch(inference, kind, extra, out_of_budget).run();
}

}  // namespace ordeal::txn
