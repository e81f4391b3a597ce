// Which of Adya's phenomena a graph shows (Adya, Liskov and O'Neil, 2000; Cerone and Gotsman, 2016), in linear time
// each:
//
//   G0             an edge ww within a component of ww
//   G1c            an edge wr within a component of ww and wr
//   G-single       an edge rw from u to v, and a way back without rw: bit-parallel reachability in the acyclic graph
//                  of ww and wr
//   G-nonadjacent  an edge rw within a component of the pairs (node, last edge was rw?), where two rw never follow each
//                  other
//   G2-item        an edge rw within a component of everything
//
// (a cycle of ww with a crashed transaction in it is G1c, not G0: seen by others, it committed or G1a is shown, but at
// read uncommitted it may have been rolled back), each without session and time edges, then with sessions, then with
// real time. Edges of G-single are within a component of the pairs, too, so where snapshot isolation holds there is
// nothing to search. The witness is the shortest way back from one of some start edges (breadth first, points in time
// cost nothing).
//
// What a simpler cycle implies needs no name of its own: a component in which, say, a G-single was found is not asked
// for a G2-item. In a component of the whole graph beyond kLarge nodes, cycles are taken to be simpler than all others
// in it.

#include "checkers/transactions/cycles.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <new>
#include <optional>
#include <set>

namespace ordeal::txn {
namespace {

constexpr std::size_t kMaxComponents = 4;     // of a type, each with a witness
constexpr std::size_t kMaxTries = 24;         // start edges a component
constexpr std::size_t kMaxSteps = 4'000'000;  // of the tries of a component, after which the first cycle is taken
constexpr std::size_t kLanes = 8;             // words of reachability bits a pass
constexpr std::uint32_t kLarge = 200'000;
constexpr std::size_t kBytesPerNode = 20;  // of a search for components

struct Way {
  std::optional<Space> space;  // walk its pairs; nodes when absent
  unsigned mask = 0;
  bool acknowledged = false;  // leave out those that may not have committed
};

// From the simplest cycle to any; the cycles that prefix consistency forbids stand apart.
enum Rank { kG0, kG1c, kGSingle, kGNonadjacent, kG2Item, kGPrefix };
constexpr const char* kNames[] = {"G0", "G1c", "G-single", "G-nonadjacent", "G2-item", "G-prefix"};
constexpr const char* kOrders[] = {"", "-process", "-realtime"};
constexpr unsigned kExtra[] = {0, kProcess, kProcess | kRealtime};

class Search {
 public:
  Search(const DependencyGraph& graph, const Limits& limits) : graph_(graph), limits_(limits) {}

  // What was found, also when the limits are reached.
  CycleSearch run() {
    try {
      search();
    } catch (const OutOfLimits& problem) {
      result_.stopped = problem.what();
    } catch (const std::bad_alloc&) {
      result_.stopped = "the machine's memory was exhausted";
    }
    result_.complete = result_.stopped.empty();
    return std::move(result_);
  }

 private:
  void search() {
    limits_.need(graph_.size() * kBytesPerNode);
    const Components all = components(graph_, kAllData | kProcess | kRealtime, nullptr, limits_);
    result_.acyclic = trivial(all, graph_.size());
    if (result_.acyclic) return;
    everything_ = &all;
    for (order_ = 0; order_ < 3; ++order_) one_order();
  }
  static bool trivial(const Components& parts, std::uint32_t nodes) { return parts.size.size() == nodes; }

