#include "checkers/transactions/graph.h"

#include <algorithm>
#include <unordered_map>

namespace ordeal::txn {

DependencyGraph::DependencyGraph(const Transactions& txns)
    : transactions_(static_cast<std::uint32_t>(txns.size())), time_base_(transactions_) {
  // Sessions: from one acknowledged transaction of a process to the next that did not fail. A crashed one may take
  // effect at any time later, so nothing follows it.
  next_in_session_.assign(transactions_, kNone);
  std::unordered_map<ProcessId, TxnIndex> last;
  std::vector<std::pair<EventIndex, TxnIndex>> completions;
  for (TxnIndex t = 0; t < transactions_; ++t) {
    if (txns.outcome[t] == Outcome::fail) continue;
    const auto found = last.find(txns.process[t]);
    if (txns.outcome[t] == Outcome::ok) {
      if (found != last.end()) next_in_session_[found->second] = t;
      last[txns.process[t]] = t;
      completions.emplace_back(txns.completion[t], t);
    } else if (found != last.end()) {
      edges_.push_back({found->second, t, kNone, kAbsent, EdgeKind::process});
    }
  }
  std::sort(completions.begin(), completions.end());
  points_ = completions.size();
  point_of_.assign(transactions_, kNone);
  first_after_.assign(points_ + 1, transactions_);
  TxnIndex t = 0;
  for (std::size_t i = 0; i < points_; ++i) {
    point_of_[completions[i].second] = static_cast<std::uint32_t>(i);
    while (t < transactions_ && txns.invocation[t] < completions[i].first) ++t;
    first_after_[i] = t;
  }
}

std::uint32_t DependencyGraph::add_helper() { return time_base_++; }

void DependencyGraph::freeze() {
  offsets_.assign(time_base_ + 1, 0);
  for (const Edge& edge : edges_) ++offsets_[edge.from + 1];
  for (std::size_t i = 1; i < offsets_.size(); ++i) offsets_[i] += offsets_[i - 1];
  std::vector<Edge> sorted(edges_.size());
  std::vector<std::uint32_t> place(offsets_.begin(), offsets_.end() - 1);
  for (const Edge& edge : edges_) sorted[place[edge.from]++] = edge;
  edges_ = std::move(sorted);
}

bool DependencyGraph::next_implicit(std::uint32_t v, unsigned mask, std::uint32_t& cursor, std::uint32_t degree,
                                    Edge& out) const {
  const std::uint32_t place = cursor - degree;
  out.from = v;
  out.key = kNone;
  out.value = kAbsent;
  if (v < transactions_) {
    if (place == 0) {
      ++cursor;
      if ((mask & kProcess) && next_in_session_[v] != kNone) {
        out.to = next_in_session_[v];
        out.kind = EdgeKind::process;
        return true;
      }
    }
    if (cursor - degree == 1) {
      ++cursor;
      if ((mask & kRealtime) && point_of_[v] != kNone) {
        out.to = time_base_ + point_of_[v];
        out.kind = EdgeKind::realtime;
        return true;
      }
    }
    return false;
  }
  if (v < time_base_ || !(mask & kRealtime)) return false;
  out.kind = EdgeKind::realtime;
  const std::uint32_t point = v - time_base_;
  // The transactions invoked between this completion and the next, then the next point.
  const std::uint32_t invoked = first_after_[point + 1] - first_after_[point];
  if (place < invoked) {
    out.to = first_after_[point] + place;
  } else if (place == invoked && point + 1 < points_) {
    out.to = v + 1;
  } else {
    return false;
  }
  ++cursor;
  return true;
}

Components components(const DependencyGraph& graph, unsigned mask) {
  return components(graph.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
    Edge edge;
    if (!graph.next(v, mask, cursor, edge)) return false;
    w = edge.to;
    return true;
  });
}

Components snapshot_components(const DependencyGraph& graph, unsigned mask) {
  return components(2 * graph.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
    Edge edge;
    while (graph.next(v / 2, mask, cursor, edge)) {
      w = snapshot_step(v, edge);
      if (w != kNone) return true;
    }
    return false;
  });
}

}  // namespace ordeal::txn
