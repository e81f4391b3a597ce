// Which of Adya's phenomena a graph shows (Adya, Liskov and O'Neil, 2000; Cerone and Gotsman, 2016), in linear time each:
//
//   G0             an edge ww within a component of ww
//   G1c            an edge wr within a component of ww and wr
//   G-nonadjacent  an edge rw within a component of the pairs (node, last edge was rw?), where two rw never follow each other
//   G2-item        an edge rw within a component of everything
//   G-single       an edge rw from u to v, and a way back without rw: bit-parallel reachability in the acyclic graph of ww and wr
//
// each without session and time edges, then with sessions, then with real time, until it is found. The witness is the shortest
// way back from one of some start edges (breadth first, points in time cost nothing).

#include "checkers/transactions/cycles.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>

namespace ordeal::txn {
namespace {

constexpr std::size_t kMostComponents = 4;  // of a type, each with a witness
constexpr std::size_t kMostTries = 24;      // start edges a component
constexpr std::size_t kLanes = 8;           // words of reachability bits a pass

struct Way {
  bool snapshot = false;  // walk pairs (node, last edge was rw?)
  unsigned mask = 0;
};

class Search {
 public:
  Search(const DependencyGraph& graph, const std::function<bool()>& out_of_budget) : graph_(graph), out_of_budget_(out_of_budget) {}

  CycleSearch run() {
    const Components all = components(graph_, kAllData | kProcess | kRealtime);
    result_.acyclic = all.size.size() == graph_.size();
    if (result_.acyclic) return std::move(result_);
    everything_ = &all;
    for (const char* type : {"G0", "G1c", "G-single", "G-nonadjacent", "G2-item"}) {
      for (const auto& [suffix, extra] : {std::pair{"", 0u}, {"-process", unsigned{kProcess}}, {"-realtime", kProcess | kRealtime}}) {
        if (out_of_budget_()) {
          result_.complete = result_.single_decided = false;
          return std::move(result_);
        }
        if (find(type, suffix, extra)) break;
      }
    }
    return std::move(result_);
  }

 private:
  bool find(const std::string& type, const std::string& suffix, unsigned extra) {
    const bool lower = found_.contains("G0") || found_.contains("G1c");
    // What is implied by a simpler cycle of the same order needs no witness of its own.
    if (type == "G-nonadjacent" && (found_.contains("G-single" + suffix) || implied(suffix, {"G-single"}) || lower)) return true;
    if (type == "G2-item" && (implied(suffix, {"G-single", "G-nonadjacent"}) || lower)) return true;
    if (type == "G0") return witnesses(type, suffix, components(graph_, kWW | extra), EdgeKind::ww, {false, kWW | extra});
    if (type == "G1c") return witnesses(type, suffix, components(graph_, kDependencies | extra), EdgeKind::wr, {false, kDependencies | extra});
    if (type == "G-single") return single(suffix, extra);
    if (type == "G-nonadjacent") return witnesses(type, suffix, snapshot_components(graph_, kAllData | extra), EdgeKind::rw, {true, kAllData | extra});
    return witnesses(type, suffix, components(graph_, kAllData | extra), EdgeKind::rw, {false, kAllData | extra});
  }

  // A cycle of one of these types was found that needs no more than the order `suffix`.
  bool implied(const std::string& suffix, std::initializer_list<const char*> types) const {
    for (const char* type : types) {
      for (const char* weaker : {"", "-process", "-realtime"}) {
        if (found_.contains(type + std::string(weaker))) return true;
        if (suffix == weaker) break;
      }
    }
    return false;
  }

  bool witnesses(const std::string& type, const std::string& suffix, const Components& parts, EdgeKind start, Way way) {
    std::map<std::uint32_t, std::size_t> tries;
    std::map<std::uint32_t, std::vector<Edge>> best;
    for (const Edge& edge : graph_.edges()) {
      if (edge.kind != start) continue;
      std::uint32_t from = edge.from, to = edge.to;
      if (way.snapshot) {
        from = 2 * edge.from;
        to = snapshot_step(from, edge);
      }
      if (!parts.same(from, to)) continue;
      const std::uint32_t part = parts.of[from];
      if (!best.contains(part) && best.size() >= kMostComponents) continue;
      if (++tries[part] > kMostTries) continue;
      if (out_of_budget_() && !best.empty()) break;
      auto cycle = shortest(edge, way);
      auto& known = best[part];
      if (!cycle.empty() && (known.empty() || cycle.size() < known.size())) known = std::move(cycle);
    }
    for (auto& [part, edges] : best) keep(type + suffix, std::move(edges), parts.size[part]);
    return !best.empty();
  }

  void keep(const std::string& type, std::vector<Edge> edges, std::uint32_t component) {
    if (edges.empty()) return;
    found_[type] = true;
    Cycle cycle;
    cycle.type = type;
    cycle.edges = std::move(edges);
    cycle.component = component;
    result_.cycles.push_back(std::move(cycle));
  }

