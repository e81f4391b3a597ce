// First the graph of the transactions that write must have no cycle. Then a cycle with one reader is a way from it
// through that graph back to it: batches of readers are followed at once, a bit each, along the topological order. What
// only reads is stepped over where it merely stands between two transactions of one process.

#include "checkers/transactions/update_order.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace ordeal::txn {
namespace {

constexpr std::size_t kLanes = 8;  // words of reachability bits a pass

class Updates {
 public:
  Updates(const Inference& in, unsigned extra, const std::string& suffix, const std::function<bool()>& out_of_budget)
      : in_(in),
        graph_(in.graph),
        mask_(kAllData | extra),
        suffix_(suffix),
        out_of_budget_(out_of_budget),
        reads_only_(graph_.size(), 0) {}

  UpdateAnswer run() {
    whole_ = components(graph_, mask_);
    if (whole_.size.size() == graph_.size()) return {true, std::nullopt};
    for (TxnIndex t = 0; t < in_.txns.size(); ++t) {
      const auto ops = in_.txns.ops(t);
      reads_only_[t] =
          std::all_of(ops.begin(), ops.end(), [](const MicroOp& op) { return op.kind == MicroKind::read; });
    }
    const Components parts = components(graph_.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
      while (!reads_only_[v] && next(v, cursor, w)) {
        if (!reads_only_[w]) return true;
      }
      return false;
    });
    for (std::uint32_t v = 0; v < in_.txns.size(); ++v) {
      if (parts.size[parts.of[v]] > 1) return {true, cycle_through(v)};
    }
    return readers(parts);
  }

 private:
  // The successors of `v` within its component. Behind a process edge to a transaction that only reads come those to
  // the transactions after it, up to the first that writes. Requires: cursor begins with 0.
  bool next(std::uint32_t v, std::uint32_t& cursor, std::uint32_t& to) const {
    constexpr std::uint32_t kOnward = 1u << 31;
    EdgeKind kind{};
    if (!(cursor & kOnward)) {
      while (graph_.next(v, mask_, cursor, to, kind)) {
        if (whole_.same(v, to)) {
          if (kind == EdgeKind::process && reads_only_[to]) waiting_[v] = to;
          return true;
        }
      }
      const auto found = waiting_.find(v);
      if (found == waiting_.end()) return false;
      cursor = kOnward | found->second;
    }
    const std::uint32_t from = cursor & ~kOnward;
    if (!reads_only_[from]) return false;
    for (std::uint32_t inner = 0; graph_.next(from, kProcess, inner, to, kind);) {
      if (kind != EdgeKind::process || !whole_.same(v, to)) continue;
      cursor = kOnward | to;
      return true;
    }
    return false;
  }

  UpdateAnswer readers(const Components& parts) {
    std::vector<std::uint32_t> nodes, only;
    for (std::uint32_t v = 0; v < graph_.size(); ++v) {
      if (whole_.size[whole_.of[v]] == 1) continue;
      (reads_only_[v] ? only : nodes).push_back(v);
    }
    std::sort(nodes.begin(), nodes.end(), [&](std::uint32_t a, std::uint32_t b) { return parts.of[a] > parts.of[b]; });
    using Bits = std::array<std::uint64_t, kLanes>;
    std::vector<Bits> bits(graph_.size());
    std::unordered_map<std::uint32_t, std::size_t> place;
    for (std::size_t begin = 0; begin < only.size(); begin += 64 * kLanes) {
      if (out_of_budget_()) return {};
      const std::size_t end = std::min(only.size(), begin + 64 * kLanes);
      for (const std::uint32_t v : nodes) bits[v] = {};
      place.clear();
      std::uint32_t to = 0;
      for (std::size_t i = begin; i < end; ++i) {
        place[only[i]] = i - begin;
        for (std::uint32_t cursor = 0; next(only[i], cursor, to);) {
          if (!reads_only_[to]) bits[to][(i - begin) / 64] |= std::uint64_t{1} << ((i - begin) % 64);
        }
      }
      for (const std::uint32_t v : nodes) {
        const Bits mine = bits[v];
        if (std::all_of(mine.begin(), mine.end(), [](std::uint64_t word) { return word == 0; })) continue;
        for (std::uint32_t cursor = 0; next(v, cursor, to);) {
          if (reads_only_[to]) {
            const auto found = place.find(to);
            if (found != place.end() && (mine[found->second / 64] >> (found->second % 64) & 1))
              return {true, cycle_through(to)};
          } else {
            for (std::size_t w = 0; w < kLanes; ++w) bits[to][w] |= mine[w];
          }
        }
      }
    }
    return {true, std::nullopt};
  }

  // A shortest cycle of `start` and transactions that write. Requires: there is one.
  Cycle cycle_through(std::uint32_t start) const {
    std::unordered_map<std::uint32_t, std::uint32_t> parent;
    std::vector<std::uint32_t> queue{start};
    for (std::size_t i = 0; i < queue.size() && !parent.contains(start); ++i) {
      std::uint32_t to = 0;
      for (std::uint32_t cursor = 0; next(queue[i], cursor, to);) {
        if ((to == start || !reads_only_[to]) && parent.emplace(to, queue[i]).second) queue.push_back(to);
      }
    }
    std::vector<Edge> edges;
    std::uint32_t at = start;
    do {
      edges.push_back(edge(parent.at(at), at));
      at = parent.at(at);
    } while (at != start);
    std::reverse(edges.begin(), edges.end());
    Cycle out;
    out.type = "G-update" + suffix_;
    out.edges = between_transactions(graph_, edges);
    out.component = whole_.size[whole_.of[start]];
    return out;
  }

  Edge edge(std::uint32_t from, std::uint32_t to) const {
    Edge out;
    for (std::uint32_t cursor = 0; graph_.next(from, mask_, cursor, out);) {
      if (out.to == to) return out;
    }
    return {from, to, kNone, kAbsent, EdgeKind::process};  // over transactions that only read
  }

  const Inference& in_;
  const DependencyGraph& graph_;
  unsigned mask_;
  const std::string& suffix_;
  const std::function<bool()>& out_of_budget_;
  std::vector<std::uint8_t> reads_only_;
  Components whole_;
  mutable std::unordered_map<std::uint32_t, std::uint32_t>
      waiting_;  // by node: the reader that its process edge leads to
};

}  // namespace

UpdateAnswer check_updates(const Inference& inference, unsigned extra, const std::string& suffix,
                           const std::function<bool()>& out_of_budget) {
  return Updates(inference, extra, suffix, out_of_budget).run();
}

}  // namespace ordeal::txn
