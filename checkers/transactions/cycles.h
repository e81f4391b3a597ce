#pragma once
// Cycles in the dependency graph, shortest first, named after Adya by the edges they need.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "checkers/transactions/inference.h"

namespace ordeal::txn {

struct Cycle {
  std::string type;         // "G1c", "G-single-realtime", …
  std::vector<Edge> edges;  // between transactions; the last leads back to the first
  std::uint32_t component = 0;  // how many transactions are in the strongly connected component
};

struct CycleSearch {
  std::vector<Cycle> cycles;
  bool acyclic = false;      // no cycle at all, with process and real-time edges
  bool complete = true;      // false: time ran out before everything was decided
  bool single_decided = true;  // whether G-single in every form was decided
};

// `out_of_budget` is asked now and then.
[[nodiscard]] CycleSearch find_cycles(const DependencyGraph& graph, const std::function<bool()>& out_of_budget);

// A cycle as a finding: one sentence an edge, and its picture.
[[nodiscard]] Finding explain(const Cycle& cycle, const Inference& inference, const History& history);

}  // namespace ordeal::txn
