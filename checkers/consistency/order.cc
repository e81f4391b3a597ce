#include "checkers/consistency/order.h"

#include <algorithm>
#include <set>

namespace ordeal::weak {
namespace {

using Edge = Violation::Edge;
using Edges = std::vector<std::vector<Edge>>;

// A shortest chain from `a` to `b` of at least one edge, over the accesses that `within` admits; empty: there is none.
std::vector<Edge> shortest(const Edges& out, AccessId a, AccessId b, const std::function<bool(AccessId)>& within,
                           std::uint32_t added = 0xFFFFFFFFu) {
  std::vector<const Edge*> by(out.size(), nullptr);
  std::vector<AccessId> queue{a};
  for (std::size_t i = 0; i < queue.size(); ++i) {
    for (const Edge& edge : out[queue[i]]) {
      if (by[edge.to] != nullptr || edge.number > added || !within(edge.to)) continue;
      by[edge.to] = &edge;
      if (edge.to == b) {
        std::vector<Edge> path;
        for (AccessId at = b;;) {
          path.push_back(*by[at]);
          at = by[at]->from;
          if (at == a) break;
        }
        std::reverse(path.begin(), path.end());
        return path;
      }
      queue.push_back(edge.to);
    }
  }
  return {};
}

// Sets in[i] to 0 for all that no edge leaves towards another one with in[j] != 0, until there are none.
void drop_dead_ends(const Edges& out, std::vector<std::uint32_t>& in) {
  std::vector<std::vector<AccessId>> into(out.size());
  std::vector<std::uint32_t> ways(out.size(), 0);
  std::vector<AccessId> dead;
  for (AccessId i = 0; i < out.size(); ++i) {
    if (in[i] == 0) continue;
    for (const Edge& edge : out[i]) {
      if (in[edge.to] == 0) continue;
      ++ways[i];
      into[edge.to].push_back(i);
    }
    if (ways[i] == 0) dead.push_back(i);
  }
  while (!dead.empty()) {
    const AccessId i = dead.back();
    dead.pop_back();
    in[i] = 0;
    for (const AccessId j : into[i]) {
      if (--ways[j] == 0) dead.push_back(j);
    }
  }
}

}  // namespace

std::vector<Edge> find_cycle(const Edges& out, std::vector<AccessId>* order) {
  std::vector<std::uint32_t> in(out.size(), 0);
  for (const auto& edges : out) {
    for (const Edge& edge : edges) ++in[edge.to];
  }
  std::vector<AccessId> done;
  done.reserve(out.size());
  for (AccessId i = 0; i < out.size(); ++i) {
    if (in[i] == 0) done.push_back(i);
  }
  for (std::size_t i = 0; i < done.size(); ++i) {
    for (const Edge& edge : out[done[i]]) {
      if (--in[edge.to] == 0) done.push_back(edge.to);
    }
  }
  if (done.size() == out.size()) {
    if (order != nullptr) *order = std::move(done);
    return {};
  }
  // What is left lies on cycles or behind them; what leads nowhere is not on one. A few starts find a short one.
  const auto left = [&](AccessId i) { return in[i] != 0; };
  drop_dead_ends(out, in);
  std::vector<Edge> best;
  int tries = 0;
  for (AccessId i = 0; i < out.size() && (best.empty() || tries < 16); ++i) {
    if (!left(i)) continue;
    ++tries;
    std::vector<Edge> cycle = shortest(out, i, i, left);
    if (cycle.empty()) {
      // It only leads from one cycle to another.
      in[i] = 0;
      drop_dead_ends(out, in);
      continue;
    }
    if (best.empty() || cycle.size() < best.size()) best = std::move(cycle);
  }
  return best;
}

Order::Order(const Execution& execution, const Sources& sources, const std::vector<char>& alive,
             const std::function<bool(AccessId)>& reads_from)
    : execution_(execution), sessions_(execution.sessions.size()), out_(execution.accesses.size()) {
  for (const auto& session : execution.sessions) {
    std::optional<AccessId> last;
    for (const AccessId a : session) {
      if (alive[a] == 0) continue;
      if (last) out_[*last].push_back({*last, a, Violation::Because::session, 0});
      last = a;
    }
  }
  for (AccessId r = 0; r < out_.size(); ++r) {
    const Source from = sources[r];
    if (alive[r] == 0 || from == kInitial || from == kUndecided || !reads_from(r)) continue;
    out_[from].push_back({from, r, Violation::Because::reads_from, 0});
  }
  std::vector<AccessId> order;
  cycle_ = find_cycle(out_, &order);
  if (!cycle_.empty()) return;
  clocks_.assign(out_.size() * sessions_, 0);
  for (const AccessId a : order) {
    clock(a)[execution.accesses[a].session] = execution.accesses[a].position + 1;
    for (const Edge& edge : out_[a]) absorb(a, edge.to);
  }
  writer_sessions_.resize(execution.keys.size());
  writes_.resize(execution.keys.size());
  for (std::uint32_t k = 0; k < execution.keys.size(); ++k) {
    std::vector<AccessId> all;
    for (const AccessId w : execution.writes[k]) {
      if (alive[w] != 0) all.push_back(w);
    }
    std::stable_sort(all.begin(), all.end(), [&](AccessId x, AccessId y) {
      return execution.accesses[x].session < execution.accesses[y].session;
    });
    for (const AccessId w : all) {
      if (writer_sessions_[k].empty() || writer_sessions_[k].back() != execution.accesses[w].session) {
        writer_sessions_[k].push_back(execution.accesses[w].session);
        writes_[k].emplace_back();
      }
      writes_[k].back().push_back(w);
    }
  }
}

bool Order::absorb(AccessId from, AccessId to) {
  const std::uint32_t* a = clock(from);
  std::uint32_t* b = clock(to);
  bool grew = false;
  for (std::size_t s = 0; s < sessions_; ++s) {
    if (a[s] > b[s]) {
      b[s] = a[s];
      grew = true;
    }
  }
  return grew;
}

void Order::add(const Edge& edge, const std::function<void(AccessId)>& changed) {
  out_[edge.from].push_back(edge);
  out_[edge.from].back().number = ++added_;
  if (!absorb(edge.from, edge.to)) return;
  std::vector<AccessId> pending{edge.to};
  changed(edge.to);
  while (!pending.empty()) {
    const AccessId a = pending.back();
    pending.pop_back();
    for (const Edge& next : out_[a]) {
      if (!absorb(a, next.to)) continue;
      changed(next.to);
      pending.push_back(next.to);
    }
  }
}

std::vector<Edge> Order::path(AccessId a, AccessId b, std::uint32_t added) const {
  return shortest(
      out_, a, b, [&](AccessId at) { return at == b || before(at, b); }, added);
}

std::vector<std::vector<Edge>> Order::known(const std::vector<Edge>& edges) const {
  std::vector<std::vector<Edge>> out;
  std::vector<Edge> pending = edges;
  std::set<std::pair<AccessId, AccessId>> told;
  for (std::size_t i = 0; i < pending.size(); ++i) {
    const Edge edge = pending[i];
    if (edge.because != Violation::Because::version_order || !told.emplace(edge.from, edge.seen_by).second) continue;
    // Those that are not of this order rest on all of it.
    std::vector<Edge> chain = path(edge.from, edge.seen_by, edge.number == 0 ? added_ : edge.number - 1);
    pending.insert(pending.end(), chain.begin(), chain.end());
    if (!chain.empty()) out.push_back(std::move(chain));
  }
  return out;
}

std::optional<AccessId> Order::last_write(AccessId reader, std::uint32_t session) const {
  const std::uint32_t key = execution_.accesses[reader].key;
  const auto& sessions = writer_sessions_[key];
  const auto at = std::lower_bound(sessions.begin(), sessions.end(), session);
  if (at == sessions.end() || *at != session) return std::nullopt;
  const auto& list = writes_[key][static_cast<std::size_t>(at - sessions.begin())];
  const std::uint32_t limit = seen(reader, session);
  const auto end = std::partition_point(list.begin(), list.end(),
                                        [&](AccessId w) { return execution_.accesses[w].position < limit; });
  if (end == list.begin()) return std::nullopt;
  return *(end - 1);
}

}  // namespace ordeal::weak
