#pragma once
// StateOrder: the known dependencies and those assumed for the moment, kept in an order that they all agree with.
//
// States are the nodes of the dependency graph, or the pairs of a Space. A new edge that goes forward in the order
// costs nothing; one that goes back is followed by a search between its two ends, which finds a cycle or moves what it
// met behind the edge's beginning (Marchetti-Spaccamela, Nanni and Rohnert, 1996). Taking an edge back changes no
// order, so edges are a stack. Where real time counts, the searches stay within what was concurrent. Thread-safety:
// none.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "checkers/transactions/inference.h"

namespace ordeal::txn {

class StateOrder {
 public:
  // `mask`: the edges of the graph that count. Borrows the graph.
  StateOrder(const DependencyGraph& graph, const Transactions& txns, std::optional<Space> space, unsigned mask);

  // Edges that hold from the start, besides those of the graph.
  void add_known(const std::vector<Edge>& edges);
  // Orders the states by what is known, in the order of time where nothing is, or by depth where time contradicts much
  // of what is known. False: that has a cycle. To be called once, before anything that follows.
  [[nodiscard]] bool sort();

  // Takes the edges to hold. False: that closes a cycle, and none of them was taken. Labels are small numbers.
  [[nodiscard]] bool push(const std::vector<Edge>& edges, std::uint32_t label);
  // Takes back what was pushed last.
  void pop(std::span<const Edge> edges);

  // Whether all edges go forward as things are, so that pushing them costs nothing.
  [[nodiscard]] bool forward(const std::vector<Edge>& edges) const;
  // Whether one of the edges closes a cycle; changes nothing.
  [[nodiscard]] bool closes(const std::vector<Edge>& edges);
  [[nodiscard]] bool closes(const Edge& edge);

  // Whether a node has another place among the others than when this was last forgotten; of those that have not, the
  // order is the same.
  [[nodiscard]] bool has_moved(std::uint32_t node) const {
    return space_ ? has_moved_[2 * node] || has_moved_[2 * node + 1] : has_moved_[node];
  }
  void forget_moves() { has_moved_.assign(states_, false); }

  // What the last push() or closes() met: the cycle as edges between transactions, its transactions, and the labels of
  // the pushed edges in it.
  [[nodiscard]] std::vector<Edge> cycle() const;
  [[nodiscard]] std::vector<TxnIndex> transactions() const;
  [[nodiscard]] std::vector<std::uint32_t> labels() const;

  // How many edges the searches have walked.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::uint32_t states() const { return states_; }

  // For what looks at all states at once.
  [[nodiscard]] std::uint32_t place(std::uint32_t state) const { return place_[state]; }
  // Of a node; of a pair, the first one.
  [[nodiscard]] std::uint32_t place_of(std::uint32_t node) const { return place_[space_ ? 2 * node : node]; }
  [[nodiscard]] std::uint32_t at(std::uint32_t place) const { return at_[place]; }
  // The next successor of a state; `cursor` begins with 0.
  [[nodiscard]] bool next(std::uint32_t state, std::uint32_t& cursor, std::uint32_t& to) const {
    return next(state, cursor, to, nullptr);
  }
  // Calls f(from, to) for the pairs of states that an edge connects, until it returns false. False: it did.
  template <class F>
  bool each_pair(const Edge& edge, F&& f) const {
    if (edge.from == edge.to) return true;
    for (std::uint32_t half = 0; half < (space_ ? 2u : 1u); ++half) {
      const std::uint32_t from = space_ ? 2 * edge.from + half : edge.from;
      const std::uint32_t to = after(from, edge.to, edge.kind);
      if (to != kNone && !f(from, to)) return false;
    }
    return true;
  }

 private:
  struct Pushed {
    std::uint32_t to = 0;
    std::uint32_t label = kNone;
    KeyIndex key = kNone;
    ValueId value = kAbsent;
    EdgeKind kind = EdgeKind::ww;
  };
  struct Step {
    std::uint32_t from = 0;
    std::uint32_t label = kNone;
  };
  struct Passed {
    std::uint32_t state = 0;
    std::uint32_t label = kNone;  // of the edge that leaves it
  };
  static constexpr std::uint32_t kTime = kNone - 1;  // the label of a step over many points in time at once

  std::uint32_t node_of(std::uint32_t state) const { return space_ ? state / 2 : state; }
  std::uint32_t after(std::uint32_t state, std::uint32_t to, EdgeKind kind) const {
    if (kind == EdgeKind::rw && !(mask_ & kRW)) return kNone;
    return space_ ? step(*space_, state, to, kind) : to;
  }
  bool next(std::uint32_t state, std::uint32_t& cursor, std::uint32_t& to, std::uint32_t* label) const;
  bool ends_before(std::uint32_t a, std::uint32_t b) const;
  // False for edges that say no more than real time does.
  bool counts(const Edge& edge) const { return edge.from != edge.to && !ends_before(edge.from, edge.to); }
  bool reaches(std::uint32_t from, std::uint32_t goal);
  bool agree(const Edge& edge, bool move);
  std::uint64_t time_of(std::uint32_t node) const;
  bool time_helps() const;
  bool rank_by_depth(std::vector<std::uint32_t> degree, std::vector<std::uint64_t>& rank) const;
  void move_behind(std::uint32_t first, std::uint32_t last);
  Edge edge_between(std::uint32_t state, std::uint32_t goal) const;
  std::vector<Passed> passed() const;

  const DependencyGraph& graph_;
  const Transactions& txns_;
  std::optional<Space> space_;
  unsigned mask_;
  std::uint32_t states_;
  std::vector<std::vector<Pushed>> added_;  // by node
  std::vector<std::uint32_t> place_;        // by state
  std::vector<std::uint32_t> at_;           // by place
  std::vector<std::uint32_t> stamp_;        // by state: the search that met it last
  std::vector<Step> parent_;
  std::vector<std::uint32_t> stack_, moved_;
  std::vector<bool> has_moved_;  // by state
  std::uint32_t epoch_ = 0;
  std::uint64_t steps_ = 0;
  // The last cycle: the edge that closed it, with the states it connects.
  Edge closing_;
  std::uint32_t closing_from_ = kNone, closing_to_ = kNone, closing_label_ = kNone;
};

}  // namespace ordeal::txn
