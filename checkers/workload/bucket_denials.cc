#include "checkers/workload/bucket_denials.h"

#include <algorithm>
#include <optional>

namespace ordeal::work {
namespace {

// Instants, one for each place of an order.
using Instants = std::vector<std::int64_t>;

// Bounds of instants, and differences between them: at[to] >= at[from] + least.
class Differences {
 public:
  struct Edge {
    std::size_t from = 0, to = 0;
    std::int64_t least = 0;
  };

  void add(std::int64_t begin, std::int64_t end) {
    begin_.push_back(begin);
    end_.push_back(end);
  }
  void require(std::size_t from, std::size_t to, std::int64_t least) { edges_.push_back({from, to, least}); }
  void not_before(std::size_t place, std::int64_t at) { begin_[place] = std::max(begin_[place], at); }
  void not_after(std::size_t place, std::int64_t at) { end_[place] = std::min(end_[place], at); }
  [[nodiscard]] std::size_t size() const { return begin_.size(); }
  [[nodiscard]] std::size_t cost() const { return size() + edges_.size(); }

  // The latest of all solutions; nullopt: there is none.
  [[nodiscard]] std::optional<Instants> latest() const {
    Instants at = end_;
    for (std::size_t pass = 0; pass <= size(); ++pass) {
      bool changed = false;
      for (const Edge& edge : edges_) {
        if (at[edge.from] <= at[edge.to] - edge.least) continue;
        at[edge.from] = at[edge.to] - edge.least;
        if (at[edge.from] < begin_[edge.from]) return std::nullopt;
        changed = true;
      }
      if (changed) continue;
      for (std::size_t i = 0; i < size(); ++i) {
        if (at[i] < begin_[i]) return std::nullopt;
      }
      return at;
    }
    return std::nullopt;  // a positive cycle
  }

 private:
  std::vector<std::int64_t> begin_, end_;
  std::vector<Edge> edges_;
};

class BucketSearch {
 public:
  BucketSearch(const BucketRules& rules, const std::vector<BucketRequest>& grants,
               const std::vector<BucketRequest>& denials, std::size_t& steps, const Judgement& in)
      : rules_(rules), grants_(grants), denials_(denials), steps_(steps), in_(in), placed_(grants.size()) {}

  BucketAnswer run() { return place({}); }

 private:
  [[nodiscard]] bool spend(std::size_t count) {
    in_.work(count);
    if (steps_ < count) return false;
    steps_ -= count;
    return true;
  }

  // Whether i and j, when both took place, can be taken to have done so in that order: what one of the two did at an
  // instant the other could have done.
  [[nodiscard]] bool goes_first(std::size_t i, std::size_t j) const {
    const BucketRequest &a = grants_[i], &b = grants_[j];
    if (a.begin > b.begin || a.end > b.end) return false;
    return a.begin < b.begin || a.end < b.end || i < j;
  }

  [[nodiscard]] bool may_be_next(std::size_t i) const {
    if (placed_[i]) return false;
    for (std::size_t j = 0; j < grants_.size(); ++j) {
      if (j == i) continue;
      if (placed_[j] ? goes_first(i, j) : grants_[j].certain && (goes_first(j, i) || grants_[j].end < grants_[i].begin))
        return false;
    }
    return true;
  }

  // Grants in all orders, `so_far` those that have been placed.
  BucketAnswer place(const Differences& so_far) {
    bool all = true;
    for (std::size_t i = 0; i < grants_.size(); ++i) all = all && (placed_[i] || !grants_[i].certain);
    bool undecided = false;
    if (all) {
      const BucketAnswer answer = deny(so_far);
      if (answer == BucketAnswer::explained) return answer;
      undecided = answer == BucketAnswer::undecided;
    }
    for (std::size_t i = 0; i < grants_.size() && !undecided; ++i) {
      if (!may_be_next(i)) continue;
      Differences more = so_far;
      more.add(grants_[i].begin, grants_[i].end);
      const std::size_t k = more.size() - 1;
      if (k > 0) more.require(k - 1, k, 0);
      for (std::size_t q = 0; q < k; ++q) {
        const std::int64_t tokens = static_cast<std::int64_t>(k - q) + 1 - rules_.burst;
        if (tokens > 0) more.require(q, k, tokens * rules_.shortest);
      }
      if (!spend(more.cost())) return BucketAnswer::undecided;
      if (!more.latest()) continue;
      placed_[i] = true;
      const BucketAnswer answer = place(more);
      placed_[i] = false;
      if (answer == BucketAnswer::explained) return answer;
      undecided = answer == BucketAnswer::undecided;
    }
    return undecided ? BucketAnswer::undecided : BucketAnswer::impossible;
  }

  // Denials, one after the other, of those that the latest instants do not explain.
  BucketAnswer deny(const Differences& so_far) {
    if (!spend(so_far.cost())) return BucketAnswer::undecided;
    const auto at = so_far.latest();
    if (!at) return BucketAnswer::impossible;
    const auto open = std::find_if(denials_.begin(), denials_.end(),
                                   [&](const BucketRequest& denial) { return !explained(denial, *at); });
    if (open == denials_.end()) return BucketAnswer::explained;
    for (std::size_t k = 0; k < so_far.size(); ++k) {
      for (std::size_t i = 0; i <= k; ++i) {
        const std::int64_t tokens = static_cast<std::int64_t>(k - i) + 2 - rules_.burst;
        if (tokens < 0) break;
        Differences more = so_far;
        more.not_after(k, open->end);
        more.not_before(i, open->begin - tokens * rules_.longest);
        more.require(k, i, -tokens * rules_.longest);
        const BucketAnswer answer = deny(more);
        if (answer != BucketAnswer::impossible) return answer;
      }
    }
    return BucketAnswer::impossible;
  }

  // Whether the bucket lacks a token at some instant of the denial: at its begin, or after one of the grants.
  [[nodiscard]] bool explained(const BucketRequest& denial, const Instants& at) const {
    for (std::size_t k = 0; k < at.size() && at[k] <= denial.end; ++k) {
      const std::int64_t instant = std::max(at[k], denial.begin);
      for (std::size_t i = 0; i <= k; ++i) {
        const std::int64_t tokens = static_cast<std::int64_t>(k - i) + 2 - rules_.burst;
        if (tokens >= 0 && instant - at[i] <= tokens * rules_.longest) return true;
      }
    }
    return false;
  }

  const BucketRules rules_;
  const std::vector<BucketRequest>& grants_;
  const std::vector<BucketRequest>& denials_;
  std::size_t& steps_;
  const Judgement& in_;
  std::vector<bool> placed_;
};

}  // namespace

BucketAnswer explain_denials(const BucketRules& rules, const std::vector<BucketRequest>& grants,
                             const std::vector<BucketRequest>& denials, std::size_t& steps, const Judgement& in) {
  return BucketSearch(rules, grants, denials, steps, in).run();
}

}  // namespace ordeal::work
