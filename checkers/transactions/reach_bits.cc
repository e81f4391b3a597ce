#include "checkers/transactions/reach_bits.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ordeal::txn {
namespace {

using Pass = ClosingEdges::Pass;

constexpr std::size_t kLanes = 8;      // words a pass
constexpr std::uint32_t kFar = 8'192;  // places between the ends of an edge
using Bits = std::array<std::uint64_t, kLanes>;

// Where a transaction of which nothing is known stands in the order says nothing, so that its edges go far back; but
// next to nothing follows it, and a look at all of that shows that they close no cycle.
class FewAhead {
 public:
  explicit FewAhead(const StateOrder& order) : order_(order) {}
  // Whether what is reached from the edge's end, up to its goal, is little and without the goal.
  bool misses(const BackEdge& one) {
    reached_.assign(1, one.from);
    std::uint32_t to = 0;
    std::size_t walked = 0;
    for (std::size_t i = 0; i < reached_.size(); ++i) {
      for (std::uint32_t cursor = 0; order_.next(reached_[i], cursor, to);) {
        if (++walked > kFewEdges) return false;
        if (order_.place(to) > one.goal) continue;
        if (order_.place(to) == one.goal || reached_.size() == kFew) return false;
        if (std::find(reached_.begin(), reached_.end(), to) == reached_.end()) reached_.push_back(to);
      }
    }
    return true;
  }

 private:
  static constexpr std::size_t kFew = 32, kFewEdges = 256;
  const StateOrder& order_;
  std::vector<std::uint32_t> reached_;
};

// The passes of edges in the order of their goals. Edges between places that are near each other, which are most where
// the order is good, need a small part of the order only; the others come last, or they would make every pass long.
std::vector<Pass> passes_of(const StateOrder& order, std::vector<BackEdge>& edges) {
  const auto far = std::partition(edges.begin(), edges.end(),
                                  [&](const BackEdge& one) { return one.goal - order.place(one.from) <= kFar; });
  FewAhead few(order);
  edges.erase(std::remove_if(far, edges.end(), [&](const BackEdge& one) { return few.misses(one); }), edges.end());
  const auto by_goal = [](const BackEdge& a, const BackEdge& b) { return a.goal < b.goal; };
  std::sort(edges.begin(), far, by_goal);
  std::sort(far, edges.end(), by_goal);
  std::vector<Pass> out;
  const auto near = static_cast<std::size_t>(far - edges.begin());
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const bool fresh = i == 0 || i == near || edges[i].goal != out.back().last;
    if (i == 0 || i == near || (fresh && out.back().goals == 64 * kLanes)) out.push_back({i, i, 0, kNone, 0});
    Pass& pass = out.back();
    pass.goals += fresh ? 1 : 0;
    pass.end = i + 1;
    pass.last = edges[i].goal;
    pass.lowest = std::min(pass.lowest, order.place(edges[i].from));
  }
  return out;
}

}  // namespace

void NewEdges::next_round(const StateOrder& order) {
  first_ = false;
  first_end_.assign(order.states(), kNone);
  for (const Edge& edge : edges_) {
    order.each_pair(edge, [&](std::uint32_t from, std::uint32_t to) {
      std::uint32_t& end = first_end_[order.place(from)];
      end = std::min(end, order.place(to));
      return true;
    });
  }
  edges_.clear();
  for (std::size_t place = first_end_.size(); place-- > 1;)
    first_end_[place - 1] = std::min(first_end_[place - 1], first_end_[place]);
}

void add_back_edges(const StateOrder& order, const NewEdges& new_edges, const Edge& edge, std::uint32_t tag,
                    std::vector<BackEdge>& out) {
  order.each_pair(edge, [&](std::uint32_t from, std::uint32_t to) {
    if (order.place(to) < order.place(from) && new_edges.between(order, to, from))
      out.push_back({order.place(from), to, tag});
    return true;
  });
}

ClosingEdges::ClosingEdges(const StateOrder& order, std::vector<BackEdge> edges)
    : order_(order), edges_(std::move(edges)), passes_(passes_of(order, edges_)) {}

std::uint64_t ClosingEdges::places() const {
  std::uint64_t out = 0;
  for (const Pass& pass : passes_) out += pass.last - pass.lowest + 1;
  return out;
}

// The successors of all states as they are now, by place: they are walked once a pass.
struct ClosingEdges::Successors {
  explicit Successors(const StateOrder& order) {
    begin.reserve(order.states() + 1);
    begin.push_back(0);
    for (std::uint32_t place = 0; place < order.states(); ++place) {
      const std::uint32_t state = order.at(place);
      std::uint32_t other = 0;
      for (std::uint32_t cursor = 0; order.next(state, cursor, other);) to.push_back(order.place(other));
      begin.push_back(static_cast<std::uint32_t>(to.size()));
    }
  }
  std::vector<std::uint32_t> begin, to;
};

bool ClosingEdges::find(std::uint64_t& walked, const std::function<bool()>& late,
                        const std::function<void(std::uint32_t)>& closed) const {
  if (edges_.empty()) return true;
  const Successors next(order_);
  std::vector<Bits> bits(order_.states());  // by place
  for (const Pass& pass : passes_) {
    std::uint32_t goals = pass.goals;
    std::size_t q = pass.end;
    for (std::uint32_t place = pass.last + 1; place-- > pass.lowest;) {
      Bits mine{};
      for (std::uint32_t i = next.begin[place]; i < next.begin[place + 1]; ++i) {
        if (next.to[i] > pass.last) continue;
        for (std::size_t w = 0; w < kLanes; ++w) mine[w] |= bits[next.to[i]][w];
      }
      walked += next.begin[place + 1] - next.begin[place];
      if (q > pass.begin && edges_[q - 1].goal == place) {
        --goals;
        mine[goals / 64] |= std::uint64_t{1} << (goals % 64);
        while (q > pass.begin && edges_[q - 1].goal == place) --q;
      }
      bits[place] = mine;
      if ((place & 0xffff) == 0 && late()) return false;
    }
    std::uint32_t goal = 0;
    for (std::size_t i = pass.begin; i < pass.end; ++i) {
      if (i > pass.begin && edges_[i].goal != edges_[i - 1].goal) ++goal;
      if (bits[order_.place(edges_[i].from)][goal / 64] >> (goal % 64) & 1) closed(edges_[i].tag);
    }
    if (late()) return false;
  }
  return true;
}

}  // namespace ordeal::txn
