#include "checkers/transactions/graph.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

namespace ordeal::txn {

DependencyGraph::DependencyGraph(const Transactions& txns)
    : txns_(&txns), transactions_(static_cast<std::uint32_t>(txns.size())), time_base_(transactions_) {
  // Sessions: from one acknowledged transaction of a process to the next that did not fail. A crashed one may take
  // effect at any time later, so nothing follows it.
  next_in_session_.assign(transactions_, kNone);
  boost::unordered_flat_map<ProcessId, TxnIndex> last;
  std::vector<TxnIndex> completed_at;  // by event
  for (TxnIndex t = 0; t < transactions_; ++t) {
    if (txns.outcome[t] == Outcome::fail) continue;
    auto& before = last.try_emplace(txns.process[t], kNone).first->second;
    if (txns.outcome[t] == Outcome::ok) {
      if (before != kNone) next_in_session_[before] = t;
      before = t;
      const EventIndex event = txns.completion[t];
      if (completed_at.size() <= event)
        completed_at.resize(std::max<std::size_t>(event + 1, completed_at.size() * 2), kNone);
      completed_at[event] = t;
      ++points_;
    } else if (before != kNone) {
      sessions_.add(before, t, kNone, EdgeKind::process);
    }
  }
  point_of_.assign(transactions_, kNone);
  first_after_.assign(points_ + 1, transactions_);
  TxnIndex t = 0;
  std::uint32_t point = 0;
  for (EventIndex event = 0; event < completed_at.size(); ++event) {
    if (completed_at[event] == kNone) continue;
    point_of_[completed_at[event]] = point;
    while (t < transactions_ && txns.invocation[t] < event) ++t;
    first_after_[point++] = t;
  }
}

void DependencyGraph::freeze(std::vector<EdgeList> lists) {
  lists.push_back(std::move(sessions_));
  for (EdgeList& list : lists) {
    for (EdgeList::Pending& edge : list.edges_) {
      if (edge.from >= EdgeList::kHelper) edge.from = edge.from - EdgeList::kHelper + time_base_;
      if (edge.to >= EdgeList::kHelper) edge.to = edge.to - EdgeList::kHelper + time_base_;
    }
    time_base_ += list.helpers_;
  }
  offsets_.assign(time_base_ + 2, 0);
  for (const EdgeList& list : lists) {
    for (const EdgeList::Pending& edge : list.edges_) ++offsets_[edge.from + 2];
  }
  for (std::size_t i = 1; i < offsets_.size(); ++i) offsets_[i] += offsets_[i - 1];
  edges_.resize(offsets_.back());
  // offsets_[v + 1] walks from the first edge of v to the first of v + 1.
  for (EdgeList& list : lists) {
    for (const EdgeList::Pending& edge : list.edges_) edges_[offsets_[edge.from + 1]++] = {edge.to, edge.cause};
    list = {};
  }
  offsets_.pop_back();
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

namespace {

constexpr std::size_t kStepsALook = 1'000'000;

// Whether an edge from `v` to `w` is within a component of several nodes.
bool inside(const Components* within, std::uint32_t v, std::uint32_t w) {
  return within == nullptr || within->same(v, w);
}
bool alone(const Components* within, std::uint32_t v) { return within != nullptr && within->size[within->of[v]] == 1; }

}  // namespace

Components components(const DependencyGraph& graph, unsigned mask, const Components* within, const Limits& limits) {
  std::size_t steps = 0;
  return components(graph.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
    EdgeKind kind{};
    if (++steps % kStepsALook == 0) limits.check();
    while (!alone(within, v) && graph.next(v, mask, cursor, w, kind)) {
      if (inside(within, v, w)) return true;
    }
    return false;
  });
}

Components pair_components(const DependencyGraph& graph, Space space, unsigned mask, const Components* within,
                           const Limits& limits) {
  std::size_t steps = 0;
  return components(2 * graph.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
    EdgeKind kind{};
    if (++steps % kStepsALook == 0) limits.check();
    std::uint32_t to = 0;
    while (!alone(within, v / 2) && graph.next(v / 2, mask, cursor, to, kind)) {
      w = step(space, v, to, kind);
      if (w != kNone && inside(within, v / 2, to)) return true;
    }
    return false;
  });
}

}  // namespace ordeal::txn
