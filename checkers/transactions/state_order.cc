#include "checkers/transactions/state_order.h"

#include <algorithm>
#include <limits>
#include <queue>

#include "checkers/transactions/cycles.h"

namespace ordeal::txn {

StateOrder::StateOrder(const DependencyGraph& graph, const Transactions& txns, std::optional<Space> space,
                       unsigned mask)
    : graph_(graph),
      txns_(txns),
      space_(space),
      mask_(mask),
      states_(graph.size() * (space ? 2 : 1)),
      added_(graph.size()) {}

void StateOrder::add_known(const std::vector<Edge>& edges) {
  for (const Edge& edge : edges) {
    if (edge.from != edge.to) added_[edge.from].push_back({edge.to, kNone, edge.key, edge.value, edge.kind});
  }
}

bool StateOrder::next(std::uint32_t state, std::uint32_t& cursor, std::uint32_t& to, std::uint32_t* label) const {
  constexpr std::uint32_t kAddedBase = 1u << 31;
  const std::uint32_t node = node_of(state);
  EdgeKind kind{};
  while (cursor < kAddedBase && graph_.next(node, mask_, cursor, to, kind)) {
    to = after(state, to, kind);
    if (label != nullptr) *label = kNone;
    if (to != kNone) return true;
  }
  if (cursor < kAddedBase) cursor = kAddedBase;
  const auto& added = added_[node];
  while (cursor - kAddedBase < added.size()) {
    const Pushed& one = added[cursor++ - kAddedBase];
    to = after(state, one.to, one.kind);
    if (label != nullptr) *label = one.label;
    if (to != kNone) return true;
  }
  return false;
}

// Kahn's algorithm; of what may come next, what has the lowest rank first.
bool StateOrder::sort() {
  std::vector<std::uint32_t> degree(states_, 0);
  std::uint32_t to = 0;
  for (std::uint32_t v = 0; v < states_; ++v) {
    for (std::uint32_t cursor = 0; next(v, cursor, to);) ++degree[to];
  }
  std::vector<std::uint64_t> rank;
  if (!time_helps() && !rank_by_depth(degree, rank)) return false;
  using Entry = std::pair<std::uint64_t, std::uint32_t>;
  const auto entry = [&](std::uint32_t state) -> Entry {
    return {rank.empty() ? time_of(node_of(state)) : rank[state], state};
  };
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  for (std::uint32_t v = 0; v < states_; ++v) {
    if (degree[v] == 0) ready.push(entry(v));
  }
  place_.assign(states_, 0);
  at_.clear();
  at_.reserve(states_);
  while (!ready.empty()) {
    const std::uint32_t v = ready.top().second;
    ready.pop();
    place_[v] = static_cast<std::uint32_t>(at_.size());
    at_.push_back(v);
    for (std::uint32_t cursor = 0; next(v, cursor, to);) {
      if (--degree[to] == 0) ready.push(entry(to));
    }
  }
  stamp_.assign(states_, 0);
  parent_.resize(states_);
  forget_moves();
  return at_.size() == states_;
}

// False: so many dependencies go back in time that the clocks, or the order of the file, say little.
bool StateOrder::time_helps() const {
  if (mask_ & kRealtime) return true;
  constexpr std::size_t kFew = 64;  // one in so many
  std::size_t edges = 0, back = 0;
  for (TxnIndex v = 0; v < graph_.transactions(); ++v) {
    std::uint32_t to = 0;
    EdgeKind kind{};
    for (std::uint32_t cursor = 0; graph_.next(v, kDependencies, cursor, to, kind);) {
      if (!graph_.is_transaction(to)) continue;
      ++edges;
      back += graph_.ended_before(to, v) ? 1 : 0;
    }
  }
  return back * kFew <= edges;
}

// Ranks each state by depth: what nothing depends on as soon as it can come (the longest way from a beginning), and
// everything else right before the first that depends on it. What depends on what has a higher rank, and what took
// effect at about the same time mostly has about the same rank. False: there is a cycle.
bool StateOrder::rank_by_depth(std::vector<std::uint32_t> degree, std::vector<std::uint64_t>& rank) const {
  std::vector<std::uint32_t> line;
  line.reserve(states_);
  for (std::uint32_t v = 0; v < states_; ++v) {
    if (degree[v] == 0) line.push_back(v);
  }
  rank.assign(states_, 0);
  std::uint32_t to = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::uint32_t v = line[i];
    for (std::uint32_t cursor = 0; next(v, cursor, to);) {
      rank[to] = std::max(rank[to], rank[v] + 1);
      if (--degree[to] == 0) line.push_back(to);
    }
  }
  if (line.size() != states_) return false;
  for (std::size_t i = line.size(); i-- > 0;) {
    const std::uint32_t v = line[i];
    std::uint64_t first = std::numeric_limits<std::uint64_t>::max();
    for (std::uint32_t cursor = 0; next(v, cursor, to);) first = std::min(first, rank[to]);
    if (first != std::numeric_limits<std::uint64_t>::max()) rank[v] = first - 1;
  }
  return true;
}

// Helpers and points in time come as soon as they may.
std::uint64_t StateOrder::time_of(std::uint32_t node) const {
  if (!graph_.is_transaction(node)) return 0;
  const EventIndex end = txns_.outcome[node] == Outcome::ok ? txns_.completion[node] : txns_.invocation[node];
  return std::uint64_t{txns_.invocation[node]} + end;
}

