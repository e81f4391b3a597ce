#pragma once
// Which of many edges would close a cycle, asked all at once: reachability in bits over the order that the states are
// in. Where sessions and real time say nothing there is no small window in which to search for each edge alone.

#include <cstdint>
#include <functional>
#include <vector>

#include "checkers/transactions/state_order.h"

namespace ordeal::txn {

// An edge that is asked about and goes back in the order: it closes a cycle if its beginning is reached from its end.
struct BackEdge {
  std::uint32_t goal = 0;  // the place of the state where it begins
  std::uint32_t from = 0;  // the state where it ends
  std::uint32_t tag = 0;   // the caller's
};

// What is new since the same edges were asked last. One that closed no cycle then closes one now only if the way from
// its end to its beginning takes a new edge; and all of that way lies between the two in the order as it is now. So
// only edges with a new one between their ends are asked again: few where little is new.
class NewEdges {
 public:
  void add(const std::vector<Edge>& edges) { edges_.insert(edges_.end(), edges.begin(), edges.end()); }
  // From now on those are new that were added since the last call. Requires: the order holds them, and does not change
  // until all is asked.
  void next_round(const StateOrder& order);
  // Whether a new edge leads from one that is not before `from` to one that is not behind `to`. Before the first round
  // everything is new.
  [[nodiscard]] bool between(const StateOrder& order, std::uint32_t from, std::uint32_t to) const {
    return first_ || first_end_[order.place(from)] <= order.place(to);
  }

 private:
  bool first_ = true;
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> first_end_;  // by place: of the new edges that begin there or later, the first end
};

// Adds the pairs of states that an edge connects, as far as they go back in the order and have something new between
// them.
void add_back_edges(const StateOrder& order, const NewEdges& new_edges, const Edge& edge, std::uint32_t tag,
                    std::vector<BackEdge>& out);

// Beginnings are goals, a bit each, and states know the goals that they reach, from the last state in the order to the
// first: O(edges) of a part of the order for 512 goals a pass. How large a part depends on how far back the edges go:
// linear where what is asked about took effect about the same time and the order is good, else quadratic. Edges that go
// far back from something that next to nothing follows are answered one by one.
class ClosingEdges {
 public:
  // Borrows the order, which must not change.
  ClosingEdges(const StateOrder& order, std::vector<BackEdge> edges);
  // How many places in the order all passes together go over.
  [[nodiscard]] std::uint64_t places() const;
  // Calls closed(tag) for each edge that closes a cycle with what the order holds. `walked` counts edges. False: late()
  // said so, and not all were answered.
  [[nodiscard]] bool find(std::uint64_t& walked, const std::function<bool()>& late,
                          const std::function<void(std::uint32_t)>& closed) const;

  // Edges that are asked in one pass: those of some goals, and how far down the order it has to go.
  struct Pass {
    std::size_t begin = 0, end = 0;  // of the edges
    std::uint32_t goals = 0;
    std::uint32_t lowest = 0, last = 0;  // places
  };

 private:
  struct Successors;
  const StateOrder& order_;
  std::vector<BackEdge> edges_;
  std::vector<Pass> passes_;
};

}  // namespace ordeal::txn
