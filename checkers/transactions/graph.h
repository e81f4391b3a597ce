#pragma once
// DependencyGraph: which transaction must come before which, and why (Adya, Liskov and O'Neil, 2000).
//
// Nodes are transactions, then helpers, then one point in time for each completion. A helper stands for "whoever
// writes the key next" where readers and candidates would make a quadratic number of edges. The points of time
// make real time linear: a transaction leads to the point of its completion, each point to the next one, and the last
// point before an invocation to the transaction invoked; the same pairs are connected as by all real-time edges.
// Session and time edges are not stored. Thread-safety: immutable after freeze().

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

class DependencyGraph {
 public:
  explicit DependencyGraph(const Transactions& txns);

  // A new helper node; `onward` edges leave it. Requires: not frozen.
  std::uint32_t add_helper();
  void add(const Edge& edge) {
    if (edge.from != edge.to) edges_.push_back(edge);
  }
  // Info transactions that nobody observed may not have happened: nothing may be said to come after them.
  // Sorts the edges and numbers the points in time.
  void freeze();

  [[nodiscard]] std::uint32_t transactions() const { return transactions_; }
  [[nodiscard]] std::uint32_t size() const { return time_base_ + static_cast<std::uint32_t>(points_); }
  [[nodiscard]] bool is_transaction(std::uint32_t node) const { return node < transactions_; }
  [[nodiscard]] const std::vector<Edge>& edges() const { return edges_; }
  // The edges that leave a node: edges()[first_edge(v) .. first_edge(v + 1)).
  [[nodiscard]] std::uint32_t first_edge(std::uint32_t v) const { return v < time_base_ ? offsets_[v] : offsets_.back(); }

  // Walks the successors of `v`: start with cursor 0 and call until it returns false.
  bool next(std::uint32_t v, unsigned mask, std::uint32_t& cursor, Edge& out) const {
    const std::uint32_t degree = first_edge(v + 1) - first_edge(v);
    while (cursor < degree) {
      const Edge& edge = edges_[first_edge(v) + cursor++];
      if (allowed(edge.kind, mask)) {
        out = edge;
        return true;
      }
    }
    return next_implicit(v, mask, cursor, degree, out);
  }

 private:
  static bool allowed(EdgeKind kind, unsigned mask) {
    switch (kind) {
      case EdgeKind::ww: return mask & kWW;
      case EdgeKind::wr: return mask & kWR;
      case EdgeKind::rw: return mask & kRW;
      case EdgeKind::process: return mask & kProcess;
      default: return true;  // helpers are reached by anti-dependencies only
    }
  }
  bool next_implicit(std::uint32_t v, unsigned mask, std::uint32_t& cursor, std::uint32_t degree, Edge& out) const;

  std::uint32_t transactions_ = 0;
  std::uint32_t time_base_ = 0;
  std::size_t points_ = 0;
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> offsets_;
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

[[nodiscard]] Components components(const DependencyGraph& graph, unsigned mask);
// Over pairs (node, did the last edge read?): node v is 2v, reached by an anti-dependency 2v + 1. A cycle there is one
// without two anti-dependencies in a row, which snapshot isolation forbids (Cerone and Gotsman, 2016).
[[nodiscard]] Components snapshot_components(const DependencyGraph& graph, unsigned mask);
// One step in that space; kNone when it may not be taken.
[[nodiscard]] inline std::uint32_t snapshot_step(std::uint32_t state, const Edge& edge) {
  if (edge.kind == EdgeKind::onward) return 2 * edge.to + (state & 1);
  if (edge.kind != EdgeKind::rw) return 2 * edge.to;
  return (state & 1) ? kNone : 2 * edge.to + 1;
}

}  // namespace ordeal::txn