bool StateOrder::ends_before(std::uint32_t a, std::uint32_t b) const {
  return (mask_ & kRealtime) && graph_.is_transaction(a) && graph_.is_transaction(b) &&
         txns_.outcome[a] == Outcome::ok && txns_.outcome[b] != Outcome::fail &&
         txns_.completion[a] < txns_.invocation[b];
}

bool StateOrder::reaches(std::uint32_t from, std::uint32_t goal) {
  const std::uint32_t limit = place_[goal];
  if (place_[from] > limit) return false;
  ++epoch_;
  stack_.assign(1, from);
  stamp_[from] = epoch_;
  const std::uint32_t last = node_of(goal);
  while (!stack_.empty()) {
    const std::uint32_t v = stack_.back();
    if (v == goal) return true;
    stack_.pop_back();
    if (ends_before(node_of(v), last) && after(v, last, EdgeKind::realtime) == goal) {
      parent_[goal] = {v, kTime};
      return true;
    }
    std::uint32_t to = 0, label = kNone;
    for (std::uint32_t cursor = 0; next(v, cursor, to, &label);) {
      ++steps_;
      if (stamp_[to] == epoch_ || place_[to] > limit) continue;
      stamp_[to] = epoch_;
      parent_[to] = {v, label};
      stack_.push_back(to);
    }
  }
  return false;
}

// What the last search met between two places goes behind the second.
void StateOrder::move_behind(std::uint32_t first, std::uint32_t last) {
  moved_.clear();
  std::uint32_t free = first;
  for (std::uint32_t i = first; i <= last; ++i) {
    const std::uint32_t state = at_[i];
    if (stamp_[state] == epoch_) {
      moved_.push_back(state);
      has_moved_[state] = true;
      continue;
    }
    at_[free] = state;
    place_[state] = free++;
  }
  for (const std::uint32_t state : moved_) {
    at_[free] = state;
    place_[state] = free++;
  }
  steps_ += (last - first) / 8;
}

// Makes the order agree with an edge. False: it closes a cycle.
bool StateOrder::agree(const Edge& edge, bool move) {
  return each_pair(edge, [&](std::uint32_t from, std::uint32_t to) {
    if (place_[from] < place_[to]) return true;
    if (reaches(to, from)) {
      closing_ = edge;
      closing_from_ = from;
      closing_to_ = to;
      return false;
    }
    if (move) move_behind(place_[to], place_[from]);
    return true;
  });
}

bool StateOrder::push(const std::vector<Edge>& edges, std::uint32_t label) {
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    if (!counts(edge)) continue;
    if (!agree(edge, true)) {
      closing_label_ = label;
      pop(std::span(edges).first(i));
      return false;
    }
    added_[edge.from].push_back({edge.to, label, edge.key, edge.value, edge.kind});
  }
  return true;
}

void StateOrder::pop(std::span<const Edge> edges) {
  for (const Edge& edge : edges) {
    if (counts(edge)) added_[edge.from].pop_back();
  }
}

bool StateOrder::forward(const std::vector<Edge>& edges) const {
  return std::all_of(edges.begin(), edges.end(), [&](const Edge& edge) {
    return each_pair(edge, [&](std::uint32_t from, std::uint32_t to) { return place_[from] < place_[to]; });
  });
}

// Each edge alone: a cycle that needs two of them is met when they are pushed.
bool StateOrder::closes(const std::vector<Edge>& edges) {
  return std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) { return closes(edge); });
}
bool StateOrder::closes(const Edge& edge) {
  closing_label_ = kNone;
  return !agree(edge, false);
}

std::vector<StateOrder::Passed> StateOrder::passed() const {
  std::vector<Passed> out{{closing_from_, closing_label_}};
  for (std::uint32_t v = closing_from_; v != closing_to_; v = parent_[v].from)
    out.push_back({parent_[v].from, parent_[v].label});
  return out;
}

std::vector<std::uint32_t> StateOrder::labels() const {
  std::vector<std::uint32_t> out;
  for (const Passed& one : passed()) {
    if (one.label < kTime) out.push_back(one.label);
  }
  return out;
}

std::vector<TxnIndex> StateOrder::transactions() const {
  std::vector<TxnIndex> out;
  for (const Passed& one : passed()) {
    if (graph_.is_transaction(node_of(one.state))) out.push_back(node_of(one.state));
  }
  return out;
}

std::vector<Edge> StateOrder::cycle() const {
  std::vector<Edge> out;
  for (std::uint32_t v = closing_from_; v != closing_to_; v = parent_[v].from) {
    const std::uint32_t before = parent_[v].from;
    if (parent_[v].label == kTime) {
      out.push_back({node_of(before), node_of(v), kNone, kAbsent, EdgeKind::realtime});
    } else {
      out.push_back(edge_between(before, v));
    }
  }
  out.push_back(closing_);
  std::reverse(out.begin(), out.end());
  return between_transactions(graph_, out);
}

Edge StateOrder::edge_between(std::uint32_t state, std::uint32_t goal) const {
  const std::uint32_t node = node_of(state);
  Edge edge;
  for (std::uint32_t cursor = 0; graph_.next(node, mask_, cursor, edge);) {
    if (after(state, edge.to, edge.kind) == goal) return edge;
  }
  for (const Pushed& one : added_[node]) {
    if (after(state, one.to, one.kind) == goal) return {node, one.to, one.key, one.value, one.kind};
  }
  return {node, node_of(goal), kNone, kAbsent, EdgeKind::ww};
}

}  // namespace ordeal::txn
