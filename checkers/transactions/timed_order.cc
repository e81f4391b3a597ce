// Real time makes the graph of a history long and thin: only transactions that overlap are not ordered by it. So all nodes are
// kept in a topological order of what is known (Marchetti-Spaccamela, Nanni and Rohnert, 1996: an edge that goes backwards
// moves what lies between its ends), and whether a node reaches another one is asked of the nodes between them only. That
// makes a question cost as much as the clients are many, not as the history is long.
//
// Choices of which one answer would close a cycle are made, again and again until nothing changes; both answers: there is no
// order. What is then left is decided in the order of time, as the topological order has it, and with backtracking to the
// latest decision that had a part in a contradiction.
//
// Tested by tests/checkers/transactions against brute force, and against order_search.cc.

#include "checkers/transactions/timed_order.h"

#include <algorithm>
#include <deque>
#include <queue>

#include "checkers/transactions/cycles.h"

namespace ordeal::txn {
namespace {

constexpr std::size_t kMostContradictions = 1'000'000;  // while deciding what is left
constexpr std::uint64_t kStepsALook = 1'000'000;

class TimedOrder {
 public:
  TimedOrder(const Inference& inference, const std::function<bool()>& out_of_budget)
      : in_(inference), graph_(inference.graph), out_of_budget_(out_of_budget), added_(graph_.size()) {}

  OrderAnswer run() {
    for (const Edge& edge : in_.forced) added_[edge.from].push_back({edge.to, edge.kind, kNone, edge.key, edge.value});
    if (!find_places()) {
      answer_.possible = Possible::no;
      return std::move(answer_);
    }
    stamp_.assign(graph_.size(), 0);
    parent_.resize(graph_.size());
    if (!prune()) return std::move(answer_);
    answer_.possible = decide();
    return std::move(answer_);
  }

 private:
  struct Added {
    std::uint32_t to = 0;
    EdgeKind kind = EdgeKind::ww;
    std::uint32_t choice = kNone;  // kNone: known
    KeyIndex key = kNone;
    ValueId value = kAbsent;
  };
  static constexpr unsigned kMask = kAllData | kProcess | kRealtime;
  static constexpr std::uint32_t kAddedBase = 1u << 31;

  // The next successor of a node and the choice that its edge comes from.
  bool next(std::uint32_t v, std::uint32_t& cursor, std::uint32_t& to, std::uint32_t& choice) const {
    EdgeKind kind{};
    choice = kNone;
    if (cursor < kAddedBase) {
      if (graph_.next(v, kMask, cursor, to, kind)) return true;
      cursor = kAddedBase;
    }
    const auto& more = added_[v];
    if (cursor - kAddedBase >= more.size()) return false;
    to = more[cursor - kAddedBase].to;
    choice = more[cursor++ - kAddedBase].choice;
    return true;
  }

  // A topological order (Kahn), earlier invocations first. False: there is a cycle.
  bool find_places() {
    const std::uint32_t nodes = graph_.size();
    std::vector<std::uint32_t> degree(nodes, 0);
    std::uint32_t to = 0, choice = 0;
    for (std::uint32_t v = 0; v < nodes; ++v) {
      for (std::uint32_t cursor = 0; next(v, cursor, to, choice);) ++degree[to];
    }
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ready;
    for (std::uint32_t v = 0; v < nodes; ++v) {
      if (degree[v] == 0) ready.push(v);
    }
    place_.assign(nodes, 0);
    while (!ready.empty()) {
      const std::uint32_t v = ready.top();
      ready.pop();
      place_[v] = static_cast<std::uint32_t>(at_.size());
      at_.push_back(v);
      for (std::uint32_t cursor = 0; next(v, cursor, to, choice);) {
        if (--degree[to] == 0) ready.push(to);
      }
    }
    return at_.size() == nodes;
  }

  bool timed(std::uint32_t a, std::uint32_t b) const {
    return graph_.is_transaction(a) && graph_.is_transaction(b) && in_.txns.completion[a] < in_.txns.invocation[b];
  }

