#pragma once
// DependencyGraph: which transaction must come before which, and why (Adya, Liskov and O'Neil, 2000).
//
// Nodes are transactions, then helpers, then one point in time for each completion. A helper stands for "whoever
// writes the key next" where readers and candidates would make a quadratic number of edges. The points of time
// make real time linear: a transaction leads to the point of its completion, each point to the next one, and the last
// point before an invocation to the transaction invoked; the same pairs are connected as by all real-time edges.
// Session and time edges are not stored; of others the node and the micro-operation that proves them are (8 bytes).
// Info transactions that nobody observed may not have happened: nothing may be said to come after them.
// Thread-safety: immutable after freeze().

#include <cstdint>
#include <vector>

#include "checkers/transactions/transactions.h"

namespace ordeal::txn {

enum class EdgeKind : std::uint8_t { ww, wr, rw, onward, process, realtime };

struct Edge {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  KeyIndex key = kNone;
  ValueId value = kAbsent;  // ww, rw: what `to` wrote; wr: what `from` wrote
  EdgeKind kind = EdgeKind::ww;
};

// Which edges are looked at.
enum EdgeMask : unsigned {
  kWW = 1,
  kWR = 2,
  kRW = 4,
  kProcess = 8,
  kRealtime = 16,
  kDependencies = kWW | kWR,
  kAllData = kWW | kWR | kRW,
};

// A micro-operation that proves an edge, by its place in Transactions::micro, and the edge's kind in one word: the
// write of `to` (ww, rw), the write of `from` (wr), or any of the key.
class EdgeCause {
 public:
  static constexpr std::uint32_t kMaxMicroOps = (1u << 29) - 1;
  EdgeCause() = default;
  EdgeCause(std::uint32_t micro, EdgeKind kind)
      : bits_((micro == kNone ? kMaxMicroOps : micro) << 3 | static_cast<std::uint32_t>(kind)) {}
  [[nodiscard]] EdgeKind kind() const { return static_cast<EdgeKind>(bits_ & 7); }
  [[nodiscard]] std::uint32_t micro() const { return bits_ >> 3 == kMaxMicroOps ? kNone : bits_ >> 3; }

 private:
  std::uint32_t bits_ = 0;
};

// Edges before they are put into a graph. Several may be filled at the same time and be given to the graph one after
// the other; helpers are numbered from kHelper until then.
class EdgeList {
 public:
  static constexpr std::uint32_t kHelper = 1u << 31;
  // A new helper node; `onward` edges leave it.
  std::uint32_t add_helper() { return kHelper + helpers_++; }
  void add(std::uint32_t from, std::uint32_t to, std::uint32_t micro, EdgeKind kind) {
    if (from != to) edges_.push_back({from, to, EdgeCause(micro, kind)});
  }

 private:
  friend class DependencyGraph;
  struct Pending {
    std::uint32_t from, to;
    EdgeCause cause;
  };
  std::vector<Pending> edges_;
  std::uint32_t helpers_ = 0;
};

class DependencyGraph {
 public:
  // Borrows the transactions.
  explicit DependencyGraph(const Transactions& txns);
  DependencyGraph(DependencyGraph&&) = default;

  // Takes the edges, and numbers the points in time. Requires: called once, and before anything is asked.
  void freeze(std::vector<EdgeList> lists);

  [[nodiscard]] std::uint32_t transactions() const { return transactions_; }
  [[nodiscard]] std::uint32_t size() const { return time_base_ + static_cast<std::uint32_t>(points_); }
  [[nodiscard]] bool is_transaction(std::uint32_t node) const { return node < transactions_; }
  // False for transactions that may not have committed; true for everything else.
  [[nodiscard]] bool acknowledged(std::uint32_t node) const {
    return !is_transaction(node) || txns_->outcome[node] == Outcome::ok;
  }
  // In real time; nothing is known to come after transactions that may not have committed.
  [[nodiscard]] bool ended_before(TxnIndex a, TxnIndex b) const {
    return txns_->completion[a] != kNoEvent && txns_->completion[a] < txns_->invocation[b];
  }
  [[nodiscard]] std::size_t edge_count() const { return edges_.size(); }
  // Calls f(edge) for all stored edges of a kind, by the node that they leave.
  template <class F>
  void for_each(EdgeKind kind, F&& f) const {
    for (std::uint32_t v = 0; v < time_base_; ++v) {
      for (std::uint32_t e = offsets_[v]; e < offsets_[v + 1]; ++e) {
        if (edges_[e].cause.kind() == kind) f(whole(v, edges_[e]));
      }
    }
  }

  // Walks the successors of `v`: start with cursor 0 and call until it returns false.
  bool next(std::uint32_t v, unsigned mask, std::uint32_t& cursor, Edge& out) const {
    const std::uint32_t first = first_edge(v), degree = first_edge(v + 1) - first;
    while (cursor < degree) {
      const Stored& edge = edges_[first + cursor++];
      if (allowed(edge.cause.kind(), mask)) {
        out = whole(v, edge);
        return true;
      }
    }
    return next_implicit(v, mask, cursor, degree, out);
  }
  // The same for the node and the kind alone.
  bool next(std::uint32_t v, unsigned mask, std::uint32_t& cursor, std::uint32_t& to, EdgeKind& kind) const {
    const std::uint32_t first = first_edge(v), degree = first_edge(v + 1) - first;
    while (cursor < degree) {
      const Stored& edge = edges_[first + cursor++];
      kind = edge.cause.kind();
      if (allowed(kind, mask)) {
        to = edge.to;
        return true;
      }
    }
    Edge out;
    if (!next_implicit(v, mask, cursor, degree, out)) return false;
    to = out.to;
    kind = out.kind;
    return true;
  }