  // All types with the edges of one order.
  void one_order() {
    const unsigned extra = kExtra[order_];
    if (covered_whole(kG0)) return;
    const Components whole = order_ == 2 ? *everything_ : components(graph_, kAllData | extra, everything_, limits_);
    if (trivial(whole, graph_.size())) return;
    {
      const Components information = components(graph_, kDependencies | extra, &whole, limits_);
      if (!trivial(information, graph_.size())) {
        if (!covered_whole(kG0))
          witnesses(kG0, acknowledged_writes(extra, information), EdgeKind::ww, {{}, kWW | extra, true});
        if (!covered_whole(kG1c))
          witnesses(kG1c, components(graph_, kWW | extra, &information, limits_), EdgeKind::ww, {{}, kWW | extra});
        if (!covered_whole(kG1c)) witnesses(kG1c, information, EdgeKind::wr, {{}, kDependencies | extra});
      }
    }
    if (!covered_whole(kGSingle) || (order_ > 0 && !covered_whole(kGPrefix))) {
      const Components pairs = pair_components(graph_, Space::snapshot, kAllData | extra, &whole, limits_);
      if (!trivial(pairs, 2 * graph_.size())) {
        single(pairs, extra);
        if (order_ > 0) prefix(whole, extra);
        if (!covered_whole(kGNonadjacent))
          witnesses(kGNonadjacent, pairs, EdgeKind::rw, {Space::snapshot, kAllData | extra});
      }
    }
    if (!covered_whole(kG2Item)) witnesses(kG2Item, whole, EdgeKind::rw, {{}, kAllData | extra});
  }

  // The components of ww alone, without the transactions that may not have committed.
  Components acknowledged_writes(unsigned extra, const Components& within) const {
    return components(graph_.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
      EdgeKind kind{};
      while (graph_.acknowledged(v) && graph_.next(v, kWW | extra, cursor, w, kind)) {
        if (within.same(v, w) && graph_.acknowledged(w)) return true;
      }
      return false;
    });
  }

  // Prefix consistency contains the order of sessions. Its cycles are among those of the pairs of snapshot isolation.
  void prefix(const Components& whole, unsigned extra) {
    if (covered_whole(kGPrefix)) return;
    const Components pairs = pair_components(graph_, Space::prefix, kAllData | extra, &whole, limits_);
    if (!trivial(pairs, 2 * graph_.size())) witnesses(kGPrefix, pairs, EdgeKind::rw, {Space::prefix, kAllData | extra});
  }

  // A cycle that was found, by what it implies and a node of it.
  struct Found {
    int rank, order;
    std::uint32_t node;
  };
  bool implied_by(const Found& one, int rank) const {
    if (one.order > order_) return false;
    if (rank == kGPrefix || one.rank == kGPrefix) return one.rank <= kG1c || one.rank == rank;
    return one.rank <= rank;
  }
  // The components in which a cycle that implies this type was found.
  std::set<std::uint32_t> covered(int rank, const Components& parts, std::optional<Space> space) const {
    std::set<std::uint32_t> out;
    for (const Found& one : found_) {
      if (!implied_by(one, rank)) continue;
      // The node's own pair where the cycle was found, or either one: simple cycles go through both or one of them.
      if (!space)
        out.insert(parts.of[one.node]);
      else
        out.insert({parts.of[2 * one.node], parts.of[2 * one.node + 1]});
    }
    return out;
  }
  // Components of the whole graph that are large and have such a cycle.
  bool covered_large(int rank, std::uint32_t node) const {
    const std::uint32_t part = everything_->of[node];
    if (everything_->size[part] <= kLarge) return false;
    return std::any_of(found_.begin(), found_.end(),
                       [&](const Found& one) { return implied_by(one, rank) && everything_->of[one.node] == part; });
  }
  // Nothing but such components is left.
  bool covered_whole(int rank) {
    if (cyclic_parts_.empty()) {
      for (std::uint32_t v = 0; v < graph_.size(); ++v) {
        const std::uint32_t part = everything_->of[v];
        if (everything_->size[part] > 1) cyclic_parts_.emplace(part, v);
        if (cyclic_parts_.size() > kMaxComponents) break;
      }
    }
    return cyclic_parts_.size() <= kMaxComponents &&
           std::all_of(cyclic_parts_.begin(), cyclic_parts_.end(),
                       [&](const auto& part) { return covered_large(rank, part.second); });
  }

