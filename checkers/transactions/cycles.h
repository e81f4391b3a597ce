#pragma once
// Cycles in the dependency graph, shortest first, named after Adya by the edges they need.

#include <functional>
#include <string>
#include <vector>

#include "checkers/transactions/inference.h"

namespace ordeal::txn {

struct Cycle {
  std::string type;             // "G1c", "G-single-realtime", …
  std::vector<Edge> edges;      // between transactions; the last leads back to the first
  std::uint32_t component = 0;  // how many transactions are in the strongly connected component
};

struct CycleSearch {
  std::vector<Cycle> cycles;
  bool acyclic = false;  // no cycle at all, with process and real-time edges
  bool complete = true;  // false: the limits were reached before everything was decided
  std::string stopped;   // why it is not complete
};

[[nodiscard]] CycleSearch find_cycles(const DependencyGraph& graph, const Limits& limits);

// A cycle without helpers and points in time: what remains are edges between transactions. Where time leads into the
// cycle it leads as far as it can, so nobody stands between who came before them anyway.
[[nodiscard]] std::vector<Edge> between_transactions(const DependencyGraph& graph, const std::vector<Edge>& cycle);

// A cycle as a finding: one sentence an edge, and its picture. `why` says in its own words why an edge holds; where it
// returns nothing, or is not given, the kind of the edge does.
[[nodiscard]] Finding explain(const Cycle& cycle, const Inference& inference, const History& history,
                              const std::function<std::string(const Edge&)>& why = {});

// Gives a finding that was told in one sentence its transactions, with process and times, and its picture.
void complete(Finding& finding, const Inference& inference, const History& history);

// That no order of some writes is possible, as a finding: the transactions, and the circle that either order of two
// writes closes (empty when it takes more than one such question).
struct Dilemma {
  std::string type;
  std::vector<TxnIndex> txns;
  KeyIndex key = kNone;
  TxnIndex first = kNone, second = kNone;  // kNone: no single pair of writes shows it
  std::vector<Edge> if_first, if_second;
  bool sources = false;  // nor can anybody tell whose values some reads show
};
[[nodiscard]] Finding explain(const Dilemma& dilemma, const Inference& inference, const History& history);

}  // namespace ordeal::txn