 private:
  struct Stored {
    std::uint32_t to;
    EdgeCause cause;
  };
  static bool allowed(EdgeKind kind, unsigned mask) {
    switch (kind) {
      case EdgeKind::ww:
        return mask & kWW;
      case EdgeKind::wr:
        return mask & kWR;
      case EdgeKind::rw:
        return mask & kRW;
      case EdgeKind::process:
        return mask & kProcess;
      default:
        return true;  // helpers are reached by anti-dependencies only
    }
  }
  std::uint32_t first_edge(std::uint32_t v) const { return v < time_base_ ? offsets_[v] : offsets_.back(); }
  Edge whole(std::uint32_t from, const Stored& edge) const {
    Edge out{from, edge.to, kNone, kAbsent, edge.cause.kind()};
    if (const std::uint32_t m = edge.cause.micro(); m != kNone) {
      const MicroOp& op = txns_->micro[m];
      out.key = op.key;
      if (op.kind != MicroKind::read) out.value = op.value;
    }
    return out;
  }
  bool next_implicit(std::uint32_t v, unsigned mask, std::uint32_t& cursor, std::uint32_t degree, Edge& out) const;

  const Transactions* txns_;
  std::uint32_t transactions_ = 0;
  std::uint32_t time_base_ = 0;
  std::size_t points_ = 0;
  std::vector<Stored> edges_;
  std::vector<std::uint32_t> offsets_;
  EdgeList sessions_;                           // to crashed transactions
  std::vector<std::uint32_t> next_in_session_;  // by transaction
  std::vector<std::uint32_t> point_of_;         // by transaction: its completion's point
  std::vector<std::uint32_t> first_after_;      // by point: first transaction invoked after it (and before the next)
};

// Tarjan's algorithm without recursion. Component numbers are a reverse topological order. `successor(v, cursor, w)`
// walks the successors of v. O(V + E).
struct Components {
  std::vector<std::uint32_t> of;    // by node
  std::vector<std::uint32_t> size;  // by component
  [[nodiscard]] bool same(std::uint32_t a, std::uint32_t b) const { return of[a] == of[b]; }
};

template <class Successor>
Components components(std::uint32_t nodes, Successor&& successor) {
  Components out;
  out.of.assign(nodes, kNone);
  std::vector<std::uint32_t> low(nodes, 0);  // 0: not visited
  struct Frame {
    std::uint32_t node;
    std::uint32_t cursor;
  };
  std::vector<Frame> frames;
  std::vector<std::uint32_t> stack;
  std::uint32_t clock = 0;
  std::vector<std::uint32_t> entered(nodes, 0);
  for (std::uint32_t root = 0; root < nodes; ++root) {
    if (low[root] != 0) continue;
    low[root] = entered[root] = ++clock;
    frames.push_back({root, 0});
    stack.push_back(root);
    while (!frames.empty()) {
      const std::uint32_t v = frames.back().node;
      std::uint32_t w = 0;
      if (successor(v, frames.back().cursor, w)) {
        if (low[w] == 0) {
          low[w] = entered[w] = ++clock;
          frames.push_back({w, 0});
          stack.push_back(w);
        } else if (out.of[w] == kNone && entered[w] < low[v]) {
          low[v] = entered[w];
        }
        continue;
      }
      frames.pop_back();
      if (!frames.empty() && low[v] < low[frames.back().node]) low[frames.back().node] = low[v];
      if (low[v] != entered[v]) continue;
      const auto number = static_cast<std::uint32_t>(out.size.size());
      std::uint32_t count = 0;
      for (std::uint32_t w2 = kNone; w2 != v; ++count) {
        w2 = stack.back();
        stack.pop_back();
        out.of[w2] = number;
      }
      out.size.push_back(count);
    }
  }
  return out;
}

// `within`: components of the graph with more edges. Only nodes in those of more than one node, and edges inside them,
// are looked at; every other node is a component of its own. nullptr: everything. Throws OutOfLimits.
[[nodiscard]] Components components(const DependencyGraph& graph, unsigned mask, const Components* within = nullptr,
                                    const Limits& limits = {});
// The graph as seen by models that forbid some cycles only: pairs of a node and a bit that says how it was reached,
// such that exactly the forbidden cycles are cycles of pairs. Node v is 2v and 2v + 1.
//   snapshot  no two anti-dependencies in a row (Cerone and Gotsman, 2016). 2v + 1: reached by an anti-dependency.
//   prefix    each anti-dependency follows a read, a session or time (Cerone, Gotsman and Yang, 2017). 2v + 1: reached
//   by one
//             of those.
enum class Space { snapshot, prefix };
// The pair that an edge leads to; kNone when it may not be taken.
[[nodiscard]] inline std::uint32_t step(Space space, std::uint32_t state, std::uint32_t to, EdgeKind kind) {
  if (kind == EdgeKind::onward) return 2 * to + (state & 1);
  if (space == Space::snapshot) {
    if (kind != EdgeKind::rw) return 2 * to;
    return (state & 1) ? kNone : 2 * to + 1;
  }
  if (kind == EdgeKind::rw) return (state & 1) ? 2 * to : kNone;
  return kind == EdgeKind::ww ? 2 * to : 2 * to + 1;
}
// The pair of `v` from which an anti-dependency may be taken.
[[nodiscard]] inline std::uint32_t before_rw(Space space, std::uint32_t v) {
  return space == Space::snapshot ? 2 * v : 2 * v + 1;
}
[[nodiscard]] Components pair_components(const DependencyGraph& graph, Space space, unsigned mask,
                                         const Components* within = nullptr, const Limits& limits = {});

}  // namespace ordeal::txn