  // The shortest cycle of each component from some of its edges of a kind.
  struct Tries {
    std::size_t count = 0, steps = 0;
    std::vector<Edge> best;
    bool enough() const { return best.size() == 2 || count >= kMaxTries || (!best.empty() && steps > kMaxSteps); }
  };
  void attempt(Tries& tries, const Edge& edge, Way way) {
    limits_.check();
    ++tries.count;
    auto cycle = shortest(edge, way, tries.steps);
    if (!cycle.empty() && (tries.best.empty() || cycle.size() < tries.best.size())) tries.best = std::move(cycle);
  }

  void witnesses(Rank rank, const Components& parts, EdgeKind start, Way way) {
    const auto known = covered(rank, parts, way.space);
    std::map<std::uint32_t, Tries> tries;
    graph_.for_each(start, [&](const Edge& edge) {
      std::uint32_t from = edge.from, to = edge.to;
      if (way.space) {
        from = before_rw(*way.space, edge.from);
        to = step(*way.space, from, edge.to, edge.kind);
      }
      if (!parts.same(from, to)) return;
      const std::uint32_t part = parts.of[from];
      if ((tries.size() >= kMaxComponents && !tries.contains(part)) || known.contains(part) ||
          covered_large(rank, edge.from))
        return;
      Tries& mine = tries[part];
      if (!mine.enough()) attempt(mine, edge, way);
    });
    for (auto& [part, mine] : tries) keep(rank, std::move(mine.best));
  }

  // A component that was passed over for a simpler type, because enough of that were known, shows a cycle of it later:
  // a cycle is named by the edges that it has.
  void keep(Rank rank, std::vector<Edge> edges) {
    if (edges.empty()) return;
    if (rank != kGPrefix) rank = rank_of(edges);
    const int order = rank == kGPrefix ? order_ : order_in(edges);
    const auto same = std::count_if(found_.begin(), found_.end(),
                                    [&](const Found& one) { return one.rank == rank && one.order == order; });
    found_.push_back({rank, order, edges.front().from});
    if (static_cast<std::size_t>(same) >= kMaxComponents) return;
    Cycle cycle;
    cycle.type = std::string(kNames[rank]) + (rank == kGPrefix && order == 1 ? "" : kOrders[order]);
    cycle.component = transactions_in(everything_->of[edges.front().from]);
    cycle.edges = std::move(edges);
    result_.cycles.push_back(std::move(cycle));
  }
  Rank rank_of(const std::vector<Edge>& cycle) const {
    const auto count = [&](EdgeKind kind) {
      return std::count_if(cycle.begin(), cycle.end(), [&](const Edge& edge) { return edge.kind == kind; });
    };
    const auto rw = count(EdgeKind::rw);
    const bool certain =
        std::all_of(cycle.begin(), cycle.end(), [&](const Edge& edge) { return graph_.acknowledged(edge.from); });
    if (rw == 0) return count(EdgeKind::wr) > 0 || !certain ? kG1c : kG0;
    if (rw == 1) return kGSingle;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      if (cycle[i].kind == EdgeKind::rw && cycle[(i + 1) % cycle.size()].kind == EdgeKind::rw) return kG2Item;
    }
    return kGNonadjacent;
  }
  static int order_in(const std::vector<Edge>& cycle) {
    int out = 0;
    for (const Edge& edge : cycle)
      out = std::max(out, edge.kind == EdgeKind::realtime ? 2 : edge.kind == EdgeKind::process ? 1 : 0);
    return out;
  }

  std::uint32_t transactions_in(std::uint32_t part) const {
    std::uint32_t out = 0;
    for (std::uint32_t t = 0; t < graph_.transactions(); ++t) out += everything_->of[t] == part;
    return out;
  }