  // A shortest way from the end of `start` back to its beginning, with `start` first. Helpers and points in time are
  // left out: what remains are edges between transactions.
  std::vector<Edge> shortest(const Edge& start, Way way) {
    const std::uint32_t nodes = graph_.size() * (way.snapshot ? 2 : 1);
    if (stamp_.size() < nodes) {
      stamp_.assign(nodes, 0);
      parent_.resize(nodes);
      epoch_ = 0;
    }
    ++epoch_;
    const std::uint32_t goal = way.snapshot ? 2 * start.from : start.from;
    const std::uint32_t origin = way.snapshot ? snapshot_step(goal, start) : start.to;
    std::deque<std::uint32_t> queue{origin};
    stamp_[origin] = epoch_;
    bool reached = origin == goal;
    while (!queue.empty() && !reached) {
      const std::uint32_t state = queue.front();
      queue.pop_front();
      const std::uint32_t node = way.snapshot ? state / 2 : state;
      std::uint32_t cursor = 0;
      Edge edge;
      while (graph_.next(node, way.mask, cursor, edge)) {
        const std::uint32_t to = way.snapshot ? snapshot_step(state, edge) : edge.to;
        if (to == kNone || stamp_[to] == epoch_ || !everything_->same(node, edge.to)) continue;
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
    for (std::uint32_t state = goal; state != origin; state = parent_[state].second) path.push_back(parent_[state].first);
    path.push_back(start);
    std::reverse(path.begin(), path.end());
    return between_transactions(path);
  }

  std::vector<Edge> between_transactions(const std::vector<Edge>& path) const {
    std::vector<Edge> out;
    for (std::size_t i = 0; i < path.size(); ++i) {
      Edge edge = path[i];
      while (!graph_.is_transaction(edge.to)) {
        const Edge& next = path[++i];
        edge.to = next.to;
        if (next.kind == EdgeKind::onward) edge.value = next.value;
      }
      out.push_back(edge);
    }
    return out;
  }

  bool single(const std::string& suffix, unsigned extra) {
    const unsigned mask = kDependencies | extra;
    const Components parts = components(graph_, kAllData | extra);
    std::vector<const Edge*> open;
    for (const Edge& edge : graph_.edges()) {
      if (edge.kind == EdgeKind::rw && parts.same(edge.from, edge.to)) open.push_back(&edge);
    }
    if (open.empty()) return false;
    std::map<std::uint32_t, std::size_t> tries;
    std::map<std::uint32_t, std::vector<Edge>> best;
    for (const Edge* edge : open) {
      const std::uint32_t part = parts.of[edge->from];
      if (++tries[part] > kMostTries || (!best.contains(part) && best.size() >= kMostComponents)) continue;
      auto cycle = shortest(*edge, {false, mask});
      if (!cycle.empty() && (!best.contains(part) || cycle.size() < best[part].size())) best[part] = std::move(cycle);
    }
    if (best.empty() && open.size() > kMostTries) {
      const Edge* edge = reaching_back(open, mask, parts);
      if (edge != nullptr) best[parts.of[edge->from]] = shortest(*edge, {false, mask});
    }
    for (auto& [part, edges] : best) keep("G-single" + suffix, std::move(edges), parts.size[part]);
    return !best.empty();
  }

  // An edge from whose end its beginning can be reached through `mask`. Batches of edges at once: a bit each, carried
  // along the topological order of the components.
  const Edge* reaching_back(const std::vector<const Edge*>& open, unsigned mask, const Components& whole) {
    const Components parts = components(graph_, mask);
    std::vector<std::uint32_t> nodes;  // in topological order
    for (std::uint32_t v = 0; v < graph_.size(); ++v) {
      if (whole.size[whole.of[v]] > 1) nodes.push_back(v);
    }
    std::sort(nodes.begin(), nodes.end(), [&](std::uint32_t a, std::uint32_t b) { return parts.of[a] > parts.of[b]; });
    using Bits = std::array<std::uint64_t, kLanes>;
    std::vector<Bits> bits(parts.size.size());
    for (std::size_t begin = 0; begin < open.size(); begin += 64 * kLanes) {
      if (out_of_budget_()) {
        result_.single_decided = false;
        return nullptr;
      }
      const std::size_t end = std::min(open.size(), begin + 64 * kLanes);
      for (const std::uint32_t v : nodes) bits[parts.of[v]] = {};
      for (std::size_t i = begin; i < end; ++i) bits[parts.of[open[i]->to]][(i - begin) / 64] |= std::uint64_t{1} << ((i - begin) % 64);
      for (const std::uint32_t v : nodes) {
        std::uint32_t cursor = 0;
        Edge edge;
        const Bits mine = bits[parts.of[v]];
        while (graph_.next(v, mask, cursor, edge)) {
          if (!whole.same(v, edge.to)) continue;
          Bits& theirs = bits[parts.of[edge.to]];
          for (std::size_t w = 0; w < kLanes; ++w) theirs[w] |= mine[w];
        }
      }
      for (std::size_t i = begin; i < end; ++i) {
        if (bits[parts.of[open[i]->from]][(i - begin) / 64] >> ((i - begin) % 64) & 1) return open[i];
      }
    }
    return nullptr;
  }

  const DependencyGraph& graph_;
  const std::function<bool()>& out_of_budget_;
  CycleSearch result_;
  const Components* everything_ = nullptr;
  std::map<std::string, bool> found_;
  std::vector<std::uint32_t> stamp_;
  std::vector<std::pair<Edge, std::uint32_t>> parent_;
  std::uint32_t epoch_ = 0;
};

}  // namespace

CycleSearch find_cycles(const DependencyGraph& graph, const std::function<bool()>& out_of_budget) {
  return Search(graph, out_of_budget).run();
}

}  // namespace ordeal::txn