  // Whether there is a way. The decisions on it are added to `why`; without `path` real time need not be walked.
  bool reaches(std::uint32_t from, std::uint32_t goal, std::vector<std::uint32_t>* why, bool path = false) {
    if (place_[from] > place_[goal]) return false;
    if (!path && timed(from, goal)) return true;
    ++epoch_;
    queue_.assign(1, from);
    stamp_[from] = epoch_;
    bool found = from == goal;
    std::uint32_t to = 0, choice = 0;
    while (!queue_.empty() && !found) {
      const std::uint32_t v = queue_.front();
      queue_.pop_front();
      for (std::uint32_t cursor = 0; !found && next(v, cursor, to, choice);) {
        ++steps_;
        if (stamp_[to] == epoch_ || place_[to] > place_[goal]) continue;
        stamp_[to] = epoch_;
        parent_[to] = {v, choice};
        found = to == goal;
        queue_.push_back(to);
      }
    }
    for (std::uint32_t v = goal; found && why != nullptr && v != from; v = parent_[v].first) {
      if (parent_[v].second != kNone) why->push_back(parent_[v].second);
    }
    return found;
  }

  const std::vector<Edge>& side(std::uint32_t choice, bool one) const { return one ? in_.choices[choice].one : in_.choices[choice].other; }

  // Whether an answer closes a cycle. All its edges lead to one node, so a cycle has one of them only.
  bool closes(std::uint32_t choice, bool one, std::vector<std::uint32_t>* why) {
    const auto& edges = side(choice, one);
    return std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) { return reaches(edge.to, edge.from, why); });
  }

  std::vector<Edge> cycle_of(std::uint32_t choice, bool one) {
    for (const Edge& edge : side(choice, one)) {
      if (!reaches(edge.to, edge.from, nullptr, true)) continue;
      std::vector<Edge> out;
      for (std::uint32_t v = edge.from; v != edge.to; v = parent_[v].first) out.push_back(edge_between(parent_[v].first, v));
      out.push_back(edge);
      std::reverse(out.begin(), out.end());
      return between_transactions(graph_, out);
    }
    return {};
  }
  Edge edge_between(std::uint32_t from, std::uint32_t to) const {
    Edge edge;
    for (std::uint32_t cursor = 0; graph_.next(from, kMask, cursor, edge);) {
      if (edge.to == to) return edge;
    }
    const auto one = std::find_if(added_[from].begin(), added_[from].end(), [&](const Added& added) { return added.to == to; });
    return {from, to, one->key, one->value, one->kind};
  }