  // A shortest way from the end of `start` back to its beginning, with `start` first. Helpers and points in time are
  // left out: what remains are edges between transactions.
  std::vector<Edge> shortest(const Edge& start, Way way, std::size_t& steps) {
    const std::uint32_t nodes = graph_.size() * (way.space ? 2 : 1);
    if (stamp_.size() < nodes) {
      stamp_.assign(nodes, 0);
      parent_.resize(nodes);
      epoch_ = 0;
    }
    ++epoch_;
    const std::uint32_t goal = way.space ? before_rw(*way.space, start.from) : start.from;
    const std::uint32_t origin = way.space ? step(*way.space, goal, start.to, start.kind) : start.to;
    std::deque<std::uint32_t> queue{origin};
    stamp_[origin] = epoch_;
    bool reached = origin == goal;
    while (!queue.empty() && !reached) {
      const std::uint32_t state = queue.front();
      queue.pop_front();
      const std::uint32_t node = way.space ? state / 2 : state;
      std::uint32_t cursor = 0;
      Edge edge;
      while (graph_.next(node, way.mask, cursor, edge)) {
        ++steps;
        const std::uint32_t to = way.space ? step(*way.space, state, edge.to, edge.kind) : edge.to;
        if (to == kNone || stamp_[to] == epoch_ || !everything_->same(node, edge.to) ||
            (way.acknowledged && !graph_.acknowledged(edge.to)))
          continue;
        stamp_[to] = epoch_;
        parent_[to] = {edge, state};
        if (to == goal) {
          reached = true;
          break;
        }
        if (graph_.is_transaction(edge.to)) {
          queue.push_back(to);
        } else {
          queue.push_front(to);
        }
      }
    }
    if (!reached) return {};
    std::vector<Edge> path;
    for (std::uint32_t state = goal; state != origin; state = parent_[state].second)
      path.push_back(parent_[state].first);
    path.push_back(start);
    std::reverse(path.begin(), path.end());
    return between_transactions(graph_, path);
  }

  // `pairs`: the components of (node, last edge was rw?).
  void single(const Components& pairs, unsigned extra) {
    const unsigned mask = kDependencies | extra;
    const auto known = covered(kGSingle, pairs, Space::snapshot);
    std::vector<Edge> open;
    graph_.for_each(EdgeKind::rw, [&](const Edge& edge) {
      const std::uint32_t from = 2 * edge.from;
      if (pairs.same(from, step(Space::snapshot, from, edge.to, edge.kind)) && !known.contains(pairs.of[from]) &&
          !covered_large(kGSingle, edge.from))
        open.push_back(edge);
    });
    std::map<std::uint32_t, Tries> tries;
    for (const Edge& edge : open) {
      const std::uint32_t part = pairs.of[2 * edge.from];
      if (tries.size() >= kMaxComponents && !tries.contains(part)) continue;
      Tries& mine = tries[part];
      if (!mine.enough() && mine.steps <= kMaxSteps) attempt(mine, edge, {{}, mask});
    }
    const bool found =
        std::any_of(tries.begin(), tries.end(), [](const auto& one) { return !one.second.best.empty(); });
    if (!found) {
      const Edge* edge = reaching_back(open, mask);
      if (edge != nullptr) attempt(tries[pairs.of[2 * edge->from]], *edge, {{}, mask});
    }
    for (auto& [part, mine] : tries) keep(kGSingle, std::move(mine.best));
  }

  // An edge from whose end its beginning can be reached through `mask`. Batches of edges at once: a bit each, carried
  // along the topological order of the components.
  const Edge* reaching_back(const std::vector<Edge>& open, unsigned mask) {
    if (open.empty()) return nullptr;
    const Components parts = components(graph_, mask, everything_, limits_);
    std::vector<std::uint32_t> nodes;  // in topological order
    for (std::uint32_t v = 0; v < graph_.size(); ++v) {
      if (everything_->size[everything_->of[v]] > 1) nodes.push_back(v);
    }
    std::sort(nodes.begin(), nodes.end(), [&](std::uint32_t a, std::uint32_t b) { return parts.of[a] > parts.of[b]; });
    using Bits = std::array<std::uint64_t, kLanes>;
    std::vector<Bits> bits(parts.size.size());
    for (std::size_t begin = 0; begin < open.size(); begin += 64 * kLanes) {
      limits_.check();
      const std::size_t end = std::min(open.size(), begin + 64 * kLanes);
      for (const std::uint32_t v : nodes) bits[parts.of[v]] = {};
      for (std::size_t i = begin; i < end; ++i)
        bits[parts.of[open[i].to]][(i - begin) / 64] |= std::uint64_t{1} << ((i - begin) % 64);
      for (const std::uint32_t v : nodes) {
        std::uint32_t cursor = 0, to = 0;
        EdgeKind kind{};
        const Bits mine = bits[parts.of[v]];
        while (graph_.next(v, mask, cursor, to, kind)) {
          if (!everything_->same(v, to)) continue;
          Bits& theirs = bits[parts.of[to]];
          for (std::size_t w = 0; w < kLanes; ++w) theirs[w] |= mine[w];
        }
      }
      for (std::size_t i = begin; i < end; ++i) {
        if (bits[parts.of[open[i].from]][(i - begin) / 64] >> ((i - begin) % 64) & 1) return &open[i];
      }
    }
    return nullptr;
  }

  const DependencyGraph& graph_;
  const Limits& limits_;
  CycleSearch result_;
  const Components* everything_ = nullptr;
  int order_ = 0;
  std::vector<Found> found_;
  std::map<std::uint32_t, std::uint32_t>
      cyclic_parts_;  // of everything, each with a node; a few more than kMaxComponents at most
  std::vector<std::uint32_t> stamp_;
  std::vector<std::pair<Edge, std::uint32_t>> parent_;
  std::uint32_t epoch_ = 0;
};

// Lets each edge of time lead to the last transaction of the cycle that it can lead to.
void shorten(const DependencyGraph& graph, std::vector<Edge>& cycle) {
  constexpr std::size_t kMaxEdges = 2000;  // of longer cycles only a part is told
  if (cycle.size() > kMaxEdges) return;
  const std::uint32_t begin = cycle.front().from;
  for (std::size_t left = cycle.size(); left > 0; --left) {
    if (cycle[0].kind == EdgeKind::realtime) {
      std::size_t last = 0;
      for (std::size_t i = 1; i + 1 < cycle.size(); ++i) {
        if (graph.ended_before(cycle[0].from, cycle[i].to)) last = i;
      }
      cycle[0].to = cycle[last].to;
      cycle.erase(cycle.begin() + 1, cycle.begin() + 1 + static_cast<std::ptrdiff_t>(last));
    }
    std::rotate(cycle.begin(), cycle.begin() + 1, cycle.end());
  }
  const auto first = std::find_if(cycle.begin(), cycle.end(), [&](const Edge& edge) { return edge.from == begin; });
  if (first != cycle.end()) std::rotate(cycle.begin(), first, cycle.end());
}

}  // namespace

std::vector<Edge> between_transactions(const DependencyGraph& graph, const std::vector<Edge>& cycle) {
  // It may begin in the middle of such a way.
  std::vector<Edge> turned = cycle;
  const auto start =
      std::find_if(turned.begin(), turned.end(), [&](const Edge& edge) { return graph.is_transaction(edge.from); });
  std::rotate(turned.begin(), start, turned.end());
  std::vector<Edge> out;
  for (std::size_t i = 0; i < turned.size(); ++i) {
    Edge edge = turned[i];
    while (!graph.is_transaction(edge.to)) {
      const Edge& next = turned[++i];
      edge.to = next.to;
      if (next.kind == EdgeKind::onward) edge.value = next.value;
    }
    out.push_back(edge);
  }
  shorten(graph, out);
  return out;
}

CycleSearch find_cycles(const DependencyGraph& graph, const Limits& limits) { return Search(graph, limits).run(); }

}  // namespace ordeal::txn