  // Adds an answer that closes no cycle.
  void add(std::uint32_t choice, bool one, bool known) {
    for (const Edge& edge : side(choice, one)) {
      added_[edge.from].push_back({edge.to, edge.kind, known ? kNone : choice, edge.key, edge.value});
      keep_order(edge.from, edge.to);
    }
  }
  void remove(std::uint32_t choice, bool one) {
    const auto& edges = side(choice, one);
    for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge) added_[edge->from].pop_back();
  }
  void keep_order(std::uint32_t from, std::uint32_t to) {
    const std::uint32_t low = place_[to], high = place_[from];
    if (high < low) return;
    // What `to` reaches up to the place of `from` moves behind it.
    ++epoch_;
    queue_.assign(1, to);
    stamp_[to] = epoch_;
    std::uint32_t w = 0, choice = 0;
    while (!queue_.empty()) {
      const std::uint32_t v = queue_.front();
      queue_.pop_front();
      for (std::uint32_t cursor = 0; next(v, cursor, w, choice);) {
        ++steps_;
        if (stamp_[w] == epoch_ || place_[w] > high) continue;
        stamp_[w] = epoch_;
        queue_.push_back(w);
      }
    }
    moved_.clear();
    std::uint32_t place = low;
    for (std::uint32_t p = low; p <= high; ++p) {
      const std::uint32_t v = at_[p];
      if (stamp_[v] == epoch_) moved_.push_back(v);
      else put(v, place++);
    }
    for (const std::uint32_t v : moved_) put(v, place++);
  }
  void put(std::uint32_t v, std::uint32_t place) {
    place_[v] = place;
    at_[place] = v;
  }

  bool late() {
    if (steps_ < next_look_) return false;
    next_look_ = steps_ + kStepsALook;
    return out_of_budget_();
  }

  // False: the answer is found.
  bool prune() {
    open_.resize(in_.choices.size());
    for (std::uint32_t c = 0; c < open_.size(); ++c) open_[c] = c;
    // In the order of time, so that what one decides the next ones feel.
    std::sort(open_.begin(), open_.end(), [&](std::uint32_t a, std::uint32_t b) { return place_of(a) < place_of(b); });
    for (std::size_t before = open_.size() + 1; open_.size() < before;) {
      before = open_.size();
      std::size_t left = 0;
      for (const std::uint32_t c : open_) {
        if (late()) return false;
        const bool one = closes(c, true, nullptr), other = closes(c, false, nullptr);
        if (one && other) {
          answer_ = {Possible::no, {in_.choices[c].first, in_.choices[c].second}, in_.choices[c].key, cycle_of(c, true), cycle_of(c, false)};
          return false;
        }
        if (one || other) add(c, other, true);
        else open_[left++] = c;
      }
      open_.resize(left);
    }
    return true;
  }
  std::uint32_t place_of(std::uint32_t choice) const { return std::min(place_[in_.choices[choice].first], place_[in_.choices[choice].second]); }

  struct Decision {
    std::uint32_t choice = 0;
    bool one = true;
    bool second = false;             // the other answer was refuted
    std::vector<std::uint32_t> why;  // by these decisions
  };

  Possible decide() {
    std::vector<std::uint32_t> depth_of(in_.choices.size(), kNone);
    while (path_.size() < open_.size()) {
      if (late()) return Possible::undecided;
      const std::uint32_t c = open_[path_.size()];
      Decision now{c, place_[in_.choices[c].first] < place_[in_.choices[c].second], false, {}};
      while (closes(now.choice, now.one, &now.why)) {
        if (!now.second) {
          now.second = true;
          now.one = !now.one;
          continue;
        }
        if (++contradictions_ > kMostContradictions || late()) return Possible::undecided;
        if (!turn_back(now, depth_of)) return Possible::no;
      }
      add(now.choice, now.one, false);
      depth_of[now.choice] = static_cast<std::uint32_t>(path_.size());
      path_.push_back(std::move(now));
    }
    return Possible::yes;
  }

  // Both answers of `now` are refuted: takes back the latest decision that had a part in it and has an answer left, and makes
  // it `now`. False: there is none.
  bool turn_back(Decision& now, std::vector<std::uint32_t>& depth_of) {
    while (true) {
      std::uint32_t latest = kNone;
      for (const std::uint32_t c : now.why) {
        if (depth_of[c] != kNone && (latest == kNone || depth_of[c] > latest)) latest = depth_of[c];
      }
      if (latest == kNone) return false;
      while (path_.size() > latest + 1) drop(depth_of);
      Decision culprit = std::move(path_.back());
      drop_moved(culprit, depth_of);
      culprit.why.insert(culprit.why.end(), now.why.begin(), now.why.end());
      std::erase(culprit.why, culprit.choice);
      std::sort(culprit.why.begin(), culprit.why.end());
      culprit.why.erase(std::unique(culprit.why.begin(), culprit.why.end()), culprit.why.end());
      now = std::move(culprit);
      if (now.second) continue;
      now.second = true;
      now.one = !now.one;
      return true;
    }
  }
  void drop(std::vector<std::uint32_t>& depth_of) {
    const Decision last = std::move(path_.back());
    drop_moved(last, depth_of);
  }
  void drop_moved(const Decision& last, std::vector<std::uint32_t>& depth_of) {
    remove(last.choice, last.one);
    depth_of[last.choice] = kNone;
    path_.pop_back();
  }

  const Inference& in_;
  const DependencyGraph& graph_;
  const std::function<bool()>& out_of_budget_;
  std::vector<std::vector<Added>> added_;          // by node
  std::vector<std::uint32_t> place_, at_;          // a topological order: of a node, at a place
  std::vector<std::uint32_t> open_;                // choices not made, in the order of time
  std::vector<Decision> path_;
  std::vector<std::uint32_t> stamp_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> parent_;
  std::deque<std::uint32_t> queue_;
  std::vector<std::uint32_t> moved_;
  std::uint32_t epoch_ = 0;
  std::uint64_t steps_ = 0, next_look_ = 0;
  std::size_t contradictions_ = 0;
  OrderAnswer answer_;
};

}  // namespace

OrderAnswer timed_order(const Inference& inference, const std::function<bool()>& out_of_budget) {
  return TimedOrder(inference, out_of_budget).run();
}

}  // namespace ordeal::txn
